"""A way to one node that lasts, and what the operator is told of that node."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from hpcvirt.core.engine.wishes import Wishes
from hpcvirt.core.errors import HpcvirtError, NodeSilent, NodeUnreachable
from hpcvirt.core.model import Campaign, Node
from hpcvirt.core.remote.connection import NodeConnection
from hpcvirt.core.remote.job import Script, sections
from hpcvirt.core.remote.patience import LOGIN, NETWORK, Standing, patience_for, patiently
from hpcvirt.core.store import bringups
from hpcvirt.core.store.writer import Writer

SHORT_S = 60.0
"""Limit of everything on a node that is no benchmark."""

COPY_LIMIT_S = 300.0

T = TypeVar("T")


@dataclass
class _Wait:
    """For one node, over all tries of one piece of work."""

    told: set[str] = field(default_factory=set)
    """Causes that are in the log."""
    since: float = 0.0
    tried_at: float = 0.0


class NodeChannel:
    """Runs what may be run again on a node, over as many connections as it takes."""

    def __init__(self, campaign: Campaign, store: Writer, wishes: Wishes, link: NodeConnection) -> None:
        self._campaign = campaign
        self._store = store
        self._wishes = wishes
        self._link = link
        self._node = link.node
        self._standing = Standing.NEW
        self._state = ("", "")
        """Told last, but for that the node is waited for."""

    async def run(self, script: Script, limit_s: float | None = None) -> bytes:
        """Run a script that may be run again: what keeps its answer away is waited for, with patience.

        ``limit_s``: for a script that is known to take its time; whoever gives it judges the NodeSilent of one that
        takes longer. Raises NodeUnreachable, NodeSilent, Interrupted, and what a connection and an answer raise.
        """
        if limit_s is None:
            return await self.again(lambda: self._answer(script, SHORT_S))
        try:
            return await self._again(lambda: self._answer(script, limit_s))
        except TimeoutError:
            raise unanswering(self._node) from None

    async def upload(self, content: bytes, path: str) -> None:
        """Write a file on the node, as ``run`` runs a script."""
        await self.again(lambda: self._link.upload(content, path, COPY_LIMIT_S))

    async def again(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What asks the node and may be asked again, as ``run`` runs a script."""
        return await self._again(lambda: self._in_time(work()))

    async def _again(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async def connected() -> T:
            await self._wishes.unless_stopped(self._link.connect())
            answer = await self._wishes.unless_aborted(work())
            self._standing = max(self._standing, Standing.ANSWERED)
            return answer

        return await self.wait_for(connected)

    async def connect(self) -> None:
        """Be connected, waiting for the node as long as nobody wishes to stop."""
        await self.wait_for(lambda: self._wishes.unless_stopped(self._link.connect()))

    async def wait_for(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of work that may be repeated, waiting as long as nobody wishes to stop for what may pass."""
        return await self._patiently(work, self._patience_s, self._pause)

    async def insist(
        self,
        work: Callable[[], Coroutine[Any, Any, T]],
        patience_s: float | None = None,
        *,
        is_abortable: bool = False,
    ) -> T:
        """The same for what is to be done though the operator wishes to stop."""
        limit_s = self._patience_s if patience_s is None else patience_s
        pause = self._pause_unless_aborted if is_abortable else asyncio.sleep
        return await self._patiently(lambda: self._in_time(work()), limit_s, pause)

    async def recall(self) -> None:
        """Take how far the node came in earlier lives of the runner: a restart makes no stranger of it."""
        name = self._node.name
        if await self._store.do(partial(bringups.was_proved, node=name)):
            self._standing = max(self._standing, Standing.PROVED)
        elif await self._store.do(partial(bringups.was_ordered, node=name)):
            self._standing = max(self._standing, Standing.ANSWERED)

    def note_standing(self, standing: Standing) -> None:
        """How far the node has come with what is under way. Scripts have been answered by then."""
        self._standing = standing

    def may_pass(self, error: HpcvirtError) -> bool:
        """Whether it is waited that the node has this error no more."""
        return self._limit_of(error, self._patience_s) > 0

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """Work that no run depends on. Raises Interrupted when the operator stops."""
        return await self._wishes.unless_stopped(work)

    def refuse_too_many(self, losses: int, what: str, last: str = "") -> None:
        """Raises NodeUnreachable when something was lost too often in a row. ``last``: why it was, the last time."""
        if losses >= self._campaign.design.losses:
            raise NodeUnreachable(
                f"{self._node.name} lost {losses} {what} in a row{f', at last: {last}' if last else ''}",
                hint="look at its console, then `run` again",
            )

    async def state(self, state: str, detail: str = "") -> None:
        """Tell what the runner does with the node."""
        self._state = (state, detail)
        await self._file_state(state, detail)

    async def event(self, level: str, message: str) -> None:
        """Add a line about the node to the log."""
        await self._store.do(lambda database: database.event(level, message, self._node.name))

    # -- patience

    @property
    def _patience_s(self) -> float:
        return self._campaign.connecting.patience_s

    def _limit_of(self, error: HpcvirtError, patience_s: float) -> float:
        standing = max(self._standing, Standing.REACHED if self._link.was_in else Standing.NEW)
        return patience_for(error, standing, patience_s)

    async def _patiently(
        self,
        work: Callable[[], Coroutine[Any, Any, T]],
        patience_s: float,
        pause: Callable[[float], Awaitable[None]],
    ) -> T:
        wait = _Wait()

        async def tried() -> T:
            wait.tried_at = _clock()
            return await work()

        async def on_wait(error: HpcvirtError, limit_s: float) -> None:
            await self._tell_wait(error, limit_s, wait)

        result = await patiently(tried, lambda error: self._limit_of(error, patience_s), on_wait, pause)
        if wait.told:
            await self.event("info", f"usable again after {wait.tried_at - wait.since:.0f} s")
            await self._file_state(*self._state)
        return result

    async def _tell_wait(self, error: HpcvirtError, limit_s: float, wait: _Wait) -> None:
        """A line in the log for each cause within a wait, not for each try."""
        if isinstance(error, NodeSilent):
            # What keeps one login from answering need not keep the next one.
            await self._link.close()
        cause = f"{type(error).__name__} {_NUMBERS.sub('#', error.message)}"
        if cause in wait.told:
            return
        wait.since = wait.since or _clock()
        wait.told.add(cause)
        await self._file_state("unreachable" if isinstance(error, (*NETWORK, *LOGIN)) else "waiting", error.message)
        await self.event("warning", f"{error.message}; waiting for it, up to {limit_s:g} s")

    async def _pause(self, seconds: float) -> None:
        await self._wishes.unless_stopped(asyncio.sleep(seconds))

    async def _pause_unless_aborted(self, seconds: float) -> None:
        await self._wishes.unless_aborted(asyncio.sleep(seconds))

    async def _file_state(self, state: str, detail: str) -> None:
        if state:
            await self._store.do(lambda database: database.node_state(self._node.name, state, detail))

    # -- one try

    async def _answer(self, script: Script, limit_s: float) -> bytes:
        answer = await self._link.run(script, limit_s)
        # What the node refuses in its answer may pass as well.
        sections(script, answer)
        return answer

    async def _in_time(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        except TimeoutError:
            raise unanswering(self._node) from None


def _clock() -> float:
    return asyncio.get_running_loop().time()


_NUMBERS = re.compile("[0-9]+")


def unanswering(node: Node) -> NodeSilent:
    """A node that is connected and silent."""
    return NodeSilent(f"{node.name} is connected and does not answer", hint="is it overloaded, or its disk stuck?")
