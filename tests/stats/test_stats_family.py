"""Families, contrasts and verdicts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.model import Better
from hpcvirt.core.stats import Comparison, Correction, Method, Series, Settings, Unit, Verdict, compare
from hpcvirt.core.stats.aa import same_kernel
from hpcvirt.core.stats.arrays import FloatArray
from hpcvirt.core.stats.comparing import verdict
from hpcvirt.core.stats.multiplicity import adjust
from hpcvirt.core.stats.report import notes

P = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("p", "q", "rises", "better", "expected"),
    [
        (0.01, 0.5, True, Better.LOWER, Verdict.SLOWER),
        (0.01, 0.5, False, Better.LOWER, Verdict.FASTER),
        (0.01, 0.5, True, Better.HIGHER, Verdict.FASTER),
        (0.01, 0.5, False, Better.HIGHER, Verdict.SLOWER),
        (0.01, None, False, Better.HIGHER, Verdict.SLOWER),
        (0.01, 0.01, True, Better.LOWER, Verdict.TRIVIAL),
        (0.5, 0.01, True, Better.LOWER, Verdict.EQUIVALENT),
        (0.5, 0.5, True, Better.LOWER, Verdict.INCONCLUSIVE),
        (0.05, 0.05, True, Better.LOWER, Verdict.INCONCLUSIVE),
        (None, None, True, Better.LOWER, Verdict.INCONCLUSIVE),
    ],
)
def test_verdicts(p: float | None, q: float | None, rises: bool, better: Better, expected: Verdict) -> None:
    assert verdict(p, q, rises, better, 0.05) is expected


@given(P, st.sampled_from(list(Correction)))
def test_adjusted_p_is_larger_and_in_the_same_order(p: list[float], correction: Correction) -> None:
    adjusted = adjust(np.array(p), correction)
    assert np.all(adjusted >= np.array(p))
    assert np.all(adjusted <= 1)
    for i, j in itertools.pairwise(np.argsort(p, kind="stable")):
        assert adjusted[i] <= adjusted[j]


@given(P, st.floats(0.001, 0.2))
def test_holm_rejects_what_stepping_down_rejects(p: list[float], alpha: float) -> None:
    """Holm 1979 as he wrote it: stop at the first p above alpha / (m - i)."""
    rejected = 0
    for i, value in enumerate(sorted(p)):
        if (len(p) - i) * value >= alpha:
            break
        rejected += 1
    assert int(np.sum(adjust(np.array(p), Correction.HOLM) < alpha)) == rejected


def test_rows_of_a_matrix_are_families_of_their_own() -> None:
    p = np.random.default_rng(1).uniform(size=(7, 5))
    for correction in Correction:
        assert np.array_equal(adjust(p, correction), np.stack([adjust(row, correction) for row in p]))


def _campaign(metrics: int = 4, primary: int = 2) -> list[Series]:
    rng = np.random.default_rng(2)
    return [
        Series.of(k, "x", f"m{i}", rng.normal(100, 1, 24), primary=i < primary, block=np.arange(24) // 4)
        for i in range(metrics)
        for k in "ABC"
    ]


@pytest.mark.parametrize("method", list(Method))
def test_family_is_primary_metrics_times_pairs(method: Method) -> None:
    found = compare(_campaign(), Settings(method=method, contrasts=(("C", "B"),)))
    assert len(found) == 12
    assert {one.family for one in found} == {6}
    members = [one for one in found if one.primary]
    assert [one.p_adjusted for one in members] == list(adjust(np.array([one.p for one in members]), Correction.HOLM))
    equivalence = adjust(np.array([one.p_equivalence for one in members]), Correction.HOLM)
    assert [one.p_equivalence_adjusted for one in members] == list(equivalence)
    assert all(one.p_adjusted is None for one in found if not one.primary)


def test_contrasts_and_baseline() -> None:
    series = _campaign(1, 1)
    pairs = [
        (one.kernel, one.baseline)
        for one in compare(series, Settings(baseline="B", contrasts=(("C", "A"), ("A", "B"))))
    ]
    assert pairs == [("A", "B"), ("C", "B"), ("C", "A")]
    both = Settings(contrasts=(("B", "C"), ("C", "B"), ("A", "C")))
    assert [(one.kernel, one.baseline) for one in compare(series, both)] == [("B", "A"), ("C", "A"), ("B", "C")]
    assert {one.family for one in compare(series, both)} == {3}
    with pytest.raises(UsageWrong, match="'B' is compared with itself"):
        Settings(contrasts=(("B", "B"),))
    with pytest.raises(UsageWrong, match="'Z'"):
        compare(series, Settings(baseline="Z"))
    with pytest.raises(UsageWrong, match="'Y'"):
        compare(series, Settings(contrasts=(("A", "Y"),)))


def test_paper_goes_by_raw_p_and_blocked_by_adjusted() -> None:
    rng = np.random.default_rng(3)
    series = []
    for i in range(20):
        base = rng.normal(100, 1, 40)
        series.append(Series.of("A", f"b{i}", "t", base, block=np.arange(40) // 4))
        series.append(Series.of("B", f"b{i}", "t", base + rng.normal(0.5, 1, 40), block=np.arange(40) // 4))
    settings = [Settings(method=method, delta=0.001) for method in Method]
    for done in (compare(series, one) for one in settings):
        between = [one for one in done if (one.p or 1) < 0.05 <= (one.p_adjusted or 0)]
        assert between
        different = [one.verdict is Verdict.SLOWER for one in between]
        assert all(different) if done[0].method is Method.PAPER else not any(different)


def test_more_units_do_decide() -> None:
    """With the spread as it was and the number of blocks asked for, no estimate at all stays inconclusive."""
    rng = np.random.default_rng(4)
    for unit, nodes in ((Unit.BLOCK, 1), (Unit.NODE_BLOCK, 3)):
        d = rng.normal(0, 1, (nodes, 200))
        for blocks in (4, 9):
            one = _blocked(d[:, :blocks], 0.03, unit)
            if one.more is None:
                assert one.verdict is not Verdict.INCONCLUSIVE
                continue
            assert one.more_unit is Unit.BLOCK
            total = blocks + one.more
            for shift in np.linspace(0, 0.03, 16):
                assert _blocked(d[:, :total], 0.03, unit, shift).verdict is not Verdict.INCONCLUSIVE
            few = max(2, total // 3)
            stays = [_blocked(d[:, :few], 0.03, unit, shift).verdict for shift in np.linspace(0, 0.03, 16)]
            assert Verdict.INCONCLUSIVE in stays


def _blocked(d: FloatArray, sd: float, unit: Unit, shift: float = 0.0, alpha: float = 0.05) -> Comparison:
    """A comparison whose differences of logarithms have exactly this sd about the mean on each node."""
    d = d - d.mean(axis=1, keepdims=True)
    d *= sd / d.std(axis=1, ddof=1, keepdims=True)
    node, block = (axis.reshape(-1) for axis in np.indices(d.shape))
    series = [
        Series.of("A", "x", "t", np.full(d.size, 100.0), node=node, block=block),
        Series.of("B", "x", "t", 100 * np.exp(d.reshape(-1) + shift), node=node, block=block),
    ]
    (one,) = compare(series, Settings(unit=unit, alpha=alpha))
    return one


def test_more_runs_for_the_papers_method() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(100, 5, 20), rng.normal(100, 8, 20)
    (one,) = compare([Series.of("A", "x", "t", a), Series.of("B", "x", "t", b)], Settings(method=Method.PAPER))
    assert one.verdict is Verdict.INCONCLUSIVE
    assert one.more_unit is Unit.RUN
    assert one.more is not None
    half = 1.96 * np.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / (20 + one.more)) / np.mean(a)
    assert half == pytest.approx(0.01, rel=0.01)


def test_one_kernel_under_two_names() -> None:
    rng = np.random.default_rng(6)
    series = [
        Series.of(k, f"b{i}", "t", rng.normal(100, 1, 20), block=np.arange(20) // 2)
        for i in range(200)
        for k in ("A", "A2", "B")
    ]
    done = compare(series, Settings(correction=Correction.NONE))
    (report,) = same_kernel(done, [("A2", "A"), ("A", "nowhere")])
    assert report.of == 200
    assert report.expected == pytest.approx(10)
    mine = [one for one in done if one.kernel == "A2"]
    assert report.different == report.below_alpha == sum(one.p < 0.05 for one in mine if one.p is not None)
    assert 1 <= report.different <= 25
    assert any(line.startswith("A/A: A2 and A are one kernel") for line in notes(done, Settings(), [("A2", "A")]))


def test_more_is_the_first_number_that_suffices_at_the_level_of_the_family() -> None:
    rng = np.random.default_rng(7)
    series = [
        Series.of(k, f"b{i}", "t", rng.normal(100, 3, 6), block=np.arange(6)) for i in range(20) for k in ("A", "B")
    ]
    asked = [one for one in compare(series, Settings()) if one.more is not None]
    assert len(asked) > 10
    for one in asked:
        assert one.sd is not None
        assert one.more is not None

        def half(blocks: int, sd: float = one.sd) -> float:
            return float(stats.t.ppf(1 - 0.05 / 20 / 2, blocks - 1)) * sd / blocks**0.5

        assert half(6 + one.more) <= np.log(1.02) / 2 < half(6 + one.more - 1)


def test_more_blocks_than_four_follow_the_rule_of_five() -> None:
    """Three planned blocks share one variance; the plan that is extended to five does not, and has fewer df."""
    rng = np.random.default_rng(5)
    nodes, alpha = 8, 0.05 / 84
    by_count = {}
    for blocks in (3, 4):
        d = rng.normal(0, 1, (nodes, blocks))
        for sd in np.linspace(0.005, 0.04, 60):
            one = _blocked(d, sd, Unit.NODE_BLOCK, alpha=alpha)
            if one.more is None:
                continue

            def is_enough(n: int, sd: float = sd) -> bool:
                df = nodes * (n - 1) if n < 5 else (n - 1) * (nodes * (n - 1) + 2) / (n + 1)
                wide = stats.t.isf(alpha / 2, df) * sd / np.sqrt(nodes * n)
                return bool(wide <= np.log(1.02) / 2)

            total = blocks + one.more
            assert is_enough(total)
            assert one.more == 1 or not is_enough(total - 1)
            by_count[blocks, total >= 5] = True
    assert (3, True) in by_count
    assert (4, True) in by_count
