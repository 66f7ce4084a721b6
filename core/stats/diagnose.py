"""First diagnostics of series, as flags with their statistic. They inform; nothing acts on them.

A flag is raised at 1 %, whatever alpha is: about one series in a hundred gets it by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import comb, exp, lgamma

import numpy as np
from scipy import special

from hpcvirt.core.stats import student
from hpcvirt.core.stats.arrays import BoolArray, FloatArray, IntArray
from hpcvirt.core.stats.batch import Batch
from hpcvirt.core.stats.model import Flag
from hpcvirt.core.stats.shapiro import shapiro

LEVEL = 0.01
FENCE = 3.5
"""Robust z beyond which a value is called an outlier (Iglewicz and Hoaglin 1993)."""


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """What was found in M series, each array of shape (M,); NaN where there is too little to say."""

    autocorrelation: FloatArray
    """Lag 1, between consecutive runs of a node."""
    autocorrelation_p: FloatArray
    effective_n: FloatArray
    drift: FloatArray
    """Correlation with run order."""
    drift_p: FloatArray
    drift_sd: FloatArray
    """Change from the first run to the last by the fitted line, in residual sd."""
    outliers: FloatArray
    node_f: FloatArray
    node_p: FloatArray


def by_length(segment: IntArray, n_segments: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Segments of equal length together: their numbers (M,) and the rows of each (M, n). ``segment`` is sorted."""
    count = np.bincount(segment, minlength=n_segments)
    start = np.cumsum(count) - count
    for n in np.unique(count[count > 0]).tolist():
        which = np.flatnonzero(count == n)
        yield which, start[which][:, None] + np.arange(n)


def series_flags(batch: Batch) -> Mapping[tuple[int, int], tuple[Flag, ...]]:
    """Flags of every kernel's runs, by (group, kernel). Series with values that are not numbers get none."""
    found: dict[tuple[int, int], tuple[Flag, ...]] = {}
    n_groups, n_kernels = batch.shape
    for which, rows in by_length(batch.slot, n_groups * n_kernels):
        readings = read(batch.value[rows], batch.node[rows])
        clean = batch.not_finite.reshape(-1)[which] == 0
        for i in np.flatnonzero(clean & _remarkable(readings)).tolist():
            g, k = divmod(int(which[i]), n_kernels)
            found[g, k] = tuple(_flags(readings, i, rows.shape[1], batch.kernels[k]))
    return found


def read(values: FloatArray, node: IntArray) -> Readings:
    """Diagnostics of M series of n values in run order, each with its nodes: both arrays of shape (M, n)."""
    residual, node_f, node_p = _without_nodes(values, node)
    correlation, correlation_p, effective = _lag_one(residual, node)
    drift, drift_p, drift_sd = _drift(residual)
    return Readings(
        correlation, correlation_p, effective, drift, drift_p, drift_sd, _outliers(residual), node_f, node_p
    )


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
def fisher(lost: int, kept: int, lost_baseline: int, kept_baseline: int) -> float:
    """Fisher's exact test of a 2 x 2 table, two-sided: the p of all tables no likelier than this one."""
    first, second = lost + kept, lost_baseline + kept_baseline
    total = lost + lost_baseline

    def log_chance(a: int) -> float:
        return _log_comb(first, a) + _log_comb(second, total - a) - _log_comb(first + second, total)

    seen = log_chance(lost)
    span = range(max(0, total - second), min(first, total) + 1)
    # the tolerance is R's, for tables that are equally likely but for rounding
    return min(1.0, sum(exp(c) for c in map(log_chance, span) if c <= seen + 1e-7))


@lru_cache(maxsize=4096)
def smallest_p(n: int, n_baseline: int | None = None) -> float:
    """The smallest two-sided p that rearranging could give: signs of n pairs, or labels of two groups."""
    ways = 2**n if n_baseline is None else comb(n + n_baseline, n)
    return min(1.0, 2 / ways)


