"""Flags that must not mislead: raised by what they name, silent where only something else, or nothing, is there."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hpcvirt.core.stats import Comparison, Correction, Method, Series, Settings, Unit, compare
from hpcvirt.core.stats.batch import lay_out
from hpcvirt.core.stats.diagnose import Readings, read
from hpcvirt.core.stats.granularity import Grid, grid_of

Array = NDArray[np.float64]
PAPER = Settings(method=Method.PAPER)
BLOCK, NODE_BLOCK = Settings(unit=Unit.BLOCK), Settings(unit=Unit.NODE_BLOCK)


def layout(blocks: int, nodes: int, runs: int) -> dict[str, NDArray[np.int64]]:
    """Codes of a whole campaign, in the order of time."""
    block, node, _ = (axis.reshape(-1) for axis in np.indices((blocks, nodes, runs)))
    return {"block": block, "node": node, "boot": block}


def readings(values: Array, **codes: object) -> Readings:
    return read(lay_out([Series.of("A", "x", "t", values, **codes)]))  # type: ignore[arg-type]


def codes_of(one: Comparison, kernel: str | None = None) -> set[str]:
    return {flag.code for flag in one.flags if kernel is None or flag.kernel == kernel}


def compared(a: Array, b: Array, settings: Settings, **codes: object) -> Comparison:
    series = [Series.of(k, "x", "t", v, **codes) for k, v in (("A", a), ("B", b))]  # type: ignore[arg-type]
    (one,) = compare(series, settings)
    return one


def booted(rng: np.random.Generator, boot_sd: float, shape: tuple[int, int, int] = (10, 4, 5)) -> Array:
    """Level 100, runs of sd 1, boots of the sd given."""
    return (100 + rng.normal(0, boot_sd, (*shape[:2], 1)) + rng.normal(0, 1, shape)).reshape(-1)


def test_a_boot_effect_is_no_autocorrelation_and_its_effective_n_is_nested() -> None:
    """Boots differ 20 times as much as runs: 200 runs in 40 boots tell as much as 41 or so."""
    rng = np.random.default_rng(1)
    many = [booted(rng, 20**0.5) for _ in range(200)]
    found = [readings(x, **layout(10, 4, 5)) for x in many]
    assert np.mean([one.effective_n[0] for one in found]) == pytest.approx(21 / (1 / 200 + 20 / 40), rel=0.02)
    assert sum(one.autocorrelation_p[0] < 0.01 for one in found) <= 8
    one = compared(many[0], many[1], PAPER, **layout(10, 4, 5))
    assert {"boot-effect"} <= codes_of(one) <= {"boot-effect", "not-normal"}
    (flag,) = (flag for flag in one.flags if flag.code == "boot-effect" and flag.kernel == "A")
    assert "200 runs tell as much as 4" in flag.text


def test_where_boots_are_compared_a_boot_effect_is_what_the_method_is_for() -> None:
    rng = np.random.default_rng(2)
    one = compared(booted(rng, 3.0), booted(rng, 3.0), NODE_BLOCK, **layout(10, 4, 5))
    assert "boot-effect" not in codes_of(one)


def test_carry_over_within_boots_is_seen_beside_a_boot_effect() -> None:
    rng = np.random.default_rng(3)
    x = booted(rng, 1.0, (10, 4, 20)).reshape(40, 20)
    for i in range(1, 20):
        x[:, i] += 0.5 * (x[:, i - 1] - x[:, :1].mean())
    found = readings(x.reshape(-1), **layout(10, 4, 20))
    assert found.autocorrelation_p[0] < 1e-6
    assert found.autocorrelation[0] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("runs", [1, 2])
def test_boots_of_one_or_two_runs_say_nothing_of_carry_over(runs: int) -> None:
    x = booted(np.random.default_rng(4), 1.0, (10, 4, runs))
    assert np.isnan(readings(x, **layout(10, 4, runs)).autocorrelation_p[0])


def test_drift_is_seen_in_a_file_that_is_grouped_by_node() -> None:
    rng = np.random.default_rng(5)
    node = np.repeat(np.arange(4), 15)
    x = 100 + 10 * node + np.tile(np.linspace(0, 2.5, 15), 4) + rng.normal(0, 1, 60)
    grouped, interleaved = (
        readings(x, node=node),
        readings(x.reshape(4, 15).T.reshape(-1), node=np.tile(np.arange(4), 15)),
    )
    assert grouped.drift_p[0] < 1e-4
    assert grouped.drift_p[0] == pytest.approx(interleaved.drift_p[0])
    assert grouped.drift_sd[0] == pytest.approx(interleaved.drift_sd[0])


def test_few_boots_that_happen_to_rise_are_no_drift_of_their_runs() -> None:
    """The runs of a boot share what it drew: they are one value for a trend."""
    rng = np.random.default_rng(6)
    alarms = sum(readings(booted(rng, 3.0, (6, 1, 20)), **layout(6, 1, 20)).drift_p[0] < 0.01 for _ in range(300))
    assert alarms <= 9


def test_what_a_block_brings_to_all_nodes_is_no_drift() -> None:
    rng = np.random.default_rng(7)
    shock = rng.normal(0, 3, (300, 10, 1, 1))
    values = (100 + shock + rng.normal(0, 1, (300, 10, 4, 5))).reshape(300, -1)
    series = [Series.of("A", f"b{i}", "t", x, **layout(10, 4, 5)) for i, x in enumerate(values)]
    batch = lay_out(series)
    assert np.sum(read(batch, together=True).drift_p < 0.01) <= 9
    assert np.sum(read(batch).drift_p < 0.01) > 20


def test_too_few_knows_the_size_of_the_family() -> None:
    """Ten blocks reach p = 0.002: enough for one comparison, not for Holm's first step among 84."""
    rng = np.random.default_rng(8)
    block = np.arange(10)
    series = [Series.of(k, f"b{i}", "t", rng.normal(100, 1, 10), block=block) for i in range(84) for k in "AB"]
    alone, many = compare(series[:2], BLOCK), compare(series, BLOCK)
    assert "few-units" not in codes_of(alone[0])
    assert all("few-units" in codes_of(one) for one in many)
    (flag,) = (flag for flag in many[0].flags if flag.code == "few-units")
    assert "0.000595 (0.05 over the family of 84)" in flag.text
    unadjusted = compare(series, Settings(unit=Unit.BLOCK, correction=Correction.NONE))
    assert not any("few-units" in codes_of(one) for one in unadjusted)


