"""The line at the top: the panes, the campaign, what its runner does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message

from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.tui.phrases import cut, safe
from hpcvirt.tui.signs import BAD, MUTED, RUNNER
from hpcvirt.tui.watcher import View
from hpcvirt.tui.widgets.lines import EMPTY, Lines, spread

PANES = (
    ("0", "chooser", "Open"),
    ("1", "setup", "Setup"),
    ("2", "live", "Live"),
    ("3", "results", "Results"),
    ("4", "plots", "Plots"),
    ("6", "runs", "Runs"),
)

ROOMY = 100


class TopStrip(Lines):
    """Panes at the left, the campaign in the middle, the runner at the right."""

    @dataclass
    class PaneClicked(Message):
        """A pane's name was clicked. Not frozen, because Textual writes into its messages."""

        pane: str

    def __init__(self) -> None:
        super().__init__(id="strip")
        self._pane = ""
        self._campaign = ""
        self._view: View | None = None

    def show(self, pane: str, name: str, view: View | None) -> None:
        """Say where we are."""
        self._pane, self._campaign, self._view = pane, name, view
        self.renew()

    def build(self, width: int) -> Sequence[Content]:
        """One line."""
        left = Content.assemble(*(_tab(key, title, pane == self._pane) for key, pane, title in _panes(width)))
        right = _runner(self._view)
        room = width - left.cell_length - right.cell_length - 4
        name = Content.styled(cut(safe(self._campaign), room), "bold") if room > 3 else EMPTY
        return [spread(width, Content.assemble(left, "  ", name), Content.assemble(right, " "))]

    def on_click(self, event: events.Click) -> None:
        """A pane's name is also a button."""
        x = 0
        for key, pane, title in _panes(self.size.width):
            x += _tab(key, title, False).cell_length
            if event.x < x:
                self.post_message(self.PaneClicked(pane))
                return


def _panes(width: int) -> Sequence[tuple[str, str, str]]:
    """On a narrow terminal the chooser is a key only: the campaign's name needs the room more."""
    return PANES if width >= ROOMY else [(key, pane, "" if pane == "chooser" else title) for key, pane, title in PANES]


def _tab(key: str, title: str, is_active: bool) -> Content:
    if is_active:
        return Content.styled(f" {key} {title}".rstrip() + " ", "$primary reverse bold")
    return Content.assemble(" ", (key, "$primary"), (f" {title}".rstrip() + " ", MUTED))


def _runner(view: View | None) -> Content:
    if view is None:
        return EMPTY
    if view.snapshot is None:
        return Content.styled("✗ no database", BAD) if view.problem else Content.styled("reading…", MUTED)
    state = view.snapshot.runner.state
    sign = RUNNER[state]
    done = view.snapshot.ok + view.snapshot.given_up
    percent = 100 * done // max(1, view.snapshot.planned)
    stale = ("✗ stale  ", BAD) if view.problem else ""
    tail = "" if state is RunnerState.FINISHED else f"  {percent} %"
    return Content.assemble(stale, (f"{sign.mark} {state}", f"bold {sign.style}"), tail)
