"""From a campaign's database to verdicts: measurements become series, the frozen design says how they are compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hpcvirt.core.clocks import clock_flags
from hpcvirt.core.disturbance import disturbance_flags
from hpcvirt.core.rebooted import flagged, rebooted_flags, rebooted_within
from hpcvirt.core.stats import Comparison, Correction, Method, ResultTable, Series, Settings, Unit, Wanted, compare
from hpcvirt.core.stats.report import notes
from hpcvirt.core.store.clocks import read_timings
from hpcvirt.core.store.queries import Values, read_campaign_record, read_values
from hpcvirt.core.store.records import BenchmarkRecord, CampaignRecord


def compare_database(path: Path, wanted: Wanted | None = None) -> ResultTable:
    """Compare the kernels of a database as its campaign was frozen.

    Raises StoreUnusable, and UsageWrong when what is wanted does not fit the data.
    """
    wanted = wanted or Wanted()
    campaign, benchmarks = read_campaign_record(path)
    series = list(_series(campaign, benchmarks, read_values(path)))
    settings = settings_of(campaign, benchmarks, wanted)
    rows = compare(series, settings) if any(one.values.size for one in series) else ()
    rebooted = rebooted_within(path)
    rows = flagged(rows, rebooted)
    footer = (
        *_footer(campaign, rows, settings, wanted),
        *clock_flags(read_timings(path), wanted.baseline or campaign.baseline),
        *disturbance_flags(path),
        *rebooted_flags(rebooted),
    )
    return ResultTable(rows, footer if rows else ())


def database_series(path: Path) -> list[Series]:
    """Every metric under every kernel of a database, also where there is no value yet. Raises StoreUnusable."""
    campaign, benchmarks = read_campaign_record(path)
    return list(_series(campaign, benchmarks, read_values(path)))


def settings_of(
    campaign: CampaignRecord, benchmarks: Sequence[BenchmarkRecord], wanted: Wanted | None = None
) -> Settings:
    """How a campaign's kernels are compared: as it was frozen, unless something else is wanted."""
    wanted = wanted or Wanted()
    return Settings(
        baseline=wanted.baseline or campaign.baseline,
        contrasts=campaign.contrasts,
        alpha=campaign.alpha if wanted.alpha is None else wanted.alpha,
        delta=campaign.delta if wanted.delta is None else wanted.delta,
        method=wanted.method or (Method(campaign.method) if campaign.method else None),
        # What was replicated is a matter of the design, never of taste.
        unit=Unit(campaign.replication_unit),
        units={benchmark.label: Unit(benchmark.replication_unit) for benchmark in benchmarks},
        correction=wanted.correction or Correction(campaign.correction),
    )


def _series(campaign: CampaignRecord, benchmarks: tuple[BenchmarkRecord, ...], values: Values) -> Iterator[Series]:
    """One for every benchmark, metric and kernel of the plan, also where there is no value yet."""
    for benchmark in benchmarks:
        for metric in benchmark.metrics:
            for kernel in campaign.kernels:
                column = values.of(benchmark.id, metric.name, kernel)
                yield Series.of(
                    kernel,
                    benchmark.label,
                    metric.name,
                    column.value,
                    unit=metric.unit,
                    better=metric.better,
                    primary=metric.is_primary,
                    node=column.node,
                    block=column.block,
                    boot=column.boot,
                    attempts=values.attempts.get((benchmark.id, kernel), {}),
                )


def _footer(
    campaign: CampaignRecord, rows: tuple[Comparison, ...], settings: Settings, wanted: Wanted
) -> tuple[str, ...]:
    lines = list(notes(rows, settings, campaign.same_kernels))
    if not campaign.is_rebooted:
        lines.append("no node was rebooted: variation from boot to boot was not sampled")
    frozen = {name: getattr(campaign, name) for name in ("baseline", "alpha", "delta", "correction")}
    frozen["method"] = campaign.method or Method.BLOCKED
    changed = [
        f"{name} {getattr(wanted, name)} (frozen: {value})"
        for name, value in frozen.items()
        if getattr(wanted, name) not in {None, value}
    ]
    if changed:
        lines.append(f"not as the campaign was frozen: {', '.join(changed)}")
    return tuple(lines)
