"""The F of nodes in d, against least squares with every column written out."""

from __future__ import annotations

import numpy as np
import pytest

from hpcvirt.core.stats import Series, Settings, Unit, compare
from hpcvirt.core.stats.arrays import FloatArray, IntArray
from hpcvirt.core.stats.blocked import Differences
from hpcvirt.core.stats.by_node import effect_by_node


def rest(d: FloatArray, *factors: IntArray) -> tuple[float, int]:
    """Residual sum of squares, and the rank of the model."""
    columns = [np.ones((d.size, 1)), *((f[:, None] == np.unique(f)).astype(float) for f in factors)]
    model = np.hstack(columns)
    fit, *_ = np.linalg.lstsq(model, d, rcond=None)
    return float(np.square(d - model @ fit).sum()), int(np.linalg.matrix_rank(model))


@pytest.mark.parametrize("unit", [Unit.BLOCK, Unit.NODE_BLOCK])
@pytest.mark.parametrize(("nodes", "blocks"), [(3, 7), (7, 3), (12, 4), (2, 2), (5, 5)])
@pytest.mark.parametrize("lost", [0.0, 0.2, 0.5])
def test_f_is_that_of_least_squares(rng: np.random.Generator, unit: Unit, nodes: int, blocks: int, lost: float) -> None:
    """More nodes than blocks, more blocks than nodes, complete or not, in one piece or in several."""
    node, block = (axis.reshape(-1) for axis in np.indices((nodes, blocks)))
    kept = [rng.random(node.size) >= lost for _ in range(6)]
    group = np.concatenate([np.full(int(one.sum()), g) for g, one in enumerate(kept)])
    node, block = (np.concatenate([codes[one] for one in kept]) for codes in (node, block))
    d = rng.normal(size=group.size) + node
    f, _ = effect_by_node(Differences(group, node, block, d), unit, 6, nodes)
    for g in range(6):
        at = group == g
        if not at.any():
            assert np.isnan(f[g])
            continue
        strata = [block[at]] if unit is Unit.BLOCK else []
        less, few = rest(d[at], *strata)
        more, many = rest(d[at], *strata, node[at])
        df = int(at.sum()) - many
        if many > few and df > 0:
            assert f[g] == pytest.approx((less - more) / (many - few) / (more / df), rel=1e-8)
        else:
            assert np.isnan(f[g])


@pytest.mark.parametrize("unit", [Unit.BLOCK, Unit.NODE_BLOCK])
def test_rounding_noise_has_no_f(unit: Unit) -> None:
    """Each node has a constant ratio of its own, in values that vary: there is nothing to compare it with."""
    node, block = (axis.reshape(-1) for axis in np.indices((3, 6)))
    base = 100 + 7.3 * np.sin(block + 1) + node
    other = base * (1.1 + 0.1 * node)
    (one,) = compare(
        [Series.of(k, "b", "t", v, node=node, block=block) for k, v in (("A", base), ("B", other))],
        Settings(unit=unit),
    )
    assert "kernel-by-node" not in {flag.code for flag in one.flags}
