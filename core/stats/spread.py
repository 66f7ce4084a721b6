"""Where the spread of a series comes from, and how many runs a boot is worth.

Sources: Kalibera and Jones, Rigorous Benchmarking in Reasonable Time, ISMM 2013, in the authors' later version
with corrected variance estimators; for unequal numbers the analysis of variance of Searle, Casella and McCulloch,
Variance Components, 1992, chapter 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np

from hpcvirt.core.stats.arrays import FloatArray, IntArray
from hpcvirt.core.stats.batch import distinct, totals
from hpcvirt.core.stats.model import Series


@dataclass(frozen=True, slots=True)
class VarianceSplit:
    """Variances as fractions of the squared mean. An estimate can be negative, which means none was seen."""

    mean: float
    within_boots: float | None
    """Between runs of one boot; None: no boot had two runs."""
    between_boots: float | None
    """Between boots of one node; None: no node had two boots."""
    between_nodes: float | None
    """None: one node."""
    runs: int
    boots: int
    nodes: int
    runs_per_boot: float
    """Effective: with unequal numbers less than their mean."""

    def sd_pct(self, part: str) -> float | None:
        """The standard deviation of ``within_boots``, ``between_boots`` or ``between_nodes`` in % of the mean."""
        value: float | None = getattr(self, part)
        return None if value is None else 100 * sqrt(max(value, 0.0))


@dataclass(frozen=True, slots=True)
class RunsPerBoot:
    """How many runs a boot is worth."""

    best: int | None
    """None: no variance between boots was seen, so further runs in a boot are as good as further boots."""
    now: float
    waste: float
    """Variance times time with as many runs as now, over the same with the best; 1 is none wasted."""


def split(series: Series) -> VarianceSplit | None:
    """Nested analysis of variance: runs within boots within nodes. None without finite values or with mean 0."""
    x = series.values
    if x.size < 2 or not np.all(np.isfinite(x)):
        return None
    scale = float(np.max(np.abs(x)))
    if scale == 0 or np.mean(x / scale) == 0:
        return None
    x = x / scale / float(np.mean(x / scale))
    _, node = distinct(series.node)
    boot, boot_node = _boots(series, node)
    return _split(x, boot, boot_node, scale * float(np.mean(series.values / scale)))


def runs_per_boot(found: VarianceSplit, boot_s: float, run_s: float) -> RunsPerBoot | None:
    """The number of runs per boot that gives the least variance for the time: sqrt(boot_s / run_s * within / between).

    ``boot_s`` is what a boot costs before its first run, ``run_s`` what each run costs. None where the variances are
    not known. Kalibera and Jones 2013, section 6.
    """
    if found.within_boots is None or found.between_boots is None or run_s <= 0:
        return None
    within, between = max(found.within_boots, 0.0), found.between_boots
    if between <= 0:
        return RunsPerBoot(None, found.runs_per_boot, 1.0)
    best = max(1, ceil(sqrt(boot_s / run_s * within / between)))

    def cost(runs: float) -> float:
        return (between + within / runs) * (boot_s + runs * run_s)

    return RunsPerBoot(best, found.runs_per_boot, cost(found.runs_per_boot) / cost(best))


@dataclass(frozen=True, slots=True)
class CommonVariance:
    """What boots at the same time on several nodes have in common, as sums over kernels. Squares of logarithms."""

    between_blocks: float
    """Sum of squares of the blocks' means over nodes, times the nodes."""
    residual: float
    """Sum of squares of what is left of a boot mean after its node's and its block's mean."""
    df_blocks: int
    nodes: int
    within_boots: float
    """Variance that the runs leave in a boot mean."""

    @property
    def shared(self) -> float | None:
        """The fraction of the boots' variance that is common to the nodes; None: no variance between boots was seen."""
        df_residual = self.df_blocks * (self.nodes - 1)
        residual = self.residual / df_residual
        common = max(0.0, (self.between_blocks / self.df_blocks - residual) / self.nodes)
        own = max(0.0, residual - self.within_boots)
        return common / (common + own) if common + own > 0 else None


