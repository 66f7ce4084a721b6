"""Kernels with few values or none: they have no test, and take none from the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hpcvirt.core.stats import (
    Comparison,
    Correction,
    Method,
    Series,
    Settings,
    Summary,
    Unit,
    Verdict,
    compare,
    compare_summaries,
)
from hpcvirt.core.stats.report import notes
from hpcvirt.tui.analyze import analyze_file

DATA = Path(__file__).parent / "data"
PAPER = Settings(method=Method.PAPER)


def codes(one: Comparison) -> set[str]:
    return {flag.code for flag in one.flags}


def of_file(name: str, settings: Settings | None = None) -> dict[tuple[str, str], Comparison]:
    rows, _ = analyze_file(DATA / name, settings or Settings())
    return {(one.kernel, one.metric): one for one in rows if one.n and one.n_baseline}


NUMBERS = ("t", "df", "p", "p_student", "p_equivalence", "ratio", "ci_low", "ci_high")


def same_numbers(one: Comparison, other: Comparison) -> bool:
    return [getattr(one, name) for name in NUMBERS] == pytest.approx([getattr(other, name) for name in NUMBERS])


def test_a_kernel_that_ran_something_else_takes_no_test_away() -> None:
    with_empty, without = of_file("three_no_value.csv")["k1", "t"], of_file("two.csv")["k1", "t"]
    assert without.p is not None
    assert without.p < 1e-4
    assert same_numbers(with_empty, without)
    assert with_empty.verdict is without.verdict is Verdict.SLOWER


def test_a_summary_of_one_value_takes_no_test_away() -> None:
    found = of_file("sum1.csv")
    assert found["k1", "t"].verdict is Verdict.SLOWER
    assert found["k2", "t"].p is None
    assert "too-few" in codes(found["k2", "t"])


@pytest.mark.parametrize("nodes", [1, 3])
@pytest.mark.parametrize("values", [0, 1])
def test_no_kernel_takes_the_test_of_another(rng: np.random.Generator, nodes: int, values: int) -> None:
    """Runs on one node or several, and a third kernel that has none or one value, on a node of its own too."""
    node = np.arange(12) % nodes
    pair = [Series.of(k, "x", "t", rng.normal(100, 1, 12), node=node) for k in "AB"]
    (alone,) = compare(pair, PAPER)
    for where in (0, nodes):
        third = Series.of("C", "x", "t", rng.normal(100, 1, values), node=[where] * values)
        with_third, poor = compare([*pair, third], PAPER)
        assert alone.p is not None
        assert same_numbers(with_third, alone)
        assert poor.p is None
        assert "too-few" in codes(poor)


def test_a_kernel_alone_on_a_node_takes_no_test_away(rng: np.random.Generator) -> None:
    """Two values on two nodes leave it no degree of freedom; it has no part in the others' difference."""
    node = np.tile([0, 1], 6)
    pair = [Series.of(k, "x", "t", rng.normal(100, 1, 12), node=node) for k in "AB"]
    third = Series.of("C", "x", "t", [99.0, 101.0], node=[0, 5])
    first, _ = compare([*pair, third], PAPER)
    assert first.p is not None
    assert first.t == pytest.approx(compare(pair, PAPER)[0].t, rel=1e-6)


def test_summaries_of_one_value_beside_others() -> None:
    rows = [Summary(k, "x", "t", mean, 1.0, n) for k, mean, n in (("A", 100, 50), ("B", 200, 50), ("C", 150, 1))]
    first, _ = compare_summaries(rows, PAPER)
    (alone,) = compare_summaries(rows[:2], PAPER)
    assert same_numbers(first, alone)


# -- what decides where there are no blocks


def test_the_unit_is_that_of_the_pair() -> None:
    """The third kernel has one boot: its own pair goes by runs, and says so; the other one by boots."""
    found = of_file("boots_three.csv")
    assert (found["k1", "t"].replication_unit, found["k1", "t"].n) == (Unit.BOOT, 5)
    assert (found["k2", "t"].replication_unit, found["k2", "t"].n) == (Unit.RUN, 4)
    assert "one-block" in codes(found["k2", "t"])
    assert "one-block" not in codes(found["k1", "t"])


def test_a_third_kernel_with_one_boot_does_not_raise_the_rate_of_false_differences(rng: np.random.Generator) -> None:
    """Boots that scatter as much as runs do: by runs a quarter of the pairs would be called different."""
    boots, runs, files = 6, 5, 400
    false = 0
    for _ in range(files):
        boot = np.repeat(np.arange(boots), runs)
        series = [
            Series.of(k, "x", "t", 100 + rng.normal(0, 1, boots)[boot] + rng.normal(0, 1, boot.size), boot=boot)
            for k in "AB"
        ]
        series.append(Series.of("C", "x", "t", 100 + rng.normal(0, 1, runs), boot=[0] * runs))
        (p, _) = (one.p for one in compare(series, Settings(correction=Correction.NONE)))
        assert p is not None
        false += p < 0.05
    assert false < 0.1 * files  # 5 % expected; 10 % is 4.6 standard errors away


