"""Power, variance split and the runs a boot is worth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.core.stats import Method, Series, Settings, Unit, compare, student
from hpcvirt.core.stats.power import (
    Layout,
    Spread,
    blocks_needed,
    detectable,
    needed_shift,
    power,
    smallest_difference,
    standard_error,
)
from hpcvirt.core.stats.spread import common_variance, runs_per_boot, split

CLUSTER = Layout(10, runs_per_boot=5, unit=Unit.BLOCK)


@pytest.mark.parametrize(("blocks", "pct"), [(5, 7.7), (10, 2.8), (20, 1.6)])
def test_cluster_scope_after_holm_over_84(blocks: int, pct: float) -> None:
    """Boots that scatter by 1 %: what the project measured when it chose ten blocks, on the log scale."""
    found = smallest_difference(Layout(blocks, unit=Unit.BLOCK), Spread(0.01, 0.0), family=84)
    assert 100 * math.log1p(found) == pytest.approx(pct, rel=0.05)


@given(st.integers(2, 60), st.floats(0.1, 6), st.sampled_from([0.05, 0.01, 0.05 / 84]))
def test_power_by_simulation_free_identities(df: int, shift: float, level: float) -> None:
    assert power(0, df, level) == pytest.approx(level, rel=1e-9)
    assert power(-shift, df, level) == pytest.approx(power(shift, df, level), rel=1e-9)
    assert power(shift + 0.1, df, level) > power(shift, df, level)
    assert power(needed_shift(df, level), df, level) == pytest.approx(0.8, rel=1e-6)


def test_power_of_what_cannot_be_tested_is_none() -> None:
    assert power(3, 0, 0.05) == 0
    assert needed_shift(0, 0.05) == math.inf
    assert smallest_difference(Layout(1, unit=Unit.BLOCK), Spread()) == math.inf


def test_the_smallest_difference_is_found_as_often_as_promised() -> None:
    """By simulation through the comparisons themselves."""
    rng = np.random.default_rng(1)
    layout, spread = Layout(6, 2, 3, Unit.NODE_BLOCK), Spread(0.01, 0.02)
    ratio = 1 + smallest_difference(layout, spread)
    node, block, _ = (axis.reshape(-1) for axis in np.indices((2, 6, 3)))
    series = []
    for i in range(2000):
        for kernel, level in (("A", 100), ("B", 100 * ratio)):
            boots = rng.normal(0, 0.01, (2, 6))[node, block]
            values = level * np.exp(boots + rng.normal(0, 0.02, node.size))
            series.append(Series.of(kernel, str(i), "t", values, node=node, block=block))
    done = compare(series, Settings(unit=Unit.NODE_BLOCK))
    assert sum(one.p < 0.05 for one in done if one.p is not None) / 2000 == pytest.approx(0.8, abs=0.035)


@given(st.floats(0.002, 0.2), st.sampled_from([Unit.BLOCK, Unit.NODE_BLOCK]), st.integers(1, 4), st.integers(1, 84))
def test_blocks_needed_is_the_first_number_that_suffices(
    difference: float, unit: Unit, nodes: int, family: int
) -> None:
    found = blocks_needed(difference, Layout(1, nodes, 5, unit), Spread(), family=family)
    assert found is not None
    assert smallest_difference(Layout(found, nodes, 5, unit), Spread(), family=family) <= difference * (1 + 1e-6)
    if found > 2:
        assert smallest_difference(Layout(found - 1, nodes, 5, unit), Spread(), family=family) > difference * (1 - 1e-6)


def test_moving_together_costs_degrees_of_freedom_and_shared_shocks_cost_more() -> None:
    apart = standard_error(Layout(10, 4, 5, Unit.NODE_BLOCK), Spread())
    together = standard_error(Layout(10, 4, 5, Unit.BLOCK), Spread(shared=0.0))
    shared = standard_error(Layout(10, 4, 5, Unit.BLOCK), Spread(shared=1.0))
    assert apart == pytest.approx((together[0], 9 * (4 * 9 + 2) / 11))
    assert together[1] == 9
    assert shared[0] > together[0]
    assert standard_error(Layout(10, 4, 5, Unit.BLOCK), Spread()) == shared


@pytest.mark.parametrize(
    ("blocks", "nodes", "df"), [(4, 4, 12), (5, 4, 12), (5, 1, 4), (10, 1, 9), (2, 3, 3), (10, 4, 342 / 11)]
)
def test_node_block_pools_the_variance_with_few_blocks_only(blocks: int, nodes: int, df: float) -> None:
    assert standard_error(Layout(blocks, nodes, 1, Unit.NODE_BLOCK), Spread())[1] == pytest.approx(df)


@pytest.mark.parametrize(("blocks", "family"), [(4, 1), (5, 1), (5, 84), (10, 84)])
def test_power_of_node_block_is_what_its_rule_gives(blocks: int, family: int) -> None:
    """Simulated with the rule itself: pooled under five planned blocks, from there on one variance per node."""
    layout, spread = Layout(blocks, 4, 1, Unit.NODE_BLOCK), Spread(0.01, 0.0)
    effect = math.log1p(smallest_difference(layout, spread, family=family))
    d = np.random.default_rng(15).normal(effect, 0.01 * math.sqrt(2), (20_000, 4, blocks))
    part = d.var(axis=2, ddof=1) / (blocks * 16)
    total = part.sum(axis=1)
    df = total**2 / (part**2 / (blocks - 1)).sum(axis=1) if blocks >= 5 else np.full(total.size, 4.0 * (blocks - 1))
    p = student.two_sided(d.mean(axis=(1, 2)) / np.sqrt(total), df)
    assert np.mean(p < 0.05 / family) == pytest.approx(0.8, abs=0.015)


@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
def test_nodes_that_move_together_find_what_was_promised(shared: float) -> None:
    """By simulation through the comparisons themselves; with nothing in common assumed it would be 20 to 56 %."""
    rng = np.random.default_rng(16)
    layout, spread = Layout(8, 4, 2, Unit.BLOCK), Spread(0.01, 0.005, shared)
    level = 1 + smallest_difference(layout, spread)
    series = _moving_together(rng, spread, layout, (1.0, level), 1500)
    done = compare(series, Settings(unit=Unit.BLOCK))
    assert sum(one.p < 0.05 for one in done if one.p is not None) / 1500 == pytest.approx(0.8, abs=0.035)


@pytest.mark.parametrize("shared", [0.0, 0.3, 1.0])
def test_what_nodes_have_in_common_is_estimated(shared: float) -> None:
    rng = np.random.default_rng(17)
    layout, spread = Layout(10, 4, 3, Unit.BLOCK), Spread(0.01, 0.01, shared)
    series = _moving_together(rng, spread, layout, (1.0, 1.1, 0.9), 300, shock=0.02)
    found = [common_variance(series[i : i + 3]) for i in range(0, 900, 3)]
    assert np.median([one.shared for one in found if one is not None]) == pytest.approx(shared, abs=0.05)


def test_what_one_node_or_one_block_has_in_common_is_not_known() -> None:
    rng = np.random.default_rng(18)
    assert common_variance(_moving_together(rng, Spread(), Layout(10, 1, 3), (1.0, 1.0), 1)) is None
    assert common_variance(_moving_together(rng, Spread(), Layout(1, 4, 3), (1.0, 1.0), 1)) is None
    assert common_variance([]) is None


def _moving_together(
    rng: np.random.Generator, spread: Spread, layout: Layout, levels: tuple[float, ...], count: int, shock: float = 0.0
) -> list[Series]:
    """Series of ``count`` metrics under a kernel for each level; ``shock``: of a block, the same for all kernels."""
    shape = (layout.nodes, layout.blocks, layout.runs_per_boot)
    node, block, _ = (axis.reshape(-1) for axis in np.indices(shape))
    common = math.sqrt(spread.shared or 0.0)
    series = []
    for metric in range(count):
        shocks = rng.normal(0, shock, layout.blocks)
        for number, level in enumerate(levels):
            boots = rng.normal(0, spread.boot, layout.blocks) * common
            own = rng.normal(0, spread.boot, shape[:2]) * math.sqrt(1 - common**2)
            logs = (boots + own + shocks)[node, block] + rng.normal(0, spread.run, node.size)
            values = 100 * level * np.exp(logs)
            series.append(Series.of(f"k{number}", str(metric), "t", values, node=node, block=block))
    return series


def test_the_papers_plan() -> None:
    se, df = standard_error(Layout(1, 4, 50, Unit.RUN), Spread(run=0.02))
    assert se == pytest.approx(0.02 * math.sqrt(2 / 200))
    assert df == 400 - 2 - 3
    with pytest.raises(ValueError, match="blocks"):
        blocks_needed(0.02, Layout(1, unit=Unit.RUN), Spread())


@pytest.mark.parametrize("method", list(Method))
def test_what_a_comparison_could_have_found(method: Method) -> None:
    rng = np.random.default_rng(2)
    series = [Series.of(k, "x", "t", rng.normal(100, 1, 40), block=np.arange(40) // 4) for k in "AB"]
    (one,) = compare(series, Settings(method=method))
    found = detectable(one)
    assert found is not None
    assert one.t is not None
    assert one.df is not None
    assert one.ratio is not None
    estimate = math.log(one.ratio) if method is Method.BLOCKED else one.ratio - 1
    shift = (math.log1p(found) if method is Method.BLOCKED else found) * one.t / estimate
    assert power(shift, one.df, 0.05) == pytest.approx(0.8, rel=1e-6)


def test_variance_split_by_hand() -> None:
    """Balanced: T1^2 = S1^2 and T2^2 = S2^2 - S1^2 / r, as Kalibera and Jones write them."""
    x = np.random.default_rng(3).normal(100, 1, (6, 5)) + np.random.default_rng(4).normal(0, 2, (6, 1))
    found = split(Series.of("A", "x", "t", x.reshape(-1), block=np.repeat(np.arange(6), 5)))
    assert found is not None
    s1 = np.mean(np.var(x, axis=1, ddof=1)) / x.mean() ** 2
    s2 = np.var(x.mean(axis=1), ddof=1) / x.mean() ** 2
    assert found.within_boots == pytest.approx(s1)
    assert found.between_boots == pytest.approx(s2 - s1 / 5)
    assert found.between_nodes is None
    assert (found.runs, found.boots, found.nodes, found.runs_per_boot) == (30, 6, 1, 5)
    assert found.sd_pct("within_boots") == pytest.approx(100 * math.sqrt(s1))


def test_variance_between_nodes_by_hand() -> None:
    """Balanced, the nodes' means scatter by their own variance, the boots' / 6 and the runs' / 30."""
    rng = np.random.default_rng(8)
    x = rng.normal(100, 1, (3, 6, 5)) + rng.normal(0, 5, (3, 6, 1)) + rng.normal(0, 5, (3, 1, 1))
    node, block, _ = (axis.reshape(-1) for axis in np.indices(x.shape))
    found = split(Series.of("A", "x", "t", x.reshape(-1), node=node, block=block))
    assert found is not None
    within = np.mean(np.var(x, axis=2, ddof=1))
    between = np.mean(np.var(x.mean(axis=2), axis=1, ddof=1)) - within / 5
    nodes = np.var(x.mean(axis=(1, 2)), ddof=1) - between / 6 - within / 30
    assert found.between_boots == pytest.approx(between / x.mean() ** 2)
    assert found.between_nodes == pytest.approx(nodes / x.mean() ** 2)


