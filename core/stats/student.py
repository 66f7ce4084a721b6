"""Student's t distribution in the tails, where p-values live.

Source: Abramowitz and Stegun 26.5.27, P(|T| > t) = I_x(df/2, 1/2) with x = df / (df + t^2), which keeps
its relative precision however small p is; 1 - cdf does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from hpcvirt.core.stats.arrays import FloatArray


def two_sided(t: FloatArray, df: FloatArray) -> FloatArray:
    """P(abs(T) > abs(t)). NaN where t is NaN or df is not positive. Any shape, broadcast."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        good_df = np.where(np.asarray(df) > 0, df, np.nan)
        # t^2 overflows beyond 1e154; there x is 0 and so is p, correctly
        x = 1.0 / (1.0 + np.square(t) / good_df)
        return _array(special.betainc(good_df / 2, 0.5, x))


def upper(t: FloatArray, df: FloatArray) -> FloatArray:
    """P(T > t)."""
    half = two_sided(t, df) / 2
    return np.where(np.asarray(t) > 0, half, 1 - half)


def critical(tail: float | FloatArray, df: float | FloatArray) -> FloatArray:
    """The t that is exceeded with probability ``tail`` (one-sided). NaN where df is not positive."""
    good_df = np.where(np.asarray(df) > 0, df, np.nan)
    # the lower tail keeps precision when ``tail`` is tiny
    return -_array(special.stdtrit(good_df, tail))


def noncentral_upper(t: float | FloatArray, df: float | FloatArray, shift: float | FloatArray) -> FloatArray:
    """P(T > t) for the noncentral t with noncentrality ``shift``."""
    return 1 - _array(special.nctdtr(df, shift, t))


def _array(value: Any) -> FloatArray:
    return np.asarray(value, dtype=np.float64)
