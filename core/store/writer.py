"""One thread that owns the writing connection, so that the event loop never waits on SQLite."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.store.database import Database

T = TypeVar("T")


class Writer:
    """Runs jobs on a Database, one after another, in a thread of its own."""

    def __init__(self, thread: ThreadPoolExecutor, database: Database) -> None:
        self._thread = thread
        self._database = database

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
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.shield(loop.run_in_executor(self._thread, job, self._database))
        except sqlite3.Error as error:
            raise StoreUnusable(
                f"{self._database.path}: {error}",
                hint="is its disk full, or another program holding it? What the nodes have finished is kept there; "
                "`run` again collects it",
            ) from error

    async def close(self) -> None:
        """Close the database and end the thread."""
        try:
            await self.do(lambda database: database.close())
        finally:
            self._thread.shutdown(wait=True)
