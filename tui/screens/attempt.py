"""One attempt: what is known of it, what its node did meanwhile, and everything it wrote, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content

from hpcvirt.core.errors import HpcvirtError
from hpcvirt.core.model import Telemetry
from hpcvirt.core.store.attempts import AttemptDetail
from hpcvirt.core.store.output import PAGE_BYTES, STREAMS, OutputPage
from hpcvirt.core.text import clean
from hpcvirt.tui.phrases import clock, number, safe
from hpcvirt.tui.signs import BAD, CARE, MUTED, attempt_sign
from hpcvirt.tui.widgets.footer import Footer
from hpcvirt.tui.widgets.lines import EMPTY, Item, Lines, fitted, rule, spread
from hpcvirt.tui.widgets.over import Over
from hpcvirt.tui.widgets.vitals import Vitals, vital_lines

if TYPE_CHECKING:
    from hpcvirt.tui.app import HpcvirtApp

FACTS = "facts"
SECTIONS = (FACTS, *STREAMS)
LAST_LINES = 5
LONGEST_LINE = 2000
"""Longer ones are broken: a line of a megabyte cannot be looked at otherwise."""


class AttemptHead(Lines):
    """Which attempt, which part of it."""

    def __init__(self) -> None:
        super().__init__(id="attempt-head")
        self._told: tuple[Content, Content, Content] = (EMPTY, EMPTY, EMPTY)

    def show(self, title: Content, sections: Content, right: Content) -> None:
        """Say this."""
        self._told = title, sections, right
        self.renew()

    def build(self, width: int) -> Sequence[Content]:
        """Two lines."""
        title, sections, right = self._told
        return [fitted(Content.assemble(" ", title), width), spread(width, sections, Content.assemble(right, " "))]


class AttemptText(Lines):
    """Items of prose, wrapped by words; and lines as they are, folded."""

    def __init__(self) -> None:
        super().__init__(id="attempt-text")
        self._lines: tuple[Content | Item, ...] = ()
        self._vitals: Vitals | None = None

    def show(self, lines: Sequence[Content | Item], vitals: Vitals | None = None) -> None:
        """Show these, and under them telemetry."""
        self._lines, self._vitals = tuple(lines), vitals
        self.renew()

    def build(self, width: int) -> Sequence[Content]:
        """What is too long goes on in the next line."""
        found = [part for line in self._lines for part in _parts(line, max(10, width - 2))]
        if self._vitals is not None:
            found += [EMPTY, rule(width - 2, "Telemetry while it ran"), *vital_lines(self._vitals, min(width - 2, 100))]
        return [fitted(Content.assemble(" ", line), width) for line in found]


def _parts(line: Content | Item, width: int) -> Sequence[Content]:
    return line.wrapped(width) if isinstance(line, Item) else line.fold(width) or [EMPTY]


def _key(keys: str, action: str, label: str, name: str, tooltip: str, shown: str) -> Binding:
    return Binding(keys, action, label, id=f"attempt.{name}", tooltip=tooltip, key_display=shown)


class AttemptScreen(Over[None]):
    """Over the panes until it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _key("right,tab", "section(1)", "Next part", "next", "Facts, stdout, stderr", "→"),
        _key("left,shift+tab", "section(-1)", "Part before", "last", "The part before", "←"),
        _key("right_square_bracket,space", "page(1)", "Page on", "on", "The next page of the output", "]"),
        _key("left_square_bracket", "page(-1)", "Page back", "back", "The page before", "["),
        _key("less_than_sign", "page(-1000000000)", "First", "first", "The first page", "<"),
        _key("greater_than_sign", "page(1000000000)", "Last", "end", "The last page", ">"),
        _key("escape,q", "close", "Close", "close", "Back to the list", "esc"),
    ]

    app: HpcvirtApp

    def __init__(self, database: Path, attempt: str) -> None:
        super().__init__()
        self._database = database
        self._attempt = attempt
        self._detail: AttemptDetail | None = None
        self._disturbed = ""
        self._section = 0
        self._pages = dict.fromkeys(STREAMS, 0)
        """Which page of each stream is in sight."""

    def compose(self) -> ComposeResult:
        """Head, text, keys."""
        yield AttemptHead()
        with VerticalScroll(id="attempt-scroll"):
            yield AttemptText()
        yield Footer()

    def on_mount(self) -> None:
        """Read it."""
        self.query_one("#attempt-scroll").focus()
        self._say("Reading …")
        self._read_detail()

    # -- reading, in threads

    @work(thread=True, exit_on_error=False, group="attempt")
    def _read_detail(self) -> None:
        try:
            found = self.app.backend.attempt(self._database, self._attempt)
        except Exception as error:  # noqa: BLE001 - a damaged file may raise anything: it is said here
            self._call(partial(self._say, f"✗ {_in_words(error)}", BAD))
        else:
            self._call(partial(self._detail_read, *found))

    @work(thread=True, exit_on_error=False, group="attempt-output", exclusive=True)
    def _read_page(self, stream: str, page: int) -> None:
        try:
            found = self.app.backend.output(self._database, self._attempt, stream, page)
        except Exception as error:  # noqa: BLE001 - a damaged file may raise anything: it is said here
            self._call(partial(self._say, f"✗ {_in_words(error)}", BAD))
        else:
            self._call(partial(self._page_read, stream, found))

    def _call(self, what: Callable[[], None]) -> None:
        """On the event loop, unless the screen was closed meanwhile. Does not wait: the loop may be ending."""
        if self.is_running:
            self.call_later(what)

    def _detail_read(self, detail: AttemptDetail, disturbed: str) -> None:
        self._detail, self._disturbed = detail, disturbed
        self._show_section()

    def _page_read(self, stream: str, found: OutputPage) -> None:
        if SECTIONS[self._section] != stream:
            return
        self._pages[stream] = found.page
        where = f"page {found.page + 1} of {found.pages} · {_size(found.size)}" if found.size else "empty"
        self._show_head(where)
        self.query_one(AttemptText).show(list(output_lines(found)) or [Content.styled("nothing was written", MUTED)])
        self.query_one("#attempt-scroll", VerticalScroll).scroll_home(animate=False)

    # -- drawing

    def _show_section(self) -> None:
        section = SECTIONS[self._section]
        self._show_head("")
        if section in STREAMS:
            self._read_page(section, self._pages[section])
        elif self._detail is not None:
            samples = self._detail.samples
            vitals = Vitals(samples, Telemetry()) if samples else None
            self.query_one(AttemptText).show(list(facts(self._detail, self._disturbed)), vitals)
            self.query_one("#attempt-scroll", VerticalScroll).scroll_home(animate=False)
        self.refresh_bindings()

    def _show_head(self, right: str) -> None:
        parts = [
            Content.styled(f" {name} ", "$primary reverse bold" if place == self._section else MUTED)
            for place, name in enumerate(SECTIONS)
        ]
        self.query_one(AttemptHead).show(_title(self._detail), Content("").join(parts), Content.styled(right, MUTED))

    def _say(self, words: str, style: str = MUTED) -> None:
        self._show_head("")
        self.query_one(AttemptText).show([Content.styled(safe(words), style)])

    # -- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only output has pages."""
        del parameters
        return action != "page" or SECTIONS[self._section] in STREAMS

    def action_section(self, step: int) -> None:
        """Another part."""
        self._section = (self._section + step) % len(SECTIONS)
        self._show_section()

    def action_page(self, step: int) -> None:
        """Another page."""
        stream = SECTIONS[self._section]
        self._read_page(stream, self._pages[stream] + step)

    def action_close(self) -> None:
        """Back."""
        self.dismiss()


