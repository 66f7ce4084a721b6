"""A copy of a running campaign's database is run: it ends nothing of the original, and collects nothing of it."""

import os
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.clusters.faults.scene import Scene, until

pytestmark = pytest.mark.cluster

ELSEWHERE = "UPDATE runners SET host = 'login2'; DELETE FROM leases;"
"""The runner's row as it reads on another login node, whose clock says nothing of its signs of life."""


def copied(scene: Scene, then: str = "") -> Path:
    copy = scene.work / "copy.db"
    with closing(sqlite3.connect(scene.database, timeout=10)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.executescript(then)
    return copy


def begun(database: Path) -> list[tuple[str, str | None]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT id, status FROM attempts ORDER BY id").fetchall()


def run_copy(scene: Scene, copy: Path) -> int:
    return scene.start("--db", str(copy)).wait(60)


def kill(runner: subprocess.Popen[bytes]) -> None:
    os.killpg(runner.pid, signal.SIGKILL)
    runner.wait()


def test_a_copy_on_another_login_node_signals_and_collects_nothing(scene: Scene) -> None:
    scene.write(runs=6, blocks=2, seconds=1.5)
    runner = scene.start()
    scene.wait_ok(4)
    for node in scene.cluster.nodes:
        scene.wait_under_way(node.name)
    copy = copied(scene, ELSEWHERE)
    before = begun(copy)
    assert run_copy(scene, copy) == 4, scene.log
    assert f"which works on this campaign in {scene.database}" in scene.log
    assert runner.poll() is None, "the original ran beside it"
    assert begun(copy) == before
    assert runner.wait(90) == 0, scene.log
    scene.judge()
    assert scene.statuses() == {"ok": 6 * 2 * len(scene.cluster.nodes)}


def test_a_copy_that_lacks_the_attempts_under_way_is_refused_though_the_runner_is_dead(scene: Scene) -> None:
    scene.write(runs=3, blocks=1, seconds=6.0)
    runner = scene.start()
    until(lambda: scene.one("SELECT count(*) FROM runners") == 1, 20, lambda: scene.log)
    copy = copied(scene)
    assert begun(copy) == []
    under_way = {scene.wait_under_way(node.name) for node in scene.cluster.nodes}
    kill(runner)
    assert run_copy(scene, copy) == 4, scene.log
    assert "of the campaign's attempts that this database does not have" in scene.log
    assert begun(copy) == []
    scene.finish()
    assert scene.statuses() == {"ok": 3 * 2 * len(scene.cluster.nodes)}
    assert {scene.status_of(attempt) for attempt in under_way} == {"ok"}


def test_a_database_that_was_copied_after_its_runner_died_is_resumed_at_once(scene: Scene) -> None:
    scene.write(runs=3, blocks=1, seconds=3.0)
    runner = scene.start()
    scene.wait_ok(2)
    under_way = {scene.wait_under_way(node.name) for node in scene.cluster.nodes}
    kill(runner)
    original = scene.database
    for part in original.parent.glob(f"{original.name}*"):
        shutil.copy(part, part.with_name(part.name.replace("small-", "small-2", 1)))
        part.unlink()
    scene.finish("--db", str(scene.database))
    assert {scene.status_of(attempt) for attempt in under_way} == {"ok"}
