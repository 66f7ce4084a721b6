"""One runner per database."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hpcvirt.core.errors import StoreLocked


@contextmanager
def runner_lock(database: Path) -> Iterator[None]:
    """Hold the runner's lock of a database; it goes with the process, however that ends.

    Raises StoreLocked when another process holds it.
    """
    path = database.with_name(database.name + ".lock")
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreLocked(
                f"{database}: another runner works on it",
                hint=f"watch it with `hpcvirt-tui {database}` or `hpcvirt-tui status {database}`",
            ) from None
        yield
        # Removed while still held: who opens it now gets a new file, and waits for nobody.
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
