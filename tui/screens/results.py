"""Results: what differs, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input, OptionList

from hpcvirt.tui.backend import Backend
from hpcvirt.tui.messages import CopyAsked, MethodWanted
from hpcvirt.tui.phrases import count, safe
from hpcvirt.tui.signs import BAD, CARE, MUTED
from hpcvirt.tui.state import State
from hpcvirt.tui.widgets.caption import Caption
from hpcvirt.tui.widgets.lines import Lines
from hpcvirt.tui.widgets.pane import Pane
from hpcvirt.tui.widgets.progress import peek_words, veil_words
from hpcvirt.tui.widgets.results_table import (
    SORTINGS,
    VEILED_SORTINGS,
    Detail,
    Footnotes,
    Heading,
    ResultRows,
    Row,
    Sorting,
    columns_for,
    matching,
    rows_of,
)

if TYPE_CHECKING:
    from hpcvirt.core.stats import Comparison
    from hpcvirt.tui.app import HpcvirtApp

FINGERS_REST_S = 0.12


class Emptiness(Lines):
    """Why there are no rows, and what to do."""

    def __init__(self) -> None:
        super().__init__(id="results-empty")
        self._words: tuple[str, ...] = ()
        self._style = MUTED

    def show(self, words: Sequence[str], style: str) -> None:
        """Say these."""
        self._words, self._style = tuple(words), style
        self.display = bool(words)
        self.renew()

    def build(self, width: int) -> Sequence[Content]:
        """Wrapped, one blank line above."""
        lines = [line for words in self._words for line in Content.styled(words, self._style).wrap(max(20, width - 4))]
        return [Content(""), *(Content.assemble("  ", line) for line in lines)]


class FilterField(Input):
    """Words that rows must contain."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "Clear filter", id="filter.clear", tooltip="Show all rows again"),
        Binding("enter,down", "leave", "To the rows", id="filter.leave", tooltip="Keep the filter and go to the rows"),
    ]

    def __init__(self) -> None:
        super().__init__(id="filter", placeholder="words: benchmark, metric, kernel or verdict", compact=True)

    def action_clear(self) -> None:
        """Show all rows."""
        self.value = ""
        self.display = False
        self.screen.query_one(ResultRows).focus()

    def action_leave(self) -> None:
        """Keep the words."""
        self.display = bool(self.value)
        self.screen.query_one(ResultRows).focus()


