"""What is known of time: each attempt's duration by the node, by the login node, and its CPU time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hpcvirt.core.store.queries import reading


@dataclass(frozen=True, slots=True)
class Timing:
    """One ok attempt."""

    node: str
    kernel: str
    benchmark: str
    duration_s: float
    """By the node's clock, or by its uptime where its clock jumped."""
    elapsed_s: float | None
    """By the login node's clock, round trips included. None: it was collected later."""
    cpu_s: float | None
    """User and system time of its processes."""
    jump_s: float | None
    """By how much more the node's clock went on than its uptime, where the attempt is timed by uptime for it."""


def read_timings(path: Path) -> list[Timing]:
    """Every ok attempt, in the order of their begin. Raises StoreUnusable."""
    with reading(path) as connection:
        places = {boot: (node, kernel) for boot, node, kernel in connection.execute(_PLACES)}
        labels = dict(tuple(row) for row in connection.execute("SELECT id, label FROM benchmarks"))
        cursor = connection.cursor()
        cursor.row_factory = None
        rows = cursor.execute(_TIMINGS)
        return [Timing(*places[boot], labels[benchmark], *times) for boot, benchmark, *times in rows]


_PLACES = "SELECT id, node, kernel FROM boots"

# Words are looked up: to sort them along with the rest takes twice as long.
_TIMINGS = """
    SELECT runs.boot, runs.benchmark, duration_s, elapsed_s, user_s + system_s,
           CASE WHEN abs(duration_s - (clock_after_s - clock_before_s)) > 1e-6
                THEN (clock_after_s - clock_before_s) - (uptime_after_s - uptime_before_s) END
    FROM attempts JOIN runs ON runs.id = attempts.run
    WHERE attempts.status = 'ok' AND duration_s IS NOT NULL
    ORDER BY attempts.started_at
"""
