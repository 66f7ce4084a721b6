"""What a runner does about its own database: it gives signs of life, and notices when the file is deleted or moved."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from hpcvirt.core.engine.wishes import Wishes
from hpcvirt.core.errors import HpcvirtError
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.runners import HEARTBEAT_S
from hpcvirt.core.store.writer import Displaced, Writer


class DatabaseGuard:
    """Pauses the campaign when its database was deleted, and stops it when it was moved."""

    def __init__(
        self, store: Writer, wishes: Wishes, runner: int, take_lock: Callable[[Path], None], warn: Callable[[str], None]
    ) -> None:
        """``take_lock``: of the file in which the work goes on. ``warn``: tells whoever started the runner."""
        self._store = store
        self._wishes = wishes
        self._runner = runner
        self._take_lock = take_lock
        self._warn = warn
        self._reports: set[asyncio.Task[None]] = set()
        self.is_moved = False
        """It is not where the operator had it: that is not a campaign that somebody has stopped."""
        store.when_displaced = self._displaced

    async def watch(self) -> None:
        """Give signs of life until cancelled. Raises StoreLocked when another runner has taken this one's place."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._store.do(partial(Database.beat, runner=self._runner))

    async def reported(self) -> None:
        """Wait until the database says what happened to it."""
        await asyncio.gather(*self._reports, return_exceptions=True)

    def _displaced(self, what: Displaced) -> None:
        """At once: nothing more is started before somebody has read this."""
        if what.is_rescued:
            self._wishes.pause()
        else:
            self.is_moved = True
            self._wishes.stop()
        self._warn(_words(what))
        report = asyncio.ensure_future(self._report(what))
        self._reports.add(report)
        report.add_done_callback(self._reports.discard)

    async def _report(self, what: Displaced) -> None:
        await self._store.do(lambda database: database.event("error", _words(what)))
        if what.is_rescued:
            await self._store.do(Database.paused)
        if what.now is not None:
            with suppress(HpcvirtError, OSError):
                self._take_lock(what.now)
            await self._store.do(partial(Database.beat, runner=self._runner))


def _words(what: Displaced) -> str:
    if what.now is None and what.is_rescued:
        return (
            f"{what.was} was deleted while its campaign runs, and its content cannot be saved: {what.problem}. "
            "Only this process still has it: do not end it. It is tried again every few seconds"
        )
    if what.now is None:
        return (
            f"{what.was} was moved while its campaign runs, which stops after the runs under way. The file cannot be "
            f"followed yet: {what.problem}. Leave what is beside {what.was} where it is. It is tried again every few "
            "seconds"
        )
    there = shlex.quote(str(what.now))
    if what.is_rescued:
        return (
            f"{what.was} was deleted while its campaign runs. Everything in it is saved in {what.now}, and the "
            f"campaign is paused. Resume it with: hpcvirt-tui resume {there}"
        )
    return (
        f"{what.was} was moved to {what.now} while its campaign runs, which stops after the runs under way. "
        f"Resume it with: hpcvirt-tui run {there}"
    )
