"""The login node fails: it stands still, its database is locked, its disk is full."""

import contextlib
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters.faults.scene import Scene, suspend

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("seconds", [6.0, pytest.param(60.0, marks=[pytest.mark.slow, pytest.mark.timeout(180)])])
def test_a_login_node_that_stands_still(scene: Scene, seconds: float) -> None:
    settings = {"keepalive": 5.0, "keepalives_missed": 3} if seconds > 30 else {}
    scene.write(runs=4, blocks=1, seconds=1.0, connection=settings)
    runner = scene.start()
    scene.wait_ok()
    suspend(runner, seconds)
    assert runner.wait(60) == 0, scene.log
    scene.judge()
    # What had not left the login node when it stood still never started: that is lost, and no run took too long.
    assert set(scene.statuses()) <= {"ok", "lost"}


@pytest.mark.timeout(150)
def test_a_database_that_another_program_locks_for_half_a_minute(scene: Scene) -> None:
    scene.write(runs=4, blocks=1, seconds=0.5)
    runner = scene.start()
    scene.wait_ok()
    with contextlib.closing(sqlite3.connect(scene.database, isolation_level=None, timeout=20)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(30)
        other.execute("ROLLBACK")
    assert runner.wait(60) == 0, scene.log
    scene.judge()
    assert set(scene.statuses()) == {"ok"}


@pytest.fixture
def small_disk(scene: Scene) -> Iterator[Path]:
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m,mode=0700", "small", str(scene.work)]
    subprocess.run(mount, check=True)
    try:
        yield scene.work
    finally:
        subprocess.run(["umount", "--lazy", str(scene.work)], check=True)


def test_a_full_disk_stops_the_runner_and_run_goes_on(scene: Scene, small_disk: Path) -> None:
    scene.write(runs=6, blocks=1, seconds=0.5)
    runner = scene.start()
    scene.wait_ok(2)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    assert runner.wait(60) == 4, scene.log
    filler.unlink()
    scene.finish()
    assert set(scene.statuses()) <= {"ok", "lost"}
