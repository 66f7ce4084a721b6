"""What a reader should know of a comparison: flags, by group and pair. None of them changes a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hpcvirt.core.stats.arrays import BoolArray, FloatArray
from hpcvirt.core.stats.batch import Batch
from hpcvirt.core.stats.blocked import PairedOutcome
from hpcvirt.core.stats.model import Flag
from hpcvirt.core.stats.paper import Outcome, Pairs

FlagTable = Mapping[tuple[int, int], tuple[Flag, ...]]
"""By (group, pair)."""

CONSTANT = Flag("constant", "no value differs from another under either kernel: there is no spread to test with")
NO_COMMON_NODE = Flag("no-common-node", "the kernels share no node: their difference cannot be told from the nodes'")
ZERO_MEAN = Flag("zero-mean", "the baseline's mean is zero: no ratio and no band of equivalence")

NOT_POSITIVE = Flag(
    "not-positive", "a value or boot mean is zero or negative and has no logarithm; method paper needs none"
)


def merged(tables: Sequence[FlagTable]) -> FlagTable:
    """One table, flags in the order of the tables."""
    whole: dict[tuple[int, int], tuple[Flag, ...]] = {}
    for table in tables:
        for at, flags in table.items():
            whole[at] = whole.get(at, ()) + flags
    return whole


def where(marked: BoolArray, flag: Flag) -> FlagTable:
    """The same flag at every marked (group, pair)."""
    at = zip(*(axis.tolist() for axis in np.nonzero(marked)), strict=True)
    return dict.fromkeys(at, (flag,))


def paper_edges(outcome: Outcome) -> FlagTable:
    """Why a test could not be made, or not wholly."""
    return merged(
        [
            where(outcome.constant, CONSTANT),
            where(~outcome.estimable, NO_COMMON_NODE),
            where(outcome.margin == 0, ZERO_MEAN),
        ]
    )


def too_few(batch: Batch, n: FloatArray, pairs: Pairs) -> FlagTable:
    """Kernels with fewer than two values; ``n`` has shape (G, K)."""
    by_kernel = {}
    for g, k in np.argwhere(n < 2).tolist():
        text = f"{batch.kernels[k]} has {'one value' if n[g, k] else 'no value'}: no spread, so no test"
        by_kernel[g, k] = Flag("too-few", text, batch.kernels[k], float(n[g, k]))
    return of_pairs(by_kernel, pairs)


def not_finite(batch: Batch, pairs: Pairs) -> FlagTable:
    """Kernels with values that are not numbers."""
    by_kernel = {}
    for g, k in np.argwhere(batch.not_finite > 0).tolist():
        bad, name = int(batch.not_finite[g, k]), batch.kernels[k]
        text = f"{bad} value{'s' * (bad != 1)} of {name} are NaN or infinite; none may be dropped, so no test"
        by_kernel[g, k] = Flag("not-finite", text, name, float(bad))
    return of_pairs(by_kernel, pairs)


def of_pairs(by_kernel: Mapping[tuple[int, int], Flag], pairs: Pairs) -> FlagTable:
    """Flags of kernels, by (group, kernel), handed to every pair that the kernel is part of."""
    return {
        (g, p): flags
        for g in sorted({g for g, _ in by_kernel})
        for p, pair in enumerate(pairs)
        if (flags := tuple(by_kernel[g, k] for k in pair if (g, k) in by_kernel))
    }


def blocked_edges(batch: Batch, outcomes: Sequence[PairedOutcome]) -> FlagTable:
    """Why a paired test could not be made, or on less than was planned."""
    whole = np.all(batch.not_finite == 0, axis=1)
    tables: list[FlagTable] = []
    for p, one in enumerate(outcomes):
        tables += [{(g, p): (CONSTANT,)} for g in np.flatnonzero(one.constant).tolist()]
        tables += [{(g, p): (NOT_POSITIVE,)} for g in np.flatnonzero(one.not_positive & whole).tolist()]
        tables += [{(g, p): (_few_units(one.estimate.n[g]),)} for g in np.flatnonzero(one.estimate.df < 1).tolist()]
        tables += [{(g, p): (_unpaired(one.unpaired[g]),)} for g in np.flatnonzero(one.unpaired > 0).tolist()]
    return merged(tables)


def _few_units(n: float) -> Flag:
    return Flag("too-few", f"{n:g} matched boot means: no spread, so no test", None, float(n))


def _unpaired(places: float) -> Flag:
    text = f"on {places:g} of the visits to a node in a block, one of the two kernels has no value"
    return Flag("missing-cells", text, None, float(places))
