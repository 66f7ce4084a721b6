"""What leaves the module: full precision, valid JSON, harmless CSV, and a table for people."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from hpcvirt.core.stats import Comparison, Method, Series, Settings, Unit, compare
from hpcvirt.core.stats.report import FIELDS, notes, to_csv, to_json, to_markdown
from hpcvirt.tui.analyze import Format, analyze_file, render

PUBLIC = [
    "benchmark",
    "metric",
    "unit",
    "better",
    "kernel",
    "baseline",
    "method",
    "replication_unit",
    "n",
    "n_baseline",
    "mean",
    "mean_baseline",
    "mean_kind",
    "mean_harmonic",
    "difference_pct",
    "t",
    "df",
    "p",
    "t_student",
    "p_student",
    "p_adjusted",
    "ratio",
    "ci_low",
    "ci_high",
    "p_equivalence",
    "p_equivalence_adjusted",
    "verdict",
    "flags",
]
"""What other programs may rely on."""


def some(kernel: str = "B", method: Method = Method.PAPER) -> tuple[Comparison, ...]:
    rng = np.random.default_rng(1)
    series = [
        Series.of(k, "bench", "time", rng.normal(100, 1, 20), unit="s", block=np.arange(20) // 2) for k in ("A", kernel)
    ]
    return compare(series, Settings(method=method))


def test_json_has_every_public_field_and_every_bit() -> None:
    (one,) = some()
    (back,) = json.loads(to_json([one]))
    assert set(PUBLIC) <= set(back)
    for name in ("t", "df", "p", "ratio", "ci_low", "p_equivalence", "mean", "difference_pct"):
        assert back[name] == getattr(one, name)
    assert back["verdict"] == "inconclusive" or back["verdict"] in {"equivalent", "slower", "faster", "trivial"}
    assert (back["method"], back["better"], back["replication_unit"]) == ("paper", "lower", "run")


def test_json_of_flags() -> None:
    (one,) = compare([Series.of("A", "x", "t", [1.0]), Series.of("B", "x", "t", [2.0, 3.0])])
    (back,) = json.loads(to_json([one]))
    assert {
        "code": "too-few",
        "text": "A has one value: no spread, so no test",
        "kernel": "A",
        "statistic": 1.0,
        "p": None,
    } in back["flags"]
    assert back["p"] is None


def test_csv_reads_back_to_the_same_bits() -> None:
    done = some(method=Method.BLOCKED)
    (row,) = csv.DictReader(io.StringIO(to_csv(done)))
    assert tuple(row) == FIELDS
    assert float(row["p"]) == done[0].p
    assert float(row["ratio"]) == done[0].ratio
    assert row["t_student"] == ""
    assert row["primary"] == "true"


@pytest.mark.parametrize("evil", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_csv_holds_no_formula(evil: str) -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv(some(evil))))
    assert not row["kernel"].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert row["flags"] == "" or not row["flags"].startswith(("=", "+", "-", "@"))


def test_negative_numbers_in_csv_stay_numbers() -> None:
    series = [Series.of("A", "x", "t", [5.0, 6, 7]), Series.of("B", "x", "t", [1.0, 2, 3])]
    (row,) = csv.DictReader(io.StringIO(to_csv(compare(series, Settings(method=Method.PAPER)))))
    assert float(row["difference_pct"]) < 0
    assert float(row["t"]) < 0


def test_markdown_is_a_table_whatever_the_names() -> None:
    lines = to_markdown(some("<b>*B*|`x`"), ["a note"]).splitlines()
    unescaped = [line.replace("\\|", "").count("|") for line in lines[:3]]
    assert unescaped == [16, 16, 16]
    assert "<b>" not in lines[2]
    assert lines[-1] == "* a note"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_table_shows_names_as_they_are(width: int) -> None:
    done = some("[/]")
    console = Console(width=width, file=io.StringIO(), no_color=True)
    console.print(render(done, Format.TABLE, ["[/] a note"]))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[/] a note" in text
    assert max(map(len, text.splitlines())) <= width
    assert done[0].verdict[:8] in text
    assert ("flags" in text) is (width == 200)


def test_text_formats_are_text() -> None:
    done = some()
    assert render(done, Format.JSON) == to_json(done)
    assert render(done, Format.CSV, ["no notes in data"]) == to_csv(done)
    assert render(done, Format.MARKDOWN, ["n"]) == to_markdown(done, ["n"])


def test_nothing_to_compare() -> None:
    assert compare([]) == ()
    assert compare([Series.of("A", "x", "t", [1.0, 2.0])]) == ()
    assert json.loads(to_json([])) == []
    assert notes((), Settings()) == ("no two kernels to compare",)


def test_notes_say_what_the_table_cannot() -> None:
    fallen = notes(compare([Series.of(k, "x", "t", [1.0, 2, 4]) for k in "AB"]), Settings())
    assert any("one boot per kernel" in line for line in fallen)
    assert any("adjusted by Holm" in line for line in fallen)
    paper = notes(some(), Settings(method=Method.PAPER))
    assert not any("one boot per kernel" in line for line in paper)
    assert any(line.startswith("family of 1 tests: verdicts on raw p") for line in paper)
    assert any("not adjusted" in line for line in paper)
    blocked = notes(some(method=Method.BLOCKED), Settings())
    assert any("one value per block" in line for line in blocked)
    assert any("adjusted by Holm" in line for line in blocked)


def test_analyze_file(tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    rows = "chaos,cg,seconds,607,31,50,s,lower\nxen,cg,seconds,576.65,31,50,s,lower"
    path.write_text(f"kernel,benchmark,metric,mean,sd,n,unit,better\n{rows}\n")
    (one,), footer = analyze_file(path, Settings(method=Method.PAPER))
    assert (one.verdict, one.replication_unit, one.n) == ("faster", Unit.RUN, 50)
    assert footer


def test_the_package_is_light_until_something_is_compared() -> None:
    """A screen paints before numpy and scipy are read."""
    code = (
        "import sys, hpcvirt.core.stats, hpcvirt.core.stats.report, hpcvirt.tui.analyze\n"
        "print(sorted({'numpy', 'scipy', 'rich', 'scipy.stats'} & set(sys.modules)))\n"
        "s = hpcvirt.core.stats\n"
        "s.compare([s.Series.of(k, 'x', 't', [1.0, 2.0, 3.0]) for k in 'AB'])\n"
        "print('scipy.special' in sys.modules, 'scipy.stats' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "True False"]


def test_every_field_and_flag_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text()
    sources = [path.read_text() for path in (Path(__file__).parents[2] / "core" / "stats").glob("*.py")]
    flags = {code for source in sources for code in re.findall(r'Flag\(\s*"([a-z-]+)"', source)}
    assert {"drift", "too-few", "few-units", "asymmetric-loss"} <= flags
    assert [name for name in (*FIELDS, *sorted(flags)) if f"`{name}`" not in page] == []


def test_the_calibration_runs_and_writes_its_table(tmp_path: Path) -> None:
    """Four campaigns prove nothing, which it must say by its exit status."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- calibration: begin -->\nold\n<!-- calibration: end -->\nafter\n")
    program = Path(__file__).parents[1] / "bench" / "calibrate_stats.py"
    command = [sys.executable, str(program), "--campaigns", "4", "--seed", "1", "--update", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "BROKEN node-block: 4 nodes" in done.stderr
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert len(re.findall(r"^\| (?:paper|node-block|block)", text, re.MULTILINE)) > 60
