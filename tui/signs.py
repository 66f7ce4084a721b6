"""A sign and a style for each state, so that nothing is said by colour alone: the word stands beside."""

from __future__ import annotations

from dataclasses import dataclass

from hpcvirt.core.store.runner_state import RunnerState

MUTED = "$foreground 60%"
"""Not ``$text-muted``, whose automatic contrast is lost inside a line."""
GOOD = "$success"
BAD = "$error"
CARE = "$warning"
LIVELY = "$primary"
PLAIN = ""


@dataclass(frozen=True, slots=True)
class Sign:
    """How a state looks."""

    mark: str
    style: str


RUNNER = {
    RunnerState.NOT_STARTED: Sign("○", MUTED),
    RunnerState.RUNNING: Sign("▶", GOOD),
    RunnerState.PAUSED: Sign("‖", CARE),
    RunnerState.STOPPED: Sign("■", CARE),
    RunnerState.FAILED: Sign("!", BAD),
    RunnerState.CRASHED: Sign("✗", BAD),
    RunnerState.ELSEWHERE: Sign("↗", CARE),
    RunnerState.FINISHED: Sign("✓", GOOD),
}

NODE = {
    "waiting": Sign("○", MUTED),
    "connecting": Sign("◌", LIVELY),
    "booting": Sign("↻", LIVELY),
    "proving": Sign("◌", LIVELY),
    "settling": Sign("◌", LIVELY),
    "copying": Sign("↑", LIVELY),
    "running": Sign("▶", GOOD),
    "collecting": Sign("↓", LIVELY),
    "ending": Sign("■", CARE),
    "paused": Sign("‖", CARE),
    "stopped": Sign("■", CARE),
    "unreachable": Sign("✗", BAD),
    "set aside": Sign("✗", BAD),
    "done": Sign("✓", GOOD),
}

_EVENT = {"info": Sign("·", MUTED), "warning": Sign("!", CARE), "error": Sign("✗", BAD)}

_ATTEMPT = {
    "ok": Sign("✓", GOOD),
    "under way": Sign("▶", LIVELY),
    "aborted": Sign("■", MUTED),
    "lost": Sign("!", CARE),
    "void": Sign("!", CARE),
}

_VERDICT_STYLE = {"faster": GOOD, "slower": BAD, "trivial": MUTED, "equivalent": LIVELY, "inconclusive": CARE}


def node_sign(state: str) -> Sign:
    """Of a node's state; one this program does not know is shown plainly."""
    return NODE.get(state, Sign("•", PLAIN))


def is_at_rest(state: str) -> bool:
    """Whether a state stays true when the runner is gone."""
    return state in {"waiting", "unreachable", "set aside", "stopped", "done"}


def is_trouble(state: str) -> bool:
    """Whether a node's state wants somebody's attention."""
    return node_sign(state).style == BAD


def event_sign(level: str) -> Sign:
    """Of a line of the log."""
    return _EVENT.get(level, Sign("•", PLAIN))


def attempt_sign(status: str) -> Sign:
    """Of how an attempt ended."""
    return _ATTEMPT.get(status, Sign("✗", BAD))


def verdict_sign(verdict: str) -> Sign:
    """Of what the statistics say; a verdict this program does not know is shown plainly."""
    # Imported late: the first paint shows no verdict.
    from hpcvirt.core.stats.model import Verdict

    return Sign(Verdict(verdict).sign, _VERDICT_STYLE[verdict]) if verdict in _VERDICT_STYLE else Sign("•", PLAIN)
