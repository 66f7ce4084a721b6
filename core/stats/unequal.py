"""Nodes that scatter unequally: the largest variance of a node over the median of the others'.

Its distribution under equal variances is that of the same ratio of independent mean squares. No F distribution is
that of a maximum over a median, so it is drawn for each set of degrees of freedom, always by the same numbers, but only
for ratios that could be rare: were every node known as well as the best one is, the ratio would vary least.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from hpcvirt.core.stats.arrays import FloatArray
from hpcvirt.core.stats.blocked import NodeSpread, PairedOutcome, Rule
from hpcvirt.core.stats.diagnose import LEVEL
from hpcvirt.core.stats.flags import FlagTable, merged
from hpcvirt.core.stats.model import Flag, Unit

DRAWS = 20_000
AT_ONCE = 100_000
"""Numbers drawn at a time: what fits into a cache."""

FEW = 2
"""Values of d on a node up to which its own variance is hardly known."""


def spread_flags(outcomes: tuple[PairedOutcome, ...], rule: Rule) -> FlagTable:
    """Of unit ``node-block``: nodes that scatter unequally, and nodes with too few values for their own variance."""
    if rule.unit is not Unit.NODE_BLOCK:
        return {}
    tables = [_unequal(p, one) for p, one in enumerate(outcomes)]
    if rule.per_node:
        tables += [_few(p, one.spread) for p, one in enumerate(outcomes)]
    return merged(tables)


def _unequal(pair: int, one: PairedOutcome) -> FlagTable:
    testable = np.flatnonzero(((one.spread.df > 0).sum(axis=1) > 1) & ~one.constant & np.isfinite(one.p)).tolist()
    found = {}
    for g in testable:
        if not _may_be_rare(one.spread.squares[g], one.spread.df[g]):
            continue
        ratio, p = unequal_spread(one.spread.squares[g], one.spread.df[g])
        if p < LEVEL:
            found[g, pair] = (_flag(ratio, p, one, g),)
    return found


def unequal_spread(squares: FloatArray, df: FloatArray) -> tuple[float, float]:
    """(ratio, p) of sums of squares and degrees of freedom by node; nodes without any do not count."""
    known = df > 0
    ratio = _observed(squares, df)
    return ratio, _p(ratio, tuple(sorted(df[known].tolist())))


def _may_be_rare(squares: FloatArray, df: FloatArray) -> bool:
    """Whether the p of ``unequal_spread`` can be below the level: few sets need to be drawn for this."""
    best = tuple([float(df.max())] * int((df > 0).sum()))
    return _p(_observed(squares, df), best) < LEVEL


def _observed(squares: FloatArray, df: FloatArray) -> float:
    known = df > 0
    return float(_ratio((squares[known] / df[known])[None, :])[0])


def _p(ratio: float, df: tuple[float, ...]) -> float:
    drawn = _ratios(df)
    return (drawn.size - int(np.searchsorted(drawn, ratio)) + 1) / (drawn.size + 1)


@lru_cache(maxsize=256)
def _ratios(df: tuple[float, ...]) -> FloatArray:
    """Ratios that chance alone gives, sorted."""
    draw, rows = np.random.default_rng(0), max(AT_ONCE // len(df), 1)
    sizes = [min(rows, DRAWS - start) for start in range(0, DRAWS, rows)]
    return np.sort(np.concatenate([_ratio(draw.chisquare(df, (size, len(df))) / df) for size in sizes]))


def _ratio(variances: FloatArray) -> FloatArray:
    others = variances.shape[1] - 1
    middle = [(others - 1) // 2, others // 2]
    ranked = np.partition(variances, [*middle, others], axis=1)
    return np.asarray(ranked[:, others] / ranked[:, middle].mean(axis=1))


def _flag(ratio: float, p: float, one: PairedOutcome, g: int) -> Flag:
    nodes = int((one.spread.count[g] > 0).sum())
    finite = bool(np.isfinite(ratio))
    times = f"{ratio:.3g} times" if finite else "infinitely many times"
    beside = one.block_means.p[g]
    text = f"one of {nodes} nodes scatters more than the others: {times} their median variance"
    if np.isfinite(beside):
        text += f". The t-test of block means over nodes, which bears that, gives p = {beside:.2g}"
    if one.unpaired[g] > 0:
        text += " (cells are missing, so it is not exact)"
    return Flag("unequal-spread", text, None, ratio if finite else None, p)


def _few(pair: int, spread: NodeSpread) -> FlagTable:
    few = ((spread.count > 0) & (spread.count <= FEW)).sum(axis=1)
    return {(g, pair): (_few_on_node(few[g]),) for g in np.flatnonzero(few).tolist()}


def _few_on_node(nodes: int) -> Flag:
    text = f"{nodes} node{'s have' if nodes != 1 else ' has'} {FEW} matched boot means or fewer: no variance to rely on"
    return Flag("few-on-node", text, None, float(nodes))
