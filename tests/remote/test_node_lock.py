"""Two campaigns are kept off one node, whoever comes when."""

from __future__ import annotations

import dataclasses
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hpcvirt.core.errors import NodeHeld
from hpcvirt.core.remote import job as jobs
from tests.support.shells import LocalNode, job, new_seat


@pytest.fixture
def node(tmp_path: Path) -> LocalNode:
    return LocalNode(tmp_path)


@pytest.fixture
def other(node: LocalNode) -> LocalNode:
    """Another campaign on the same node."""
    return LocalNode(node.folder)


def lock(node: LocalNode) -> Path:
    (found,) = node.locks.glob(f"*.{node.seat.name}")
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
    assert modes == {"who": "0o644", "until": "0o644", "job": "0o644"}
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
        (node.locks / f"hpcvirt-lock.{boot_id}.machine.{node.seat.name}").symlink_to(victim)
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
