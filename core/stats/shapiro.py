"""The Shapiro-Wilk test of normality for many samples at once.

Source: Royston 1995, algorithm AS R94 (Applied Statistics 44, 547-551), as in R's ``shapiro.test``; written
over whole matrices because one call per sample would take longer than all the comparisons together.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import special

from hpcvirt.core.stats.arrays import FloatArray

SMALLEST, LARGEST = 3, 5000
"""Sample sizes that the approximation was made for."""

# coefficients of the polynomials in AS R94, lowest power first
_C1 = (0.0, 0.221157, -0.147981, -2.07119, 4.434685, -2.706056)
_C2 = (0.0, 0.042981, -0.293762, -1.752461, 5.682633, -3.582633)
_C3 = (0.544, -0.39978, 0.025054, -6.714e-4)
_C4 = (1.3822, -0.77857, 0.062767, -0.0020322)
_C5 = (-1.5861, -0.31082, -0.083751, 0.0038915)
_C6 = (-0.4803, -0.082676, 0.0030302)
_G = (-2.273, 0.459)


def shapiro(samples: FloatArray) -> tuple[FloatArray, FloatArray]:
    """W and p of each row of (M, n). NaN where n is out of range or all values of a row are the same."""
    rows, n = samples.shape
    if not SMALLEST <= n <= LARGEST:
        return np.full(rows, np.nan), np.full(rows, np.nan)
    weights = _weights(n)
    ordered = np.sort(samples, axis=1)
    spread = ordered - ordered.mean(axis=1, keepdims=True)
    total = np.einsum("ij,ij->i", spread, spread)
    with np.errstate(invalid="ignore", divide="ignore"):
        w = np.square(spread @ weights) / (total * np.sum(np.square(weights)))
        w = np.where(ordered[:, 0] == ordered[:, -1], np.nan, np.minimum(w, 1.0))
        return w, _probability(w, n)


@lru_cache(maxsize=256)
def _weights(n: int) -> FloatArray:
    half = n // 2
    if n == 3:
        upper = np.array([np.sqrt(0.5)])
    else:
        m = np.asarray(special.ndtri((np.arange(1, half + 1) - 0.375) / (n + 0.25)))
        square = 2 * float(np.sum(m**2))
        first = _polynomial(_C1, n**-0.5) - m[0] / square**0.5
        if n > 5:
            second = _polynomial(_C2, n**-0.5) - m[1] / square**0.5
            rest = (square - 2 * m[0] ** 2 - 2 * m[1] ** 2) / (1 - 2 * first**2 - 2 * second**2)
            upper = np.concatenate([[first, second], -m[2:] / rest**0.5])
        else:
            rest = (square - 2 * m[0] ** 2) / (1 - 2 * first**2)
            upper = np.concatenate([[first], -m[1:] / rest**0.5])
    middle = np.zeros(n - 2 * half)
    return np.concatenate([-upper, middle, upper[::-1]])


def _probability(w: FloatArray, n: int) -> FloatArray:
    if n == 3:
        exact = 6 / np.pi * (np.arcsin(np.sqrt(w)) - np.arcsin(np.sqrt(0.75)))
        return np.asarray(np.clip(exact, 0, 1))
    y = np.log1p(-w)
    if n <= 11:
        limit = _polynomial(_G, n)
        beyond = y >= limit
        y = -np.log(np.where(beyond, 1.0, limit - y))
        mean, sd = _polynomial(_C3, n), np.exp(_polynomial(_C4, n))
        return np.where(beyond, 0.0, np.asarray(special.ndtr((mean - y) / sd)))
    mean, sd = _polynomial(_C5, np.log(n)), np.exp(_polynomial(_C6, np.log(n)))
    return np.asarray(special.ndtr((mean - y) / sd))


def _polynomial(coefficients: tuple[float, ...], x: float) -> float:
    return float(sum(c * x**power for power, c in enumerate(coefficients)))
