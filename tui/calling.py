"""What is worth calling an operator for who looks elsewhere: the end of a campaign, and what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.core.text import clean_line
from hpcvirt.tui.settings import Notify
from hpcvirt.tui.signs import is_trouble
from hpcvirt.tui.state import STEERABLE

if TYPE_CHECKING:
    from hpcvirt.core.store.records import Snapshot

ENDINGS = {
    RunnerState.FINISHED: "finished",
    RunnerState.STOPPED: "stopped before the end",
    RunnerState.FAILED: "ended: a node, a kernel or the database could not be used",
    RunnerState.CRASHED: "its runner is gone without a word",
}


def news(before: Snapshot | None, now: Snapshot) -> str:
    """What has happened since, in words; empty where nobody need be called."""
    if before is None or before.path != now.path:
        return ""
    told = []
    if before.runner.state in STEERABLE and now.runner.state in ENDINGS:
        told.append(ENDINGS[now.runner.state])
    was = {card.name for card in before.nodes if is_trouble(card.state)}
    told += [f"{card.name} {card.state}" for card in now.nodes if is_trouble(card.state) and card.name not in was]
    if now.given_up > before.given_up:
        told.append(f"{now.given_up} runs given up")
    return clean_line(f"{now.campaign.name}: {', '.join(told)}") if told else ""


def sequence(words: str, how: Notify) -> str:
    """What a terminal understands as a call; OSC 9 is a notification on the desktop."""
    if how is Notify.OFF or not words:
        return ""
    # A semicolon after OSC 9 begins another command in some terminals.
    return "\a" if how is Notify.BELL else f"\x1b]9;{words.replace(';', ',')}\a\a"
