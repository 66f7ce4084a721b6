"""A/A: one kernel under two names. Whatever differs there differs by chance or by a fault of the experiment.

Chance often gives more than its average: of 20 metrics at 5 % two or more in 26 % of campaigns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hpcvirt.core.stats.model import Comparison, Verdict

DIFFERENT = frozenset({Verdict.FASTER, Verdict.SLOWER, Verdict.TRIVIAL})
"""Verdicts that say that a difference was shown."""


@dataclass(frozen=True, slots=True)
class SameKernel:
    """What came of comparing a kernel with itself."""

    kernel: str
    baseline: str
    different: int
    """Metrics whose verdict says different."""
    below_alpha: int
    """Metrics with unadjusted p below alpha."""
    of: int
    """Metrics with a p-value."""
    expected: float
    """How many below alpha chance alone gives."""

    def __str__(self) -> str:
        """One line for a table's notes."""
        return (
            f"A/A: {self.kernel} and {self.baseline} are one kernel: {self.different} of {self.of} metrics came out "
            f"different; unadjusted p below alpha in {self.below_alpha}, by chance {self.expected:.1f}"
        )


def same_kernel(comparisons: Sequence[Comparison], pairs: Iterable[tuple[str, str]]) -> tuple[SameKernel, ...]:
    """The A/A report of each pair of names for one kernel; pairs that were not compared are left out."""
    found = ((a, b, _between(comparisons, {a, b})) for a, b in pairs)
    return tuple(_report(a, b, ones) for a, b, ones in found if ones)


def _between(comparisons: Sequence[Comparison], names: set[str]) -> list[Comparison]:
    return [one for one in comparisons if {one.kernel, one.baseline} == names and one.p is not None]


def _report(kernel: str, baseline: str, ones: Sequence[Comparison]) -> SameKernel:
    return SameKernel(
        kernel=kernel,
        baseline=baseline,
        different=sum(one.verdict in DIFFERENT for one in ones),
        below_alpha=sum(one.p is not None and one.p < one.alpha for one in ones),
        of=len(ones),
        expected=sum(one.alpha for one in ones),
    )
