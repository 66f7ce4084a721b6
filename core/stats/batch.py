"""Many series laid end to end, so that one pass of numpy serves them all.

A *group* is one metric of one benchmark; arrays of shape (G, K) hold one entry per group and kernel.

Values are worked on as ``(x / 2**exponent) - shift``, per group: the power of two is exact and keeps squares
of 1e300 and of 1e-300 within range, and the shift keeps the digits of small differences between large values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.stats.arrays import BoolArray, FloatArray, IntArray
from hpcvirt.core.stats.model import Series

Number = TypeVar("Number", np.float64, np.int64)

SAME = 10 * float(np.finfo(np.float64).eps)
"""Relative difference up to which values count as the same: R's criterion for "data are essentially constant"."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows are values, in the order of groups, then kernels, then runs. R rows, G groups, K kernels, J nodes."""

    kernels: tuple[str, ...]
    members: tuple[tuple[Series | None, ...], ...]
    """[G][K]: the series, or None where a kernel has none in this group."""
    value: FloatArray
    """(R,) worked on as the module says; 0 where the value was not finite."""
    scaled: FloatArray
    """(R,) value / 2**(its series' own exponent), for logarithms and reciprocals; 0 where it was not finite."""
    slot: IntArray
    """(R,) group * K + kernel."""
    node: IntArray
    """(R,) from 0 to J - 1."""
    block: IntArray
    """(R,) from 0 on, as ``boot``."""
    boot: IntArray
    exponent: IntArray
    """(G,)"""
    own_exponent: IntArray
    """(G, K) of each series: beside 1e300, 1e-300 would vanish on the group's scale."""
    shift: FloatArray
    """(G,)"""
    not_finite: IntArray
    """(G, K) how many values are NaN or infinite."""
    n_nodes: int
    """J, over all groups."""

    @property
    def shape(self) -> tuple[int, int]:
        """(G, K)."""
        return len(self.members), len(self.kernels)

    def exact(self) -> BoolArray:
        """(G,) metrics whose values have no error."""
        return np.array([first(row).exact for row in self.members], dtype=bool)

    def sums(self, rows: FloatArray) -> FloatArray:
        """(G, K) sums of a column with one entry per row."""
        groups, kernels = self.shape
        return totals(self.slot, rows, groups * kernels).reshape(self.shape)

    def counts(self) -> FloatArray:
        """(G, K) number of rows."""
        return self.sums(np.ones(self.value.size))

    def by_node(self, rows: FloatArray | None = None) -> FloatArray:
        """(G, K, J) sums of a column, or counts of rows."""
        groups, kernels = self.shape
        key = self.slot * self.n_nodes + self.node
        column = np.ones(self.value.size) if rows is None else rows
        cells = totals(key, column, groups * kernels * self.n_nodes)
        return cells.reshape(groups, kernels, self.n_nodes)

    def restored(self, worked: FloatArray) -> FloatArray:
        """Locations (G, ...) back in the unit of the metric."""
        lift = worked.shape[:1] + (1,) * (worked.ndim - 1)
        return self.lifted(worked + self.shift.reshape(lift))

    def lifted(self, worked: FloatArray) -> FloatArray:
        """Differences and spreads (G, ...) back in the unit of the metric."""
        lift = worked.shape[:1] + (1,) * (worked.ndim - 1)
        return np.ldexp(worked, self.exponent.reshape(lift))


def totals(key: IntArray, rows: FloatArray, size: int) -> FloatArray:
    """(size,) sums of rows that share a key from 0 to size - 1."""
    # numpy's stub calls the result integers, which with weights it never is
    return np.asarray(np.bincount(key, weights=rows, minlength=size), dtype=np.float64)


def distinct(key: IntArray) -> tuple[IntArray, IntArray]:
    """Sorted different keys, and for each row the place of its key among them."""
    if not key.size:
        return key, key
    low = key.min()
    span = int(key.max() - low) + 1
    if span > 8 * key.size + 1000:
        found, at = np.unique(key, return_inverse=True)
        return found, at.reshape(-1)
    # marking a table is ten times as quick as sorting, and keys are mostly dense
    seen = np.zeros(span, dtype=bool)
    seen[key - low] = True
    return np.flatnonzero(seen) + low, (np.cumsum(seen) - 1)[key - low]


def lay_out(series: Sequence[Series]) -> Batch:
    """The batch of some series; groups and kernels in the order in which they first appear.

    Raises UsageWrong where two series of one group disagree or say the same thing twice.
    """
    kernels = {name: i for i, name in enumerate(dict.fromkeys(s.kernel for s in series))}
    members = [tuple(row) for row in _members(series, kernels)]
    flat = [(g * len(kernels) + k, s) for g, row in enumerate(members) for k, s in enumerate(row) if s is not None]
    sizes = [s.values.size for _, s in flat]
    slot = np.repeat(np.array([at for at, _ in flat], dtype=np.int64), sizes)
    raw = _joined([s.values for _, s in flat], np.float64)
    finite = np.isfinite(raw)
    group = slot // max(len(kernels), 1)
    known = np.where(finite, raw, 0.0)
    value, exponent, shift = _worked(known, finite, group, len(members))
    own = _exponents(known, slot, len(members) * len(kernels))
    nodes, node = distinct(_joined([s.node for _, s in flat], np.int64))
    _, block = distinct(_joined([s.block for _, s in flat], np.int64))
    _, boot = distinct(_joined([s.boot for _, s in flat], np.int64))
    lost = np.bincount(slot[~finite], minlength=len(members) * len(kernels))
    return Batch(
        kernels=tuple(kernels),
        members=tuple(members),
        value=value,
        scaled=np.ldexp(known, -own[slot]),
        slot=slot,
        node=node,
        block=block,
        boot=boot,
        exponent=exponent,
        own_exponent=own.reshape(len(members), len(kernels)),
        shift=shift,
        not_finite=lost.reshape(len(members), len(kernels)),
        n_nodes=max(nodes.size, 1),
    )


