"""What the operator wishes of the runner, from the control table or from signals."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

from hpcvirt.core.store.database import Database
from hpcvirt.core.store.runs import SKIPPED_BY
from hpcvirt.core.store.writer import Writer

POLL_S = 0.3
T = TypeVar("T")


class Wishes:
    """The wishes in force: paused, stopping, aborting, and what is wished of single runs."""

    def __init__(self, store: Writer) -> None:
        self._store = store
        self._may_start = asyncio.Event()
        self._may_start.set()
        self._skipped: dict[int, asyncio.Event] = {}
        self._is_requeued = False
        self.stopping = asyncio.Event()
        self.aborting = asyncio.Event()

    async def begin(self) -> None:
        """Obey what was wished of runs while there was no runner, before any run is chosen."""
        await self._obey_all()
        self._is_requeued = False

    async def watch(self) -> None:
        """Obey the control table until cancelled."""
        while True:
            await self._obey_all()
            await asyncio.sleep(POLL_S)

    async def _obey_all(self) -> None:
        for wish in await self._store.do(lambda database: database.open_wishes()):
            if wish.run is None:
                await self.obey(wish.kind)
            else:
                await self._obey_run(wish.kind, wish.run, wish.origin)
            await self._store.do(partial(Database.obey, wish=wish.id))

    def pause(self) -> None:
        """Start nothing new until somebody wishes it."""
        if not self.stopping.is_set():
            self._may_start.clear()

    def stop(self) -> None:
        """Start nothing new any more."""
        self.stopping.set()
        self._may_start.set()

    async def obey(self, kind: str) -> None:
        """Put a wish about the whole campaign into force."""
        if kind == "pause":
            self.pause()
        elif kind == "resume":
            self._may_start.set()
        else:
            self.stop()
            if kind == "abort":
                self.aborting.set()
        await self._store.do(lambda database: database.event("info", f"{kind}: as the operator wished"))

    async def _obey_run(self, kind: str, run: int, origin: str) -> None:
        """File it first: what is in force is what is in the database. To obey twice is to obey once."""
        if kind == "skip":
            await self._store.do(lambda database: database.give_up(run, f"{SKIPPED_BY}{origin}"))
            self._skip(run).set()
        else:
            await self._store.do(lambda database: database.requeue(run))
            self._skipped.pop(run, None)
            self._is_requeued = True
        await self._store.do(lambda database: database.event("info", f"{kind} run {run}: as {origin} wished"))

    def take_requeued(self) -> bool:
        """Whether runs were requeued since this was asked last."""
        was, self._is_requeued = self._is_requeued, False
        return was

    def is_skipped(self, run: int) -> bool:
        """Nobody wants this run any more."""
        return run in self._skipped and self._skipped[run].is_set()

    def _skip(self, run: int) -> asyncio.Event:
        return self._skipped.setdefault(run, asyncio.Event())

    @property
    def is_paused(self) -> bool:
        """Nothing new may start for now."""
        return not self._may_start.is_set()

    async def may_go_on(self) -> bool:
        """Wait while paused; False when nothing new shall start any more."""
        await self._may_start.wait()
        return not self.stopping.is_set()

    async def unless_aborted(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``. Raises Interrupted, with the work cancelled, when the operator aborts."""
        return await _unless((self.aborting,), work)

    async def unless_unwanted(self, run: int, work: Coroutine[Any, Any, T]) -> T:
        """The same, also when the operator skips this run."""
        return await _unless((self.aborting, self._skip(run)), work)

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """The same for a wish to stop: for work that no run depends on."""
        return await _unless((self.stopping,), work)


async def _unless(events: tuple[asyncio.Event, ...], work: Coroutine[Any, Any, T]) -> T:
    if any(event.is_set() for event in events):
        work.close()  # a task would take its first step, which may be all that it takes to start something on a node
        raise Interrupted
    task = asyncio.ensure_future(work)
    interruptions = {asyncio.ensure_future(event.wait()) for event in events}
    try:
        await asyncio.wait({task, *interruptions}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Interrupted
    finally:
        for unfinished in (task, *interruptions):
            unfinished.cancel()
        await asyncio.gather(task, *interruptions, return_exceptions=True)


class Interrupted(Exception):
    """The operator wants this ended now."""
