"""What plots show of a campaign: values in order of time, means with intervals, comparisons, a run's telemetry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hpcvirt.core.analysis import database_series, settings_of
from hpcvirt.core.stats import Comparison, compare
from hpcvirt.core.stats.estimate import Estimate, estimate
from hpcvirt.core.store.cells import CellDetail
from hpcvirt.core.store.queries import read_campaign_record
from hpcvirt.core.store.telemetry import Around, read_around


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


def read_charts(path: Path, attempt: str | None = None) -> Charts:
    """``attempt``: whose telemetry; None: the newest that has any. Raises StoreUnusable."""
    campaign, benchmarks = read_campaign_record(path)
    series = [one for one in database_series(path) if one.values.size]
    settings = settings_of(campaign, benchmarks)
    spots = [
        Spot(
            one.benchmark,
            one.metric,
            one.unit,
            one.kernel,
            tuple(one.values.tolist()),
            tuple(one.boot.tolist()),
            estimate(one, campaign.alpha),
        )
        for one in series
    ]
    return Charts(
        kernels=campaign.kernels,
        baseline=campaign.baseline,
        alpha=campaign.alpha,
        delta=campaign.delta,
        spots=tuple(spots),
        rows=tuple(compare(series, settings)) if series else (),
        around=read_around(path, attempt),
    )


def charts_of_cell(cell: CellDetail) -> Charts:
    """The values of one comparison, to be drawn by themselves."""
    spots = []
    for kernel in cell.kernels:
        values = cell.of(kernel)
        numbers, boots = tuple(one.value for one in values), tuple(one.boot for one in values)
        if values:
            spots.append(Spot(cell.benchmark, cell.metric, cell.unit, kernel, numbers, boots, None))
    return Charts(cell.kernels, cell.kernels[0], 0.05, 0.02, tuple(spots), (), None)
