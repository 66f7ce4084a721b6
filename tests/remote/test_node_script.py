"""The launcher on the shells that nodes have, and on a node that has next to nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from hpcvirt.core.errors import NodeUnusable
from hpcvirt.core.process import start_ticks
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.identity import cpu_s
from hpcvirt.core.remote.job import JobState
from tests.engine.test_lab_campaign import marked_processes
from tests.support.shells import COREUTILS, SHELLS, LocalNode, job, new_seat, only

BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@pytest.fixture(params=list(SHELLS))
def node(request: pytest.FixtureRequest, tmp_path: Path) -> LocalNode:
    words = SHELLS[request.param]
    found = shutil.which(words[0])
    if found is None:
        pytest.skip(f"{words[0]} is not installed")
    return LocalNode(tmp_path, (found, *words[1:]))


def test_cpu_time_is_that_of_the_benchmark(node: LocalNode) -> None:
    spin = "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done"
    started = time.monotonic()
    reply = node.launch(["sh", "-c", spin])
    took = time.monotonic() - started
    assert reply.before is not None
    assert reply.after is not None
    user, system = cpu_s(reply.before[1], reply.after[1])
    assert user is not None
    assert system is not None
    assert 0.05 < user + system < took + 0.1
    idle = node.launch(["sleep", "0.3"])
    assert idle.before is not None
    assert idle.after is not None
    assert sum(filter(None, cpu_s(idle.before[1], idle.after[1]))) < 0.1


def test_nothing_but_coreutils_is_needed(node: LocalNode, tmp_path: Path) -> None:
    bare = LocalNode(tmp_path, node.shell, only(tmp_path / "bin", COREUTILS))
    look = bare.look()
    assert look.identity.boot_id == BOOT_ID
    assert look.lock == str(bare.locks)
    reply = bare.launch([f"{tmp_path}/sh", "-c", "echo $HPCVIRT_SEAT"])
    assert (reply.state, reply.exit_status) == (JobState.FINISHED, 0)
    assert reply.stdout.decode().strip() == bare.seat.name
    assert reply.before is not None
    assert reply.before[1].uptime_s is not None
    straggler = bare.launch([f"{tmp_path}/sh", "-c", "sleep 60 & echo $!"])
    assert bare.launch([f"{tmp_path}/sh", "-c", ":"]).cleaned == 1
    assert start_ticks(int(straggler.stdout)) is None
    bare.leave()
    assert bare.held == []
    assert list(bare.scratch.glob("*/spool/*/*")) != []


def test_without_sha256sum_a_digest_is_absent_and_not_guessed(tmp_path: Path) -> None:
    bare = LocalNode(tmp_path, path=only(tmp_path / "bin", COREUTILS))
    folder = jobs.make_folder(str(bare.scratch), "bench/x")
    root = jobs.parse_done(folder, bare.run(folder)).removeprefix("root ")
    Path(root, "bench/x/there").write_text("x")
    script = jobs.look(str(bare.scratch), artifacts=["bench/x/there", "bench/x/missing"])
    assert jobs.parse_look(script, bare.run(script)).artifacts == {"bench/x/there": None}


def test_a_node_is_clean_before_the_next_run(node: LocalNode) -> None:
    stray = "(trap '' TERM HUP; exec setsid sh -c \"trap '' TERM HUP; echo \\$\\$; sleep 300; :\") & sleep 0.2"
    left = node.launch(["sh", "-c", stray])
    pid = int(left.stdout)
    assert start_ticks(pid) is not None, "the benchmark was to leave something behind"
    assert node.launch(["true"]).cleaned >= 1
    assert start_ticks(pid) is None
    assert node.launch(["true"]).cleaned == 0


def test_processes_of_others_are_left_alone(node: LocalNode) -> None:
    env = {**os.environ, "HPCVIRT_SEAT": new_seat().name, "HPCVIRT_RUN": "0" * 32}
    with subprocess.Popen(["sleep", "60"], env=env) as other:
        assert node.launch(["true"]).cleaned == 0
        assert other.poll() is None
        other.kill()


def test_only_the_attempts_own_processes_are_ended(node: LocalNode) -> None:
    one = job(["sh", "-c", "trap '' TERM; setsid sleep 60 & sleep 61"])
    launch = jobs.launch(str(node.scratch), node.seat, one, 60)
    running = node.begin(launch)
    wait_for(lambda: len(marked_processes(one.attempt)) >= 2)
    script = jobs.end(str(node.scratch), one.attempt)
    assert jobs.parse_reply(script, node.run(script)).state is JobState.ENDED
    assert marked_processes(one.attempt) == []
    # The launcher leads the session that it was ended with.
    assert running.communicate(timeout=20)[0] == b""


def test_a_scratch_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    node = LocalNode(tmp_path)
    shutil.rmtree(node.scratch)
    node.scratch.write_text("a file")
    script = jobs.launch(str(node.scratch), node.seat, job(["true"]), 60)
    with pytest.raises(NodeUnusable, match="cannot be made"):
        jobs.parse_reply(script, node.run(script))


def test_a_probe_is_one_line(node: LocalNode) -> None:
    script = jobs.look(str(node.scratch), probe="echo first; echo boot_id forged")
    identity = jobs.parse_look(script, node.run(script)).identity
    assert identity.probe == "first"
    assert identity.boot_id == BOOT_ID


def test_the_cpu_model_is_read_once_per_boot_only(node: LocalNode) -> None:
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    found = node.look().identity.cpu_model
    assert found == (model and " ".join(model[1].split()))
    reply = node.launch(["true"])
    assert reply.before is not None
    assert reply.before[0].cpu_model is None


def wait_for(what: object, limit_s: float = 20) -> None:
    """Until it holds."""
    assert callable(what)
    give_up_at = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
