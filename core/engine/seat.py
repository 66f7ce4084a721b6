"""In whose name a node is held, and that no two nodes of a campaign are one machine."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from hpcvirt.core.errors import HpcvirtError, NodeHeld, NodesAreOne
from hpcvirt.core.lease import RunnerIdentity
from hpcvirt.core.model import Campaign, Node
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.connection import NodeConnection
from hpcvirt.core.remote.job import HELD_HINT, Lease, Script, Seat
from hpcvirt.core.store.creation import now
from hpcvirt.core.store.writer import Writer
from hpcvirt.core.text import clean_line

LOOK_LIMIT_S = 20.0


def seat_of(campaign: Campaign, uuid: str, node: Node, runner: RunnerIdentity) -> Seat:
    """What a node is locked with; nodes that share a machine are locked by their scratch folders."""
    user = f"{getpass.getuser()}@{socket.gethostname()}"
    who = f"{user}, campaign {campaign.name}, process {runner.process.pid}, database {runner.path}, since {now()}"
    place = "machine" if node.own_machine else hashlib.sha256(node.scratch.encode()).hexdigest()[:16]
    return Seat(uuid, node.name, clean_line(who), place, runner.nonce, runner.line)


async def lease(ask: Callable[[Script], Awaitable[bytes]], store: Writer, node: Node, seat: Seat) -> None:
    """Have a node for this runner alone, before anything else is done there; ``ask`` runs a script on it.

    The place of another runner of the campaign is taken only when that is proved dead, and nobody's when the database
    lacks attempts that run there: it is a copy, and they are filed elsewhere. Raises NodeHeld, and what ``ask`` raises.
    """
    taken: tuple[str, ...] = ()
    while True:
        script = jobs.lease(node.scratch, seat, taken)
        found = jobs.parse_lease(script, await ask(script), seat)
        holder = found.holder if found.is_same_campaign else None
        if found.held and (holder is None or holder.nonce in taken or not holder.is_proved_dead):
            raise _held(node, found, holder)
        attempts = sorted(found.attempts)
        unknown = await store.do(lambda database: database.unknown_attempts(attempts))  # noqa: B023 - awaited at once
        if unknown:
            if not found.held:
                script = jobs.cede(node.scratch, seat)
                jobs.parse_done(script, await ask(script))
            raise _unknown(node, unknown, holder)
        if not found.held:
            return
        taken = (*taken, holder.nonce) if holder is not None else taken


def _held(node: Node, found: Lease, holder: RunnerIdentity | None) -> NodeHeld:
    if holder is None:
        return NodeHeld(f"{node.name} is {found.held}", hint=HELD_HINT)
    return NodeHeld(
        f"{node.name} is {found.held}: {holder} works on this campaign in {holder.path}",
        hint=f"is this database a copy of that one? Resume in {holder.path}, or end its runner first "
        f"(`hpcvirt-tui stop {holder.path}` on {holder.process.host}). That a runner on another host has died is not "
        "known here: then wait until its lock on the node expires, or remove the folder named above",
    )


def _unknown(node: Node, attempts: Sequence[str], holder: RunnerIdentity | None) -> NodeHeld:
    where = f", begun by {holder} and filed in {holder.path}" if holder is not None else ""
    return NodeHeld(
        f"{node.name} runs {len(attempts)} of the campaign's attempts that this database does not have{where}: "
        f"{', '.join(attempts[:3])}",
        hint=f"this database is a copy: resume in {holder.path if holder else 'the one it was copied from'}, which "
        "collects them",
    )


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
