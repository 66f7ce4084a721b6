"""What plots show, worked out from a campaign's database: ``charts`` has the words."""

from __future__ import annotations

from pathlib import Path

from hpcvirt.core.analysis import database_series, settings_of
from hpcvirt.core.charts import Charts, Spot
from hpcvirt.core.stats import compare
from hpcvirt.core.stats.estimate import estimate
from hpcvirt.core.store.queries import read_campaign_record
from hpcvirt.core.store.telemetry import read_around


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
