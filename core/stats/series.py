"""Flags of each series: what its runs, its boots and the way in which it was recorded show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from hpcvirt.core.stats.batch import Batch
from hpcvirt.core.stats.diagnose import LEVEL, Readings, read
from hpcvirt.core.stats.granularity import Grid, grid_of
from hpcvirt.core.stats.model import Flag, Unit


def series_flags(batch: Batch, unit: Unit, delta: float) -> Mapping[tuple[int, int], tuple[Flag, ...]]:
    """Flags of every kernel's runs, by (group, kernel). Series with values that are not numbers get none.

    ``unit``: what the test replicates. That boots differ matters only where runs are taken for independent.
    """
    readings, grid = read(batch, unit is Unit.BLOCK), grid_of(batch, delta)
    found: dict[tuple[int, int], tuple[Flag, ...]] = {}
    for slot in np.flatnonzero(batch.not_finite.reshape(-1) == 0).tolist():
        g, k = divmod(slot, len(batch.kernels))
        flags = (
            *_of_runs(readings, slot, batch.kernels[k], unit),
            *_of_order(readings, slot, batch.kernels[k]),
            *_of_recording(grid, slot, batch.kernels[k]),
        )
        if flags:
            found[g, k] = flags
    return found


def _of_runs(found: Readings, i: int, kernel: str, unit: Unit) -> Iterator[Flag]:
    n = int(found.n[i])
    if found.outliers[i] > 0:
        count, far = int(found.outliers[i]), float(found.farthest[i])
        text = (
            f"{count} of {n} values of {kernel} lie far from the median of their node, "
            f"the farthest by {far:.3g} robust sd; they are kept"
        )
        yield Flag("outliers", text, kernel, float(count))
    worth = f"{n} runs tell as much as {found.effective_n[i]:.0f} independent ones"
    if unit is Unit.RUN and found.boot_p[i] < LEVEL:
        f, p = float(found.boot_f[i]), float(found.boot_p[i])
        yield Flag("boot-effect", f"{kernel} varies from boot to boot (F = {f:.3g}): {worth}", kernel, f, p)
    if found.autocorrelation_p[i] < LEVEL:
        r, p = float(found.autocorrelation[i]), float(found.autocorrelation_p[i])
        text = f"consecutive runs of {kernel} within a boot are alike (r = {r:.2f}): {worth}"
        if r < 0:
            text = f"consecutive runs of {kernel} within a boot alternate (r = {r:.2f})"
        yield Flag("autocorrelated", text, kernel, r, p)


def _of_order(found: Readings, i: int, kernel: str) -> Iterator[Flag]:
    if found.drift_p[i] < LEVEL:
        r, p, change = float(found.drift[i]), float(found.drift_p[i]), float(found.drift_sd[i])
        way = "rises" if change > 0 else "falls"
        text = f"{kernel} {way} by {abs(change):.1f} sd from its first run on a node to its last"
        yield Flag("drift", text, kernel, r, p)
    if found.node_p[i] < LEVEL:
        f, p = float(found.node_f[i]), float(found.node_p[i])
        yield Flag("node-effect", f"the nodes differ under {kernel} (F = {f:.3g})", kernel, f, p)


def _of_recording(grid: Grid, i: int, kernel: str) -> Iterator[Flag]:
    if grid.is_coarse[i]:
        step, share = float(grid.step[i]), 100 * float(grid.share[i])
        text = (
            f"values of {kernel} come in steps of {step:.3g} ({share:.3g} % of their mean) and vary by hardly more: "
            "rounding can move a mean by up to half a step"
        )
        yield Flag("resolution", text, kernel, step)
    for count, end, which in ((grid.at_top[i], grid.top[i], "above"), (grid.at_bottom[i], grid.bottom[i], "below")):
        if count:
            text = (
                f"{count:g} of {grid.n[i]:g} values of {kernel} are {end:.6g} and none lies {which}: a limit cut them?"
            )
            yield Flag("clipped", text, kernel, float(count))
