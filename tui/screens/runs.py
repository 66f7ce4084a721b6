"""Runs: every attempt, the newest first; Enter opens one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from hpcvirt.core.store.attempts import PAGE_ROWS, AttemptRow
from hpcvirt.tui.messages import AttemptsWanted, RunWished
from hpcvirt.tui.phrases import clock, count, cut_middle, safe, short_labels
from hpcvirt.tui.signs import BAD, MUTED, attempt_sign
from hpcvirt.tui.state import State
from hpcvirt.tui.widgets.caption import Caption
from hpcvirt.tui.widgets.choices import Choices
from hpcvirt.tui.widgets.lines import EMPTY, LateLine, Lines, fitted
from hpcvirt.tui.widgets.pane import Pane

FINGERS_REST_S = 0.15


@dataclass(frozen=True, slots=True)
class Column:
    """One column, and from which width on it is shown."""

    heading: str
    width: int
    """0: what the others leave."""
    draw: Callable[[AttemptRow, str], Content]
    least: int = 0
    is_right: bool = False


def _status(row: AttemptRow, label: str) -> Content:
    del label
    sign = attempt_sign(row.status)
    return Content.styled(f"{sign.mark} {safe(row.status, 12)}", sign.style)


def _duration(row: AttemptRow, label: str) -> Content:
    del label
    return Content("–" if row.duration_s is None else f"{row.duration_s:.2f}")


def _exit(row: AttemptRow, label: str) -> Content:
    del label
    return Content("–" if row.exit_status is None else str(row.exit_status))


COLUMNS = (
    Column("begun", 8, lambda row, _: Content.styled(clock(row.started_at), MUTED)),
    Column("run id", 7, lambda row, _: Content(str(row.run_id)), 90, is_right=True),
    Column("status", 12, _status),
    Column("node", 10, lambda row, _: Content(cut_middle(safe(row.node, 64), 10))),
    Column("kernel", 14, lambda row, _: Content(cut_middle(safe(row.kernel, 64), 14))),
    Column("benchmark", 12, lambda _, label: Content(cut_middle(label, 12))),
    Column("run", 4, lambda row, _: Content(str(row.run)), is_right=True),
    Column("try", 3, lambda row, _: Content(str(row.number)), 108, is_right=True),
    Column("seconds", 8, _duration, is_right=True),
    Column("exit", 4, _exit, 113, is_right=True),
    Column("reason", 0, lambda row, _: Content.styled(safe(row.reason, 300), MUTED), 104),
)


def columns_for(width: int) -> list[Column]:
    """Those that a width has room for."""
    return [column for column in COLUMNS if width >= column.least]


def drawn(row: AttemptRow, label: str, columns: Sequence[Column], width: int) -> Content:
    """One line."""
    cells = [_aligned(column.draw(row, label), column) for column in columns]
    return Content(" ").join(cells).truncate(max(1, width), ellipsis=True)


def _aligned(content: Content, column: Column) -> Content:
    if not column.width:
        return content
    content = content.truncate(column.width, ellipsis=True)
    room = column.width - content.cell_length
    return content.pad_left(room) if column.is_right else content.pad_right(room)


class RunsHeading(Caption):
    """What is shown of how much, and the names of the columns."""

    def build(self, width: int) -> Sequence[Content]:
        """Two lines."""
        names = [_aligned(Content.styled(c.heading, f"bold {MUTED}"), c) for c in columns_for(width)]
        return [*super().build(width), fitted(Content.assemble(" ", Content(" ").join(names)), width)]


class AttemptRows(Choices):
    """The attempts; Enter opens the one under the cursor."""

    def __init__(self) -> None:
        super().__init__(id="runs-rows")
        self._rows: tuple[AttemptRow, ...] = ()
        self._width = 0

    def show(self, rows: tuple[AttemptRow, ...], width: int) -> None:
        """Draw these, the cursor on the same attempt as before."""
        if (rows, width) == (self._rows, self._width):
            return
        chosen = self.row
        self._rows, self._width = rows, width
        labels = short_labels(list(dict.fromkeys(row.benchmark for row in rows)))
        labels = {name: safe(label, 60) for name, label in labels.items()}
        columns = columns_for(width)
        self.clear_options()
        self.add_options([Option(LateLine(partial(drawn, row, labels[row.benchmark], columns))) for row in rows])
        ids = [row.id for row in rows]
        at = ids.index(chosen.id) if chosen is not None and chosen.id in ids else 0
        self.highlighted = at if rows else None

    @property
    def row(self) -> AttemptRow | None:
        """The one under the cursor."""
        at = self.highlighted
        return self._rows[at] if at is not None and at < len(self._rows) else None


class RunsFilter(Input):
    """Words that attempts must contain."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "Clear filter", id="runs.clear", tooltip="Show all attempts again"),
        Binding("enter,down", "leave", "To the rows", id="runs.leave", tooltip="Keep the filter and go to the rows"),
    ]

    def __init__(self) -> None:
        super().__init__(id="runs-filter", placeholder="words: node, kernel, benchmark, status or reason", compact=True)

    def action_clear(self) -> None:
        """Show all."""
        self.value = ""
        self.display = False
        self.screen.query_one(AttemptRows).focus()

    def action_leave(self) -> None:
        """Keep the words."""
        self.display = bool(self.value)
        self.screen.query_one(AttemptRows).focus()


