"""Adjusted p-values for a family that was planned before the data, and the levels that decided."""

from __future__ import annotations

import numpy as np

from hpcvirt.core.stats.arrays import FloatArray
from hpcvirt.core.stats.model import Correction


def adjust(p: FloatArray, correction: Correction, family: int | None = None) -> FloatArray:
    """Adjusted p-values, in the order given; the last axis is the family. NaN stays NaN.

    A test that could not be made (NaN) still counts in the size of the family: what was planned decides,
    not what the data let through. ``family`` is that size where it exceeds the p-values given.
    Same as R's ``p.adjust(p, method, n = family)``. Sources: Holm 1979; Benjamini and Hochberg 1995.
    """
    p = np.asarray(p, dtype=np.float64)
    if correction is Correction.NONE or p.size == 0:
        return p.copy()
    size = p.shape[-1] if family is None else family
    order = np.argsort(p, axis=-1, kind="stable")  # NaN sorts last
    ranked = np.take_along_axis(p, order, axis=-1)
    rank = np.arange(1, p.shape[-1] + 1, dtype=np.float64)
    if correction is Correction.HOLM:
        stepped = np.maximum.accumulate(np.where(np.isnan(ranked), 0, (size - rank + 1) * ranked), axis=-1)
    else:
        scaled = np.where(np.isnan(ranked), np.inf, size / rank * ranked)
        stepped = np.flip(np.minimum.accumulate(np.flip(scaled, -1), axis=-1), -1)
    result = np.empty_like(p)
    np.put_along_axis(result, order, np.where(np.isnan(ranked), np.nan, np.minimum(stepped, 1)), axis=-1)
    return result


def deciding_levels(p: FloatArray, correction: Correction, alpha: float) -> FloatArray:
    """The level of each interval that excludes no difference exactly where the adjusted p is below alpha.

    ``p`` (N,) is the family. With R of N rejected: Holm's r-th smallest p was compared with alpha / (N - r + 1), and
    those beyond the first one not rejected have that one's level; Benjamini and Hochberg's all have R alpha / N, which
    is also the level of Benjamini and Yekutieli (2005) for intervals of what was selected. NaN where p is NaN.
    """
    size = p.size
    if correction is Correction.NONE or size == 0:
        return np.where(np.isnan(p), np.nan, alpha)
    rejected = int(np.sum(adjust(p, correction) < alpha))
    if correction is Correction.BH:
        return np.where(np.isnan(p), np.nan, max(rejected, 1) * alpha / size)
    rank = np.empty(size)
    rank[np.argsort(p, kind="stable")] = np.arange(1, size + 1)
    return np.where(np.isnan(p), np.nan, alpha / (size - np.minimum(rank, rejected + 1) + 1))
