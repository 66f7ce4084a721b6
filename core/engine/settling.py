"""What is waited for between the proof of a kernel and the first run of a boot: a node just up is busy with itself."""

from __future__ import annotations

import asyncio
import time

from hpcvirt.core.engine.channel import SHORT_S, NodeChannel
from hpcvirt.core.errors import NodeUnusable
from hpcvirt.core.model import Campaign, Kernel
from hpcvirt.core.remote.connection import NodeConnection
from hpcvirt.core.remote.shell import RemoteShell

LOAD_PAUSE_S = 2.0


async def settle(campaign: Campaign, kernel: Kernel, channel: NodeChannel, link: NodeConnection) -> None:
    """The longer of the design's and the kernel's seconds; then until the load is below the kernel's.

    Raises NodeUnusable when it is not within the kernel's limit, Interrupted, and what a connection raises.
    """
    seconds = max(campaign.design.settle_s, kernel.settle.seconds)
    if seconds:
        await channel.state("settling", f"{seconds:g} s")
        await channel.unless_stopped(asyncio.sleep(seconds))
    if kernel.settle.load is not None:
        await channel.unless_stopped(_until_idle(channel, link, kernel.settle.load, kernel.settle.limit_s))


async def _until_idle(channel: NodeChannel, link: NodeConnection, load: float, limit_s: float) -> None:
    give_up_at = time.monotonic() + limit_s
    while (found := await _load(channel, link)) >= load:
        if time.monotonic() > give_up_at:
            raise NodeUnusable(
                f"{link.node.name} does not settle: its load is {found:g}, not below {load:g} after {limit_s:g} s",
                hint="what runs there? see `top` on it, or raise settle.load of the kernel",
            )
        await channel.state("settling", f"load {found:g}, to be below {load:g}")
        await asyncio.sleep(LOAD_PAUSE_S)


async def _load(channel: NodeChannel, link: NodeConnection) -> float:
    """Of the last minute."""
    said = (await channel.again(lambda: RemoteShell(link).ask("cat /proc/loadavg", {}, SHORT_S))).said.split()
    try:
        return float(said[0])
    except (IndexError, ValueError):
        hint = "leave settle.load of the kernel out"
        raise NodeUnusable(f"{link.node.name}: /proc/loadavg cannot be read", hint=hint) from None
