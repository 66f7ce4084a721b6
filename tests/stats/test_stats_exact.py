"""Data without spread, and metrics that are declared exact."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.stats import Comparison, Method, Series, Settings, Summary, Unit, Verdict, compare, compare_summaries
from hpcvirt.core.stats.report import to_json
from hpcvirt.tui.analyze import analyze_file

DATA = Path(__file__).parent / "data"
SETTINGS = [Settings(method=Method.PAPER), Settings(unit=Unit.BLOCK), Settings(unit=Unit.NODE_BLOCK)]
NODE, BLOCK, _ = (axis.reshape(-1) for axis in np.indices((3, 6, 4)))


def codes(one: Comparison) -> set[str]:
    return {flag.code for flag in one.flags}


def two(a: object, b: object, settings: Settings, *, exact: bool = False, better: str = "lower") -> Comparison:
    series = [
        Series.of(k, "x", "t", v, node=NODE, block=BLOCK, exact=exact, better=better)  # type: ignore[arg-type]
        for k, v in (("A", a), ("B", b))
    ]
    (one,) = compare(series, settings)
    return one


@pytest.mark.parametrize("settings", [Settings(), *SETTINGS])
def test_constants_of_a_file_ask_for_nothing_and_have_no_diagnostics(settings: Settings) -> None:
    (one,), _ = analyze_file(DATA / "const_diff.csv", settings)
    assert (one.p, one.verdict, one.more) == (None, Verdict.INCONCLUSIVE, None)
    assert one.sd == 0
    assert {"constant"} <= codes(one) <= {"constant", "one-block"}
    (flag,) = [flag for flag in one.flags if flag.code == "constant"]
    assert "differ" in flag.text
    assert "do not differ" not in flag.text


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("per_node", [0.0, 0.1, 1 / 3])
def test_a_constant_has_no_diagnostics_on_any_number_of_nodes(settings: Settings, per_node: float) -> None:
    """The nodes' levels differ; on each, every value of a kernel is the same."""
    a = 42.1 + per_node * NODE
    one = two(a, a + 21.2 if settings.method is Method.PAPER else 1.5 * a, settings)
    assert one.more is None
    assert not codes(one) & {"not-normal", "autocorrelated", "drift", "outliers", "kernel-by-node", "unequal-spread"}


def test_the_same_ratio_in_every_visit_is_not_the_same_value(rng: np.random.Generator) -> None:
    values = rng.normal(100, 5, NODE.size)
    for settings in SETTINGS[1:]:
        one = two(values, 1.5 * values, settings)
        assert one.p is None
        assert one.more is None
        (flag,) = [flag for flag in one.flags if flag.code == "constant"]
        assert flag.text.startswith("the kernels differ by the same ratio in every visit")


@pytest.mark.parametrize("settings", SETTINGS)
def test_same_constants_do_not_differ(settings: Settings) -> None:
    one = two(np.full(72, 42.1), np.full(72, 42.1), settings)
    assert (one.p, one.verdict, one.more) == (1, Verdict.INCONCLUSIVE, None)
    assert any("do not differ" in flag.text for flag in one.flags if flag.code == "constant")


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize(
    ("value", "better", "verdict"),
    [
        (4097.0, "lower", Verdict.TRIVIAL),
        (5000.0, "lower", Verdict.SLOWER),
        (5000.0, "higher", Verdict.FASTER),
        (3000.0, "lower", Verdict.FASTER),
        (4096.0, "lower", Verdict.EQUIVALENT),
    ],
)
def test_of_an_exact_metric_different_is_different(
    settings: Settings, value: float, better: str, verdict: Verdict
) -> None:
    one = two(np.full(72, 4096.0), np.full(72, value), settings, exact=True, better=better)
    assert one.verdict is verdict
    assert one.p == (1 if value == 4096 else 0)
    assert "constant" not in codes(one)
    assert one.ci_low == one.ci_high == one.ci_low_decision == pytest.approx(value / 4096, rel=1e-12)
    json.loads(to_json([one]), parse_constant=pytest.fail)


@pytest.mark.parametrize("settings", SETTINGS)
def test_an_exact_metric_that_varies_is_tested(settings: Settings, rng: np.random.Generator) -> None:
    a, b = rng.normal(100, 1, 72), rng.normal(100, 1, 72)
    plain, exact = two(a, b, settings), two(a, b, settings, exact=True)
    assert (exact.p, exact.verdict) == (plain.p, plain.verdict)
    assert codes(exact) - codes(plain) == {"exact-varies"}


def test_exact_summaries() -> None:
    rows = [Summary(k, "x", "t", mean, 0.0, 5, exact=True) for k, mean in (("A", 10.0), ("B", 11.0))]
    (one,) = compare_summaries(rows)
    assert (one.p, one.verdict) == (0, Verdict.SLOWER)


def test_a_negative_exact_baseline_keeps_the_direction() -> None:
    rows = [Summary(k, "x", "t", mean, 0.0, 5, exact=True) for k, mean in (("A", -10.0), ("B", -20.0))]
    assert compare_summaries(rows)[0].verdict is Verdict.FASTER


