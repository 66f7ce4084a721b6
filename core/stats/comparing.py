"""From series to comparisons: choose the test, run it, adjust in the family, say the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.model import Better, each_pair_once
from hpcvirt.core.stats.arrays import BoolArray, FloatArray
from hpcvirt.core.stats.batch import Batch, first, lay_out
from hpcvirt.core.stats.flags import FlagTable, merged, out_of_reach
from hpcvirt.core.stats.model import Comparison, Correction, Method, Series, Settings, Summary, Unit, Verdict
from hpcvirt.core.stats.multiplicity import adjust, deciding_levels
from hpcvirt.core.stats.paper import Pairs
from hpcvirt.core.stats.precision import Need, more_units
from hpcvirt.core.stats.ways import Columns, Tested, by_summaries, tested, ways


def compare(series: Sequence[Series], settings: Settings | None = None) -> tuple[Comparison, ...]:
    """Compare kernels with the baseline, and the planned contrasts, in every metric of every benchmark.

    Comparisons come in the order in which metrics, then kernels first appear. A pair counts in a metric where both
    kernels have a series, be it without values: a series says that the kernel was to be measured there. Raises
    UsageWrong where a kernel is not known or series contradict each other.
    """
    used = settings or Settings()
    # what overflows or is not defined becomes None, and a flag says why
    with np.errstate(all="ignore"):
        return _compare(series, used)


def _compare(series: Sequence[Series], used: Settings) -> tuple[Comparison, ...]:
    batch = lay_out(series)
    pairs = planned_pairs(batch.kernels, used)
    if not pairs:
        return ()
    of_pairs = ways(batch, pairs, used)
    kinds = dict.fromkeys(way for row in of_pairs for way in row)
    parts = [
        tested(batch, np.array([[way == one for one in row] for row in of_pairs]), pairs, used, way) for way in kinds
    ]
    return _conclude(batch, pairs, parts, used)


def compare_summaries(summaries: Sequence[Summary], settings: Settings | None = None) -> tuple[Comparison, ...]:
    """Method ``paper`` from published means, standard deviations and n. Raises UsageWrong as ``compare``."""
    used = settings or Settings()
    # the empty series carry the names; all numbers come from the summaries
    batch = lay_out([Series.of(s.kernel, s.benchmark, s.metric, (), **_facts(s)) for s in summaries])
    pairs = planned_pairs(batch.kernels, used)
    if not pairs:
        return ()
    with np.errstate(all="ignore"):
        return _conclude(batch, pairs, [by_summaries(batch, summaries, pairs, used)], used)


def planned_pairs(kernels: Sequence[str], settings: Settings) -> Pairs:
    """Every kernel against the baseline, then the contrasts, each pair once, whichever way round.

    Raises UsageWrong for unknown kernels.
    """
    if not kernels:
        return ()
    baseline = kernels[0] if settings.baseline is None else settings.baseline
    wanted = [baseline, *(name for pair in settings.contrasts for name in pair)]
    for name in wanted:
        if name not in kernels:
            raise UsageWrong(f"kernel {name!r} is not in the data", hint="known: " + ", ".join(kernels))
    at = {name: i for i, name in enumerate(kernels)}
    pairs = [(at[name], at[baseline]) for name in kernels if name != baseline]
    pairs += [(at[a], at[b]) for a, b in settings.contrasts]
    return tuple(each_pair_once(pairs))


def verdict(p: float | None, q: float | None, rises: bool, better: Better, alpha: float) -> Verdict:
    """What the p-values of difference (p) and equivalence (q) say; None shows nothing."""
    within = q is not None and q < alpha
    if p is None or not p < alpha:
        return Verdict.EQUIVALENT if within else Verdict.INCONCLUSIVE
    if within:
        return Verdict.TRIVIAL
    return Verdict.FASTER if rises == (better is Better.HIGHER) else Verdict.SLOWER


def _facts(one: Summary) -> dict[str, Any]:
    return {"unit": one.unit, "better": one.better, "primary": one.primary, "exact": one.exact}


def _conclude(batch: Batch, pairs: Pairs, parts: Sequence[Tested], settings: Settings) -> tuple[Comparison, ...]:
    columns = _gathered(batch, pairs, parts)
    exists = np.array([[row[i] is not None and row[b] is not None for i, b in pairs] for row in batch.members])
    primary = np.array([first(row).primary for row in batch.members])
    family = exists & primary[:, None]
    # outside the family, and where the paper's method was asked for, the raw p decides
    adjusted = family & (settings.method is not Method.PAPER)
    for name in ("p", "p_equivalence"):
        columns[f"{name}_adjusted"] = np.full(exists.shape, np.nan)
        columns[f"{name}_adjusted"][family] = adjust(columns[name][family], settings.correction)
        columns[f"{name}_deciding"] = np.where(adjusted, columns[f"{name}_adjusted"], columns[name])
    columns |= _intervals(columns, parts, adjusted, settings)
    is_blocked = np.zeros(exists.shape, dtype=bool)
    for part in parts:
        is_blocked[part.mask] = part.method is Method.BLOCKED
    level = _first_level(adjusted, settings)
    reach = out_of_reach(columns["n"], columns["n_baseline"], is_blocked, columns["t"], level, settings.alpha)
    flags = merged([*(part.flags_of_whole() for part in parts), reach])
    way_of = {at: part for part in parts for at in map(tuple, np.argwhere(part.mask).tolist())}
    columns["more"] = _more(columns, parts, adjusted, settings)
    numbers: dict[str, Sequence[float | None]] = {name: _plain(column[exists]) for name, column in columns.items()}
    numbers |= {name: columns[name][exists].astype(np.int64).tolist() for name in _WHOLE}
    numbers["adjusted"] = adjusted[exists].tolist()
    drafts = zip(np.argwhere(exists).tolist(), zip(*numbers.values(), strict=True), strict=True)
    size = int(family.sum())
    return tuple(
        _comparison(batch, pairs, (g, p), way_of[g, p], dict(zip(numbers, row, strict=True)), flags, size, settings)
        for (g, p), row in drafts
    )


def _intervals(columns: Columns, parts: Sequence[Tested], adjusted: BoolArray, settings: Settings) -> Columns:
    """Of the ratio: at alpha, and at the level that decided."""
    level = np.where(np.isnan(columns["p"]), np.nan, settings.alpha)
    level[adjusted] = deciding_levels(columns["p"][adjusted], settings.correction, settings.alpha)
    names = ("ci_low", "ci_high", "ci_low_decision", "ci_high_decision")
    found = {name: np.full(level.shape, np.nan) for name in (*names, "sign")}
    for part in parts:
        inside = part.mask[part.at]
        ends = (*part.effect.interval(settings.alpha), *part.effect.interval(level[part.at]))
        for name, end in zip(found, (*ends, np.sign(part.effect.difference)), strict=True):
            found[name][part.mask] = end[inside]
    known = np.isfinite(found["ci_low_decision"]) & np.isfinite(found["ci_high_decision"])
    return found | {"ci_level_decision": np.where(known, 1 - level, np.nan)}


def _more(columns: Columns, parts: Sequence[Tested], adjusted: BoolArray, settings: Settings) -> FloatArray:
    """Further units for what is inconclusive, at the level that the first step of the correction would ask for."""
    open_ = ~(columns["p_deciding"] < settings.alpha) & ~(columns["p_equivalence_deciding"] < settings.alpha)
    level = _first_level(adjusted, settings)
    more = np.full(adjusted.shape, np.nan)
    for part in parts:
        asked = open_ & part.mask
        at = asked[part.at]
        need = Need(*(getattr(part.need, name)[at] for name in Need.__slots__))
        more[asked] = more_units(need, level[asked])
    return more


def _first_level(adjusted: BoolArray, settings: Settings) -> FloatArray:
    """What the first step of the correction asks for; alpha where the raw p decides."""
    corrected = adjusted & (settings.correction is not Correction.NONE)
    return np.where(corrected, settings.alpha / max(int(adjusted.sum()), 1), settings.alpha)


def _gathered(batch: Batch, pairs: Pairs, parts: Sequence[Tested]) -> Columns:
    names = dict.fromkeys(name for part in parts for name in part.columns)
    columns = {name: np.full((batch.shape[0], len(pairs)), np.nan) for name in names}
    for part in parts:
        inside = part.mask[part.at]
        for name, column in part.columns.items():
            columns[name][part.mask] = column[inside]
    return columns


_WHOLE = ("n", "n_baseline", "runs", "runs_baseline", "nodes")


def _comparison(
    batch: Batch,
    pairs: Pairs,
    at: tuple[int, int],
    way: Tested,
    numbers: dict[str, float | None],
    flags: FlagTable,
    family: int,
    settings: Settings,
) -> Comparison:
    here, there = pairs[at[1]]
    one = first(batch.members[at[0]])
    p, q = numbers.pop("p_deciding"), numbers.pop("p_equivalence_deciding")
    rises = (numbers.pop("sign") or 0.0) > 0
    more = numbers.pop("more")
    return Comparison(
        benchmark=one.benchmark,
        metric=one.metric,
        unit=one.unit,
        better=one.better,
        primary=one.primary,
        kernel=batch.kernels[here],
        baseline=batch.kernels[there],
        method=way.method,
        replication_unit=way.unit,
        mean_kind=_mean_kind(way.method, one.better),
        verdict=verdict(p, q, rises, one.better, settings.alpha),
        family=family,
        correction=settings.correction,
        alpha=settings.alpha,
        delta=settings.delta,
        more=None if more is None else int(more),
        more_unit=None if more is None else _more_unit(way.unit),
        flags=flags.get(at, ()),
        **numbers,  # type: ignore[arg-type]
    )


def _more_unit(unit: Unit) -> Unit:
    # more of node-block is more blocks: each brings every node once
    return Unit.BLOCK if unit is Unit.NODE_BLOCK else unit


def _mean_kind(method: Method, better: Better) -> str:
    return "harmonic" if method is Method.BLOCKED and better is Better.HIGHER else "arithmetic"


def _plain(column: FloatArray) -> list[float | None]:
    """Python numbers; None for NaN and infinities, which JSON cannot say."""
    numbers: list[float | None] = column.tolist()
    for i in np.flatnonzero(~np.isfinite(column)).tolist():
        numbers[i] = None
    return numbers
