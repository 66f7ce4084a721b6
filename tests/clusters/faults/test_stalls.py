"""What a login needs stalls on the login node or on a node, while connections are made again: it is waited for."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters.faults.scene import Scene, until
from tests.clusters.netns.node import Node

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

RUNS = 3


@pytest.fixture(autouse=True)
def free_nodes(scene: Scene) -> Iterator[None]:
    """What a failed test left held is held no more."""
    yield
    for node in scene.cluster.nodes:
        node.reboot()


def write(scene: Scene, seconds: float = 1.0, **connection: float) -> None:
    scene.write(runs=RUNS, blocks=1, seconds=seconds, nodes=2, connection={"patience": 60.0, **connection})


def cut(node: Node) -> None:
    """Its connections are gone, and new ones are let in at once."""
    node.kill_sshd()
    node.start_sshd()


def waits(scene: Scene, like: str) -> int:
    """How many lines of the log say that this is waited for."""
    return int(scene.one(f"SELECT count(*) FROM events WHERE message LIKE '%{like}%; waiting for it, up to%'") or 0)


def finish(scene: Scene, runner_limit_s: float, runner: object) -> None:
    assert runner.wait(runner_limit_s) == 0, scene.log  # type: ignore[attr-defined]
    scene.judge()
    assert scene.rows("SELECT DISTINCT state FROM nodes") == [("done",)]
    assert set(scene.statuses()) == {"ok"}, "nothing was lost by it"
    assert scene.one("SELECT count(*) FROM events WHERE message LIKE 'usable again after %'") > 0


@pytest.fixture
def stalled_config(scene: Scene) -> Iterator[Path]:
    """A file without which the SSH configuration is not read to its end."""
    client = scene.cluster.client
    told = client.config.read_text()
    needed = client.config.with_name("needed")
    needed.write_text("")
    client.config.write_text(f'{told}\nMatch exec "cat {needed}"\n    ServerAliveInterval 15\n')
    yield needed
    client.config.write_text(told)


@contextlib.contextmanager
def blocking(path: Path) -> Iterator[None]:
    """Whoever reads it blocks, as on a file server that is away; afterwards they read on, and it is a file again."""
    pipe, text = path.with_name("pipe"), path.read_text()
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    pipe.rename(path)
    try:
        yield
    finally:
        path.with_name("again").write_text(text)
        path.with_name("again").rename(path)
        os.close(writer)


def test_an_ssh_configuration_that_cannot_be_read_for_20_s(scene: Scene, stalled_config: Path) -> None:
    write(scene)
    runner = scene.start()
    scene.wait_ok()
    with blocking(stalled_config):
        cut(scene.cluster["node1"])
        scene.wait_event("configuration was not read within 3 s; waiting", 20)
        time.sleep(20)
        # Each try within the first wait had the same cause.
        assert waits(scene, "configuration was not read") == 1
    finish(scene, 90, runner)


def test_a_home_without_ssh_folder_for_8_s(scene: Scene) -> None:
    folder = scene.cluster.client.config.parent
    write(scene)
    runner = scene.start()
    scene.wait_ok()
    away = folder.rename(folder.with_name("away"))
    try:
        cut(scene.cluster["node1"])
        scene.wait_event("is not there any more; waiting", 20)
        time.sleep(8)
        assert not folder.exists(), "nothing is made in its place"
        assert waits(scene, "not there any more") == 1
    finally:
        away.rename(folder)
    finish(scene, 60, runner)


def test_known_hosts_that_are_away_are_not_written_anew_by_accept_new(scene: Scene) -> None:
    """A key that was accepted is the only one that is accepted while the file is away."""
    known, node = scene.cluster.client.known_hosts, scene.cluster["node1"]
    write(scene, host_keys='"accept-new"')  # type: ignore[arg-type]
    runner = scene.start()
    scene.wait_ok()
    away = known.rename(known.with_name("away"))
    try:
        cut(node)
        scene.wait_ok(5)
        assert not known.exists()
        node.new_host_key()
        cut(node)
        until(lambda: scene.rows("SELECT 1 FROM nodes WHERE state = 'set aside'") != [], 30, lambda: scene.log)
    finally:
        away.rename(known)
        scene.cluster.trust()
    assert runner.wait(60) == 4, scene.log
    assert "host key is not the one" in scene.one("SELECT detail FROM nodes WHERE name = 'node1'")
    scene.finish()


HANGS = "#!/bin/sh\nwhile [ -e /tmp/hangs ]; do sleep 0.2; done\n"


@contextlib.contextmanager
def hanging_logins(node: Node) -> Iterator[None]:
    """It lets in, and what a login starts there does not begin: a home that is away does that."""
    rc = node.path("/etc/ssh/sshrc")
    rc.write_text(HANGS)
    node.path("/tmp/hangs").touch()
    try:
        yield
    finally:
        # It may have rebooted meanwhile.
        node.path("/tmp/hangs").unlink()
        node.path("/etc/ssh/sshrc").unlink()


@pytest.mark.slow
def test_logins_that_hang_for_80_s(scene: Scene) -> None:
    """Between two kernels: what a node is asked then is a short question; a run's own limit is longer."""
    node = scene.cluster["node1"]
    begun = """SELECT count(*) FROM attempts JOIN runs ON runs.id = run JOIN boots ON boots.id = boot
               WHERE node = 'node1'"""
    write(scene, seconds=4.0, patience=100.0)
    runner = scene.start()
    until(lambda: scene.one(begun) == RUNS, 60, lambda: scene.log)
    scene.command("pause")
    until(lambda: not scene.one("SELECT count(*) FROM attempts WHERE status IS NULL"), 20, lambda: scene.log)
    assert scene.one(begun) == RUNS
    with hanging_logins(node):
        node.reboot()
        scene.command("resume")
        time.sleep(80)
    assert runner.wait(120) == 0, scene.log
    scene.judge()
    assert waits(scene, "does not answer") == 1
    assert scene.one("SELECT count(*) FROM events WHERE message LIKE 'usable again after %'") == 1
    assert scene.rows("SELECT DISTINCT state FROM nodes") == [("done",)]
    assert set(scene.statuses()) <= {"ok", "lost"}


