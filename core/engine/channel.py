"""A way to one node that lasts, and what the operator is told of that node."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from hpcvirt.core.engine.wishes import Wishes
from hpcvirt.core.errors import ConnectionLost, NodeSilent, NodeUnreachable
from hpcvirt.core.model import Campaign, Node
from hpcvirt.core.remote.connection import NodeConnection
from hpcvirt.core.remote.job import Script
from hpcvirt.core.store.writer import Writer

SHORT_S = 60.0
"""Limit of everything on a node that is no benchmark."""

COPY_LIMIT_S = 300.0
FIRST_PATIENCE_S = 60.0

T = TypeVar("T")


class NodeChannel:
    """Runs what may be run again on a node, over as many connections as it takes."""

    def __init__(self, campaign: Campaign, store: Writer, wishes: Wishes, link: NodeConnection) -> None:
        self._campaign = campaign
        self._store = store
        self._wishes = wishes
        self._link = link
        self._node = link.node
        self._was_reached = False
        self._cuts = 0
        """Lost connections in a row."""

    async def run(self, script: Script, limit_s: float = SHORT_S) -> bytes:
        """Run a script that may be run again: a lost connection is made again, with patience.

        Raises NodeUnreachable, NodeSilent when it does not end in time, Interrupted, and what a
        connection raises.
        """
        return await self._unlost(lambda: self._link.run(script, limit_s))

    async def upload(self, content: bytes, path: str) -> None:
        """Write a file on the node, as ``run`` runs a script."""
        await self._unlost(lambda: self._link.upload(content, path, COPY_LIMIT_S))

    async def again(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What asks the node and may be asked again, as ``run`` runs a script."""
        return await self._unlost(work)

    async def connect(self) -> None:
        """Be connected, waiting for the node as long as nobody wishes to stop."""
        try:
            await self._wishes.unless_stopped(self._link.connect())
        except NodeUnreachable as error:
            await self.state("unreachable", error.message)
            await self.event("warning", f"{error.message}; trying again")
            patience_s = self._campaign.connecting.patience_s
            # A node that was never there is more likely misnamed than booting.
            limit_s = patience_s if self._was_reached else min(patience_s, FIRST_PATIENCE_S)
            await self._wishes.unless_stopped(self._link.connect_again(limit_s))
        self._was_reached = True

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
        await self._store.do(lambda database: database.node_state(self._node.name, state, detail))

    async def event(self, level: str, message: str) -> None:
        """Add a line about the node to the log."""
        await self._store.do(lambda database: database.event(level, message, self._node.name))

    async def _unlost(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        while True:
            await self.connect()
            try:
                answer = await self._wishes.unless_aborted(work())
                self._cuts = 0
                return answer
            except ConnectionLost as error:
                await self.event("warning", f"connection lost: {error.message}")
                self._cuts += 1
                self.refuse_too_many(self._cuts, "connections")
            except TimeoutError:
                raise unanswering(self._node) from None


def unanswering(node: Node) -> NodeSilent:
    """A node that is connected and silent."""
    return NodeSilent(f"{node.name} is connected and does not answer", hint="is it overloaded, or its disk stuck?")
