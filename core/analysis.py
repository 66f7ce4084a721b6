"""From a campaign's database to verdicts: measurements become series, the frozen design says how they are compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hpcvirt.core.clocks import clock_flags
from hpcvirt.core.disturbance import disturbance_flags
from hpcvirt.core.interim import (
    Interim,
    LookRequest,
    interim,
    looked_at,
    looks_note,
    marked,
    skipped_note,
)
from hpcvirt.core.rebooted import flagged, rebooted_flags, rebooted_within
from hpcvirt.core.stats import Comparison, Correction, Method, ResultTable, Series, Settings, Unit, Wanted, compare
from hpcvirt.core.stats.report import notes
from hpcvirt.core.store.clocks import read_timings
from hpcvirt.core.store.queries import Values, read_campaign_record, read_values
from hpcvirt.core.store.records import BenchmarkRecord, CampaignRecord


def compare_database(path: Path, wanted: Wanted | None = None, look: LookRequest | None = None) -> ResultTable:
    """Compare the kernels of a database as its campaign was frozen.

    Before the planned end intervals, p-values and verdicts are withheld unless ``look`` asks for them, which is
    recorded. Raises StoreUnusable, and UsageWrong when what is wanted does not fit the data.
    """
    wanted = wanted or Wanted()
    state = interim(path)
    campaign, benchmarks = read_campaign_record(path)
    series = list(_series(campaign, benchmarks, read_values(path)))
    settings = settings_of(campaign, benchmarks, wanted)
    rows = compare(series, settings) if any(one.values.size for one in series) else ()
    if rows:
        state = looked_at(path, state, look, _shown(campaign, wanted))
    rebooted = rebooted_within(path)
    rows = marked(flagged(rows, rebooted), state)
    footer = (
        *_footer(campaign, rows, settings, wanted, state),
        *skipped_note(path, state),
        *looks_note(path),
        *clock_flags(read_timings(path), wanted.baseline or campaign.baseline),
        *disturbance_flags(path),
        *rebooted_flags(rebooted),
    )
    return ResultTable(rows, footer if rows else ())


def _shown(campaign: CampaignRecord, wanted: Wanted) -> str:
    """Say what a look shows, and by which settings where they are not the frozen ones."""
    method = f"method {wanted.method}" if wanted.method else "the frozen method"
    others = [change for change in _changed(campaign, wanted) if not change.startswith("method ")]
    return "; ".join([f"intervals, p-values and verdicts by {method}", *others])


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
        contrasts=(*campaign.contrasts, *wanted.contrasts),
        alpha=campaign.alpha if wanted.alpha is None else wanted.alpha,
        delta=campaign.delta if wanted.delta is None else wanted.delta,
        method=wanted.method or (Method(campaign.method) if campaign.method else None),
        # What was replicated is a matter of the design, never of taste.
        unit=Unit(campaign.replication_unit),
        units={benchmark.label: Unit(benchmark.replication_unit) for benchmark in benchmarks},
        correction=wanted.correction or Correction(campaign.correction),
        planned_blocks=campaign.blocks + campaign.added_blocks,
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
                    exact=metric.is_exact,
                    node=column.node,
                    block=column.block,
                    boot=column.boot,
                    attempts=values.attempts.get((benchmark.id, kernel), {}),
                    visits=values.visits.get((benchmark.id, kernel), frozenset()),
                )


def _footer(
    campaign: CampaignRecord, rows: tuple[Comparison, ...], settings: Settings, wanted: Wanted, state: Interim | None
) -> tuple[str, ...]:
    lines = [state.note] if state else []
    if state is None or not state.is_withheld:
        # notes tell of families, intervals and verdicts
        lines += notes(rows, settings, campaign.same_kernels)
    if not campaign.is_rebooted:
        lines.append("no node was rebooted: variation from boot to boot was not sampled")
    changed = _changed(campaign, wanted)
    if changed:
        lines.append(f"not as the campaign was frozen: {', '.join(changed)}")
    return tuple(lines)


def _changed(campaign: CampaignRecord, wanted: Wanted) -> list[str]:
    """Say what is wanted otherwise than the campaign was frozen."""
    frozen = {name: getattr(campaign, name) for name in ("baseline", "alpha", "delta", "correction")}
    frozen["method"] = campaign.method or Method.BLOCKED
    changed = [
        f"{name} {getattr(wanted, name)} (frozen: {value})"
        for name, value in frozen.items()
        if getattr(wanted, name) not in {None, value}
    ]
    planned = {frozenset(pair) for pair in campaign.contrasts}
    changed += [
        f"contrast {a} against {b} (not planned)"
        for a, b in wanted.contrasts
        if campaign.baseline not in {a, b} and frozenset({a, b}) not in planned
    ]
    return changed
