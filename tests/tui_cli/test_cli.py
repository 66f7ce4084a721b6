"""The command line as an operator meets it: exit codes, a line or two of words, and nothing heavy loaded."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.factories import TOML, do_run, ended, new_database

HEAVY = ("textual", "asyncssh", "scipy", "numpy", "plotext", "pydantic")

LOADED = f"""
import json, sys
sys.argv[0] = "hpcvirt-tui"
from hpcvirt.tui.cli import main
try:
    main()
finally:
    print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]), file=sys.stderr)
"""


def call(folder: Path, *words: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    program = ["-c", code] if code else ["-m", "hpcvirt.tui"]
    home = folder / "home"
    home.mkdir(exist_ok=True)
    env = {**os.environ, "XDG_DATA_HOME": str(home), "HOME": str(home), "TERM": "dumb"}
    return subprocess.run(
        [sys.executable, "-P", *program, *words],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def database(tmp_path: Path) -> Path:
    made, _ = new_database(tmp_path / "small.db")
    do_run(made, 1, "a", ended(value=0.1 + 0.2))
    made.close()
    return tmp_path / "small.db"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")} - {"home"}


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("run", "--help")])
def test_help(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = call(tmp_path, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: hpcvirt-tui" in done.stdout
    assert "Options:" in done.stdout


def test_help_tells_the_exit_codes(tmp_path: Path) -> None:
    assert "Exit codes: 0 done" in call(tmp_path, "--help").stdout


def test_version(tmp_path: Path) -> None:
    done = call(tmp_path, "--version")
    assert done.returncode == 0
    assert done.stdout.startswith("hpcvirt-tui, version ")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "no-such-campaign"), "no-such-campaign"),
        (("run", "none.toml"), "none.toml"),
        (("run",), "CAMPAIGN"),
        (("run", "local-lab", "--runs", "0"), "--runs"),
        (("run", "local-lab", "--seed", "-1"), "--seed"),
        (("run", "local-lab", "--kernel", "nativ"), "did you mean 'native'?"),
        (("run", "local-lab", "--benchmark", "bonnie"), "no 'bonnie' in this campaign"),
        (("run", "local-lab", "--blocks", "51"), "51 blocks need at least as many runs"),
        (("--no-such-option",), "--no-such-option"),
        (("no-such-command",), "no-such-command"),
        (("export", "small.db", "--what", "everything"), "everything"),
        (("stop", "small.db"), "no runner has begun"),
        (("lab", "--nodes", "0"), "--nodes"),
    ],
)
def test_wrong_usage_is_told_in_words(tmp_path: Path, database: Path, words: tuple[str, ...], told: str) -> None:
    done = call(tmp_path, *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert names(tmp_path) == {"small.db"}


@pytest.mark.parametrize(
    ("word", "file"), [("status", "none.db"), ("status", "text.db"), ("export", "text.db"), ("pause", "none.db")]
)
def test_a_file_that_is_no_database(tmp_path: Path, word: str, file: str) -> None:
    (tmp_path / "text.db").write_text("text")
    done = call(tmp_path, word, file)
    assert done.returncode == 4
    assert file in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert names(tmp_path) == {"text.db"}


def test_all_faults_of_a_campaign_at_once_and_nothing_made(tmp_path: Path) -> None:
    text = TOML.replace("runs = 4", "runs = 0\nretriez = 1").replace('name = "other"', 'name = "o/ther"')
    (tmp_path / "broken.toml").write_text(text)
    for words in (("run", "broken.toml"), ("run", "--detach", "broken.toml"), ("run", "broken.toml", "--db", "x/a.db")):
        done = call(tmp_path, *words)
        assert done.returncode == 2
        for told in ("design.runs", "design.retriez: unknown key; did you mean 'retries'?", "kernel[2].name"):
            assert told in done.stderr
        assert "Traceback" not in done.stderr
        assert names(tmp_path) == {"broken.toml"}


def test_export_to_the_terminal_and_to_a_file(tmp_path: Path, database: Path) -> None:
    done = call(tmp_path, "export", "small.db")
    assert (done.returncode, done.stderr) == (0, "")
    table = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {float(line["value"]) for line in table} == {0.1 + 0.2}
    assert call(tmp_path, "export", "small.db", "-o", "-").stdout == done.stdout
    written = call(tmp_path, "export", "small.db", "-o", "a.csv")
    assert (written.returncode, written.stdout) == (0, "")
    assert "4 measurements written to a.csv" in written.stderr
    assert (tmp_path / "a.csv").read_text() == done.stdout
    samples = call(tmp_path, "export", "small.db", "--what", "telemetry")
    assert samples.stdout.startswith("node,at,kernel,benchmark,run,attempt,span_s,")
    assert (
        "0 samples written to t.csv"
        in call(tmp_path, "export", "small.db", "--what", "telemetry", "-o", "t.csv").stderr
    )


def test_status_of_one(tmp_path: Path, database: Path) -> None:
    done = call(tmp_path, "status", "small.db")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("small: not started, 1 of 16 runs ok\n")


@pytest.mark.parametrize(
    "words",
    [("--help",), ("--version",), ("export", "small.db"), ("status", "small.db"), ("status",), ("stop", "small.db")],
)
def test_nothing_heavy_is_loaded_for_little(tmp_path: Path, database: Path, words: tuple[str, ...]) -> None:
    done = call(tmp_path, *words, code=LOADED)
    assert json.loads(done.stderr.splitlines()[-1]) == []


def test_that_check_can_fail(tmp_path: Path) -> None:
    done = call(tmp_path, "--help", code="import numpy\n" + LOADED)
    assert json.loads(done.stderr.splitlines()[-1]) == ["numpy"]
