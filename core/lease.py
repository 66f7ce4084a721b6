"""Who holds a node: one process, and the database file that it works on. A campaign's uuid alone names neither."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from hpcvirt.core.process import ProcessIdentity, is_proved_dead
from hpcvirt.core.text import clean_line


@dataclass(frozen=True, slots=True)
class RunnerIdentity:
    """One life of a runner."""

    process: ProcessIdentity
    nonce: str
    """Hexadecimal; drawn when the runner starts."""
    file: str
    """The database's device and inode: a copy has another one, whatever it is called."""
    path: str
    """Where the database was when the runner opened it; for people."""

    @property
    def line(self) -> str:
        """As it stands in a node's lock."""
        one = self.process
        where = f"{one.machine or '-'}/{one.pid_namespace or '-'}"
        words = self.nonce, one.host or "-", one.boot_id or "-", one.pid, one.pid_start, where, self.file
        return " ".join([*map(str, words), clean_line(self.path, 4096)])

    @property
    def is_proved_dead(self) -> bool:
        """Whether it is known that the process ended: nobody can know that of a process on another host."""
        return is_proved_dead(self.process)

    def __str__(self) -> str:
        return f"process {self.process.pid} on {self.process.host}"


def parse_runner(line: str) -> RunnerIdentity | None:
    """Read a lock's line; None where it is no such line. It may be anybody's."""
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    nonce, host, boot_id, pid, start, machine, namespace, file, path = found.groups(default="-")
    where = machine.removeprefix("-"), namespace.removeprefix("-")
    process = ProcessIdentity(host, boot_id.removeprefix("-"), int(pid), int(start), *where)
    return RunnerIdentity(process, nonce, file, clean_line(path, 4096))


_LINE = re.compile(
    r"([0-9a-f]{8,64}) (\S{1,255}) ([0-9a-f-]{1,36}) (\d{1,10}) (\d{1,20}) "
    r"(?:([0-9a-f]{1,64}|-)/(\d{1,20}|-) )?(\d{1,20}:\d{1,20}) (.*)"
)
"""Earlier versions did not write machine and namespace."""


def file_id(path: Path) -> str:
    """Device and inode of a file; empty where it cannot be looked at."""
    try:
        return file_id_of(path.stat())
    except OSError:
        return ""


def file_id_of(found: os.stat_result) -> str:
    """The same of what ``stat`` said."""
    return f"{found.st_dev}:{found.st_ino}"
