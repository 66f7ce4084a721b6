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


def noncentral_upper(t: float, df: float, shift: float) -> float:
    """P(T > t) for the noncentral t with noncentrality ``shift``.

    The definition itself, E[Phi(shift - t s)] with s = sqrt(chi2 / df), by Gauss-Legendre over all of s that has
    weight: scipy's ``nctdtr`` gives NaN or loses digits where the shift is large, and power is asked for there.
    """
    bottom, top = (
        float(np.sqrt(inverse(df / 2, 1e-18) * 2 / df)) for inverse in (special.gammaincinv, special.gammainccinv)
    )
    # beyond this s the normal tail is nothing (t > 0) or everything (t < 0): two smooth pieces
    turn = min(max((abs(shift) + 9) / max(abs(t), 1e-300), bottom), top)
    return _expected(t, df, shift, bottom, turn) + _expected(t, df, shift, turn, top)


def _expected(t: float, df: float, shift: float, low: float, high: float) -> float:
    s = (high + low) / 2 + (high - low) / 2 * _NODES
    log_density = (df - 1) * np.log(s) - df * np.square(s) / 2
    log_density += np.log(2) + df / 2 * np.log(df / 2) - special.gammaln(df / 2)
    return float((high - low) / 2 * np.sum(_WEIGHTS * np.exp(log_density) * special.ndtr(shift - t * s)))


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


def _array(value: Any) -> FloatArray:
    return np.asarray(value, dtype=np.float64)
