"""From series to comparisons: choose the test, run it, adjust in the family, say the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.model import Better
from hpcvirt.core.stats import blocked, paper
from hpcvirt.core.stats.arrays import BoolArray, FloatArray
from hpcvirt.core.stats.batch import Batch, block_counts, boot_counts, boot_means, chosen, lay_out
from hpcvirt.core.stats.blocked import PairedOutcome
from hpcvirt.core.stats.flags import FlagTable, blocked_edges, merged, not_finite, paper_edges, too_few
from hpcvirt.core.stats.model import Comparison, Method, Series, Settings, Summary, Unit, Verdict
from hpcvirt.core.stats.multiplicity import adjust
from hpcvirt.core.stats.paper import Moments, Outcome, Pairs

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
    flags: FlagTable
    """By (group among these, pair)."""

    def flags_of_whole(self) -> FlagTable:
        """By (group of the whole, pair)."""
        number = np.nonzero(self.at)[0].tolist()
        return {(number[g], p): flags for (g, p), flags in self.flags.items()}


def compare(series: Sequence[Series], settings: Settings | None = None) -> tuple[Comparison, ...]:
    """Compare kernels with the baseline, and the planned contrasts, in every metric of every benchmark.

    Comparisons come in the order in which metrics, then kernels first appear. A pair of which one kernel has
    no values at all in a metric is still reported and counted. Raises UsageWrong where a kernel is not known
    or series contradict each other.
    """
    used = settings or Settings()
    batch = lay_out(series)
    pairs = planned_pairs(batch.kernels, used)
    if not pairs:
        return ()
    parts = [
        _tested(batch, np.array([way == one for one in ways]), pairs, used, way)
        for ways in [_ways(batch, used)]
        for way in dict.fromkeys(ways)
    ]
    return _conclude(batch, pairs, parts, used)


def compare_summaries(summaries: Sequence[Summary], settings: Settings | None = None) -> tuple[Comparison, ...]:
    """Method ``paper`` from published means, standard deviations and n. Raises UsageWrong as ``compare``."""
    used = settings or Settings()
    # the empty series carry the names; all numbers come from the summaries
    batch = lay_out([Series.of(s.kernel, s.benchmark, s.metric, (), **_facts(s)) for s in summaries])
    pairs = planned_pairs(batch.kernels, used)
    if not pairs:
        return ()
    batch, found = _published(batch, summaries)
    outcome = paper.compare(found, pairs, batch.shift, used.alpha, used.delta)
    columns = _paper_columns(batch, found, outcome, pairs) | _uncounted(found, pairs)
    everything = np.ones(batch.shape[0], dtype=bool)
    edges = merged([too_few(batch, found.n, pairs), paper_edges(outcome)])
    part = Tested(everything, Method.PAPER, Unit.RUN, columns, edges)
    return _conclude(batch, pairs, [part], used)


def planned_pairs(kernels: Sequence[str], settings: Settings) -> Pairs:
    """Every kernel against the baseline, then the contrasts, each once. Raises UsageWrong for unknown kernels."""
    if not kernels:
        return ()
    baseline = kernels[0] if settings.baseline is None else settings.baseline
    wanted = [baseline, *(name for pair in settings.contrasts for name in pair)]
    for name in wanted:
        if name not in kernels:
            raise UsageWrong(f"kernel {name!r} is not in the data", hint="known: " + ", ".join(kernels))
    at = {name: i for i, name in enumerate(kernels)}
    pairs = [(at[name], at[baseline]) for name in kernels if name != baseline]
    pairs += [(at[a], at[b]) for a, b in settings.contrasts if a != b]
    return tuple(dict.fromkeys(pairs))


def verdict(p: float | None, q: float | None, rises: bool, better: Better, alpha: float) -> Verdict:
    """What the p-values of difference (p) and equivalence (q) say; None shows nothing."""
    within = q is not None and q < alpha
    if p is None or not p < alpha:
        return Verdict.EQUIVALENT if within else Verdict.INCONCLUSIVE
    if within:
        return Verdict.TRIVIAL
    return Verdict.FASTER if rises == (better is Better.HIGHER) else Verdict.SLOWER


Way = tuple[Method, Unit]


def _ways(batch: Batch, settings: Settings) -> list[Way]:
    """How each group is tested: what was asked for, as far as its blocks and boots allow."""
    if settings.method is Method.PAPER:
        return [(Method.PAPER, Unit.RUN)] * batch.shape[0]
    blocks, boots = block_counts(batch), boot_counts(batch)
    by_boot = boots.min(axis=1, where=batch.counts() > 0, initial=np.inf) > 1
    by_boot &= [all(one is None or one.has_boots for one in row) for row in batch.members]
    fall_back = [(Method.PAPER, Unit.BOOT if boot else Unit.RUN) for boot in by_boot]
    return [(Method.BLOCKED, settings.unit) if n > 1 else way for n, way in zip(blocks, fall_back, strict=True)]


def _tested(whole: Batch, at: BoolArray, pairs: Pairs, settings: Settings, way: Way) -> Tested:
    method, unit = way
    if method is Method.BLOCKED:
        return _by_blocks(whole, at, pairs, settings)
    return _by_runs(whole, at, pairs, settings, unit)


def _by_blocks(whole: Batch, at: BoolArray, pairs: Pairs, settings: Settings) -> Tested:
    runs = chosen(whole, at)
    outcomes = blocked.compare(runs, pairs, settings.unit, settings.alpha, settings.delta)
    columns = _blocked_columns(runs, outcomes, pairs) | _counted(runs, pairs) | _harmonic(runs, pairs)
    edges = merged([not_finite(runs, pairs), blocked_edges(runs, outcomes)])
    return Tested(at, Method.BLOCKED, settings.unit, columns, edges)


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
    edges = merged([too_few(batch, found.n, pairs), not_finite(runs, pairs), paper_edges(outcome)])
    return Tested(at, Method.PAPER, unit, columns, edges)


def _paper_columns(batch: Batch, found: Moments, outcome: Outcome, pairs: Pairs) -> Columns:
    here, there = np.array(pairs).T
    mean = found.mean + batch.shift[:, None]
    base = mean[:, there]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
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
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        inverse = runs.sums(np.where(positive, 1 / np.where(positive, runs.scaled, 1), 0.0))
        whole = (runs.sums(positive.astype(np.float64)) == count) & (runs.not_finite == 0) & (count > 0)
        mean = runs.lifted(np.where(whole, count / inverse, np.nan))
    return {"mean_harmonic": mean[:, here], "mean_harmonic_baseline": mean[:, there]}


def _facts(one: Summary) -> dict[str, Any]:
    return {"unit": one.unit, "better": one.better, "primary": one.primary}


def _published(batch: Batch, summaries: Sequence[Summary]) -> tuple[Batch, Moments]:
    """The moments of summaries, scaled by powers of two as a batch's values are."""
    n, mean, sd = (np.full(batch.shape, fill) for fill in (0.0, np.nan, np.nan))
    groups = {(row.benchmark, row.metric): g for g, row in enumerate(map(_first, batch.members))}
    for one in summaries:
        at = groups[one.benchmark, one.metric], batch.kernels.index(one.kernel)
        n[at], mean[at], sd[at] = one.n, one.mean, one.sd
    largest = np.fmax.reduce(np.fmax(np.abs(mean), sd), axis=1)
    exponent = np.frexp(largest)[1].astype(np.int64)
    with np.errstate(under="ignore"):
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


