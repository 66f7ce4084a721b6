"""Whether a kernel's effect differs between nodes: the interaction that one number for all nodes hides."""

from __future__ import annotations

import numpy as np

from hpcvirt.core.stats.arrays import FloatArray, IntArray
from hpcvirt.core.stats.batch import totals
from hpcvirt.core.stats.blocked import Differences
from hpcvirt.core.stats.diagnose import ROUNDING, f_upper
from hpcvirt.core.stats.model import Unit


def effect_by_node(found: Differences, unit: Unit, n_groups: int, n_nodes: int) -> tuple[FloatArray, FloatArray]:
    """F and p, each of shape (G,), of the nodes in ``d ~ stratum + node`` (R's ``anova(lm(...))``); NaN: no test.

    A stratum is what differences have in common beside the kernel: the block where nodes moved together, else nothing.
    """
    stratum = found.block if unit is Unit.BLOCK else np.zeros_like(found.block)
    size = int(stratum.max(initial=0)) + 1
    key = found.group * size + stratum
    count = totals(key, np.ones(key.size), n_groups * size)
    e = found.d - (totals(key, found.d, count.size) / np.maximum(count, 1))[key]
    cells = totals(key * n_nodes + found.node, np.ones(key.size), count.size * n_nodes).reshape(n_groups, size, n_nodes)
    explained, df_nodes = _explained(cells, found, key, e)
    n = cells.sum(axis=(1, 2))
    df = n - (cells.sum(axis=2) > 0).sum(axis=1) - df_nodes
    rest = totals(found.group, np.square(e), n_groups) - explained
    # a remainder of 64 units in the last place is what the subtraction leaves
    testable = (df_nodes > 0) & (df > 0) & (rest > n * ROUNDING**2 + explained * ROUNDING)
    with np.errstate(invalid="ignore", divide="ignore"):
        f = np.where(testable, explained / df_nodes / (rest / df), np.nan)
    return f, f_upper(f, df_nodes, df)


def _explained(cells: FloatArray, found: Differences, key: IntArray, e: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sum of squares that the nodes explain within strata, and its degrees of freedom. Cells may be missing.

    ``cells`` (G, strata, J) counts differences, ``e`` are these with the means of strata (``key``) removed. A matrix of
    the larger of strata and nodes would take long. Where nodes are more, they go first: SS(nodes | strata) is
    SS(nodes) + SS(strata | nodes) - SS(strata), and the last is 0 of e; df add up in the same way.
    """
    n_groups, n_strata, n_nodes = cells.shape
    on_node = cells.sum(axis=1)
    at = found.group * n_nodes + found.node
    sums = totals(at, e, n_groups * n_nodes)
    if n_strata > n_nodes:
        return _after(cells.swapaxes(1, 2), sums.reshape(on_node.shape))
    left = e - (sums / np.maximum(on_node.reshape(-1), 1))[at]
    of_nodes = (np.square(sums.reshape(on_node.shape)) / np.maximum(on_node, 1)).sum(axis=1)
    of_strata, df = _after(cells, totals(key, left, n_groups * n_strata).reshape(n_groups, n_strata))
    return of_nodes + of_strata, (on_node > 0).sum(axis=1) + df - (cells.sum(axis=2) > 0).sum(axis=1)


def _after(cells: FloatArray, sums: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sum of squares that the first factor of ``cells`` explains after the second, and its degrees of freedom.

    ``sums`` has shape (G, levels of the first), the means of the second's levels removed.
    """
    normal = -np.matmul(cells, (cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)).swapaxes(1, 2))
    diagonal = np.arange(cells.shape[1])
    normal[:, diagonal, diagonal] += cells.sum(axis=2)
    inverse = np.linalg.pinv(normal, rcond=1e-10, hermitian=True)
    return np.einsum("gi,gij,gj->g", sums, inverse, sums), np.rint(np.einsum("gij,gji->g", normal, inverse))