def common_variance(kernels: Sequence[Series]) -> CommonVariance | None:
    """Analyse one metric under several kernels whose boots were at the same time on all nodes.

    What a block does to all kernels cancels in their ratios, so the mean over kernels is taken out of each node and
    block first. Two-way analysis of variance, nodes by blocks, of each kernel's logarithms of boot means; blocks where
    a kernel or node is missing are left out. None: fewer than two nodes or blocks, or values without a logarithm.
    """
    cells = [_log_means(series) for series in kernels]
    if not cells or any(one is None for one in cells):
        return None
    known = [one for one in cells if one is not None]
    nodes = sorted({node for logs, _ in known for node, _ in logs})
    blocks = sorted({block for logs, _ in known for _, block in logs})
    whole = [block for block in blocks if all((node, block) in logs for logs, _ in known for node in nodes)]
    if len(nodes) < 2 or len(whole) < 2:
        return None
    x = np.array([[[logs[node, block] for block in whole] for node in nodes] for logs, _ in known])
    freedom = max(1, len(known) - 1)
    x = x - x.mean(axis=0) if len(known) > 1 else x
    x = x - x.mean(axis=2, keepdims=True)
    by_block = x.mean(axis=1, keepdims=True)
    # taking the kernels' mean out leaves (K - 1) / K of the variance, and as many degrees of freedom
    return CommonVariance(
        between_blocks=float(len(nodes) * np.sum(np.square(by_block))),
        residual=float(np.sum(np.square(x - by_block))),
        df_blocks=freedom * (len(whole) - 1),
        nodes=len(nodes),
        within_boots=float(np.mean([within for _, within in known])),
    )


def _log_means(series: Series) -> tuple[dict[tuple[int, int], float], float] | None:
    """Logarithms of boot means by (node, block), and the variance that runs leave in them."""
    x = series.values
    if not x.size or not np.all(np.isfinite(x)) or np.any(x <= 0):
        return None
    places = [(int(node), int(block)) for node, block in zip(series.node, series.block, strict=True)]
    members: dict[tuple[int, int], list[float]] = {}
    for place, value in zip(places, np.log(x), strict=True):
        members.setdefault(place, []).append(float(value))
    squares = sum(float(np.var(values)) * len(values) for values in members.values())
    within = squares / (x.size - len(members)) if x.size > len(members) else 0.0
    per_mean = float(np.mean([1 / len(values) for values in members.values()]))
    return {place: float(np.mean(values)) for place, values in members.items()}, within * per_mean


def _boots(series: Series, node: IntArray) -> tuple[IntArray, IntArray]:
    """(R,) boot of each run from 0 on, and (B,) node of each boot."""
    _, block = distinct(series.block)
    _, code = distinct(series.boot)
    size = int(block.max()) + 1, int(code.max()) + 1
    key, boot = distinct((node * size[0] + block) * size[1] + code)
    return boot, key // (size[0] * size[1])


def _split(x: FloatArray, boot: IntArray, boot_node: IntArray, mean: float) -> VarianceSplit:
    n, boots, nodes = x.size, boot_node.size, int(boot_node.max()) + 1
    per_boot = totals(boot, np.ones(n), boots)
    boot_mean = totals(boot, x, boots) / per_boot
    per_node = totals(boot_node, per_boot, nodes)
    node_mean = totals(boot_node, per_boot * boot_mean, nodes) / per_node
    within = _over(float(np.sum(np.square(x - boot_mean[boot]))), n - boots)
    squares = totals(boot_node, np.square(per_boot), nodes) / per_node
    # expected mean square between boots: within + size * between (Searle et al., unbalanced nested data)
    size = _over(n - float(squares.sum()), boots - nodes)
    ms_boots = _over(float(np.sum(per_boot * np.square(boot_mean - node_mean[boot_node]))), boots - nodes)
    between = None if None in {within, size, ms_boots} else (ms_boots - within) / size  # type: ignore[operator]
    at_nodes = _between_nodes(x, per_node, node_mean, squares, per_boot, within, between)
    return VarianceSplit(mean, within, between, at_nodes, n, boots, nodes, n / boots if size is None else size)


def _between_nodes(
    x: FloatArray,
    per_node: FloatArray,
    node_mean: FloatArray,
    squares: FloatArray,
    per_boot: FloatArray,
    within: float | None,
    between: float | None,
) -> float | None:
    nodes, n = per_node.size, x.size
    if nodes < 2 or within is None or between is None:
        return None
    mean_square = float(np.sum(per_node * np.square(node_mean - x.mean()))) / (nodes - 1)
    of_boots = float(squares.sum() - np.sum(np.square(per_boot)) / n) / (nodes - 1)
    of_nodes = float(n - np.sum(np.square(per_node)) / n) / (nodes - 1)
    return (mean_square - within - of_boots * between) / of_nodes


def _over(value: float, by: float) -> float | None:
    return value / by if by > 0 else None
