"""Diagnostics: each is raised by what it is about, and by chance in one series of a hundred."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hpcvirt.core.stats import Comparison, Flag, Method, Series, Settings, Unit, compare
from hpcvirt.core.stats.batch import lay_out
from hpcvirt.core.stats.diagnose import Readings, fence, fisher, smallest_p
from hpcvirt.core.stats.diagnose import read as read_batch


def flags_of(b: object, settings: Settings | None = None, **more: object) -> dict[str, Flag]:
    """Flags of kernel B's values against an unremarkable A."""
    a = np.random.default_rng(11).normal(100, 1, len(b))  # type: ignore[arg-type]
    series = [Series.of(k, "x", "t", v, **more) for k, v in (("A", a), ("B", b))]  # type: ignore[arg-type]
    (one,) = compare(series, settings or Settings(method=Method.PAPER))
    return {flag.code: flag for flag in one.flags if flag.kernel in {None, "B"}}


def read(values: np.ndarray, node: np.ndarray | None = None, **more: object) -> Readings:  # type: ignore[type-arg]
    """Readings of rows of values, each of a benchmark of its own."""
    rows = (Series.of("A", f"b{i}", "t", row, node=node, **more) for i, row in enumerate(values))  # type: ignore[arg-type]
    return read_batch(lay_out(list(rows)))


def test_drift() -> None:
    flag = flags_of(100 + np.linspace(0, 3, 60) + np.random.default_rng(1).normal(0, 1, 60))["drift"]
    assert flag.p is not None
    assert flag.p < 1e-3
    assert "rises" in flag.text


def test_drift_is_a_regression_on_run_order() -> None:
    x = np.random.default_rng(2).normal(0, 1, (3, 40))
    found = read(x)
    for i in range(3):
        line = stats.linregress(np.arange(40), x[i])
        assert found.drift[i] == pytest.approx(line.rvalue)
        assert found.drift_p[i] == pytest.approx(line.pvalue)


def test_autocorrelation_and_effective_n() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(0, 1, 400)
    for i in range(1, 400):
        x[i] += 0.7 * x[i - 1]
    flag = flags_of(x + 100)["autocorrelated"]
    assert flag.statistic == pytest.approx(0.7, abs=0.12)
    assert "400 runs tell as much as" in flag.text
    r = read(x[None, :])
    assert r.effective_n[0] == pytest.approx(400 * (1 - r.autocorrelation[0]) / (1 + r.autocorrelation[0]))


def test_interleaved_nodes_are_followed_each_on_its_own() -> None:
    """Two nodes, each a slow wave of its own, taking turns."""
    step = np.arange(60)
    waves = np.stack([np.sin(step / 6), np.cos(step / 5)], axis=1).reshape(-1)
    x = 100 + waves + np.random.default_rng(4).normal(0, 0.1, 120)
    found = read(x[None, :], np.tile([0, 1], 60))
    assert found.autocorrelation[0] > 0.9


def test_outliers_are_counted_and_kept() -> None:
    x = np.random.default_rng(5).normal(100, 1, 50)
    x[[3, 17]] = 130, 60
    assert flags_of(x)["outliers"].statistic == 2
    away = np.abs(x - np.median(x)) / (1.482602218505602 * np.median(np.abs(x - np.median(x))))
    found = read(x[None, :])
    assert found.farthest[0] == pytest.approx(away.max())
    assert found.outliers[0] == np.sum(away > fence(np.array([50.0]), np.array([50.0])))


def test_an_outlier_is_measured_by_its_own_node() -> None:
    """A value of the quiet node that would be nothing on the noisy one."""
    rng = np.random.default_rng(5)
    node = np.tile([0, 1], 30)
    x = rng.normal(100, 1, 60) * (node == 0) + rng.normal(500, 20, 60) * (node == 1)
    assert read(x[None, :], node).outliers[0] == 0
    x[10] = 112
    assert read(x[None, :], node).outliers[0] == 1


def test_the_fence_grows_with_the_number_of_values() -> None:
    at = np.array([20.0, 50.0, 200.0, 2000.0])
    few, *_, many = fence(at, at)
    assert 4 < many < few
    assert np.all(np.diff(fence(at, np.full(4, 200.0))) > 0)
    assert np.isinf(fence(np.array([3.0]), np.array([3.0])))


def test_not_normal() -> None:
    flag = flags_of(np.random.default_rng(6).exponential(1, 60))["not-normal"]
    assert flag.p is not None
    assert flag.p < 0.01


def test_node_effect_is_one_way_anova() -> None:
    rng = np.random.default_rng(7)
    node = np.tile(np.arange(3), 20)
    x = rng.normal(0, 1, 60) + node
    flag = flags_of(x, node=node)["node-effect"]
    expected = stats.f_oneway(*(x[node == j] for j in range(3)))
    assert flag.statistic == pytest.approx(expected.statistic)
    assert flag.p == pytest.approx(expected.pvalue)


