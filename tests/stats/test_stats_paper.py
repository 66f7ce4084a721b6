"""Method ``paper``: against textbook arithmetic, and what must hold for any data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.core.stats import Comparison, Method, Series, Settings, Summary, Unit, Verdict, compare, compare_summaries

SMALL = st.lists(st.floats(1, 1000, allow_nan=False), min_size=3, max_size=12)


def two(a: object, b: object, settings: Settings | None = None, **more: object) -> Comparison:
    """B against A in one metric."""
    series = [Series.of("A", "bench", "time", a, **more), Series.of("B", "bench", "time", b, **more)]  # type: ignore[arg-type]
    (one,) = compare(series, settings or Settings(method=Method.PAPER))
    return one


def test_student_1908_sleep_data() -> None:
    """R's ``t.test(extra ~ group, data = sleep)``, printed in its manual: t = -1.8608, df = 17.776, p = 0.07939."""
    drug1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    drug2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    one = two(drug2, drug1)
    assert one.t == pytest.approx(-1.8608, abs=5e-5)
    assert one.df == pytest.approx(17.776, abs=5e-4)
    assert one.p == pytest.approx(0.07939, abs=5e-6)
    assert one.df_student == 18
    assert one.verdict is Verdict.INCONCLUSIVE


def test_chaos_cg_is_significant_by_the_numbers_the_paper_prints() -> None:
    """Section 5.1: CG is "about 5%" slower under CHAOS, "the statistical difference however was not significant"."""
    seconds = (
        Summary("chaos", "cg.C", "seconds", 607, 31, 50, "s"),
        Summary("xen", "cg.C", "seconds", 576.65, 31, 50, "s"),
    )
    (one,) = compare_summaries(seconds, Settings(method=Method.PAPER))
    assert one.t == pytest.approx(-4.895, abs=1e-3)
    assert one.p is not None
    assert one.p < 1e-5
    assert one.verdict is Verdict.FASTER
    mops = [Summary(k, "cg.C", "mops", m, 12, 50, "Mop/s", "higher") for k, m in (("chaos", 237), ("xen", 248.85))]  # type: ignore[arg-type]
    (other,) = compare_summaries(mops, Settings(method=Method.PAPER))
    assert other.t == pytest.approx(4.94, abs=1e-2)
    assert other.verdict is Verdict.FASTER


@given(SMALL, SMALL)
def test_summaries_and_runs_agree(a: list[float], b: list[float]) -> None:
    runs = two(a, b)
    summaries = [
        Summary(k, "bench", "time", float(np.mean(x)), float(np.std(x, ddof=1)), len(x))
        for k, x in (("A", a), ("B", b))
    ]
    (one,) = compare_summaries(summaries, Settings(method=Method.PAPER))
    if runs.t is None or abs(runs.t) > 1e6:
        return
    assert one.p == pytest.approx(runs.p, rel=1e-6, abs=1e-9)
    assert one.ci_low == pytest.approx(runs.ci_low, rel=1e-6)


@given(SMALL, SMALL, st.integers(-900, 900))
def test_a_power_of_two_changes_no_bit(a: list[float], b: list[float], power: int) -> None:
    plain, scaled = two(a, b), two(np.ldexp(a, power), np.ldexp(b, power))
    assert (plain.p, plain.ratio, plain.ci_low, plain.p_equivalence) == (
        scaled.p, scaled.ratio, scaled.ci_low, scaled.p_equivalence
    )  # fmt: skip


@given(SMALL, SMALL)
def test_turning_the_pair_round_keeps_p(a: list[float], b: list[float]) -> None:
    one, other = two(a, b), two(b, a)
    assert one.p == pytest.approx(other.p, rel=1e-9)
    assert one.t is None or one.t == pytest.approx(-(other.t or 0.0), rel=1e-9, abs=1e-12)


def test_several_nodes_are_not_pooled() -> None:
    """Nodes that differ by far more than the kernels do not hide the kernels' difference."""
    rng = np.random.default_rng(5)
    node = np.repeat(np.arange(4), 25)
    level = 100 + 30 * node
    a, b = (level + rng.normal(shift, 1, 100) for shift in (0, 1))
    one = two(a, b, node=node)
    assert one.nodes == 4
    assert one.df_student == 195
    assert one.verdict is Verdict.TRIVIAL
    assert two(a, b).p > 0.5  # type: ignore[operator]


