"""``status``: plain lines that say where a campaign is and how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcvirt.core.model import Status
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.queries import read_snapshot, write_wish
from hpcvirt.tui.status import headline, lines, print_all
from tests.core.factories import DEAD, do_run, ended, new_database, process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "small.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    made, _ = new_database(path)
    yield made
    made.close()


def told(path: Path) -> str:
    return headline(read_snapshot(path))


def test_the_headline_follows_the_campaign(database: Database, path: Path) -> None:
    assert told(path) == "small: not started, 0 of 16 runs ok"
    runner = database.register_runner(process())
    assert told(path) == "small: running, 0 of 16 runs ok, done when is not known yet"
    do_run(database, 1, "a1", ended())
    do_run(database, 2, "a2", ended(Status.FAILED))
    database.give_up(2, "the retries are used up")
    assert told(path).startswith("small: running, 1 of 16 runs ok, 1 given up, done in about ")
    write_wish(path, "pause", "me")
    assert told(path) == "small: paused, 1 of 16 runs ok, 1 given up"
    database.runner_ended(runner, "stopped")
    assert told(path) == "small: stopped, 1 of 16 runs ok, 1 given up"


def test_the_page_of_a_crashed_one_says_how_to_go_on(database: Database, path: Path) -> None:
    database.register_runner(process(pid=DEAD))
    page = lines(read_snapshot(path))
    assert page[0].startswith("small: crashed")
    assert page[1] == f"go on with: hpcvirt-tui run {path}"


def test_the_page_of_one_elsewhere_says_where(database: Database, path: Path) -> None:
    database.register_runner(process(host="login2"))
    page = lines(read_snapshot(path))
    assert page[1] == "its runner is, or was, on host login2: ask there"


def test_a_running_one_needs_no_advice(database: Database, path: Path) -> None:
    database.register_runner(process())
    assert lines(read_snapshot(path))[1] == ""


def test_nodes_cells_and_attempts_are_on_the_page(database: Database, path: Path) -> None:
    do_run(database, 1, "a1", ended())
    do_run(database, 2, "a2", ended(Status.VOID))
    do_run(database, 3, "a3", None)
    page = "\n".join(lines(read_snapshot(path)))
    assert "node1: running, -, boot 0 of 4, 1/8 runs ok" in page
    assert "node2: waiting, -, boot 0 of 4, 0/8 runs ok" in page
    assert "1/8 ok" in page
    assert "1 attempts spoilt" in page
    assert "attempts: 1 ok, 1 void" in page


def test_nothing_of_a_node_is_obeyed_by_the_terminal(database: Database, path: Path) -> None:
    database.event("error", "lost: \x1b]52;c;aGk=\x07\nfake line", "node1")
    page = lines(read_snapshot(path))
    assert page[-1].endswith("error   node1: lost: \ufffd]52;c;aGk=\ufffd fake line")
    assert "\x1b" not in "".join(page)


def test_only_the_newest_events_are_shown(database: Database, path: Path) -> None:
    for number in range(9):
        database.event("info", f"event {number}")
    page = "\n".join(lines(read_snapshot(path)))
    assert "event 8" in page
    assert "event 4" in page
    assert "event 3" not in page


def test_every_database_here_gets_a_line(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(path.parent)
    monkeypatch.setenv("XDG_DATA_HOME", str(path.parent / "none"))
    path.with_name("other.db").write_text("not ours")
    print_all()
    found = capsys.readouterr().out.splitlines()
    assert len(found) == 2
    assert any(line.startswith("small: not started") and line.endswith(str(path)) for line in found)
    assert any("other.db" in line for line in found)


def test_no_database_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    print_all()
    assert capsys.readouterr().out.startswith("no results database here")