class RunsEmpty(Lines):
    """Why there is no row, and what to do."""

    def __init__(self) -> None:
        super().__init__(id="runs-empty")
        self._words, self._style = "", MUTED

    def show(self, words: str, style: str) -> None:
        """Say this."""
        self._words, self._style = words, style
        self.display = bool(words)
        self.renew()

    def build(self, width: int) -> Sequence[Content]:
        """Wrapped, one blank line above."""
        lines = Content.styled(self._words, self._style).wrap(max(20, width - 4)) if self._words else []
        return [EMPTY, *(Content.assemble("  ", line) for line in lines)]


class RunsPane(Pane):
    """The list of attempts."""

    DEFAULT_FOCUS = "#runs-rows"

    def __init__(self) -> None:
        super().__init__(id="runs")
        self._state = State()
        self._offset = 0
        self._pause: Timer | None = None

    def compose(self) -> ComposeResult:
        """Heading, filter, list."""
        yield RunsHeading("runs-heading")
        field = RunsFilter()
        field.display = False
        yield field
        yield AttemptRows()
        yield RunsEmpty()

    def show(self, state: State) -> None:
        """Draw this state."""
        self._state = state
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        """Columns are made for a width."""
        del event
        self._draw()

    def can(self, action: str) -> bool:
        """What can be done with the row under the cursor, and where there are more rows."""
        page = self._state.attempts
        if page is None:
            return False
        return {
            "filter": page.total > 0 or bool(self.query_one(RunsFilter).value),
            "requeue": self.query_one(AttemptRows).row is not None,
            "skip": self.query_one(AttemptRows).row is not None,
            "older": page.offset + len(page.rows) < page.total,
            "newer": page.offset > 0,
        }.get(action, False)

    def perform(self, action: str) -> None:
        """Filter, page, wish."""
        row = self.query_one(AttemptRows).row
        if action == "filter":
            field = self.query_one(RunsFilter)
            field.display = True
            field.focus()
        elif action in {"older", "newer"}:
            self._offset = max(0, self._offset + (PAGE_ROWS if action == "older" else -PAGE_ROWS))
            self._ask()
        elif action == "requeue" and row is not None:
            self.post_message(RunWished("requeue", row.run_id))
        elif action == "skip" and row is not None:
            self._ask_skip(row)

    def _ask_skip(self, row: AttemptRow) -> None:
        from hpcvirt.tui.screens.dialogs import ConfirmDialog

        told = f"{safe(row.benchmark, 80)} run {row.run} under {safe(row.kernel, 40)} on {safe(row.node, 40)}"
        lines = [
            (EMPTY, Content(f"Run {row.run_id}: {told}.")),
            (EMPTY, Content("It gets no more attempts; one that is under way is ended now, and its time is lost.")),
            (EMPTY, Content("R takes that back.")),
        ]
        dialog = ConfirmDialog("Skip this run?", lines, yes="skip", no="leave it", is_dangerous=True)

        def answered(yes: bool | None) -> None:
            if yes:
                self.post_message(RunWished("skip", row.run_id))

        self.app.push_screen(dialog, answered)

    @on(Input.Changed, "#runs-filter")
    def _filtered(self) -> None:
        """Look when the fingers rest."""
        self._offset = 0
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(FINGERS_REST_S, self._ask)

    def _ask(self) -> None:
        self.post_message(AttemptsWanted(self.query_one(RunsFilter).value, self._offset))

    @on(OptionList.OptionSelected, "#runs-rows")
    def _opened(self) -> None:
        row = self.query_one(AttemptRows).row
        if row is not None and self._state.database is not None and self.screen.is_active:
            from hpcvirt.tui.screens.attempt import AttemptScreen

            self.app.push_screen(AttemptScreen(self._state.database, row.id))

    @on(OptionList.OptionHighlighted, "#runs-rows")
    def _moved(self) -> None:
        self.screen.refresh_bindings()

    def _draw(self) -> None:
        page = self._state.attempts
        rows = page.rows if page else ()
        table = self.query_one(AttemptRows)
        table.display = bool(rows)
        table.show(rows, self.size.width)
        words, style = ("", MUTED) if rows else _why_empty(self._state, self.query_one(RunsFilter).value)
        self.query_one(RunsEmpty).show(words, style)
        told, right = EMPTY, EMPTY
        if page is not None and rows:
            many = count(page.total, "attempt")
            is_part = len(rows) < page.total
            shown = f"{page.offset + 1} … {page.offset + len(rows)} of {many}" if is_part else many
            told = Content.styled(shown, "bold")
            right = Content.styled("[ newer  ] older  enter opens" if is_part else "enter opens", MUTED)
        self.query_one(RunsHeading).show((told, right))


def _why_empty(state: State, words: str) -> tuple[str, str]:
    if state.attempts_problem:
        return f"✗ The attempts cannot be read: {safe(state.attempts_problem)}", BAD
    if state.snapshot is None:
        return "No campaign is open yet. 0 lists what can be opened, and s starts a campaign there.", MUTED
    if state.attempts is None:
        return "Reading …", MUTED
    if words:
        return f"No attempt contains “{safe(words, 60)}”. Escape in the filter field (/) shows all again.", MUTED
    return "No run has begun yet; 2 shows what the nodes do.", MUTED
