"""Preparations: once per boot, and begun again when nobody heard how they ended."""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hpcvirt.core.errors import NodeHeld, NodeUnusable
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.job import Script
from tests.remote.nodes import LocalNode, processes_of, shell_job, wait_until

FIRST = ("0abc.0", "0abc.1")
SECOND = ("0abc.1",)


LIFE = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def preparing(node: LocalNode, inner: str, wrap: tuple[str, ...] = (), marks: Sequence[str] = FIRST) -> Script:
    return jobs.prepare(str(node.scratch), node.seat, marks, LIFE, 60, wrap, {}, inner)


def said(node: LocalNode, script: Script) -> tuple[bytes, int] | None:
    return jobs.parse_prepare(script, node.run(script))


def prepared(node: LocalNode) -> list[int]:
    return processes_of(f"HPCVIRT_PREPARED_FOR={node.seat.name}")


def server(sign: Path) -> str:
    """Leaves something running that has its output open."""
    return f"sh -c {shlex.quote(f'(echo >{sign}; exec sleep 300) & echo begun')}"


@pytest.fixture
def held(node: LocalNode) -> LocalNode:
    script = jobs.hold(str(node.scratch), node.seat)
    assert jobs.parse_done(script, node.run(script)).startswith("lock ")
    return node


def until_left(node: LocalNode) -> float:
    (lock,) = node.locks.glob(f"*.{node.seat.name}.*")
    return int((lock / "until").read_text()) - float(Path("/proc/uptime").read_text().split()[0])


def test_it_is_told_with_what_it_said(held: LocalNode) -> None:
    script = preparing(held, "pwd; echo $A; exit 7", ("env", "A=b"))
    assert said(held, script) == (f"{held.root}\nb\n".encode(), 7)
    assert not list(held.root.glob("said.*"))


@pytest.mark.parametrize("wrap", [(), ("env", "-i", "PATH=/usr/bin:/bin")], ids=["alone", "cleared"])
def test_one_that_was_cut_is_ended_before_the_next(held: LocalNode, tmp_path: Path, wrap: tuple[str, ...]) -> None:
    """Whoever waited for it is gone: with the connection, or after its time."""
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    cut = held.begin(preparing(held, f"echo >{begun}; sleep 300 && echo >{ended}", wrap))
    wait_until(begun.exists)
    assert said(held, preparing(held, "exit 0", wrap)) == (b"", 0)
    cut.communicate(timeout=20)
    assert not prepared(held)
    assert not ended.exists()


def test_one_that_was_cut_within_its_wrap_does_not_begin_later(held: LocalNode, tmp_path: Path) -> None:
    waiting, begun = tmp_path / "waiting", tmp_path / "begun"
    wrap = ("sh", "-c", f'echo >{waiting}; sleep 3; exec "$@"', "wrap")
    cut = held.begin(preparing(held, f"echo >{begun}", wrap))
    wait_until(waiting.exists)
    assert said(held, preparing(held, "exit 0")) == (b"", 0)
    cut.communicate(timeout=20)
    assert not begun.exists()


def test_what_it_leaves_running_is_there_until_the_campaign_leaves(held: LocalNode, tmp_path: Path) -> None:
    assert said(held, preparing(held, server(tmp_path / "sign"))) == (b"begun\n", 0)
    wait_until((tmp_path / "sign").exists)
    running = prepared(held)
    assert running
    assert held.launch(shell_job("echo hello")).stdout == b"hello\n"
    # Those that follow it may need it, and another benchmark's have nothing to do with it.
    assert said(held, preparing(held, "exit 0", marks=SECOND)) == (b"", 0)
    assert said(held, preparing(held, "exit 0", marks=("0def.0",))) == (b"", 0)
    assert prepared(held) == running
    held.leave()
    assert not prepared(held)