def _log_comb(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _without_nodes(values: FloatArray, node: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Residuals about node means, and the F test that the nodes' levels differ."""
    m, n = values.shape
    empty = np.full(m, np.nan)
    # differences from a value of the series are exactly 0 where nothing varies; from a mean they may be roundings
    if (node == node[:, :1]).all():
        away = values - values[:, :1]
        return away - away.mean(axis=1, keepdims=True), empty, empty
    n_nodes = int(node.max()) + 1
    key = np.arange(m)[:, None] * n_nodes + node
    count = np.bincount(key.reshape(-1), minlength=m * n_nodes)
    origin = np.zeros(m * n_nodes)
    origin[key] = values
    away = values - origin[key]
    sums = np.bincount(key.reshape(-1), weights=away.reshape(-1), minlength=m * n_nodes)
    residual = away - (sums / np.maximum(count, 1))[key]
    within = np.sum(np.square(residual), axis=1)
    total = np.sum(np.square(values - values.mean(axis=1, keepdims=True)), axis=1)
    nodes = (count.reshape(m, n_nodes) > 0).sum(axis=1)
    df1, df2 = (nodes - 1).astype(np.float64), (n - nodes).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        f = np.where((within > 0) & (df1 > 0), (total - within) / df1 / (within / df2), np.nan)
    return residual, f, f_upper(f, df1, df2)


def _lag_one(residual: FloatArray, node: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    order = np.argsort(node, axis=1, kind="stable")
    e, at = np.take_along_axis(residual, order, axis=1), np.take_along_axis(node, order, axis=1)
    n = residual.shape[1]
    together = np.sum(np.where(at[:, 1:] == at[:, :-1], e[:, 1:] * e[:, :-1], 0.0), axis=1)
    squares = np.sum(np.square(e), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.where((squares > 0) & (n > 3), together / squares, np.nan)
        # under independence r is about normal with variance 1/n (Box and Jenkins 1970)
        p = 2 * np.asarray(special.ndtr(-np.abs(r) * np.sqrt(n)))
        effective = n * (1 - r) / (1 + r)
    return r, p, effective


def _drift(residual: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    n = residual.shape[1]
    if n < 4:
        empty = np.full(residual.shape[0], np.nan)
        return empty, empty, empty
    step = np.arange(n) - (n - 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = np.sum(np.square(residual), axis=1)
        r = np.clip(residual @ step / np.sqrt(squares * np.sum(step**2)), -1, 1)
        spread = np.sqrt(squares * (1 - r**2) / (n - 2))
        change = residual @ step / np.sum(step**2) * (n - 1) / spread
        t = r * np.sqrt((n - 2) / (1 - r**2))
    return r, student.two_sided(t, np.full(r.shape, float(n - 2))), change


def _outliers(residual: FloatArray) -> FloatArray:
    away = np.abs(residual - np.median(residual, axis=1, keepdims=True))
    mad = np.median(away, axis=1, keepdims=True)
    # where more than half the values are the same there is no yardstick
    beyond = (special.ndtri(0.75) * away > FENCE * mad) & (mad > 0)
    return np.asarray(beyond.sum(axis=1), dtype=np.float64)


def _remarkable(found: Readings) -> BoolArray:
    low = np.fmin.reduce([found.autocorrelation_p, found.drift_p, found.node_p])
    return np.asarray((low < LEVEL) | (found.outliers > 0))


def _flags(found: Readings, i: int, n: int, kernel: str) -> Iterator[Flag]:
    if found.outliers[i] > 0:
        count = int(found.outliers[i])
        text = f"{count} of {n} values of {kernel} lie beyond {FENCE} robust sd of the median; they are kept"
        yield Flag("outliers", text, kernel, float(count))
    if found.autocorrelation_p[i] < LEVEL:
        r, effective = float(found.autocorrelation[i]), float(found.effective_n[i])
        text = f"consecutive runs of {kernel} are alike (r = {r:.2f}): {n} runs tell as much as {effective:.0f} would"
        if r < 0:
            text = f"consecutive runs of {kernel} alternate (r = {r:.2f})"
        yield Flag("autocorrelated", text, kernel, r, float(found.autocorrelation_p[i]))
    if found.drift_p[i] < LEVEL:
        change = float(found.drift_sd[i])
        text = f"{kernel} {'rises' if change > 0 else 'falls'} by {abs(change):.1f} sd from its first run to its last"
        yield Flag("drift", text, kernel, float(found.drift[i]), float(found.drift_p[i]))
    if found.node_p[i] < LEVEL:
        text = f"the nodes differ under {kernel} (F = {found.node_f[i]:.3g})"
        yield Flag("node-effect", text, kernel, float(found.node_f[i]), float(found.node_p[i]))
