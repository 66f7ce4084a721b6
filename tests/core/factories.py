"""Small campaigns, plans, databases and ends of attempts, made without a node."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from hpcvirt.core.benchmark import Reading
from hpcvirt.core.model import Analysis, Benchmark, Campaign, Design, Kernel, Node, Order, Plan, Scope, Status
from hpcvirt.core.plan import make_plan
from hpcvirt.core.process import ProcessIdentity, this_process
from hpcvirt.core.store.creation import Frozen
from hpcvirt.core.store.database import Database, Ended

TOML = """
[campaign]
name = "small"

[design]
runs = 4
blocks = 2

[analysis]
baseline = "native"

[lab]
nodes = 2

[[kernel]]
name = "native"

[[kernel]]
name = "other"

[[benchmark]]
plugin = "stream"
"""
"""A campaign file without a fault."""

STREAM = Benchmark("stream", {"array_size": 1000, "ntimes": 2, "threads": 1}, 60.0)

DEAD = 1 << 30
"""No process has this pid."""


def campaign(
    *,
    kernels: Iterable[str] = ("native", "other"),
    nodes: Iterable[str] = ("node1", "node2"),
    benchmarks: Iterable[Benchmark] = (STREAM,),
    order: Order = Order.RANDOMIZED_BLOCKS,
    runs: int = 4,
    blocks: int = 2,
    seed: int = 7,
    name: str = "small",
    at_once: int | None = None,
) -> Campaign:
    """A campaign in memory; the first kernel is the baseline."""
    names = tuple(kernels)
    return Campaign(
        name=name,
        nodes=tuple(Node(node, "127.0.0.1") for node in nodes),
        kernels=tuple(Kernel(kernel) for kernel in names),
        benchmarks=tuple(benchmarks),
        design=Design(order, runs, blocks, seed, at_once),
        analysis=Analysis(names[0]),
    )


def cluster_wide(use: Benchmark) -> Benchmark:
    """The same benchmark over all nodes."""
    return replace(use, scope=Scope.CLUSTER)


def frozen(told: Campaign) -> tuple[Frozen, Plan]:
    """What a database is made from, nothing built."""
    plan = make_plan(told)
    return Frozen(told, plan, "small.toml", TOML, {}), plan


def new_database(path: Path, told: Campaign | None = None) -> tuple[Database, Plan]:
    """A new database and the plan in it. The caller closes it."""
    content, plan = frozen(told or campaign())
    return Database.create(path, content), plan


def ended(status: Status = Status.OK, **more: float | str | bytes | Mapping[str, object] | None) -> Ended:
    """The end of an attempt; an ok one with a value for each metric of STREAM, unless ``value`` says otherwise."""
    value = more.pop("value", 1.5)
    assert isinstance(value, float)
    readings = {name: Reading(value, "MB/s", value, "MB/s") for name in ("copy", "scale", "add", "triad")}
    fields = {"elapsed_s": 1.0, "duration_s": 0.9, "exit_status": 0, "boot_id": "b-1"} | more
    return replace(Ended(status, readings=readings if status is Status.OK else {}), **fields)  # type: ignore[arg-type]


def do_run(database: Database, run: int, attempt: str, end: Ended | None) -> None:
    """One attempt from begin to end; ``None``: it stays under way."""
    database.begin_attempt(attempt, run)
    if end is not None:
        database.end_attempt(attempt, end)


def process(**changed: str | int) -> ProcessIdentity:
    """This process, with a field or two of another."""
    return replace(this_process(), **changed)  # type: ignore[arg-type]


def mode_of(path: Path) -> int:
    """Permission bits."""
    return os.stat(path).st_mode & 0o777  # noqa: PTH116 - nothing to gain here
