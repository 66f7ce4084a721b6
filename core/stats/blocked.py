"""Method ``blocked``: paired t-tests on the logarithms of boot means, matched within (block, node).

The estimand is the geometric mean over (block, node) of the ratio of boot means. A boot mean is arithmetic where
lower is better (costs add up) and harmonic where higher is better (for a rate, time adds up).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hpcvirt.core.model import Better
from hpcvirt.core.stats.arrays import BoolArray, FloatArray, IntArray
from hpcvirt.core.stats.batch import Batch, distinct, first, steady, totals
from hpcvirt.core.stats.model import Series, Unit
from hpcvirt.core.stats.paper import Pairs, tested, tost, without_test


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """One boot mean per kernel, node and block, sorted by these. C cells."""

    slot: IntArray
    """(C,) group * K + kernel."""
    place: IntArray
    """(C,) node and block in one number; the same number for the same place in every kernel."""
    log_mean: FloatArray
    """(C,) NaN where the mean is not positive or a value was not finite; -inf for zeros that have no error."""
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
    block_variance: FloatArray
    """Squared standard error times blocks, were no cell missing."""
    df_per_block: FloatArray
    """Degrees of freedom that each block beyond the first adds, were no cell missing."""
    blocks: FloatArray
    """Blocks with a value."""
    residual: FloatArray
    """(M,) departure of each unit from its mean, of all groups."""
    residual_group: IntArray
    """(M,)"""


@dataclass(frozen=True, slots=True, eq=False)
class NodeSpread:
    """Cells of each node and how their d scatter about the node's mean, each of shape (G, J)."""

    count: FloatArray
    mean: FloatArray
    squares: FloatArray
    """Sum of squared residuals."""

    @property
    def df(self) -> FloatArray:
        """Degrees of freedom of each node's own variance."""
        return np.maximum(self.count - 1, 0)


@dataclass(frozen=True, slots=True, eq=False)
class BlockMeans:
    """The t-test of block means over nodes, beside that of ``node-block``; each array of shape (G,)."""

    t: FloatArray
    df: FloatArray
    p: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class PairedOutcome:
    """Results of one pair, each array of shape (G,); NaN where there is none."""

    found: Differences
    estimate: Estimate
    t: FloatArray
    df: FloatArray
    p: FloatArray
    p_equivalence: FloatArray
    constant: BoolArray
    exact: BoolArray
    """Declared so, and no value of either kernel differs from another on the same node: d has no error."""
    steady: BoolArray
    """No value of either kernel differs from another on the same node, whatever was declared."""
    rounding: FloatArray
    """The largest logarithm, to which the rounding of d is in proportion."""
    all_zero: BoolArray
    """Both kernels are zero everywhere, without error: equal, but without a ratio."""
    not_positive: BoolArray
    """Some boot mean has no logarithm."""
    unpaired: FloatArray
    """Places (node and block) that some kernel has values from, but not both of this pair."""
    spread: NodeSpread
    """Whatever the unit is."""
    block_means: BlockMeans


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
    log_mean[_exact_zeros(batch)[slot] & (mean == 0) & ~broken] = -np.inf
    # on the group's scale, not the metric's: small logarithms keep more digits
    log_mean += np.log(2.0) * (batch.own_exponent - batch.exponent[:, None]).reshape(-1)[slot]
    return Cells(slot, key % places, log_mean, n_blocks)


def _exact_zeros(batch: Batch) -> BoolArray:
    """(S,) series in which zeros have no error: exact, the same value throughout each node, none negative."""
    negative = batch.sums((batch.scaled < 0).astype(np.float64)) > 0
    return np.asarray(batch.exact()[:, None] & steady(batch) & ~negative).reshape(-1)


@dataclass(frozen=True, slots=True)
class Rule:
    """How a pair is tested. It comes from the design, never from the data."""

    unit: Unit
    """``block`` or ``node-block``."""
    per_node: bool
    """Of ``node-block``: each node has a variance of its own; else the nodes share one."""


PER_NODE_FROM = 5
"""Planned blocks from which each node has a variance of its own. With fewer it would cost a third of the power."""


