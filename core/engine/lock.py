"""One runner per database."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hpcvirt.core.errors import StoreLocked
from hpcvirt.core.store.runners import refuse_second_runner


@contextmanager
def runner_lock(database: Path) -> Iterator[Callable[[Path], None]]:
    """Hold the runner's lock of a database; it goes with the process, however that ends.

    The database's own records are asked first: a lock file can be removed, and where a file system has local locks it
    keeps nobody off on another host. What is given takes the lock of a further file as well, until the end: where the
    work goes on when this one is lost. Raises StoreLocked when another process works on it, StoreUnusable.
    """
    refuse_second_runner(database)
    held: dict[Path, int] = {}

    def take(database: Path) -> None:
        path = database.with_name(database.name + ".lock")
        descriptor = _locked(path)
        if descriptor is None:
            raise StoreLocked(
                f"{database}: another runner works on it",
                hint=f"watch it with `hpcvirt-tui {database}` or `hpcvirt-tui status {database}`",
            )
        held[path] = descriptor

    try:
        take(database)
        yield take
        for path in held:
            path.unlink(missing_ok=True)
    finally:
        for descriptor in held.values():
            os.close(descriptor)


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock; None when another process does."""
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        # Its holder removed the file between our opening and our locking it.
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
