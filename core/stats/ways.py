"""Each way of testing, over all groups that are tested so: the numbers of comparisons, by field name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hpcvirt.core.stats import blocked, paper, student
from hpcvirt.core.stats.arrays import BoolArray, FloatArray
from hpcvirt.core.stats.batch import SAME, Batch, block_counts, boot_counts, boot_means, chosen, distinct, first, steady
from hpcvirt.core.stats.blocked import PER_NODE_FROM, PairedOutcome, Rule
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
    varying,
)
from hpcvirt.core.stats.model import Method, Settings, Summary, Unit
from hpcvirt.core.stats.paper import Moments, Outcome, Pairs
from hpcvirt.core.stats.precision import Need
from hpcvirt.core.stats.series import series_flags
from hpcvirt.core.stats.unequal import spread_flags

Columns = dict[str, FloatArray]
"""Numbers of a comparison by field name, each of shape (G, P)."""


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """What intervals are made of: the estimate on the scale of the test. Arrays of shape (G, P)."""

    difference: FloatArray
    se: FloatArray
    """NaN where there is no interval; 0 where the difference has no error."""
    df: FloatArray
    base: FloatArray | None
    """The mean that the difference is a part of. None: the difference is one of logarithms."""

    def interval(self, level: float | FloatArray) -> tuple[FloatArray, FloatArray]:
        """Of the ratio, with confidence 1 - level."""
        half = np.where(self.se == 0, 0.0, student.critical(level / 2, self.df) * self.se)
        low, high = self.difference - half, self.difference + half
        if self.base is None:
            return np.exp(low), np.exp(high)
        low, high = (np.where(self.base == 0, np.nan, x / self.base) for x in (low, high))
        # a negative baseline turns the interval round
        return 1 + np.fmin(low, high), 1 + np.fmax(low, high)


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """Some pairs of some groups tested in one way."""

    mask: BoolArray
    """(G, P) which of the whole these are; the arrays below have all pairs of each of these groups."""
    method: Method
    unit: Unit
    columns: Columns
    effect: Effect
    need: Need
    """Arrays of shape (G, P)."""
    flags: FlagTable
    """By (group among these, pair)."""

    @property
    def at(self) -> BoolArray:
        """(G,) groups of the whole."""
        return groups_of(self.mask)

    def flags_of_whole(self) -> FlagTable:
        """By (group of the whole, pair)."""
        number = np.nonzero(self.at)[0].tolist()
        return {(number[g], p): flags for (g, p), flags in self.flags.items() if self.mask[number[g], p]}


def groups_of(mask: BoolArray) -> BoolArray:
    """(G,) groups with any pair in ``mask`` (G, P)."""
    return np.asarray(mask.any(axis=1))


Way = tuple[Method, Unit]


def ways(batch: Batch, pairs: Pairs, settings: Settings) -> list[list[Way]]:
    """How each pair is tested in each group: as the design has it, else as far as the pair's own boots allow."""
    if settings.method is Method.PAPER:
        return [[(Method.PAPER, Unit.RUN)] * len(pairs)] * batch.shape[0]
    blocks = np.maximum(block_counts(batch), settings.planned_blocks or 0)
    recorded = np.array([[one is not None and one.has_boots for one in row] for row in batch.members])
    by_boot = recorded & (boot_counts(batch) > 1)
    units = [settings.units.get(first(row).benchmark, settings.unit) for row in batch.members]
    return [
        [(Method.BLOCKED, unit) if n > 1 else _fall_back(boots[i] and boots[b]) for i, b in pairs]
        for n, unit, boots in zip(blocks, units, by_boot, strict=True)
    ]


def _fall_back(by_boot: bool) -> Way:
    return Method.PAPER, Unit.BOOT if by_boot else Unit.RUN


def tested(whole: Batch, mask: BoolArray, pairs: Pairs, settings: Settings, way: Way) -> Tested:
    """Test the pairs marked in ``mask`` (G, P) in one way."""
    method, unit = way
    if method is Method.BLOCKED:
        return _by_blocks(whole, mask, pairs, settings, unit)
    return _by_runs(whole, mask, pairs, settings, unit)


