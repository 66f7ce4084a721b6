"""Wishes from the command line."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.process import operator
from hpcvirt.core.store.queries import read_runner, write_wish
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.core.store.runners import read_copied_from
from hpcvirt.core.store.runs import RunRecord, RunState, read_runs

DEAF = {
    RunnerState.NOT_STARTED: "no runner has begun",
    RunnerState.STOPPED: "its runner has stopped",
    RunnerState.FAILED: "its runner has given up",
    RunnerState.CRASHED: "its runner is gone",
    RunnerState.FINISHED: "it is finished",
    RunnerState.ELSEWHERE: "its runner is on another host: ask there",
}


def wish(database: Path, kind: str) -> str:
    """Ask the runner of a database for something; what to tell the operator.

    Raises UsageWrong when there is no runner to ask, StoreUnusable.
    """
    if original := read_copied_from(database):
        raise UsageWrong(
            f"{database} is a copy of {original}, whose runner does not read it; nobody to {kind}",
            hint=f"ask there: hpcvirt-tui {kind} {shlex.quote(original)}",
        )
    state = read_runner(database).state
    if state in DEAF:
        raise UsageWrong(f"{database}: {DEAF[state]}; nobody to {kind}", hint=f"see `hpcvirt-tui status {database}`")
    write_wish(database, kind, who())
    return f"asked the runner to {kind}; see `hpcvirt-tui status {database}`"


def wish_runs(database: Path, kind: str, runs: Sequence[int]) -> str:
    """Ask to ``skip`` or ``requeue`` runs; what to tell the operator. Without a runner the next one obeys.

    Raises UsageWrong, with nothing asked, when there is no such run or it makes no sense for one; StoreUnusable.
    """
    found = {run.id: run for run in read_runs(database, runs)}
    faults = [fault for fault in (_fault(kind, number, found.get(number)) for number in runs) if fault]
    if faults:
        raise UsageWrong(f"{database}: {'; '.join(faults)}", hint=f"see `hpcvirt-tui status {database}`")
    write_wish(database, kind, who(), tuple(found))
    counted = f"{len(found)} run{'s' if len(found) > 1 else ''}"
    if read_runner(database).state in DEAF:
        return f"{counted}: the next runner will {kind} {'them' if len(found) > 1 else 'it'}"
    return f"asked the runner to {kind} {counted}; see `hpcvirt-tui status {database}`"


def _fault(kind: str, number: int, run: RunRecord | None) -> str:
    if run is None:
        return f"there is no run {number}"
    if run.state is RunState.OK:
        return f"run {number} is ok: its result stays"
    if kind == "skip" and run.state is RunState.GIVEN_UP:
        return f"run {number} is given up already: {run.why}"
    return ""


def who() -> str:
    """Who asks, for the record."""
    return operator()
