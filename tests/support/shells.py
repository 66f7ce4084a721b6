"""The launcher's scripts on shells of this machine, without a connection."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpcvirt.core.remote import job as jobs

SHELLS = {
    "dash": ("dash",),
    "bash": ("bash", "--posix"),
    "busybox": ("busybox", "sh"),
}

COREUTILS = ("cat", "chmod", "date", "head", "id", "mkdir", "mv", "rm", "rmdir", "sleep", "tail", "tr", "uname", "wc")
"""All that the launcher may ask of a node. ``env`` and ``printenv`` are for the tests' own benchmarks."""


@dataclass
class LocalNode:
    """A folder that is a node: one shell, one PATH, one place for locks."""

    folder: Path
    shell: tuple[str, ...] = ("/bin/sh",)
    path: str | None = None
    seat: jobs.Seat = field(default_factory=lambda: new_seat())

    def __post_init__(self) -> None:
        self.scratch.mkdir(exist_ok=True)
        self.locks.mkdir(exist_ok=True)
        self.locks.chmod(0o1777)
        # The scripts call /bin/sh again: that must be the shell under test, too.
        self._sh = self.folder / "sh"
        self._sh.write_text(f'#!/bin/sh\nexec {" ".join(self.shell)} "$@"\n')
        self._sh.chmod(0o755)

    @property
    def scratch(self) -> Path:
        return self.folder / "scratch"

    @property
    def locks(self) -> Path:
        return self.folder / "locks"

    @property
    def held(self) -> list[str]:
        """Seats that have a lock up."""
        return sorted(path.name.split(".", 3)[3].rpartition(".")[0] for path in self.locks.iterdir())

    def text(self, script: jobs.Script) -> bytes:
        """A script as this node gets it."""
        there = script.text.replace(b"hv_lock_bases='/run/lock /dev/shm /tmp'", f"hv_lock_bases={self.locks}".encode())
        assert there != script.text
        return there.replace(b"/bin/sh", str(self._sh).encode())

    def begin(self, script: jobs.Script) -> subprocess.Popen[bytes]:
        """Start a script; its stdin is closed, as a channel's is."""
        pipe = subprocess.PIPE
        env = {**os.environ, "PATH": self.path} if self.path else dict(os.environ)
        process = subprocess.Popen([self._sh], stdin=pipe, stdout=pipe, stderr=pipe, env=env, start_new_session=True)
        assert process.stdin is not None
        process.stdin.write(self.text(script))
        process.stdin.close()
        process.stdin = None
        return process

    def run(self, script: jobs.Script) -> bytes:
        """What the script answers; nothing may come on stderr."""
        out, err = self.begin(script).communicate(timeout=60)
        assert err == b""
        return out

    def launch(self, argv: Sequence[str], *, limit_s: float = 60, env: Mapping[str, str] | None = None) -> jobs.Reply:
        """One attempt from start to end."""
        script = jobs.launch(str(self.scratch), self.seat, job(argv, env), limit_s)
        return jobs.parse_reply(script, self.run(script))

    def look(self) -> jobs.Look:
        """Also locks the node."""
        script = jobs.look(str(self.scratch), seat=self.seat)
        return jobs.parse_look(script, self.run(script))

    def leave(self) -> None:
        """Give the node free."""
        script = jobs.forget(str(self.scratch), (), seat=self.seat)
        jobs.parse_done(script, self.run(script))


def new_seat(node: str = "node1") -> jobs.Seat:
    """Of a campaign of its own."""
    return jobs.Seat(uuid.uuid4().hex, node, f"{node}'s operator")


def job(argv: Sequence[str], env: Mapping[str, str] | None = None, attempt: str | None = None) -> jobs.Job:
    """A benchmark without artifacts."""
    return jobs.Job(attempt or uuid.uuid4().hex, "", tuple(argv), env or {})


def only(folder: Path, tools: Sequence[str]) -> str:
    """A PATH that holds these tools and nothing else."""
    folder.mkdir()
    for tool in tools:
        found = shutil.which(tool)
        assert found is not None, tool
        (folder / tool).symlink_to(found)
    return str(folder)
