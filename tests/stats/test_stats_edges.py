"""Data that break statistics programs: every one is reported, none is called a difference or an equality."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.stats import Comparison, Method, Series, Settings, Summary, Unit, Verdict, compare, compare_summaries
from hpcvirt.core.stats.report import to_json

PAPER = Settings(method=Method.PAPER)
BLOCKED = Settings(method=Method.BLOCKED)
BLOCKS = np.repeat(np.arange(5), 2)


def two(a: object, b: object, settings: Settings = PAPER, **more: object) -> Comparison:
    series = [Series.of("A", "bench", "time", a, **more), Series.of("B", "bench", "time", b, **more)]  # type: ignore[arg-type]
    (one,) = compare(series, settings)
    return one


def codes(one: Comparison) -> set[str]:
    return {flag.code for flag in one.flags}


@pytest.mark.parametrize(("a", "b"), [([1.0], [2.0]), ([1.0], [1.0]), ([1.0, 2.0, 3.0], [2.0]), ([], [1.0, 2.0])])
def test_too_few_values(a: list[float], b: list[float]) -> None:
    one = two(a, b)
    assert one.p is None
    assert one.p_equivalence is None
    assert one.ci_low is None
    assert one.verdict is Verdict.INCONCLUSIVE
    assert "too-few" in codes(one)


def test_nodes_can_take_all_degrees_of_freedom() -> None:
    """Seven values, five nodes: Welch's df of less than four minus four for the nodes."""
    series = [
        Series.of("A", "x", "t", [1.0, 2.5], node=[0, 1]),
        Series.of("B", "x", "t", [2.0, 2.0, 7.0], node=[1, 2, 0]),
        Series.of("C", "x", "t", [1.0, 3.0], node=[3, 4]),
    ]
    one, apart = compare(series, PAPER)
    assert one.p is None
    assert one.verdict is Verdict.INCONCLUSIVE
    assert "too-few" in codes(one)
    assert "no-common-node" in codes(apart)


