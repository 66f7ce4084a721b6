"""Runs that occupy all nodes: the nodes move together, each of them is proved, and what befalls one befalls the run."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters.faults.reboots import MENU, rebooting
from tests.clusters.faults.scene import PATIENT, Scene
from tests.clusters.netns import NetnsCluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

KILLS = 6
SHARED = "(SELECT attempts.* FROM attempts JOIN runs ON runs.id = run JOIN boots ON boots.id = boot WHERE node = '*')"


@pytest.fixture
def all_nodes(netns: NetnsCluster, tmp_path: Path) -> Iterator[Scene]:
    yield Scene(netns, tmp_path)
    for node in netns.nodes:
        node.end_strays()


def wide(scene: Scene, seconds: float, mode: str = "ok") -> str:
    """A benchmark of all nodes beside the one of each node."""
    ledgers = f"/shared/{scene.folder.name}/ledgers"
    return f"""
[[benchmark]]
plugin = "ledger"
scope = "cluster"
timeout = 30
parameters = {{ ledger = "{ledgers}", seconds = {seconds}, mode = "{mode}" }}
"""


def judge(scene: Scene) -> None:
    """The ledgers' word; and nothing ran anywhere while a run occupied all nodes."""
    scene.judge()
    occupied = {attempt for (attempt,) in scene.rows(f"SELECT id FROM {SHARED}")}
    told = [(one.start, one.end or one.start, one.attempt) for one in scene.told]
    for start, end, attempt in told:
        if attempt in occupied:
            beside = [other for begun, ended, other in told if other != attempt and begun < end and ended > start]
            assert not beside, f"{beside} beside {attempt}, which had all nodes"
    proved = scene.rows(
        f"""SELECT nodes.attempt, count(*), count(nodes.identity_after),
                   sum(nodes.identity_before <> nodes.identity_after)
            FROM attempt_nodes nodes JOIN {SHARED} ok ON ok.id = nodes.attempt WHERE status = 'ok' GROUP BY 1"""
    )
    assert proved
    assert {told[1:] for told in proved} == {(len(scene.cluster.nodes), len(scene.cluster.nodes), 0)}


def test_nodes_move_together(all_nodes: Scene) -> None:
    all_nodes.write(extra=wide(all_nodes, 0.2), connection=PATIENT)
    all_nodes.finish()
    judge(all_nodes)
    assert all_nodes.statuses() == {"ok": 8 * 4 + 8}
    assert all_nodes.rows("SELECT DISTINCT node FROM results ORDER BY 1")[0] == ("*",)
    proved = all_nodes.rows("SELECT count(*), count(proved_at), count(ended_at) FROM boots WHERE node = '*'")
    assert proved == [(4, 4, 4)]


FICKLE = """#!/bin/sh
# says yes and no by turns
if [ -e /tmp/said ]; then rm /tmp/said; echo no; else : >/tmp/said; echo yes; fi
"""


def test_a_probe_that_says_now_this_now_that_is_not_asked_for_ever(all_nodes: Scene) -> None:
    """It says yes whenever the node is looked at, and no whenever a run is to begin."""
    for node in all_nodes.cluster.nodes:
        node.path("/usr/local/bin/fickle").write_text(FICKLE if node.name == "node2" else "#!/bin/sh\necho yes\n")
        node.path("/usr/local/bin/fickle").chmod(0o755)
    kernel = '[[kernel]]\nname = "native"\nexpect = { probe = { command = "fickle", matches = "yes" } }\n'
    all_nodes.write(kernels=kernel, runs=1, blocks=1, extra=wide(all_nodes, 0.2))
    head, of_all, _ = all_nodes.campaign.read_text().split("[[benchmark]]")
    all_nodes.campaign.write_text(f"{head}[[benchmark]]{of_all}")
    assert all_nodes.start().wait(60) == 4, all_nodes.log
    ((name, why),) = all_nodes.rows("SELECT name, detail FROM nodes WHERE state = 'set aside'")
    assert name == "node2"
    assert "3 times, and not in native when a run began: probe: expected yes, found no" in why
    for node in all_nodes.cluster.nodes:
        node.path("/usr/local/bin/fickle").unlink()
        node.path("/tmp/said").unlink(missing_ok=True)


