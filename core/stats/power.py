"""What a design can show: the smallest difference it finds, and the blocks a difference needs.

With a correction all is for its first step, alpha / family: what is found there is found whatever the other metrics do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import expm1, inf, log, log1p, sqrt

import numpy as np

from hpcvirt.core.stats import student
from hpcvirt.core.stats.blocked import PER_NODE_FROM
from hpcvirt.core.stats.model import Comparison, Correction, Method, Unit
from hpcvirt.core.stats.precision import expected_df

USUAL = 0.8
"""Chance of finding a difference that is there, for which designs are usually made."""

MOST_BLOCKS = 100_000


@dataclass(frozen=True, slots=True)
class Layout:
    """How often a pair of kernels is measured in one metric."""

    blocks: int
    nodes: int = 1
    """Nodes with a value of their own: 1 for a cluster-scope benchmark."""
    runs_per_boot: int = 1
    unit: Unit = Unit.NODE_BLOCK
    """``run``: the paper's plan, all runs of a kernel in one boot of each node."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviations as fractions of the mean, known or assumed."""

    boot: float = 0.01
    """Between boots of one node."""
    run: float = 0.01
    """Between runs of one boot."""
    shared: float | None = None
    """Fraction of the boots' variance that nodes which move together have in common. None: not known, reckoned as 1."""


def power(shift: float, df: float, level: float) -> float:
    """Chance that abs(t) exceeds its two-sided critical value, for the noncentral t with this ``shift``.

    R's ``power.t.test(strict = TRUE)``: both tails. ``shift`` is the difference in standard errors.
    """
    if not df > 0:
        return 0.0
    edge = float(student.critical(level / 2, df))
    return student.noncentral_upper(edge, df, shift) + student.noncentral_upper(edge, df, -shift)


@lru_cache(maxsize=1024)
def needed_shift(df: float, level: float, wanted: float = USUAL) -> float:
    """The shift that is found with the chance ``wanted``; infinite where df is not positive."""
    if not df > 0:
        return inf
    low, high = 0.0, 1.0
    while power(high, df, level) < wanted:
        low, high = high, 2 * high
    while high - low > 1e-10 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle, df, level) < wanted else (low, middle)
    return high


def standard_error(layout: Layout, spread: Spread) -> tuple[float, float]:
    """Return the standard error of the logarithm of the ratio, and its degrees of freedom.

    ``run``: of the difference between the boots that were drawn; what boots add cannot be seen by that plan.
    """
    run = spread.run**2 / layout.runs_per_boot
    if layout.unit is Unit.RUN:
        n = layout.runs_per_boot * layout.nodes
        return spread.run * sqrt(2 / n), 2 * n - 2 - (layout.nodes - 1)
    if layout.unit is Unit.NODE_BLOCK:
        cells = layout.blocks * layout.nodes
        return sqrt(2 * (spread.boot**2 + run) / cells), _node_block_df(layout.blocks, layout.nodes)
    shared = 1.0 if spread.shared is None else spread.shared
    apart = (1 - shared) / layout.nodes
    value = 2 * (spread.boot**2 * (shared + apart) + run / layout.nodes)
    return sqrt(value / layout.blocks), layout.blocks - 1


def _node_block_df(blocks: int, nodes: int) -> float:
    """Return the df of the pooled variance, or those that Satterthwaite's formula gives in the mean."""
    if blocks < PER_NODE_FROM:
        return nodes * (blocks - 1)
    return float(expected_df(np.asarray(blocks, dtype=np.float64), np.asarray(nodes, dtype=np.float64)))


def smallest_difference(
    layout: Layout, spread: Spread, *, alpha: float = 0.05, family: int = 1, wanted: float = USUAL
) -> float:
    """The smallest difference, as a fraction of the baseline, that is found with the chance ``wanted``."""
    se, df = standard_error(layout, spread)
    shift = needed_shift(df, alpha / max(family, 1), wanted)
    return expm1(shift * se) if shift * se < 700 else inf


def blocks_needed(
    difference: float,
    layout: Layout,
    spread: Spread,
    *,
    alpha: float = 0.05,
    family: int = 1,
    wanted: float = USUAL,
) -> int | None:
    """How many blocks find ``difference`` (a fraction) with the chance ``wanted``; None: more than MOST_BLOCKS.

    ``layout.blocks`` is not used. Raises ValueError for a difference that is not positive or a unit without blocks.
    """
    if difference <= 0 or layout.unit is Unit.RUN:
        raise ValueError("needs a positive difference and a design with blocks")

    def found(blocks: int) -> float:
        se, df = standard_error(replace(layout, blocks=blocks), spread)
        return power(log1p(difference) / se if se > 0 else inf, df, alpha / max(family, 1)) if se > 0 else 1.0

    low, high = 1, 2
    while found(high) < wanted:
        low, high = high, 2 * high
        if low >= MOST_BLOCKS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if found(middle) < wanted else (low, middle)
    return high


def detectable(one: Comparison, *, wanted: float = USUAL) -> float | None:
    """The smallest difference, as a fraction of the baseline, that this comparison would have found.

    From the standard error it had and the level its verdict went by, not from the difference it saw.
    """
    if one.df is None or one.ci_low is None or one.ci_high is None or one.ci_low <= 0:
        return None
    blocked = one.method is Method.BLOCKED
    wide = log(one.ci_high) - log(one.ci_low) if blocked else one.ci_high - one.ci_low
    se = wide / 2 / float(student.critical(one.alpha / 2, one.df))
    is_corrected = one.adjusted and one.correction is not Correction.NONE
    shift = needed_shift(one.df, one.alpha / one.family if is_corrected else one.alpha, wanted)
    return expm1(shift * se) if blocked else shift * se
