"""Preflight: can a campaign begin, will that last, and will its numbers be clean? Nothing is changed on the nodes."""

from __future__ import annotations

import asyncio
import dataclasses
import getpass
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from hpcvirt.core import boot_method as methods
from hpcvirt.core import launcher
from hpcvirt.core.benchmark import load
from hpcvirt.core.engine.check_boots import check_boots
from hpcvirt.core.engine.detached import warnings
from hpcvirt.core.engine.judging import Surveyed, findings
from hpcvirt.core.engine.runner import nodes_and_credentials
from hpcvirt.core.errors import HpcvirtError, NodeUnreachable
from hpcvirt.core.lab import start_lab
from hpcvirt.core.model import Campaign, Kernel, Node
from hpcvirt.core.preflight import Finding, Level, Need
from hpcvirt.core.remote.compare import differences
from hpcvirt.core.remote.connection import Credentials, Handshakes, NodeConnection
from hpcvirt.core.remote.identity import Identity
from hpcvirt.core.remote.survey import parse_survey, survey
from hpcvirt.core.store.filesystem import is_on_network
from hpcvirt.core.store.locks import lock_fault

ANSWER_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class NodeCheck:
    """What was found of one node."""

    node: str
    findings: tuple[Finding, ...] = ()
    identity: Identity | None = None
    is_locked_out: bool = False
    """Without agent and ticket it does not let us in."""

    @property
    def is_reached(self) -> bool:
        """Whether it let us in and answered."""
        return self.identity is not None


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of all nodes, and of this machine."""

    nodes: tuple[NodeCheck, ...]
    here: tuple[Finding, ...]
    """Of this machine, and of nodes that are one."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them, node after node, this machine last."""
        return (*(finding for node in self.nodes for finding in node.findings), *self.here)

    @property
    def is_usable(self) -> bool:
        """Whether a campaign could begin."""
        return all(finding.level is not Level.FAILURE for finding in self.findings)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What all looks share."""

    campaign: Campaign
    credentials: Credentials
    handshakes: Handshakes
    kernels: tuple[Kernel, ...]
    """Those that nothing boots: they must be there now."""
    needs: tuple[Need, ...]
    """Of every node."""

    def needs_of(self, node: Node) -> tuple[Need, ...]:
        """Of this one."""
        return (*self.needs, *launcher.needs_of(self.campaign, node))


def check_campaign(campaign: Campaign, folder: Path) -> Checked:
    """Look at all nodes side by side, and at ``folder``, where the databases go. Raises LabFailed."""
    return asyncio.run(_check(campaign, folder))


async def _check(campaign: Campaign, folder: Path) -> Checked:
    async with AsyncExitStack() as stack:
        lab = None
        if campaign.lab:
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="hpcvirt-check-"))
            lab = await stack.enter_async_context(await start_lab(Path(place), len(campaign.nodes), keep=False))
        nodes, credentials = nodes_and_credentials(campaign, lab)
        handshakes = Handshakes(campaign.connecting.handshakes)
        kernels = tuple(kernel for kernel in campaign.kernels if not methods.load(kernel.boot).reboots)
        ground = _Ground(campaign, credentials, handshakes, kernels, needs_of(campaign))
        found = tuple(await asyncio.gather(*(_look(ground, node) for node in nodes)))
    here = list(await asyncio.to_thread(_databases, folder))
    if not campaign.lab:
        here += [*_doubles(found, campaign), *_lasting(found)]
    return Checked(found, tuple(here))


def needs_of(campaign: Campaign) -> tuple[Need, ...]:
    """What the campaign's benchmarks need of every node, each once."""
    running = (
        dataclasses.replace(need, about=f"benchmark {use.plugin}")
        for use in campaign.benchmarks
        for need in load(use.plugin).needs(use.parameters)
    )
    return tuple(dict.fromkeys(running))


