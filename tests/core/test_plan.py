"""The plan: exact counts, balance, and the same for the same campaign anywhere."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcvirt.core.model import Benchmark, Boot, Campaign, Design, Order, Plan, Scope
from hpcvirt.core.plan import make_plan, phases, replication_unit, replication_units, runs_in_block, unit_of
from tests.core.factories import STREAM, campaign, cluster_wide

DIGEST = "aa16db91073748ae6d7094606486b0488e31b94e69932a9e94ea0c253d9d840c"
"""Of ``campaign()``. When it changes, no campaign under way can be resumed: that is a breaking change."""

LONGER = replace(STREAM, parameters={"array_size": 2000, "ntimes": 2, "threads": 1})


def names(what: str, most: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.integers(1, most).map(lambda count: tuple(f"{what}{i}" for i in range(1, count + 1)))


@st.composite
def campaigns(draw: st.DrawFn) -> Campaign:
    runs = draw(st.integers(1, 8))
    order = draw(st.sampled_from(Order))
    uses: list[tuple[Benchmark, ...]] = [(STREAM,), (STREAM, LONGER), (cluster_wide(STREAM), LONGER)]
    told = campaign(
        kernels=draw(names("k", 5)),
        nodes=draw(names("n", 3)),
        benchmarks=draw(st.sampled_from(uses)),
        order=order,
        runs=runs,
        blocks=1 if order is Order.SEQUENTIAL else draw(st.integers(1, runs)),
        seed=draw(st.integers(0, 1 << 62)),
    )
    sequential = order is Order.SEQUENTIAL
    design = replace(
        told.design,
        warmup=draw(st.integers(0, 2)),
        phases=tuple((use.label,) for use in told.benchmarks) if draw(st.booleans()) else (),
        added_blocks=0 if sequential else draw(st.integers(0, 3)),
    )
    return replace(told, design=design)


def orders(plan: Plan) -> dict[tuple[int, int, str], list[str]]:
    """Kernels in the order of their visits, by phase, block and node."""
    found: dict[tuple[int, int, str], list[str]] = {}
    for boot in plan.boots:
        found.setdefault((boot.phase, boot.block, boot.node), []).append(boot.kernel)
    return found


def places(told: Campaign, uses: tuple[Benchmark, ...]) -> list[str]:
    """The nodes of a phase's boots; ``*`` too where nodes move together."""
    return [*(node.name for node in told.nodes), *(["*"] if unit_of(uses) == "block" else [])]


