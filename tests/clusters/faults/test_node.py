"""A node fails: it reboots, its disk is full, its clock jumps, its benchmark does not end."""

import contextlib
import shutil
import time

import pytest

from tests.clusters.faults.scene import PATIENT, Scene, until

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("how", ["reboot", "power cut"])
def test_a_node_that_reboots_in_mid_run_loses_the_attempt_only(scene: Scene, how: str) -> None:
    node = scene.cluster.nodes[0]
    scene.write(runs=3, blocks=1, seconds=1.0)
    runner = scene.start()
    attempt = scene.wait_under_way(node.name)
    if how == "reboot":
        node.reboot()
    else:
        node.power_cut()
        scene.wait_event("connection", 10)
        node.boot()
    assert runner.wait(60) == 0, scene.log
    scene.judge()
    assert scene.status_of(attempt) == "lost"
    assert scene.statuses() == {"ok": 24, "lost": 1}
    boots = scene.rows(
        """SELECT before.content ->> 'boot_id', after.content ->> 'boot_id' FROM attempts
           JOIN identities before ON before.id = identity_before
           JOIN identities after ON after.id = identity_after WHERE status = 'ok'"""
    )
    assert len(boots) == 24
    assert all(before == after for before, after in boots)


def test_a_node_that_reboots_between_runs_is_proved_again(scene: Scene) -> None:
    node = scene.cluster.nodes[0]
    scene.write(runs=4, blocks=1, seconds=0.5, nodes=1, retries=1)
    runner = scene.start()
    scene.wait_ok()
    scene.command("pause")
    until(lambda: not scene.one("SELECT count(*) FROM attempts WHERE status IS NULL"), 20, lambda: scene.log)
    node.reboot()
    for left in node.path(f"/scratch/{node.name}").iterdir():
        shutil.rmtree(left)
    scene.command("resume")
    assert runner.wait(60) == 0, scene.log
    scene.judge()
    assert scene.statuses() == {"ok": 8, "lost": 1}


LIFE = "/proc/sys/kernel/random/boot_id"
IN_ITS_LIFE = f"""
[[benchmark]]
plugin = "command"
timeout = 30
[benchmark.parameters]
argv = "sh -c 'read one <{LIFE}; read other </tmp/life; [ $one = $other ]'"
prepare = "cp {LIFE} /tmp/life"
"""


def test_what_comes_after_a_reboot_is_prepared_in_the_new_life(scene: Scene) -> None:
    """Also what is not the benchmark under which the node rebooted."""
    node = scene.cluster.nodes[0]
    scene.write(runs=2, blocks=2, seconds=2.0, nodes=1, retries=0, extra=IN_ITS_LIFE)
    runner = scene.start()
    attempt = scene.wait_under_way(node.name)
    node.reboot()
    assert runner.wait(90) == 0, scene.log
    assert scene.status_of(attempt) == "lost"
    later = scene.rows(
        f"""SELECT count(*) FROM attempts JOIN runs ON runs.id = run JOIN benchmarks ON benchmarks.id = benchmark
            WHERE plugin = 'command' AND boot = (SELECT boot FROM attempts JOIN runs ON runs.id = run
                                                 WHERE attempts.id = '{attempt}')
            AND attempts.started_at > (SELECT ended_at FROM attempts WHERE id = '{attempt}')"""
    )
    assert later[0][0] > 0, "the seed has it before in this visit"
    node.path("/tmp/life").unlink()


def test_another_boot_id_after_the_run_than_before_is_void(scene: Scene) -> None:
    node = scene.cluster.nodes[0]
    scene.write(runs=1, blocks=1, seconds=1.0, nodes=1)
    runner = scene.start()
    attempt = scene.wait_under_way(node.name)
    node.switch_boot_id()
    assert runner.wait(60) == 0, scene.log
    scene.judge()
    assert scene.status_of(attempt) == "void"
    assert scene.one(f"SELECT count(*) FROM measurements WHERE attempt = '{attempt}'") == 0


def test_a_full_scratch_files_nothing_and_run_goes_on(wired: Scene) -> None:
    node = wired.cluster.nodes[0]
    wired.write(runs=6, blocks=1, seconds=0.3, connection={"patience": 10.0})
    runner = wired.start()
    wired.wait_ok(2)
    node.fill_scratch()
    more = node.path("/scratch/.more")
    give_up_at = time.monotonic() + 30
    while runner.poll() is None and time.monotonic() < give_up_at:
        # Again and again: each spool that is removed makes room for the next.
        with contextlib.suppress(OSError), more.open("ab", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        time.sleep(0.02)
    assert runner.wait(30) == 4, wired.log
    assert "full" in wired.log
    assert set(wired.statuses()) <= {"ok", "lost", None}, "a full disk is not the benchmark's failure"
    more.unlink()
    node.free_scratch()
    wired.finish()


@pytest.mark.parametrize("mode", ["fork", "stubborn"])
def test_a_benchmark_that_hides_and_ignores_term_is_ended_at_its_limit(scene: Scene, mode: str) -> None:
    scene.write(runs=1, blocks=1, seconds=61, timeout=1.0, retries=0, mode=mode, nodes=2)
    runner = scene.start()
    until(lambda: len(scene.told) >= 2, 30, lambda: scene.log)
    assert runner.wait(90) == 1, scene.log
    assert scene.statuses() == {"timeout": 4}
    for node in scene.cluster.nodes:
        until(lambda node=node: not node.strays(), 3, lambda node=node: f"left: {node.strays()}")


@pytest.mark.parametrize("jump_s", [3600, -7200])
def test_a_clock_that_jumps_gives_no_wrong_duration(scene: Scene, jump_s: int) -> None:
    node = scene.cluster.nodes[0]
    scene.write(runs=3, blocks=1, seconds=0.7, nodes=1, connection=PATIENT)
    runner = scene.start()
    attempt = scene.wait_under_way(node.name)
    try:
        node.set_clock(jump_s)
        assert runner.wait(60) == 0, scene.log
    finally:
        node.set_clock(0)
    assert scene.statuses() == {"ok": 6}
    durations = scene.rows("SELECT duration_s, elapsed_s FROM attempts")
    assert all(0.6 < duration <= elapsed + 0.05 for duration, elapsed in durations), durations
    assert scene.status_of(attempt) == "ok"
