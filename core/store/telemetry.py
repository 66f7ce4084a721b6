"""Telemetry of a whole campaign, read for exports and for diagnostics."""

from __future__ import annotations

import json
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from hpcvirt.core.store.queries import reading
from hpcvirt.core.store.samples import Sample, at_ms, between, moment, scaled, unpack


def read_samples(path: Path) -> Iterator[tuple[str, list[Sample]]]:
    """Every sample, some minutes of a node at a time, by node and time. Raises StoreUnusable."""
    with reading(path) as connection:
        rows = connection.execute(
            "SELECT node, content FROM samples JOIN nodes ON nodes.name = node ORDER BY position, samples.started_at"
        )
        for node, content in rows:
            yield str(node), unpack(content)


@dataclass(frozen=True, slots=True)
class AttemptTime:
    """When an attempt was under way."""

    kernel: str
    benchmark: str
    run: int
    """Its number within kernel, benchmark and node."""
    number: int
    started_ms: int
    ended_ms: int | None
    """None: it is."""


def read_attempt_times(path: Path) -> dict[str, list[AttemptTime]]:
    """Every attempt by its node, in the order of time. Raises StoreUnusable."""
    found: dict[str, list[AttemptTime]] = {}
    with reading(path) as connection:
        for node, kernel, benchmark, run, number, started_at, ended_at in connection.execute(_TIMES):
            times = at_ms(started_at), None if ended_at is None else at_ms(ended_at)
            found.setdefault(str(node), []).append(AttemptTime(kernel, benchmark, run, number, *times))
    return found


def attempt_at(attempts: Sequence[AttemptTime], at: int) -> AttemptTime | None:
    """The one of a node's attempts that was under way at a time."""
    place = bisect_right(attempts, at, key=lambda attempt: attempt.started_ms) - 1
    if place < 0:
        return None
    found = attempts[place]
    return found if found.ended_ms is None or at <= found.ended_ms else None


_TIMES = """
    SELECT nodes.name, boots.kernel, benchmarks.label, runs.number, attempts.number,
           attempts.started_at, attempts.ended_at
    FROM attempts JOIN runs ON runs.id = attempts.run JOIN boots ON boots.id = runs.boot
    JOIN benchmarks ON benchmarks.id = runs.benchmark JOIN nodes ON boots.node IN (nodes.name, '*')
    ORDER BY nodes.name, attempts.started_at
"""


@dataclass(frozen=True, slots=True)
class WatchedAttempt:
    """An ok attempt on one of its nodes, for asking what else that node did meanwhile."""

    id: str
    node: str
    kernel: str
    benchmark: str
    started_ms: int
    ended_ms: int
    cpu_s: float | None
    """User and system time of its processes."""
    duration_s: float | None


def read_watched_attempts(path: Path) -> list[WatchedAttempt]:
    """Every ok attempt by node and time; none of a lab, whose nodes share one machine. Raises StoreUnusable."""
    with reading(path) as connection:
        frozen = json.loads(connection.execute("SELECT frozen FROM campaign").fetchone()[0])
        if frozen["lab"]:
            return []
        rows = connection.execute(_WATCHED)
        return [
            WatchedAttempt(attempt, node, kernel, benchmark, at_ms(started_at), at_ms(ended_at), cpu_s, duration_s)
            for attempt, node, kernel, benchmark, started_at, ended_at, cpu_s, duration_s in rows
        ]


@dataclass(frozen=True, slots=True)
class Series:
    """Columns of a node's samples, in the order of time."""

    at_ms: list[int]
    columns: dict[str, list[float | None]]


def read_columns(path: Path, node: str, names: Sequence[str]) -> Series:
    """Some columns of all samples of a node: samples by the thousand cost too much to make.

    Raises StoreUnusable.
    """
    found = Series([], {name: [] for name in names})
    with reading(path) as connection:
        rows = connection.execute("SELECT content FROM samples WHERE node = ? ORDER BY started_at", (node,))
        for (content,) in rows:
            columns = json.loads(zlib.decompress(content))
            found.at_ms.extend(accumulate(columns["at_ms"]))
            for name in names:
                column = columns.get(name) or [None] * len(columns["at_ms"])
                found.columns[name].extend(scaled(value, name) for value in column)
    return found


_WATCHED = """
    SELECT attempts.id, nodes.name, boots.kernel, benchmarks.label, attempts.started_at, attempts.ended_at,
           user_s + system_s, duration_s
    FROM attempts JOIN runs ON runs.id = attempts.run JOIN boots ON boots.id = runs.boot
    JOIN benchmarks ON benchmarks.id = runs.benchmark JOIN nodes ON boots.node IN (nodes.name, '*')
    WHERE attempts.status = 'ok'
    ORDER BY nodes.name, attempts.started_at
"""


@dataclass(frozen=True, slots=True)
class Around:
    """The telemetry of an attempt's node, from a little before to a little after it; of the first, where it had all."""

    attempt: str
    node: str
    kernel: str
    benchmark: str
    run: int
    started_ms: int
    ended_ms: int | None
    samples: tuple[Sample, ...]


def read_around(path: Path, attempt: str | None = None, margin_s: float = 30.0) -> Around | None:
    """``attempt``: None for the newest that has any. None where there is no such attempt. Raises StoreUnusable."""
    with reading(path) as connection:
        if attempt is None:
            newest = connection.execute(
                "SELECT attempt FROM attempt_samples WHERE started_at ="
                " (SELECT max(started_at) FROM attempt_samples) LIMIT 1"
            ).fetchone()
            if newest is None:
                return None
            attempt = newest[0]
        row = connection.execute(_AROUND, (attempt,)).fetchone()
        if row is None:
            return None
        node, kernel, benchmark, run, started_at, ended_at = row
        started_ms, ended_ms = at_ms(started_at), None if ended_at is None else at_ms(ended_at)
        margin_ms = round(1000 * margin_s)
        until = LAST if ended_ms is None else moment(ended_ms + margin_ms)
        samples = between(connection, node, moment(started_ms - margin_ms), until)
        return Around(attempt or "", node, kernel, benchmark, run, started_ms, ended_ms, tuple(samples))


LAST = "9999-01-01T00:00:00.000Z"

_AROUND = """
    SELECT nodes.name, boots.kernel, benchmarks.label, runs.number, attempts.started_at, attempts.ended_at
    FROM attempts JOIN runs ON runs.id = attempts.run JOIN boots ON boots.id = runs.boot
    JOIN benchmarks ON benchmarks.id = runs.benchmark JOIN nodes ON boots.node IN (nodes.name, '*')
    WHERE attempts.id = ? ORDER BY nodes.position
"""