def test_what_one_has_left_running_is_ended_before_it_is_begun_again(held: LocalNode, tmp_path: Path) -> None:
    """Its answer may have been lost when it had ended; another kernel wants its own."""
    script = preparing(held, server(tmp_path / "sign"))
    later = preparing(held, server(tmp_path / "later"), marks=SECOND)
    for each in (script, later):
        assert said(held, each) == (b"begun\n", 0)
    wait_until(lambda: len(prepared(held)) == 2)
    before = set(prepared(held))
    assert said(held, script) == (b"begun\n", 0)
    wait_until(lambda: len(prepared(held)) == 1)
    assert not before & set(prepared(held))
    script = jobs.end_preparations(str(held.scratch), held.seat)
    jobs.parse_done(script, held.run(script))
    assert not prepared(held)


def test_one_that_was_cut_is_ended_when_the_campaign_leaves(held: LocalNode, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    script = preparing(held, f"echo >{begun}; sleep 300; exit 9")
    cut = held.begin(script)
    wait_until(begun.exists)
    held.leave()
    cut.communicate(timeout=20)
    assert not prepared(held)
    assert not held.root.exists()
    # A line that was slow brings it once more.
    with pytest.raises(NodeUnusable, match="given free"):
        said(held, script)


@pytest.mark.slow
def test_one_that_is_slow_to_begin_does_not_begin_on_a_node_that_was_left(held: LocalNode, tmp_path: Path) -> None:
    """It ends what an earlier one has left, which takes its time."""
    sign, begun = tmp_path / "sign", tmp_path / "begun"
    stubborn = f"(trap '' TERM; echo >{sign}; while :; do sleep 0.1; done) & echo begun"
    assert said(held, preparing(held, f"sh -c {shlex.quote(stubborn)}")) == (b"begun\n", 0)
    wait_until(sign.exists)
    slow = held.begin(preparing(held, f"echo >{begun}; sleep 300"))
    held.leave()
    # That it was given free; or that its folder is no more, when that went at this very moment.
    assert b" unusable " in slow.communicate(timeout=30)[0]
    assert not begun.exists()
    assert not prepared(held)


def test_after_a_reboot_it_does_not_begin(held: LocalNode, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    script = jobs.prepare(str(held.scratch), held.seat, FIRST, "another-life", 60, (), {}, f"echo >{begun}")
    assert said(held, script) is None
    assert not begun.exists()
    # Where a wrap hides the node's own boot_id nobody can tell.
    script = jobs.prepare(str(held.scratch), held.seat, FIRST, None, 60, (), {}, f"echo >{begun}")
    assert said(held, script) == (b"", 0)
    assert begun.exists()


def test_nobody_else_gets_the_node_meanwhile(held: LocalNode, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    cut = held.begin(preparing(held, f"echo >{begun}; sleep 300"))
    wait_until(begun.exists)
    (lock,) = held.locks.glob(f"*.{held.seat.name}.*")
    (lock / "until").write_text("1\n")
    other = replace(held, seat=replace(held.seat, campaign=uuid.uuid4().hex))
    with pytest.raises(NodeHeld):
        other.launch(shell_job("echo hello"))
    held.leave()
    cut.communicate(timeout=20)
    assert other.launch(shell_job("echo hello")).state is jobs.JobState.FINISHED


def test_the_node_stays_locked_for_as_long_as_one_may_take(held: LocalNode) -> None:
    script = jobs.prepare(str(held.scratch), held.seat, FIRST, LIFE, 5000, (), {}, "exit 0")
    assert said(held, script) == (b"", 0)
    assert until_left(held) > 5000


def test_a_lock_is_put_off_before_it_comes_to_its_end(held: LocalNode) -> None:
    (lock,) = held.locks.glob(f"*.{held.seat.name}.*")
    now_s = int(float(Path("/proc/uptime").read_text().split()[0]))
    (lock / "until").write_text(f"{now_s + jobs.LEASE_S * 2 // 3}\n")
    script = jobs.hold(str(held.scratch), held.seat)
    jobs.parse_done(script, held.run(script))
    assert until_left(held) > jobs.LEASE_S - 60
