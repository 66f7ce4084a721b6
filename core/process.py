"""Which process is this, is that one still alive, and is it known that it is not.

Host, boot_id, pid and start time name a process; machine and pid namespace say whether it could be seen from here.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """Names one process for good: pids and hosts are used again, the first four together are not."""

    host: str
    boot_id: str
    pid: int
    pid_start: int
    """Clock ticks after boot."""
    machine: str = ""
    """Digest of the machine's own id, as two hosts may have one name. Empty: not known."""
    pid_namespace: str = ""
    """Its number; within another one pids name other processes. Empty: not known."""


def this_process() -> ProcessIdentity:
    """Who we are."""
    pid = os.getpid()
    return ProcessIdentity(socket.gethostname(), boot_id(), pid, start_ticks(pid) or 0, machine_id(), pid_namespace())


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


def machine_id() -> str:
    """Digest of what names this machine over all its boots: the id itself is not to be shown. Empty: there is none."""
    for path in MACHINE_IDS:
        with suppress(OSError):
            if found := path.read_bytes().strip():
                return hashlib.sha256(b"hpcvirt-tui " + found).hexdigest()[:16]
    return ""


def pid_namespace() -> str:
    """Number of the namespace of our pids; empty where that cannot be read."""
    try:
        return "".join(filter(str.isdigit, os.readlink("/proc/self/ns/pid")))  # noqa: PTH115 - no path
    except OSError:
        return ""


def is_alive(process: ProcessIdentity) -> bool:
    """Whether the process is seen to run, on this machine and in this boot of it."""
    is_visible = process.pid_namespace in {"", pid_namespace()} and process.machine in {"", machine_id()}
    is_of_this_boot = process.host == socket.gethostname() and process.boot_id == boot_id()
    return is_of_this_boot and is_visible and start_ticks(process.pid) == process.pid_start


def is_proved_dead(process: ProcessIdentity) -> bool:
    """Whether it is known that the process ended: it would be seen from here, or this machine has rebooted since.

    One of whose machine or namespace nothing is known, as of those that earlier versions filed, may live.
    """
    machine, boot = machine_id(), boot_id()
    if process.host != socket.gethostname() or not boot or not process.boot_id:
        return False
    is_known_machine = bool(machine) and process.machine == machine
    if process.boot_id != boot:
        return is_known_machine
    # One boot ID is one running system, also where the machine has no id of its own.
    if process.machine and machine and not is_known_machine:
        return False
    is_visible = bool(process.pid_namespace) and process.pid_namespace == pid_namespace()
    return is_visible and start_ticks(process.pid) != process.pid_start
