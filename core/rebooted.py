"""Boots in whose midst a node rebooted: their runs are of several lives of it. Flags, never acted upon.

What a boot draws its runs share; runs of one boot that do not share a life vary as if there had been more boots.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpcvirt.core.stats.model import Comparison, Flag
from hpcvirt.core.store.queries import reading

CODE = "rebooted-within"


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
    by: dict[tuple[str, str], int] = defaultdict(int)
    for one in found:
        by[one.benchmark, one.kernel] += 1
    return tuple(
        replace(
            row,
            flags=(
                *row.flags,
                *(
                    _flag(name, by[row.benchmark, name])
                    for name in (row.kernel, row.baseline)
                    if (row.benchmark, name) in by
                ),
            ),
        )
        for row in rows
    )


def _flag(kernel: str, boots: int) -> Flag:
    where = "a boot" if boots == 1 else f"{boots} boots"
    text = f"the node rebooted in the midst of {where} of {kernel}: runs of one boot are of several lives"
    return Flag(CODE, text, kernel, float(boots))


def rebooted_flags(path: Path) -> tuple[str, ...]:
    """A line for each boot. Raises StoreUnusable."""
    lives: dict[tuple[str, str, int], int] = defaultdict(int)
    for one in rebooted_within(path):
        place = one.node, one.kernel, one.block
        lives[place] = max(lives[place], one.lives)
    return tuple(
        f"{node} under {kernel}, block {block}: rebooted within; its runs are of {count} lives, and count all the same"
        for (node, kernel, block), count in lives.items()
    )
