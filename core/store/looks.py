"""Looks: intervals, p-values and verdicts that somebody had shown before the planned end."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.store import schema
from hpcvirt.core.store.queries import PATIENCE_S, reading
from hpcvirt.core.store.runners import upgrade


@dataclass(frozen=True, slots=True)
class Look:
    """One look."""

    at: str
    origin: str
    """Who looked: user@host."""
    view: str
    """The command or the screen."""
    shown: str
    """What was shown."""
    ok: int
    """Ok runs at that time."""
    planned: int


def read_looks(path: Path) -> tuple[Look, ...]:
    """Return the recorded looks in order of time. Raises StoreUnusable."""
    with reading(path) as connection:
        if schema.is_older(connection):
            return ()
        rows = connection.execute("SELECT at, origin, view, shown, ok, planned FROM looks ORDER BY id")
        return tuple(Look(*row) for row in rows)


def record_look(path: Path, origin: str, view: str, shown: str, progress: tuple[int, int]) -> None:
    """Record a look; ``progress``: ok runs and planned runs.

    Raises StoreUnusable where the file cannot be written,
    StoreLocked where it is of an earlier version and a runner of that one works on it.
    """
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    look = Look(at, origin, view, shown, *progress)
    with reading(path):
        pass
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            upgrade(connection, path)
            connection.execute(
                "INSERT INTO looks (at, origin, view, shown, ok, planned) VALUES (?, ?, ?, ?, ?, ?)", astuple(look)
            )
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise StoreUnusable(
            f"{path}: the look cannot be recorded: {error}",
            hint="verdicts before the planned end are shown only where the database can be written",
        ) from error
