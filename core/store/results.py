"""The view ``results`` as a stream: what many rows have in common is read once, and the values one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hpcvirt.core.store import schema
from hpcvirt.core.store.queries import reading

Cells = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Results:
    """Every measurement of a campaign, warm-up runs left out. To be read while the database is open."""

    campaign: str
    boots: Mapping[int, Cells]
    """By id: block, kernel, node."""
    benchmarks: Mapping[int, Cells]
    """By id: plugin, parameters."""
    metrics: Mapping[tuple[int, str], Cells]
    """By benchmark and name: unit, better, primary, exact."""
    interim: int
    """1 in an unfinished campaign, 0 in a finished one."""
    rows: Iterator[tuple[int, int, str | None, int, int, str, float | None, str, float]]
    """In the order of time: boot, benchmark, boot_id, run, attempt, started_at, duration_s, metric, value."""


@contextmanager
def reading_results(path: Path) -> Iterator[Results]:
    """Raises StoreUnusable, also while the rows are read."""
    with reading(path) as connection:
        yield Results(
            campaign=str(connection.execute("SELECT name FROM campaign").fetchone()[0]),
            boots=_by_id(connection, "SELECT id, block, kernel, node FROM boots"),
            benchmarks=_by_id(connection, "SELECT id, plugin, parameters FROM benchmarks"),
            metrics={
                (row["benchmark"], row["name"]): (row["unit"], row["better"], row["is_primary"], _exact(row))
                for row in connection.execute("SELECT * FROM metrics")
            },
            interim=int(connection.execute(f"SELECT {schema.IS_UNFINISHED}").fetchone()[0]),
            rows=_plain(connection).execute(_ROWS),
        )


def _exact(row: sqlite3.Row) -> int:
    # databases of version 3 do not have the column
    return int(row["is_exact"]) if "is_exact" in row.keys() else 0  # noqa: SIM118 - a Row is no dict


def _by_id(connection: sqlite3.Connection, sql: str) -> dict[int, Cells]:
    return {row[0]: tuple(row[1:]) for row in connection.execute(sql)}


def _plain(connection: sqlite3.Connection) -> sqlite3.Cursor:
    """Rows as tuples, which are unpacked faster."""
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor


# What the view does, but for the columns that are looked up: SQLite would sort their text along with the rest.
_ROWS = """
    SELECT runs.boot, runs.benchmark, attempts.boot_id, runs.number, attempts.number, attempts.started_at,
           attempts.duration_s, measurements.metric, measurements.value
    FROM measurements
    JOIN attempts ON attempts.id = measurements.attempt
    JOIN runs ON runs.id = attempts.run
    JOIN metrics ON metrics.benchmark = runs.benchmark AND metrics.name = measurements.metric
    WHERE attempts.status = 'ok' AND NOT runs.is_warmup
    ORDER BY attempts.started_at, runs.id, metrics.position
"""
