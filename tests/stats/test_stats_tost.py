"""What is said of a difference that is nearly none. The p-values are R's: test_stats_against_r.py."""

from __future__ import annotations

import numpy as np

from hpcvirt.core.stats import Method, Series, Settings, Verdict, compare


def test_equivalent_and_trivial() -> None:
    rng = np.random.default_rng(1)
    for shift, expected in ((0.0, Verdict.EQUIVALENT), (0.8, Verdict.TRIVIAL), (5.0, Verdict.SLOWER)):
        series = [Series.of(k, "x", "t", rng.normal(level, 1, 200)) for k, level in (("A", 100), ("B", 100 + shift))]
        assert compare(series, Settings(method=Method.PAPER))[0].verdict is expected
