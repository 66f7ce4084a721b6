"""Which process is this, and is that one still alive: host, boot_id, pid and start time together."""

from __future__ import annotations

import os
import pwd
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """Names one process for good: pids and hosts are used again, these four together are not."""

    host: str
    boot_id: str
    pid: int
    pid_start: int
    """Clock ticks after boot."""


def this_process() -> ProcessIdentity:
    """Who we are."""
    pid = os.getpid()
    return ProcessIdentity(socket.gethostname(), boot_id(), pid, start_ticks(pid) or 0)


def operator() -> str:
    """Who we are for the record: ``user@host``, by the user's number and not by what the environment says."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    return f"{name}@{socket.gethostname()}"


def boot_id() -> str:
    """Of this machine; empty where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks after boot. None: no such process, or only its remains."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name in brackets is the program's own choice, brackets and all.
    state, *fields = stat[stat.rindex(b")") + 2 :].split()
    return None if state in b"ZX" else int(fields[18])


def is_here(process: ProcessIdentity) -> bool:
    """Whether the process belongs to this machine, dead or alive."""
    return process.host == socket.gethostname()


def is_alive(process: ProcessIdentity) -> bool:
    """Whether the process is on this machine, in this boot of it, and runs."""
    return is_here(process) and process.boot_id == boot_id() and start_ticks(process.pid) == process.pid_start