def test_a_runner_killed_again_and_again_loses_nothing(all_nodes: Scene) -> None:
    draw = random.Random(int(os.environ.get("HPCVIRT_SEED", "7")))
    # Work for longer than all lives together: a finished campaign would be run anew.
    all_nodes.write(extra=wide(all_nodes, 0.6), runs=8)
    for _ in range(KILLS):
        runner = all_nodes.start()
        time.sleep(1.0 + draw.uniform(0, 1.2))
        os.killpg(runner.pid, signal.SIGKILL)
        runner.wait()
    all_nodes.finish(limit_s=120)
    judge(all_nodes)
    begun = {one.attempt for one in all_nodes.told}
    lost = {attempt for (attempt,) in all_nodes.rows("SELECT id FROM attempts WHERE status = 'lost'")}
    assert not lost & begun


def test_nobody_waits_for_a_node_that_has_nothing_left_to_do(all_nodes: Scene) -> None:
    """In a boot that is not the last: no runs of all nodes are left, none of one node, and some of the others."""
    all_nodes.write(extra=wide(all_nodes, 0.2), seconds=0.5, connection=PATIENT)
    runner = all_nodes.start()
    all_nodes.wait_ok()
    all_nodes.command("stop")
    assert runner.wait(60) == 3, all_nodes.log
    left = "given_up_at IS NULL AND NOT EXISTS (SELECT 1 FROM attempts WHERE run = runs.id AND status = 'ok')"
    second = f"FROM runs JOIN boots ON boots.id = boot WHERE block = 1 AND position = 2 AND {left} AND node"
    done = [str(run) for (run,) in all_nodes.rows(f"SELECT runs.id {second} IN ('node4', '*')")]
    assert done
    assert all_nodes.rows(f"SELECT 1 {second} = 'node1'")
    all_nodes.command("skip", *done)
    assert all_nodes.start().wait(60) == 1, all_nodes.log
    assert all_nodes.statuses() == {"ok": 8 * 4 + 8 - len(done)}


def test_a_node_that_reboots_under_a_run_of_all(all_nodes: Scene) -> None:
    all_nodes.write(extra=wide(all_nodes, 2.0), runs=1, blocks=1)
    runner = all_nodes.start()
    attempt = under_way(all_nodes)
    all_nodes.cluster["node3"].reboot()
    assert runner.wait(90) == 0, all_nodes.log
    judge(all_nodes)
    assert all_nodes.status_of(attempt) == "lost"
    assert all_nodes.one(f"SELECT reason FROM attempts WHERE id = '{attempt}'") == "node3 rebooted under it"


def test_who_is_lost_again_and_again_is_set_aside_and_not_the_one_that_leads(all_nodes: Scene) -> None:
    all_nodes.write(extra=wide(all_nodes, 4.0), runs=2, blocks=1)
    runner = all_nodes.start()
    lost: list[str] = []
    while len(lost) < 3:
        attempt = under_way(all_nodes)
        if attempt not in lost:
            lost.append(attempt)
            all_nodes.cluster["node3"].reboot()
    assert runner.wait(90) == 4, all_nodes.log
    assert [all_nodes.status_of(attempt) for attempt in lost] == ["lost"] * 3
    told = "node3 lost 3 attempts in a row, at last: node3 rebooted under it"
    assert all_nodes.rows("SELECT name, detail FROM nodes WHERE state = 'set aside'") == [("node3", told)]
    # The others do what is of one node alone.
    own = "SELECT node, count(*) FROM results WHERE node NOT IN ('*', 'node3') GROUP BY 1 ORDER BY 1"
    assert all_nodes.rows(own) == [("node1", 4), ("node2", 4), ("node4", 4)]
    all_nodes.finish()
    judge(all_nodes)


def test_a_cable_pulled_for_a_moment_spoils_nothing_that_did_not_need_it(all_nodes: Scene) -> None:
    all_nodes.write(extra=wide(all_nodes, 3.0), runs=1, blocks=1)
    runner = all_nodes.start()
    attempt = under_way(all_nodes)
    all_nodes.cluster["node3"].cable_out()
    time.sleep(2.0)
    all_nodes.cluster["node3"].cable_in()
    assert runner.wait(90) == 0, all_nodes.log
    judge(all_nodes)
    assert all_nodes.status_of(attempt) == "ok"


