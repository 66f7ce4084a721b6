"""Who may work on a database, by its own records."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hpcvirt.core.engine.lock import runner_lock
from hpcvirt.core.errors import StoreLocked
from hpcvirt.core.process import ProcessIdentity, start_ticks, this_process
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.queries import read_snapshot
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.core.store.runners import read_copied_from, refuse_second_runner
from tests.core.factories import DEAD, new_database, process

TWIN = process(machine="another", boot_id="another")
"""Of a host that has this one's name."""
CONTAINER = process(pid_namespace="1")
ELSEWHERE = process(host="login2.example.org", boot_id="another")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    database, _ = new_database(tmp_path / "x.db")
    database.close()
    return tmp_path / "x.db"


def change(path: Path, work: Callable[[Database], object]) -> None:
    database = Database(path)
    work(database)
    database.close()


def registered(path: Path, who: ProcessIdentity) -> None:
    change(path, lambda database: database.register_runner(who, "0123456789abcdef"))


def parent() -> ProcessIdentity:
    """A process that lives, and is not this one."""
    return process(pid=1, pid_start=start_ticks(1) or 0)


def test_a_living_runner_keeps_others_off_without_any_lock_file(path: Path) -> None:
    registered(path, parent())
    with pytest.raises(StoreLocked, match="another runner works on it: process 1 on"), runner_lock(path):
        pass
    with pytest.raises(StoreLocked, match="another runner works on it"):
        registered(path, this_process())


@pytest.mark.parametrize("gone", [process(pid=DEAD), process(pid_start=1), process(boot_id="another")])
def test_a_runner_that_is_proved_dead_keeps_nobody_off(path: Path, gone: ProcessIdentity) -> None:
    registered(path, gone)
    with runner_lock(path):
        registered(path, this_process())


def test_a_copy_names_the_database_that_its_runner_works_on(path: Path, tmp_path: Path) -> None:
    registered(path, parent())
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    with pytest.raises(StoreLocked, match=f"copy.db is a copy of {path}, made while a runner worked on that"):
        refuse_second_runner(copy)
    assert read_copied_from(copy) == str(path)
    moved = path.rename(tmp_path / "moved.db")
    assert read_copied_from(moved) == "", "a file that was moved is itself"


@pytest.mark.parametrize("who", [ELSEWHERE, TWIN, CONTAINER])
def test_a_runner_elsewhere_is_watched_for_a_sign_of_life(path: Path, who: ProcessIdentity) -> None:
    registered(path, who)

    def beat() -> None:
        time.sleep(0.4)
        change(path, lambda database: database.beat(1))

    thread = threading.Thread(target=beat)
    thread.start()
    with pytest.raises(StoreLocked, match=f"on {who.host}"):
        refuse_second_runner(path, 20.0)
    thread.join()
    refuse_second_runner(path, 0.5)


def test_one_of_an_earlier_version_is_not_waited_for(path: Path) -> None:
    registered(path, ELSEWHERE)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TABLE leases")
    started = time.monotonic()
    refuse_second_runner(path, 20.0)
    assert time.monotonic() - started < 10
    registered(path, this_process())


def test_a_row_of_an_earlier_version_is_read_and_its_table_completed(path: Path) -> None:
    registered(path, process(pid=DEAD))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for column in ("machine", "pid_namespace"):
            connection.execute(f"ALTER TABLE runners DROP COLUMN {column}")
    assert read_snapshot(path).runner.state is RunnerState.ELSEWHERE
    refuse_second_runner(path, 0.5)
    registered(path, process(pid=DEAD))
    assert read_snapshot(path).runner.state is RunnerState.CRASHED
    registered(path, parent())
    with pytest.raises(StoreLocked, match="another runner works on it: process 1 on"):
        refuse_second_runner(path)


def test_a_runner_whose_place_was_taken_ends(path: Path) -> None:
    registered(path, ELSEWHERE)
    registered(path, this_process())
    with pytest.raises(StoreLocked, match="another runner has taken this one's place"):
        change(path, lambda database: database.beat(1))
    change(path, lambda database: database.beat(2))