def test_an_sshd_that_says_nothing_for_longer_than_a_login_may_take(scene: Scene) -> None:
    """Permission is refused afterwards, for a while: two causes of one wait."""
    node = scene.cluster["node1"]
    keys = node.path("/root/.ssh/authorized_keys")
    write(scene)
    runner = scene.start()
    scene.wait_ok()
    node.kill_sshd()
    scene.wait_event("; waiting for it", 20)
    away = keys.rename(keys.with_name("away"))
    node.start_sshd()
    scene.wait_event("permission refused", 40)
    time.sleep(3)
    away.rename(keys)
    finish(scene, 60, runner)
    assert waits(scene, "permission refused") == 1


def test_a_stall_that_outlasts_patience_excludes_the_node_until_run_takes_it_in_again(scene: Scene) -> None:
    folder = scene.cluster.client.config.parent
    write(scene, patience=4.0)
    runner = scene.start()
    scene.wait_ok()
    away = folder.rename(folder.with_name("away"))
    try:
        for node in scene.cluster.nodes[:2]:
            cut(node)
        assert runner.wait(60) == 4, scene.log
    finally:
        away.rename(folder)
    states = scene.rows("SELECT state, detail FROM nodes")
    assert {state for state, _ in states} == {"set aside"}
    assert all("not there any more (waited for " in detail for _, detail in states), states
    scene.finish()
    assert set(scene.statuses()) <= {"ok", "lost"}


def test_a_scratch_folder_that_is_away_is_waited_for(scene: Scene) -> None:
    """The node answers, and cannot run anything: its file system is not mounted for a while."""
    node = scene.cluster["node1"]
    write(scene)
    runner = scene.start()
    scene.wait_ok()
    scene.command("pause")
    until(lambda: not scene.one("SELECT count(*) FROM attempts WHERE status IS NULL"), 20, lambda: scene.log)
    away = node.path("/scratch/node1")
    away.rename(node.path("/scratch/away"))
    away.write_text("no folder")
    scene.command("resume")
    scene.wait_event("cannot be made, or is not ours; waiting", 20)
    time.sleep(3)
    away.unlink()
    node.path("/scratch/away").rename(away)
    assert runner.wait(60) == 0, scene.log
    scene.judge()
    assert scene.statuses() == {"ok": 2 * 2 * RUNS, "lost": 1}
