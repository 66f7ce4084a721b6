"""`check` on the login node of a real cluster."""

import subprocess

import pytest

from tests.clusters.faults.scene import PROGRAM, Scene

pytestmark = pytest.mark.cluster


def check(scene: Scene) -> "subprocess.CompletedProcess[str]":
    env = scene.cluster.client_env | {"PYTHONPATH": str(scene.ledger.site)}
    return scene.cluster.run_login([*PROGRAM, "check", str(scene.campaign)], env=env, cwd=scene.work, limit_s=40)


def test_all_nodes_are_told_and_nothing_is_left_on_them(scene: Scene) -> None:
    scene.write()
    done = check(scene)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()[:4]] == [["ok", f"node{i}:"] for i in range(1, 5)]
    assert "note" not in done.stdout, "we reach the nodes as OpenSSH does"
    assert [list(node.path("/scratch").iterdir()) for node in scene.cluster.nodes] == [[]] * 4


def test_a_node_that_is_off_and_one_that_is_another(scene: Scene) -> None:
    scene.write()
    text = scene.campaign.read_text()
    scene.campaign.write_text(text + '\n[[node]]\nname = "again"\nhost = "node2"\n')
    scene.cluster.nodes[0].power_cut()
    done = check(scene)
    assert done.returncode == 4
    assert "node1 (node1): no" in done.stdout
    assert "node2 and again are one machine" in done.stdout
    assert "4 of 5 nodes reached" in done.stdout
