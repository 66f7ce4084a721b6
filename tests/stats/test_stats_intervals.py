"""The interval at the level that decided: it agrees with the verdict in every row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.core.stats import (
    Comparison,
    Correction,
    Method,
    Series,
    Settings,
    Summary,
    Unit,
    compare,
    compare_summaries,
)
from hpcvirt.core.stats.aa import DIFFERENT
from hpcvirt.core.stats.multiplicity import adjust, deciding_levels
from hpcvirt.core.stats.report import confidence, deciding_interval, table_cells

P = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(P, st.sampled_from(list(Correction)), st.floats(0.001, 0.2))
def test_p_is_below_the_deciding_level_exactly_where_it_is_rejected(
    p: list[float], how: Correction, alpha: float
) -> None:
    family = np.array(p)
    assert list(family < deciding_levels(family, how, alpha)) == list(adjust(family, how) < alpha)


def test_levels_of_holm() -> None:
    """m = 5, two rejected: their own steps, then that of the third for all that follow."""
    p = np.array([0.5, 0.0001, 0.02, np.nan, 0.011])
    assert deciding_levels(p, Correction.HOLM, 0.05) == pytest.approx(
        [0.05 / 3, 0.05 / 5, 0.05 / 3, np.nan, 0.05 / 4], nan_ok=True
    )
    assert deciding_levels(p, Correction.BH, 0.05) == pytest.approx(
        [0.03, 0.03, 0.03, np.nan, 0.03], nan_ok=True
    )  # three rejected of five
    assert deciding_levels(np.array([0.9, 0.8]), Correction.BH, 0.05) == pytest.approx([0.025, 0.025])


def family(rng: np.random.Generator, settings: Settings) -> tuple[Comparison, ...]:
    """Thirty metrics, some different; one not primary, one without data, one constant, one exact."""
    node, block, _ = (axis.reshape(-1) for axis in np.indices((3, 6, 2)))
    at = {"node": node, "block": block}
    series = [
        Series.of(k, "x", f"m{i}", rng.normal(100 + shift * (k == "B"), 1, 36), primary=i != 29, **at)
        for i, shift in enumerate(rng.choice([0, 0, 0.6, 1.0, 3.0], 30))
        for k in "AB"
    ]
    series += [Series.of(k, "x", "empty", ()) for k in "AB"]
    for name, exact in (("constant", False), ("count", True)):
        series += [Series.of(k, "x", name, np.full(36, 7.0 + (k == "B")), exact=exact, **at) for k in "AB"]
    return compare(series, settings)


@pytest.mark.parametrize("correction", list(Correction))
@pytest.mark.parametrize(
    "how",
    [
        {"method": Method.PAPER},
        {"unit": Unit.BLOCK},
        {"unit": Unit.NODE_BLOCK},
        {"unit": Unit.NODE_BLOCK, "planned_blocks": 4},
    ],
)
def test_the_interval_excludes_no_difference_exactly_where_one_is_shown(
    rng: np.random.Generator, correction: Correction, how: dict[str, object]
) -> None:
    rows = [one for _ in range(4) for one in family(rng, Settings(correction=correction, **how))]  # type: ignore[arg-type]
    tested = [one for one in rows if one.ci_low_decision is not None and one.ci_high_decision is not None]
    assert len(tested) == 4 * 31
    for one in tested:
        excludes = not one.ci_low_decision <= 1 <= one.ci_high_decision  # type: ignore[operator]
        assert excludes is (one.verdict in DIFFERENT)
        assert one.ci_level_decision is not None
        assert one.ci_level_decision >= 0.95 - 1e-12
        if not one.adjusted:
            assert (one.ci_low_decision, one.ci_high_decision) == (one.ci_low, one.ci_high)
    assert {one.verdict in DIFFERENT for one in tested} == {True, False}
    for one in rows:
        if one.ci_low_decision is None:
            assert (one.ci_high_decision, one.ci_level_decision, deciding_interval(one)) == (None, None, "–")


def test_summaries_have_it_too() -> None:
    rows = [Summary(k, f"b{i}", "t", mean, 1.0, 10) for i in range(10) for k, mean in (("A", 100.0), ("B", 101.0))]
    for one in compare_summaries(rows):
        assert one.p is not None
        assert one.p < 0.05 < (one.p_adjusted or 0)
        assert one.ci_low is not None
        assert one.ci_low_decision is not None
        assert one.ci_low_decision <= 1 < one.ci_low
        assert one.ci_level_decision == pytest.approx(0.995)
        assert table_cells([one])[0][-1].endswith(" at 99.5 %")


@pytest.mark.parametrize(
    ("level", "text"),
    [
        (0.95, "95 %"),
        (0.9, "90 %"),
        (1 - 0.05 / 84, "99.94 %"),
        (0.99, "99 %"),
        (0.9875, "98.8 %"),
        (1 - 1e-9, "99.9999999 %"),
    ],
)
def test_confidence_is_named_with_two_digits_of_what_it_leaves(level: float, text: str) -> None:
    assert confidence(level) == text
