"""What ``analyze`` prints: one table, nothing cut where nobody's terminal is, one notation in a column."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from hpcvirt.core.stats import Comparison, Series, Settings, compare
from hpcvirt.core.stats.report import significant, table_cells
from hpcvirt.tui.analyze import UNLIMITED, Format, in_order, render
from hpcvirt.tui.commands import app

LONG = "npb class=C problem=cg processes=64 with=a/very/long/label/that/no/terminal/of/eighty/columns/has/room/for"
LEVELS = {"seconds": 42.0, "mops": 91_602.0, "total": 100_712.25}


def compared(kernels: Sequence[str] = "abc") -> tuple[Comparison, ...]:
    """Each kernel is 2 % above the one before, and the contrast c against b."""
    rng = np.random.default_rng(16)
    blocks = np.arange(20) // 2
    series = [
        Series.of(
            kernel,
            benchmark,
            metric,
            level * rng.normal(1 + number / 50, 0.002, 20),
            unit="u",
            primary=metric != "total",
            block=blocks,
            boot=blocks,
        )
        for benchmark in (LONG, "stream")
        for metric, level in LEVELS.items()
        for number, kernel in enumerate(kernels)
    ]
    return compare(series, Settings(baseline="a", contrasts=(("c", "b"),)))


def printed(rows: Sequence[Comparison], width: int = UNLIMITED, footer: Sequence[str] = ()) -> list[str]:
    console = Console(width=width, file=io.StringIO(), no_color=True)
    console.print(render(rows, Format.TABLE, footer))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_contrasts_stand_in_the_same_table() -> None:
    lines = printed(compared())
    head, *rows = lines[: lines.index("")]
    assert len(rows) == 2 * 3 * 3
    assert head.split()[:2] == ["benchmark", "metric"]
    assert sum("benchmark" in line for line in lines) == 1
    column = head.index("against")
    assert {line[column:].split()[0] for line in rows} == {"a", "b"}
    metric = head.index("metric")
    keys = [(line[:metric].strip(), line[metric:].split()[0]) for line in rows]
    assert keys == [(bench, name) for bench in (LONG, "stream") for name in LEVELS for _ in range(3)]
    verdict = head.index("verdict")
    assert all(line[verdict - 1] == " " and line[verdict] != " " for line in rows)


def test_metrics_that_come_in_turns_are_brought_together() -> None:
    rows = compared()
    mixed = rows[::2] + rows[1::2]
    keys = [(one.benchmark, one.metric) for one in in_order(mixed)]
    assert len(set(keys)) == sum(key != before for key, before in zip(keys, [None, *keys], strict=False))
    assert [key[0] for key in keys] == [LONG] * 9 + ["stream"] * 9


def test_nothing_is_cut_or_wrapped_where_no_terminal_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = tmp_path / "long.csv"
    values = [f"{kernel},{LONG},seconds,{value},s" for kernel in "ab" for value in (1.1, 1.2, 1.35, 1.5)]
    path.write_text("\n".join(["kernel,benchmark,metric,value,unit", *values]) + "\n")
    done = CliRunner().invoke(app, ["analyze", str(path)])
    assert done.exit_code == 0, done.output
    assert "…" not in done.output
    (row,) = [line for line in done.output.splitlines() if line.startswith(LONG)]
    assert "1.2875 s" in row
    assert "1.0000" in row
    assert any(len(line) > 80 for line in done.output.splitlines() if not line.startswith((LONG, "benchmark")))


@pytest.mark.parametrize("width", [60, 80, 120, 300])
def test_a_terminal_gets_what_it_has_room_for(width: int) -> None:
    lines = printed(compared(), width)
    assert max(map(len, lines)) <= width
    assert any("slower" in line for line in lines)


@pytest.mark.parametrize(
    ("means", "texts"),
    [
        ([91_602.0, 100_712.25], ["91602", "100712"]),
        ([0.00123456, 91_602.0], ["0.0012346", "91602"]),
        ([42.0, 0.0], ["42", "0"]),
        ([3e-7, 42.0], ["3.0000e-07", "4.2000e+01"]),
        ([-1.5e12, None], ["-1.5000e+12", "–"]),
    ],
)
def test_a_column_has_one_notation(means: list[float | None], texts: list[str]) -> None:
    (one, *_) = compared()
    rows = [replace(one, mean=mean, mean_baseline=None, unit="") for mean in means]
    assert [cells[4] for cells in table_cells(rows)] == texts


def test_numbers_keep_five_digits() -> None:
    assert [significant(value) for value in (1.23456, 12.0, 123456.7, 0.1)] == ["1.2346", "12", "123457", "0.1"]


def test_what_was_not_measured_says_so() -> None:
    series = [Series.of(kernel, "x", "t", [1.0, 2.0, 3.0]) for kernel in "ab"]
    series += [Series.of("a", "x", "gone", [1.0, 2.0, 3.0]), Series.of("b", "x", "gone", [])]
    lines = printed(compare(series, Settings(baseline="a")))
    (gone,) = [line for line in lines if " gone " in line]
    assert "not measured" in gone
    assert "inconclusive" not in gone
    assert not any("not measured" in line for line in lines if " t " in line)


def test_a_metric_that_is_not_primary_has_no_sign() -> None:
    verdicts = {(cells[1], cells[2], cells[5]): cells[12] for cells in table_cells(compared())}
    assert verdicts["seconds", "c", "a"] == "▼ slower"
    assert verdicts["total", "c", "a"] == "slower"
