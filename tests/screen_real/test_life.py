"""Screens come and go, by keys, signals and closed windows; the campaign goes on, and every screen tells the same."""

from __future__ import annotations

import csv
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hpcvirt.core.process import start_ticks
from tests.screen_real.test_pilot import CAMPAIGN
from tests.screen_real.test_tmux import TMUX, Terminal
from tests.support.campaigns import PROGRAM

pytestmark = [pytest.mark.tmux, pytest.mark.skipif(TMUX is None, reason="tmux is not installed")]

Opener = Callable[..., Terminal]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opener]:
    """Opens terminals in the test's folder, and closes them at the end."""
    terminals = []

    def open_(*words: str) -> Terminal:
        terminals.append(Terminal(tmp_path, list(words)))
        return terminals[-1]

    yield open_
    for terminal in terminals:
        terminal.close()


def told(terminal: Terminal) -> str:
    """What the screen says, but for how long ago it was."""
    return re.sub(r"\d+ (s|min|h)\b|\d\d:\d\d:\d\d|[▁-█]", "", terminal.text())


def same_within(limit_s: float, one: Terminal, other: Terminal) -> None:
    give_up_at = time.monotonic() + limit_s
    while time.monotonic() < give_up_at:
        if told(one) == told(other):
            return
        time.sleep(0.1)
    raise AssertionError(f"{one.text()}\n{other.text()}")


@pytest.mark.slow
def test_two_screens_and_a_window_that_is_closed(opened: Opener, tmp_path: Path) -> None:
    (tmp_path / "pilot.toml").write_text(CAMPAIGN.replace("runs = 4", "runs = 240"))
    first = opened("pilot.toml")
    first.until("960 runs")
    first.press("s")
    first.until("Start pilot?")
    first.press("y")
    first.until("running", "/960 runs", "proved")
    second = opened("pilot.toml")
    second.until("running", "/960 runs")
    first.press("p")
    first.until("Paused: nothing new starts")
    second.until("Paused: nothing new starts")
    same_within(5, first, second)
    first.resize(120, 40)
    first.until("Progress", "Paused")
    assert max(map(len, first.text().splitlines())) > 80
    (done,) = re.findall(r"(\d+)/960 runs", second.text())
    second.press("p")
    second.until("▶ running")
    first.close()
    third = opened("pilot.toml")
    again = third.until("running", "/960 runs")
    assert int(re.findall(r"(\d+)/960 runs", again)[0]) >= int(done), "nothing is lost"
    third.press("e")
    third.until("measurements")
    third.press("x")
    for terminal in (second, third):
        terminal.until("Stopped before the end")
    third.press("q")
    assert "Traceback" not in third.until("left with 0")
    (database,) = tmp_path.glob("pilot-*.db")
    (exported,) = tmp_path.glob("*.csv")
    assert 4 * int(done) <= len(list(csv.DictReader(exported.open())))
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM runners").fetchone() == (1,)
        twice = "SELECT count(*) FROM (SELECT run FROM attempts WHERE status = 'ok' GROUP BY run HAVING count(*) > 1)"
        assert connection.execute(twice).fetchone() == (0,)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_ends_the_screen_in_order(opened: Opener, tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "pilot.toml").write_text(CAMPAIGN)
    terminal = opened("pilot.toml")
    terminal.until("16 runs")
    os.kill(terminal.program(), number)
    assert "Traceback" not in terminal.until("left with 0")
    # The terminal is as it was: a shell's prompt is seen, not the screen.
    assert "What will happen" not in terminal.text()


def test_a_closed_window_leaves_no_process(opened: Opener, tmp_path: Path) -> None:
    (tmp_path / "pilot.toml").write_text(CAMPAIGN)
    terminal = opened("pilot.toml")
    terminal.until("16 runs")
    program = terminal.program()
    terminal.close()
    give_up_at = time.monotonic() + 30
    while start_ticks(program) is not None:
        assert time.monotonic() < give_up_at, "it is still there"
        time.sleep(0.05)


def test_a_finished_database_is_only_read(opened: Opener, tmp_path: Path) -> None:
    (tmp_path / "pilot.toml").write_text(CAMPAIGN)
    subprocess.run([*PROGRAM, "run", "pilot.toml"], cwd=tmp_path, check=True, capture_output=True, timeout=90)
    (database,) = tmp_path.glob("pilot-*.db")
    database.chmod(0o444)
    before = database.read_bytes(), sorted(tmp_path.glob("pilot*"))
    terminal = opened(str(database))
    terminal.until("finished", "verdict", "triad")
    for key, word in (("2", "16/16 runs"), ("6", "16 attempts"), ("1", "Frozen when it started")):
        terminal.press(key)
        terminal.until(word)
    terminal.press("q")
    terminal.until("left with 0")
    assert (database.read_bytes(), sorted(tmp_path.glob("pilot*"))) == before


def test_a_foreign_database_is_left_alone(opened: Opener, tmp_path: Path) -> None:
    database = tmp_path / "foreign.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE campaign (id)")
    before = database.read_bytes()
    # By its name alone: a long path is wrapped wherever the screen ends.
    terminal = opened(database.name)
    terminal.until("✗ no database", "The database cannot be read", "foreign.db: not a results database")
    terminal.press("q")
    terminal.until("left with")
    assert database.read_bytes() == before
