"""Ends every process that came from this one, also those that left its session or ignore signals.

A process whose parent dies is handed to the nearest ancestor that is a *child subreaper*. Once this process
is one, nothing it started can get away from the tree below it by forking twice or by ``setsid``, and
walking the parent links in /proc finds it. Linux only, as is the program.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections import defaultdict
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Orphans among the descendants of this process become its children. Not inherited by ``fork``."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _parent(stat: bytes) -> int:
    # The name of a process may hold spaces and brackets: what follows its last bracket is regular.
    return int(stat[stat.rindex(b")") + 2 :].split()[1])


def _children_of_all() -> dict[int, list[int]]:
    children: dict[int, list[int]] = defaultdict(list)
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - names only, of thousands of entries
        try:
            stat = Path("/proc", name, "stat").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        children[_parent(stat)].append(int(name))
    return children


def descendants(pid: int) -> list[int]:
    """Process ids below ``pid``, zombies too, parents before their children."""
    children = _children_of_all()
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children[waiting.pop()]
        found += below
        waiting += below
    return found


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _kill(pid: int) -> bool:
    """False: not ours to end (a set-user-id program)."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except PermissionError:
        return False
    return True


def kill_descendants(limit_s: float = 10.0) -> list[int]:
    """SIGKILL and reap all descendants until there are none.

    Again and again, because a process may fork between the look and the kill. Returns those that are
    left: they belong to another user, or the limit passed (a process in uninterruptible sleep).
    """
    end = time.monotonic() + limit_s
    while left := descendants(os.getpid()):
        refused = [pid for pid in left if not _kill(pid)]
        _reap()
        if refused == left or time.monotonic() > end:
            return left
        time.sleep(0.002)
    return []
