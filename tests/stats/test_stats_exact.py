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
    assert {"constant"} <= codes(one) <= {"constant", "one-block", "too-few"}
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