def test_kernel_by_node() -> None:
    rng = np.random.default_rng(8)
    node, block = (axis.reshape(-1) for axis in np.indices((3, 8)))
    a = rng.normal(100, 1, 24)
    b = a * np.exp(0.1 * node) + rng.normal(0, 1, 24)
    series = [Series.of(k, "x", "t", v, node=node, block=block) for k, v in (("A", a), ("B", b))]
    (one,) = compare(series, Settings(unit=Unit.NODE_BLOCK))
    d = np.log(b / a)
    expected = stats.f_oneway(*(d[node == j] for j in range(3)))
    flag = next(flag for flag in one.flags if flag.code == "kernel-by-node")
    assert flag.statistic == pytest.approx(expected.statistic)
    assert flag.p == pytest.approx(expected.pvalue)


def test_blocked_asks_for_normal_differences_not_normal_runs() -> None:
    """Eight bootfuls of one bad draw: the runs look bimodal, the differences are what is tested."""
    rng = np.random.default_rng(9)
    block = np.arange(80) // 4
    common = np.where(block % 2, 50.0, 0.0)
    series = [Series.of(k, "x", "t", 100 + common + rng.normal(0, 1, 80), block=block) for k in "AB"]
    (one,) = compare(series, Settings())
    assert "not-normal" not in {flag.code for flag in one.flags}
    (other,) = compare(series, Settings(method=Method.PAPER))
    assert "not-normal" in {flag.code for flag in other.flags}


def _lossy(lost: dict[str, int], lost_baseline: dict[str, int]) -> Comparison:
    rng = np.random.default_rng(10)
    series = [
        Series.of(k, "x", "t", rng.normal(100, 1, 50), attempts={"ok": 50, **how})
        for k, how in (("A", lost_baseline), ("B", lost))
    ]
    return compare(series, Settings(method=Method.PAPER))[0]


def test_losses_by_status_and_asymmetric_loss() -> None:
    one = _lossy({"failed": 7, "lost": 3, "timeout": 0}, {"failed": 1})
    flags = {(flag.code, flag.kernel): flag for flag in one.flags}
    assert flags["losses", "B"].statistic == 10
    assert flags["losses", "B"].text == "10 of 60 attempts under B gave no value: 7 failed, 3 lost"
    assert flags["losses", "A"].statistic == 1
    uneven = flags["asymmetric-loss", "B"]
    assert uneven.statistic == pytest.approx(10 / 60 - 1 / 51)
    table = [[10, 50], [1, 50]]
    seen = stats.hypergeom(111, 60, 11).pmf(10)
    assert uneven.p == pytest.approx(stats.fisher_exact(table)[1] - seen / 2)
    assert not [flag for flag in _lossy({}, {}).flags if "loss" in flag.code]


@pytest.mark.parametrize(
    ("lost", "lost_baseline", "loser"),
    [(1, 0, None), (1, 1, None), (4, 2, None), (7, 7, None), (5, 0, "B"), (12, 2, "B"), (0, 5, "A"), (2, 12, "A")],
)
def test_asymmetric_loss_names_who_loses_more_and_only_beyond_chance(
    lost: int, lost_baseline: int, loser: str | None
) -> None:
    """Whether the kernel or the baseline loses its slowest runs, the verdict is as wrong."""
    one = _lossy({"timeout": lost}, {"timeout": lost_baseline})
    assert [flag.kernel for flag in one.flags if flag.code == "asymmetric-loss"] == ([loser] if loser else [])


def test_fisher_against_scipy() -> None:
    for table in np.random.default_rng(12).integers(0, 15, (50, 2, 2)).tolist():
        (a, b), (c, d) = table
        assert fisher(a, b, c, d) == pytest.approx(stats.fisher_exact(table)[1], rel=1e-9)


@pytest.mark.parametrize(("n", "flagged"), [(3, True), (4, False)])
def test_too_few_runs_to_reach_alpha(n: int, flagged: bool) -> None:
    """Three against three: the most extreme of 20 rearrangements has p = 0.1."""
    x = 100 + np.random.default_rng(13).normal(0, 1, n)
    assert ("few-units" in flags_of(x)) is flagged
    assert smallest_p(3, 3) == 0.1
    assert smallest_p(4, 4) == pytest.approx(2 / 70)


@pytest.mark.parametrize(("blocks", "flagged"), [(5, True), (6, False)])
def test_too_few_blocks_to_reach_alpha(blocks: int, flagged: bool) -> None:
    """Five blocks all in favour: one of 32 patterns of signs, two-sided p = 0.0625."""
    x = 100 + np.random.default_rng(14).normal(0, 1, 4 * blocks)
    found = flags_of(x, Settings(), block=np.arange(4 * blocks) // 4)
    assert ("few-units" in found) is flagged
    assert smallest_p(5) == 0.0625


def test_flags_change_no_number() -> None:
    rng = np.random.default_rng(16)
    a, b = rng.normal(100, 1, 30), rng.normal(100, 1, 30)
    b[5] = 1000
    (one,) = compare([Series.of("A", "x", "t", a), Series.of("B", "x", "t", b)], Settings(method=Method.PAPER))
    expected = stats.ttest_ind(b, a, equal_var=False)
    assert one.p == pytest.approx(expected.pvalue)
    assert "outliers" in {flag.code for flag in one.flags}
