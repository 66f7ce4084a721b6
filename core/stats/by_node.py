"""Whether a kernel's effect differs between nodes: the interaction that one number for all nodes hides."""

from __future__ import annotations

import numpy as np

from hpcvirt.core.stats.arrays import FloatArray
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
    explained, df_nodes = _explained(cells, totals(found.group * n_nodes + found.node, e, n_groups * n_nodes))
    n = cells.sum(axis=(1, 2))
    df = n - (cells.sum(axis=2) > 0).sum(axis=1) - df_nodes
    rest = totals(found.group, np.square(e), n_groups) - explained
    testable = (df_nodes > 0) & (df > 0) & (rest > n * ROUNDING**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        f = np.where(testable, explained / df_nodes / (rest / df), np.nan)
    return f, f_upper(f, df_nodes, df)


def _explained(cells: FloatArray, sums: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sum of squares that the nodes explain within strata, and its degrees of freedom. Cells may be missing.

    ``cells`` (G, strata, J) counts differences, ``sums`` (G * J,) adds them up by node, strata's means removed.
    """
    in_stratum = np.maximum(cells.sum(axis=2, keepdims=True), 1)
    normal = -np.einsum("gsi,gsj->gij", cells, cells / in_stratum)
    diagonal = np.arange(cells.shape[2])
    normal[:, diagonal, diagonal] += cells.sum(axis=1)
    inverse = np.linalg.pinv(normal, rcond=1e-10, hermitian=True)
    by_node = sums.reshape(cells.shape[0], -1)
    return np.einsum("gi,gij,gj->g", by_node, inverse, by_node), np.rint(np.einsum("gij,gji->g", normal, inverse))
