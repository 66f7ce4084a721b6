"""The mean of one series with its interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hpcvirt.core.stats import Series, Unit
from hpcvirt.core.stats.estimate import estimate


def series(values: list[float], **codes: list[int]) -> Series:
    return Series.of("k", "b", "m", values, **codes)  # type: ignore[arg-type]


def test_it_is_the_t_interval_of_boot_means() -> None:
    values = [1.0, 2.0, 5.0, 7.0, 4.0, 4.5]
    found = estimate(series(values, boot=[1, 1, 2, 2, 3, 3]), 0.05)
    assert found is not None
    means = [1.5, 6.0, 4.25]
    low, high = stats.t.interval(0.95, 2, np.mean(means), stats.sem(means))
    assert (found.n, found.unit) == (3, Unit.BOOT)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_differences_between_nodes_are_no_spread() -> None:
    near = [10.0, 10.2, 9.8, 10.1]
    far = [value + 100 for value in near]
    found = estimate(series(near + far, node=[1] * 4 + [2] * 4, boot=list(range(8))), 0.05)
    assert found is not None
    assert found.mean == pytest.approx(60.025)
    assert found.low is not None
    assert found.mean - found.low < 0.2


def test_one_boot_has_the_interval_of_its_runs() -> None:
    found = estimate(series([1.0, 2.0, 3.0], boot=[1, 1, 1]), 0.05)
    assert found is not None
    assert (found.n, found.unit) == (3, Unit.RUN)
    low, _ = stats.t.interval(0.95, 2, 2.0, stats.sem([1, 2, 3]))
    assert found.low == pytest.approx(low)


def test_too_few_to_know() -> None:
    found = estimate(series([1.0]), 0.05)
    assert found is not None
    assert (found.mean, found.low, found.high) == (1.0, None, None)
    assert estimate(series([]), 0.05) is None
    assert estimate(series([1.0, float("nan")]), 0.05) is None