def boot_means(batch: Batch) -> Batch:
    """The same batch with one row per boot, its arithmetic mean, in the order of kernels, nodes, blocks.

    A boot is told by kernel, node, block and boot code together: codes need not differ between kernels.
    """
    sizes = batch.n_nodes, int(batch.block.max(initial=0)) + 1, int(batch.boot.max(initial=0)) + 1
    key = ((batch.slot * sizes[0] + batch.node) * sizes[1] + batch.block) * sizes[2] + batch.boot
    _, at = distinct(key)
    count = totals(at, np.ones(at.size), int(at.max(initial=-1)) + 1)
    first = np.full(count.size, at.size)
    np.minimum.at(first, at, np.arange(at.size))
    return replace(
        batch,
        value=totals(at, batch.value, count.size) / count,
        scaled=totals(at, batch.scaled, count.size) / count,
        slot=batch.slot[first],
        node=batch.node[first],
        block=batch.block[first],
        boot=batch.boot[first],
    )


def first(row: Sequence[Series | None]) -> Series:
    """The first series of a group: what it says of unit, better, primary and exact holds for all."""
    return next(one for one in row if one is not None)


def steady(batch: Batch) -> BoolArray:
    """(G, K) no value of the kernel differs from another on the same node by more than rounding."""
    key = batch.slot * batch.n_nodes + batch.node
    some = np.zeros(batch.shape[0] * batch.shape[1] * batch.n_nodes)
    some[key] = batch.scaled
    varies = np.abs(batch.scaled - some[key]) > SAME * np.abs(some[key])
    return np.asarray(batch.sums(varies.astype(np.float64)) == 0)


def block_counts(batch: Batch) -> IntArray:
    """(G,) number of different blocks."""
    group = batch.slot // max(len(batch.kernels), 1)
    size = int(batch.block.max(initial=0)) + 1
    seen, _ = distinct(group * size + batch.block)
    return np.bincount(seen // size, minlength=batch.shape[0])


def boot_counts(batch: Batch) -> FloatArray:
    """(G, K) largest number of boots on any one node."""
    size = int(batch.boot.max(initial=0)) + 1
    seen, _ = distinct((batch.slot * batch.n_nodes + batch.node) * size + batch.boot)
    cells = totals(seen // size, np.ones(seen.size), batch.shape[0] * batch.shape[1] * batch.n_nodes)
    most: FloatArray = cells.reshape(*batch.shape, batch.n_nodes).max(axis=2)
    return most


def chosen(batch: Batch, groups: BoolArray) -> Batch:
    """The batch of some of its groups only; ``groups`` has shape (G,)."""
    n_kernels = len(batch.kernels)
    rows = groups[batch.slot // n_kernels]
    renumbered = np.cumsum(groups) - 1
    slot = batch.slot[rows]
    return replace(
        batch,
        members=tuple(row for row, keep in zip(batch.members, groups, strict=True) if keep),
        value=batch.value[rows],
        scaled=batch.scaled[rows],
        slot=renumbered[slot // n_kernels] * n_kernels + slot % n_kernels,
        node=batch.node[rows],
        block=batch.block[rows],
        boot=batch.boot[rows],
        exponent=batch.exponent[groups],
        own_exponent=batch.own_exponent[groups],
        shift=batch.shift[groups],
        not_finite=batch.not_finite[groups],
    )


def _members(series: Sequence[Series], kernels: dict[str, int]) -> list[list[Series | None]]:
    rows: dict[tuple[str, str], list[Series | None]] = {}
    for one in series:
        row = rows.setdefault((one.benchmark, one.metric), [None] * len(kernels))
        at = kernels[one.kernel]
        if row[at] is not None:
            raise UsageWrong(f"{one.benchmark} {one.metric}: kernel {one.kernel} is given twice")
        other = next((s for s in row if s is not None), one)
        if any(getattr(other, name) != getattr(one, name) for name in ("unit", "better", "primary", "exact")):
            raise UsageWrong(
                f"{one.benchmark} {one.metric}: {other.kernel} and {one.kernel} differ in unit, better, primary "
                "or exact",
                hint="one metric has one unit and one good direction",
            )
        row[at] = one
    return list(rows.values())


def _worked(
    raw: FloatArray, finite: BoolArray, group: IntArray, n_groups: int
) -> tuple[FloatArray, IntArray, FloatArray]:
    exponent = _exponents(raw, group, n_groups)
    scaled = np.ldexp(raw, -exponent[group])
    count = totals(group, finite.astype(np.float64), n_groups)
    shift = totals(group, scaled, n_groups) / np.maximum(count, 1)
    return np.where(finite, scaled - shift[group], 0.0), exponent, shift


def _exponents(raw: FloatArray, key: IntArray, size: int) -> IntArray:
    largest = np.zeros(size)
    np.maximum.at(largest, key, np.abs(raw))
    return np.frexp(largest)[1].astype(np.int64)


def _joined(arrays: Sequence[NDArray[Number]], kind: type[Number]) -> NDArray[Number]:
    return np.concatenate(arrays).astype(kind, copy=False) if arrays else np.empty(0, dtype=kind)