async def _look(ground: _Ground, node: Node) -> NodeCheck:
    found = NodeCheck(node.name)
    told: list[Finding] = []
    try:
        async with NodeConnection(node, ground.credentials, ground.campaign.connecting, ground.handshakes) as link:
            access = await link.access()
            if not ground.campaign.lab:
                told += [_unlike_openssh(node, words) for words in await differences(node, access)]
            await link.connect()
            where = f"{access.user}@{access.host}:{access.port}" + (f" through {access.jump}" if access.jump else "")
            new = "" if link.accepted_host_key is None else ", taken for its own just now and written down"
            told.insert(0, Finding(Level.PASS, node.name, f"{where}, host key {link.host_key}{new}"))
            seen = await _surveyed(ground, node, link)
            told += findings(ground.campaign, ground.kernels, ground.needs_of(node), seen)
            told += await check_boots(ground.campaign, link)
            found = dataclasses.replace(found, identity=seen.survey.identity)
        if not ground.campaign.lab:
            found = dataclasses.replace(found, is_locked_out=await _is_locked_out(ground, node))
    except HpcvirtError as error:
        told.append(_fault(node, error))
    except TimeoutError:
        told.append(_fault(node, _unanswering(node)))
    return dataclasses.replace(found, findings=tuple(told))


async def _surveyed(ground: _Ground, node: Node, link: NodeConnection) -> Surveyed:
    script = survey(node.scratch, ground.kernels, [need.command for need in ground.needs_of(node)])
    sent_s = time.time()
    raw = await link.run(script, ANSWER_LIMIT_S)
    return Surveyed(node, parse_survey(script, raw), sent_s, time.time())


def _unanswering(node: Node) -> HpcvirtError:
    return NodeUnreachable(
        f"{node.name}: lets us in, but does not answer all that is asked within {ANSWER_LIMIT_S:g} s",
        hint=f"try `ssh {node.host} /bin/sh -c true`; is its home folder, or its scratch, on a server that hangs?",
    )


def _fault(node: Node, error: HpcvirtError) -> Finding:
    return Finding(Level.FAILURE, node.name, error.message, error.hint)


def _unlike_openssh(node: Node, words: str) -> Finding:
    return Finding(
        Level.WARNING,
        node.name,
        f"not as OpenSSH has it: {words}",
        f"say it in the campaign file; see ssh -G {node.host}",
    )


async def _is_locked_out(ground: _Ground, node: Node) -> bool:
    """What a later life of the runner will meet: no agent, no ticket."""
    if not {"SSH_AUTH_SOCK", "KRB5CCNAME"} & set(os.environ):
        return False
    alone = dataclasses.replace(ground.credentials, files_only=True)
    try:
        async with NodeConnection(node, alone, ground.campaign.connecting, ground.handshakes) as link:
            await link.connect()
    except HpcvirtError:
        return True
    return False


def _doubles(found: Sequence[NodeCheck], campaign: Campaign) -> Iterator[Finding]:
    """A boot_id is one machine's."""
    shared = {node.name for node in campaign.nodes if not node.own_machine}
    by_boot: dict[str, list[str]] = {}
    for one in found:
        if one.node not in shared and one.identity is not None and one.identity.boot_id is not None:
            by_boot.setdefault(one.identity.boot_id, []).append(one.node)
    for names in by_boot.values():
        if len(names) > 1:
            yield Finding(
                Level.FAILURE,
                "",
                f"{' and '.join(names)} are one machine: their boot_id is the same",
                "leave one of these [[node]] tables out; or own_machine = false, where that is meant",
            )


def _lasting(found: Sequence[NodeCheck]) -> Iterator[Finding]:
    locked_out = [one.node for one in found if one.is_locked_out]
    for warned in warnings(os.environ, getpass.getuser(), locked_out):
        yield Finding(Level.WARNING, "", warned.message, warned.remedy)


def _databases(folder: Path) -> Iterator[Finding]:
    """The folder of the results, or the one above that it would be made in."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    if not os.access(there, os.W_OK | os.X_OK):
        yield Finding(
            Level.FAILURE, "", f"{there}: no database can be made here", "go to another folder, or name one: --db"
        )
        return
    fault = lock_fault(there)
    if fault:
        remedy = f"name a database on a local disk: --db {tempfile.gettempdir()}/NAME.db"
        yield Finding(Level.FAILURE, "", f"{there}: no place for a database: {fault}", remedy)
    elif is_on_network(there):
        yield Finding(
            Level.WARNING,
            "",
            f"{there} is on a network file system: screens work on this machine only",
            "--db elsewhere",
        )
    else:
        yield Finding(Level.PASS, "", f"databases in {folder}: writable, with working locks")
