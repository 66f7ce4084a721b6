"""Method ``blocked``: paired t-tests on the logarithms of boot means, matched within (block, node).

The estimand is the geometric mean over (block, node) of the ratio of boot means. A boot mean is arithmetic where
lower is better (costs add up) and harmonic where higher is better (for a rate, time adds up).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcvirt.core.model import Better
from hpcvirt.core.stats import student
from hpcvirt.core.stats.arrays import BoolArray, FloatArray, IntArray
from hpcvirt.core.stats.batch import Batch, distinct, first, totals
from hpcvirt.core.stats.model import Unit
from hpcvirt.core.stats.paper import Pairs, tested, tost


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """One boot mean per kernel, node and block, sorted by these. C cells."""

    slot: IntArray
    """(C,) group * K + kernel."""
    place: IntArray
    """(C,) node and block in one number; the same number for the same place in every kernel."""
    log_mean: FloatArray
    """(C,) NaN where the mean is not positive or a value was not finite."""
    n_blocks: int
    """How many different blocks there are: ``place`` is node * n_blocks + block."""


@dataclass(frozen=True, slots=True, eq=False)
class Differences:
    """d = ln m(kernel) - ln m(baseline) of one pair, by (group, node, block)."""

    group: IntArray
    node: IntArray
    block: IntArray
    d: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What the t-test needs, each of shape (G,)."""

    n: FloatArray
    """Replication units."""
    mean: FloatArray
    sd: FloatArray
    se: FloatArray
    df: FloatArray
    nodes: FloatArray
    """Values per block that count as independent: the nodes for ``node-block``, else 1."""
    blocks: FloatArray
    """Blocks with a value."""
    residual: FloatArray
    """(M,) departure of each unit from its mean, of all groups."""
    residual_group: IntArray
    """(M,)"""


@dataclass(frozen=True, slots=True, eq=False)
class PairedOutcome:
    """Results of one pair, each array of shape (G,); NaN where there is none."""

    found: Differences
    estimate: Estimate
    t: FloatArray
    df: FloatArray
    p: FloatArray
    low: FloatArray
    """Of the logarithm of the ratio, at 1 - alpha."""
    high: FloatArray
    p_equivalence: FloatArray
    constant: BoolArray
    not_positive: BoolArray
    """Some boot mean has no logarithm."""
    unpaired: FloatArray
    """Places (node and block) that some kernel has values from, but not both of this pair."""


