"""Equivalence, against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest

from hpcvirt.core.stats import Method, Series, Settings, Verdict, compare

weightstats = pytest.importorskip("statsmodels.stats.weightstats", reason="needs statsmodels")


def test_ttost_ind(rng: np.random.Generator) -> None:
    for _ in range(25):
        n, m = rng.integers(3, 60, 2)
        a, b = rng.normal(100, rng.uniform(0.1, 5), n), rng.normal(100, rng.uniform(0.1, 5), m)
        (one,) = compare([Series.of("A", "x", "t", a), Series.of("B", "x", "t", b)], Settings(method=Method.PAPER))
        edge = 0.02 * a.mean()
        expected = weightstats.ttost_ind(b, a, -edge, edge, usevar="unequal")[0]
        assert one.p_equivalence == pytest.approx(expected, rel=1e-9)


def test_equivalent_and_trivial() -> None:
    rng = np.random.default_rng(1)
    for shift, expected in ((0.0, Verdict.EQUIVALENT), (0.8, Verdict.TRIVIAL), (5.0, Verdict.SLOWER)):
        series = [Series.of(k, "x", "t", rng.normal(level, 1, 200)) for k, level in (("A", 100), ("B", 100 + shift))]
        assert compare(series, Settings(method=Method.PAPER))[0].verdict is expected
