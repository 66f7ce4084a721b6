"""Two campaigns are kept off one node, whoever comes when."""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hpcvirt.core.errors import NodeHeld
from hpcvirt.core.lease import RunnerIdentity, parse_runner
from hpcvirt.core.process import ProcessIdentity, this_process
from hpcvirt.core.remote import job as jobs
from tests.core.factories import DEAD, process
from tests.support.shells import LocalNode, job, new_seat


@pytest.fixture
def node(tmp_path: Path) -> LocalNode:
    return LocalNode(tmp_path)


@pytest.fixture
def other(node: LocalNode) -> LocalNode:
    """Another campaign on the same node."""
    return LocalNode(node.folder)


def lock(node: LocalNode) -> Path:
    (found,) = node.locks.glob(f"*.{node.seat.name}.*")
    return found


def let_lapse(node: LocalNode) -> None:
    """As if nothing had been heard of its campaign for long."""
    (lock(node) / "until").write_text("1\n")


def test_the_second_campaign_is_told_who_holds_the_node(node: LocalNode, other: LocalNode) -> None:
    node.look()
    with pytest.raises(NodeHeld, match="node1's operator"):
        other.look()
    with pytest.raises(NodeHeld):
        other.launch(["true"])
    assert node.held == [node.seat.name]
    assert node.launch(["true"]).exit_status == 0
    node.leave()
    assert other.launch(["true"]).exit_status == 0


def test_all_users_can_read_who_holds_it_and_nobody_can_write(node: LocalNode) -> None:
    node.launch(["true"])
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in lock(node).iterdir()}
    assert modes == dict.fromkeys(("who", "runner", "until", "job"), "0o644")
    assert oct(lock(node).stat().st_mode & 0o777) == "0o755"
    assert (lock(node) / "who").read_text() == "node1's operator\n"


def test_a_lock_of_an_earlier_boot_is_none(node: LocalNode, other: LocalNode) -> None:
    node.look()
    held = lock(node)
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    held.rename(held.with_name(held.name.replace(boot_id, "0" * 36)))
    assert other.launch(["true"]).exit_status == 0
    node.leave()
    assert node.held == [other.seat.name]


def test_a_lock_whose_campaign_is_gone_is_passed_over(node: LocalNode, other: LocalNode) -> None:
    node.launch(["true"])
    let_lapse(node)
    assert other.launch(["true"]).exit_status == 0
    with pytest.raises(NodeHeld):
        node.launch(["true"])


def test_a_run_under_way_holds_the_node_whatever_became_of_its_campaign(node: LocalNode, other: LocalNode) -> None:
    one = job(["sleep", "60"])
    launch = node.begin(jobs.launch(str(node.scratch), node.seat, one, 60))
    give_up_at = time.monotonic() + 20
    while not list(node.scratch.glob(f"*/spool/*/{one.attempt}/out")):
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
    assert launch.stdout is not None
    launch.stdout.close()
    let_lapse(node)
    with pytest.raises(NodeHeld):
        other.look()
    ended = jobs.end(str(node.scratch), one.attempt)
    assert jobs.parse_reply(ended, node.run(ended)).state is jobs.JobState.ENDED
    other.look()
    launch.communicate()


def test_a_launch_puts_off_the_end(node: LocalNode) -> None:
    node.look()
    first = int((lock(node) / "until").read_text())
    node.launch(["true"], limit_s=10_000)
    assert int((lock(node) / "until").read_text()) >= first + 10_000 - 1
    node.launch(["true"], limit_s=10)
    assert int((lock(node) / "until").read_text()) >= first + 10_000 - 1


def test_nodes_that_share_a_machine_on_purpose_do_not_meet(node: LocalNode) -> None:
    elsewhere = dataclasses.replace(new_seat("node2"), place="another")
    sharing = LocalNode(node.folder, seat=elsewhere)
    node.look()
    sharing.look()
    assert len(node.held) == 2


