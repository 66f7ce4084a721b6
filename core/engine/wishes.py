"""What the operator wishes of the runner, from the control table or from signals."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

from hpcvirt.core.store.database import Database
from hpcvirt.core.store.writer import Writer

POLL_S = 0.3
T = TypeVar("T")


class Wishes:
    """The wishes in force: paused, stopping, aborting."""

    def __init__(self, store: Writer) -> None:
        self._store = store
        self._may_start = asyncio.Event()
        self._may_start.set()
        self.stopping = asyncio.Event()
        self.aborting = asyncio.Event()

    async def watch(self) -> None:
        """Obey the control table until cancelled."""
        while True:
            for number, kind in await self._store.do(lambda database: database.open_wishes()):
                await self.obey(kind)
                await self._store.do(partial(Database.obey, wish=number))
            await asyncio.sleep(POLL_S)

    async def obey(self, kind: str) -> None:
        """Put one wish into force."""
        if kind == "pause":
            self._may_start.clear()
        elif kind == "resume":
            self._may_start.set()
        else:
            self.stopping.set()
            self._may_start.set()
            if kind == "abort":
                self.aborting.set()
        await self._store.do(lambda database: database.event("info", f"{kind}: as the operator wished"))

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
        return await _unless(self.aborting, work)

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """The same for a wish to stop: for work that no run depends on."""
        return await _unless(self.stopping, work)


async def _unless(event: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    interruption = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({task, interruption}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Interrupted
    finally:
        for unfinished in (task, interruption):
            unfinished.cancel()
        await asyncio.gather(task, interruption, return_exceptions=True)


class Interrupted(Exception):
    """The operator wants this ended now."""
