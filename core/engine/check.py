"""Preflight: is every node reached, is it the one it should be, and will that last? Nothing is changed on them."""

from __future__ import annotations

import asyncio
import dataclasses
import getpass
import os
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from hpcvirt.core.engine.detached import Warned, warnings
from hpcvirt.core.engine.runner import nodes_and_credentials
from hpcvirt.core.errors import HpcvirtError, NodeUnreachable
from hpcvirt.core.lab import start_lab
from hpcvirt.core.model import Campaign, Node
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.compare import differences
from hpcvirt.core.remote.connection import Credentials, Handshakes, NodeConnection
from hpcvirt.core.remote.identity import Identity

ANSWER_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class NodeCheck:
    """What was found of one node."""

    node: str
    where: str = ""
    """User, host and port as resolved."""
    host_key: str = ""
    was_new: bool = False
    """The host key was accepted and written down just now."""
    differences: tuple[str, ...] = ()
    """From what OpenSSH itself would do."""
    identity: Identity | None = None
    fault: HpcvirtError | None = None
    is_locked_out: bool = False
    """Without agent and ticket it does not let us in."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of all nodes, and of this machine."""

    nodes: tuple[NodeCheck, ...]
    doubles: tuple[str, ...]
    """Entries that are one machine."""
    warnings: tuple[Warned, ...]

    @property
    def is_usable(self) -> bool:
        """Whether a campaign could begin."""
        return not self.doubles and all(node.fault is None for node in self.nodes)


def check_campaign(campaign: Campaign) -> Checked:
    """Connect to all nodes side by side and look. Raises LabFailed."""
    return asyncio.run(_check(campaign))


async def _check(campaign: Campaign) -> Checked:
    async with AsyncExitStack() as stack:
        lab = None
        if campaign.lab:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="hpcvirt-check-"))
            lab = await stack.enter_async_context(await start_lab(Path(folder), len(campaign.nodes), keep=False))
        nodes, credentials = nodes_and_credentials(campaign, lab)
        handshakes = Handshakes(campaign.connecting.handshakes)
        looks = (_look(campaign, node, credentials, handshakes) for node in nodes)
        found = tuple(await asyncio.gather(*looks))
    locked_out = [one.node for one in found if one.is_locked_out]
    doubles = () if campaign.lab else tuple(_doubles(found))
    lasting = () if campaign.lab else tuple(warnings(os.environ, getpass.getuser(), locked_out))
    return Checked(found, doubles, lasting)


async def _look(campaign: Campaign, node: Node, credentials: Credentials, handshakes: Handshakes) -> NodeCheck:
    found = NodeCheck(node.name)
    try:
        async with NodeConnection(node, credentials, campaign.connecting, handshakes) as link:
            access = await link.access()
            where = f"{access.user}@{access.host}:{access.port}"
            found = dataclasses.replace(found, where=where + (f" through {access.jump}" if access.jump else ""))
            if not campaign.lab:
                found = dataclasses.replace(found, differences=await differences(node, access))
            await link.connect()
            found = dataclasses.replace(found, host_key=link.host_key, was_new=link.accepted_host_key is not None)
            script = jobs.identify()
            identity = jobs.parse_identify(script, await link.run(script, ANSWER_LIMIT_S))
            found = dataclasses.replace(found, identity=identity)
        if not campaign.lab:
            is_locked_out = await _is_locked_out(campaign, node, credentials, handshakes)
            found = dataclasses.replace(found, is_locked_out=is_locked_out)
    except HpcvirtError as error:
        return dataclasses.replace(found, fault=error)
    except TimeoutError:
        fault = NodeUnreachable(
            f"{node.name}: lets us in, but its shell does not answer within {ANSWER_LIMIT_S:g} s",
            hint=f"try `ssh {node.host} /bin/sh -c true`; is its home folder on a server that hangs?",
        )
        return dataclasses.replace(found, fault=fault)
    return found


async def _is_locked_out(campaign: Campaign, node: Node, credentials: Credentials, handshakes: Handshakes) -> bool:
    """What a later life of the runner will meet: no agent, no ticket."""
    if not {"SSH_AUTH_SOCK", "KRB5CCNAME"} & set(os.environ):
        return False
    alone = dataclasses.replace(credentials, files_only=True)
    try:
        async with NodeConnection(node, alone, campaign.connecting, handshakes) as link:
            await link.connect()
    except HpcvirtError:
        return True
    return False


def _doubles(found: Sequence[NodeCheck]) -> list[str]:
    """A boot_id is one machine's."""
    by_boot: dict[str, list[str]] = {}
    for one in found:
        if one.identity is not None and one.identity.boot_id is not None:
            by_boot.setdefault(one.identity.boot_id, []).append(one.node)
    return [" and ".join(names) for names in by_boot.values() if len(names) > 1]