def _by_blocks(whole: Batch, mask: BoolArray, pairs: Pairs, settings: Settings, unit: Unit) -> Tested:
    runs = chosen(whole, groups_of(mask))
    planned = settings.planned_blocks or distinct(whole.block)[0].size
    rule = Rule(unit, per_node=planned >= PER_NODE_FROM)
    outcomes = blocked.compare(runs, pairs, rule, settings.delta)
    effect = _blocked_effect(outcomes)
    columns = _blocked_columns(runs, outcomes, effect.difference, pairs)
    columns |= _counted(runs, pairs) | _harmonic(runs, pairs)
    flags = merged(
        [
            not_finite(runs, pairs),
            blocked_edges(runs, outcomes),
            varying(runs, _steady(runs, pairs), columns["t"]),
            spread_flags(outcomes, rule),
            losses(runs, pairs),
            blocked_diagnostics(runs, outcomes, unit),
            of_pairs(series_flags(runs, unit, settings.delta), pairs),
        ]
    )
    return Tested(mask, Method.BLOCKED, unit, columns, effect, _blocked_need(outcomes, settings, rule, planned), flags)


def _blocked_effect(outcomes: Sequence[PairedOutcome]) -> Effect:
    mean, se, df = (
        np.stack([getattr(one.estimate, name) for one in outcomes], axis=1) for name in ("mean", "se", "df")
    )
    constant, exact, all_zero = (
        np.stack([getattr(one, name) for one in outcomes], axis=1) for name in ("constant", "exact", "all_zero")
    )
    return Effect(np.where(all_zero, np.nan, mean), _errors(se, constant, exact), df, None)


def _errors(se: FloatArray, constant: BoolArray, exact: BoolArray) -> FloatArray:
    return np.where(constant, np.where(exact, 0.0, np.nan), se)


def _steady(runs: Batch, pairs: Pairs) -> BoolArray:
    """(G, P) no value of either kernel differs from another on the same node."""
    here, there = np.array(pairs).T
    one = steady(runs)
    return np.asarray(one[:, here] & one[:, there])


def _blocked_need(outcomes: Sequence[PairedOutcome], settings: Settings, rule: Rule, planned: int) -> Need:
    variance, df, blocks = (
        np.stack([getattr(one.estimate, name) for one in outcomes], axis=1)
        for name in ("block_variance", "df_per_block", "blocks")
    )
    target = np.full_like(df, np.log1p(settings.delta) / 2)
    # a plan that is extended to five blocks gets the rule of five blocks, which costs degrees of freedom
    is_pooled = rule.unit is Unit.NODE_BLOCK and not rule.per_node
    per_node_from = blocks + (PER_NODE_FROM - planned if is_pooled else np.inf)
    return Need(variance, df, np.zeros_like(df), target, blocks, per_node_from)


def _blocked_columns(runs: Batch, outcomes: Sequence[PairedOutcome], d: FloatArray, pairs: Pairs) -> Columns:
    here, there = np.array(pairs).T
    mean = blocked.overall_means(runs)
    columns = {
        "n": np.stack([one.estimate.n for one in outcomes], axis=1),
        "mean": mean[:, here],
        "mean_baseline": mean[:, there],
        "sd": np.stack([one.estimate.sd for one in outcomes], axis=1),
        # expm1 keeps the digits of small differences, which exp(x) - 1 loses
        "difference_pct": 100 * np.expm1(d),
        "ratio": np.exp(d),
        "ratio_of_means": mean[:, here] / mean[:, there],
    }
    for name in ("t", "df", "p", "p_equivalence"):
        columns[name] = np.stack([getattr(one, name) for one in outcomes], axis=1)
    for name in ("t", "df", "p"):
        columns[f"{name}_block_means"] = np.stack([getattr(one.block_means, name) for one in outcomes], axis=1)
    unknown = np.full_like(columns["p"], np.nan)
    none = ("sd_baseline", "t_student", "df_student", "p_student")
    return columns | {"n_baseline": columns["n"]} | dict.fromkeys(none, unknown)


def _by_runs(whole: Batch, mask: BoolArray, pairs: Pairs, settings: Settings, unit: Unit) -> Tested:
    runs = chosen(whole, groups_of(mask))
    batch = boot_means(runs) if unit is Unit.BOOT else runs
    found = paper.moments(batch)
    is_steady = _steady(runs, pairs)
    exact = runs.exact()[:, None] & is_steady
    outcome = paper.compare(found, pairs, batch.shift, settings.delta, exact)
    plain = np.ldexp(batch.sums(batch.scaled) / batch.counts(), batch.own_exponent)
    plain[batch.not_finite > 0] = np.nan
    columns = _paper_columns(batch, found, outcome, plain, pairs) | _counted(runs, pairs) | _harmonic(runs, pairs)
    flags = merged(
        [
            too_few(batch, found.n, pairs),
            not_finite(runs, pairs),
            paper_edges(outcome, found.n, batch.exact(), pairs),
            varying(runs, is_steady, outcome.t),
            one_block(_known_boots(runs), pairs) if unit is Unit.RUN else {},
            losses(runs, pairs),
            paper_diagnostics(batch, found, pairs),
            of_pairs(series_flags(runs, unit, settings.delta), pairs),
        ]
    )
    effect = _paper_effect(batch, found, outcome, exact, pairs)
    return Tested(mask, Method.PAPER, unit, columns, effect, _paper_need(found, outcome, pairs), flags)