def test_an_exact_column_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    lines = [f"{k},b,calls,{v},{block},true" for block in (1, 2, 3) for k, v in (("A", 100), ("B", 120))]
    path.write_text("\n".join(["kernel,benchmark,metric,value,block,exact", *lines]))
    (one,), _ = analyze_file(path, Settings())
    assert (one.p, one.verdict) == (0, Verdict.SLOWER)
    path.write_text(path.read_text().replace("true", "perhaps"))
    with pytest.raises(UsageWrong, match="exact is 'perhaps'"):
        analyze_file(path, Settings())


def test_one_metric_is_exact_under_all_kernels_or_none() -> None:
    series = [Series.of(k, "x", "t", [1.0, 1.0], exact=k == "A") for k in "AB"]
    with pytest.raises(UsageWrong, match="exact"):
        compare(series)


@pytest.mark.parametrize("settings", SETTINGS[1:])
@pytest.mark.parametrize("better", ["lower", "higher"])
def test_exact_zeros_are_compared_without_logarithms(settings: Settings, better: str) -> None:
    """Zero against eight and five against zero are different, whether or not there is a ratio; zero is zero."""
    rises, falls, same = (
        two(np.full(NODE.size, a), np.full(NODE.size, b), settings, exact=True, better=better)
        for a, b in ((0.0, 8.0), (5.0, 0.0), (0.0, 0.0))
    )
    good = [Verdict.SLOWER, Verdict.FASTER]
    assert [rises.verdict, falls.verdict] == (good if better == "lower" else good[::-1])
    assert (rises.p, rises.ratio, rises.ci_low, rises.ci_high) == (0, None, None, None)
    assert (falls.p, falls.ratio, falls.ci_low, falls.ci_high) == (0, 0, 0, 0)
    assert (same.p, same.p_equivalence, same.ratio, same.verdict) == (1, 0, None, Verdict.EQUIVALENT)
    assert [codes(one) for one in (rises, falls, same)] == [{"zero-mean"}, set(), {"zero-mean"}]


def test_zero_on_a_single_node_is_a_zero() -> None:
    a = np.where(NODE == 0, 0.0, 4.0)
    one = two(a, np.where(NODE == 0, 8.0, 4.0), SETTINGS[2], exact=True)
    assert (one.p, one.ratio, one.verdict) == (0, None, Verdict.SLOWER)


@pytest.mark.parametrize("settings", SETTINGS[1:])
def test_zeros_that_vary_or_oppose_or_were_not_declared_have_no_logarithm(settings: Settings) -> None:
    zeros, eights = np.zeros(NODE.size), np.full(NODE.size, 8.0)
    varying = np.where(BLOCK < 3, 0.0, 2.0)
    crossed = two(np.where(NODE == 0, 0.0, 8.0), np.where(NODE == 0, 8.0, 0.0), settings, exact=True)
    for one in (two(zeros, eights, settings), two(varying, eights, settings, exact=True), crossed):
        assert one.p is None
        assert one.verdict is Verdict.INCONCLUSIVE
        assert "not-positive" in codes(one)


@pytest.mark.parametrize("settings", SETTINGS)
def test_an_exact_metric_that_varies_is_said_to_whatever_its_difference_is(settings: Settings) -> None:
    """Ten and twenty against eleven and 22: the ratio never changes, but the values do."""
    a = np.where(BLOCK % 2 == 0, 10.0, 20.0)
    one = two(a, 1.1 * a, settings, exact=True)
    assert one.p != 0
    assert "exact-varies" in codes(one)
    assert not any("Declare" in flag.text for flag in one.flags)


def _constant_text(a: object, b: object, settings: Settings) -> str:
    (flag,) = (flag for flag in two(a, b, settings).flags if flag.code == "constant")
    return flag.text


@pytest.mark.parametrize("settings", SETTINGS[1:])
def test_a_pair_without_spread_is_described_as_it_is(rng: np.random.Generator, settings: Settings) -> None:
    values, fixed = rng.normal(100, 5, NODE.size), np.full(NODE.size, 7.0)
    assert _constant_text(values, values, settings).startswith("the values vary, but both kernels have the same")
    assert _constant_text(fixed, fixed, settings).startswith("nothing varies and the kernels do not differ")
    assert _constant_text(values, 1.5 * values, settings).startswith("the kernels differ by the same ratio in every")
    on_nodes = _constant_text(values, (1.5 + 0.1 * NODE) * values, settings)
    assert on_nodes.startswith("on each node the kernels differ by the same ratio")


def test_what_cancels_over_nodes_is_described_as_it_is() -> None:
    """Nodes take turns at being twice as slow: each block has the same mean, no node has the same ratio."""
    slow = np.where(NODE == BLOCK % 3, 2.0, 1.0)
    text = _constant_text(np.full(NODE.size, 10.0), 10 * slow, Settings(unit=Unit.BLOCK))
    assert text.startswith("the ratio varies on single nodes")


@pytest.mark.parametrize("settings", SETTINGS)
def test_few_units_are_no_reproach_where_no_t_was_made(settings: Settings) -> None:
    node, block = NODE[::12], BLOCK[::12]  # two units on each of three nodes
    for exact, values in ((True, 5.0), (False, 5.0)):
        series = [
            Series.of(k, "x", "t", np.full(node.size, v), node=node, block=block, exact=exact)
            for k, v in (("A", 4.0), ("B", values))
        ]
        (one,) = compare(series, settings)
        assert not codes(one) & {"few-units", "too-few"}
