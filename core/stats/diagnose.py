"""First diagnostics of series: what stands out in the values of one kernel in one metric. Nothing acts on them.

Each test is made at 1 %, whatever alpha is. What boots have in common is no trend and no node: where a node has several
boots, drift and the nodes' levels are judged by boot means. Spread of the size of rounding is taken for none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import comb, exp, lgamma

import numpy as np
from scipy import special

from hpcvirt.core.stats import student
from hpcvirt.core.stats.arrays import FloatArray, IntArray
from hpcvirt.core.stats.batch import Batch, boot_means, distinct, totals
from hpcvirt.core.stats.shapiro import shapiro

LEVEL = 0.01
ROUNDING = 64 * float(np.finfo(np.float64).eps)
"""Relative size of what sums and quotients of a run leave behind: spread up to this is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Diagnostics of every series, each array of shape (S,), S = groups x kernels; NaN where there is too little."""

    n: FloatArray
    """Runs."""
    autocorrelation: FloatArray
    """Lag 1, between consecutive runs of a boot, less what independent runs show."""
    autocorrelation_p: FloatArray
    boot_f: FloatArray
    """F of the test that the boots of a node differ by more than their runs."""
    boot_p: FloatArray
    effective_n: FloatArray
    """How many independent runs would give as precise a mean."""
    drift: FloatArray
    """Correlation with the order of runs, or boots, on their node."""
    drift_p: FloatArray
    drift_sd: FloatArray
    """Change from first to last by the fitted line, in residual sd."""
    outliers: FloatArray
    farthest: FloatArray
    """Largest distance from a node's median, in robust sd."""
    node_f: FloatArray
    node_p: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Values with the series and the node that they belong to, in the order of time on each node."""

    slot: IntArray
    node: IntArray
    """slot * n_nodes + node."""
    block: IntArray
    value: FloatArray
    n_nodes: int
    negligible: FloatArray
    """(S,) what is no more than this is rounding."""

    def total(self, rows: FloatArray) -> FloatArray:
        """(S,) sums of a column."""
        return totals(self.slot, rows, self.negligible.size)

    def squares(self, rows: FloatArray) -> FloatArray:
        """(S,) sums of squares; 0 where they are of the size of rounding."""
        found = self.total(np.square(rows))
        noise = self.total(np.ones(rows.size)) * np.square(self.negligible)
        return np.where(found > noise, found, 0.0)

    def nodes(self) -> FloatArray:
        """(S,) number of nodes."""
        slot = distinct(self.node)[0] // self.n_nodes
        return totals(slot, np.ones(slot.size), self.negligible.size)


def read(batch: Batch, together: bool = False) -> Readings:
    """Diagnose every series of a batch. ``together``: what a block brings it brings to all nodes at once."""
    with np.errstate(invalid="ignore", divide="ignore"):
        runs, boots = _rows(batch), _rows(boot_means(batch))
        boot = _boots(batch)
        r, r_p = _lag_one(runs, boot)
        boot_f, boot_p, effective = _between_boots(runs, boot, r)
        units = _units(runs, boots)
        node_f, node_p = _between_nodes(units)
        count, farthest = _outliers(runs, effective)
        return Readings(
            runs.total(np.ones(runs.value.size)), r, r_p, boot_f, boot_p, effective,
            *_drift(_of_blocks(units) if together else units), count, farthest, node_f, node_p,
        )  # fmt: skip


def negligible(batch: Batch) -> FloatArray:
    """(S,) what a difference between values of a series must exceed to be more than rounding."""
    largest = np.zeros(batch.shape[0] * batch.shape[1])
    group = batch.slot // max(len(batch.kernels), 1)
    np.maximum.at(largest, batch.slot, np.abs(batch.value + batch.shift[group]))
    return ROUNDING * largest


def by_length(segment: IntArray, n_segments: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Segments of equal length together: their numbers (M,) and the rows of each (M, n). ``segment`` is sorted."""
    count = np.bincount(segment, minlength=n_segments)
    start = np.cumsum(count) - count
    for n in np.unique(count[count > 0]).tolist():
        which = np.flatnonzero(count == n)
        yield which, start[which][:, None] + np.arange(n)


def normality(values: FloatArray, segment: IntArray, n_segments: int) -> tuple[FloatArray, FloatArray]:
    """Shapiro-Wilk W and p of each segment (sorted ids) of values, each of shape (n_segments,)."""
    w, p = np.full(n_segments, np.nan), np.full(n_segments, np.nan)
    for which, rows in by_length(segment, n_segments):
        w[which], p[which] = shapiro(values[rows])
    return w, p


