"""How values were recorded: in steps that are too coarse, or cut off at a limit.

A clock that ticks once a second turns 10.4 s and 10.6 s into 10 and 11: where values vary by less than the step,
means are wrong by up to half of it and no number of runs cures that. A limit (a timeout filed as a value, a counter
at its end) piles values up at one end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from hpcvirt.core.stats.arrays import BoolArray, FloatArray
from hpcvirt.core.stats.batch import Batch, totals
from hpcvirt.core.stats.diagnose import LEVEL, by_length, negligible

COARSE = 0.55
"""Sd of recorded values, in steps, below which rounding moves means: by up to 8 % of a step where the sd is truly 0.27
steps (recorded: about 0.38), by less than 1 % from 0.5 steps on (recorded: 0.57 and more)."""
FEWEST = 3
"""So many equal values at an end are called a pile."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """What was seen of each series, each array of shape (S,)."""

    n: FloatArray
    step: FloatArray
    """Smallest difference between two values of one node, over all kernels, in the unit of the metric; NaN: none."""
    share: FloatArray
    """The step over the mean."""
    is_coarse: BoolArray
    at_top: FloatArray
    """How many values are piled up at the largest; 0: no pile."""
    at_bottom: FloatArray
    top: FloatArray
    bottom: FloatArray


def grid_of(batch: Batch, delta: float) -> Grid:
    """Steps and piles of every series. A step of less than half of delta decides nothing and is not coarse."""
    n_kernels = len(batch.kernels)
    size = batch.shape[0] * n_kernels
    with np.errstate(invalid="ignore", divide="ignore"):
        n = totals(batch.slot, np.ones(batch.slot.size), size)
        step = np.repeat(_steps(batch), n_kernels)
        mean = totals(batch.slot, batch.value, size) / n + np.repeat(batch.shift, n_kernels)
        share = step / np.abs(mean)
        measured = ~np.repeat(batch.exact(), n_kernels)  # an exact count has no clock that could be too coarse
        lifted = np.ldexp(step, np.repeat(batch.exponent, n_kernels))  # beyond the largest float it is no step
        is_coarse = (
            measured
            & np.isfinite(lifted)
            & (_sd_within_nodes(batch, n) < COARSE * step)
            & (share > delta / 2)
            & (n > FEWEST)
        )
    exponent = np.repeat(batch.exponent, n_kernels)
    at, ends = np.zeros((2, size)), np.zeros((2, size))
    for which, rows in by_length(batch.slot, size):
        values = batch.value[rows]
        for end, signed in enumerate((values, -values)):
            at[end, which] = _piled(signed, step[which])
            largest = (-1) ** end * signed.max(axis=1) + np.repeat(batch.shift, n_kernels)[which]
            ends[end, which] = np.ldexp(largest, exponent[which])
    at[:, ~measured] = 0
    at[ends == 0] = 0  # none is none: counts and shares end at zero of themselves
    return Grid(n, lifted, share, is_coarse, at[0], at[1], ends[0], ends[1])


def _steps(batch: Batch) -> FloatArray:
    """(G,) smallest difference that is more than rounding, between values of one kernel on one node."""
    node = batch.slot * batch.n_nodes + batch.node
    order = np.lexsort((batch.value, node))
    gap, of = np.diff(batch.value[order]), batch.slot[order][1:]
    real = (np.diff(node[order]) == 0) & (gap > negligible(batch)[of])
    step = np.full(batch.shape[0], np.inf)
    np.minimum.at(step, of[real] // len(batch.kernels), gap[real])
    return np.where(np.isinf(step), np.nan, step)


def _sd_within_nodes(batch: Batch, n: FloatArray) -> FloatArray:
    counts = batch.by_node()
    mean = batch.by_node(batch.value) / np.maximum(counts, 1)
    group, kernel = np.divmod(batch.slot, len(batch.kernels))
    squares = totals(batch.slot, np.square(batch.value - mean[group, kernel, batch.node]), n.size)
    sd: FloatArray = np.sqrt(squares / np.maximum(n - (counts > 0).sum(axis=2).reshape(-1), 1))
    return sd


def _piled(values: FloatArray, step: FloatArray) -> FloatArray:
    """(M,) how many of a row's values are equal to its largest, where these are too many to be the tail of anything.

    Tails thin out: at its end, a distribution is no denser than in the window beside it, which reaches to half the
    median distance of the others. Even were it twice as dense, the end would hold 2 of the K + 2 parts of what lies
    there, K the window's width in steps. The binomial test of that is made at half of 1 % for each end.
    """
    away = values.max(axis=1, keepdims=True) - values
    beside = np.sort(away, axis=1)
    here = (away == 0).sum(axis=1)
    n = values.shape[1]
    middle = beside[np.arange(len(here)), np.minimum((here + n) // 2, n - 1)]
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = np.maximum(np.floor(middle / 2 / step * (1 + 1e-9)), 1)
        near = ((away > 0) & (away <= (steps * step * (1 + 1e-9))[:, None])).sum(axis=1)
        p = special.betainc(here, near + 1.0, 2 / (steps + 2))
    several = (np.diff(beside, axis=1) > 0).sum(axis=1) > 1
    return np.where((here >= FEWEST) & several & (p < LEVEL / 2), here, 0).astype(np.float64)