def test_what_failed_while_a_cable_was_out_is_lost_and_tried_again(all_nodes: Scene) -> None:
    all_nodes.write(extra=wide(all_nodes, 4.0, "fail"), runs=1, blocks=1, retries=0)
    runner = all_nodes.start()
    attempt = under_way(all_nodes)
    run = all_nodes.one(f"SELECT run FROM attempts WHERE id = '{attempt}'")
    all_nodes.cluster["node3"].cable_out()
    time.sleep(2.0)
    all_nodes.cluster["node3"].cable_in()
    assert runner.wait(90) == 1, all_nodes.log
    told = all_nodes.rows(f"SELECT status, reason FROM attempts WHERE run = {run} ORDER BY number")
    assert [status for status, _ in told] == ["lost", "failed"]
    assert told[0][1].startswith("the connection to node3 was lost under it: ")


def test_a_node_in_the_wrong_kernel_keeps_only_the_runs_of_all_waiting(all_nodes: Scene) -> None:
    node = all_nodes.cluster["node3"]
    node.reboot("5.0.0-wrong")
    kernels = "".join(
        f'[[kernel]]\nname = "{name}"\nexpect = {{ release = "[!5]*" }}\n' for name in ("native", "again")
    )
    all_nodes.write(extra=wide(all_nodes, 0.1), kernels=kernels, runs=2, blocks=1)
    assert all_nodes.start().wait(60) == 4, all_nodes.log
    assert all_nodes.rows("SELECT name FROM nodes WHERE state = 'set aside'") == [("node3",)]
    assert all_nodes.rows("SELECT DISTINCT node FROM results ORDER BY 1") == [("node1",), ("node2",), ("node4",)]
    told = all_nodes.rows("SELECT message FROM events WHERE message LIKE 'runs of all nodes wait%'")
    assert told == [("runs of all nodes wait: node3 is not there; `run` again when it is",)]
    node.reboot("")
    all_nodes.finish()
    judge(all_nodes)


def test_an_abort_ends_it_on_every_node(all_nodes: Scene) -> None:
    all_nodes.write(extra=wide(all_nodes, 20.0), runs=1, blocks=1)
    runner = all_nodes.start()
    attempt = under_way(all_nodes)
    all_nodes.command("abort")
    assert runner.wait(60) == 130, all_nodes.log
    assert all_nodes.status_of(attempt) == "aborted"
    assert [node.strays() for node in all_nodes.cluster.nodes] == [[], [], [], []]


@pytest.mark.slow
def test_one_of_four_comes_up_wrong_while_runs_of_all_wait(all_nodes: Scene) -> None:
    with rebooting(all_nodes) as nodes:
        nodes.firmware.panics["node2"] = {MENU[1].title}
        nodes.write(nodes=4, extra="", runs=1)
        text = all_nodes.campaign.read_text()
        all_nodes.campaign.write_text(text + wide(all_nodes, 0.1))
        assert all_nodes.start("--yes").wait(120) == 4, all_nodes.log
        assert all_nodes.rows("SELECT name FROM nodes WHERE state = 'set aside'") == [("node2",)]
        assert not all_nodes.rows("SELECT 1 FROM results WHERE node = '*' AND kernel = 'rt'")
        on_rt = all_nodes.rows("SELECT DISTINCT node FROM results WHERE kernel = 'rt' ORDER BY 1")
        assert on_rt == [("node1",), ("node3",), ("node4",)]
        nodes.firmware.panics.clear()
        all_nodes.finish(limit_s=150)
        judge(all_nodes)
        nodes.judge()


def under_way(scene: Scene, limit_s: float = 40) -> str:
    """Wait for a run of all nodes to be executed; its attempt."""
    give_up_at = time.monotonic() + limit_s
    while time.monotonic() < give_up_at:
        wanted = {attempt for (attempt,) in scene.rows(f"SELECT id FROM {SHARED} WHERE status IS NULL")}
        found = [one.attempt for one in scene.told if one.attempt in wanted and one.end is None]
        if found:
            return found[0]
        time.sleep(0.03)
    raise AssertionError(f"no run of all nodes within {limit_s} s: {scene.log}")
