"""Attempts as an operator looks at them: a list that is searched and paged in the database, and one in full."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.model import ALL_NODES, Status
from hpcvirt.core.store.output import STREAMS, OutputReader
from hpcvirt.core.store.queries import reading
from hpcvirt.core.store.samples import Sample, between

PAGE_ROWS = 300
LAST_BYTES = 4096
LAST_PAGE = 1 << 40


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt in a line."""

    id: str
    run_id: int
    """Of the run in the plan: what ``skip`` and ``requeue`` name."""
    started_at: str
    node: str
    kernel: str
    block: int
    benchmark: str
    run: int
    """Within kernel, benchmark and node."""
    number: int
    """Within the run."""
    status: str
    """A Status, or ``under way``."""
    reason: str
    exit_status: int | None
    duration_s: float | None


@dataclass(frozen=True, slots=True)
class AttemptPage:
    """Some of the attempts that were asked for, the newest first."""

    rows: tuple[AttemptRow, ...]
    total: int
    """All that were asked for."""
    offset: int


@dataclass(frozen=True, slots=True)
class AttemptDetail:
    """Everything of one attempt but its output."""

    row: AttemptRow
    ended_at: str | None
    elapsed_s: float | None
    user_s: float | None
    system_s: float | None
    boot_id: str | None
    is_truncated: bool
    before: Mapping[str, object]
    """Identity as it was read before the run; empty: it was not."""
    after: Mapping[str, object]
    values: tuple[tuple[str, float, str], ...]
    """Metric, value, unit."""
    samples: tuple[Sample, ...]
    """Telemetry of its node while it ran."""
    command: str = ""
    """What was executed, as a shell takes it."""
    last_output: tuple[str, bytes] = ("", b"")
    """Of one that is not ok: a stream and the end of what was written to it, not clean; stderr before stdout."""


def read_attempts(path: Path, words: str = "", offset: int = 0) -> AttemptPage:
    """Attempts in which every word occurs: in node, kernel, benchmark, status or reason. Raises StoreUnusable."""
    wanted = words.casefold().split()
    condition = " AND ".join([f"instr(lower({_TEXT}), ?) > 0"] * len(wanted)) or "1"
    with reading(path) as connection:
        total = connection.execute(f"SELECT count(*) {_FROM} WHERE {condition}", wanted).fetchone()[0]
        rows = connection.execute(
            f"SELECT {_COLUMNS} {_FROM} WHERE {condition}"
            " ORDER BY attempts.started_at DESC, attempts.id LIMIT ? OFFSET ?",
            (*wanted, PAGE_ROWS, offset),
        )
        return AttemptPage(tuple(AttemptRow(*row) for row in rows), int(total), offset)


def read_cell_attempts(path: Path, benchmark: str, kernels: Sequence[str]) -> tuple[tuple[AttemptRow, ...], int]:
    """A page of a benchmark's attempts under some kernels, and how many there are. Raises StoreUnusable.

    Those that were not ok come first, then the newest.
    """
    condition = f"benchmarks.label = ? AND boots.kernel IN ({','.join('?' * len(kernels))})"
    with reading(path) as connection:
        total = connection.execute(f"SELECT count(*) {_FROM} WHERE {condition}", (benchmark, *kernels)).fetchone()[0]
        rows = connection.execute(
            f"SELECT {_COLUMNS} {_FROM} WHERE {condition}"
            " ORDER BY attempts.status = 'ok', attempts.started_at DESC, attempts.id LIMIT ?",
            (benchmark, *kernels, PAGE_ROWS),
        )
        return tuple(AttemptRow(*row) for row in rows), int(total)


def read_attempt(path: Path, attempt: str) -> AttemptDetail:
    """One attempt. Raises StoreUnusable, also when there is none."""
    with reading(path) as connection:
        found = connection.execute(f"SELECT {_COLUMNS} {_FROM} WHERE attempts.id = ?", (attempt,)).fetchone()
        if found is None:
            raise StoreUnusable(f"{path}: there is no attempt {attempt}")
        row = AttemptRow(*found)
        more = connection.execute(_MORE, (attempt,)).fetchone()
        values = connection.execute(_VALUES, (attempt,)).fetchall()
        # Of the first node, where it had all.
        (first,) = connection.execute("SELECT name FROM nodes ORDER BY position LIMIT 1").fetchone()
        node = first if row.node == ALL_NODES else row.node
        samples = between(connection, node, row.started_at, more["ended_at"] or "9999-01-01T00:00:00.000Z")
    return AttemptDetail(
        row=row,
        ended_at=more["ended_at"],
        elapsed_s=more["elapsed_s"],
        user_s=more["user_s"],
        system_s=more["system_s"],
        boot_id=more["boot_id"],
        is_truncated=bool(more["truncated"]),
        before=json.loads(more["before"] or "{}"),
        after=json.loads(more["after"] or "{}"),
        values=tuple((name, value, unit) for name, value, unit in values),
        samples=tuple(samples),
        command=more["launched"] or "",
        last_output=("", b"") if row.status == Status.OK or more["ended_at"] is None else _last_output(path, attempt),
    )


def _last_output(path: Path, attempt: str) -> tuple[str, bytes]:
    with suppress(StoreUnusable):  # damaged: whoever looks at the output itself is told
        for stream in reversed(STREAMS):
            reader = OutputReader(path, attempt, stream)
            last = reader.page(LAST_PAGE)
            if last.size:
                # The last page may be of one byte only.
                before = reader.page(last.page - 1).content if last.page else b""
                return stream, (before + last.content)[-LAST_BYTES:]
    return "", b""


_TEXT = (
    "boots.node || ' ' || boots.kernel || ' ' || benchmarks.label || ' ' ||"
    " coalesce(attempts.status, 'under way') || ' ' || attempts.reason"
)

_COLUMNS = """attempts.id, runs.id, attempts.started_at, boots.node, boots.kernel, boots.block, benchmarks.label,
    runs.number, attempts.number, coalesce(attempts.status, 'under way'), attempts.reason, attempts.exit_status,
    attempts.duration_s"""

_FROM = """FROM attempts JOIN runs ON runs.id = attempts.run JOIN boots ON boots.id = runs.boot
    JOIN benchmarks ON benchmarks.id = runs.benchmark"""

_MORE = """
    SELECT attempts.ended_at, elapsed_s, user_s, system_s, attempts.boot_id, truncated, launched,
           before.content AS before, after.content AS after
    FROM attempts
    LEFT JOIN identities AS before ON before.id = attempts.identity_before
    LEFT JOIN identities AS after ON after.id = attempts.identity_after
    WHERE attempts.id = ?
"""

_VALUES = """
    SELECT measurements.metric, value, metrics.unit FROM measurements
    JOIN attempts ON attempts.id = measurements.attempt JOIN runs ON runs.id = attempts.run
    JOIN metrics ON metrics.benchmark = runs.benchmark AND metrics.name = measurements.metric
    WHERE measurements.attempt = ? ORDER BY metrics.position
"""