class ResultsPane(Pane):
    """The significance table."""

    DEFAULT_FOCUS = "#results-rows"

    app: HpcvirtApp

    def __init__(self) -> None:
        super().__init__(id="results")
        self._state = State()
        self._rows: list[Row] = []
        self._sorting = 0
        self._is_reversed = False
        self._sifted: list[Row] = []
        """Rows that pass the filter, in order."""
        self._has_contrasts = False
        self._pairs = 0
        """Which of ``PAIRS`` are shown."""
        self._drawn: object = None
        """What the rows in sight were made from."""
        self._pause: Timer | None = None

    def compose(self) -> ComposeResult:
        """Caption, table, the row in words, notes."""
        yield Caption("results-caption")
        field = FilterField()
        field.display = False
        yield field
        yield Heading()
        yield ResultRows()
        yield Emptiness()
        yield Detail()
        yield Footnotes()

    def show(self, state: State) -> None:
        """Draw this state."""
        old, self._state = self._state, state
        if (state.table, _is_veiled(state)) != (old.table, _is_veiled(old)):
            self._renew()
        self._draw()

    @property
    def _is_veiled(self) -> bool:
        return _is_veiled(self._state)

    def _renew(self) -> None:
        """Rows of the table, as much of them as may be seen."""
        table, snapshot = self._state.table, self._state.snapshot
        baseline, kernels = (snapshot.campaign.baseline, snapshot.campaign.kernels) if snapshot else ("", ())
        rows = rows_of(table.rows if table else (), baseline, kernels, is_veiled=self._is_veiled)
        self._has_contrasts = any(row.is_contrast for row in rows)
        wanted = PAIRS[self._pairs]
        self._rows = [row for row in rows if wanted.is_wanted(row)] if self._has_contrasts else rows
        if SORTINGS[self._sorting] not in self._sortings:
            self._sorting = 0

    @property
    def _sortings(self) -> Sequence[Sorting]:
        return VEILED_SORTINGS if self._is_veiled else SORTINGS

    def can(self, action: str) -> bool:
        """Rows are there to be filtered, sorted, copied and compared otherwise."""
        if action == "peek":
            return bool(self._rows) and _is_open(self._state)
        if action == "contrasts":
            return self._has_contrasts
        if action == "method":
            return self._state.table is not None and self._state.snapshot is not None
        return action in {"filter", "sort", "reverse", "copy", "write"} and bool(self._rows)

    def perform(self, action: str) -> None:
        """Filter, sort, or look at it otherwise."""
        if action in {"copy", "write"}:
            self._ask_form(is_file=action == "write")
            return
        if action == "method":
            self.post_message(MethodWanted("" if self._state.method else _other_method(self._state)))
            return
        if action == "peek":
            self.app.ask_look()
            return
        if action == "contrasts":
            self._pairs = (self._pairs + 1) % len(PAIRS)
            self._renew()
        if action == "filter":
            field = self.query_one(FilterField)
            field.display = True
            field.focus()
            return
        if action == "sort":
            self._sorting = (self._sorting + 1) % len(self._sortings)
            self._is_reversed = False
        elif action == "reverse":
            self._is_reversed = not self._is_reversed
        self._draw()

    def _ask_form(self, *, is_file: bool) -> None:
        from hpcvirt.tui.screens.copy import CopyDialog, Offer

        row, table, backend = self.query_one(ResultRows).row, self._state.table, self.app.backend
        if row is None or table is None:
            return
        shown, notes = [one.what for one in self._sifted], tuple(table.footer)

        def offers(what: str, rows: list[Comparison], name: str) -> list[Offer]:
            return [
                Offer(f"{what}, as CSV", "csv", name, lambda: backend.table_text(rows, "csv", notes)),
                Offer(f"{what}, as Markdown", "md", name, lambda: backend.table_text(rows, "markdown", notes)),
            ]

        told = row.what
        name = f"{told.benchmark.split()[0]}-{told.metric}-{told.kernel}" if told.benchmark.split() else told.metric
        found = offers("the row under the cursor", [told], name)
        found += offers(f"the table as shown ({count(len(shown), 'row')})", shown, "comparisons")
        if self._state.database is not None:
            database = self._state.database
            make = partial(_values_of, backend, database, told)
            found.append(Offer("the cell: every value behind the row, as CSV", "csv", f"{name}-values", make))

        def answered(offer: Offer | None) -> None:
            if offer is not None:
                self.post_message(CopyAsked(offer.text, offer.name, offer.ending, is_file))

        self.app.push_screen(CopyDialog(found, is_file=is_file), answered)

    def on_resize(self, event: events.Resize) -> None:
        """Columns are made for a width."""
        del event
        self._draw()

    @on(Input.Changed, "#filter")
    def _filtered(self) -> None:
        """Draw when the fingers rest: a table of thousands of rows takes longer than a key."""
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(FINGERS_REST_S, self._draw)

    @on(OptionList.OptionHighlighted, "#results-rows")
    def _moved(self) -> None:
        self.query_one(Detail).show(self.query_one(ResultRows).row)

    @on(OptionList.OptionSelected, "#results-rows")
    def _opened(self) -> None:
        row = self.query_one(ResultRows).row
        if row is not None and self._state.database is not None and self.screen.is_active:
            from hpcvirt.tui.screens.cell import CellScreen

            kernels = self._state.snapshot.campaign.kernels if self._state.snapshot else ()
            self.app.push_screen(CellScreen(self._state.database, row, kernels, _progress(self._state)))

    def _draw(self) -> None:
        width = self.size.width
        if not width:
            return
        words = self.query_one(FilterField).value
        drawn = (id(self._rows), self._is_veiled, words, self._sorting, self._is_reversed, width)
        if drawn != self._drawn:
            self._drawn = drawn
            sorting = SORTINGS[self._sorting]
            self._sifted = sorted(matching(self._rows, words), key=sorting.key, reverse=self._is_reversed)
            self._draw_table(self._sifted, width)
        self._draw_caption(self._sifted, words)
        empty, style = _why_empty(self._state, words) if not self._sifted else ([], MUTED)
        self.query_one(Emptiness).show(empty, style)
        self.query_one(Footnotes).show(self._state.table.footer if self._state.table else ())

    def _draw_table(self, rows: list[Row], width: int) -> None:
        campaign = self._state.snapshot.campaign if self._state.snapshot else None
        columns = columns_for(rows, width, campaign.delta if campaign else 0.02, campaign.alpha if campaign else 0.05)
        for widget in (self.query_one(Heading), self.query_one(ResultRows), self.query_one(Detail)):
            widget.display = bool(rows)
        self.query_one(Heading).show(columns, SORTINGS[self._sorting], is_reversed=self._is_reversed)
        table = self.query_one(ResultRows)
        table.show(rows, columns, width)
        self.query_one(Detail).show(table.row)

    def _draw_caption(self, rows: list[Row], words: str) -> None:
        state = self._state
        shown = count(len(self._rows), "comparison")
        if words:
            shown = f"{len(rows)} of {shown} with “{safe(words, 30)}”"
        order = f"by {SORTINGS[self._sorting].word}{', reversed' if self._is_reversed else ''}" if rows else ""
        baseline = f" against {safe(state.snapshot.campaign.baseline, 32)}" if state.snapshot else ""
        right = Content.styled("◌ computing …" if state.is_computing else "enter opens" if rows else "", MUTED)
        if self._has_contrasts:
            order = f"{PAIRS[self._pairs].word}  {order}"
        if state.method:
            order = f"method {state.method}  {order}"
        left = Content.assemble((shown, "bold"), baseline, "  ", (order, MUTED))
        peek = _interim_words(state) if rows else ""
        lines = [(left, right)]
        if peek:
            lines.insert(0, (Content.styled(f"! {peek}", f"bold {CARE}"), Content("")))
        self.query_one(Caption).show(*(lines if self._rows or state.is_computing else []))


