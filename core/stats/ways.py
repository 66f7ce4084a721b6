"""Each way of testing, over all groups that are tested so: the numbers of comparisons, by field name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hpcvirt.core.stats import blocked, paper
from hpcvirt.core.stats.arrays import BoolArray, FloatArray
from hpcvirt.core.stats.batch import Batch, block_counts, boot_counts, boot_means, chosen, first
from hpcvirt.core.stats.blocked import PairedOutcome
from hpcvirt.core.stats.flags import (
    FlagTable,
    blocked_diagnostics,
    blocked_edges,
    losses,
    merged,
    not_finite,
    of_pairs,
    one_block,
    paper_diagnostics,
    paper_edges,
    too_few,
)
from hpcvirt.core.stats.model import Method, Settings, Summary, Unit
from hpcvirt.core.stats.paper import Moments, Outcome, Pairs
from hpcvirt.core.stats.precision import Need
from hpcvirt.core.stats.series import series_flags

Columns = dict[str, FloatArray]
"""Numbers of a comparison by field name, each of shape (G, P)."""


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """Some groups tested in one way."""

    at: BoolArray
    """(G,) which groups of the whole these are."""
    method: Method
    unit: Unit
    columns: Columns
    need: Need
    """Arrays of shape (G, P)."""
    flags: FlagTable
    """By (group among these, pair)."""

    def flags_of_whole(self) -> FlagTable:
        """By (group of the whole, pair)."""
        number = np.nonzero(self.at)[0].tolist()
        return {(number[g], p): flags for (g, p), flags in self.flags.items()}


Way = tuple[Method, Unit]


def ways(batch: Batch, settings: Settings) -> list[Way]:
    """How each group is tested: what was asked for, as far as its blocks and boots allow."""
    if settings.method is Method.PAPER:
        return [(Method.PAPER, Unit.RUN)] * batch.shape[0]
    blocks, boots = block_counts(batch), boot_counts(batch)
    by_boot = boots.min(axis=1, where=batch.counts() > 0, initial=np.inf) > 1
    by_boot &= [all(one is None or one.has_boots for one in row) for row in batch.members]
    fall_back = [(Method.PAPER, Unit.BOOT if boot else Unit.RUN) for boot in by_boot]
    units = [settings.units.get(first(row).benchmark, settings.unit) for row in batch.members]
    ways = zip(blocks, units, fall_back, strict=True)
    return [(Method.BLOCKED, unit) if n > 1 else way for n, unit, way in ways]


def tested(whole: Batch, at: BoolArray, pairs: Pairs, settings: Settings, way: Way) -> Tested:
    """Test the groups marked in ``at`` (G,) in one way."""
    method, unit = way
    if method is Method.BLOCKED:
        return _by_blocks(whole, at, pairs, settings, unit)
    return _by_runs(whole, at, pairs, settings, unit)


def _by_blocks(whole: Batch, at: BoolArray, pairs: Pairs, settings: Settings, unit: Unit) -> Tested:
    runs = chosen(whole, at)
    outcomes = blocked.compare(runs, pairs, unit, settings.alpha, settings.delta)
    columns = _blocked_columns(runs, outcomes, pairs) | _counted(runs, pairs) | _harmonic(runs, pairs)
    flags = merged(
        [
            not_finite(runs, pairs),
            blocked_edges(runs, outcomes),
            losses(runs, pairs),
            blocked_diagnostics(runs, outcomes, unit),
            of_pairs(series_flags(runs, unit, settings.delta), pairs),
        ]
    )
    return Tested(at, Method.BLOCKED, unit, columns, _blocked_need(outcomes, settings), flags)


def _blocked_need(outcomes: Sequence[PairedOutcome], settings: Settings) -> Need:
    sd, nodes, blocks = (
        np.stack([getattr(one.estimate, name) for one in outcomes], axis=1) for name in ("sd", "nodes", "blocks")
    )
    variance = np.square(sd) / nodes
    return Need(variance, nodes, np.zeros_like(sd), np.full_like(sd, np.log1p(settings.delta) / 2), blocks)


def _blocked_columns(runs: Batch, outcomes: Sequence[PairedOutcome], pairs: Pairs) -> Columns:
    here, there = np.array(pairs).T
    mean = blocked.overall_means(runs)
    columns = {
        "n": np.stack([one.estimate.n for one in outcomes], axis=1),
        "mean": mean[:, here],
        "mean_baseline": mean[:, there],
        "sd": np.stack([one.estimate.sd for one in outcomes], axis=1),
        # expm1 keeps the digits of small differences, which exp(x) - 1 loses
        "difference_pct": 100 * np.expm1(np.stack([one.estimate.mean for one in outcomes], axis=1)),
        "ratio": np.exp(np.stack([one.estimate.mean for one in outcomes], axis=1)),
        "ci_low": np.exp(np.stack([one.low for one in outcomes], axis=1)),
        "ci_high": np.exp(np.stack([one.high for one in outcomes], axis=1)),
    }
    for name in ("t", "df", "p", "p_equivalence"):
        columns[name] = np.stack([getattr(one, name) for one in outcomes], axis=1)
    unknown = np.full_like(columns["p"], np.nan)
    none = ("sd_baseline", "t_student", "df_student", "p_student")
    return columns | {"n_baseline": columns["n"]} | dict.fromkeys(none, unknown)


def _by_runs(whole: Batch, at: BoolArray, pairs: Pairs, settings: Settings, unit: Unit) -> Tested:
    runs = chosen(whole, at)
    batch = boot_means(runs) if unit is Unit.BOOT else runs
    found = paper.moments(batch)
    outcome = paper.compare(found, pairs, batch.shift, settings.alpha, settings.delta)
    columns = _paper_columns(batch, found, outcome, pairs) | _counted(runs, pairs) | _harmonic(runs, pairs)
    flags = merged(
        [
            too_few(batch, found.n, pairs),
            not_finite(runs, pairs),
            paper_edges(outcome),
            one_block(outcome) if settings.method is not Method.PAPER and unit is Unit.RUN else {},
            losses(runs, pairs),
            paper_diagnostics(batch, found, pairs),
            of_pairs(series_flags(runs, unit, settings.delta), pairs),
        ]
    )
    return Tested(at, Method.PAPER, unit, columns, _paper_need(found, outcome, pairs), flags)


def _paper_need(found: Moments, outcome: Outcome, pairs: Pairs) -> Need:
    here, there = np.array(pairs).T
    one, other = found.variance[:, here], found.variance[:, there]
    rate = np.square(one + other) / (np.square(one) + np.square(other))
    lost = np.broadcast_to(np.maximum(found.nodes - 1, 0)[:, None], one.shape)
    now = np.minimum(found.n[:, here], found.n[:, there])
    return Need(one + other, rate, lost, outcome.margin / 2, now)


def _paper_columns(batch: Batch, found: Moments, outcome: Outcome, pairs: Pairs) -> Columns:
    here, there = np.array(pairs).T
    mean = found.mean + batch.shift[:, None]
    base = mean[:, there]
    relative, low, high = (
        np.where(base == 0, np.nan, x / base) for x in (outcome.difference, outcome.low, outcome.high)
    )
    restored = batch.lifted(mean)
    sd = batch.lifted(np.sqrt(found.variance))
    return {
        "n": found.n[:, here],
        "n_baseline": found.n[:, there],
        "mean": restored[:, here],
        "mean_baseline": restored[:, there],
        "sd": sd[:, here],
        "sd_baseline": sd[:, there],
        "difference_pct": 100 * relative,
        "ratio": 1 + relative,
        # a negative baseline turns the interval round
        "ci_low": 1 + np.fmin(low, high),
        "ci_high": 1 + np.fmax(low, high),
        "t": outcome.t,
        "df": outcome.df,
        "p": outcome.p,
        "t_student": outcome.t_student,
        "df_student": outcome.df_student,
        "p_student": outcome.p_student,
        "p_equivalence": outcome.p_equivalence,
    }


def _counted(runs: Batch, pairs: Pairs) -> Columns:
    here, there = np.array(pairs).T
    counts = runs.by_node()
    total = counts.sum(axis=2)
    nodes = ((counts[:, here] + counts[:, there]) > 0).sum(axis=2).astype(np.float64)
    return {"runs": total[:, here], "runs_baseline": total[:, there], "nodes": nodes}


def _harmonic(runs: Batch, pairs: Pairs) -> Columns:
    here, there = np.array(pairs).T
    positive = runs.scaled > 0
    count = runs.counts()
    inverse = runs.sums(np.where(positive, 1 / np.where(positive, runs.scaled, 1), 0.0))
    whole = (runs.sums(positive.astype(np.float64)) == count) & (runs.not_finite == 0) & (count > 0)
    mean = np.ldexp(np.where(whole, count / inverse, np.nan), runs.own_exponent)
    return {"mean_harmonic": mean[:, here], "mean_harmonic_baseline": mean[:, there]}


def by_summaries(batch: Batch, summaries: Sequence[Summary], pairs: Pairs, settings: Settings) -> Tested:
    """Test published means, standard deviations and n; ``batch`` carries their names only."""
    scaled, found = _published(batch, summaries)
    outcome = paper.compare(found, pairs, scaled.shift, settings.alpha, settings.delta)
    columns = _paper_columns(scaled, found, outcome, pairs) | _uncounted(found, pairs)
    flags = merged([too_few(batch, found.n, pairs), paper_edges(outcome)])
    everything = np.ones(batch.shape[0], dtype=bool)
    return Tested(everything, Method.PAPER, Unit.RUN, columns, _paper_need(found, outcome, pairs), flags)


def _published(batch: Batch, summaries: Sequence[Summary]) -> tuple[Batch, Moments]:
    """The moments of summaries, scaled by powers of two as a batch's values are."""
    n, mean, sd = (np.full(batch.shape, fill) for fill in (0.0, np.nan, np.nan))
    groups = {(row.benchmark, row.metric): g for g, row in enumerate(map(first, batch.members))}
    for one in summaries:
        at = groups[one.benchmark, one.metric], batch.kernels.index(one.kernel)
        n[at], mean[at], sd[at] = one.n, one.mean, one.sd
    largest = np.fmax.reduce(np.fmax(np.abs(mean), sd), axis=1)
    exponent = np.frexp(largest)[1].astype(np.int64)
    mean, sd = np.ldexp(mean, -exponent[:, None]), np.ldexp(sd, -exponent[:, None])
    freedom = np.maximum(n - 1, 0)
    squares = np.where(freedom > 0, np.square(sd) * freedom, 0.0)
    one_node = np.ones(n.shape[0])
    moments = Moments(n, mean, squares, freedom, np.zeros((n.shape[0], 1)), one_node, None)
    return replace(batch, exponent=exponent, shift=np.zeros(n.shape[0])), moments


def _uncounted(found: Moments, pairs: Pairs) -> Columns:
    here, there = np.array(pairs).T
    unknown = np.full((found.n.shape[0], len(pairs)), np.nan)
    return {
        "runs": found.n[:, here],
        "runs_baseline": found.n[:, there],
        "nodes": np.ones_like(unknown),
        "mean_harmonic": unknown,
        "mean_harmonic_baseline": unknown,
    }