def _without(rng: np.random.Generator, lost: set[tuple[int, int]], **more: object) -> Comparison:
    codes = layout(6, 3, 2)
    kept = np.array([place not in lost for place in zip(codes["node"].tolist(), codes["block"].tolist(), strict=True)])
    left = {name: code[kept] for name, code in codes.items()}
    series = [Series.of(k, "x", "t", rng.normal(100, 1, int(kept.sum())), **left, **more) for k in "AB"]  # type: ignore[arg-type]
    return compare(series, BLOCK)[0]


def _missing(one: Comparison) -> list[float | None]:
    return [flag.statistic for flag in one.flags if flag.code == "missing-cells"]


def test_a_visit_that_every_kernel_lost_is_missing_too() -> None:
    rng = np.random.default_rng(9)
    assert _missing(_without(rng, set())) == []
    assert _missing(_without(rng, {(1, 3), (2, 5)})) == [2.0]


def test_a_block_that_everybody_lost_is_missing_where_the_plan_is_known() -> None:
    rng = np.random.default_rng(10)
    lost = {(node, 5) for node in range(3)}
    assert _missing(_without(rng, lost)) == []
    assert _missing(_without(rng, lost, lost_visits=3)) == [3.0]


def test_blocks_that_each_belong_to_one_node_miss_nothing() -> None:
    rng = np.random.default_rng(11)
    node = np.repeat(np.arange(3), 4)
    one = compared(rng.normal(100, 1, 12), rng.normal(100, 1, 12), NODE_BLOCK, node=node, block=np.arange(12))
    assert _missing(one) == []


def test_an_effect_that_differs_by_node_is_flagged_where_nodes_move_together() -> None:
    """Four per cent up on two nodes, down on two: equivalent on the mean of these nodes, and true of none of them."""
    rng = np.random.default_rng(12)
    codes = layout(10, 4, 5)
    shock = np.repeat(rng.normal(0, 2, 10), 20)
    effect = np.array([0.04, -0.04, 0.04, -0.04])[codes["node"]]
    a, b = (100 + shock + rng.normal(0, 1, 200) for _ in range(2))
    one = compared(a, b * (1 + effect), BLOCK, **codes)
    assert one.verdict == "equivalent"
    assert "kernel-by-node" in codes_of(one)
    assert "kernel-by-node" not in codes_of(compared(a, b, BLOCK, **codes))


