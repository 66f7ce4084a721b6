"""What earlier databases teach about a campaign: how long runs and boots take, how much they vary, what nodes were."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from hpcvirt.core.errors import HpcvirtError
from hpcvirt.core.model import Campaign
from hpcvirt.core.stats.model import Series, Unit
from hpcvirt.core.stats.power import Spread
from hpcvirt.core.stats.spread import CommonVariance, VarianceSplit, common_variance, split
from hpcvirt.core.store.queries import Column, read_campaign_record, read_values, reading
from hpcvirt.core.store.setups import Setup, read_setups

MOST_DATABASES = 20

LEAST_SHARED_DF = 4
"""Degrees of freedom of blocks below which the share of variance common to nodes is taken as not known."""


@dataclass(frozen=True, slots=True)
class Experience:
    """What is known from before. Empty where nothing is."""

    run_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds from the begin of one run to the end of its filing, by benchmark label."""
    boot_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds from the order to reboot to the proof of kernel, by kernel. Only of real reboots."""
    spread: Spread | None = None
    """Of the typical (median) primary metric; ``shared`` from benchmarks whose nodes moved together."""
    setups: tuple[Setup, ...] = ()
    databases: tuple[Path, ...] = ()
    """Those that something was learnt from, the newest first."""


def learn(databases: Iterable[Path], campaign: Campaign) -> Experience:
    """Read what databases, the newest first, tell of this campaign's nodes. The newest has the last word.

    Those of other nodes, of other programs and of other versions are passed over.
    """
    found = [one for path in databases if (one := _of(path, campaign)) is not None][:MOST_DATABASES]
    run_s: dict[str, float] = {}
    boot_s: dict[str, float] = {}
    for one in reversed(found):
        run_s |= one.run_s
        boot_s |= one.boot_s
    return Experience(
        run_s=run_s,
        boot_s=boot_s,
        spread=_newest_spread([one.spread for one in found if one.spread is not None]),
        setups=next((one.setups for one in found if one.setups), ()),
        databases=tuple(path for one in found for path in one.databases),
    )


def _newest_spread(spreads: Sequence[Spread]) -> Spread | None:
    """The newest; what is common to nodes from the newest that knows it."""
    if not spreads:
        return None
    return replace(spreads[0], shared=next((one.shared for one in spreads if one.shared is not None), None))


def _of(path: Path, campaign: Campaign) -> Experience | None:
    try:
        with reading(path) as connection:
            if not _is_about(connection, campaign):
                return None
            run_s = dict(connection.execute(_RUNS).fetchall())
            boot_s = dict(connection.execute(_BOOTS).fetchall())
        if not run_s:
            return None
        kernels = {kernel.name for kernel in campaign.kernels}
        setups = tuple(setup for setup in read_setups(path) if setup.kernel in kernels)
        return Experience(run_s, boot_s, _spread(path), setups, (path,))
    except HpcvirtError:
        return None


def _is_about(connection: sqlite3.Connection, campaign: Campaign) -> bool:
    hosts = {str(row[0]) for row in connection.execute("SELECT host FROM nodes")}
    return not hosts.isdisjoint(node.host for node in campaign.nodes)


def _spread(path: Path) -> Spread | None:
    """Within one kernel and benchmark, so that no true difference is taken for variation."""
    campaign, benchmarks = read_campaign_record(path)
    values = read_values(path)
    splits: list[VarianceSplit] = []
    common: list[CommonVariance] = []
    for benchmark in benchmarks:
        for metric in benchmark.metrics:
            if metric.is_primary:
                kernels = [
                    _series(kernel, benchmark.label, metric.name, values.of(benchmark.id, metric.name, kernel))
                    for kernel in campaign.kernels
                ]
                splits += [found for one in kernels if (found := split(one)) is not None]
                if benchmark.replication_unit == Unit.BLOCK and (together := common_variance(kernels)) is not None:
                    common.append(together)
    boot, run = _typical(splits, "between_boots"), _typical(splits, "within_boots")
    if boot is None or run is None or boot + run == 0:
        return None
    return Spread(boot=boot, run=run, shared=_shared(common))


def _series(kernel: str, benchmark: str, metric: str, column: Column) -> Series:
    return Series.of(kernel, benchmark, metric, column.value, node=column.node, block=column.block, boot=column.boot)


def _shared(common: Sequence[CommonVariance]) -> float | None:
    """The typical (median) share, from metrics with enough blocks to say anything."""
    known = [share for one in common if one.df_blocks >= LEAST_SHARED_DF and (share := one.shared) is not None]
    return median(known) if known else None


def _typical(splits: Sequence[VarianceSplit], part: str) -> float | None:
    """Standard deviation as a fraction of the mean."""
    known = [sd / 100 for one in splits if (sd := one.sd_pct(part)) is not None]
    return median(known) if known else None


_RUNS = """
    SELECT benchmarks.label, avg((julianday(ended_at) - julianday(attempts.started_at)) * 86400.0)
    FROM attempts JOIN runs ON runs.id = attempts.run JOIN benchmarks ON benchmarks.id = runs.benchmark
    WHERE status = 'ok' AND elapsed_s IS NOT NULL
    GROUP BY benchmarks.label
"""

_BOOTS = """
    SELECT kernel, avg((julianday(proved_at) - julianday(started_at)) * 86400.0)
    FROM boots WHERE rebooted AND proved_at IS NOT NULL GROUP BY kernel
"""
