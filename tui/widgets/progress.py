"""The overall bar, and what is the matter when the runner does not run."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from textual.content import Content

from hpcvirt.core.store.records import Progress, Snapshot
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.tui.phrases import count, safe
from hpcvirt.tui.signs import BAD, CARE, GOOD, LIVELY, RUNNER
from hpcvirt.tui.watcher import View
from hpcvirt.tui.widgets.lines import EMPTY, Lines, bar, spread
from hpcvirt.tui.words import duration


class OverallBar(Lines):
    """How far the campaign is and when it will be done."""

    def __init__(self) -> None:
        super().__init__(id="overall")
        self._view: View | None = None

    def show(self, view: View) -> None:
        """Draw this view."""
        self._view = view
        self.renew()

    def build(self, width: int) -> Sequence[Content]:
        """One line: bar, numbers, ETA."""
        if self._view is None or self._view.snapshot is None:
            return [EMPTY]
        snapshot = self._view.snapshot
        done = snapshot.ok + snapshot.given_up
        eta = eta_words(snapshot, time.monotonic() - self._view.read_at)
        numbers = Content.assemble(
            (f" {snapshot.ok}/{snapshot.planned} runs", "bold"), *_losses(snapshot), "  ", (eta, LIVELY), " "
        )
        fraction = done / max(1, snapshot.planned)
        style = GOOD if done >= snapshot.planned else LIVELY
        return [
            spread(width, Content.assemble(" ", bar(max(4, width - numbers.cell_length - 3), fraction, style)), numbers)
        ]


def _losses(snapshot: Snapshot) -> list[tuple[str, str]]:
    spoilt = sum(many for status, many in snapshot.statuses.items() if status not in {"ok", "aborted"})
    given_up = [(f"  ✗ {snapshot.given_up} given up", BAD)] if snapshot.given_up else []
    return given_up + ([(f"  ! {spoilt} spoilt", CARE)] if spoilt else [])


def eta_words(snapshot: Snapshot, age_s: float) -> str:
    """When it will be done; ``unknown`` until every benchmark has run once."""
    if snapshot.is_finished:
        return "all done"
    if snapshot.eta_s is None:
        return "ETA unknown"
    if snapshot.runner.state is not RunnerState.RUNNING:
        return f"{duration(snapshot.eta_s)} of work left"
    left = max(0.0, snapshot.eta_s - age_s)
    at = datetime.now().astimezone() + timedelta(seconds=left)
    return f"ETA {duration(left)} ({at:%H:%M})" if left < 43_200 else f"ETA {duration(left)} ({at:%a %H:%M})"


class Banner(Lines):
    """What the operator must know before all else; not there while everything goes well."""

    def __init__(self) -> None:
        super().__init__(id="banner")
        self._view: View | None = None

    def show(self, view: View) -> None:
        """Draw this view."""
        self._view = view
        self.renew()
        self.display = bool(view.problem or (view.snapshot and banner_words(view.snapshot)))

    def build(self, width: int) -> Sequence[Content]:
        """A problem of the database first, else the state of the runner, wrapped."""
        if self._view is None:
            return []
        if self._view.problem:
            return _wrapped(width, "✗", BAD, f"The database cannot be read: {safe(self._view.problem)}")
        if self._view.snapshot is None:
            return []
        sign = RUNNER[self._view.snapshot.runner.state]
        words = banner_words(self._view.snapshot)
        return _wrapped(width, sign.mark, sign.style, words) if words else []


def _wrapped(width: int, mark: str, style: str, words: str) -> list[Content]:
    lines = Content.styled(words, style).wrap(max(10, width - 4))
    first, *rest = lines
    return [Content.assemble((f" {mark} ", f"bold {style}"), first), *(Content.assemble("   ", line) for line in rest)]


def banner_words(snapshot: Snapshot) -> str:
    """What a state of the runner means and what to do; empty where nothing need be said."""
    safe_runs = f"{count(snapshot.ok, 'run')} {'is' if snapshot.ok == 1 else 'are'} safe in the database."
    command = f"hpcvirt-tui run {shlex.quote(safe(snapshot.campaign.source))} --db {shlex.quote(str(snapshot.path))}"
    process = snapshot.runner.process
    host = safe(process.host) if process else "another host"
    under_way = sum(card.state == "running" for card in snapshot.nodes)
    return {
        RunnerState.NOT_STARTED: "No runner has worked on this database yet. p starts one.",
        RunnerState.PAUSED: _paused(under_way),
        RunnerState.STOPPED: f"Stopped before the end. {safe_runs} p goes on, or in a shell: {command}",
        RunnerState.FAILED: f"A node, a kernel or the database could not be used: the log says which. {safe_runs} "
        f"p goes on, or in a shell: {command}",
        RunnerState.CRASHED: f"The runner is gone without a word. {safe_runs} p goes on, or in a shell: {command}",
        RunnerState.ELSEWHERE: f"The runner is on host {host} (pid {process.pid if process else '?'}): "
        "steer it from there; this screen shows what it files.",
    }.get(snapshot.runner.state, "")


def _paused(under_way: int) -> str:
    if under_way:
        return f"Pausing: {count(under_way, 'run')} under way ends first, then nothing new starts. p resumes."
    return "Paused: nothing new starts. p resumes."


def peek_words(snapshot: Snapshot, at: Progress | None) -> str:
    """What must be said above verdicts of an unfinished campaign. ``at``: its progress at the look."""
    if snapshot.is_finished:
        return ""
    seen = f" at {at.ok} of {at.planned} runs" if at else ""
    return f"INTERIM, as if final: a recorded look{seen}. P hides it."


def veil_words(snapshot: Snapshot) -> str:
    """What is said as long as nobody asked for a look."""
    if snapshot.is_finished:
        return ""
    return f"INTERIM: {snapshot.ok} of {snapshot.planned} runs are in. Means and differences only; P: verdicts."
