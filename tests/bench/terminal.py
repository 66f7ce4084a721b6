"""A program in a terminal of its own that only counts what it is sent."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path

LIMIT_S = 20.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Terminal:
    """A pseudo-terminal and the program in it. Close it."""

    def __init__(self, words: list[str], env: Mapping[str, str], *, columns: int = 80, rows: int = 24) -> None:
        self._leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        left_out = {"NO_COLOR", "COLORTERM", "COLUMNS", "LINES"}
        told = {key: value for key, value in os.environ.items() if key not in left_out}
        env = told | {"TERM": "xterm-256color"} | env
        self.started_at = time.perf_counter()
        self._process = subprocess.Popen(
            words, stdin=follower, stdout=follower, stderr=follower, env=env, start_new_session=True
        )
        os.close(follower)

    def close(self) -> None:
        """End the program."""
        self._process.kill()
        self._process.wait()
        os.close(self._leader)

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._leader, keys)

    def until(self, mark: bytes, limit_s: float = LIMIT_S) -> bytes:
        """Read until the mark is there; empty: until anything is."""
        seen, give_up_at = b"", time.perf_counter() + limit_s
        while not seen or mark not in seen:
            told = self._read(give_up_at - time.perf_counter())
            if not told:
                raise TimeoutError(f"{mark!r} was not written within {limit_s:g} s, but {seen[-500:]!r}")
            seen += told
        return seen

    def drain(self, for_s: float) -> bytes:
        """All that is written in this time."""
        seen, ends_at = b"", time.perf_counter() + for_s
        while (left := ends_at - time.perf_counter()) > 0:
            seen += self._read(left)
        return seen

    def rest(self, quiet_s: float = 0.15) -> None:
        """Read until nothing was written for a while."""
        while self._read(quiet_s):
            pass

    def cpu_s(self) -> float:
        """CPU time of the program so far."""
        words = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / TICKS_PER_S

    def memory_mb(self, key: str = "VmRSS") -> float:
        """Resident memory now; ``VmHWM``: at most so far."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:")) / 1000

    def _read(self, wait_s: float) -> bytes:
        ready, _, _ = select.select([self._leader], [], [], max(0.0, wait_s))
        return os.read(self._leader, 65536) if ready else b""
