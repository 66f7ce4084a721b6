"""The plan as one node walks it: visit after visit of a kernel, and within it benchmark after benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from hpcvirt.core.model import ALL_NODES, Benchmark, Boot, Plan, Run

_Key = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """Runs of one benchmark: of one node alone, or of all together."""

    boot: Boot
    runs: tuple[Run, ...]

    @property
    def is_shared(self) -> bool:
        """Whether they occupy all nodes."""
        return self.boot.node == ALL_NODES


@dataclass(frozen=True, slots=True)
class Visit:
    """One kernel on one node, and what is to be run in it, in this order."""

    boot: Boot
    parts: tuple[Part, ...]

    @property
    def own(self) -> tuple[Run, ...]:
        """Runs of the node alone."""
        return tuple(run for part in self.parts if not part.is_shared for run in part.runs)

    @property
    def shared(self) -> tuple[Run, ...]:
        """Runs of all nodes, which are then in the kernel at the same time."""
        return tuple(run for part in self.parts if part.is_shared for run in part.runs)

    @property
    def runs(self) -> tuple[Run, ...]:
        """All of them."""
        return tuple(run for part in self.parts for run in part.runs)


def visits_of(plan: Plan, nodes: Sequence[str]) -> dict[str, tuple[Visit, ...]]:
    """By node, each in its order of execution. Visits in which nothing is planned are left out."""
    runs: dict[str, dict[_Key, list[Run]]] = {}
    for run in plan.runs:
        runs.setdefault(run.boot.node, {}).setdefault(_key(run.boot), []).append(run)
    wide = runs.get(ALL_NODES, {})
    boots: dict[str, list[Boot]] = {}
    for boot in plan.boots:
        boots.setdefault(boot.node, []).append(boot)
    return {node: tuple(_visits(boots.get(node, ()), runs.get(node, {}), wide)) for node in nodes}


def _key(boot: Boot) -> _Key:
    return boot.phase, boot.block, boot.position


def _visits(boots: Sequence[Boot], own: Mapping[_Key, list[Run]], wide: Mapping[_Key, list[Run]]) -> Iterator[Visit]:
    for boot in boots:
        key = _key(boot)
        # The plan's order is that of execution.
        runs = sorted([*own.get(key, ()), *wide.get(key, ())], key=lambda run: run.id)
        if runs:
            grouped = groupby(runs, key=lambda run: (run.boot.id, run.benchmark.label))
            yield Visit(boot, tuple(_part(tuple(members)) for _, members in grouped))


def _part(runs: tuple[Run, ...]) -> Part:
    return Part(runs[0].boot, runs)


def benchmarks_of(runs: Iterable[Run]) -> list[Benchmark]:
    """Of these runs, each once, in their order."""
    return list({run.benchmark.label: run.benchmark for run in runs}.values())


def aims(boot: Boot, uses: Iterable[Benchmark]) -> set[tuple[str, str]]:
    """Kernel and benchmark of each for which a node is made ready."""
    return {(boot.kernel, use.label) for use in uses}
