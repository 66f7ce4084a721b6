"""What a Bonnie report holds, whichever program printed it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hpcvirt.core.benchmark import Reading
from hpcvirt.core.model import Status
from hpcvirt.plugins.reading import Objection

PATTERNS = ("seq_out_char", "seq_out_block", "seq_rewrite", "seq_in_char", "seq_in_block", "rand_seeks")
"""In the order of the columns, which is not that of the tests."""

SEEKS = "rand_seeks"

MB_S = {"K/s": 1024 / 1e6, "K/sec": 1024 / 1e6, "M/s": 2**20 / 1e6, "M/sec": 2**20 / 1e6, "G/s": 2**30 / 1e6}
"""Factors to MB/s of 10^6 bytes: both programs divide by 1024 and its powers."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A rate and the processor's share, as printed."""

    rate: float
    unit: str
    """Of the rate; empty for seeks."""
    cpu: float | None = None


@dataclass(slots=True)
class Found:
    """One report."""

    cells: dict[str, Cell] = field(default_factory=dict)
    """What was measured, by pattern."""
    is_whole: bool = False
    """The program's last word is there."""
    fault: Objection | None = None
    """Why the cells are no result."""
    size_mib: float | None = None
    """Of the file, where it can be told."""

    @property
    def not_measured(self) -> tuple[str, ...]:
        """Patterns that the report names and has no value for."""
        return tuple(name for name in PATTERNS if name not in self.cells) if self.is_whole else ()

    @property
    def readings(self) -> dict[str, Reading]:
        """By metric name: what was measured, and the processor's share."""
        rates = {name: _rate(cell) for name, cell in self.cells.items()}
        shares = {f"{n}_cpu": Reading(c.cpu, "%", c.cpu, "%") for n, c in self.cells.items() if c.cpu is not None}
        return rates | shares


def _rate(cell: Cell) -> Reading:
    if not cell.unit:
        return Reading(cell.rate, "1/s", cell.rate, "1/s")
    return Reading(cell.rate, cell.unit, cell.rate * MB_S[cell.unit], "MB/s")


def is_measured(rate: float) -> bool:
    """A rate of nothing, or without end, is what was too quick to be timed."""
    return math.isfinite(rate) and rate > 0.0


NOTHING: Objection = (
    Status.UNVERIFIED,
    "nothing was measured: every test was skipped, or too quick for the clock; use a larger file",
)
