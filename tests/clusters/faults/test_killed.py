"""The runner is killed at random points, again and again."""

import os
import random
import signal
import time

import pytest

from tests.clusters.faults.scene import Scene

KILLS = int(os.environ.get("HPCVIRT_KILLS", "20"))
"""`make soak` sets 200."""

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(60 + 6 * KILLS)]


def test_a_runner_killed_again_and_again_loses_nothing(scene: Scene) -> None:
    seed = int(os.environ.get("HPCVIRT_SEED", random.randrange(1 << 32)))
    print(f"HPCVIRT_SEED={seed}")
    draw = random.Random(seed)
    scene.write(runs=4 + 2 * KILLS, blocks=2, seconds=0.2)
    for _ in range(KILLS):
        runner = scene.start()
        if draw.random() < 0.8:
            _wait_until_it_works(scene)
        time.sleep(draw.uniform(0, 1.2))
        if runner.poll() is not None:
            assert runner.returncode == 0, scene.log
            break
        os.killpg(runner.pid, signal.SIGKILL)
        runner.wait()
    scene.finish(limit_s=60 + KILLS)
    # The nodes outlive the runner: what it had started there was finished and collected, not run again.
    begun = {one.attempt for one in scene.told}
    lost = {attempt for (attempt,) in scene.rows("SELECT id FROM attempts WHERE status = 'lost'")}
    assert not lost & begun
    assert set(scene.statuses()) <= {"ok", "lost"}
    lives = scene.one("SELECT count(*) FROM runners")
    print(f"{lives} lives, {len(begun)} executions, {len(lost)} attempts that never reached their node")


def _wait_until_it_works(scene: Scene) -> None:
    """Half of a life is the start of Python; most of the kills shall meet runs."""
    lives = scene.one("SELECT count(*) FROM runners") or 0
    give_up_at = time.monotonic() + 5
    while time.monotonic() < give_up_at:
        if (scene.one("SELECT count(*) FROM runners") or 0) > lives:
            return
        time.sleep(0.02)
