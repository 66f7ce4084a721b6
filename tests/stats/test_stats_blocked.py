"""Method ``blocked``: by hand, and the designs it must tell apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.core.stats import Comparison, Method, Series, Settings, Unit, compare


def campaign(
    rng: np.random.Generator, better: str = "lower", blocks: int = 6, nodes: int = 3, runs: int = 4
) -> list[Series]:
    node, block, _ = (axis.reshape(-1) for axis in np.indices((nodes, blocks, runs)))
    level = rng.normal(100, 20, nodes)[node] + rng.normal(0, 2, (nodes, blocks))[node, block]
    return [
        Series.of(k, "x", "t", level + shift + rng.normal(0, 1, node.size), node=node, block=block, better=better)
        for k, shift in (("A", 0), ("B", 3))
    ]


def one_of(series: list[Series], settings: Settings) -> Comparison:
    (one,) = compare(series, settings)
    return one


def _boot_means(series: Series, harmonic: bool, node: int, block: int) -> float:
    x = series.values[(series.node == node) & (series.block == block)]
    return float(1 / np.mean(1 / x) if harmonic else np.mean(x))


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_by_hand(better: str) -> None:
    """The definitions, written out; scipy is the referee for the t-test on blocks."""
    from scipy import stats

    a, b = campaign(np.random.default_rng(1), better)
    d = np.array(
        [
            [
                math.log(_boot_means(b, better == "higher", n, k) / _boot_means(a, better == "higher", n, k))
                for k in range(6)
            ]
            for n in range(3)
        ]
    )
    by_block = one_of([a, b], Settings(unit=Unit.BLOCK))
    expected = stats.ttest_1samp(d.mean(axis=0), 0)
    assert by_block.t == pytest.approx(expected.statistic, rel=1e-9)
    assert by_block.p == pytest.approx(expected.pvalue, rel=1e-9)
    low, high = expected.confidence_interval(0.95)
    assert (by_block.ci_low, by_block.ci_high) == pytest.approx((math.exp(low), math.exp(high)), rel=1e-9)
    assert (by_block.n, by_block.df) == (6, 5)
    by_cell = one_of([a, b], Settings(unit=Unit.NODE_BLOCK))
    parts = d.var(axis=1, ddof=1) / 6 / 9
    assert by_cell.ratio == pytest.approx(math.exp(d.mean()), rel=1e-9)
    assert by_cell.t == pytest.approx(d.mean() / math.sqrt(parts.sum()), rel=1e-9)
    assert by_cell.df == pytest.approx(parts.sum() ** 2 / np.sum(parts**2 / 5), rel=1e-9)
    assert (by_cell.n, by_cell.df_block_means) == (18, 5)
    assert by_cell.t_block_means == pytest.approx(by_block.t, rel=1e-9)
    assert by_cell.p_block_means == pytest.approx(by_block.p, rel=1e-9)
    assert by_block.p_block_means is None
    few = one_of([a, b], Settings(unit=Unit.NODE_BLOCK, planned_blocks=4))
    residual = d - d.mean(axis=1, keepdims=True)
    se = math.sqrt(float(np.sum(residual**2)) / (18 - 3) / 18)
    assert few.t == pytest.approx(d.mean() / se, rel=1e-9)
    assert few.df == 15
    assert by_cell.mean_kind == ("harmonic" if better == "higher" else "arithmetic")
    values = b.values
    assert by_cell.mean == pytest.approx(1 / np.mean(1 / values) if better == "higher" else np.mean(values), rel=1e-9)


@given(st.floats(0.01, 100), st.sampled_from(list(Unit)[2:]))
def test_another_unit_of_measurement_changes_nothing(factor: float, unit: Unit) -> None:
    a, b = campaign(np.random.default_rng(2))
    plain = one_of([a, b], Settings(unit=unit))
    scaled = [Series.of(s.kernel, "x", "t", s.values * factor, node=s.node, block=s.block) for s in (a, b)]
    assert one_of(scaled, Settings(unit=unit)).p == pytest.approx(plain.p, rel=1e-6)


def test_a_common_factor_per_node_and_block_cancels() -> None:
    """That is what blocks are for."""
    rng = np.random.default_rng(3)
    a, b = campaign(rng)
    weather = rng.lognormal(0, 1, (3, 6))
    stormy = [
        Series.of(s.kernel, "x", "t", s.values * weather[s.node, s.block], node=s.node, block=s.block) for s in (a, b)
    ]
    for unit in (Unit.BLOCK, Unit.NODE_BLOCK):
        assert one_of(stormy, Settings(unit=unit)).p == pytest.approx(one_of([a, b], Settings(unit=unit)).p, rel=1e-6)


def test_rates_and_times_agree() -> None:
    """A rate is work over time: its verdict must not depend on which of the two was written down."""
    a, b = campaign(np.random.default_rng(4))
    rates = [
        Series.of(s.kernel, "x", "r", 1000 / s.values, node=s.node, block=s.block, better="higher") for s in (a, b)
    ]
    time, rate = one_of([a, b], Settings()), one_of(rates, Settings())
    assert rate.p == pytest.approx(time.p, rel=1e-6)
    assert rate.verdict is time.verdict
    assert (rate.ratio or 0) * (time.ratio or 0) == pytest.approx(1, rel=1e-9)


def test_order_of_rows_is_only_run_order() -> None:
    a, b = campaign(np.random.default_rng(5))
    shuffled = np.random.default_rng(6).permutation(b.values.size)
    c = Series.of("B", "x", "t", b.values[shuffled], node=b.node[shuffled], block=b.block[shuffled])
    assert one_of([a, c], Settings()).p == pytest.approx(one_of([a, b], Settings()).p, rel=1e-9)


def test_runs_in_a_boot_are_no_replicates() -> None:
    """Ten times the runs of the same boots is no more evidence about boots."""
    a, b = campaign(np.random.default_rng(7))
    tenfold = [
        Series.of(s.kernel, "x", "t", np.tile(s.values, 10), node=np.tile(s.node, 10), block=np.tile(s.block, 10))
        for s in (a, b)
    ]
    once, often = one_of([a, b], Settings()), one_of(tenfold, Settings())
    assert often.p == pytest.approx(once.p, rel=1e-6)
    assert often.runs == 10 * once.runs
    runs = [one_of(s, Settings(method=Method.PAPER)).p for s in ([a, b], tenfold)]
    assert (runs[1] or 0) < (runs[0] or 0) / 10


def test_codes_are_only_names() -> None:
    a, b = campaign(np.random.default_rng(8))
    renamed = [
        Series.of(s.kernel, "x", "t", s.values, node=10**12 - s.node, block=s.block * 10**6 - 5, boot=s.block)
        for s in (a, b)
    ]
    for unit in (Unit.BLOCK, Unit.NODE_BLOCK):
        assert one_of(renamed, Settings(unit=unit)).p == pytest.approx(one_of([a, b], Settings(unit=unit)).p, rel=1e-9)
