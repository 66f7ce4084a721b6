"""A node's shell that stays: it has read our functions and carries out one order after another."""

from __future__ import annotations

from typing import Self

import asyncssh

from hpcvirt.core.errors import ConnectionLost, OutputUnparsable
from hpcvirt.core.remote.job import LARGEST_ANSWER_BYTES, Script, library

CHUNK_BYTES = 1 << 16


class StayingShell:
    """One channel with /bin/sh at its other end.

    To open a channel, start a shell in it and have it read our functions costs the node more than all that it does
    for a short run. Whatever goes wrong with an order, the shell is not used again.
    """

    def __init__(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        self._process = process

    @classmethod
    async def open(cls, connection: asyncssh.SSHClientConnection) -> Self:
        """Start it. Raises what asyncssh raises."""
        opening = connection.create_process("exec /bin/sh", encoding=None, stderr=asyncssh.DEVNULL)
        process: asyncssh.SSHClientProcess[bytes] = await opening
        process.stdin.write(library())
        return cls(process)

    @property
    def is_there(self) -> bool:
        """As far as is known."""
        return not (self._process.channel.is_closing() or self._process.stdout.at_eof())

    async def carry_out(self, script: Script) -> bytes:
        """What the shell writes until the order's answer is at its end, or the shell at its own.

        Raises ConnectionLost, OutputUnparsable, and what asyncssh raises.
        """
        self._process.stdin.write(script.order)
        end = f"\n@{script.nonce} end\n".encode()
        parts: list[bytes] = []
        size, tail = 0, b""
        while tail != end and (part := await self._process.stdout.read(CHUNK_BYTES)):
            parts.append(part)
            size += len(part)
            tail = (tail + part)[-len(end) :]
            if size > LARGEST_ANSWER_BYTES:
                raise too_long()
        if tail != end:
            await self._process.wait_closed()
            if self._process.exit_status is None or not parts:
                raise ConnectionLost("connection lost: it ended before the order did")
        return b"".join(parts)

    def close(self) -> None:
        """It carries out what it has begun, and ends."""
        self._process.channel.abort()


def too_long() -> OutputUnparsable:
    """Nothing of ours sends so much."""
    return OutputUnparsable(
        f"the node sends more than {LARGEST_ANSWER_BYTES >> 20} MiB in answer to one script",
        hint="does a start-up file of its shell, or the kernel's probe, write without end?",
    )