def test_variance_split_is_unbiased_with_unequal_numbers() -> None:
    rng = np.random.default_rng(5)
    node, block = np.repeat(np.arange(4), 50), np.tile(np.repeat(np.arange(10), 5), 4)
    found = []
    for _ in range(600):
        x = 100 + rng.normal(0, 3, 4)[node] + rng.normal(0, 2, (4, 10))[node, block] + rng.normal(0, 1, 200)
        kept = rng.random(200) < 0.7
        one = split(Series.of("A", "x", "t", x[kept], node=node[kept], block=block[kept]))
        assert one is not None
        found.append((one.within_boots, one.between_boots, one.between_nodes))
    mean = np.mean(np.array(found, dtype=np.float64), axis=0) * 1e4
    assert mean[:2] == pytest.approx([1, 4], rel=0.05)
    assert mean[2] == pytest.approx(9, rel=0.2)


def test_split_of_what_has_no_spread_to_split() -> None:
    assert split(Series.of("A", "x", "t", [1.0])) is None
    assert split(Series.of("A", "x", "t", [1.0, math.nan])) is None
    assert split(Series.of("A", "x", "t", [-1.0, 1.0])) is None
    found = split(Series.of("A", "x", "t", [1.0, 2.0, 3.0]))
    assert found is not None
    assert found.between_boots is None
    assert runs_per_boot(found, 300, 60) is None


def test_runs_per_boot_has_the_least_variance_for_the_time() -> None:
    x = np.random.default_rng(6).normal(100, 3, (40, 5)) + np.random.default_rng(7).normal(0, 1, (40, 1))
    found = split(Series.of("A", "x", "t", x.reshape(-1), block=np.repeat(np.arange(40), 5)))
    assert found is not None
    advice = runs_per_boot(found, 600, 60)
    assert advice is not None
    assert found.between_boots is not None
    assert found.within_boots is not None
    assert advice.best is not None

    def cost(runs: int) -> float:
        return (found.between_boots + found.within_boots / runs) * (600 + 60 * runs)

    best = min(range(1, 200), key=cost)
    assert abs(advice.best - best) <= 1  # the formula rounds up
    assert advice.waste == pytest.approx(cost(5) / cost(advice.best))


def test_no_variance_between_boots_means_boots_are_not_worth_their_time() -> None:
    x = np.tile([99.0, 100.0, 101.0], 6)
    found = split(Series.of("A", "x", "t", x, block=np.repeat(np.arange(6), 3)))
    assert found is not None
    advice = runs_per_boot(found, 600, 60)
    assert advice is not None
    assert advice.best is None