def compare(batch: Batch, pairs: Pairs, rule: Rule, delta: float) -> tuple[PairedOutcome, ...]:
    """Test each pair."""
    cells = cells_of(batch)
    return tuple(_one_pair(batch, cells, pair, rule, delta) for pair in pairs)


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
    both_zero = np.isneginf(logs[0][here]) & np.isneginf(logs[1][there])
    d = np.where(both_zero, 0.0, logs[0][here] - logs[1][there])
    return Differences(key // size, place // cells.n_blocks, place % cells.n_blocks, d)


def node_spread(found: Differences, n_groups: int, n_nodes: int) -> tuple[NodeSpread, FloatArray]:
    """How d scatter on each node, and (M,) their residuals."""
    key = found.group * n_nodes + found.node
    count = totals(key, np.ones(key.size), n_groups * n_nodes)
    mean = totals(key, found.d, count.size) / np.maximum(count, 1)
    residual = found.d - mean[key]
    squares = totals(key, np.square(residual), count.size)
    shape = n_groups, n_nodes
    return NodeSpread(count.reshape(shape), mean.reshape(shape), squares.reshape(shape)), residual


def by_node_block(found: Differences, n_groups: int, n_nodes: int, *, per_node: bool) -> Estimate:
    """Mean of node means of d, by one variance per node or by one for all; see ``Rule``."""
    spread, residual = node_spread(found, n_groups, n_nodes)
    nodes = (spread.count > 0).sum(axis=1).astype(np.float64)
    within_df = spread.df.sum(axis=1)
    pooled = spread.squares.sum(axis=1) / np.where(within_df > 0, within_df, np.nan)
    variance = _node_variances(spread, pooled, per_node=per_node)
    # a_j = s_j^2 / (n_j J^2) (Satterthwaite 1946)
    parts = np.where(spread.count > 0, variance / np.maximum(spread.count, 1), 0.0) / np.square(nodes)[:, None]
    se = np.sqrt(parts.sum(axis=1))
    df = _satterthwaite(parts, np.where(spread.df > 0, spread.df, within_df[:, None])) if per_node else within_df
    return Estimate(
        n=spread.count.sum(axis=1), mean=spread.mean.sum(axis=1) / nodes, sd=np.sqrt(pooled), se=se,
        df=np.where(np.isfinite(df), df, within_df), block_variance=variance.sum(axis=1) / np.square(nodes),
        df_per_block=_satterthwaite(variance, np.ones_like(variance)), blocks=_blocks(found, n_groups),
        residual=residual, residual_group=found.group,
    )  # fmt: skip


def _node_variances(spread: NodeSpread, pooled: FloatArray, *, per_node: bool) -> FloatArray:
    """(G, J): 0 for nodes without a cell. A node with one cell takes the pooled variance of the others."""
    has_own = (spread.df > 0) & per_node
    variance = np.where(has_own, spread.squares / np.maximum(spread.df, 1), pooled[:, None])
    return np.where(spread.count > 0, variance, 0.0)


def _satterthwaite(parts: FloatArray, df: FloatArray) -> FloatArray:
    """(G,) degrees of freedom of a sum of parts (G, J) of a variance, each with its own."""
    squares = np.where(parts > 0, np.square(parts) / df, 0.0)
    return np.asarray(np.square(parts.sum(axis=1)) / squares.sum(axis=1))


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
        n=n, mean=mean, sd=sd, se=se, df=df, block_variance=np.square(sd), df_per_block=np.ones(n_groups), blocks=n,
        residual=residual, residual_group=group,
    )  # fmt: skip


