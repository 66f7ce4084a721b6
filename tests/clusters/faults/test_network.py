"""The network fails: the cable, the server, the key."""

import time

import pytest

from tests.clusters.faults.scene import Scene, until

pytestmark = pytest.mark.cluster


def test_a_cable_pulled_in_mid_run_and_put_back(scene: Scene) -> None:
    node = scene.cluster.nodes[0]
    scene.write(runs=3, blocks=1, seconds=1.0)
    runner = scene.start()
    attempt = scene.wait_under_way(node.name)
    node.cable_out()
    pulled_at = time.monotonic()
    scene.wait_event("connection", 10)
    assert time.monotonic() - pulled_at < 4, "keepalives every 0.5 s, two missed"
    assert scene.status_of(attempt) is None
    time.sleep(1.5)  # the benchmark ends meanwhile, and nobody hears of it
    node.cable_in()
    assert runner.wait(60) == 0, scene.log
    scene.judge()
    assert scene.status_of(attempt) == "ok"
    assert scene.statuses() == {"ok": 24}


def test_a_slow_and_lossy_line(wired: Scene) -> None:
    wired.write(runs=2, blocks=1, seconds=0.1, connection={"keepalive": 3, "keepalives_missed": 4, "login_limit": 20})
    for node in wired.cluster.nodes:
        node.delay(200, loss_percent=5)
    wired.finish()


def test_an_sshd_that_is_killed_with_its_sessions(scene: Scene) -> None:
    node = scene.cluster.nodes[0]
    scene.write(runs=3, blocks=1, seconds=1.0)
    runner = scene.start()
    attempt = scene.wait_under_way(node.name)
    node.kill_sshd()
    time.sleep(1)
    node.start_sshd()
    assert runner.wait(60) == 0, scene.log
    scene.judge()
    assert scene.status_of(attempt) == "ok"
    assert scene.statuses() == {"ok": 24}


PREPARED = """
[[benchmark]]
plugin = "command"
timeout = {timeout}
parameters = {{ argv = "true", prepare = "/bin/sh -c 'exec >>/tmp/prepared; echo begun; {inner}; echo ended'" }}
"""


def test_a_preparation_whose_connection_is_lost_is_ended_and_begun_again(scene: Scene) -> None:
    node = scene.cluster.nodes[0]
    prepared = node.path("/tmp/prepared")
    # The first that is begun would never end.
    inner = "[ -e /tmp/second ] || { : >/tmp/second; sleep 300; }"
    scene.write(runs=1, blocks=1, extra=PREPARED.format(timeout=60, inner=inner), nodes=1)
    runner = scene.start()
    until(prepared.exists, 30, lambda: scene.log)
    node.cable_out()
    scene.wait_event("node1: connection lost", 20)
    node.cable_in()
    assert runner.wait(90) == 0, scene.log
    assert scene.statuses() == {"ok": 4}
    until(lambda: not node.strays(), 5, lambda: f"left: {node.strays()}")
    # Of two kernels in one life of the node each is prepared.
    assert prepared.read_text().split() == ["begun", "begun", "ended", "begun", "ended"]
    prepared.unlink()
    node.path("/tmp/second").unlink()


def test_a_preparation_that_takes_too_long_is_ended_on_its_node(scene: Scene) -> None:
    node = scene.cluster.nodes[0]
    prepared = node.path("/tmp/prepared")
    scene.write(runs=1, blocks=1, extra=PREPARED.format(timeout=5, inner="sleep 300"), nodes=1)
    assert scene.start().wait(60) == 4, scene.log
    assert "took longer than 5 s, and is ended" in scene.log
    until(lambda: not node.strays(), 5, lambda: f"left: {node.strays()}")
    assert prepared.read_text().split()[0] == "begun"
    prepared.unlink()


def test_a_changed_host_key_is_refused_and_the_others_go_on(scene: Scene) -> None:
    node = scene.cluster.nodes[0]
    scene.write(runs=3, blocks=1, seconds=1.0)
    runner = scene.start()
    attempt = scene.wait_under_way(node.name)
    try:
        node.new_host_key()
        node.kill_sshd()
        node.start_sshd()
        assert runner.wait(60) == 4, scene.log
        assert "host key" in scene.log
        assert scene.status_of(attempt) is None, "what became of it is not known, so it is not filed"
        assert scene.one("SELECT count(*) FROM attempts WHERE status = 'ok'") >= 18
    finally:
        scene.cluster.trust()
    scene.finish()
    assert scene.status_of(attempt) == "ok"