def output_lines(found: OutputPage) -> Iterator[Content]:
    """A page as lines without anything a terminal could obey. Very long lines are broken."""
    text = clean(found.content)
    for line in text.removesuffix("\n").split("\n") if text else ():
        told = line.expandtabs()
        for start in range(0, max(1, len(told)), LONGEST_LINE):
            yield Content(told[start : start + LONGEST_LINE])


def _title(detail: AttemptDetail | None) -> Content:
    if detail is None:
        return EMPTY
    row = detail.row
    sign = attempt_sign(row.status)
    return Content.assemble(
        (f"{sign.mark} {safe(row.status, 20)}", f"bold {sign.style}"),
        f"  run {row.run}, attempt {row.number}, under {safe(row.kernel, 40)} on {safe(row.node, 40)}",
        # Last: where there is no room, parameters are what can be missed most easily.
        (f"  {safe(row.benchmark, 80)}", MUTED),
    )


def facts(detail: AttemptDetail, disturbed: str) -> Iterator[Item]:
    """What is known of an attempt, fact by fact."""
    row = detail.row
    if row.reason:
        yield _fact("reason", row.reason)
    if disturbed:
        words = f"its node was disturbed: {safe(disturbed)}; it counts all the same"
        yield Item(Content.styled("! ", CARE), Content.styled(words, CARE))
    for name, value, unit in detail.values:
        yield _fact(safe(name, 40), f"{number(value)} {unit}")
    ended = "under way" if detail.ended_at is None else f"ended {clock(detail.ended_at)}"
    yield _fact("time", f"begun {clock(row.started_at)}, {ended}")
    yield _fact("lasted", f"{_seconds(row.duration_s)} by the node's clock, {_seconds(detail.elapsed_s)} by ours")
    yield _fact("CPU time", f"{_seconds(detail.user_s)} user, {_seconds(detail.system_s)} system")
    if detail.command:
        yield _fact("command", detail.command)
    yield _fact("exit status", "–" if row.exit_status is None else str(row.exit_status))
    yield from _last_lines(*detail.last_output)
    yield _fact("place", f"block {row.block}, run id {row.run_id}, attempt {row.id}")
    if detail.is_truncated:
        words = "its output was too long; the middle was left out on the node"
        yield Item(Content.styled("! ", CARE), Content.styled(words, CARE))
    yield from _identity(detail)


