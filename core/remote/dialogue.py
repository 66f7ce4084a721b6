"""A script that stays on its node and answers: for what is asked again and again over one channel."""

from __future__ import annotations

import asyncssh

from hpcvirt.core.errors import ConnectionLost, OutputUnparsable
from hpcvirt.core.remote.job import Script
from hpcvirt.core.text import clean_line

LARGEST_ANSWER_BYTES = 1 << 17
CHUNK_BYTES = 1 << 16


class Dialogue:
    """One channel with a script at its other end. Each of the script's answers ends with a line of its nonce."""

    def __init__(self, script: Script, process: asyncssh.SSHClientProcess[bytes]) -> None:
        self._mark = script.nonce.encode()
        self._process = process
        self._rest = b""

    async def greeting(self) -> bytes:
        """What the script says behind its nonce when it begins; what came before it is noise of the login.

        Raises as ``ask`` does.
        """
        try:
            await self._until(b"\n@" + self._mark + b" ")
            return await self._until(b"\n")
        except (OSError, asyncssh.Error) as error:
            raise ConnectionLost(f"connection lost: {clean_line(str(error)) or type(error).__name__}") from error

    async def ask(self, word: str) -> bytes:
        """The answer to one word. Waits as long as it takes.

        Raises ConnectionLost when the channel ends before, OutputUnparsable when the answer has no end.
        """
        try:
            self._process.stdin.write(word.encode() + b"\n")
            return await self._until(b"@" + self._mark + b"\n")
        except (OSError, asyncssh.Error) as error:
            raise ConnectionLost(f"connection lost: {clean_line(str(error)) or type(error).__name__}") from error

    async def _until(self, end: bytes) -> bytes:
        while end not in self._rest:
            if len(self._rest) > LARGEST_ANSWER_BYTES:
                raise OutputUnparsable(
                    "the node's answer has no end", hint="does a start-up file of its shell write without end?"
                )
            part = await self._process.stdout.read(CHUNK_BYTES)
            if not part:
                raise ConnectionLost("the channel ended before the answer did")
            self._rest += part
        answer, _, self._rest = self._rest.partition(end)
        return answer
