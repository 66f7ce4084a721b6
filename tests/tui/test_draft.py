"""What a pick means, before anything runs."""

from __future__ import annotations

from dataclasses import replace

from hpcvirt.tui.draft import changed, faults, outlook, seconds, whole
from tests.tui.screen_samples import STREAM, make_draft, paper_draft


def words(draft, pick) -> str:
    return "\n".join(f"{line.what}: {line.how}" for line in outlook(draft, pick))


def test_the_whole_local_lab() -> None:
    draft = make_draft()
    told = words(draft, whole(draft))
    assert "4 nodes: node1, node2, node3, node4 (embedded lab on this machine)" in told
    assert "80 boots: 2 kernels × 10 blocks on each node; no node is rebooted" in told
    assert "400 runs: 50 per kernel, benchmark and node; 5 in each boot" in told
    assert "about 2 min: 1 node at a time" in told
    assert "against native, alpha 0.05; within ±2 % is equivalent" in told


def test_rebooting_kernels_are_named() -> None:
    draft = paper_draft()
    assert "reboots nodes into chaos, rhel4-2.6.9" in words(draft, whole(draft))
    assert "all nodes at the same time" in words(draft, whole(draft))


def test_nodes_in_waves_take_longer() -> None:
    draft = make_draft(at_once=None)
    alone = seconds(draft, whole(draft))
    assert seconds(replace(draft, at_once=1), whole(draft)) == 4 * alone
    assert seconds(replace(draft, at_once=3), whole(draft)) == 2 * alone
    assert seconds(replace(draft, at_once=9), whole(draft)) == alone


def test_runs_that_do_not_divide() -> None:
    draft = make_draft()
    assert "4–5 in each boot" in words(draft, replace(whole(draft), runs=42))


def test_one_kernel_is_compared_with_nothing() -> None:
    draft = make_draft()
    assert "native alone is compared with nothing" in words(draft, replace(whole(draft), kernels=("native",)))


def test_faults_say_what_to_do() -> None:
    draft = make_draft()
    pick = whole(draft)
    assert not faults(draft, pick)
    assert "pick at least one" in faults(draft, replace(pick, benchmarks=()))[0]
    assert "runs: give a number" in faults(draft, replace(pick, runs=None))[0]
    assert "blocks: give a number" in faults(draft, replace(pick, blocks=0))[0]
    assert "60 blocks need at least as many runs, not 50" in faults(draft, replace(pick, blocks=60))[0]
    assert "sequential" in faults(replace(draft, is_sequential=True), pick)[0]


def test_only_what_was_changed_is_handed_on() -> None:
    draft = make_draft()
    pick = whole(draft)
    assert changed(draft, pick).runs is None
    told = changed(draft, replace(pick, kernels=("native",), runs=20))
    assert (told.kernels, told.benchmarks, told.runs, told.blocks) == (("native",), None, 20, None)
    assert changed(draft, replace(pick, benchmarks=(STREAM,))).benchmarks is None
