"""The embedded cluster: a few SSH servers on loopback that run real commands on this machine.

It is a process of its own, ``python -m hpcvirt.core.lab``, that lives no longer than the pipe to its stdin is
open. Only the key that it makes at each start is let in. Nothing it ran outlives it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from hpcvirt.core.errors import LabFailed
from hpcvirt.core.lab.folder import LAB_JSON, own_folder
from hpcvirt.core.text import clean

__all__ = ["Lab", "LabNode", "RunningLab", "serve", "ssh_command", "start_lab"]

_STOP_LIMIT_S = 15.0
_WORDS_BYTES = 4000


@dataclass(frozen=True, slots=True)
class LabNode:
    """Where a node of the lab listens and whom it lets in."""

    name: str
    host: str
    port: int
    user: str


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab that is ready."""

    nodes: tuple[LabNode, ...]
    client_key: Path
    known_hosts: Path
    folder: Path
    """Each node's HOME is the folder of its name in it; ``scratch`` is in that."""
    pid: int
    """SIGTERM to it ends the lab."""


class RunningLab:
    """A lab's process and the pipe that keeps it alive. Leaving it as a context manager stops it."""

    def __init__(self, lab: Lab, process: Process, words: IO[bytes]) -> None:
        self.lab = lab
        self._process = process
        self._words = words

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def ended(self) -> str:
        """Wait until the lab ends, for whatever reason; the last lines of its stderr."""
        await self._process.wait()
        return _last_words(self._words)

    async def stop(self, limit_s: float = _STOP_LIMIT_S) -> None:
        """End the lab and every process it started. Harmless when repeated."""
        await _stop(self._process, limit_s)
        self._words.close()


async def _stop(process: Process, limit_s: float) -> None:
    assert process.stdin is not None  # noqa: S101 - it was started with PIPE
    process.stdin.close()
    try:
        async with asyncio.timeout(limit_s):
            await process.wait()
    except TimeoutError:
        process.kill()  # its server sees that, and ends what is left
        await process.wait()


def _last_words(words: IO[bytes]) -> str:
    if words.closed:
        return ""
    words.seek(max(0, words.seek(0, 2) - _WORDS_BYTES))
    return "\n".join(clean(words.read()).strip().splitlines()[-5:])


async def start_lab(folder: Path, nodes: int = 4, *, keep: bool, limit_s: float = 20.0) -> RunningLab:
    """Start a lab of ``nodes`` nodes in ``folder``, which is made (0700) or must be the user's alone.

    ``keep``: the nodes' folders outlive the lab, so that the next one in the same folder finds what jobs
    have written. The lab ends with the calling process at the latest, however that ends; a fork of it
    (without exec) would hold the lab up. Raises ``LabFailed``.
    """
    folder = await asyncio.to_thread(own_folder, folder)
    words = tempfile.TemporaryFile()  # noqa: SIM115 - RunningLab closes it
    try:
        process = await _spawn(folder, nodes, keep=keep, words=words)
        try:
            lab = await _ready(process, folder, words, limit_s)
        except BaseException:
            await _stop(process, _STOP_LIMIT_S)
            raise
    except BaseException:
        words.close()
        raise
    return RunningLab(lab, process, words)


async def _spawn(folder: Path, nodes: int, *, keep: bool, words: IO[bytes]) -> Process:
    options = ["--folder", str(folder), "--nodes", str(nodes), *(["--keep"] if keep else [])]
    try:
        # -P: a folder named hpcvirt where the operator happens to stand is not ours.
        # The pipe's end is closed on exec, so that no other child of ours keeps the lab alive; the session
        # of its own keeps the operator's Ctrl-C from it.
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "hpcvirt.core.lab", *options),
            stdin=PIPE,
            stdout=PIPE,
            stderr=words,
            start_new_session=True,
        )
    except OSError as error:
        raise LabFailed(
            f"the lab did not start: {error}", hint="is the limit of processes reached (ulimit -u)?"
        ) from error


async def _ready(process: Process, folder: Path, words: IO[bytes], limit_s: float) -> Lab:
    assert process.stdout is not None  # noqa: S101 - it was started with PIPE
    try:
        async with asyncio.timeout(limit_s):
            line = await process.stdout.readline()
    except TimeoutError as error:
        said = _last_words(words)
        hint = "is this machine very busy, or does another lab serve the same folder?"
        raise LabFailed(
            f"the lab was not ready after {limit_s:g} s" + (f": {said}" if said else ""), hint=hint
        ) from error
    if not line:
        await process.wait()
        raise LabFailed(
            f"the lab did not start: {_last_words(words) or 'it said nothing'}",
            hint=f"try it alone: {shlex.join([sys.executable, '-m', 'hpcvirt.core.lab', '--folder', str(folder)])}",
        )
    return _read(folder)


def _read(folder: Path) -> Lab:
    found = json.loads((folder / LAB_JSON).read_text())
    nodes = tuple(LabNode(node["name"], node["host"], node["port"], node["user"]) for node in found["nodes"])
    return Lab(nodes, Path(found["client_key"]), Path(found["known_hosts"]), folder, found["pid"])


def ssh_command(lab: Lab, node: LabNode) -> str:
    """A command line for a shell that opens a session on ``node`` (which has no terminal to give)."""
    key = ["-i", str(lab.client_key), "-o", "IdentitiesOnly=yes"]
    hosts = ["-o", f"UserKnownHostsFile={lab.known_hosts}"]
    return shlex.join(["ssh", "-T", *key, *hosts, "-p", str(node.port), f"{node.user}@{node.host}"])


def serve(folder: Path | None, nodes: int, announce: Callable[[Lab], None]) -> None:
    """Run a lab in the foreground until SIGINT, SIGTERM or SIGHUP; for the main thread.

    ``announce`` is called when it is ready. Without ``folder`` all happens in a temporary one that is
    removed at the end; in a given one the nodes' folders are kept. Raises ``LabFailed``, also when the lab
    ends by itself.
    """
    with contextlib.ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hpcvirt-lab-")))
        asyncio.run(_serve(place, nodes, announce, keep=folder is not None))


async def _serve(folder: Path, nodes: int, announce: Callable[[Lab], None], *, keep: bool) -> None:
    told = asyncio.Event()
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with await start_lab(folder, nodes, keep=keep) as running:
        announce(running.lab)
        ended = asyncio.create_task(running.ended())
        asked = asyncio.create_task(told.wait())
        await asyncio.wait([ended, asked], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not told.is_set():
            raise LabFailed(f"the lab ended by itself: {ended.result()}", hint="start it again")
        await running.stop()
        await ended