def _one_pair(batch: Batch, cells: Cells, pair: tuple[int, int], rule: Rule, delta: float) -> PairedOutcome:
    n_groups, n_kernels = batch.shape
    found = differences(cells, pair, n_kernels)
    size = _rounding_size(cells, n_groups, n_kernels)
    block_means = by_block(found, n_groups, cells.n_blocks)
    one = block_means
    if rule.unit is Unit.NODE_BLOCK:
        one = by_node_block(found, n_groups, batch.n_nodes, per_node=rule.per_node)
    constant, t, p = tested(one.mean, one.se, one.df, size)
    # a zero that has no error against another value: infinitely far apart, which no spread can be computed of
    constant |= np.isinf(one.mean) & (one.df > 0)
    both_steady = np.asarray(steady(batch)[:, pair].all(axis=1))
    exact = batch.exact() & both_steady
    # zero on one node under this kernel, on another under the other: no mean
    opposed = np.isnan(one.mean) & (one.n > 0)
    margin = np.full(n_groups, np.log1p(delta))
    p_equivalence = np.where(constant, np.nan, tost(one.mean, one.se, one.df, margin))
    p, p_equivalence = without_test(exact & constant, one.mean, margin, p, p_equivalence)
    return PairedOutcome(
        found=found,
        estimate=_without_roundings(one, constant),
        t=t,
        df=np.where(np.isnan(t), np.nan, one.df),
        p=p,
        p_equivalence=p_equivalence,
        constant=constant,
        exact=exact,
        steady=both_steady,
        rounding=size,
        all_zero=np.asarray(_all_zero(cells, n_groups * n_kernels).reshape(batch.shape)[:, pair].all(axis=1)),
        not_positive=(totals(found.group, np.isnan(found.d).astype(np.float64), n_groups) > 0) | opposed,
        unpaired=_visits(batch, cells, pair) - totals(found.group, np.ones(found.d.size), n_groups),
        spread=node_spread(found, n_groups, batch.n_nodes)[0],
        block_means=_beside(block_means, size, rule),
    )


def _all_zero(cells: Cells, n_slots: int) -> BoolArray:
    """(S,) series whose boot means are all zero, without error."""
    count = totals(cells.slot, np.ones(cells.slot.size), n_slots)
    zeros = totals(cells.slot, np.isneginf(cells.log_mean).astype(np.float64), n_slots)
    return np.asarray((count > 0) & (zeros == count))


def _beside(means: Estimate, size: FloatArray, rule: Rule) -> BlockMeans:
    _, t, p = tested(means.mean, means.se, means.df, size)
    if rule.unit is Unit.BLOCK:
        t, p = np.full_like(t, np.nan), np.full_like(p, np.nan)
    return BlockMeans(t, np.where(np.isnan(t), np.nan, means.df), p)


def _without_roundings(one: Estimate, constant: BoolArray) -> Estimate:
    """Where nothing varies, no spread at all instead of that of roundings."""
    return replace(
        one,
        sd=np.where(constant, 0.0, one.sd),
        se=np.where(constant, 0.0, one.se),
        block_variance=np.where(constant, 0.0, one.block_variance),
        residual=np.where(constant[one.residual_group], 0.0, one.residual),
    )


def _boot_mean(scaled: FloatArray, at: IntArray, size: int, harmonic: BoolArray) -> FloatArray:
    count = totals(at, np.ones(at.size), size)
    arithmetic = totals(at, scaled, size) / count
    inverse = totals(at, np.where(scaled > 0, 1 / np.where(scaled > 0, scaled, 1.0), np.inf), size)
    return np.where(harmonic, count / inverse, arithmetic)


def _rounding_size(cells: Cells, n_groups: int, n_kernels: int) -> FloatArray:
    """(G,) the largest logarithm: what its own rounding is in proportion to."""
    largest = np.ones(n_groups)
    logs = np.abs(cells.log_mean)
    np.fmax.at(largest, cells.slot // n_kernels, np.where(np.isinf(logs), np.nan, logs))
    return largest


def _visits(batch: Batch, cells: Cells, pair: tuple[int, int]) -> FloatArray:
    """(G,) visits to a node in a block that should have given a pair of values, those lost by every kernel included.

    Those with values and those known to be lost, at least every node of the data in every block of the data, unless
    each block has a node of its own. Where it is known which visits are over, only these.
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
    known = [None if a is None or b is None else _over(a, b) for a, b in members]
    return np.array([found if n is None else n for n, found in zip(known, expected.tolist(), strict=True)])


def _over(one: Series, other: Series) -> float | None:
    """Visits that are over under both kernels, where that is known: those still to come are not missing."""
    if one.visits is None or other.visits is None:
        return None
    return float(len(one.visits & other.visits))
