"""Wishes from the command line."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path

from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.store.queries import read_runner, write_wish
from hpcvirt.core.store.records import RunnerState

DEAF = {
    RunnerState.NOT_STARTED: "no runner has begun",
    RunnerState.STOPPED: "its runner has stopped",
    RunnerState.CRASHED: "its runner is gone",
    RunnerState.FINISHED: "it is finished",
}


def wish(database: Path, kind: str) -> str:
    """Ask the runner of a database for something; what to tell the operator.

    Raises UsageWrong when there is no runner to ask, StoreUnusable.
    """
    state = read_runner(database).state
    if state in DEAF:
        raise UsageWrong(f"{database}: {DEAF[state]}; nobody to {kind}", hint=f"see `hpcvirt-tui status {database}`")
    write_wish(database, kind, f"{getpass.getuser()}@{socket.gethostname()}")
    return f"asked the runner to {kind}; see `hpcvirt-tui status {database}`"
