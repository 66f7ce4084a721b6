"""The chooser: campaigns and databases that can be opened, and what goes on in them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from textual import events, on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.tui.messages import Chosen
from hpcvirt.tui.phrases import brief_duration, count, cut, cut_middle, safe
from hpcvirt.tui.shelf import Entry
from hpcvirt.tui.signs import BAD, CARE, MUTED, RUNNER
from hpcvirt.tui.state import State
from hpcvirt.tui.widgets.caption import Caption
from hpcvirt.tui.widgets.choices import Choices
from hpcvirt.tui.widgets.lines import EMPTY, bar, fitted, spread
from hpcvirt.tui.widgets.pane import Pane
from hpcvirt.tui.widgets.told import Told

CAMPAIGNS, DATABASES = "Campaigns", "Databases"
NAME_WIDTH = 20
STATE_WIDTH = 16
WIDE = 100


class ChooserRows(Choices):
    """A line for each file, under two headings."""

    def __init__(self) -> None:
        super().__init__(id="chooser-rows")
        self._entries: list[Entry | None] = []
        """By line; None: a heading."""

    def show(self, entries: Sequence[Entry], width: int) -> None:
        """Draw these, the cursor on the same file as before."""
        chosen = self.entry
        lines: list[Entry | None] = []
        for is_database in (False, True):
            members = [entry for entry in entries if entry.is_database is is_database]
            lines += [None, *members] if members else []
        prompts = [line_of(entry, width - 2) if entry else _heading(lines, at) for at, entry in enumerate(lines)]
        is_same = [entry and entry.path for entry in lines] == [entry and entry.path for entry in self._entries]
        self._entries = lines
        if is_same:
            for at, prompt in enumerate(prompts):
                self.replace_option_prompt_at_index(at, prompt)
            return
        self.clear_options()
        self.add_options([Option(p, disabled=entry is None) for p, entry in zip(prompts, lines, strict=True)])
        paths = [entry.path if entry else None for entry in lines]
        first = next((at for at, entry in enumerate(lines) if entry is not None), None)
        self.highlighted = paths.index(chosen.path) if chosen and chosen.path in paths else first

    @property
    def entry(self) -> Entry | None:
        """The one under the cursor."""
        at = self.highlighted
        return self._entries[at] if at is not None and at < len(self._entries) else None


def _heading(lines: Sequence[Entry | None], at: int) -> Content:
    after = lines[at + 1]
    return Content(DATABASES if after is not None and after.is_database else CAMPAIGNS)


def line_of(entry: Entry, width: int) -> Content:
    """A file in a line: what it is, its name, how far it is or what it asks, where it is."""
    if entry.problem:
        told = Content.assemble(_cell("✗ broken", STATE_WIDTH, BAD), _name(entry), (safe(entry.problem), BAD))
        return fitted(told, width)
    if not entry.is_read:
        return fitted(Content.assemble(_cell("◌ reading", STATE_WIDTH, MUTED), _name(entry)), width)
    if not entry.is_database:
        kind = "bundled" if entry.is_bundled else "this folder"
        left = Content.assemble(_cell(f"○ {kind}", STATE_WIDTH, MUTED), _name(entry), (safe(entry.title, 200), ""))
        return fitted(left, width)
    return _database_line(entry, width)


def _database_line(entry: Entry, width: int) -> Content:
    sign = RUNNER[entry.state or RunnerState.NOT_STARTED]
    done = entry.ok + entry.given_up
    progress = Content.assemble(
        (f"{entry.ok}/{entry.planned} runs".ljust(16), ""),
        *([(f"✗ {entry.given_up} given up  ", BAD)] if entry.given_up else []),
        *([(f"on {safe(entry.host, 24)}  ", MUTED)] if entry.state not in AT_REST and entry.host else []),
    )
    drawn = bar(14, done / max(1, entry.planned), sign.style) if width >= WIDE else EMPTY
    left = Content.assemble(
        _cell(f"{sign.mark} {entry.state}", STATE_WIDTH, sign.style), _name(entry), drawn, "  " * bool(drawn), progress
    )
    return spread(width, left, Content.styled(f"{_age(entry)} ago", MUTED))


AT_REST = frozenset({RunnerState.NOT_STARTED, RunnerState.FINISHED})
"""States in which nobody asks where the runner is."""


def _cell(text: str, width: int, style: str) -> Content:
    return Content.styled(cut(text, width - 1).ljust(width), style)


def _name(entry: Entry) -> Content:
    name = cut_middle(safe(entry.name or entry.path.name, 200), NAME_WIDTH - 1)
    return Content.styled(name.ljust(NAME_WIDTH), "bold" if not entry.problem else "")


def _age(entry: Entry) -> str:
    return brief_duration(max(0.0, time.time() - entry.changed_s))


class ChooserPane(Pane):
    """What can be opened; Enter opens."""

    DEFAULT_FOCUS = "#chooser-rows"

    def __init__(self) -> None:
        super().__init__(id="chooser")
        self._state = State()

    def compose(self) -> ComposeResult:
        """Heading, list, the file under the cursor in full."""
        yield Caption("chooser-heading")
        yield ChooserRows()
        yield Told(id="chooser-detail")

    def show(self, state: State) -> None:
        """Draw this state."""
        self._state = state
        self._draw()

    def can(self, action: str) -> bool:
        """A campaign file can be started."""
        entry = self.query_one(ChooserRows).entry
        return action == "start" and entry is not None and not entry.is_database and not entry.problem

    def perform(self, action: str) -> None:
        """Open it, and start it as it is."""
        entry = self.query_one(ChooserRows).entry
        if entry is not None and self.can(action):
            self.post_message(Chosen(entry.path, is_database=False, is_to_start=True))

    def on_resize(self, event: events.Resize) -> None:
        """Lines are made for a width."""
        del event
        self._draw()

    @on(OptionList.OptionSelected, "#chooser-rows")
    def _chosen(self) -> None:
        entry = self.query_one(ChooserRows).entry
        if entry is not None:
            self.post_message(Chosen(entry.path, entry.is_database))

    @on(OptionList.OptionHighlighted, "#chooser-rows")
    def _moved(self) -> None:
        self._draw_detail()
        self.screen.refresh_bindings()

    def _draw(self) -> None:
        if not self.size.width:
            return
        entries = self._state.shelf
        self.query_one(ChooserRows).show(entries, self.size.width)
        databases = sum(entry.is_database for entry in entries)
        left = Content.assemble(
            (count(len(entries) - databases, "campaign"), "bold"), ", ", (count(databases, "database"), "bold")
        )
        right = "enter opens" if all(entry.is_read for entry in entries) else "◌ reading …"
        self.query_one(Caption).show((left, Content.styled(right, MUTED)))
        self._draw_detail()

    def _draw_detail(self) -> None:
        entry = self.query_one(ChooserRows).entry
        told = self.query_one("#chooser-detail", Told)
        told.tell([] if entry is None else _detail(entry, self._state.database), indent=10)


def _detail(entry: Entry, attached: Path | None) -> list[tuple[Content, Content]]:
    """The file in full, what Enter would do, or what is wrong and what mends it; always of a few lines."""
    lines = [("file", Content(safe(str(entry.path))))]
    if entry.title:
        lines.insert(0, ("about", Content(safe(entry.title, 300))))
    if entry.problem:
        lines.append(("broken", Content.styled(safe(entry.problem), BAD)))
    lines.append(("enter", Content.styled(_what_enter_does(entry, attached), CARE if entry.problem else MUTED)))
    return [(Content.styled(head, "bold"), text) for head, text in lines]


def _what_enter_does(entry: Entry, attached: Path | None) -> str:
    if entry.problem:
        return "tells all that is wrong" if not entry.is_database else "tries again to read it"
    if not entry.is_database:
        return "shows what it would do, before anything starts; s starts it as it is"
    if entry.path == attached:
        return "goes back to it"
    return {
        RunnerState.RUNNING: "looks on; the runner does not notice",
        RunnerState.PAUSED: "looks on; p resumes it there",
        RunnerState.FINISHED: "shows its results",
        RunnerState.ELSEWHERE: f"looks on; it is steered from host {safe(entry.host, 60)} only",
    }.get(entry.state or RunnerState.NOT_STARTED, "shows where it was left; p goes on there")
