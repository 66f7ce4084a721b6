"""All nodes of one run that occupies them: what each of them is before it, and after it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from hpcvirt.core.engine.judge import Member
from hpcvirt.core.errors import HpcvirtError
from hpcvirt.core.launcher import Place
from hpcvirt.core.model import Expect, Kernel
from hpcvirt.core.remote.identity import Identity
from hpcvirt.core.remote.job import Witness
from hpcvirt.core.store.database import Ended


class OnNode(Protocol):
    """Attempts on one node, as far as a company needs them."""

    under_way: str | None
    losses: int
    """Attempts in a row that this node lost."""

    @property
    def name(self) -> str:
        """The node's."""

    @property
    def times_connected(self) -> int:
        """Another number later says that the connection was lost in between."""

    def note_end(self, ended: Ended, leader: str) -> None:
        """An attempt that occupied the node, and was led by that one, has ended."""

    async def clear(self, kernel: Kernel, attempt: str) -> Witness:
        """End what an attempt left there, and see what the node is."""

    def place(self, boot_id: str, kernel: str, ranks: int) -> Place:
        """The node for a launcher."""


class Company:
    """Made once its nodes are ready, or again when an earlier life's run is collected."""

    def __init__(
        self,
        members: Sequence[OnNode],
        kernel: Kernel,
        expects: Mapping[str, Expect],
        before: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """``expects``, ``before``: by node; identities as they are filed."""
        self.members = tuple(members)
        self.before = before
        self._kernel = kernel
        self._expects = expects
        self._connected = {each.name: each.times_connected for each in members}

    def boot_id(self, node: str) -> str:
        """In which life it is; empty if that is not known."""
        return str(self.before.get(node, {}).get("boot_id") or "")

    async def cleared(self, attempt: str) -> tuple[Member, ...]:
        """After an attempt: nothing of it is left on the nodes that still answer."""
        return tuple(await asyncio.gather(*(self._cleared(each, attempt) for each in self.members)))

    async def _cleared(self, each: OnNode, attempt: str) -> Member:
        after = None
        # What is wrong with a node is found, and told, when it is to be ready for the next attempt.
        with suppress(HpcvirtError, TimeoutError):
            after = (await each.clear(self._kernel, attempt)).identity
        was_cut = each.times_connected != self._connected[each.name]
        before = Identity(**self.before.get(each.name, {}))
        return Member(each.name, self._expects[each.name], before, after, was_cut)


def filed(identity: Identity) -> dict[str, Any]:
    """An identity as the store keeps it."""
    return dataclasses.asdict(identity)