@pytest.mark.parametrize("wrong", [{"alpha": 0.0}, {"alpha": 5.0}, {"delta": 0.0}, {"delta": 2.0}, {"unit": Unit.RUN}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageWrong):
        Settings(**wrong)  # type: ignore[arg-type]


def test_unequal_n_uses_every_value() -> None:
    """Nothing is cut to the shorter sample."""
    one = two([10.0, 11, 12, 13, 14, 15, 16, 17], [10.0, 12, 11])
    assert (one.n, one.n_baseline) == (3, 8)
    assert one.mean_baseline == 13.5
    assert one.df_student == 9


def test_identical_constants_are_no_difference() -> None:
    for n in (2, 3, 50):
        one = two([0.1] * 7, [0.1] * n)
        assert one.p == 1
        assert one.ratio == pytest.approx(1, abs=1e-15)
        assert "constant" in codes(one)
        # a clock of one second says 2 s to 1.6 and to 2.4: no spread shows nothing, not even equality
        assert one.verdict is Verdict.INCONCLUSIVE
        assert one.ci_low is None


def test_a_rounding_is_no_spread() -> None:
    """0.1 + 0.2 is not 0.3: one unit in the last place, which R too calls essentially constant."""
    one = two([0.3, 0.1 + 0.2] * 10, [0.3] * 20)
    assert "constant" in codes(one)
    assert one.t is None
    assert one.p == 1
    blocked = two([0.3, 0.1 + 0.2] * 5, [0.3] * 10, BLOCKED, block=np.arange(10))
    assert "constant" in codes(blocked)
    assert blocked.p == 1


def test_different_constants_are_not_p_zero() -> None:
    one = two([2.0] * 50, [3.0] * 50)
    assert one.p is None
    assert one.t is None
    assert one.ratio == 1.5
    assert one.verdict is Verdict.INCONCLUSIVE
    assert "constant" in codes(one)


def test_zero_variance_in_one_group_is_an_ordinary_test() -> None:
    one = two([10.0] * 5, [9.0, 10.0, 11.0, 12.0, 13.0])
    assert one.df == pytest.approx(4)
    assert one.t == pytest.approx(1 / (math.sqrt(2.5) / math.sqrt(5)))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("settings", [PAPER, BLOCKED])
def test_what_is_not_a_number_is_neither_dropped_nor_tested(bad: float, settings: Settings) -> None:
    good = [10.0, 11, 12, 13, 14, 15, 16, 17, 18, 19]
    one = two(good, [*good[:-1], bad], settings, block=BLOCKS)
    assert one.p is None
    assert one.mean is None
    assert one.mean_baseline is not None
    assert one.n_baseline in {5, 10}
    assert one.verdict is Verdict.INCONCLUSIVE
    assert "not-finite" in codes(one)
    json.loads(to_json([one]), parse_constant=pytest.fail)


def test_one_bad_kernel_spoils_no_other() -> None:
    rng = np.random.default_rng(1)
    node = np.tile(np.arange(2), 10)
    a, b = rng.normal(100, 1, 20), rng.normal(100, 1, 20)
    c = np.where(np.arange(20) == 3, np.nan, 1.0)
    for settings in (PAPER, BLOCKED):
        series = [
            Series.of(k, "x", "t", v, node=node, block=BLOCKS.repeat(2)) for k, v in zip("ABC", (a, b, c), strict=True)
        ]
        both, bad = compare(series, settings)
        (alone,) = compare(series[:2], settings)
        assert bad.p is None
        assert both.p == alone.p


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e307, 1e-307])
@pytest.mark.parametrize("settings", [PAPER, BLOCKED])
def test_huge_and_tiny_values(scale: float, settings: Settings) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(5, 0.1, 10), rng.normal(5.2, 0.1, 10)
    plain, scaled = two(a, b, settings, block=BLOCKS), two(a * scale, b * scale, settings, block=BLOCKS)
    assert scaled.p == pytest.approx(plain.p, rel=1e-9)
    assert scaled.ratio == pytest.approx(plain.ratio, rel=1e-12)
    assert scaled.mean == pytest.approx(float(np.mean(b)) * scale, rel=1e-12)
    assert scaled.mean_harmonic == pytest.approx(1 / float(np.mean(1 / b)) * scale, rel=1e-12)


def test_huge_beside_tiny() -> None:
    one = two([1e300, 1.1e300, 1.2e300], [1e-300, 1.1e-300, 1.2e-300])
    assert one.p is not None
    assert 0 < one.p < 0.01
    assert one.ratio == pytest.approx(0, abs=1e-15)
    values = {"A": 1e300, "B": 1e-300, "C": 3e300}
    rng = np.random.default_rng(9)
    series = [Series.of(k, "x", "t", v * rng.normal(1, 0.01, 10), block=BLOCKS) for k, v in values.items()]
    tiny, ordinary = compare(series, BLOCKED)
    assert tiny.p is not None
    assert tiny.p < 1e-9
    assert tiny.mean == pytest.approx(1e-300, rel=0.02)
    assert ordinary.ratio == pytest.approx(3, rel=0.02)


@pytest.mark.parametrize("better", ["lower", "higher"])
@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_no_logarithm_no_blocked_test(bad: float, better: str) -> None:
    good = [10.0, 11, 12, 13, 14, 15, 16, 17, 18, 19]
    spoilt = [bad, bad, *good[2:]]
    one = two(good, spoilt, BLOCKED, block=BLOCKS, better=better)
    assert one.p is None
    assert one.verdict is Verdict.INCONCLUSIVE
    assert "not-positive" in codes(one)
    assert two(good, spoilt, PAPER, block=BLOCKS).p is not None


def test_baseline_of_zero_mean_has_a_p_but_no_ratio() -> None:
    one = two([-1.0, 0.0, 1.0], [1.0, 2.0, 3.0])
    assert one.p is not None
    assert one.ratio is None
    assert one.difference_pct is None
    assert one.ci_low is None
    assert one.p_equivalence is None
    assert "zero-mean" in codes(one)


