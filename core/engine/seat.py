"""In whose name a node is held, and that no two nodes of a campaign are one machine."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import socket
from collections.abc import Sequence
from contextlib import suppress

from hpcvirt.core.errors import HpcvirtError, NodesAreOne
from hpcvirt.core.model import Campaign, Node
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.connection import NodeConnection
from hpcvirt.core.remote.job import Seat
from hpcvirt.core.store.creation import now
from hpcvirt.core.text import clean_line

LOOK_LIMIT_S = 20.0


def seat_of(campaign: Campaign, uuid: str, node: Node) -> Seat:
    """What a node is locked with; nodes that share a machine are locked by their scratch folders."""
    who = f"{getpass.getuser()}@{socket.gethostname()}, campaign {campaign.name}, since {now()}"
    place = "machine" if node.own_machine else hashlib.sha256(node.scratch.encode()).hexdigest()[:16]
    return Seat(uuid, node.name, clean_line(who), place)


async def refuse_twins(links: Sequence[NodeConnection]) -> None:
    """See that those nodes which answer now are different machines; the others are caught by their lock.

    Raises NodesAreOne.
    """
    own = [link for link in links if link.node.own_machine]
    if len(own) < 2:
        return
    found: dict[tuple[str, str | None], str] = {}
    for link, machine in zip(own, await asyncio.gather(*map(_machine, own)), strict=True):
        if machine is None:
            continue
        twin = found.setdefault(machine, link.node.name)
        if twin != link.node.name:
            raise NodesAreOne(
                f"{twin} and {link.node.name} are one machine: {machine[1]}, boot_id {machine[0]}",
                hint="name each machine once; write own_machine = false where nodes share one on purpose",
            )


async def _machine(link: NodeConnection) -> tuple[str, str | None] | None:
    with suppress(HpcvirtError, TimeoutError):
        script = jobs.look(link.node.scratch)
        identity = jobs.parse_look(script, await link.run(script, LOOK_LIMIT_S)).identity
        return (identity.boot_id, identity.hostname) if identity.boot_id else None
    return None
