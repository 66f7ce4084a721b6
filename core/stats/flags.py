"""What a reader should know of a comparison: flags, by group and pair. None of them changes a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hpcvirt.core.stats.arrays import BoolArray, FloatArray
from hpcvirt.core.stats.batch import Batch, totals
from hpcvirt.core.stats.blocked import PairedOutcome
from hpcvirt.core.stats.by_node import effect_by_node
from hpcvirt.core.stats.diagnose import LEVEL, ROUNDING, fisher, negligible, normality, smallest_p
from hpcvirt.core.stats.model import Flag, Unit
from hpcvirt.core.stats.paper import Moments, Outcome, Pairs, residuals

FlagTable = Mapping[tuple[int, int], tuple[Flag, ...]]
"""By (group, pair)."""

CONSTANT = Flag("constant", "nothing varies and the kernels do not differ: there is no spread to test with")
NO_DIFFERENCE = Flag(
    "constant",
    "the values vary, but both kernels have the same value in every visit: their difference is always 0, and there is "
    "no spread to test with",
)
CONSTANT_VALUES = Flag(
    "constant",
    "no value of a kernel differs from another on the same node, but the kernels differ: there is no spread to test "
    "with; more values cannot change that",
)
CONSTANT_RATIO = Flag(
    "constant",
    "the kernels differ by the same ratio in every visit: there is no spread to test with; more blocks cannot change "
    "that",
)
CONSTANT_ON_NODES = Flag(
    "constant",
    "on each node the kernels differ by the same ratio in every visit, and the ratio differs between nodes: there is "
    "no spread to test with; more blocks cannot change that",
)
CONSTANT_MEAN = Flag(
    "constant",
    "the ratio varies on single nodes, but its mean over nodes is the same in every block: there is no spread "
    "to test with",
)
NO_COMMON_NODE = Flag("no-common-node", "the kernels share no node: their difference cannot be told from the nodes'")
NO_FREEDOM = Flag("too-few", "what is left after the nodes' terms has no degrees of freedom: no test")
ZERO_RATIO = Flag("zero-mean", "the baseline is zero on some node: no ratio")
ZERO_MEAN = Flag("zero-mean", "the baseline's mean is zero: no ratio and no band of equivalence")

NOT_POSITIVE = Flag(
    "not-positive", "a value or boot mean is zero or negative and has no logarithm; method paper needs none"
)


def merged(tables: Sequence[FlagTable]) -> FlagTable:
    """One table, flags in the order of the tables."""
    whole: dict[tuple[int, int], tuple[Flag, ...]] = {}
    for table in tables:
        for at, flags in table.items():
            whole[at] = whole.get(at, ()) + flags
    return whole


def where(marked: BoolArray, flag: Flag) -> FlagTable:
    """The same flag at every marked (group, pair)."""
    at = zip(*(axis.tolist() for axis in np.nonzero(marked)), strict=True)
    return dict.fromkeys(at, (flag,))


def paper_edges(outcome: Outcome, n: FloatArray, exact: BoolArray, pairs: Pairs) -> FlagTable:
    """Why a test could not be made, or not wholly; ``n`` has shape (G, K), ``exact`` (G,) is what was declared."""
    here, there = np.array(pairs).T
    enough = np.minimum(n[:, here], n[:, there]) > 1
    unknown, exact = outcome.constant & np.isnan(outcome.p), exact[:, None]
    untested = np.isfinite(outcome.difference) & np.isnan(outcome.t) & outcome.estimable & ~outcome.constant
    return merged(
        [
            where(outcome.constant & (outcome.p == 1) & np.isnan(outcome.p_equivalence), CONSTANT),
            where(unknown & ~exact, _hinted(CONSTANT_VALUES, is_exact=False)),
            where(unknown & exact, CONSTANT_VALUES),
            where(~outcome.estimable, NO_COMMON_NODE),
            where(untested & enough, NO_FREEDOM),
            where(outcome.margin == 0, ZERO_MEAN),
        ]
    )


def too_few(batch: Batch, n: FloatArray, pairs: Pairs) -> FlagTable:
    """Kernels with fewer than two values; ``n`` has shape (G, K)."""
    by_kernel = {}
    for g, k in np.argwhere(n < 2).tolist():
        text = f"{batch.kernels[k]} has {'one value' if n[g, k] else 'no value'}: no spread, so no test"
        by_kernel[g, k] = (Flag("too-few", text, batch.kernels[k], float(n[g, k])),)
    return of_pairs(by_kernel, pairs)


def not_finite(batch: Batch, pairs: Pairs) -> FlagTable:
    """Kernels with values that are not numbers."""
    by_kernel = {}
    for g, k in np.argwhere(batch.not_finite > 0).tolist():
        bad, name = int(batch.not_finite[g, k]), batch.kernels[k]
        text = f"{bad} value{'s' * (bad != 1)} of {name} are NaN or infinite; none may be dropped, so no test"
        by_kernel[g, k] = (Flag("not-finite", text, name, float(bad)),)
    return of_pairs(by_kernel, pairs)


def of_pairs(by_kernel: FlagTable, pairs: Pairs) -> FlagTable:
    """Flags of kernels, by (group, kernel), handed to every pair that the kernel is part of."""
    return {
        (g, p): flags
        for g in sorted({g for g, _ in by_kernel})
        for p, pair in enumerate(pairs)
        if (flags := tuple(flag for k in pair for flag in by_kernel.get((g, k), ())))
    }


def blocked_edges(batch: Batch, outcomes: Sequence[PairedOutcome]) -> FlagTable:
    """Why a paired test could not be made, or on less than was planned."""
    whole = np.all(batch.not_finite == 0, axis=1)
    tables: list[FlagTable] = []
    exact = batch.exact()
    for p, one in enumerate(outcomes):
        same = np.isnan(one.p) | (one.p == 1) & np.isnan(one.p_equivalence)
        tables += [{(g, p): (_constant(one, g, exact[g]),)} for g in np.flatnonzero(one.constant & same).tolist()]
        no_ratio = np.isposinf(one.estimate.mean) | one.all_zero
        tables += [{(g, p): (ZERO_RATIO,)} for g in np.flatnonzero(no_ratio).tolist()]
        tables += [{(g, p): (NOT_POSITIVE,)} for g in np.flatnonzero(one.not_positive & whole).tolist()]
        tables += [{(g, p): (_few_units(one.estimate.n[g]),)} for g in np.flatnonzero(one.estimate.df < 1).tolist()]
        tables += [{(g, p): (_unpaired(one.unpaired[g]),)} for g in np.flatnonzero(one.unpaired > 0).tolist()]
    return merged(tables)


def _constant(one: PairedOutcome, g: int, is_exact: bool) -> Flag:
    """In which way a pair has no spread."""
    known = one.spread.count[g] > 0
    means, size = one.spread.mean[g, known], ROUNDING * max(1.0, float(one.rounding[g]))
    if one.spread.squares[g].sum() > one.spread.count[g].sum() * size**2:
        return CONSTANT_MEAN
    if float(np.ptp(means)) > size:
        return _hinted(CONSTANT_ON_NODES, is_exact)
    if float(np.abs(means).max()) > size:
        return _hinted(CONSTANT_RATIO, is_exact)
    return CONSTANT if one.steady[g] else NO_DIFFERENCE


def _hinted(flag: Flag, is_exact: bool) -> Flag:
    """With the remedy for counts, unless it was taken already."""
    return flag if is_exact else replace(flag, text=f"{flag.text}. Declare the metric `exact` if it is a count")


def _few_units(n: float) -> Flag:
    return Flag("too-few", f"{n:g} matched boot means: no spread, so no test", None, float(n))


def _unpaired(places: float) -> Flag:
    text = f"on {places:g} of the visits to a node in a block, one of the two kernels or both have no value"
    return Flag("missing-cells", text, None, float(places))


ONE_BLOCK = Flag(
    "one-block",
    "one boot of a kernel, as far as the data say: the effect of that boot cannot be separated from the kernel's",
)


def one_block(boots: FloatArray, pairs: Pairs) -> FlagTable:
    """Pairs of which one kernel has runs of a single boot of each node; ``boots`` (G, K) is 0 without runs."""
    here, there = np.array(pairs).T
    fewest = np.minimum(boots[:, here], boots[:, there])
    return where(fewest == 1, ONE_BLOCK)


VARYING = Flag("exact-varies", "the metric is declared exact, but its values vary: it is tested like any other")
VARYING_BY_NODE = Flag(
    "exact-varies",
    "the metric is declared exact and varies on no node, but nodes differ and the kernels' difference with them: "
    "it is tested like any other",
)


def varying(batch: Batch, steady: BoolArray, t: FloatArray) -> FlagTable:
    """Metrics declared exact whose difference has an error; ``steady`` and ``t`` have shape (G, P)."""
    declared = (batch.exact() & np.all(batch.not_finite == 0, axis=1))[:, None]
    return merged([where(declared & ~steady, VARYING), where(declared & steady & np.isfinite(t), VARYING_BY_NODE)])


def paper_diagnostics(batch: Batch, found: Moments, pairs: Pairs) -> FlagTable:
    """What the t-test on runs assumes and does not find."""
    n_groups, n_kernels = batch.shape
    rest = residuals(batch, found.mean, found.node_term)
    w, p = normality(np.nan_to_num(rest), batch.slot, n_groups * n_kernels)
    noise = batch.counts().reshape(-1) * np.square(negligible(batch))
    usable = (batch.not_finite.reshape(-1) == 0) & (batch.sums(np.square(rest)).reshape(-1) > noise)
    odd = np.flatnonzero((p < LEVEL) & usable).tolist()
    by_kernel = {
        divmod(slot, n_kernels): (_not_normal(w[slot], p[slot], batch.kernels[slot % n_kernels]),) for slot in odd
    }
    return of_pairs(by_kernel, pairs)


def blocked_diagnostics(batch: Batch, outcomes: Sequence[PairedOutcome], unit: Unit) -> FlagTable:
    """What the paired t-test assumes and does not find."""
    tables: list[FlagTable] = []
    for i, one in enumerate(outcomes):
        estimate = one.estimate
        squares = totals(estimate.residual_group, np.square(estimate.residual), batch.shape[0])
        usable = np.isfinite(estimate.mean) & (squares > estimate.n * ROUNDING**2)
        w, p = normality(np.nan_to_num(estimate.residual), estimate.residual_group, batch.shape[0])
        tables.append({(g, i): (_not_normal(w[g], p[g], None),) for g in np.flatnonzero(usable & (p < LEVEL)).tolist()})
        f, p = effect_by_node(one.found, unit, batch.shape[0], batch.n_nodes)
        tables.append({(g, i): (_by_node(f[g], p[g]),) for g in np.flatnonzero((p < LEVEL) & ~one.constant).tolist()})
    return merged(tables)


def out_of_reach(
    n: FloatArray, n_baseline: FloatArray, is_paired: BoolArray, t: FloatArray, level: FloatArray, alpha: float
) -> FlagTable:
    """Comparisons by t whose smallest p by rearrangement is above their level; arrays of shape (G, P).

    ``level`` is what the first step of the correction asks for: alpha over the size of the family.
    """
    table: dict[tuple[int, int], tuple[Flag, ...]] = {}
    fewest = np.fmin(n, n_baseline)
    for g, p in np.argwhere((fewest > 1) & (fewest < _ENOUGH) & np.isfinite(t)).tolist():
        smallest = smallest_p(int(n[g, p]), None if is_paired[g, p] else int(n_baseline[g, p]))
        if smallest > level[g, p]:
            table[g, p] = (_never(smallest, float(level[g, p]), alpha),)
    return table


def losses(batch: Batch, pairs: Pairs) -> FlagTable:
    """Attempts that ended otherwise than ok, and kernels that lost more of them than what they are compared with."""
    told = {
        (g, k): (sum(one.attempts.values()) - one.attempts.get("ok", 0), one.attempts)
        for g, row in enumerate(batch.members)
        for k, one in enumerate(row)
        if one is not None and one.attempts
    }
    by_kernel = {at: (_losses(batch.kernels[at[1]], *found),) for at, found in told.items() if found[0]}
    uneven = {
        (g, p): _uneven(batch.kernels[i], batch.kernels[b], *_split(told[g, i]), *_split(told[g, b]))
        for p, (i, b) in enumerate(pairs)
        for g in range(batch.shape[0])
        if (g, i) in told and (g, b) in told and not by_kernel.keys().isdisjoint({(g, i), (g, b)})
    }
    return merged([of_pairs(by_kernel, pairs), uneven])


LOSS_LEVEL = 0.05
"""Of the test for unequal losses, which is quicker than the others: a loss that is missed makes a verdict wrong."""

_ENOUGH = 64
"""From this many values of each kernel on, some rearrangement is rarer than any alpha over any family."""


def _not_normal(w: float, p: float, kernel: str | None) -> Flag:
    whose = "differences between boots" if kernel is None else f"values of {kernel}"
    return Flag("not-normal", f"the {whose} are not normally distributed (W = {w:.3f})", kernel, float(w), float(p))


def _by_node(f: float, p: float) -> Flag:
    return Flag("kernel-by-node", f"the kernel's effect differs between nodes (F = {f:.3g})", None, float(f), float(p))


def _never(smallest: float, level: float, alpha: float) -> Flag:
    family = "" if level == alpha else f" ({alpha:g} over the family of {round(alpha / level)})"
    text = (
        f"too few to reach {level:.3g}{family} by rearrangement alone (its smallest p is {smallest:.2g}): "
        "any difference shown rests on the normal distribution"
    )
    return Flag("few-units", text, None, smallest)


def _split(found: tuple[int, Mapping[str, int]]) -> tuple[int, int]:
    return found[0], found[1].get("ok", 0)


def _losses(kernel: str, lost: int, attempts: Mapping[str, int]) -> Flag:
    how = ", ".join(f"{count} {status}" for status, count in sorted(attempts.items()) if status != "ok" and count)
    text = f"{lost} of {sum(attempts.values())} attempts under {kernel} gave no value: {how}"
    return Flag("losses", text, kernel, float(lost))


def _uneven(kernel: str, baseline: str, lost: int, kept: int, lost_there: int, kept_there: int) -> tuple[Flag, ...]:
    if not (lost + kept and lost_there + kept_there):
        return ()
    p = fisher(lost, kept, lost_there, kept_there, tied=0.5)
    if p >= LOSS_LEVEL:
        return ()
    more = lost / (lost + kept) - lost_there / (lost_there + kept_there)
    loser, other = (kernel, baseline) if more > 0 else (baseline, kernel)
    text = f"{loser} loses {100 * abs(more):.1f} % more of all attempts than {other} (Fisher's mid-p = {p:.2g})"
    return (Flag("asymmetric-loss", text, loser, abs(more), p),)
