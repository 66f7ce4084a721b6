"""Preflight of boot methods: could each node be told to boot each kernel? Nothing is changed on them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from hpcvirt.core import boot_method as methods
from hpcvirt.core.boot_method import CHECK_LIMIT_S
from hpcvirt.core.errors import HpcvirtError
from hpcvirt.core.model import Campaign, Kernel
from hpcvirt.core.preflight import Finding, Level
from hpcvirt.core.remote.connection import NodeConnection
from hpcvirt.core.remote.shell import RemoteShell


async def check_boots(campaign: Campaign, link: NodeConnection) -> tuple[Finding, ...]:
    """What stands in the way of booting this node, each thing once. Raises what a connection raises."""
    shell = RemoteShell(link)
    found: dict[Finding, None] = {}
    for kernel in campaign.kernels:
        found |= dict.fromkeys(map(partial(_about, kernel), await _of_kernel(shell, kernel)))
    return tuple(found)


def _about(kernel: Kernel, finding: Finding) -> Finding:
    """What is said of every kernel, as that a boot menu cannot be read, is said once."""
    return replace(finding, about=f"kernel {kernel.name}") if kernel.name in finding.message else finding


async def _of_kernel(shell: RemoteShell, kernel: Kernel) -> tuple[Finding, ...]:
    try:
        async with asyncio.timeout(CHECK_LIMIT_S):
            return tuple(await methods.load(kernel.boot).check(shell, kernel))
    except HpcvirtError as error:
        return (Finding(Level.FAILURE, shell.node.name, f"kernel {kernel.name}: {error.message}", error.hint),)
    except TimeoutError:
        return (Finding(Level.FAILURE, shell.node.name, f"kernel {kernel.name}: no answer", "is the node overloaded?"),)
