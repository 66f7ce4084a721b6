"""Single runs as an operator asks about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hpcvirt.core.store.queries import reading

SKIPPED_BY = "skipped by "
"""With this and who asked begins why a skipped run was given up."""


class RunState(StrEnum):
    """What became of a run so far."""

    OK = "ok"
    GIVEN_UP = "given up"
    LEFT = "left"
    """Still to be done, or under way."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One planned run."""

    id: int
    node: str
    kernel: str
    benchmark: str
    number: int
    state: RunState
    why: str
    """Why it was given up; empty otherwise."""


def read_runs(path: Path, ids: Sequence[int]) -> list[RunRecord]:
    """Those of these runs that there are. Raises StoreUnusable."""
    with reading(path) as connection:
        marks = ", ".join("?" * len(ids))
        return [_record(row) for row in connection.execute(f"{_RUNS} WHERE runs.id IN ({marks})", tuple(ids))]


def read_given_up(path: Path) -> list[RunRecord]:
    """Every run that got no ok attempt and gets no more. Raises StoreUnusable."""
    with reading(path) as connection:
        return [_record(row) for row in connection.execute(f"{_RUNS} WHERE given_up_at IS NOT NULL ORDER BY runs.id")]


def read_skipped(path: Path) -> tuple[int, int]:
    """Measured runs that operators skipped before their first attempt, and all that are planned. Raises StoreUnusable.

    Warm-up runs are not counted, nor runs that somebody wants requeued.
    """
    with reading(path) as connection:
        skipped, planned = connection.execute(_SKIPPED, (f"{SKIPPED_BY}%",)).fetchone()
        return int(skipped or 0), int(planned)


def _record(row: Sequence[object]) -> RunRecord:
    number, node, kernel, benchmark, run, is_ok, given_up_at, why = row
    state = RunState.OK if is_ok else RunState.LEFT if given_up_at is None else RunState.GIVEN_UP
    return RunRecord(int(str(number)), str(node), str(kernel), str(benchmark), int(str(run)), state, str(why or ""))


_RUNS = """
    SELECT runs.id, boots.node, boots.kernel, benchmarks.label, runs.number,
           EXISTS (SELECT 1 FROM attempts WHERE attempts.run = runs.id AND attempts.status = 'ok'),
           runs.given_up_at, runs.given_up_why
    FROM runs JOIN boots ON boots.id = runs.boot JOIN benchmarks ON benchmarks.id = runs.benchmark
"""

_SKIPPED = """
    SELECT sum(given_up_at IS NOT NULL AND given_up_why LIKE ?
               AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.run = runs.id)
               AND NOT EXISTS (SELECT 1 FROM wishes
                               WHERE wishes.run = runs.id AND kind = 'requeue' AND obeyed_at IS NULL)),
           count(*)
    FROM runs WHERE NOT is_warmup
"""
