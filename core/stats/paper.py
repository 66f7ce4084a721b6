"""Method ``paper``: two-sample t-tests on runs, Student and Welch, after the nodes' own means are removed.

With one node this is R's ``t.test``. With several, the model is ``value ~ kernel + node`` over all kernels of
the group: where every kernel ran equally often on every node, the node term is the node's mean over all
kernels, and with two kernels Student's test is R's ``lm``. Where a kernel was lost on a node, least squares
keeps the difference unbiased; subtracting plain node means would not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcvirt.core.stats import student
from hpcvirt.core.stats.arrays import BoolArray, FloatArray, IntArray
from hpcvirt.core.stats.batch import SAME, Batch

Pairs = tuple[tuple[int, int], ...]
"""(kernel, the one it is compared with), as indices."""

ROUNDING = SAME
"""Relative spread up to which there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What the tests need of each kernel. G groups, K kernels; scaled and shifted as the batch says."""

    n: FloatArray
    """(G, K)"""
    mean: FloatArray
    """(G, K) adjusted for nodes. NaN where there is none."""
    squares: FloatArray
    """(G, K) sum of squared residuals; 0 where they are roundings."""
    freedom: FloatArray
    """(G, K) residual degrees of freedom that belong to this kernel: n - 1 with one node."""
    node_term: FloatArray
    """(G, J) the node's departure from the mean of nodes."""
    nodes: FloatArray
    """(G,) number of nodes whose terms were estimated."""
    coefficients: NodeFit | None
    """None with one node."""

    @property
    def variance(self) -> FloatArray:
        """(G, K) unbiased."""
        return np.where(self.freedom > 0, self.squares / self.freedom, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class NodeFit:
    """Least squares of the node terms: enough to give any contrast's variance."""

    inverse: FloatArray
    """(G, J, J) pseudo-inverse of the nodes' normal matrix after kernels are swept out."""
    counts: FloatArray
    """(G, K, J) values in each cell."""
    used: FloatArray
    """(G, K, J) the same, without kernels that the node terms were not estimated from."""
    fitted: BoolArray
    """(G, K) kernels that the node terms were estimated from."""
    normal: FloatArray
    """(G, J, J) the matrix itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Results of P pairs in G groups, each array of shape (G, P); NaN where there is none."""

    difference: FloatArray
    se: FloatArray
    t: FloatArray
    df: FloatArray
    p: FloatArray
    t_student: FloatArray
    df_student: FloatArray
    p_student: FloatArray
    margin: FloatArray
    """Of the equivalence test."""
    p_equivalence: FloatArray
    constant: BoolArray
    """No spread beyond rounding: nothing to test with."""
    estimable: BoolArray
    """The two kernels share nodes, directly or through others; also where one of them has no value."""


def moments(batch: Batch) -> Moments:
    """Means and residual variances of every kernel, node terms removed."""
    counts = batch.by_node()
    n = counts.sum(axis=2)
    mean = np.where(n > 0, batch.sums(batch.value) / n, np.nan)
    mean[batch.not_finite > 0] = np.nan
    nodes = (counts.sum(axis=1) > 0).sum(axis=1)
    if not np.any(nodes > 1):
        term = np.zeros((counts.shape[0], batch.n_nodes))
        one_node = np.ones(nodes.shape)
        return Moments(n, mean, _squares(batch, mean, term), np.maximum(n - 1, 0), term, one_node, None)
    return _node_adjusted(batch, counts, n, mean)


def compare(found: Moments, pairs: Pairs, offset: FloatArray, delta: float, exact: BoolArray) -> Outcome:
    """Test each pair. ``offset`` (G,) is what the means were shifted by, on their scale; ``exact`` (G, P)."""
    here, there = (np.array([pair[i] for pair in pairs], dtype=np.int64) for i in (0, 1))
    difference = found.mean[:, here] - found.mean[:, there]
    weights, estimable = _weights(found, here, there)
    difference = np.where(estimable, difference, np.nan)
    se, df = _welch(found, weights)
    se_student, df_student = _student(found, weights, here, there)
    base = np.abs(found.mean[:, there] + offset[:, None])
    size = np.maximum(base, np.abs(found.mean[:, here] + offset[:, None]))
    constant, t, p = tested(difference, se, df, size)
    _, t_student, p_student = tested(difference, se_student, df_student, size)
    margin = delta * base
    p_equivalence = np.where(constant, np.nan, tost(difference, se, df, margin))
    p, p_equivalence = without_test(exact & constant, difference, margin, p, p_equivalence)
    return Outcome(
        difference, se, t, np.where(np.isnan(t), np.nan, df), p,
        t_student, np.where(np.isnan(t_student), np.nan, df_student), p_student,
        margin, p_equivalence, constant, estimable,
    )  # fmt: skip


def tested(
    difference: FloatArray, se: FloatArray, df: FloatArray, size: FloatArray
) -> tuple[BoolArray, FloatArray, FloatArray]:
    """(constant, t, two-sided p). Where nothing varies, t is not defined: p is 1 if there is no difference, else NaN.

    "Nothing varies" is a standard error below ``ROUNDING`` of the larger mean.
    """
    rounding = ROUNDING * size
    constant = (se <= rounding) & ~np.isnan(difference)
    t = np.where(constant | (df <= 0), np.nan, difference / se)
    p = student.two_sided(t, df)
    return constant, t, np.where(constant & (np.abs(difference) <= rounding), 1.0, p)


def without_test(
    known: BoolArray, difference: FloatArray, margin: FloatArray, p: FloatArray, p_equivalence: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(p, p of equivalence): where ``known``, the difference has no error, and each p is 0 or 1."""
    p = np.where(known & np.isnan(p), 0.0, p)
    outside = (np.abs(difference) >= margin).astype(np.float64)
    return p, np.where(known & (margin > 0), outside, p_equivalence)


def tost(difference: FloatArray, se: FloatArray, df: FloatArray, margin: FloatArray) -> FloatArray:
    """Two one-sided tests (Schuirmann 1987): the larger p of "not below -margin" and "not above margin"."""
    above = student.upper((difference + margin) / se, df)
    below = student.upper((margin - difference) / se, df)
    return np.where(margin > 0, np.maximum(above, below), np.nan)


def residuals(batch: Batch, mean: FloatArray, node_term: FloatArray) -> FloatArray:
    """(R,) what is left of each value after its kernel's mean (G, K) and its node's term (G, J)."""
    group = batch.slot // len(batch.kernels)
    return batch.value - mean.reshape(-1)[batch.slot] - node_term[group, batch.node]


def _squares(batch: Batch, mean: FloatArray, node_term: FloatArray) -> FloatArray:
    squares = batch.sums(np.square(residuals(batch, mean, node_term)))
    rounding = ROUNDING * np.abs(mean + batch.shift[:, None])
    return np.where(squares <= np.square(rounding) * batch.counts(), 0.0, squares)


def _node_adjusted(batch: Batch, counts: FloatArray, n: FloatArray, mean: FloatArray) -> Moments:
    fit = _node_fit(counts, n, batch.not_finite == 0)
    share = _shares(counts, n)
    sums = np.where(fit.fitted[:, :, None], batch.by_node(batch.value), 0.0)
    fitted_mean = np.where(fit.fitted, mean, 0.0)
    right = sums.sum(axis=1) - np.einsum("gkj,gk->gj", fit.used, fitted_mean)
    term = np.einsum("gij,gj->gi", fit.inverse, right)
    adjusted = mean - np.einsum("gkj,gj->gk", share, term)
    taken = np.einsum("gkj,gjj->gk", fit.used, fit.inverse)
    taken -= n * np.einsum("gki,gij,gkj->gk", share, fit.inverse, share)
    freedom = np.maximum(n - 1 - np.where(fit.fitted, taken, 0.0), 0.0)
    nodes = (fit.used.sum(axis=1) > 0).sum(axis=1).astype(np.float64)
    return Moments(n, adjusted, _squares(batch, adjusted, term), freedom, term, nodes, fit)


def _node_fit(counts: FloatArray, n: FloatArray, finite: BoolArray) -> NodeFit:
    # a kernel with one value has no variance to weigh it by, so it must not move the others' node terms
    fitted = (n > 1) & finite
    used = np.where(fitted[:, :, None], counts, 0.0)
    share = _shares(used, n)
    normal = -np.einsum("gki,gkj->gij", used, share)
    diagonal = np.arange(counts.shape[2])
    normal[:, diagonal, diagonal] += used.sum(axis=1)
    return NodeFit(np.linalg.pinv(normal, rcond=1e-10, hermitian=True), counts, used, fitted, normal)


def _shares(counts: FloatArray, n: FloatArray) -> FloatArray:
    return counts / np.maximum(n, 1)[:, :, None]


def _weights(found: Moments, here: IntArray, there: IntArray) -> tuple[FloatArray, BoolArray]:
    """(G, P, K) sum of squared weights of each kernel's rows in each pair's difference; and whether it exists."""
    groups, n_kernels = found.n.shape
    own = np.zeros((groups, here.size, n_kernels))
    own[:, np.arange(here.size), here] = 1 / found.n[:, here]
    own[:, np.arange(here.size), there] = -1 / found.n[:, there]
    fit = found.coefficients
    if fit is None:
        squared = np.where(own == 0, 0.0, np.square(own) * found.n[:, None, :])
        return squared, np.ones((groups, here.size), dtype=bool)
    return _node_weights(fit, own, here, there, found.n)


def _node_weights(
    fit: NodeFit, own: FloatArray, here: IntArray, there: IntArray, n: FloatArray
) -> tuple[FloatArray, BoolArray]:
    share = _shares(fit.counts, n)
    unequal = share[:, here, :] - share[:, there, :]
    through = np.einsum("gij,gpj->gpi", fit.inverse, unequal)
    reached = np.einsum("gij,gpj->gpi", fit.normal, through)
    estimable = np.all(np.abs(reached - unequal) < 1e-8, axis=2) | (n[:, here] == 0) | (n[:, there] == 0)
    used_share = _shares(fit.used, n)
    swept = through[:, :, None, :] - np.einsum("gkj,gpj->gpk", used_share, through)[:, :, :, None]
    per_row = own[:, :, :, None] - np.where(fit.fitted[:, None, :, None], swept, 0.0)
    squared = np.einsum("gkj,gpkj->gpk", fit.counts, np.square(per_row))
    negligible = squared < 1e-24 * squared.max(axis=2, keepdims=True)
    return np.where(negligible, 0.0, squared), estimable


def _welch(found: Moments, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Standard error and Welch-Satterthwaite df (Welch 1947), less one for each node beyond the first."""
    # a kernel that has no part in a difference has none in its variance either, however few its values
    parts = np.where(weights == 0, 0.0, weights * found.variance[:, None, :])
    variance = parts.sum(axis=2)
    fractions = np.where(variance[:, :, None] > 0, parts / variance[:, :, None], np.nan)
    lost = np.where(weights == 0, 0.0, np.square(fractions) / np.maximum(found.n - 1, 0)[:, None, :])
    df = 1 / lost.sum(axis=2)
    return np.sqrt(variance), df - np.maximum(found.nodes - 1, 0)[:, None]


def _student(found: Moments, weights: FloatArray, here: IntArray, there: IntArray) -> tuple[FloatArray, FloatArray]:
    freedom = found.freedom[:, here] + found.freedom[:, there]
    pooled = (found.squares[:, here] + found.squares[:, there]) / np.where(freedom > 0, freedom, np.nan)
    se = np.sqrt(pooled * weights.sum(axis=2))
    return se, found.n[:, here] + found.n[:, there] - 2 - np.maximum(found.nodes - 1, 0)[:, None]
