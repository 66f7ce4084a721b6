"""Live: the nodes, the progress, the log."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from hpcvirt.core.store.records import Snapshot
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.tui.state import State
from hpcvirt.tui.widgets.board import Look, NodeBoard, board_height
from hpcvirt.tui.widgets.event_log import EventLog
from hpcvirt.tui.widgets.grid import ProgressGrid
from hpcvirt.tui.widgets.lines import Lines, rule
from hpcvirt.tui.widgets.pane import Pane
from hpcvirt.tui.widgets.progress import Banner, OverallBar

LEAST_EVENTS = 3
FEW_NODES = 4
"""So many stay cards on any terminal."""


class Rule(Lines):
    """A heading over what follows."""

    def __init__(self, title: str) -> None:
        super().__init__(classes=f"rule {title.lower()}")
        self._heading = title

    def build(self, width: int) -> Sequence[Content]:
        """One line."""
        return [rule(width, self._heading)]


class LivePane(Pane):
    """Everything essential without scrolling; what is left over goes to the log."""

    DEFAULT_FOCUS = "#events"

    def __init__(self) -> None:
        super().__init__(id="live")
        self._state: State | None = None

    def compose(self) -> ComposeResult:
        """From the whole to the detail."""
        yield Static("", id="live-empty", markup=False)
        yield OverallBar()
        yield Banner()
        yield Rule("Nodes")
        with VerticalScroll(id="board-scroll", can_focus=False):
            yield NodeBoard()
        yield Rule("Progress")
        with VerticalScroll(id="grid-scroll", can_focus=False):
            yield ProgressGrid()
        yield Rule("Events")
        yield EventLog()

    def on_resize(self, event: events.Resize) -> None:
        """Cards or lines: that depends on the height."""
        del event
        if self._state is not None:
            self.show(self._state)

    def show(self, state: State) -> None:
        """Draw this state."""
        view = state.view
        self._state = state
        is_empty = view is None or (view.snapshot is None and not view.problem)
        self.set_class(is_empty, "empty")
        if is_empty:
            self.query_one("#live-empty", Static).update(_empty_words(state))
        if view is None:
            return
        self.query_one(OverallBar).show(view)
        self.query_one(Banner).show(view)
        snapshot = view.snapshot
        if snapshot is None:
            return
        look = self._look(snapshot)
        self.set_class(look is Look.COMPACT, "compact")
        self.set_class(look is Look.TABLE, "table")
        # What does not fit must be within reach without a mouse.
        self.query_one("#board-scroll").can_focus = look is Look.TABLE
        is_live = snapshot.runner.state in {RunnerState.RUNNING, RunnerState.PAUSED, RunnerState.ELSEWHERE}
        self.query_one(NodeBoard).show(snapshot, look, is_live=is_live)
        self.query_one(ProgressGrid).show(snapshot.cells, snapshot.campaign.baseline, snapshot.campaign.kernels)
        self.query_one(EventLog).show(snapshot.events)

    def _look(self, snapshot: Snapshot) -> Look:
        """The most telling one with which everything else is in sight, too."""
        rows = len({cell.benchmark for cell in snapshot.cells}) + 1
        # Where there is room, everything stands apart: the same that live.tcss says for it.
        is_high = self.screen.has_class("-high")
        above = (3 if is_high else 1) + ((3 if is_high else 2) if self.query_one(Banner).display else 0)
        rules = 4 if is_high else 1
        for look in (Look.CARDS, Look.SHORT_CARDS, Look.COMPACT):
            board = board_height(len(snapshot.nodes), self.size.width, look)
            least = 1 if look is Look.COMPACT else LEAST_EVENTS
            if above + board + rows + rules + least <= self.size.height:
                return look
        return Look.COMPACT if len(snapshot.nodes) <= FEW_NODES else Look.TABLE


def _empty_words(state: State) -> str:
    if state.database is None:
        return "No campaign is running yet. 1 goes to Setup, where s starts one."
    return "Reading the database …"