def _known_boots(runs: Batch) -> FloatArray:
    """(G, K) most boots of any node; blocks stand for boots that were not recorded."""
    recorded = np.array([[one is not None and one.has_boots for one in row] for row in runs.members])
    blocks = boot_counts(replace(runs, boot=runs.block))
    return np.where(recorded, np.maximum(boot_counts(runs), blocks), blocks)


def _paper_effect(batch: Batch, found: Moments, outcome: Outcome, exact: BoolArray, pairs: Pairs) -> Effect:
    there = np.array(pairs).T[1]
    base = (found.mean + batch.shift[:, None])[:, there]
    return Effect(outcome.difference, _errors(outcome.se, outcome.constant, exact), outcome.df, base)


def _paper_need(found: Moments, outcome: Outcome, pairs: Pairs) -> Need:
    here, there = np.array(pairs).T
    one, other = found.variance[:, here], found.variance[:, there]
    rate = np.square(one + other) / (np.square(one) + np.square(other))
    lost = np.broadcast_to(np.maximum(found.nodes - 1, 0)[:, None], one.shape)
    now = np.minimum(found.n[:, here], found.n[:, there])
    return Need(one + other, rate, lost, outcome.margin / 2, now, np.full_like(now, np.inf))


def _paper_columns(batch: Batch, found: Moments, outcome: Outcome, plain: FloatArray, pairs: Pairs) -> Columns:
    """``plain`` (G, K) are the means without regard to nodes, in the unit of the metric."""
    here, there = np.array(pairs).T
    mean = found.mean + batch.shift[:, None]
    base = mean[:, there]
    relative = np.where(base == 0, np.nan, outcome.difference / base)
    restored = batch.lifted(mean)
    # beside 1e300 a mean of 1e-300 vanishes on the scale of the group
    vanished = (np.abs(plain) < SAME * np.fmax.reduce(np.abs(restored), axis=1)[:, None]) & (found.nodes == 1)[:, None]
    restored = np.where(vanished, plain, restored)
    sd = batch.lifted(np.sqrt(found.variance))
    unknown = np.full_like(relative, np.nan)
    beside = dict.fromkeys(("t_block_means", "df_block_means", "p_block_means"), unknown)
    return beside | {
        "n": found.n[:, here],
        "n_baseline": found.n[:, there],
        "mean": restored[:, here],
        "mean_baseline": restored[:, there],
        "sd": sd[:, here],
        "sd_baseline": sd[:, there],
        "difference_pct": 100 * relative,
        "ratio": 1 + relative,
        "ratio_of_means": plain[:, here] / plain[:, there],
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
    here, there = np.array(pairs).T
    is_steady = (found.squares[:, here] == 0) & (found.squares[:, there] == 0)
    exact = batch.exact()[:, None] & is_steady
    outcome = paper.compare(found, pairs, scaled.shift, settings.delta, exact)
    columns = _paper_columns(scaled, found, outcome, _means(batch, summaries), pairs) | _uncounted(found, pairs)
    flags = merged(
        [
            too_few(batch, found.n, pairs),
            paper_edges(outcome, found.n, batch.exact(), pairs),
            varying(batch, is_steady, outcome.t),
            one_block(np.minimum(found.n, 1), pairs),
        ]
    )
    everything = np.ones((batch.shape[0], len(pairs)), dtype=bool)
    effect = _paper_effect(scaled, found, outcome, exact, pairs)
    return Tested(everything, Method.PAPER, Unit.RUN, columns, effect, _paper_need(found, outcome, pairs), flags)


def _means(batch: Batch, summaries: Sequence[Summary]) -> FloatArray:
    """(G, K) as they were published."""
    mean = np.full(batch.shape, np.nan)
    groups = {(row.benchmark, row.metric): g for g, row in enumerate(map(first, batch.members))}
    for one in summaries:
        mean[groups[one.benchmark, one.metric], batch.kernels.index(one.kernel)] = one.mean
    return mean


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
