"""Nodes without a network: scripts for nodes run by this machine's shells."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.job import Job, Look, Reply, Script, Seat

SHELLS = ("dash", "bash", "busybox")

TOOLS = (
    *("cat", "chmod", "cp", "cut", "date", "env", "head", "id", "ls", "mkdir", "mv", "rm", "rmdir", "sleep"),
    *("tail", "touch", "tr", "true", "uname", "wc"),
)
"""A node that has these and a shell: no setsid, no grep, no sha256sum."""

FOLDER = "bench/0123456789abcdef"


@dataclass(frozen=True)
class LocalNode:
    """One node whose /bin/sh is the shell of a test."""

    shell: Path
    """A file called sh, which stands where scripts say /bin/sh."""
    scratch: Path
    environment: Mapping[str, str]
    seat: Seat
    has_sessions: bool = True
    """Whether each command has a session of its own, as OpenSSH's sshd gives it."""
    stays: bool = False
    """Whether orders go to a shell that has read the library before."""

    @property
    def root(self) -> Path:
        """The program's folder."""
        return self.scratch / "hpcvirt-tester"

    def text(self, script: Script) -> bytes:
        """What is sent."""
        bases = b"hv_lock_bases='/run/lock /dev/shm /tmp'"
        text = jobs.library() + script.order if self.stays and script.order else script.text
        assert bases in text
        there = text.replace(bases, b"hv_lock_bases=" + os.fsencode(self.locks))
        return there.replace(b"/bin/sh", os.fsencode(self.shell))

    def run(self, script: Script, limit_s: float = 30) -> bytes:
        """Everything that the shell writes to its stdout."""
        done = subprocess.run(
            [self.shell],
            input=self.text(script),
            capture_output=True,
            env=self.environment,
            timeout=limit_s,
            cwd="/",
            start_new_session=self.has_sessions,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def begin(self, script: Script) -> subprocess.Popen[bytes]:
        """Send a script and do not wait for its answer. The caller reads or kills it."""
        process = subprocess.Popen(
            [self.shell],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.environment,
            cwd="/",
            start_new_session=self.has_sessions,
        )
        assert process.stdin is not None
        process.stdin.write(self.text(script))
        process.stdin.close()
        process.stdin = None
        return process

    @property
    def locks(self) -> Path:
        """Where its lock is put up: tests run side by side."""
        return self.scratch.parent / "locks"

    # -- what the engine does

    def ready(self) -> LocalNode:
        """With a benchmark's folder."""
        self.locks.mkdir()
        self.locks.chmod(0o1777)
        script = jobs.make_folder(str(self.scratch), FOLDER)
        assert jobs.parse_done(script, self.run(script)) == f"root {self.root}"
        return self

    def launching(self, job: Job, forget: Iterable[str] = ()) -> Script:
        """What starts a job."""
        forget = list(forget)
        return jobs.launch(str(self.scratch), self.seat, job, 60, past=forget, forget=forget)

    def launch(self, job: Job, forget: Iterable[str] = ()) -> Reply:
        """Run a job to its end."""
        script = self.launching(job, forget)
        return jobs.parse_reply(script, self.run(script))

    def collect(self, attempt: str) -> Reply:
        """What became of an attempt."""
        script = jobs.collect(str(self.scratch), attempt)
        return jobs.parse_reply(script, self.run(script))

    def end(self, attempt: str) -> Reply:
        """End an attempt."""
        script = jobs.end(str(self.scratch), attempt)
        return jobs.parse_reply(script, self.run(script))

    def look(self, *artifacts: str, wrap: tuple[str, ...] = (), probe: str | None = None) -> Look:
        """What is there."""
        script = jobs.look(str(self.scratch), wrap, {}, probe, artifacts)
        return jobs.parse_look(script, self.run(script))

    def forget(self, *attempts: str, folder: str = "") -> None:
        """Remove spools and a benchmark's folder."""
        script = jobs.forget(str(self.scratch), attempts, folder)
        jobs.parse_done(script, self.run(script))

    def leave(self, *attempts: str) -> None:
        """As at a campaign's end."""
        script = jobs.forget(str(self.scratch), attempts, FOLDER, seat=self.seat)
        jobs.parse_done(script, self.run(script))

    def spool(self, attempt: str) -> Path:
        """Of an attempt that this boot started."""
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        host = Path("/proc/sys/kernel/hostname").read_text().strip()
        return self.root / "spool" / f"{host}.{boot}" / attempt


def local_node(
    shell: str, folder: Path, *, tools: Iterable[str] | None = None, has_sessions: bool = True, stays: bool = False
) -> LocalNode | None:
    """A node with one of ``SHELLS``; None where this machine lacks it.

    ``tools``: a PATH that holds nothing else. A node of busybox has busybox's tools.
    """
    program = shutil.which(shell)
    if program is None:
        return None
    links = folder / "bin"
    links.mkdir()
    (links / "sh").symlink_to(program)
    path = os.environ["PATH"]
    if tools is not None or shell == "busybox":
        path = str(links)
        for tool in _applets(program) if tools is None else tools:
            there = program if shell == "busybox" else shutil.which(tool)
            if there is not None and tool != "sh":
                (links / tool).symlink_to(there)
    scratch = folder / "scratch"
    environment = {"PATH": path, "LOGNAME": "tester", "HOME": "/", "HPCVIRT_TEST": str(scratch)}
    return LocalNode(links / "sh", scratch, environment, Seat(uuid.uuid4().hex, "node1", "a test"), has_sessions, stays)


def _applets(busybox: str) -> list[str]:
    return subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()


def altered(script: Script, old: bytes, new: bytes) -> Script:
    """A script with something else in it; nothing for ``old``: before it."""
    assert old in script.text
    count = -1 if old else 1
    order = script.order and script.order.replace(old, new, count)
    return replace(script, text=script.text.replace(old, new, count), order=order)


def new_job(*argv: str, **more: object) -> Job:
    """A job with a name of its own."""
    return replace(Job(uuid.uuid4().hex, FOLDER, argv), **more)  # type: ignore[arg-type]


def shell_job(script: str, *words: str, **more: object) -> Job:
    """A job that runs a few lines of shell."""
    return new_job("/bin/sh", "-c", script, "job", *words, **more)


def processes_of(mark: str) -> list[int]:
    """Processes whose environment holds a text."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                if mark.encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def end_all(mark: str) -> None:
    """Kill what a test started."""
    while left := processes_of(mark):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)


def cut_off(launcher: subprocess.Popen[bytes]) -> None:
    """Its connection is gone: nobody reads what it writes."""
    assert launcher.stdout is not None
    launcher.stdout.close()


def wait_until(condition: Callable[[], object], limit_s: float = 20) -> None:
    """Until it holds."""
    give_up_at = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < give_up_at, "it did not come about"
        time.sleep(0.01)
