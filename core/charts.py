"""What plots show of a campaign: values in order of time, means with intervals, comparisons, a run's telemetry."""

from __future__ import annotations

from dataclasses import dataclass

from hpcvirt.core.stats.model import Comparison, Estimate
from hpcvirt.core.store.cells import CellDetail
from hpcvirt.core.store.telemetry import Around


@dataclass(frozen=True, slots=True)
class Spot:
    """One metric of one benchmark under one kernel."""

    benchmark: str
    """Label."""
    metric: str
    unit: str
    kernel: str
    values: tuple[float, ...]
    """In the order of time."""
    boots: tuple[int, ...]
    """Of each value."""
    mean: Estimate | None


@dataclass(frozen=True, slots=True)
class Charts:
    """Everything at one moment."""

    kernels: tuple[str, ...]
    baseline: str
    alpha: float
    delta: float
    spots: tuple[Spot, ...]
    """Those with values only."""
    rows: tuple[Comparison, ...]
    around: Around | None
    """Telemetry around one run. None: there is no run yet."""
    interim: str = ""
    """How many of the planned runs are in; empty: the campaign is finished."""
    is_withheld: bool = False
    """Whether intervals and quartiles are withheld until the planned end."""


def charts_of_cell(cell: CellDetail) -> Charts:
    """The values of one comparison, to be drawn by themselves. Whoever draws them before the end says so in them."""
    spots = []
    for kernel in cell.kernels:
        values = cell.of(kernel)
        numbers, boots = tuple(one.value for one in values), tuple(one.boot for one in values)
        if values:
            spots.append(Spot(cell.benchmark, cell.metric, cell.unit, kernel, numbers, boots, None))
    return Charts(cell.kernels, cell.kernels[0], 0.05, 0.02, tuple(spots), (), None)
