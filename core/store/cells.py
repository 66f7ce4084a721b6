"""A cell of the results: one metric of one benchmark under two kernels, value by value, and its attempts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hpcvirt.core.store.attempts import AttemptRow, read_cell_attempts
from hpcvirt.core.store.queries import reading


@dataclass(frozen=True, slots=True)
class CellValue:
    """One value that counts."""

    kernel: str
    node: str
    block: int
    boot: int
    """Which tells boots apart."""
    run: int
    """Within kernel, benchmark and node."""
    attempt: str
    at: str
    """When its attempt began."""
    value: float


@dataclass(frozen=True, slots=True)
class CellDetail:
    """What a comparison is made of."""

    benchmark: str
    metric: str
    unit: str
    kernels: tuple[str, ...]
    """The baseline first."""
    values: tuple[CellValue, ...]
    """In the order of time."""
    attempts: tuple[AttemptRow, ...]
    """Those that were not ok first, then the newest: at most a page of them."""
    attempts_total: int

    def of(self, kernel: str) -> list[CellValue]:
        """Under one kernel."""
        return [value for value in self.values if value.kernel == kernel]

    @property
    def nodes(self) -> tuple[str, ...]:
        """In the order in which they come."""
        return tuple(dict.fromkeys(value.node for value in self.values))


def read_cell(path: Path, benchmark: str, metric: str, kernels: Sequence[str]) -> CellDetail:
    """``benchmark``: its label; ``kernels``: the baseline first. Raises StoreUnusable."""
    with reading(path) as connection:
        found = connection.execute(_UNIT, (benchmark, metric)).fetchone()
        rows = connection.execute(_VALUES.format(marks=",".join("?" * len(kernels))), (benchmark, metric, *kernels))
        values = tuple(CellValue(*row) for row in rows)
    attempts, total = read_cell_attempts(path, benchmark, kernels)
    return CellDetail(benchmark, metric, found[0] if found else "", tuple(kernels), values, attempts, total)


def visits(cell: CellDetail) -> Iterator[tuple[str, int, dict[str, list[float]]]]:
    """Node, block, and the values of that visit by kernel, in run order; node after node."""
    told: dict[tuple[str, int], dict[str, list[float]]] = {}
    for value in cell.values:
        told.setdefault((value.node, value.block), {}).setdefault(value.kernel, []).append(value.value)
    order = {node: place for place, node in enumerate(cell.nodes)}
    for node, block in sorted(told, key=lambda place: (order[place[0]], place[1])):
        yield node, block, told[node, block]


_UNIT = """
    SELECT metrics.unit FROM metrics JOIN benchmarks ON benchmarks.id = metrics.benchmark
    WHERE benchmarks.label = ? AND metrics.name = ?
"""

_VALUES = """
    SELECT boots.kernel, boots.node, boots.block, boots.id, runs.number, attempts.id, attempts.started_at,
           measurements.value
    FROM measurements
    JOIN attempts ON attempts.id = measurements.attempt
    JOIN runs ON runs.id = attempts.run
    JOIN boots ON boots.id = runs.boot
    JOIN benchmarks ON benchmarks.id = runs.benchmark
    WHERE attempts.status = 'ok' AND NOT runs.is_warmup AND benchmarks.label = ? AND measurements.metric = ?
          AND boots.kernel IN ({marks})
    ORDER BY attempts.started_at, runs.id
"""
