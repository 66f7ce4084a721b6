"""The writer's thread: order, shared transactions, and failures that stay with whose they are."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.writer import Writer


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