def cells_of(batch: Batch) -> Cells:
    """Boot means of a batch."""
    n_kernels = len(batch.kernels)
    n_blocks = int(batch.block.max(initial=0)) + 1
    places = batch.n_nodes * n_blocks
    key, at = distinct(batch.slot * places + batch.node * n_blocks + batch.block)
    slot = key // places
    higher = np.array([first(row).better is Better.HIGHER for row in batch.members], dtype=bool)
    mean = _boot_mean(batch.scaled, at, key.size, higher[slot // n_kernels])
    broken = batch.not_finite.reshape(-1)[slot] > 0
    log_mean = np.where((mean > 0) & ~broken, np.log(np.where(mean > 0, mean, 1.0)), np.nan)
    # on the group's scale, not the metric's: small logarithms keep more digits
    log_mean += np.log(2.0) * (batch.own_exponent - batch.exponent[:, None]).reshape(-1)[slot]
    return Cells(slot, key % places, log_mean, n_blocks)


def compare(batch: Batch, pairs: Pairs, unit: Unit, alpha: float, delta: float) -> tuple[PairedOutcome, ...]:
    """Test each pair with ``block`` or ``node-block`` as the unit of replication."""
    cells = cells_of(batch)
    return tuple(_one_pair(batch, cells, pair, unit, alpha, delta) for pair in pairs)


def overall_means(batch: Batch) -> FloatArray:
    """(G, K) mean of all runs in the unit of the metric, of the kind that boot means are."""
    n_groups, n_kernels = batch.shape
    higher = np.repeat([first(row).better is Better.HIGHER for row in batch.members], n_kernels)
    mean = _boot_mean(batch.scaled, batch.slot, n_groups * n_kernels, higher).reshape(batch.shape)
    mean = np.where((batch.not_finite > 0) | (higher.reshape(batch.shape) & (mean <= 0)), np.nan, mean)
    return np.ldexp(mean, batch.own_exponent)


def differences(cells: Cells, pair: tuple[int, int], n_kernels: int) -> Differences:
    """d of one pair, wherever both kernels have a boot mean, sorted by group, node and block."""
    size = int(cells.place.max(initial=0)) + 1
    keys, logs = [], []
    for kernel in pair:
        mine = cells.slot % n_kernels == kernel
        keys.append(cells.slot[mine] // n_kernels * size + cells.place[mine])
        logs.append(cells.log_mean[mine])
    key, here, there = np.intersect1d(keys[0], keys[1], assume_unique=True, return_indices=True)
    place = key % size
    return Differences(key // size, place // cells.n_blocks, place % cells.n_blocks, logs[0][here] - logs[1][there])


def by_node_block(found: Differences, n_groups: int, n_nodes: int) -> Estimate:
    """Mean of node means of d; pooled residual variance about them; df = cells - nodes."""
    key = found.group * n_nodes + found.node
    count = totals(key, np.ones(key.size), n_groups * n_nodes)
    mean = totals(key, found.d, count.size) / np.maximum(count, 1)
    residual = found.d - mean[key]
    count, mean = count.reshape(n_groups, n_nodes), mean.reshape(n_groups, n_nodes)
    nodes = (count > 0).sum(axis=1).astype(np.float64)
    n = count.sum(axis=1)
    df = n - nodes
    squares = totals(found.group, np.square(residual), n_groups)
    estimate = mean.sum(axis=1) / nodes
    sd = np.sqrt(squares / np.where(df > 0, df, np.nan))
    weights = np.where(count > 0, 1 / np.maximum(count, 1), 0.0).sum(axis=1)
    return Estimate(
        n=n, mean=estimate, sd=sd, se=sd * np.sqrt(weights) / np.maximum(nodes, 1), df=df,
        nodes=nodes, blocks=_blocks(found, n_groups),
        residual=residual, residual_group=found.group,
    )  # fmt: skip


def _blocks(found: Differences, n_groups: int) -> FloatArray:
    size = int(found.block.max(initial=0)) + 1
    seen, _ = distinct(found.group * size + found.block)
    return totals(seen // size, np.ones(seen.size), n_groups)


def by_block(found: Differences, n_groups: int, n_blocks: int) -> Estimate:
    """Mean over nodes of d in each block, then a t-test with blocks - 1 degrees of freedom."""
    key, at = distinct(found.group * n_blocks + found.block)
    value = totals(at, found.d, key.size) / np.maximum(totals(at, np.ones(at.size), key.size), 1)
    group = key // n_blocks
    n = totals(group, np.ones(key.size), n_groups)
    df = n - 1
    mean = totals(group, value, n_groups) / n
    residual = value - mean[group]
    sd = np.sqrt(totals(group, np.square(residual), n_groups) / np.where(df > 0, df, np.nan))
    se = sd / np.sqrt(n)
    return Estimate(
        n=n, mean=mean, sd=sd, se=se, df=df, nodes=np.ones(n_groups), blocks=n,
        residual=residual, residual_group=group,
    )  # fmt: skip


def _one_pair(
    batch: Batch, cells: Cells, pair: tuple[int, int], unit: Unit, alpha: float, delta: float
) -> PairedOutcome:
    n_groups, n_kernels = batch.shape
    found = differences(cells, pair, n_kernels)
    if unit is Unit.NODE_BLOCK:
        one = by_node_block(found, n_groups, batch.n_nodes)
    else:
        one = by_block(found, n_groups, cells.n_blocks)
    constant, t, p = tested(one.mean, one.se, one.df, _rounding_size(cells, n_groups, n_kernels))
    width = student.critical(alpha / 2, one.df) * one.se
    margin = np.full(n_groups, np.log1p(delta))
    return PairedOutcome(
        found=found,
        estimate=one,
        t=t,
        df=np.where(np.isnan(t), np.nan, one.df),
        p=p,
        low=np.where(constant, np.nan, one.mean - width),
        high=np.where(constant, np.nan, one.mean + width),
        p_equivalence=np.where(constant, np.nan, tost(one.mean, one.se, one.df, margin)),
        constant=constant,
        not_positive=totals(found.group, np.isnan(found.d).astype(np.float64), n_groups) > 0,
        unpaired=_visits(batch, cells, pair) - totals(found.group, np.ones(found.d.size), n_groups),
    )


def _boot_mean(scaled: FloatArray, at: IntArray, size: int, harmonic: BoolArray) -> FloatArray:
    count = totals(at, np.ones(at.size), size)
    arithmetic = totals(at, scaled, size) / count
    inverse = totals(at, np.where(scaled > 0, 1 / np.where(scaled > 0, scaled, 1.0), np.inf), size)
    return np.where(harmonic, count / inverse, arithmetic)


def _rounding_size(cells: Cells, n_groups: int, n_kernels: int) -> FloatArray:
    """(G,) the largest logarithm: what its own rounding is in proportion to."""
    largest = np.ones(n_groups)
    np.fmax.at(largest, cells.slot // n_kernels, np.abs(cells.log_mean))
    return largest


def _visits(batch: Batch, cells: Cells, pair: tuple[int, int]) -> FloatArray:
    """(G,) visits to a node in a block that should have given a pair of values, those lost by every kernel included.

    Those with values and those known to be lost, at least every node of the data in every block of the data, unless
    each block has a node of its own.
    """
    n_groups, n_kernels = batch.shape
    size = batch.n_nodes * cells.n_blocks
    seen, _ = distinct(cells.slot // n_kernels * size + cells.place)
    group, place = seen // size, seen % size
    nodes, _ = distinct(group * batch.n_nodes + place // cells.n_blocks)
    blocks, _ = distinct(group * cells.n_blocks + place % cells.n_blocks)
    places = totals(group, np.ones(seen.size), n_groups)
    n_blocks = totals(blocks // cells.n_blocks, np.ones(blocks.size), n_groups)
    grid = totals(nodes // batch.n_nodes, np.ones(nodes.size), n_groups) * n_blocks
    members = [[row[k] for k in pair] for row in batch.members]
    lost = np.array([[0 if one is None else one.lost_visits for one in row] for row in members])
    over = totals(cells.slot, np.ones(cells.slot.size), n_groups * n_kernels).reshape(batch.shape)[:, pair] + lost
    expected: FloatArray = np.maximum(over.max(axis=1), np.where(places > n_blocks, grid, places))
    return expected
