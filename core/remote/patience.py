"""Which errors of a node may pass, and for how long it is waited for. The one place that decides this.

A login node stalls, a home is unmounted, an sshd is overloaded: whatever a node that was reached once runs into later
is waited for up to the campaign's ``patience``. Final at once are a changed host key, a wrong identity (of a node, or
of a program: another one does not turn into the right one), and every error that is in no list here: what has limits
of its own (a boot, settling, lost attempts), and what is no node's.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import TypeVar

from hpcvirt.core.errors import (
    AlgorithmsDiffer,
    BootRefused,
    ConnectionLost,
    HostKeyUnknown,
    HpcvirtError,
    NodeHeld,
    NodeInUse,
    NodeSilent,
    NodeUnreachable,
    NodeUnusable,
    OutputUnparsable,
    PermissionRefused,
    PreparationFailed,
    ProgramMissing,
    SshConfigWrong,
)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0

FIRST_PATIENCE_S = 60.0
"""A node that was never reached is more likely misnamed than booting."""

T = TypeVar("T")


class Standing(IntEnum):
    """How far a node has come, in this life of the runner or, as the database has it, in an earlier one."""

    NEW = 0
    REACHED = 1
    """It let us in."""
    ANSWERED = 2
    """A script of ours came to its end there."""
    PROVED = 3
    """It was proved in one of the campaign's kernels."""
    READY = 4
    """It was ready for the same benchmarks in the same kernel."""


NETWORK = (NodeUnreachable, ConnectionLost)
LOGIN = (SshConfigWrong, PermissionRefused, HostKeyUnknown, AlgorithmsDiffer)
"""Of a node that let us in before: its files or ours are not there, or not readable, for now."""
DIALOGUE = (OutputUnparsable, NodeSilent)
NODE = (NodeUnusable, NodeHeld, NodeInUse)
BENCHMARK = (BootRefused, ProgramMissing, PreparationFailed)
"""Where that was right before; elsewhere it is more likely the campaign that is wrong."""

PASSING: dict[Standing, tuple[type[HpcvirtError], ...]] = {
    Standing.NEW: NETWORK,
    Standing.REACHED: (*NETWORK, *LOGIN),
    Standing.ANSWERED: (*NETWORK, *LOGIN, *DIALOGUE),
    Standing.PROVED: (*NETWORK, *LOGIN, *DIALOGUE, *NODE),
    Standing.READY: (*NETWORK, *LOGIN, *DIALOGUE, *NODE, *BENCHMARK),
}
"""What may pass by itself, by how far the node has come."""


def patience_for(error: HpcvirtError, standing: Standing, patience_s: float) -> float:
    """For how many seconds a node with this error is waited for; 0: not at all."""
    if not isinstance(error, PASSING[standing]) or _was_waited_for(error):
        return 0.0
    return min(patience_s, FIRST_PATIENCE_S) if standing is Standing.NEW else patience_s


def _was_waited_for(error: BaseException | None) -> bool:
    """By somebody within: nobody waits for the same trouble twice."""
    while isinstance(error, HpcvirtError):
        if error.waited_s:
            return True
        error = error.__cause__
    return False


async def patiently(
    work: Callable[[], Awaitable[T]],
    patience: Callable[[HpcvirtError], float],
    on_wait: Callable[[HpcvirtError, float], Awaitable[None]] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """The result of ``work``, repeated with growing pauses as long as its errors may pass.

    ``patience``: seconds for which an error is waited for, counted from the first failure. ``on_wait``: called with
    the error and these seconds before each pause. Raises the last error, which says how long it was waited for.
    """
    clock = asyncio.get_running_loop().time
    failing_since: float | None = None
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return await work()
        except HpcvirtError as error:
            limit_s = patience(error)
            if not limit_s:
                raise
            now = clock()
            failing_since = now if failing_since is None else failing_since
            if now + pause_s > failing_since + limit_s:
                _give_up(error, now - failing_since)
                raise
            if on_wait is not None:
                await on_wait(error, limit_s)
        # All nodes of a cluster come back at once: they are not asked all at once.
        await sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _give_up(error: HpcvirtError, waited_s: float) -> None:
    error.waited_s = max(waited_s, 0.001)
    error.message = f"{error.message} (waited for {waited_s:.0f} s)"
