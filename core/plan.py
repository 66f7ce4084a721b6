"""Campaign and seed -> blocks, boots and runs. The same campaign gives the same plan on any machine.

Everything that is drawn is drawn by sorting on SHA-256 of seed and place, so that no library's random
generator, nor its next version, has a say in it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from hpcvirt.core.model import Benchmark, Boot, Campaign, Design, Order, Plan, Run, Scope

T = TypeVar("T")


def make_plan(campaign: Campaign) -> Plan:
    """Every boot and run, in the order of execution: block by block, within a block node by node."""
    boots = tuple(_boots(campaign))
    return Plan(boots=boots, runs=tuple(_runs(campaign, boots)), digest=_digest(campaign, boots))


def replication_unit(campaign: Campaign) -> str:
    """``node-block`` where each node draws its own kernel order, ``block`` where nodes move together."""
    return "block" if any(use.scope is Scope.CLUSTER for use in campaign.benchmarks) else "node-block"


def runs_in_block(design: Design, block: int) -> int:
    """How many of the runs fall into a block (from 1); earlier blocks take the remainder."""
    share, rest = divmod(design.runs, design.blocks)
    return share + (block <= rest)


def _boots(campaign: Campaign) -> Iterator[Boot]:
    together = replication_unit(campaign) == "block"
    kernels = [kernel.name for kernel in campaign.kernels]
    number = 0
    for block in range(1, campaign.design.blocks + 1):
        for node in campaign.nodes:
            order = _kernel_order(campaign.design, kernels, block, "*" if together else node.name)
            for position, kernel in enumerate(order, 1):
                number += 1
                yield Boot(number, block, position, kernel, node.name)


def _kernel_order(design: Design, kernels: Sequence[str], block: int, node: str) -> list[str]:
    """Balanced: over as many blocks as there are kernels, each kernel takes each position once."""
    if design.order is Order.SEQUENTIAL:
        return list(kernels)
    group, row = divmod(block - 1, len(kernels))
    base = _drawn(kernels, design.seed, "kernels", node, group)
    shift = _drawn(range(len(kernels)), design.seed, "shifts", node, group)[row]
    return base[shift:] + base[:shift]


def _runs(campaign: Campaign, boots: Iterable[Boot]) -> Iterator[Run]:
    design = campaign.design
    first = {1: 1}
    for block in range(1, design.blocks + 1):
        first[block + 1] = first[block] + runs_in_block(design, block)
    number = 0
    for boot in boots:
        for use in _benchmark_order(campaign, boot):
            for run in range(first[boot.block], first[boot.block + 1]):
                number += 1
                yield Run(number, boot, use, run)


def _benchmark_order(campaign: Campaign, boot: Boot) -> list[Benchmark]:
    by_label = {use.label: use for use in campaign.benchmarks}
    if campaign.design.order is Order.SEQUENTIAL:
        return list(campaign.benchmarks)
    return [by_label[label] for label in _drawn(by_label, campaign.design.seed, "benchmarks", boot.node, boot.id)]


def _drawn(items: Iterable[T], *place: object) -> list[T]:
    def ticket(item: T) -> bytes:
        return hashlib.sha256("\0".join(map(str, (*place, item))).encode()).digest()

    return sorted(items, key=ticket)


def _digest(campaign: Campaign, boots: Iterable[Boot]) -> str:
    """Of what is executed and how it is judged; title, notes and the way to a node may be mended."""
    told = dataclasses.asdict(campaign)
    del told["title"], told["notes"], told["connecting"]
    for node in told["nodes"]:
        del node["jump"], node["legacy"]
    order = [[boot.block, boot.node, boot.kernel] for boot in boots]
    return hashlib.sha256(canonical_json([told, order]).encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks: equal data give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=dict)
