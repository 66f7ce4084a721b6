"""The plan: exact counts, balance, and the same for the same campaign anywhere."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcvirt.core.model import Benchmark, Campaign, Design, Order, Plan
from hpcvirt.core.plan import make_plan, replication_unit, runs_in_block
from tests.core.factories import STREAM, campaign, cluster_wide

DIGEST = "48e86e383bb2685c667769aad83a7f76754bff916a87b58e666208cf425b24ec"
"""Of ``campaign()``. When it changes, no campaign under way can be resumed: that is a breaking change."""

LONGER = replace(STREAM, parameters={"array_size": 2000, "ntimes": 2, "threads": 1})


def names(what: str, most: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.integers(1, most).map(lambda count: tuple(f"{what}{i}" for i in range(1, count + 1)))


@st.composite
def campaigns(draw: st.DrawFn) -> Campaign:
    runs = draw(st.integers(1, 8))
    order = draw(st.sampled_from(Order))
    uses: list[tuple[Benchmark, ...]] = [(STREAM,), (STREAM, LONGER), (cluster_wide(STREAM), LONGER)]
    return campaign(
        kernels=draw(names("k", 5)),
        nodes=draw(names("n", 3)),
        benchmarks=draw(st.sampled_from(uses)),
        order=order,
        runs=runs,
        blocks=1 if order is Order.SEQUENTIAL else draw(st.integers(1, runs)),
        seed=draw(st.integers(0, 1 << 62)),
    )


def orders(plan: Plan) -> dict[tuple[int, str], list[str]]:
    """Kernels in the order of their visits, by block and node."""
    found: dict[tuple[int, str], list[str]] = {}
    for boot in plan.boots:
        found.setdefault((boot.block, boot.node), []).append(boot.kernel)
    return found


@given(campaigns())
@settings(max_examples=40)
def test_each_kernel_is_visited_once_per_block_and_node(told: Campaign) -> None:
    found = orders(make_plan(told))
    assert set(found) == {(block, node.name) for block in range(1, told.design.blocks + 1) for node in told.nodes}
    for order in found.values():
        assert sorted(order) == sorted(kernel.name for kernel in told.kernels)


@given(campaigns())
@settings(max_examples=40)
def test_positions_are_those_of_the_visits(told: Campaign) -> None:
    plan = make_plan(told)
    assert [boot.id for boot in plan.boots] == list(range(1, len(plan.boots) + 1))
    seen: Counter[tuple[int, str]] = Counter()
    for boot in plan.boots:
        seen[boot.block, boot.node] += 1
        assert boot.position == seen[boot.block, boot.node]


@given(campaigns())
@settings(max_examples=40)
def test_every_kernel_benchmark_and_node_gets_exactly_its_runs(told: Campaign) -> None:
    plan = make_plan(told)
    assert [run.id for run in plan.runs] == list(range(1, len(plan.runs) + 1))
    numbers: dict[tuple[str, str, str], list[int]] = {}
    for run in plan.runs:
        numbers.setdefault((run.boot.kernel, run.boot.node, run.benchmark.label), []).append(run.number)
    assert len(numbers) == len(told.kernels) * len(told.nodes) * len(told.benchmarks)
    for found in numbers.values():
        assert found == list(range(1, told.design.runs + 1))


@given(campaigns())
@settings(max_examples=40)
def test_runs_stand_boot_by_boot_in_the_order_of_execution(told: Campaign) -> None:
    plan = make_plan(told)
    visited = list(dict.fromkeys(run.boot for run in plan.runs))
    assert visited == list(plan.boots)
    for boot in plan.boots:
        mine = [run for run in plan.runs if run.boot == boot]
        assert len(mine) == runs_in_block(told.design, boot.block) * len(told.benchmarks)
        changes = sum(one.benchmark != other.benchmark for one, other in pairwise(mine))
        assert changes == len(told.benchmarks) - 1


@given(st.integers(1, 10_000), st.data())
def test_runs_are_spread_evenly_over_blocks(runs: int, data: st.DataObject) -> None:
    blocks = data.draw(st.integers(1, min(runs, 200)))
    design = Design(runs=runs, blocks=blocks)
    shares = [runs_in_block(design, block) for block in range(1, blocks + 1)]
    assert sum(shares) == runs
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 1 << 62))
@settings(max_examples=50)
def test_positions_are_balanced(kernels: int, rounds: int, seed: int) -> None:
    blocks = kernels * rounds
    told = campaign(kernels=[f"k{i}" for i in range(kernels)], runs=blocks, blocks=blocks, seed=seed)
    positions = Counter((boot.node, boot.kernel, boot.position) for boot in make_plan(told).boots)
    assert set(positions.values()) == {rounds}


def test_nodes_draw_their_own_order_unless_a_benchmark_needs_them_all() -> None:
    apart = campaign(kernels="abcd", runs=10, blocks=10)
    together = replace(apart, benchmarks=(cluster_wide(STREAM),))
    assert (replication_unit(apart), replication_unit(together)) == ("node-block", "block")
    found = orders(make_plan(together))
    assert all(found[block, "node1"] == found[block, "node2"] for block in range(1, 11))
    found = orders(make_plan(apart))
    assert any(found[block, "node1"] != found[block, "node2"] for block in range(1, 11))


def test_sequential_is_the_order_of_the_file() -> None:
    told = campaign(kernels=("z", "a", "m"), order=Order.SEQUENTIAL, blocks=1)
    assert set(map(tuple, orders(make_plan(told)).values())) == {("z", "a", "m")}


@given(campaigns())
@settings(max_examples=25)
def test_the_same_campaign_gives_the_same_plan(told: Campaign) -> None:
    assert make_plan(told) == make_plan(replace(told))
    assert make_plan(replace(told, title="mended", notes="mended")).digest == make_plan(told).digest


def test_another_seed_gives_another_order() -> None:
    plans = [make_plan(campaign(kernels="abcd", runs=8, blocks=8, seed=seed)) for seed in range(20)]
    assert len({str(orders(plan)) for plan in plans}) == 20
    assert len({plan.digest for plan in plans}) == 20


@pytest.mark.parametrize(
    "changed",
    [
        {"runs": 5},
        {"blocks": 1},
        {"seed": 8},
        {"kernels": ("other", "native")},
        {"nodes": ("node1",)},
        {"benchmarks": (LONGER,)},
        {"benchmarks": (replace(STREAM, timeout_s=61.0),)},
    ],
)
def test_whatever_is_executed_is_in_the_digest(changed: dict[str, object]) -> None:
    assert make_plan(campaign(**changed)).digest != make_plan(campaign()).digest  # type: ignore[arg-type]


def test_the_digest_is_stable_over_versions() -> None:
    assert make_plan(campaign()).digest == DIGEST