@dataclass(frozen=True, slots=True)
class Pairs:
    """Some of the planned pairs."""

    word: str
    is_wanted: Callable[[Row], bool]


PAIRS = (
    Pairs("all planned pairs", lambda _: True),
    Pairs("pairs with the baseline", lambda row: not row.is_contrast),
    Pairs("contrasts", lambda row: row.is_contrast),
)


def _other_method(state: State) -> str:
    """The test that the campaign was not frozen with."""
    campaign = state.snapshot.campaign if state.snapshot else None
    is_blocked = campaign is not None and (campaign.method or ("blocked" if campaign.blocks > 1 else "")) == "blocked"
    return "paper" if is_blocked else "blocked"


def _is_open(state: State) -> bool:
    """Not all runs are in: a p-value would be a peek."""
    return state.snapshot is not None and not state.snapshot.is_finished


def _progress(state: State) -> str:
    """How many of the planned runs are in; empty where the campaign is finished."""
    snapshot = state.snapshot
    return f"{snapshot.ok} of {snapshot.planned} runs" if snapshot is not None and _is_open(state) else ""


def _is_veiled(state: State) -> bool:
    """Means and differences only."""
    return _is_open(state) and not state.is_as_if_final


def _interim_words(state: State) -> str:
    if state.snapshot is None:
        return ""
    return veil_words(state.snapshot) if _is_veiled(state) else peek_words(state.snapshot, state.table_at)


def _values_of(backend: Backend, database: Path, row: Comparison) -> str:
    from hpcvirt.tui.copying import cell_csv

    return cell_csv(backend.cell(database, row)[0])


def _why_empty(state: State, words: str) -> tuple[list[str], str]:
    """Why there are no rows, and what to do."""
    if state.table_problem:
        return [f"✗ The results cannot be computed: {safe(state.table_problem)}"], BAD
    if state.table is not None and state.table.rows:
        return [f"No row contains “{safe(words, 60)}”.", "Escape in the filter field (/) shows all rows again."], MUTED
    if state.snapshot is None:
        return ["No campaign is open yet. 0 lists what can be opened, and s starts a campaign there."], MUTED
    if len(state.snapshot.campaign.kernels) < 2:
        return ["Only one kernel was picked: there is nothing to compare it with."], MUTED
    if state.is_computing:
        return ["Computing …"], MUTED
    done = f"{state.snapshot.ok} of {state.snapshot.planned} runs are in."
    return [
        f"No result yet: {done}",
        "A comparison needs two ok runs under each of two kernels; 2 shows how far it is.",
    ], MUTED
