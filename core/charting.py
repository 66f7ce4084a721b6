"""What plots show, worked out from a campaign's database: ``charts`` has the words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hpcvirt.core.analysis import database_series, settings_of
from hpcvirt.core.charts import Charts, Spot
from hpcvirt.core.interim import LookRequest, interim, looked_at, marked
from hpcvirt.core.stats import Series, compare
from hpcvirt.core.stats.estimate import estimate
from hpcvirt.core.store.queries import read_campaign_record
from hpcvirt.core.store.telemetry import read_around


def read_charts(path: Path, attempt: str | None = None, look: LookRequest | None = None) -> Charts:
    """Read what plots show. ``attempt``: whose telemetry; None: the newest that has any.

    Before the planned end intervals are withheld unless ``look`` asks for them, which is recorded.
    Raises StoreUnusable.
    """
    state = interim(path)
    campaign, benchmarks = read_campaign_record(path)
    series = [one for one in database_series(path) if one.values.size]
    settings = settings_of(campaign, benchmarks)
    rows = compare(series, settings) if series else ()
    if series:
        state = looked_at(path, state, look, "intervals in plots")
    is_withheld = state is not None and state.is_withheld
    return Charts(
        kernels=campaign.kernels,
        baseline=campaign.baseline,
        alpha=campaign.alpha,
        delta=campaign.delta,
        spots=tuple(_spot(one, campaign.alpha, is_withheld) for one in series),
        rows=marked(rows, state),
        around=read_around(path, attempt),
        interim=state.progress if state else "",
        is_withheld=is_withheld,
    )


def _spot(series: Series, alpha: float, is_withheld: bool) -> Spot:
    mean = estimate(series, alpha)
    if mean is not None and is_withheld:
        mean = replace(mean, low=None, high=None)
    return Spot(
        series.benchmark,
        series.metric,
        series.unit,
        series.kernel,
        tuple(series.values.tolist()),
        tuple(series.boot.tolist()),
        mean,
    )
