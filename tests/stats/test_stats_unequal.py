"""Unit ``node-block``: one variance per node or one for all, and nodes that scatter unequally."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from hpcvirt.core.stats import Comparison, Series, Settings, Unit, compare
from hpcvirt.core.stats.arrays import BoolArray, FloatArray
from hpcvirt.core.stats.unequal import _ratios, unequal_spread

SETTINGS = Settings(unit=Unit.NODE_BLOCK)


def campaigns(d: FloatArray, kept: BoolArray | None = None, settings: Settings = SETTINGS) -> tuple[Comparison, ...]:
    """One comparison for each of d (campaigns, nodes, blocks), the differences of logarithms."""
    node, block = (axis.reshape(-1) for axis in np.indices(d.shape[1:]))
    series = []
    for i, one in enumerate(d):
        there = np.ones(node.size, dtype=bool) if kept is None else kept[i].reshape(-1)
        series.append(Series.of("A", f"b{i}", "t", np.full(node.size, 100.0), node=node, block=block))
        values = 100 * np.exp(one.reshape(-1)[there])
        series.append(Series.of("B", f"b{i}", "t", values, node=node[there], block=block[there]))
    return compare(series, settings)


def flags(one: Comparison) -> dict[str, float | None]:
    return {flag.code: flag.statistic for flag in one.flags}


@pytest.mark.parametrize(("planned", "per_node"), [(4, False), (5, True), (None, True)])
def test_the_design_chooses_the_rule(rng: np.random.Generator, planned: int | None, per_node: bool) -> None:
    """Six blocks are there: how many were planned decides, and a file's own number stands for the plan."""
    d = rng.normal(0, 0.01, (1, 3, 6)) * np.array([1, 2, 3])[:, None]
    (one,) = campaigns(d, settings=replace(SETTINGS, planned_blocks=planned))
    assert one.df is not None
    assert (one.df == 15) is not per_node
    assert one.df_block_means == 5


def test_lost_blocks_do_not_change_the_rule(rng: np.random.Generator) -> None:
    d = rng.normal(0, 0.01, (1, 3, 6)) * np.array([1, 2, 3])[:, None]
    kept = np.broadcast_to(np.arange(6) < 4, d.shape)
    ten, four = (campaigns(d, kept, replace(SETTINGS, planned_blocks=n))[0] for n in (10, 4))
    assert four.df == 9
    assert ten.df is not None
    assert ten.df < 9


@pytest.mark.parametrize(("factor", "lost", "pooled"), [(2, 5, 0.13), (3, 8, 0.37)])
def test_a_noisy_node_that_loses_visits_raises_no_false_differences(
    rng: np.random.Generator, factor: float, lost: int, pooled: float
) -> None:
    """Pooled over nodes it would: 13 % and 37 %."""
    n = 1500
    d = rng.normal(0, 0.01, (n, 4, 10))
    d[:, 0] *= factor
    kept = np.ones(d.shape, dtype=bool)
    kept[:, 0, 10 - lost :] = False
    found = {n: campaigns(d, kept, replace(SETTINGS, planned_blocks=n)) for n in (4, 10)}
    share = {n: float(np.mean([one.p < 0.05 for one in rows])) for n, rows in found.items()}  # type: ignore[operator]
    assert share[4] == pytest.approx(pooled, abs=0.05)
    if lost == 5:
        assert share[10] < 0.075
    else:
        # two values leave its variance one degree of freedom: better, not good, and flagged
        assert share[10] < share[4] / 2
        assert all(flags(one)["few-on-node"] == 1 for one in found[10])


def test_a_node_with_one_value_takes_the_others_variance(rng: np.random.Generator) -> None:
    d = rng.normal(0, 0.01, (1, 4, 6))
    kept = np.ones(d.shape, dtype=bool)
    kept[:, 0, 1:] = False
    (one,) = campaigns(d, kept)
    rest = d[0, 1:]
    pooled = float(np.sum((rest - rest.mean(axis=1, keepdims=True)) ** 2)) / 15
    parts = np.array([pooled, *(rest.var(axis=1, ddof=1) / 6)]) / 16
    assert one.df == pytest.approx(parts.sum() ** 2 / np.sum(parts**2 / np.array([15, 5, 5, 5])), rel=1e-9)
    mean = np.mean([d[0, 0, 0], *rest.mean(axis=1)])
    assert one.t == pytest.approx(mean / np.sqrt(parts.sum()), rel=1e-6)
    assert flags(one)["few-on-node"] == 1


def test_nodes_with_one_value_each_have_no_variance(rng: np.random.Generator) -> None:
    d = rng.normal(0, 0.01, (1, 3, 6))
    kept = np.zeros(d.shape, dtype=bool)
    kept[0, np.arange(3), np.arange(3)] = True
    (one,) = campaigns(d, kept)
    assert one.p is None
    assert {"too-few", "few-on-node"} <= flags(one).keys()