def f_upper(f: FloatArray, df1: FloatArray, df2: FloatArray) -> FloatArray:
    """P(F > f). Abramowitz and Stegun 26.6.2."""
    with np.errstate(invalid="ignore", divide="ignore"):
        good1, good2 = np.where(df1 > 0, df1, np.nan), np.where(df2 > 0, df2, np.nan)
        return np.asarray(special.betainc(good2 / 2, good1 / 2, good2 / (good2 + good1 * f)))


@lru_cache(maxsize=4096)
def fisher(lost: int, kept: int, lost_baseline: int, kept_baseline: int, tied: float = 1.0) -> float:
    """Fisher's exact test of a 2 x 2 table, two-sided: the p of all tables no likelier than this one.

    ``tied``: how much tables exactly as likely count; with 0.5 it is the mid-p, which is not conservative.
    """
    first, second = lost + kept, lost_baseline + kept_baseline
    total = lost + lost_baseline

    def log_chance(a: int) -> float:
        return _log_comb(first, a) + _log_comb(second, total - a) - _log_comb(first + second, total)

    seen = log_chance(lost)
    chances = [log_chance(a) for a in range(max(0, total - second), min(first, total) + 1)]
    # the tolerance is R's, for tables that are equally likely but for rounding
    rarer = sum(exp(c) for c in chances if c < seen - 1e-7)
    return min(1.0, rarer + tied * sum(exp(c) for c in chances if abs(c - seen) <= 1e-7))


@lru_cache(maxsize=4096)
def smallest_p(n: int, n_baseline: int | None = None) -> float:
    """The smallest two-sided p that rearranging could give: signs of n pairs, or labels of two groups."""
    ways = 2**n if n_baseline is None else comb(n + n_baseline, n)
    return min(1.0, 2 / ways)