def _last_lines(stream: str, content: bytes) -> Iterator[Item]:
    lines = [line for line in clean(content).splitlines() if line.strip()][-LAST_LINES:]
    for place, line in enumerate(lines):
        head = f"end of {stream}" if place == 0 else ""
        yield Item(Content.styled(f"{head:20} ", MUTED), Content(safe(line, 300)))


def _identity(detail: AttemptDetail) -> Iterator[Item]:
    yield Item(EMPTY, EMPTY)
    if not detail.before:
        yield Item(EMPTY, Content.styled("Its identity was not read: what ran there is not known.", MUTED))
        return
    yield Item(EMPTY, Content.styled("Identity, read before and after", "bold $secondary"))
    for name, value in detail.before.items():
        after = detail.after.get(name, value)
        if value is not None or after is not None:
            change = f"  → {safe(str(after))}" if after != value else ""
            text = Content.assemble(safe(str(value)), (change, BAD))
            yield Item(Content.styled(f"{safe(name, 20):20} ", MUTED), text)
    if not detail.after:
        yield Item(EMPTY, Content.styled("It was not read again after the run.", CARE))


def _fact(name: str, text: str) -> Item:
    return Item(Content.styled(f"{name:20} ", MUTED), Content(safe(text)))


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f} s"


def _size(size: int) -> str:
    return f"{size} bytes" if size < PAGE_BYTES else f"{size / 1e6:.1f} MB"


def _in_words(error: Exception) -> str:
    return error.message if isinstance(error, HpcvirtError) else f"{type(error).__name__}: {error}"
