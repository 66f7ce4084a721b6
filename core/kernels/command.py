"""Boot method ``command``: the operator's own script, on the login node or on the node."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from shlex import join, quote

from hpcvirt.core.boot_method import CHECK_LIMIT_S, Answer, BootMethod, NodeShell, Visit
from hpcvirt.core.errors import BootRefused
from hpcvirt.core.model import Kernel, Node, Where
from hpcvirt.core.preflight import Finding, Level
from hpcvirt.core.text import clean

WORDS_SHOWN = 400
BYTES_READ = 1 << 16


class OwnCommand(BootMethod):
    """Runs ``command``; what it did is seen by the node's boot_id. It may return before the node is back, or after."""

    takes = ("command", "options")
    requires = ("command",)

    def faults(self, kernel: Kernel) -> Iterator[str]:
        """A name with a slash must be absolute: the runner's folder is not the node's."""
        yield from super().faults(kernel)
        program = kernel.command[0] if kernel.command else ""
        if "/" in program and not program.startswith("/"):
            yield f"command: {program!r}: write the whole path, or a name that is on PATH"

    async def order(self, shell: NodeShell, visit: Visit) -> None:
        """Run it with all that it may want to know in its environment."""
        kernel = visit.kernel
        told = environment(shell.node, visit)
        if kernel.where is Where.NODE:
            answer = await shell.ask(f"exec {join(kernel.command)}", told, kernel.boot_limit_s)
        else:
            answer = await _here(kernel.command, told, kernel.boot_limit_s)
        if answer.status:
            said = " ".join(answer.said.split())[-WORDS_SHOWN:] or "it said nothing"
            raise BootRefused(
                f"{shell.node.name}: {join(kernel.command)} ended with exit status {answer.status}: {said}",
                hint=f"try it by hand {'on the node' if kernel.where is Where.NODE else 'here'}, with HPCVIRT_NODE set",
            )

    async def check(self, shell: NodeShell, kernel: Kernel) -> Sequence[Finding]:
        """Whether there is such a program; what it does nobody knows before."""
        program = kernel.command[0]
        if kernel.where is Where.LOGIN:
            where, is_there = "here", shutil.which(program) is not None
        else:
            answer = await shell.ask(f"command -v {quote(program)} >/dev/null", {}, CHECK_LIMIT_S)
            where, is_there = "on the node", answer.status == 0
        if is_there:
            return (Finding(Level.PASS, shell.node.name, f"kernel {kernel.name}: {program} is {where}"),)
        message = f"kernel {kernel.name}: {program} is not {where}, or cannot be executed"
        return (Finding(Level.FAILURE, shell.node.name, message, "mend `command` or `where` of this kernel"),)


def environment(node: Node, visit: Visit) -> dict[str, str]:
    """What the operator's script is told."""
    options = {f"HPCVIRT_OPTION_{name.upper()}": str(value) for name, value in visit.kernel.options.items()}
    return options | {
        "HPCVIRT_NODE": node.name,
        "HPCVIRT_HOST": node.host,
        "HPCVIRT_KERNEL": visit.kernel.name,
        "HPCVIRT_CAMPAIGN": visit.campaign,
        "HPCVIRT_BLOCK": str(visit.block),
        "HPCVIRT_BOOT_ID": visit.boot_id,
    }


async def _here(command: Sequence[str], told: Mapping[str, str], limit_s: float) -> Answer:
    """On this machine, in a session of its own, ended with all that it started when it takes too long."""
    env = {**os.environ, **told}
    # Not by a pipe: what it leaves running may keep that open, and its end is the script's alone.
    with tempfile.TemporaryFile() as said:
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=DEVNULL, stdout=said, stderr=STDOUT, env=env, start_new_session=True
            )
        except OSError as error:
            raise BootRefused(f"{command[0]}: {error.strerror}", hint="mend `command` of this kernel") from error
        try:
            async with asyncio.timeout(limit_s):
                await process.wait()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        said.seek(max(said.seek(0, os.SEEK_END) - BYTES_READ, 0))
        return Answer(process.returncode or 0, clean(said.read()))
