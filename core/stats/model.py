"""The words of the statistics as frozen data: what is compared, how, and what came of it.

Nothing here imports numpy, so that a screen can name these types before a comparison is wanted.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.model import Better

if TYPE_CHECKING:
    from hpcvirt.core.stats.arrays import FloatArray, IntArray


class Method(StrEnum):
    """Which test is made."""

    PAPER = "paper"
    """Two-sample t-test, Welch deciding."""
    BLOCKED = "blocked"
    """Paired within (block, node), on the logarithms of boot means."""


class Unit(StrEnum):
    """What was replicated, and so what n counts."""

    RUN = "run"
    BOOT = "boot"
    BLOCK = "block"
    """Nodes moved together: one value per block."""
    NODE_BLOCK = "node-block"
    """Each node drew its own order: one value per node and block."""


class Correction(StrEnum):
    """How p-values of one family are adjusted."""

    HOLM = "holm"
    """Holm 1979: the chance of any false difference in the family stays under alpha."""
    BH = "bh"
    """Benjamini and Hochberg 1995: the share of false differences among those shown stays under alpha."""
    NONE = "none"


class Verdict(StrEnum):
    """What the data say of one kernel against another in one metric."""

    FASTER = "faster"
    SLOWER = "slower"
    TRIVIAL = "trivial"
    """Different, and within delta."""
    EQUIVALENT = "equivalent"
    """Within delta, and no difference shown."""
    INCONCLUSIVE = "inconclusive"
    """Neither a difference nor equivalence is shown."""

    @property
    def sign(self) -> str:
        """What stands before the word wherever a verdict is shown, so that none is told by colour alone."""
        return _SIGNS[self]


_SIGNS = {
    Verdict.FASTER: "▲",
    Verdict.SLOWER: "▼",
    Verdict.TRIVIAL: "◇",
    Verdict.EQUIVALENT: "=",
    Verdict.INCONCLUSIVE: "?",
}


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Every ok value of one metric of one benchmark under one kernel, in run order.

    The four arrays have shape (n,) and the same order. ``node``, ``block`` and ``boot`` are codes: any
    integers that tell nodes, blocks and boots apart; nodes and blocks are matched by code across kernels.
    """

    kernel: str
    benchmark: str
    metric: str
    unit: str
    """Of the values, as it is shown: ``MB/s``."""
    better: Better
    values: FloatArray
    node: IntArray
    block: IntArray
    boot: IntArray
    primary: bool = True
    attempts: Mapping[str, int] = field(default_factory=dict)
    """How many attempts ended in which status, ``ok`` among them. Empty: not known."""
    has_boots: bool = False
    """Whether ``boot`` was recorded; else every run stands for itself."""
    exact: bool = False
    """The values have no error, as counts and bytes: where they do not vary, a difference needs no test."""
    lost_visits: int = 0
    """How many visits to a node in a block are over without a value."""
    visits: frozenset[tuple[int, int]] | None = None
    """Node and block of every visit that is over, with values or without. None: not known, as a file may omit lines."""

    @classmethod
    def of(
        cls,
        kernel: str,
        benchmark: str,
        metric: str,
        values: Iterable[float],
        *,
        unit: str = "",
        better: Better | str = Better.LOWER,
        primary: bool = True,
        node: Iterable[int] | None = None,
        block: Iterable[int] | None = None,
        boot: Iterable[int] | None = None,
        attempts: Mapping[str, int] | None = None,
        exact: bool = False,
        lost_visits: int = 0,
        visits: frozenset[tuple[int, int]] | None = None,
    ) -> Series:
        """A series from anything iterable; absent codes are one node, one block, no boots known.

        Raises ValueError if the arrays differ in length.
        """
        import numpy as np

        data = np.array(values if isinstance(values, np.ndarray | array) else list(values), dtype=np.float64)

        def codes(given: Iterable[int] | None) -> IntArray:
            if given is None:
                return np.zeros(data.size, dtype=np.int64)
            return np.array(given if isinstance(given, np.ndarray | array) else list(given), dtype=np.int64)

        arrays = codes(node), codes(block), codes(boot)
        if data.ndim != 1 or any(array.shape != data.shape for array in arrays):
            raise ValueError(f"{benchmark} {metric} {kernel}: values, node, block and boot differ in shape")
        return cls(
            kernel, benchmark, metric, unit, Better(better), data, *arrays,
            primary=primary, attempts=dict(attempts or {}), has_boots=boot is not None, exact=exact,
            lost_visits=lost_visits, visits=visits,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Summary:
    """What a publication prints of one kernel in one metric: mean, standard deviation, n."""

    kernel: str
    benchmark: str
    metric: str
    mean: float
    sd: float
    n: int
    unit: str = ""
    better: Better = Better.LOWER
    primary: bool = True
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """How to compare. Fixed before the data are seen."""

    baseline: str | None = None
    """None: the kernel that comes first."""
    contrasts: tuple[tuple[str, str], ...] = ()
    """Further planned pairs (kernel, the one it is compared with)."""
    alpha: float = 0.05
    delta: float = 0.02
    """Half-width of the band of equivalence, as a fraction of the baseline."""
    method: Method | None = None
    """None: ``blocked`` from two blocks on, else ``paper``."""
    unit: Unit = Unit.BLOCK
    """Of method ``blocked``; comes from the stored design: ``block`` or ``node-block``."""
    units: Mapping[str, Unit] = field(default_factory=dict)
    """By benchmark, where it is not ``unit``: phases of one campaign may differ."""
    correction: Correction = Correction.HOLM
    planned_blocks: int | None = None
    """Of the design, added ones included. None: as many as the data have."""

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise UsageWrong(f"alpha is {self.alpha}; it must lie between 0 and 1", hint="the usual value is 0.05")
        if not 0 < self.delta < 1:
            raise UsageWrong(f"delta is {self.delta}; it must lie between 0 and 1", hint="0.02 means 2 %")
        if same := next((a for a, b in self.contrasts if a == b), None):
            raise UsageWrong(f"contrast: kernel {same!r} is compared with itself", hint="name two kernels")
        if self.unit not in {Unit.BLOCK, Unit.NODE_BLOCK}:
            raise UsageWrong(f"unit is {self.unit}", hint="use block or node-block")


@dataclass(frozen=True, slots=True)
class Flag:
    """Something a reader should know of a comparison. Never acted upon."""

    code: str
    """One word, stable: ``outliers``, ``drift``, ``too-few``."""
    text: str
    """A sentence that says what it means."""
    kernel: str | None = None
    """Whose values; None: both."""
    statistic: float | None = None
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One kernel against another in one metric. None: could not be computed, and a flag says why."""

    benchmark: str
    metric: str
    unit: str
    better: Better
    primary: bool
    """Whether it counts in the family."""
    kernel: str
    baseline: str
    """The kernel it is compared with."""
    method: Method
    replication_unit: Unit
    n: int
    """Replication units of the kernel: runs, boots, blocks or (node, block) pairs."""
    n_baseline: int
    runs: int
    """Ok runs of the kernel."""
    runs_baseline: int
    nodes: int
    """Nodes on which either was measured."""
    mean: float | None
    mean_baseline: float | None
    mean_kind: str
    """``arithmetic`` or ``harmonic``: what ``mean`` and ``mean_baseline`` are."""
    mean_harmonic: float | None
    """Of the kernel's runs, where all are positive."""
    mean_harmonic_baseline: float | None
    sd: float | None
    """Of the kernel's replication units; method ``blocked``: of the logarithm of the ratio."""
    sd_baseline: float | None
    difference_pct: float | None
    """100 (ratio - 1)."""
    ratio: float | None
    ci_low: float | None
    """Of the ratio, at 1 - alpha, not adjusted for the family."""
    ci_high: float | None
    ci_low_decision: float | None
    """Of the ratio, at the level that decided: it excludes 1 exactly where a difference is shown."""
    ci_high_decision: float | None
    ci_level_decision: float | None
    """That level, as 0.9994."""
    t: float | None
    df: float | None
    p: float | None
    """Two-sided and unadjusted: Welch (``paper``) or paired t (``blocked``)."""
    t_student: float | None
    df_student: float | None
    p_student: float | None
    t_block_means: float | None
    """Unit ``node-block`` only: the t-test of block means over nodes, beside the one that decides."""
    df_block_means: float | None
    p_block_means: float | None
    p_adjusted: float | None
    """Within the family; None for metrics that are not primary."""
    p_equivalence: float | None
    """The larger of the two one-sided p-values (TOST)."""
    p_equivalence_adjusted: float | None
    verdict: Verdict | None
    """None: withheld, as the campaign is not finished."""
    adjusted: bool
    """Whether the verdict goes by the adjusted p; else by the raw one."""
    family: int
    """Planned tests in the family: primary metrics x pairs."""
    correction: Correction
    alpha: float
    delta: float
    more: int | None
    """Inconclusive: how many more units would decide it, if the spread stays as it is."""
    more_unit: Unit | None
    """What ``more`` counts: blocks, boots or runs of each kernel."""
    ratio_of_means: float | None = None
    """``mean`` over ``mean_baseline``, beside ``ratio``."""
    interim: bool = False
    """The campaign was not finished: intervals, p-values and verdict are withheld, or were asked for all the same."""
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and where it lies with confidence 1 - alpha."""

    mean: float
    low: float | None
    high: float | None
    """None: too few to know."""
    n: int
    unit: Unit
    """What n counts: boots, or runs where no node had two boots."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an operator wants otherwise than the campaign has it. None: as frozen."""

    baseline: str | None = None
    method: Method | None = None
    alpha: float | None = None
    delta: float | None = None
    correction: Correction | None = None
    contrasts: tuple[tuple[str, str], ...] = ()
    """Further pairs, beside those of the campaign."""


@dataclass(frozen=True, slots=True)
class ResultTable:
    """Verdicts, and what must be said under them."""

    rows: tuple[Comparison, ...]
    footer: tuple[str, ...]
