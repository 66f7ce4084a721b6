"""Campaign and seed -> blocks, boots and runs. The same campaign gives the same plan on any machine.

Everything that is drawn is drawn by sorting on SHA-256 of seed and place, so that no library's random
generator, nor its next version, has a say in it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeVar

from hpcvirt.core.model import ALL_NODES, Benchmark, Boot, Campaign, Design, Order, Plan, Run, Scope

T = TypeVar("T")


def make_plan(campaign: Campaign) -> Plan:
    """Every boot and run, in the order of execution: phase by phase, block by block, added blocks last.

    Where nodes move together a benchmark of all of them is planned once, in a boot of the node ``*``.
    """
    boots: list[Boot] = []
    runs: list[Run] = []
    for phase, uses, block in _blocks(campaign):
        visits = _visits(campaign, phase, uses, block, len(boots))
        boots += visits
        for boot, use in _executions(campaign, uses, visits):
            runs += _runs(campaign.design, boot, use, len(runs))
    return Plan(boots=tuple(boots), runs=tuple(runs), digest=_digest(campaign, boots))


def phases(campaign: Campaign) -> tuple[tuple[Benchmark, ...], ...]:
    """The benchmarks that share boots, phase by phase."""
    if not campaign.design.phases:
        return (campaign.benchmarks,)
    return tuple(tuple(use for use in campaign.benchmarks if use.label in labels) for labels in campaign.design.phases)


def unit_of(uses: Iterable[Benchmark]) -> str:
    """What is replicated where these share boots.

    ``node-block`` where each node draws its own kernel order, ``block`` where a benchmark of all makes nodes move
    together.
    """
    return "block" if any(use.scope is Scope.CLUSTER for use in uses) else "node-block"


def replication_unit(campaign: Campaign) -> str:
    """Of a campaign: ``block`` as soon as it is that in one phase. See ``replication_units`` for each benchmark."""
    return unit_of(campaign.benchmarks)


def replication_units(campaign: Campaign) -> dict[str, str]:
    """By benchmark label."""
    return {use.label: unit_of(uses) for uses in phases(campaign) for use in uses}


def runs_in_block(design: Design, block: int) -> int:
    """How many of the runs fall into a block (from 1); earlier blocks take the remainder, an added one the share."""
    share, rest = divmod(design.runs, design.blocks)
    return share + (block <= rest)


def _blocks(campaign: Campaign) -> Iterator[tuple[int, tuple[Benchmark, ...], int]]:
    """Phase, its benchmarks, and block, in the order of execution."""
    planned, added = campaign.design.blocks, campaign.design.added_blocks
    for blocks in (range(1, planned + 1), range(planned + 1, planned + added + 1)):
        for phase, uses in enumerate(phases(campaign), 1):
            yield from ((phase, uses, block) for block in blocks)


def _visits(campaign: Campaign, phase: int, uses: Iterable[Benchmark], block: int, number: int) -> list[Boot]:
    """The boots of one block: node after node, or, where nodes move together, kernel after kernel."""
    kernels = [kernel.name for kernel in campaign.kernels]
    nodes = [node.name for node in campaign.nodes]
    if unit_of(uses) == "block":
        order = _kernel_order(campaign.design, kernels, phase, block, ALL_NODES)
        places = [(at, kernel, node) for at, kernel in enumerate(order, 1) for node in (*nodes, ALL_NODES)]
    else:
        orders = {node: _kernel_order(campaign.design, kernels, phase, block, node) for node in nodes}
        places = [(at, kernel, node) for node in nodes for at, kernel in enumerate(orders[node], 1)]
    return [Boot(number + n, block, *place, phase=phase) for n, place in enumerate(places, 1)]


def _kernel_order(design: Design, kernels: Sequence[str], phase: int, block: int, node: str) -> list[str]:
    """Balanced: over as many blocks as there are kernels, each kernel takes each position once."""
    if design.order is Order.SEQUENTIAL:
        return list(kernels)
    group, row = divmod(block - 1, len(kernels))
    base = _drawn(kernels, design.seed, "kernels", phase, node, group)
    shift = _drawn(range(len(kernels)), design.seed, "shifts", phase, node, group)[row]
    return base[shift:] + base[:shift]


def _executions(
    campaign: Campaign, uses: Sequence[Benchmark], visits: Sequence[Boot]
) -> Iterator[tuple[Boot, Benchmark]]:
    """Which benchmark runs in which boot, in the order of execution."""
    if unit_of(uses) != "block":
        for boot in visits:
            yield from ((boot, use) for use in _benchmark_order(campaign.design, uses, boot))
        return
    for _, members in groupby(visits, key=lambda boot: boot.position):
        boots = list(members)
        # All nodes take the same order, or they would wait for each other.
        for use in _benchmark_order(campaign.design, uses, boots[-1]):
            wide = use.scope is Scope.CLUSTER
            yield from ((boot, use) for boot in boots if (boot.node == ALL_NODES) is wide)


def _benchmark_order(design: Design, uses: Sequence[Benchmark], boot: Boot) -> list[Benchmark]:
    by_label = {use.label: use for use in uses}
    if design.order is Order.SEQUENTIAL:
        return list(uses)
    place = (boot.phase, boot.block, boot.node, boot.kernel)
    return [by_label[label] for label in _drawn(by_label, design.seed, "benchmarks", *place)]


def _runs(design: Design, boot: Boot, use: Benchmark, number: int) -> Iterator[Run]:
    """Those of one benchmark in one boot: the warm-up first."""
    done = boot.block - 1
    share, rest = divmod(design.runs, design.blocks)
    first = done * share + min(done, rest)
    for n in range(1, design.warmup + 1):
        yield Run(number + n, boot, use, done * design.warmup + n, is_warmup=True)
    for n in range(1, runs_in_block(design, boot.block) + 1):
        yield Run(number + design.warmup + n, boot, use, first + n)


def _drawn(items: Iterable[T], *place: object) -> list[T]:
    begun = hashlib.sha256("\0".join(map(str, (*place, ""))).encode())

    def ticket(item: T) -> bytes:
        found = begun.copy()
        found.update(str(item).encode())
        return found.digest()

    return sorted(items, key=ticket)


def _digest(campaign: Campaign, boots: Iterable[Boot]) -> str:
    """Of what is executed and how it is judged; title, notes and the way to a node may be mended."""
    told = dataclasses.asdict(campaign)
    del told["title"], told["notes"], told["connecting"]
    for node in told["nodes"]:
        for way in ("port", "user", "identity_file", "jump", "legacy", "inner_host"):
            del node[way]
    for kernel in told["kernels"]:
        # How long a node may take says nothing of what is measured.
        del kernel["boot_limit_s"], kernel["boot_retries"], kernel["expect"]["nonce"]
    for claim in told["claims"]:
        if claim["reference"] is None:  # so that campaigns begun before there were references keep their plan
            del claim["reference"]
    order = [[boot.phase, boot.block, boot.node, boot.kernel] for boot in boots]
    return hashlib.sha256(canonical_json([told, order]).encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks: equal data give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=dict)
