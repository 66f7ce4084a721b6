"""One thread that owns the writing connection, so that the event loop never waits on SQLite."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.presence import DatabaseFile, beside, opened, rescue_paths

T = TypeVar("T")
LARGEST_BATCH = 64
RETRY_S = 5.0
"""Between two tries to save a database that was deleted."""


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """A job that waits for its turn."""

    job: Callable[[Database], Any]
    is_alone: bool
    """Must not be in a transaction with others."""
    done: Future[Any] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Displaced:
    """What happened to the database's file while it was open."""

    was: Path
    now: Path | None
    """Where it goes on; None: nowhere yet, but in this process."""
    is_rescued: bool = False
    """It was deleted, and its content is in another file now."""
    problem: str = ""


def _nobody(_: Displaced) -> None:
    """Hears of it as long as nobody else does."""


class Writer:
    """Runs jobs on a Database, one after another, in a thread of its own.

    Before each it looks where the file is: work goes on in one that was moved, and in a copy of one that was deleted.

    Jobs that wait while another's is written to the disk share the next transaction: waiting for the disk is
    most of what a small write costs, and nodes that end their runs together would queue for it.
    """

    def __init__(self, thread: ThreadPoolExecutor, database: Database) -> None:
        self._thread = thread
        self._database = database
        self._orders: deque[_Order] = deque()
        self._file = DatabaseFile(database.path)
        self._retry_at = 0.0
        self._problem = ""
        """Why a deleted database could not be saved, as far as it was told."""
        self._loop = asyncio.get_running_loop()
        self.when_displaced: Callable[[Displaced], None] = _nobody
        """Called on the event loop, before whoever ordered the work that met it hears of that."""

    @property
    def path(self) -> Path:
        """Of the database, wherever it is by now."""
        return self._database.path

    @classmethod
    async def open(cls, opener: Callable[[], Database]) -> Self:
        """Open the database in the thread that will own it. Raises what ``opener`` raises."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        try:
            return cls(thread, await asyncio.get_running_loop().run_in_executor(thread, opener))
        except BaseException:
            thread.shutdown(wait=False)
            raise

    async def do(self, job: Callable[[Database], T]) -> T:
        """Run one job; it is on the disk when this returns.

        Raises StoreUnusable when the file cannot be written.

        The job is carried out even if the caller is cancelled while it waits.
        """
        result: T = await self._ordered(_Order(job, is_alone=False))
        return result

    async def close(self) -> None:
        """Close the database and end the thread."""
        try:
            await self._ordered(_Order(lambda database: database.close(), is_alone=True))
        finally:
            self._thread.shutdown(wait=True)
            self._file.close()

    async def _ordered(self, order: _Order) -> Any:
        self._orders.append(order)
        # Not at once: what others order at this moment is written to the disk together with it.
        asyncio.get_running_loop().call_soon(self._thread.submit, self._carry_out)
        try:
            return await asyncio.shield(asyncio.wrap_future(order.done))
        except sqlite3.Error as error:
            raise StoreUnusable(
                f"{self._database.path}: {error}",
                hint="is its disk full, or another program holding it? What the nodes have finished is kept there; "
                "`run` again collects it",
            ) from error

    # -- in the thread

    def _carry_out(self) -> None:
        """Everything that waits; often an earlier call has done it all."""
        while batch := self._next():
            self._follow()
            if len(batch) == 1:
                _settle(batch, [_tried(batch[0].job, self._database)])
            else:
                self._carry_out_together(batch)

    def _follow(self) -> None:
        """Go on where the file is now, or in a copy of it."""
        there = self._file.whereabouts()
        if there == self._file.path or time.monotonic() < self._retry_at:
            return
        ours = opened()
        left_beside = [path for path, file in beside(self._file.path).items() if file in ours]
        try:
            is_rescued, place = (False, there) if there is not None else (True, self._rescue())
            if not is_rescued:
                self._database.leave_name()
            later = Database(place)
        except (OSError, sqlite3.Error, StoreUnusable) as error:
            # What is open stays open: its content is nowhere else.
            self._retry_at = time.monotonic() + RETRY_S
            self._tell(Displaced(self._file.path, None, there is None, str(error)))
            return
        was, left, self._database = self._file.path, self._database, later
        left.connection.close()
        for path in left_beside:
            # To a file that has this name now they would belong, and be wrong.
            path.unlink(missing_ok=True)
        self._file.close()
        self._file, self._problem = DatabaseFile(place), ""
        self._tell(Displaced(was, place, is_rescued))

    def _rescue(self) -> Path:
        problem: StoreUnusable | None = None
        for path in rescue_paths(self._file.path):
            try:
                self._database.copy_to(path)
            except StoreUnusable as error:
                problem = error
            else:
                return path
        raise problem or StoreUnusable(f"{self._file.path}: there is no folder for its content", hint="make one")

    def _tell(self, what: Displaced) -> None:
        if what.problem and what.problem == self._problem:
            return
        self._problem = what.problem
        self._loop.call_soon_threadsafe(lambda: self.when_displaced(what))

    def _next(self) -> list[_Order]:
        batch: list[_Order] = []
        while self._orders and len(batch) < LARGEST_BATCH and not (batch and self._orders[0].is_alone):
            batch.append(self._orders.popleft())
            if batch[-1].is_alone:
                break
        return batch

    def _carry_out_together(self, batch: list[_Order]) -> None:
        """In one transaction; a job that fails takes back what it did itself, and nothing else."""
        outcomes: list[tuple[Any, BaseException | None]] = []
        try:
            with self._database.transaction():
                for order in batch:
                    outcome = _tried(order.job, self._database, is_apart=True)
                    if outcome[1] is not None and not self._database.is_in_transaction:
                        # The disk is full, say: SQLite has taken back the others' work as well.
                        raise outcome[1]  # noqa: TRY301 - it leaves the transaction
                    outcomes.append(outcome)
        except BaseException as error:  # noqa: BLE001 - told to each of those who wait
            outcomes = [(None, error)] * len(batch)
        _settle(batch, outcomes)


def _tried(
    job: Callable[[Database], Any], database: Database, *, is_apart: bool = False
) -> tuple[Any, BaseException | None]:
    try:
        if not is_apart:
            return job(database), None
        with database.transaction():
            return job(database), None
    except BaseException as error:  # noqa: BLE001 - told to the one who waits
        return None, error


def _settle(batch: list[_Order], outcomes: list[tuple[Any, BaseException | None]]) -> None:
    for order, (result, error) in zip(batch, outcomes, strict=True):
        with suppress(asyncio.InvalidStateError):
            if error is None:
                order.done.set_result(result)
            else:
                order.done.set_exception(error)
