"""Boots in whose midst a node rebooted: their runs are of several lives of it. Flags, never acted upon.

What a boot draws its runs share; runs of one boot that do not share a life vary as if there had been more boots.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpcvirt.core.stats.model import Comparison, Flag
from hpcvirt.core.store.queries import reading

CODE = "rebooted-within"
BLOCKS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class RebootedWithin:
    """One boot's runs of one benchmark."""

    node: str
    kernel: str
    block: int
    benchmark: str
    """Label."""
    lives: int
    """So many boot_ids do its ok runs carry."""


def rebooted_within(path: Path) -> list[RebootedWithin]:
    """In the order of the plan. Raises StoreUnusable."""
    with reading(path) as connection:
        rows = connection.execute(
            "SELECT node, kernel, block, benchmark, lives FROM rebooted_within ORDER BY boot, benchmark"
        )
        return [RebootedWithin(*row) for row in rows]


def flagged(rows: Iterable[Comparison], found: Sequence[RebootedWithin]) -> tuple[Comparison, ...]:
    """The comparisons, those of either kernel's boots with a flag."""
    boots = Counter((one.benchmark, one.kernel) for one in found)
    return tuple(replace(row, flags=(*_flags(row, boots), *row.flags)) for row in rows)


def _flags(row: Comparison, boots: Counter[tuple[str, str]]) -> Iterator[Flag]:
    for kernel in (row.kernel, row.baseline):
        if count := boots[row.benchmark, kernel]:
            where = "a boot" if count == 1 else f"{count} boots"
            text = f"the node rebooted in the midst of {where} of {kernel}: runs of one boot are of several lives"
            yield Flag(CODE, text, kernel, float(count))


def rebooted_flags(found: Iterable[RebootedWithin]) -> tuple[str, ...]:
    """A line for each kernel and node."""
    blocks: dict[tuple[str, str], set[int]] = defaultdict(set)
    for one in found:
        blocks[one.node, one.kernel].add(one.block)
    return tuple(_line(node, kernel, sorted(found)) for (node, kernel), found in blocks.items())


def _line(node: str, kernel: str, blocks: Sequence[int]) -> str:
    shown = ", ".join(map(str, blocks[:BLOCKS_SHOWN])) + (" ..." if blocks[BLOCKS_SHOWN:] else "")
    where = f"block {shown}" if len(blocks) == 1 else f"blocks {shown}"
    return f"{node} under {kernel}: rebooted within the boot of {where}; its runs are of several lives, and count"