def test_a_fall_back_goes_by_the_adjusted_p(rng: np.random.Generator) -> None:
    """Forty metrics without a difference and without blocks: a false one in 5 % of the files, not in 87 %."""
    files = 120
    any_false = dict.fromkeys(("holm", "paper"), 0)
    for _ in range(files):
        series = [Series.of(k, "x", f"m{i}", rng.normal(100, 1, 10)) for i in range(40) for k in "AB"]
        for name, settings in (("holm", Settings()), ("paper", PAPER)):
            rows = compare(series, replace(settings, delta=0.001))
            assert all(one.adjusted is (name == "holm") for one in rows)
            any_false[name] += any(one.verdict is not Verdict.INCONCLUSIVE for one in rows)
    assert any_false["holm"] < 0.18 * files  # 5 % expected
    assert any_false["paper"] > 0.6 * files


def test_a_fall_back_asks_for_more_at_the_level_of_the_family() -> None:
    rng = np.random.default_rng(1)
    series = [Series.of(k, "x", f"m{i}", rng.normal(100, 3, 10)) for i in range(20) for k in "AB"]
    fallen = {one.metric: one.more for one in compare(series, Settings())}
    raw = {one.metric: one.more for one in compare(series, PAPER)}
    both = [name for name, more in fallen.items() if more is not None and raw[name] is not None]
    assert len(both) > 10
    assert all(fallen[name] > raw[name] for name in both)  # type: ignore[operator]


# -- notes say what was done


def blocked_series(rng: np.random.Generator, **more: object) -> list[Series]:
    block = np.repeat(np.arange(6), 3)
    return [
        Series.of(k, "x", "real", rng.normal(100, 1, 18), block=block, boot=block, **more)  # type: ignore[arg-type]
        for k in "AB"
    ]


def test_a_metric_without_data_does_not_change_the_notes(rng: np.random.Generator) -> None:
    series = blocked_series(rng)
    empty = [Series.of(k, "x", "max_rss", (), block=(), boot=()) for k in "AB"]
    settings = Settings(planned_blocks=6)
    with_empty = notes(compare([*series, *empty], settings), settings)
    assert [line for line in with_empty if not line.startswith("family")] == [
        line for line in notes(compare(series, settings), settings) if not line.startswith("family")
    ]
    assert "family of 2 tests: verdicts on p adjusted by Holm" in with_empty
    # a file knows no plan: what has no value at all was done in no way either
    assert notes(compare([*series, *empty], Settings()), Settings()) == with_empty


def test_notes_count_what_was_done_where_it_differs() -> None:
    rows, _ = analyze_file(DATA / "boots_three.csv", Settings())
    found = notes(rows, Settings())
    assert "method paper: Welch's t-test, one value per boot (1 of 2 comparisons)" in found
    assert "method paper: Welch's t-test, one value per run (1 of 2 comparisons)" in found
    assert any(line.startswith("one boot per kernel in 1 of 2 comparisons") for line in found)
    assert "family of 2 tests: verdicts on p adjusted by Holm" in found


def test_notes_on_metrics_that_are_not_primary(rng: np.random.Generator) -> None:
    series = [*blocked_series(rng)]
    series += [replace(one, metric="system", primary=False) for one in series]
    found = notes(compare(series, Settings()), Settings())
    assert "1 comparisons of metrics that are not primary, outside the family: verdicts on raw p" in found


# -- one boot per kernel


@pytest.mark.parametrize("settings", [PAPER, Settings()])
@pytest.mark.parametrize("known", [{}, {"boot": [7] * 10}, {"block": [1] * 10}, {"boot": [7] * 10, "node": [0, 1] * 5}])
def test_one_boot_per_kernel_is_flagged_whatever_was_asked_for(settings: Settings, known: dict[str, list[int]]) -> None:
    rng = np.random.default_rng(2)
    (one,) = rows = compare([Series.of(k, "x", "t", rng.normal(9, 1, 10), **known) for k in "AB"], settings)  # type: ignore[arg-type]
    assert "one-block" in codes(one)
    assert any(line.startswith("one boot per kernel:") for line in notes(rows, settings))


@pytest.mark.parametrize(
    "known", [{"boot": [1, 2] * 5}, {"block": [1, 2] * 5}, {"boot": [1] * 10, "block": [1, 2] * 5}]
)
def test_several_boots_are_not(known: dict[str, list[int]]) -> None:
    rng = np.random.default_rng(3)
    (one,) = rows = compare([Series.of(k, "x", "t", rng.normal(9, 1, 10), **known) for k in "AB"], PAPER)  # type: ignore[arg-type]
    assert "one-block" not in codes(one)
    assert not any(line.startswith("one boot") for line in notes(rows, PAPER))


def test_a_block_of_a_plan_of_several_is_not_tested_by_its_runs(rng: np.random.Generator) -> None:
    """The design has ten blocks and one is there: runs of one boot each are no substitute."""
    series = [Series.of(k, "x", "t", rng.normal(9, 1, 10), block=[1] * 10) for k in "AB"]
    (one,) = compare(series, Settings(planned_blocks=10))
    assert (one.method, one.p) == (Method.BLOCKED, None)
    assert "too-few" in codes(one)