def test_a_holder_who_does_not_say_who_he_is(node: LocalNode, other: LocalNode) -> None:
    node.look()
    (lock(node) / "who").unlink()
    os.mkfifo(lock(node) / "who")
    with pytest.raises(NodeHeld, match="held by somebody"):
        other.look()


@pytest.mark.parametrize("trap", ["link", "file", "fifo"])
def test_what_others_put_there_does_no_harm(node: LocalNode, trap: str, tmp_path: Path) -> None:
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    theirs = node.locks / f"hpcvirt-lock.{boot_id}.machine.theirs"
    victim = tmp_path / "victim"
    victim.mkdir()
    if trap == "link":
        theirs.symlink_to(victim)
        (node.locks / f"hpcvirt-lock.{boot_id}.machine.{node.seat.name}.{node.seat.nonce}").symlink_to(victim)
    elif trap == "file":
        theirs.write_text("99999999")
    else:
        theirs.mkdir()
        os.mkfifo(theirs / "until")
        os.mkfifo(theirs / "who")
    assert node.launch(["true"]).exit_status == 0
    assert list(victim.iterdir()) == []


def test_of_many_who_come_at_once_never_two_get_it(node: LocalNode) -> None:
    crowd = [LocalNode(node.folder) for _ in range(6)]

    def come(one: LocalNode) -> bool:
        time.sleep(random.uniform(0, 0.02))
        try:
            one.look()
        except NodeHeld:
            return False
        return True

    for _ in range(5):
        with ThreadPoolExecutor(len(crowd)) as pool:
            winners = [one for one, has_it in zip(crowd, pool.map(come, crowd), strict=True) if has_it]
        assert len(winners) <= 1
        assert node.held == [one.seat.name for one in winners]
        for one in winners:
            one.leave()


def restarted(node: LocalNode) -> LocalNode:
    """Another runner of the same campaign: on its database, or on a copy."""
    return LocalNode(node.folder, seat=dataclasses.replace(node.seat, nonce=uuid.uuid4().hex[:16]))


def ask(node: LocalNode, *takes: str) -> jobs.Lease:
    script = jobs.lease(str(node.scratch), node.seat, takes)
    return jobs.parse_lease(script, node.run(script), node.seat)


def begin_sleeper(node: LocalNode) -> tuple[jobs.Job, subprocess.Popen[bytes]]:
    """A run under way on the node."""
    one = job(["sleep", "60"])
    launch = node.begin(jobs.launch(str(node.scratch), node.seat, one, 60))
    give_up_at = time.monotonic() + 20
    while not list(node.scratch.glob(f"*/spool/*/{one.attempt}/out")):
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
    return one, launch


def end_sleeper(node: LocalNode, one: jobs.Job, launch: subprocess.Popen[bytes]) -> jobs.JobState:
    ended = jobs.end(str(node.scratch), one.attempt, node.seat)
    state = jobs.parse_reply(ended, node.run(ended)).state
    launch.communicate()
    return state


@pytest.fixture
def holder(tmp_path: Path) -> LocalNode:
    """Whose lock says which process it is."""
    nonce = uuid.uuid4().hex[:16]
    runner = RunnerIdentity(process(pid=DEAD), nonce, "1:2", "/home/op/my campaign.db")
    return LocalNode(tmp_path, seat=dataclasses.replace(new_seat(), nonce=nonce, runner=runner.line))


def test_another_runner_of_the_same_campaign_is_told_which_process_and_database_hold_the_node(
    holder: LocalNode,
) -> None:
    assert ask(holder) == jobs.Lease(frozenset())
    found = ask(restarted(holder))
    assert found.is_same_campaign
    assert "held by node1's operator" in found.held
    assert found.holder is not None
    assert found.holder.line == holder.seat.runner
    assert found.holder.is_proved_dead
    assert holder.held == [holder.seat.name]


