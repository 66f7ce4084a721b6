"""What a runner does. By itself: the screen's first paint needs it, and not the records of a database."""

from __future__ import annotations

from enum import StrEnum


class RunnerState(StrEnum):
    """What the runner of a database does, derived from its process and the plan."""

    NOT_STARTED = "not started"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    """It ended before the plan did, because somebody wished so."""
    FAILED = "failed"
    """It ended before the plan did, because a node, a kernel or the database could not be used: the log says which."""
    CRASHED = "crashed"
    """It is gone without having said why."""
    ELSEWHERE = "on another host"
    FINISHED = "finished"