def wanted_runs(design: Design) -> int:
    return design.runs + design.added_blocks * (design.runs // design.blocks)


@given(campaigns())
@settings(max_examples=60)
def test_each_kernel_is_visited_once_per_phase_block_and_node(told: Campaign) -> None:
    found = orders(make_plan(told))
    blocks = range(1, told.design.blocks + told.design.added_blocks + 1)
    assert set(found) == {
        (phase, block, node)
        for phase, uses in enumerate(phases(told), 1)
        for block in blocks
        for node in places(told, uses)
    }
    for order in found.values():
        assert sorted(order) == sorted(kernel.name for kernel in told.kernels)


@given(campaigns())
@settings(max_examples=40)
def test_positions_are_those_of_the_visits(told: Campaign) -> None:
    plan = make_plan(told)
    assert [boot.id for boot in plan.boots] == list(range(1, len(plan.boots) + 1))
    seen: Counter[tuple[int, int, str]] = Counter()
    for boot in plan.boots:
        seen[boot.phase, boot.block, boot.node] += 1
        assert boot.position == seen[boot.phase, boot.block, boot.node]


@given(campaigns())
@settings(max_examples=60)
def test_every_kernel_benchmark_and_node_gets_exactly_its_runs(told: Campaign) -> None:
    plan = make_plan(told)
    assert [run.id for run in plan.runs] == list(range(1, len(plan.runs) + 1))
    numbers: dict[tuple[str, str, str], list[int]] = {}
    for run in plan.runs:
        if not run.is_warmup:
            numbers.setdefault((run.boot.kernel, run.boot.node, run.benchmark.label), []).append(run.number)
    expected = {
        (kernel.name, node, use.label)
        for kernel in told.kernels
        for use in told.benchmarks
        for node in (["*"] if use.scope is Scope.CLUSTER else [node.name for node in told.nodes])
    }
    assert set(numbers) == expected
    for found in numbers.values():
        assert found == list(range(1, wanted_runs(told.design) + 1))


@given(campaigns())
@settings(max_examples=60)
def test_runs_stand_boot_by_boot_on_each_node(told: Campaign) -> None:
    plan = make_plan(told)
    uses = {boot: [use for use in phases(told)[boot.phase - 1] if _is_run_in(use, boot)] for boot in plan.boots}
    for node in {boot.node for boot in plan.boots}:
        visited = list(dict.fromkeys(run.boot for run in plan.runs if run.boot.node == node))
        assert visited == [boot for boot in plan.boots if boot.node == node and uses[boot]]
    for boot in plan.boots:
        mine = [run for run in plan.runs if run.boot == boot]
        each = told.design.warmup + runs_in_block(told.design, boot.block)
        assert len(mine) == each * len(uses[boot])
        for label, members in groupby(mine, key=lambda run: run.benchmark.label):
            runs = list(members)
            assert len(runs) == each, label
            warmup = told.design.warmup
            assert [run.is_warmup for run in runs] == [True] * warmup + [False] * (each - warmup)


def _is_run_in(use: Benchmark, boot: Boot) -> bool:
    return (use.scope is Scope.CLUSTER) == (boot.node == "*")


@given(campaigns())
@settings(max_examples=40)
def test_added_blocks_change_nothing_of_what_was_planned(told: Campaign) -> None:
    before = make_plan(replace(told, design=replace(told.design, added_blocks=0)))
    after = make_plan(told)
    assert after.boots[: len(before.boots)] == before.boots
    assert after.runs[: len(before.runs)] == before.runs
    assert (after.digest == before.digest) == (told.design.added_blocks == 0)


def test_nodes_that_move_together_take_one_order_of_kernels_and_benchmarks() -> None:
    told = campaign(kernels="abc", nodes=("n1", "n2"), benchmarks=(cluster_wide(STREAM), LONGER), runs=30, blocks=30)
    plan = make_plan(told)
    found = orders(plan)
    assert all(found[1, block, "n1"] == found[1, block, "n2"] == found[1, block, "*"] for block in range(1, 31))
    firsts = [next(r.benchmark.scope for r in plan.runs if r.boot.block == block) for block in range(1, 31)]
    assert set(firsts) == set(Scope), "the benchmarks take turns in coming first"


def test_phases_keep_what_needs_all_nodes_from_the_rest() -> None:
    wide = cluster_wide(STREAM)
    told = campaign(kernels="abcd", nodes=("n1", "n2", "n3"), benchmarks=(wide, LONGER), runs=10, blocks=10)
    told = replace(told, design=replace(told.design, phases=((LONGER.label,), (wide.label,))))
    assert replication_units(told) == {wide.label: "block", LONGER.label: "node-block"}
    plan = make_plan(told)
    last = max(run.id for run in plan.runs if run.benchmark == LONGER)
    assert all((run.id > last) == (run.benchmark == wide) for run in plan.runs)
    found = orders(plan)
    assert any(found[1, block, "n1"] != found[1, block, "n2"] for block in range(1, 11))
    assert all(found[2, block, "n1"] == found[2, block, "n2"] for block in range(1, 11))


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
    assert all(found[1, block, "node1"] == found[1, block, "node2"] for block in range(1, 11))
    found = orders(make_plan(apart))
    assert any(found[1, block, "node1"] != found[1, block, "node2"] for block in range(1, 11))


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
        {"benchmarks": (replace(STREAM, metrics=("copy",)),)},
    ],
)
def test_whatever_is_executed_is_in_the_digest(changed: dict[str, object]) -> None:
    assert make_plan(campaign(**changed)).digest != make_plan(campaign()).digest  # type: ignore[arg-type]


@pytest.mark.parametrize("changed", [{"warmup": 1}, {"settle_s": 1.0}, {"added_blocks": 1}])
def test_so_is_how_it_is_executed(changed: dict[str, object]) -> None:
    told = campaign()
    assert make_plan(replace(told, design=replace(told.design, **changed))).digest != make_plan(told).digest  # type: ignore[arg-type]


def test_the_digest_is_stable_over_versions() -> None:
    assert make_plan(campaign()).digest == DIGEST
