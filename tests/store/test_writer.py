"""The writer's thread: order, shared transactions, and failures that stay with whose they are."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.store import writer as module
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.presence import DatabaseFile, rescue_paths, rescued
from hpcvirt.core.store.writer import Displaced, Writer
from tests.core.factories import new_database


class Fake(Database):
    """A table of its own, and a count of commits."""

    def __init__(self, path: Path) -> None:
        from hpcvirt.core.store.database import _Store

        self.path = path
        self._db = _Store(sqlite3.connect(path, isolation_level=None))
        self._db.conn.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
        self.commits = 0
        self._db.conn.set_trace_callback(lambda sql: self.count(sql))

    def count(self, sql: str) -> None:
        self.commits += sql == "COMMIT"

    def add(self, value: int) -> int:
        self._db.conn.execute("INSERT INTO t VALUES (?)", (value,))
        return value

    def all(self) -> list[int]:
        return [a for (a,) in self._db.conn.execute("SELECT a FROM t ORDER BY a")]

    def close(self) -> None:
        self._db.conn.close()


def adding(value: int):
    return lambda database: database.add(value)


async def opened(path: Path) -> Writer:
    return await Writer.open(lambda: Fake(path))


async def held(writer: Writer, gate: threading.Event) -> asyncio.Task[bool]:
    """Keeps the thread busy, so that what follows waits together."""
    task = asyncio.create_task(writer.do(lambda _: gate.wait(10)))
    await asyncio.sleep(0.05)
    return task


async def test_what_waits_together_is_committed_together(tmp_path: Path) -> None:
    writer, gate = await opened(tmp_path / "x.db"), threading.Event()
    busy = await held(writer, gate)
    several = [asyncio.create_task(writer.do(adding(i))) for i in range(10)]
    await asyncio.sleep(0.05)
    gate.set()
    assert await asyncio.gather(*several) == list(range(10))
    await busy
    assert await writer.do(lambda database: (database.all(), database.commits)) == (list(range(10)), 1)
    await writer.close()


async def test_a_job_that_fails_takes_nobody_along(tmp_path: Path) -> None:
    writer, gate = await opened(tmp_path / "x.db"), threading.Event()
    busy = await held(writer, gate)

    def half(database: Fake) -> None:
        database.add(100)
        raise ValueError("second half")

    jobs = [adding(1), half, adding(1), adding(2)]
    several = [asyncio.create_task(writer.do(job)) for job in jobs]
    await asyncio.sleep(0.05)
    gate.set()
    ends = await asyncio.gather(*several, return_exceptions=True)
    assert [type(end) for end in ends] == [int, ValueError, StoreUnusable, int]
    await busy
    assert await writer.do(lambda database: database.all()) == [1, 2]
    await writer.close()


async def test_a_transaction_that_is_lost_is_told_to_all(tmp_path: Path) -> None:
    writer, gate = await opened(tmp_path / "x.db"), threading.Event()
    busy = await held(writer, gate)

    def destroy(database: Fake) -> None:
        database._db.conn.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    several = [asyncio.create_task(writer.do(job)) for job in (adding(1), destroy, adding(2))]
    await asyncio.sleep(0.05)
    gate.set()
    ends = await asyncio.gather(*several, return_exceptions=True)
    assert [type(end) for end in ends] == [StoreUnusable] * 3
    await busy
    assert await writer.do(lambda database: database.all()) == []
    await writer.close()


async def test_a_job_is_done_though_nobody_waits_any_more(tmp_path: Path) -> None:
    writer, gate = await opened(tmp_path / "x.db"), threading.Event()
    busy = await held(writer, gate)
    task = asyncio.create_task(writer.do(adding(7)))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    await busy
    assert await writer.do(lambda database: database.all()) == [7]
    await writer.close()


async def test_closing_is_no_part_of_a_transaction(tmp_path: Path) -> None:
    writer, gate = await opened(tmp_path / "x.db"), threading.Event()
    busy = await held(writer, gate)
    several = [asyncio.create_task(writer.do(adding(i))) for i in range(3)]
    await asyncio.sleep(0.05)
    closing = asyncio.create_task(writer.close())
    await asyncio.sleep(0.05)
    gate.set()
    assert await asyncio.gather(*several) == [0, 1, 2]
    await asyncio.gather(busy, closing)
    with sqlite3.connect(tmp_path / "x.db") as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (3,)


async def lost(path: Path) -> tuple[Writer, list[Displaced]]:
    """A database that was deleted while its writer was open."""
    new_database(path)[0].close()
    writer = await Writer.open(lambda: Database(path))
    told: list[Displaced] = []
    writer.when_displaced = told.append
    await writer.do(lambda database: database.event("info", "before"))
    path.unlink()
    await writer.do(lambda database: database.event("info", "after"))
    return writer, told


def messages(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [message for (message,) in connection.execute("SELECT message FROM events ORDER BY id")]


async def test_a_deleted_database_goes_on_in_a_copy_of_all_that_it_held(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    writer, told = await lost(tmp_path / "deep" / "x.db")
    (what,) = told
    assert (what.was, what.is_rescued, what.now) == (tmp_path / "deep" / "x.db", True, writer.path)
    assert writer.path.parent == tmp_path / "deep"
    await writer.close()
    assert messages(writer.path) == ["before", "after"]
    assert rescued(tmp_path / "deep" / "x.db") == writer.path


async def test_a_moved_database_goes_on_where_it_is_once_nobody_reads_it_by_its_old_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    path, there = tmp_path / "x.db", tmp_path / "y.db"
    new_database(path)[0].close()
    writer = await Writer.open(lambda: Database(path))
    told: list[Displaced] = []
    writer.when_displaced = told.append
    await writer.do(lambda database: database.event("info", "before"))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM events").fetchall()
    path.rename(there)
    await writer.do(lambda database: database.event("info", "meanwhile"))
    reader.close()
    await writer.do(lambda database: database.event("info", "after"))
    assert [(one.now, one.is_rescued) for one in told] == [(None, False), (there, False)]
    await writer.close()
    assert messages(there) == ["before", "meanwhile", "after"]
    assert [one.name for one in tmp_path.iterdir()] == ["y.db"]


async def test_what_can_be_saved_nowhere_stays_open_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "rescue_paths", lambda path: [tmp_path / "missing" / "y.db"])
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    writer, told = await lost(tmp_path / "x.db")
    await writer.do(lambda database: database.event("info", "later"))
    (what,) = told
    assert what.now is None
    assert "missing" in what.problem
    (tmp_path / "missing").mkdir()
    await writer.do(lambda database: database.event("info", "last"))
    assert [one.now for one in told] == [None, tmp_path / "missing" / "y.db"]
    await writer.close()
    assert messages(tmp_path / "missing" / "y.db") == ["before", "after", "later", "last"]


def test_where_a_folder_is_gone_the_content_goes_above_it(tmp_path: Path) -> None:
    first = next(iter(rescue_paths(tmp_path / "gone" / "deep" / "x-rescued-20260101T000000Z.db")))
    assert first.parent == tmp_path
    assert first.name.startswith("x-rescued-2")
    assert first.name.count("rescued") == 1


def test_a_folder_that_cannot_be_looked_at_does_not_say_that_the_file_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"")
    file = DatabaseFile(path)

    def stalled(self: Path, **_: object) -> None:
        raise OSError(errno.ETIMEDOUT, "timed out")

    monkeypatch.setattr(Path, "stat", stalled)
    assert file.whereabouts() == path
    monkeypatch.undo()
    file.close()
