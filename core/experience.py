"""What earlier databases teach about a campaign: how long runs and boots take, how much they vary, what nodes were."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from hpcvirt.core.errors import HpcvirtError
from hpcvirt.core.model import Campaign
from hpcvirt.core.stats.model import Series
from hpcvirt.core.stats.power import Spread
from hpcvirt.core.stats.spread import VarianceSplit, split
from hpcvirt.core.store.queries import read_campaign_record, read_values, reading
from hpcvirt.core.store.setups import Setup, read_setups

MOST_DATABASES = 20


@dataclass(frozen=True, slots=True)
class Experience:
    """What is known from before. Empty where nothing is."""

    run_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds from the begin of one run to the end of its filing, by benchmark label."""
    boot_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds from the order to reboot to the proof of kernel, by kernel. Only of real reboots."""
    spread: Spread | None = None
    """Of the typical (median) primary metric."""
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
        spread=next((one.spread for one in found if one.spread is not None), None),
        setups=next((one.setups for one in found if one.setups), ()),
        databases=tuple(path for one in found for path in one.databases),
    )


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
    for benchmark in benchmarks:
        for metric in benchmark.metrics:
            for kernel in campaign.kernels:
                column = values.of(benchmark.id, metric.name, kernel)
                if metric.is_primary and len(column) > 1:
                    found = split(
                        Series.of(
                            kernel,
                            benchmark.label,
                            metric.name,
                            column.value,
                            node=column.node,
                            block=column.block,
                            boot=column.boot,
                        )
                    )
                    splits += [] if found is None else [found]
    boot, run = _typical(splits, "between_boots"), _typical(splits, "within_boots")
    return None if boot is None or run is None or boot + run == 0 else Spread(boot=boot, run=run)


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