def _log_comb(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _rows(batch: Batch) -> Rows:
    return Rows(
        batch.slot, batch.slot * batch.n_nodes + batch.node, batch.block, batch.value, batch.n_nodes, negligible(batch)
    )


def _boots(batch: Batch) -> IntArray:
    """(R,) a number for each boot of each series."""
    blocks, boots = (int(code.max(initial=0)) + 1 for code in (batch.block, batch.boot))
    node = batch.slot * batch.n_nodes + batch.node
    return distinct((node * blocks + batch.block) * boots + batch.boot)[1]


def _units(runs: Rows, boots: Rows) -> Rows:
    """Boot means of series with several boots on a node, runs of the others."""
    several = boots.total(np.ones(boots.slot.size)) > boots.nodes()
    of_boots, of_runs = several[boots.slot], ~several[runs.slot]

    slot, node, block, value = (
        np.concatenate([getattr(boots, name)[of_boots], getattr(runs, name)[of_runs]])
        for name in ("slot", "node", "block", "value")
    )
    return Rows(slot, node, block, value, runs.n_nodes, runs.negligible)


def _of_blocks(units: Rows) -> Rows:
    """One value for each block of each series: the mean over nodes of what departs from the node's mean."""
    size = int(units.block.max(initial=0)) + 1
    key, at = distinct(units.slot * size + units.block)
    rest = units.value - _means(units.node, units.value)[1]
    value = totals(at, rest, key.size) / totals(at, np.ones(at.size), key.size)
    slot = key // size
    return Rows(slot, slot * units.n_nodes, key % size, value, units.n_nodes, units.negligible)


def _means(code: IntArray, value: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(R,) of each row, how many rows share its code, and their mean."""
    at = distinct(code)[1]
    size = int(at.max(initial=-1)) + 1
    count = totals(at, np.ones(at.size), size)
    return count[at], (totals(at, value, size) / count)[at]


def _lag_one(runs: Rows, boot: IntArray) -> tuple[FloatArray, FloatArray]:
    """Lag-1 correlation within boots and its p.

    Q = sum of products of neighbours / sum of squares, about boot means. Mean and variance of Q for independent
    normal runs are exact (moments of a ratio of quadratic forms); its departure is tested as a correlation with that
    variance.
    """
    order = np.argsort(boot, kind="stable")
    size, mean = _means(boot, runs.value)
    e, at = (runs.value - mean)[order], boot[order]
    together = np.zeros(e.size)
    together[1:] = np.where(at[1:] == at[:-1], e[1:] * e[:-1], 0.0)
    q = totals(runs.slot[order], together, runs.negligible.size) / runs.squares(runs.value - mean)
    # traces of M A and (M A)^2: M centres a boot of r runs, A takes half of each neighbour; over rows, each 1 / r
    ends = np.where(size > 1, size - 1.5, 0.0)
    trace = runs.total(-(size - 1) / size**2)
    trace2 = runs.total(((size - 1) / 2 - 2 * ends / size + np.square(size - 1) / size**2) / size)
    df = np.rint(runs.total(1 - 1 / size))
    expected = trace / df
    variance = (2 * trace2 + trace**2) / (df * (df + 2)) - expected**2
    r = np.where((df >= 3) & (variance > 1e-9), q - expected, np.nan)
    freedom = 1 / variance - 1
    return r, student.two_sided(r * np.sqrt(freedom / (1 - r**2)), freedom)


def _between_boots(runs: Rows, boot: IntArray, r: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """F and p of boots within nodes, and the effective number of runs.

    That number comes from the nested variances (runs in boots in nodes) where a node has several boots; elsewhere
    from r, as of a first-order autoregression.
    """
    size, mean = _means(boot, runs.value)
    of_node, node_mean = _means(runs.node, runs.value)
    n, boots = runs.total(np.ones(size.size)), np.rint(runs.total(1 / size))
    df, df_within = boots - runs.nodes(), n - boots
    within = runs.squares(runs.value - mean) / df_within
    between = runs.squares(mean - node_mean) / df
    f = np.where((df > 0) & (df_within > 0) & (within > 0), between / within, np.nan)
    common = np.maximum(between - within, 0) / ((n - runs.total(size / of_node)) / df)
    nested = (within + common) / (within / n + common * runs.total(size) / n**2)
    alone = np.where(r > 0, n * (1 - r) / (1 + r), n)
    return f, f_upper(f, df, df_within), np.where(np.isnan(f), alone, nested)


def _between_nodes(units: Rows) -> tuple[FloatArray, FloatArray]:
    """F and p of the test that the nodes' levels differ."""
    n, nodes = units.total(np.ones(units.slot.size)), units.nodes()
    _, mean = _means(units.node, units.value)
    _, overall = _means(units.slot, units.value)
    within = units.squares(units.value - mean) / (n - nodes)
    f = np.where((within > 0) & (nodes > 1), units.squares(mean - overall) / (nodes - 1) / within, np.nan)
    return f, f_upper(f, nodes - 1, n - nodes)


def _drift(units: Rows) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Correlation with the place in each node's own order, its p, and the change in residual sd."""
    order = np.argsort(units.node, kind="stable")
    size, mean = _means(units.node, units.value)
    count = np.bincount(distinct(units.node)[1])
    rank = np.empty(order.size)
    rank[order] = np.arange(order.size) - np.repeat(np.cumsum(count) - count, count)
    e, place = units.value - mean, (rank + 0.5) / size - 0.5
    n, nodes = units.total(np.ones(e.size)), units.nodes()
    squares, places, product = units.squares(e), units.total(place**2), units.total(e * place)
    df = n - nodes - 1
    r = np.where((df >= 2) & (squares > 0), np.clip(product / np.sqrt(squares * places), -1, 1), np.nan)
    change = product / places * (1 - nodes / n) / np.sqrt(squares * (1 - r**2) / df)
    return r, student.two_sided(r * np.sqrt(df / (1 - r**2)), df), change


def _outliers(runs: Rows, effective: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(S,) how many values lie beyond the fence of their node, and how far the farthest value lies."""
    order = np.argsort(runs.node, kind="stable")
    slot, value = runs.slot[order], runs.value[order]
    at = distinct(runs.node[order])[1]
    n = runs.total(np.ones(slot.size))
    count, farthest = np.zeros(n.size), np.zeros(n.size)
    for _, rows in by_length(at, int(at.max(initial=-1)) + 1):
        of = slot[rows[:, 0]]
        away = np.abs(value[rows] - np.median(value[rows], axis=1, keepdims=True))
        mad = np.median(away, axis=1)
        # where more than half the values are the same there is no yardstick
        scale = np.where(mad > runs.negligible[of], mad / special.ndtri(0.75), np.inf)
        distance = away / scale[:, None]
        limit = fence(n[of], np.floor(rows.shape[1] * np.minimum(effective[of] / n[of], 1)))
        np.add.at(count, of, (distance > limit[:, None]).sum(axis=1))
        np.maximum.at(farthest, of, distance.max(axis=1))
    return count, farthest


def fence(n: FloatArray, on_node: FloatArray) -> FloatArray:
    """Distance from the median, in robust sd, that in 1 % of normal series of n values any value exceeds.

    A distance over the median absolute deviation of m independent values (``on_node``) is distributed nearly as
    Student's t with 0.5 + 0.82 [m/2] degrees of freedom (fitted for m = 4 to 400 by simulation).
    """
    limit = student.critical(LEVEL / n / 2, 0.5 + 0.82 * np.floor(on_node / 2))
    return np.where(on_node >= 4, limit, np.inf)
