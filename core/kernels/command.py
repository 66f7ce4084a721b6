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
from functools import cache
from importlib.resources import files
from math import ceil
from shlex import join, quote

from hpcvirt.core.boot_method import CHECK_LIMIT_S, Answer, BootMethod, NodeShell, Visit
from hpcvirt.core.errors import BootRefused, HpcvirtError
from hpcvirt.core.model import Kernel, Node, Where
from hpcvirt.core.preflight import Finding, Level
from hpcvirt.core.text import clean

WORDS_SHOWN = 400
BYTES_READ = 1 << 16
MARK = "HPCVIRT_SCRIPT"


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
        """Run it with all that it may want to know in its environment; never beside another one for this node."""
        kernel, place = visit.kernel, _place(shell, visit.kernel)
        await _end_earlier(place, visit, 0)
        # A shell stays above it whose mark tells for how long it runs, and which it does not inherit.
        script = f"unset {MARK}; {join(kernel.command)}; exit $?"
        asking = asyncio.ensure_future(
            place.ask(script, environment(shell.node, visit) | {MARK: visit.seat}, kernel.boot_limit_s + CHECK_LIMIT_S)
        )
        try:
            async with asyncio.timeout(kernel.boot_limit_s):
                await asyncio.wait({asking})
            answer = asking.result()
        except (TimeoutError, asyncio.CancelledError):
            # On the node it would go on, and reboot it when somebody else has it. What it began is found below the
            # shell with the mark, as long as that is there.
            with suppress(HpcvirtError, TimeoutError):
                await _end_earlier(place, visit, 0)
            raise
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        if answer.status:
            said = " ".join(answer.said.split())[-WORDS_SHOWN:] or "it said nothing"
            raise BootRefused(
                f"{shell.node.name}: {join(kernel.command)} ended with exit status {answer.status}: {said}",
                hint=f"try it by hand {'on the node' if kernel.where is Where.NODE else 'here'}, with HPCVIRT_NODE set",
            )

    async def await_earlier(self, shell: NodeShell, visit: Visit) -> bool:
        """One that outlived its runner goes on to its end, or to the time limit."""
        return await _end_earlier(_place(shell, visit.kernel), visit, visit.kernel.boot_limit_s)

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


class LoginShell:
    """``NodeShell`` for this machine, from where nodes are booted: a /bin/sh in a session of its own."""

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def node(self) -> Node:
        """Whose boot is its matter."""
        return self._node

    async def ask(self, script: str, settings: Mapping[str, str], limit_s: float) -> Answer:
        """Run a script here. With all that it started it is ended when it takes too long, or nobody waits any more."""
        # Not by a pipe: what it leaves running may keep that open, and its end is the script's alone.
        with tempfile.TemporaryFile() as said:
            process = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", script),
                stdin=DEVNULL,
                stdout=said,
                stderr=STDOUT,
                env={**os.environ, **settings},
                start_new_session=True,
            )
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


def _place(shell: NodeShell, kernel: Kernel) -> NodeShell:
    return shell if kernel.where is Where.NODE else LoginShell(shell.node)


async def _end_earlier(place: NodeShell, visit: Visit, limit_s: float) -> bool:
    """Whether a script of an earlier order for this node still ran; after ``limit_s`` it is ended.

    Raises BootRefused when it cannot be.
    """
    settings = {"hv_script": visit.seat, "hv_limit": str(ceil(limit_s))}
    answer = await place.ask(_earlier_script(), settings, limit_s + CHECK_LIMIT_S)
    if answer.status or answer.lines("stuck"):
        raise BootRefused(
            f"{place.node.name}: an earlier {visit.kernel.command[0]} for it still runs, and cannot be ended: "
            f"{' '.join(answer.said.split())[-WORDS_SHOWN:]}",
            hint="end it by hand, as the user it runs as; two of them would boot the node against each other",
        )
    return bool(answer.lines("found"))


@cache
def _earlier_script() -> str:
    parts = (("hpcvirt.core.remote", "marked.sh"), ("hpcvirt.core.kernels", "command.sh"))
    return "".join(files(package).joinpath(name).read_text(encoding="ascii") for package, name in parts)