def test_few_values_on_a_node_are_flagged_only_where_its_own_variance_counts(rng: np.random.Generator) -> None:
    d = rng.normal(0, 0.01, (1, 3, 2))
    assert "few-on-node" not in flags(campaigns(d)[0])
    assert flags(campaigns(d, settings=replace(SETTINGS, planned_blocks=10))[0])["few-on-node"] == 3


@pytest.mark.parametrize("blocks", [3, 10])
def test_unequal_spread_is_flagged_under_both_rules(rng: np.random.Generator, blocks: int) -> None:
    d = rng.normal(0, 0.01, (40, 4, blocks))
    d[:, 2] *= 30
    found = campaigns(d)
    assert sum("unequal-spread" in flags(one) for one in found) > 30
    one = next(one for one in found if "unequal-spread" in flags(one))
    variances = np.sort(d[found.index(one)].var(axis=1, ddof=1))
    assert flags(one)["unequal-spread"] == pytest.approx(variances[-1] / np.median(variances[:-1]), rel=1e-6)
    text = next(flag.text for flag in one.flags if flag.code == "unequal-spread")
    assert f"gives p = {one.p_block_means:.2g}" in text


@pytest.mark.parametrize(("nodes", "blocks"), [(2, 5), (4, 3), (4, 10), (8, 5)])
def test_equal_spread_is_flagged_in_one_per_cent(rng: np.random.Generator, nodes: int, blocks: int) -> None:
    n = 3000
    found = [
        unequal_spread(squares, np.full(nodes, blocks - 1.0))[1] < 0.01
        for squares in rng.chisquare(blocks - 1, (n, nodes))
    ]
    assert stats.binomtest(sum(found), n, 0.01).pvalue > 1e-4


def test_with_two_nodes_it_is_an_f_test() -> None:
    """The larger over the other one: twice the upper tail of F."""
    for ratio in (2.0, 5.0, 9.0):
        _, p = unequal_spread(np.array([9.0, 9.0 * ratio]), np.array([9.0, 9.0]))
        assert p == pytest.approx(2 * stats.f.sf(ratio, 9, 9), abs=0.012)


def test_block_means_bear_any_spread(rng: np.random.Generator) -> None:
    """At the level of the first of 84 tests, too."""
    n = 4000
    d = rng.normal(0, 0.01, (n, 4, 10))
    d[:, 0] *= 8
    found = campaigns(d)
    for level in (0.05, 0.05 / 84):
        false = sum(one.p_block_means < level for one in found)  # type: ignore[operator]
        assert stats.binomtest(false, n, level).pvalue > 1e-4


def test_more_blocks_are_asked_for_by_the_same_rule() -> None:
    """One node has most of the variance: each further block adds little more than one degree of freedom."""
    rng = np.random.default_rng(5)
    d = rng.normal(0, 1, (1, 4, 6))
    d -= d.mean(axis=2, keepdims=True)
    sd = np.array([0.06, 0.005, 0.005, 0.005])
    d *= (sd / d[0].std(axis=1, ddof=1))[:, None]
    d += 0.012
    (one,) = campaigns(d)
    assert one.more is not None

    def half(blocks: int) -> float:
        df = (blocks - 1) * np.sum(sd**2) ** 2 / np.sum(sd**4)
        return float(stats.t.ppf(0.975, df) * np.sqrt(np.sum(sd**2) / 16 / blocks))

    assert half(6 + one.more) <= np.log(1.02) / 2 < half(6 + one.more - 1)


def test_the_distribution_is_drawn_for_ratios_that_could_be_rare_only(rng: np.random.Generator) -> None:
    """Each pair has a set of degrees of freedom of its own; drawn for each, many nodes took minutes."""
    nodes, blocks, metrics = 100, 10, 40
    node, block = (axis.reshape(-1) for axis in np.indices((nodes, blocks)))
    series = []
    for metric in range(metrics):
        for kernel in "ABCD":
            kept = rng.random(node.size) > 0.1
            values = rng.normal(100, 1, int(kept.sum()))
            series.append(Series.of(kernel, "b", f"m{metric}", values, node=node[kept], block=block[kept]))
    _ratios.cache_clear()
    assert len(compare(series, Settings(unit=Unit.NODE_BLOCK))) == 3 * metrics
    assert _ratios.cache_info().misses < metrics


def test_a_ratio_that_is_not_drawn_for_is_not_rare(rng: np.random.Generator) -> None:
    """The bound: with the most degrees of freedom of any node on every node, p is never larger."""
    for _ in range(10):
        df = rng.integers(1, 10, rng.integers(2, 30)).astype(float)
        squares = rng.chisquare(df)
        squares[0] *= rng.choice([1, 20, 400])
        _, p = unequal_spread(squares, df)
        _, bound = unequal_spread(squares / df * df.max(), np.full(df.size, df.max()))
        assert bound <= p + 0.015
