"""The plan as each node walks it."""

from __future__ import annotations

from hpcvirt.core.engine.visits import visits_of
from hpcvirt.core.plan import make_plan
from tests.core.factories import STREAM, campaign, cluster_wide

NODES = ("n1", "n2")


def test_nothing_is_left_out_and_nothing_is_twice() -> None:
    plan = make_plan(campaign(kernels="abc", nodes=NODES, runs=6, blocks=3))
    visits = visits_of(plan, NODES)
    found = [run.id for node in NODES for visit in visits[node] for run in visit.runs]
    assert sorted(found) == [run.id for run in plan.runs]
    assert all(visit.shared == () and visit.boot.node == node for node in NODES for visit in visits[node])


def test_runs_of_all_nodes_are_in_everybodys_visits_at_the_same_place() -> None:
    plan = make_plan(campaign(kernels="abc", nodes=NODES, benchmarks=(cluster_wide(STREAM),), runs=6, blocks=3))
    visits = visits_of(plan, NODES)
    shared = {node: [visit.shared for visit in visits[node]] for node in NODES}
    assert shared["n1"] == shared["n2"]
    assert sorted(run.id for runs in shared["n1"] for run in runs) == [run.id for run in plan.runs]
    for one, other in zip(visits["n1"], visits["n2"], strict=True):
        assert one.boot.kernel == other.boot.kernel == one.shared[0].boot.kernel
        assert one.own == ()
        assert [part.is_shared for part in one.parts] == [True]