def test_negative_baseline_keeps_direction_and_order_of_limits() -> None:
    one = two([-10.0, -11.0, -10.5, -10.2], [-20.0, -21.0, -20.5, -20.2])
    assert one.verdict is Verdict.FASTER  # lower is better, and -20 is lower than -10
    assert one.ci_low is not None
    assert one.ci_high is not None
    assert one.ratio is not None
    assert one.ci_low < one.ratio < one.ci_high


def test_one_block_falls_back_and_says_so() -> None:
    rng = np.random.default_rng(3)
    one = two(rng.normal(10, 1, 20), rng.normal(10, 1, 20), Settings(), block=[4] * 20)
    assert one.method is Method.PAPER
    assert one.replication_unit is Unit.RUN
    assert "one-block" in codes(one)


def test_a_missing_cell_is_counted_and_not_imputed() -> None:
    rng = np.random.default_rng(4)
    node, block = (axis.reshape(-1) for axis in np.indices((2, 6)))
    a, b = rng.normal(10, 0.1, 12), rng.normal(10, 0.1, 12)
    kept = np.arange(12) != 7
    series = [
        Series.of("A", "x", "t", a, node=node, block=block),
        Series.of("B", "x", "t", b[kept], node=node[kept], block=block[kept]),
    ]
    (one,) = compare(series, Settings(unit=Unit.NODE_BLOCK, planned_blocks=4))
    d = (np.log(b) - np.log(a))[kept]
    assert one.n == 11
    assert one.df == 9
    by_node = [d[node[kept] == j] for j in (0, 1)]
    assert math.log(one.ratio or 0) == pytest.approx(np.mean([x.mean() for x in by_node]), rel=1e-9)
    flag = next(flag for flag in one.flags if flag.code == "missing-cells")
    assert flag.statistic == 1


def test_a_kernel_lost_on_one_node_is_compared_on_the_others() -> None:
    rng = np.random.default_rng(5)
    node, block = (axis.reshape(-1) for axis in np.indices((3, 6)))
    a = 100 * (node + 1) + rng.normal(0, 0.1, 18)
    b = 1.1 * a
    kept = node < 2
    for unit in (Unit.BLOCK, Unit.NODE_BLOCK):
        series = [
            Series.of("A", "x", "t", a, node=node, block=block),
            Series.of("B", "x", "t", b[kept] + rng.normal(0, 0.1, 12), node=node[kept], block=block[kept]),
        ]
        (one,) = compare(series, Settings(unit=unit))
        assert one.ratio == pytest.approx(1.1, rel=1e-2)
        assert next(flag for flag in one.flags if flag.code == "missing-cells").statistic == 6


def test_kernels_on_different_nodes_cannot_be_compared() -> None:
    rng = np.random.default_rng(6)
    series = [Series.of(k, "x", "t", rng.normal(10, 1, 9), node=[n] * 9) for n, k in enumerate("AB")]
    (one,) = compare(series, PAPER)
    assert one.p is None
    assert "no-common-node" in codes(one)


def test_a_kernel_without_any_value_stays_in_table_and_family() -> None:
    rng = np.random.default_rng(7)
    series = [Series.of(k, b, "t", rng.normal(10, 1, 9)) for k in "AB" for b in ("x", "y")]
    series += [Series.of("C", "x", "t", rng.normal(10, 1, 9)), Series.of("C", "y", "t", [])]
    found = compare(series, PAPER)
    assert [(one.benchmark, one.kernel, one.n) for one in found] == [
        ("x", "B", 9),
        ("x", "C", 9),
        ("y", "B", 9),
        ("y", "C", 0),
    ]
    assert {one.family for one in found} == {4}


