"""What the screen needs of the statistics' results. The statistics themselves are imported when first asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Flag(Protocol):
    """Something a reader should know of a comparison."""

    @property
    def code(self) -> str:
        """One word."""

    @property
    def text(self) -> str:
        """A sentence that says what it means."""


class Comparison(Protocol):
    """One metric of one benchmark under one kernel against the baseline."""

    @property
    def benchmark(self) -> str:
        """Label of the benchmark."""

    @property
    def metric(self) -> str:
        """Name of the metric."""

    @property
    def unit(self) -> str:
        """Of both means."""

    @property
    def better(self) -> str:
        """``higher`` or ``lower``."""

    @property
    def kernel(self) -> str:
        """The kernel that is compared."""

    @property
    def baseline(self) -> str:
        """With this one."""

    @property
    def n(self) -> int:
        """Values under the kernel."""

    @property
    def n_baseline(self) -> int:
        """Values under the baseline."""

    @property
    def mean(self) -> float | None:
        """Under the kernel."""

    @property
    def mean_baseline(self) -> float | None:
        """Under the baseline."""

    @property
    def difference_pct(self) -> float | None:
        """Of the means, in percent of the baseline."""

    @property
    def p(self) -> float | None:
        """Raw."""

    @property
    def p_adjusted(self) -> float | None:
        """For the size of the family; None where nothing is adjusted."""

    @property
    def ci_low(self) -> float | None:
        """Lower end of the confidence interval of the ratio to the baseline."""

    @property
    def ci_high(self) -> float | None:
        """Upper end of it."""

    @property
    def verdict(self) -> str:
        """A word: faster, slower, trivial, equivalent or inconclusive."""

    @property
    def more(self) -> int | None:
        """Inconclusive: how many more units would decide it."""

    @property
    def more_unit(self) -> str | None:
        """What ``more`` counts."""

    @property
    def flags(self) -> Sequence[Flag]:
        """What a diagnostic found remarkable."""


class ResultTable(Protocol):
    """All comparisons of a database and what must be said about them."""

    @property
    def rows(self) -> Sequence[Comparison]:
        """In the order of the campaign."""

    @property
    def footer(self) -> Sequence[str]:
        """Method, alpha, delta, size of the family, warnings."""
