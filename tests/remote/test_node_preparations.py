"""Preparations: once per boot, begun again when nobody heard how they ended."""

from __future__ import annotations

import shlex
from pathlib import Path

from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.job import Script
from tests.remote.nodes import LocalNode, processes_of, shell_job, wait_until


def preparing(node: LocalNode, inner: str, wrap: tuple[str, ...] = ()) -> Script:
    return jobs.prepare(str(node.scratch), node.seat, wrap, {}, inner)


def test_a_preparation_is_told_with_what_it_said(node: LocalNode) -> None:
    script = preparing(node, "pwd; echo $A; exit 7", ("env", "A=b"))
    assert jobs.parse_run_within(script, node.run(script)) == (f"{node.root}\nb\n".encode(), 7)
    assert not list(node.root.glob("preparing.*"))


def test_a_preparation_that_was_cut_is_ended_before_the_next(node: LocalNode, tmp_path: Path) -> None:
    """Whoever waited for it is gone: with the connection, or after its time."""
    first = tmp_path / "first"
    cut = node.begin(preparing(node, f"echo >{first}; sleep 300"))
    wait_until(lambda: first.exists())
    script = preparing(node, "exit 0")
    assert jobs.parse_run_within(script, node.run(script)) == (b"", 0)
    cut.communicate(timeout=20)
    assert not list(node.root.glob("preparing.*"))


def test_what_a_preparation_leaves_running_is_there_until_the_campaign_leaves(node: LocalNode, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    serving = f"(echo $$ >{begun}; exec sleep 300) & echo begun"
    script = preparing(node, f"sh -c {shlex.quote(serving)}")
    assert jobs.parse_run_within(script, node.run(script)) == (b"begun\n", 0)
    wait_until(lambda: begun.exists())
    server = processes_of(f"HPCVIRT_PREPARED_FOR={node.seat.name}")
    assert server
    assert node.launch(shell_job("echo hello")).stdout == b"hello\n"
    script = preparing(node, "exit 0")
    node.run(script)
    assert processes_of(f"HPCVIRT_PREPARED_FOR={node.seat.name}") == server
    node.leave()
    assert not processes_of(f"HPCVIRT_PREPARED_FOR={node.seat.name}")


def test_a_preparation_that_was_cut_is_ended_when_the_campaign_leaves(node: LocalNode, tmp_path: Path) -> None:
    first = tmp_path / "first"
    cut = node.begin(preparing(node, f"echo >{first}; sleep 300; exit 9"))
    wait_until(lambda: first.exists())
    node.leave()
    cut.communicate(timeout=20)
    assert not node.root.exists()
