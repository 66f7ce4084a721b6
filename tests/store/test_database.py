"""The writing side: whole or not at all, once, and for its owner only."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import sqlite_utils
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpcvirt.core.errors import StoreLocked, StoreUnusable
from hpcvirt.core.model import Status
from hpcvirt.core.store import creation, schema
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.queries import read_measurements, read_snapshot
from hpcvirt.core.store.writer import Writer
from tests.core.factories import campaign, do_run, ended, frozen, mode_of, new_database, process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "small.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    made, _ = new_database(path)
    yield made
    made.close()


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


# -- creation


def test_a_new_database_is_its_owners_only(path: Path) -> None:
    old = os.umask(0)
    try:
        made, _ = new_database(path)
        do_run(made, 1, "a", None)
        assert {found.name: mode_of(found) for found in path.parent.iterdir()} == {
            "small.db": 0o600,
            "small.db-wal": 0o600,
            "small.db-shm": 0o600,
        }
        made.close()
    finally:
        os.umask(old)
    assert [found.name for found in path.parent.iterdir()] == ["small.db"]


def test_the_plan_is_in_it(database: Database, path: Path) -> None:
    _, plan = frozen(campaign())
    assert rows(path, "SELECT id, block, position, kernel, node FROM boots ORDER BY id") == [
        (boot.id, boot.block, boot.position, boot.kernel, boot.node) for boot in plan.boots
    ]
    assert rows(path, "SELECT id, boot, number FROM runs ORDER BY id") == [
        (run.id, run.boot.id, run.number) for run in plan.runs
    ]
    assert rows(path, "SELECT plan_sha256 FROM campaign") == [(plan.digest,)]
    assert rows(path, "PRAGMA application_id") == [(schema.APPLICATION_ID,)]
    assert rows(path, "PRAGMA foreign_key_check") == []
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_name_that_is_taken_is_refused(path: Path) -> None:
    path.write_text("somebody's")
    with pytest.raises(StoreUnusable, match="File exists"):
        new_database(path)
    assert path.read_text() == "somebody's"
    assert [found.name for found in path.parent.iterdir()] == ["small.db"]


def test_a_link_in_the_place_of_the_database_is_refused(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))
    with pytest.raises(StoreUnusable):
        new_database(path)
    assert [found.name for found in path.parent.iterdir()] == ["small.db"]


def test_nothing_is_left_when_it_cannot_be_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> Iterator[object]:
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(creation, "_rows", broken)
    with pytest.raises(StoreUnusable, match="disk full"):
        new_database(path)
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="No such file"):
        new_database(tmp_path / "none" / "small.db")


# -- attempts


def test_an_attempt_is_filed_with_everything(database: Database, path: Path) -> None:
    identity = {"boot_id": "b-1", "release": "6.1"}
    output = bytes(range(256))
    do_run(database, 1, "a", ended(identity_before=identity, identity_after=identity, stdout=output, reason="why"))
    assert rows(path, "SELECT run, number, status, reason, exit_status, duration_s, boot_id FROM attempts") == [
        (1, 1, "ok", "why", 0, 0.9, "b-1")
    ]
    assert rows(path, "SELECT count(*) FROM identities") == [(1,)]
    assert len(rows(path, "SELECT * FROM measurements")) == 4
    assert database.ended_attempts("node1") + database.ended_attempts("node2") == ["a"]


@pytest.mark.parametrize("second", [Status.OK, Status.LOST])
def test_a_second_end_is_refused(database: Database, path: Path, second: Status) -> None:
    do_run(database, 1, "a", ended(value=1.0))
    with pytest.raises(StoreLocked, match="another runner has filed the end"):
        database.end_attempt("a", ended(second, value=2.0))
    assert rows(path, "SELECT DISTINCT status FROM attempts") == [("ok",)]
    assert rows(path, "SELECT DISTINCT value FROM measurements") == [(1.0,)]


def test_an_end_without_a_begin_is_refused(database: Database) -> None:
    with pytest.raises(StoreUnusable, match="was never begun"):
        database.end_attempt("a", ended())


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_only_ok_leaves_numbers(database: Database, path: Path, status: Status) -> None:
    full = ended()
    do_run(database, 1, "a", ended(status, readings=full.readings))
    assert rows(path, "SELECT * FROM measurements") == []
    assert rows(path, "SELECT * FROM results") == []
    assert rows(path, "SELECT status FROM attempts") == [(status.value,)]


def test_not_a_number_is_refused_and_nothing_of_it_stays(database: Database, path: Path) -> None:
    database.begin_attempt("a", 1)
    with pytest.raises(sqlite3.IntegrityError):
        database.end_attempt("a", ended(value=float("nan")))
    assert rows(path, "SELECT status, ended_at FROM attempts") == [(None, None)]
    assert rows(path, "SELECT * FROM measurements") == []
    database.end_attempt("a", ended())
    assert len(rows(path, "SELECT * FROM measurements")) == 4


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(allow_nan=False))
def test_any_value_comes_back_to_the_bit(database: Database, path: Path, value: float) -> None:
    attempt = f"a{value!r}"
    if rows(path, f"SELECT 1 FROM attempts WHERE id = '{attempt}'") == []:
        do_run(database, 1, attempt, ended(value=value))
    found = rows(path, f"SELECT value FROM measurements WHERE attempt = '{attempt}'")
    assert {repr(one) for (one,) in found} == {repr(value)} or value == 0.0


def test_hostile_text_is_bound(database: Database, path: Path) -> None:
    text = "'); DROP TABLE attempts; --"
    do_run(database, 1, "a", ended(Status.FAILED, reason=text, boot_id=text))
    database.event("error", text, "node1")
    database.node_state("node1", text, text)
    assert rows(path, "SELECT reason, boot_id FROM attempts") == [(text, text)]
    assert rows(path, "SELECT message FROM events") == [(text,)]


def test_histories_say_what_is_done_with(database: Database) -> None:
    assert database.histories() == {}
    do_run(database, 1, "a1", ended(Status.FAILED))
    do_run(database, 1, "a2", ended())
    do_run(database, 2, "b1", ended(Status.VOID))
    do_run(database, 3, "c1", None)
    do_run(database, 4, "d1", ended(Status.TIMEOUT))
    database.give_up(4, "why not")
    found = database.histories()
    assert found[1].statuses == (Status.FAILED, Status.OK)
    assert {run: history.is_closed for run, history in found.items()} == {1: True, 2: False, 3: False, 4: True}
    assert (found[2].statuses, found[3].statuses) == ((Status.VOID,), ())


def test_attempts_under_way_are_found_by_node(database: Database, path: Path) -> None:
    do_run(database, 1, "done", ended())
    of_runs = rows(path, "SELECT runs.id, node FROM runs JOIN boots ON boots.id = runs.boot")
    nodes = {row[0]: row[1] for row in of_runs}
    for run in (2, 3, len(nodes)):
        do_run(database, run, f"open{run}", None)
    found = {(node, one.id, one.run) for node, every in database.open_attempts().items() for one in every}
    assert found == {(nodes[run], f"open{run}", run) for run in (2, 3, len(nodes))}


def test_attempts_are_numbered_within_their_run(database: Database, path: Path) -> None:
    for attempt in "abc":
        do_run(database, 5, attempt, ended(Status.LOST))
    assert rows(path, "SELECT id, number FROM attempts ORDER BY number") == [("a", 1), ("b", 2), ("c", 3)]


def test_a_visit_begins_once(database: Database, path: Path) -> None:
    database.boot_started(1)
    first = rows(path, "SELECT started_at FROM boots WHERE id = 1")
    database.boot_started(1)
    assert rows(path, "SELECT started_at FROM boots WHERE id = 1") == first
    database.boot_proved(1, {"boot_id": "b-1", "release": "6.1"}, {}, rebooted=False)
    assert rows(path, "SELECT boot_id, rebooted FROM boots WHERE id = 1") == [("b-1", 0)]


def test_wishes_are_obeyed_once(database: Database, path: Path) -> None:
    with closing(sqlite_utils.Database(path).conn) as other:
        for kind in ("pause", "resume"):
            sqlite_utils.Database(other).table("wishes").insert({"at": "now", "kind": kind, "origin": "me"})
    (first, second) = database.open_wishes()
    assert (first.kind, second.kind) == ("pause", "resume")
    database.obey(first.id)
    assert database.open_wishes() == [second]


# -- life of the file


def test_it_is_on_the_disk_before_it_is_said_to_be(database: Database) -> None:
    assert database._db.conn.execute("PRAGMA synchronous").fetchone() == (2,)


def test_it_can_be_read_while_it_is_written(database: Database, path: Path) -> None:
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0)
    try:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM attempts").fetchone() == (0,)
        do_run(database, 1, "a", ended())
        assert reader.execute("SELECT count(*) FROM attempts").fetchone() == (0,)
        assert read_snapshot(path).ok == 1
    finally:
        reader.close()


def test_closed_for_good_it_is_one_file_that_can_be_copied(path: Path) -> None:
    database, _ = new_database(path)
    do_run(database, 1, "a", ended())
    database.close()
    assert [found.name for found in path.parent.iterdir()] == ["small.db"]
    copied = Path(shutil.copy(path, path.with_name("copy.db")))
    copied.chmod(0o400)
    assert rows(copied, "PRAGMA journal_mode") == [("delete",)]
    assert len(read_measurements(copied)) == 4


def test_a_reader_that_stays_delays_nothing_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpcvirt.core.store.database.LEAVE_WAL_LIMIT_S", 0.1)
    database, _ = new_database(path)
    do_run(database, 1, "a", ended())
    reader = sqlite3.connect(path)
    try:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM attempts").fetchall()
        database.close()
        assert len(read_measurements(path)) == 4
    finally:
        reader.close()


def test_a_killed_writer_loses_nothing_that_was_filed(path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            made, _ = new_database(path)
            do_run(made, 1, "a", ended())
            made.begin_attempt("b", 2)
        finally:
            os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    again = Database(path)
    try:
        assert again.histories()[1].is_closed
        assert [one.id for every in again.open_attempts().values() for one in every] == ["b"]
    finally:
        again.close()


def set_version(path: Path, version: int, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(";".join([f"PRAGMA user_version = {version}", *statements]))


@pytest.mark.parametrize("version", [schema.OLDEST_VERSION - 1, schema.USER_VERSION + 1])
def test_another_version_is_not_written(path: Path, version: int) -> None:
    new_database(path)[0].close()
    set_version(path, version)
    with pytest.raises(StoreUnusable, match=f"schema version {version}"):
        Database(path)


def test_the_oldest_version_is_read_and_written(path: Path) -> None:
    """Its table of claims is without a reference."""
    made, plan = new_database(path)
    made.close()
    bare = "CREATE TABLE bare AS SELECT * FROM claims; DROP TABLE claims; ALTER TABLE bare RENAME TO claims"
    set_version(path, schema.OLDEST_VERSION, bare, "ALTER TABLE claims DROP COLUMN reference")
    again = Database(path)
    do_run(again, plan.runs[0].id, "a1", ended())
    again.close()
    assert read_snapshot(path).ok == 1


def test_text_is_not_written(path: Path) -> None:
    path.write_text("x" * 5000)
    with pytest.raises(StoreUnusable, match="not a database"):
        Database(path)
    assert path.read_text() == "x" * 5000


def test_the_runners_life(database: Database, path: Path) -> None:
    runner = database.register_runner(process())
    database.runner_ended(runner, "done")
    assert rows(path, "SELECT ending, ended_at IS NOT NULL FROM runners") == [("done", 1)]


# -- the writer's thread


async def test_the_writer_files_in_order(path: Path) -> None:
    writer = await Writer.open(lambda: new_database(path)[0])
    for number in range(1, 5):
        await writer.do(partial(do_run, run=number, attempt=f"a{number}", end=ended()))
    assert len(await writer.do(lambda database: database.histories())) == 4
    await writer.close()
    assert [found.name for found in path.parent.iterdir()] == ["small.db"]


async def test_what_cannot_be_filed_is_told_as_what_it_is(path: Path) -> None:
    writer = await Writer.open(lambda: new_database(path)[0])
    with pytest.raises(StoreUnusable, match="NOT NULL"):
        await writer.do(lambda database: do_run(database, 1, "a", ended(value=float("nan"))))
    await writer.close()


async def test_a_database_that_does_not_open(path: Path) -> None:
    path.write_text("x" * 5000)
    with pytest.raises(StoreUnusable):
        await Writer.open(lambda: Database(path))