def _first(row: Sequence[Series | None]) -> Series:
    return next(one for one in row if one is not None)


def _conclude(batch: Batch, pairs: Pairs, parts: Sequence[Tested], settings: Settings) -> tuple[Comparison, ...]:
    columns = _gathered(batch, pairs, parts)
    exists = np.array([[row[i] is not None or row[b] is not None for i, b in pairs] for row in batch.members])
    primary = np.array([_first(row).primary for row in batch.members])
    family = exists & primary[:, None]
    for name in ("p", "p_equivalence"):
        columns[f"{name}_adjusted"] = np.full(exists.shape, np.nan)
        columns[f"{name}_adjusted"][family] = adjust(columns[name][family], settings.correction)
    flags = merged([*(part.flags_of_whole() for part in parts)])
    ways = {int(g): part for part in parts for g in np.nonzero(part.at)[0]}
    numbers: dict[str, Sequence[float | None]] = {name: _plain(column[exists]) for name, column in columns.items()}
    numbers |= {name: columns[name][exists].astype(np.int64).tolist() for name in _WHOLE}
    drafts = zip(np.argwhere(exists).tolist(), zip(*numbers.values(), strict=True), strict=True)
    size = int(family.sum())
    return tuple(
        _comparison(batch, pairs, (g, p), ways[g], dict(zip(numbers, row, strict=True)), flags, size, settings)
        for (g, p), row in drafts
    )


def _gathered(batch: Batch, pairs: Pairs, parts: Sequence[Tested]) -> Columns:
    names = dict.fromkeys(name for part in parts for name in part.columns)
    columns = {name: np.full((batch.shape[0], len(pairs)), np.nan) for name in names}
    for part in parts:
        for name, column in part.columns.items():
            columns[name][part.at] = column
    return columns


_WHOLE = ("n", "n_baseline", "runs", "runs_baseline", "nodes")


def _comparison(
    batch: Batch,
    pairs: Pairs,
    at: tuple[int, int],
    way: Tested,
    numbers: dict[str, float | None],
    flags: FlagTable,
    family: int,
    settings: Settings,
) -> Comparison:
    here, there = pairs[at[1]]
    one = _first(batch.members[at[0]])
    # the paper's verdicts were on raw p; a metric that is not primary belongs to no family
    suffix = "" if way.method is Method.PAPER or not one.primary else "_adjusted"
    rises = (numbers["t"] or 0.0) > 0
    found = verdict(numbers["p" + suffix], numbers["p_equivalence" + suffix], rises, one.better, settings.alpha)
    return Comparison(
        benchmark=one.benchmark,
        metric=one.metric,
        unit=one.unit,
        better=one.better,
        primary=one.primary,
        kernel=batch.kernels[here],
        baseline=batch.kernels[there],
        method=way.method,
        replication_unit=way.unit,
        mean_kind=_mean_kind(way.method, one.better),
        verdict=found,
        family=family,
        correction=settings.correction,
        alpha=settings.alpha,
        delta=settings.delta,
        more=None,
        more_unit=None,
        flags=flags.get(at, ()),
        **numbers,  # type: ignore[arg-type]
    )


def _mean_kind(method: Method, better: Better) -> str:
    return "harmonic" if method is Method.BLOCKED and better is Better.HIGHER else "arithmetic"


def _plain(column: FloatArray) -> list[float | None]:
    """Python numbers; None for NaN and infinities, which JSON cannot say."""
    return [value if isfinite(value) else None for value in column.tolist()]