def test_a_kernel_lost_on_one_node_leaves_the_difference_unbiased() -> None:
    node = np.repeat(np.arange(4), 25)
    rng = np.random.default_rng(6)
    a = 100 + 300.0 * node + rng.normal(0, 1, 100)
    b = 110 + 300.0 * node + rng.normal(0, 1, 100)
    series = [
        Series.of("A", "x", "t", a, node=node),
        Series.of("B", "x", "t", b[node < 3], node=node[node < 3]),
    ]
    (one,) = compare(series, Settings(method=Method.PAPER))
    assert one.mean is not None
    assert one.mean_baseline is not None
    assert one.mean - one.mean_baseline == pytest.approx(10, abs=0.6)
    assert one.replication_unit is Unit.RUN


def test_welch_with_nodes_is_least_squares_with_a_variance_per_kernel() -> None:
    """Written out with whole design matrices: three kernels, four nodes, unequal numbers, a lost cell."""
    rng = np.random.default_rng(7)
    kernel = np.repeat([0, 1, 2], [23, 17, 20])
    node = rng.integers(0, 4, kernel.size)
    keep = ~((kernel == 1) & (node == 2))
    kernel, node = kernel[keep], node[keep]
    y = 10.0 * node + kernel + rng.normal(0, 1 + kernel, kernel.size)
    x = np.concatenate([np.eye(3)[kernel], np.eye(4)[node][:, 1:]], axis=1)
    pseudo = np.linalg.pinv(x)
    residual = y - x @ pseudo @ y
    leverage = np.einsum("ij,ji->i", x, pseudo)
    variance = [np.sum(residual[kernel == k] ** 2) / np.sum(1 - leverage[kernel == k]) for k in range(3)]
    series = [Series.of("ABC"[k], "x", "t", y[kernel == k], node=node[kernel == k]) for k in range(3)]
    found = compare(series, Settings(method=Method.PAPER, contrasts=(("C", "B"),)))
    for one, (here, there) in zip(found, ((1, 0), (2, 0), (2, 1)), strict=True):
        weights = pseudo[here] - pseudo[there]
        parts = [variance[k] * np.sum(weights[kernel == k] ** 2) for k in range(3)]
        count = [np.sum(kernel == k) for k in range(3)]
        df = sum(parts) ** 2 / sum(part**2 / (n - 1) for part, n in zip(parts, count, strict=True)) - 3
        assert one.t == pytest.approx(weights @ y / np.sqrt(sum(parts)), rel=1e-9)
        assert one.df == pytest.approx(df, rel=1e-9)
        assert one.sd == pytest.approx(np.sqrt(variance[here]), rel=1e-9)


def test_balanced_nodes_lose_just_their_means() -> None:
    """DESIGN's words: each node's mean over all kernels is removed first, one df less per node beyond the first."""
    rng = np.random.default_rng(8)
    node = np.tile(np.arange(4), 10)
    values = {k: 5.0 * node + rng.normal(i, 1, 40) for i, k in enumerate("ABC")}
    (one, _) = compare([Series.of(k, "x", "t", v, node=node) for k, v in values.items()], Settings(method=Method.PAPER))
    grand = np.stack([np.concatenate([v[node == j] for v in values.values()]) for j in range(4)]).mean(axis=1)
    a, b = (values[k] - grand[node] for k in "AB")
    # three of the 116 residual degrees of freedom belong to the nodes, one to each kernel
    pooled = (np.sum((a - a.mean()) ** 2) + np.sum((b - b.mean()) ** 2)) / (2 * (39 - 1))
    assert one.mean == pytest.approx(values["B"].mean(), rel=1e-12)
    assert one.t_student == pytest.approx((b.mean() - a.mean()) / np.sqrt(pooled * 2 / 40), rel=1e-9)
    assert one.df_student == 75


def test_the_ratio_of_means_is_that_of_plain_means_on_any_number_of_nodes() -> None:
    """One kernel ran mostly on the slow node: the adjusted means do not differ, the plain ones do."""
    nodes = {"A": [0] * 10 + [1] * 2, "B": [0] * 2 + [1] * 10}
    noise = np.sin(np.arange(12))
    values = {k: 100.0 + 100 * np.array(node) + noise for k, node in nodes.items()}
    (one,) = compare([Series.of(k, "b", "t", values[k], node=nodes[k]) for k in "AB"], Settings(method=Method.PAPER))
    assert one.ratio_of_means == pytest.approx(values["B"].mean() / values["A"].mean(), rel=1e-14)
    assert one.ratio is not None
    assert abs(one.ratio - 1) < 0.02