def test_a_dead_runner_s_lock_is_taken_at_once_and_nobody_else_s(holder: LocalNode) -> None:
    ask(holder)
    later, stranger = restarted(holder), LocalNode(holder.folder)
    assert ask(stranger, holder.seat.nonce).held
    assert ask(later, "0123456789abcdef").held
    assert not ask(later, holder.seat.nonce).held
    assert lock(later).name.endswith(later.seat.nonce)
    assert ask(holder).held


@pytest.mark.parametrize("is_lapsed", [False, True])
def test_another_runner_ends_nothing_of_a_run_under_way(holder: LocalNode, is_lapsed: bool) -> None:
    """Whatever it does in the campaign's name, as long as it has not taken the lock."""
    ask(holder)
    one, launch = begin_sleeper(holder)
    if is_lapsed:
        let_lapse(holder)
    copy = restarted(holder)
    scratch, seat = str(copy.scratch), copy.seat
    scripts = [
        jobs.collect(scratch, one.attempt, seat),
        jobs.end(scratch, one.attempt, seat),
        jobs.clear(scratch, one.attempt, seat, (), {}, None),
        jobs.make_ready(scratch, seat, (), {}, None, 60, [one.attempt]),
        jobs.look(scratch, seat=seat),
        jobs.end_preparations(scratch, seat),
        jobs.launch(scratch, seat, job(["true"]), 60, past=[one.attempt], forget=[one.attempt]),
    ]
    for script in scripts:
        with pytest.raises(NodeHeld):
            jobs.sections(script, copy.run(script))
    leaving = jobs.forget(scratch, [one.attempt], seat=seat)
    jobs.parse_done(leaving, copy.run(leaving))
    cede = jobs.cede(scratch, seat)
    jobs.parse_done(cede, copy.run(cede))
    assert launch.poll() is None
    assert holder.held == [holder.seat.name]
    assert end_sleeper(holder, one, launch) is jobs.JobState.ENDED


def test_which_attempts_are_under_way_is_told_before_and_after_the_lock_is_taken(holder: LocalNode) -> None:
    ask(holder)
    one, launch = begin_sleeper(holder)
    copy = restarted(holder)
    assert ask(copy).attempts == {one.attempt}
    taken = ask(copy, holder.seat.nonce)
    assert (taken.held, taken.attempts) == ("", {one.attempt})
    # What runs holds the node on, whoever leaves.
    let_lapse(copy)
    assert ask(LocalNode(holder.folder)).held
    assert end_sleeper(copy, one, launch) is jobs.JobState.ENDED


def test_a_lease_that_may_not_be_used_is_given_back(node: LocalNode) -> None:
    ask(node)
    script = jobs.cede(str(node.scratch), node.seat)
    jobs.parse_done(script, node.run(script))
    assert node.held == []


@pytest.mark.parametrize("line", ["", "x", "0123456789abcdef host - 1 2 3:4", "0123456789abcdef h $(who) 1 2 3:4 /p"])
def test_a_line_that_names_no_process_proves_nobody_dead(line: str) -> None:
    assert parse_runner(line) is None


def test_a_line_of_an_earlier_version_is_read_and_proves_nobody_dead() -> None:
    runner = RunnerIdentity(process(pid=DEAD), "0123456789abcdef", "1:2", "/my x.db")
    where = f" {runner.process.machine}/{runner.process.pid_namespace} "
    assert parse_runner(runner.line) == runner
    assert where in runner.line
    found = parse_runner(runner.line.replace(where, " "))
    assert found == dataclasses.replace(runner, process=process(pid=DEAD, machine="", pid_namespace=""))
    assert not found.is_proved_dead


def test_a_process_elsewhere_or_alive_is_not_proved_dead() -> None:
    def of(told: ProcessIdentity) -> bool:
        return RunnerIdentity(told, "0123456789abcdef", "1:2", "/x.db").is_proved_dead

    assert not of(this_process())
    assert not of(process(host="elsewhere", pid=DEAD))
    assert of(process(pid=DEAD))
    assert of(process(pid_start=1))
    assert of(process(boot_id="another-boot"))