def test_kernel_by_node_is_the_analysis_of_variance_of_blocks_and_nodes() -> None:
    """As R's anova(lm(d ~ block + node)), cells missing."""
    rng = np.random.default_rng(13)
    block, node = (axis.reshape(-1)[[0, 1, 2, 4, 5, 6, 7, 8, 10, 11, 12, 14]] for axis in np.indices((5, 3)))
    a, b = rng.normal(100, 1, 12), rng.normal(100, 1, 12) + 4 * node
    one = compared(a, b, BLOCK, node=node, block=block)
    d = np.log(b / a)

    def rest(*factors: NDArray[np.int64]) -> tuple[float, int]:
        design = np.concatenate([np.eye(int(f.max()) + 1)[f] for f in factors], axis=1)
        fitted = design @ np.linalg.lstsq(design, d, rcond=None)[0]
        return float(np.sum((d - fitted) ** 2)), 12 - int(np.linalg.matrix_rank(design))

    (small, df_small), (large, df_large) = rest(block), rest(block, node)
    (flag,) = (flag for flag in one.flags if flag.code == "kernel-by-node")
    assert flag.statistic == pytest.approx((small - large) / (df_small - df_large) / (large / df_large))


@pytest.mark.parametrize("settings", [PAPER, BLOCK, NODE_BLOCK], ids=["paper", "block", "node-block"])
@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e12])
def test_rounding_noise_is_not_diagnosed(settings: Settings, scale: float) -> None:
    """Constant data whose boot means and residuals differ in the last bits."""
    codes = layout(8, 3, 3)
    noise = 1 + np.random.default_rng(14).integers(-2, 3, (2, 72)) * 2.0**-52
    one = compared(scale * 42.1 * noise[0], scale * 63.3 * noise[1], settings, **codes)
    noisy = {"drift", "outliers", "not-normal", "autocorrelated", "boot-effect", "node-effect", "kernel-by-node"}
    assert codes_of(one) & (noisy | {"resolution", "clipped"}) == set()


def test_the_resolution_of_a_clock_is_flagged() -> None:
    """One second at ten: +0.96 % shows as +7.9 %, and no number of runs cures it."""
    rng = np.random.default_rng(15)
    a, b = rng.normal(10.44, 0.06, 50), rng.normal(10.54, 0.06, 50)
    assert codes_of(compared(a, b, PAPER)) == {"one-block"}
    one = compared(np.round(a), np.round(b), PAPER)
    assert one.difference_pct is not None
    assert one.difference_pct > 5
    (flag,) = (flag for flag in one.flags if flag.code == "resolution" and flag.kernel == "B")
    assert flag.statistic == 1
    assert "10 % of their mean" in flag.text or "9." in flag.text


@pytest.mark.parametrize(
    ("sd", "step", "flagged"),
    [(0.2, 1.0, True), (1.0, 1.0, False), (0.2, 0.05, False), (0.01, 0.05, False)],
    ids=["coarse", "spread hides the step", "fine", "coarse, but far below delta"],
)
def test_only_steps_that_can_decide_are_flagged(sd: float, step: float, flagged: bool) -> None:
    x = np.round(np.random.default_rng(16).normal(10.4, sd, 50) / step) * step
    assert _grid(x).is_coarse[0] == flagged


def test_a_coarse_clock_is_seen_beside_nodes_of_different_levels() -> None:
    node = np.repeat([0, 1], 25)
    x = np.round(np.random.default_rng(17).normal(10.4, 0.2, 50)) + 100.25 * node
    assert _grid(x, node=node).is_coarse[0]
    constant = 10.0 + 5 * node
    assert not _grid(constant, node=node).is_coarse[0], "levels of nodes are no steps"


def _grid(x: Array, **codes: object) -> Grid:
    return grid_of(lay_out([Series.of("A", "x", "t", x, **codes)]), 0.02)  # type: ignore[arg-type]


