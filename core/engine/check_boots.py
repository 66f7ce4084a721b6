"""Preflight of boot methods: could each node be told to boot each kernel? Nothing is changed on them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from functools import partial

from hpcvirt.core import alike
from hpcvirt.core import boot_method as methods
from hpcvirt.core.boot_method import CHECK_LIMIT_S
from hpcvirt.core.errors import BootRefused, HpcvirtError
from hpcvirt.core.model import Campaign, Kernel
from hpcvirt.core.preflight import Finding, Level
from hpcvirt.core.remote.connection import NodeConnection
from hpcvirt.core.remote.shell import RemoteShell


async def check_boots(campaign: Campaign, link: NodeConnection) -> tuple[Finding, ...]:
    """What stands in the way of booting this node, each thing once. Raises what a connection raises."""
    shell = RemoteShell(link)
    found: dict[Finding, None] = {}
    for kernel in campaign.kernels:
        findings = await _of_kernel(shell, kernel, alike.proved_alike(campaign, kernel))
        found |= dict.fromkeys(map(partial(_about, kernel), findings))
    return tuple(found)


def _about(kernel: Kernel, finding: Finding) -> Finding:
    """What is said of every kernel, as that a boot menu cannot be read, is said once."""
    return replace(finding, about=f"kernel {kernel.name}") if kernel.name in finding.message else finding


async def _of_kernel(shell: RemoteShell, kernel: Kernel, others: tuple[str, ...]) -> tuple[Finding, ...]:
    try:
        method = methods.load(kernel.boot)
        async with asyncio.timeout(CHECK_LIMIT_S):
            found = tuple(await method.check(shell, kernel))
            with suppress(BootRefused):  # of which it has told
                if others and not await method.can_mark(shell, kernel):
                    found += (Finding(Level.FAILURE, shell.node.name, alike.fault(kernel, others), alike.HINT),)
            return found
    except HpcvirtError as error:
        return (_failure(shell, kernel, error.message, error.hint),)
    except TimeoutError:
        return (_failure(shell, kernel, "no answer", "is the node overloaded?"),)
    except Exception as error:  # noqa: BLE001 - a third party's method may raise anything
        told = f"boot method {kernel.boot} failed: {type(error).__name__}: {error}"
        return (_failure(shell, kernel, told, "mend or replace the package that it comes from"),)


def _failure(shell: RemoteShell, kernel: Kernel, told: str, remedy: str) -> Finding:
    return Finding(Level.FAILURE, shell.node.name, f"kernel {kernel.name}: {told}", remedy)
