"""How many more units would decide an inconclusive comparison.

The answer is by precision alone. Once the interval at the family's level is no wider than half of delta to
each side, every estimate is decided: beyond half of delta it excludes no difference, within half of delta it
lies inside the band of equivalence. The observed difference does not enter. Adding blocks after a look at the verdicts
raises the rate of false differences all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcvirt.core.stats import student
from hpcvirt.core.stats.arrays import FloatArray

MOST = 2**20
"""More units than this are as good as never."""


@dataclass(frozen=True, slots=True, eq=False)
class Need:
    """What decides the width of an interval from N units: its variance is ``variance`` / N, and its degrees of
    freedom are ``df_per_unit`` (N - 1) - ``df_lost``. Arrays of one shape; NaN where nothing can be said.
    """

    variance: FloatArray
    df_per_unit: FloatArray
    df_lost: FloatArray
    target: FloatArray
    """Half of delta, on the scale of the estimate."""
    now: FloatArray
    """Units there are."""
    per_node_from: FloatArray
    """Units from which each node has a variance of its own, where they share one so far; see ``expected_df``."""


def more_units(need: Need, level: FloatArray) -> FloatArray:
    """How many units beyond those there are bring the half-width to the target. NaN: not known, or beyond MOST."""
    low, high = np.full(need.now.shape, 2.0), np.full(need.now.shape, float(MOST))
    reachable = _wide(need, high, level) <= need.target
    for _ in range(MOST.bit_length()):
        middle = np.floor((low + high) / 2)
        enough = _wide(need, middle, level) <= need.target
        high = np.where(enough, middle, high)
        low = np.where(enough, low, np.minimum(middle + 1, high))
    return np.where(reachable & (need.variance > 0), np.maximum(high - need.now, 1), np.nan)


def _wide(need: Need, units: FloatArray, level: FloatArray) -> FloatArray:
    pooled = need.df_per_unit * (units - 1) - need.df_lost
    df = np.where(units < need.per_node_from, pooled, expected_df(units, need.df_per_unit))
    wide = student.critical(level / 2, df) * np.sqrt(need.variance / units)
    return np.where(df > 0, wide, np.inf)


def expected_df(blocks: FloatArray, nodes: FloatArray) -> FloatArray:
    """Degrees of freedom that Satterthwaite's formula gives in the mean, where all nodes scatter alike.

    Its (sum s_j^2)^2 (B - 1) / sum s_j^4 varies with the nodes' variances even where the true ones are equal; both
    sums are replaced by their expectations for normal data.
    """
    return (blocks - 1) * (nodes * (blocks - 1) + 2) / (blocks + 1)