def test_a_kernel_that_nobody_planned_in_a_metric_is_not_compared_there() -> None:
    """No series at all, for the kernel or for what it is compared with."""
    rng = np.random.default_rng(7)
    series = [Series.of(k, "x", "t", rng.normal(10, 1, 9)) for k in "AB"]
    series += [Series.of(k, "y", "t", rng.normal(10, 1, 9)) for k in "AC"]
    series += [Series.of(k, "z", "t", rng.normal(10, 1, 9)) for k in "BC"]
    found = compare(series, PAPER)
    assert [(one.benchmark, one.kernel) for one in found] == [("x", "B"), ("y", "C")]
    assert {one.family for one in found} == {2}


def test_published_constants() -> None:
    same = [Summary(k, "x", "t", 5.0, 0.0, 10) for k in "AB"]
    assert compare_summaries(same, PAPER)[0].p == 1
    other = [Summary("A", "x", "t", 5.0, 0.0, 10), Summary("B", "x", "t", 6.0, 0.0, 10)]
    assert compare_summaries(other, PAPER)[0].p is None


def test_contradicting_series_are_refused() -> None:
    a = Series.of("A", "x", "t", [1, 2], unit="s")
    for other in (Series.of("B", "x", "t", [1, 2], unit="ms"), Series.of("A", "x", "t", [3, 4], unit="s")):
        with pytest.raises(UsageWrong):
            compare([a, other])
    with pytest.raises(ValueError, match="differ in shape"):
        Series.of("A", "x", "t", [1, 2, 3], node=[1, 2])


FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(FLOATS, max_size=12), st.lists(FLOATS, max_size=12), st.sampled_from([PAPER, BLOCKED, Settings()]))
def test_any_floats_at_all_give_valid_json_and_sane_numbers(a: list[float], b: list[float], settings: Settings) -> None:
    series = [
        Series.of(k, "x", "t", v, node=[i % 2 for i in range(len(v))], block=[i // 4 for i in range(len(v))])
        for k, v in (("A", a), ("B", b))
    ]
    (one,) = compare(series, settings)
    (back,) = json.loads(to_json([one]), parse_constant=pytest.fail)
    for name in ("p", "p_adjusted", "p_equivalence", "p_equivalence_adjusted", "p_student"):
        assert back[name] is None or 0 <= back[name] <= 1
    if one.ci_low is not None and one.ci_high is not None and one.ratio is not None:
        assert one.ci_low <= one.ratio <= one.ci_high
    if one.p is None:
        assert one.verdict is Verdict.INCONCLUSIVE


@given(st.permutations(range(6)))
def test_other_groups_change_no_bit(order: list[int]) -> None:
    """A group's numbers do not depend on what is compared beside it, family apart."""
    rng = np.random.default_rng(8)
    groups = [
        [Series.of(k, f"b{i}", "t", rng.normal(50, 2, 12), node=[0, 1] * 6, block=np.arange(12) // 4) for k in "AB"]
        for i in range(6)
    ]
    for settings in (PAPER, BLOCKED):
        alone = [compare(group, settings)[0] for group in groups]
        together = compare([one for i in order for one in groups[i]], settings)
        for i, one in zip(order, together, strict=True):
            assert (one.t, one.p, one.ratio, one.ci_low, one.p_equivalence) == (
                alone[i].t, alone[i].p, alone[i].ratio, alone[i].ci_low, alone[i].p_equivalence
            )  # fmt: skip


def test_a_tiny_mean_beside_a_huge_one_is_shown_as_it_is() -> None:
    for settings in (PAPER, Settings()):
        one = two([1e300, 1.1e300], [1e-300, 1.1e-300], settings)
        assert one.mean == pytest.approx(1.05e-300, rel=1e-12)
        assert one.mean_baseline == pytest.approx(1.05e300, rel=1e-12)
        summaries = [Summary("A", "x", "t", 1e300, 1e298, 5), Summary("B", "x", "t", 1e-300, 1e-302, 5)]
        assert compare_summaries(summaries, settings)[0].mean == 1e-300


def test_a_step_beyond_the_largest_float_is_no_step() -> None:
    one = two([0.0] * 9, [0.0] * 11 + [1.7976931348623157e308])
    assert "resolution" not in {flag.code for flag in one.flags}
    json.loads(to_json([one]), parse_constant=pytest.fail)