def test_values_that_a_limit_cut_are_flagged() -> None:
    x = np.random.default_rng(18).normal(10, 1, 60)
    top, bottom = np.minimum(x, 11.2), np.maximum(x, 9.0)
    assert _grid(x).at_top[0] == _grid(x).at_bottom[0] == 0
    assert _grid(top).at_top[0] == np.sum(x >= 11.2)
    assert _grid(bottom).at_bottom[0] == np.sum(x <= 9.0)
    one = compared(top, x, PAPER)
    (flag,) = (flag for flag in one.flags if flag.code == "clipped")
    assert flag.kernel == "A"
    assert "values of A are 11.2 and none lies above" in flag.text


def test_counts_end_at_zero_of_themselves() -> None:
    assert _grid(np.random.default_rng(19).poisson(0.3, 500).astype(np.float64)).at_bottom[0] == 0


CLEAN = {
    "paper: 1 node, 50 runs": (PAPER, (1, 1, 50), 0.0),
    "paper: 4 nodes, 12 runs each": (PAPER, (1, 4, 12), 0.0),
    "paper: 1 node, 10 runs": (PAPER, (1, 1, 10), 0.0),
    "node-block: 4 nodes, 10 blocks of 5 runs": (NODE_BLOCK, (10, 4, 5), 0.0),
    "node-block: the same, boot sd 1": (NODE_BLOCK, (10, 4, 5), 1.0),
    "node-block: the same, boot sd 3": (NODE_BLOCK, (10, 4, 5), 3.0),
    "block: 4 nodes, 10 blocks of 5 runs, boot sd 0.5": (BLOCK, (10, 4, 5), 0.5),
    "block: 1 node, 5 blocks of 10 runs, boot sd 0.5": (BLOCK, (5, 1, 10), 0.5),
}


@pytest.mark.parametrize("design", CLEAN)
def test_false_alarms_are_rare(design: str) -> None:
    """On clean data each flag comes in one series of a hundred, whatever the design; the bound is far beyond chance."""
    settings, shape, boot_sd = CLEAN[design]
    rng = np.random.default_rng(20)
    codes = layout(*shape)
    n = codes["node"].size
    block_shock = rng.normal(0, 1, (500, shape[0]))[:, codes["block"]] * (settings.unit is Unit.BLOCK)
    series = [
        Series.of(
            k, f"b{i}", "t", block_shock[i] + booted(rng, boot_sd, shape), **codes, attempts={"ok": n - 2, "lost": 2}
        )
        for i in range(500)
        for k in "AB"
    ]
    done = compare(series, settings)
    flags = [flag for one in done for flag in one.flags]
    for code in ("outliers", "autocorrelated", "boot-effect", "drift", "node-effect", "not-normal"):
        assert sum(flag.code == code for flag in flags) <= 25, code  # of 1,000 series; 10 expected
    assert sum(flag.code == "kernel-by-node" for flag in flags) <= 15  # of 500 pairs; 5 expected
    assert not [flag for flag in flags if flag.code in {"resolution", "clipped", "asymmetric-loss", "missing-cells"}]


def test_losses_that_chance_shares_out_raise_the_flag_in_one_of_twenty() -> None:
    rng = np.random.default_rng(21)
    x = rng.normal(100, 1, 5)
    lost = rng.binomial(100, 0.1, (1000, 2)).tolist()
    series = [
        Series.of(k, f"b{i}", "t", x, attempts={"ok": 100 - n, "failed": n})
        for i, pair in enumerate(lost)
        for k, n in zip("AB", pair, strict=True)
    ]
    alarms = sum("asymmetric-loss" in codes_of(one) for one in compare(series, PAPER))
    assert alarms <= 75


@pytest.mark.parametrize("shape", ["normal", "lognormal", "exponential", "uniform"])
@pytest.mark.parametrize("step", [1e-6, 0.01, 0.1, 0.5])
def test_tails_are_no_limits(shape: str, step: float) -> None:
    rng = np.random.default_rng(22)
    draw = {
        "normal": lambda: rng.normal(10, 1, 50),
        "lognormal": lambda: 9 + rng.lognormal(0, 0.5, 50),
        "exponential": lambda: 9 + rng.exponential(1, 50),
        "uniform": lambda: rng.uniform(8, 12, 50),
    }[shape]
    found = grid_of(lay_out([Series.of("A", f"b{i}", "t", np.round(draw() / step) * step) for i in range(500)]), 0.02)
    assert np.sum((found.at_top > 0) | (found.at_bottom > 0)) <= 12
