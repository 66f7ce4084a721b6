"""The campaign's log, the newest line in sight unless somebody scrolled up."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from hpcvirt.core.store.records import Event
from hpcvirt.tui.phrases import clock, safe
from hpcvirt.tui.signs import BAD, MUTED, event_sign
from hpcvirt.tui.widgets.lines import fitted


class EventLog(ScrollView, can_focus=True):
    """Draws only the lines in sight."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Older", show=False, id="events.older", tooltip="One line up in the event log"),
        Binding(
            "down,j", "scroll_down", "Newer", show=False, id="events.newer", tooltip="One line down in the event log"
        ),
    ]
    DEFAULT_CSS = """
    EventLog { height: 1fr; min-height: 2; scrollbar-size-vertical: 1; overflow-x: hidden; }
    """

    def __init__(self) -> None:
        super().__init__(id="events")
        self._events: tuple[Event, ...] = ()

    def show(self, events: tuple[Event, ...]) -> None:
        """Draw these events, the newest last."""
        if events == self._events:
            return
        is_at_end = self.scroll_offset.y >= self.max_scroll_y
        self._events = events
        self.virtual_size = Size(0, max(1, len(events)))
        self.refresh()
        if is_at_end:
            self._follow()

    def on_resize(self) -> None:
        """With another height the newest line stays in sight."""
        self._follow()

    def _follow(self) -> None:
        self.call_after_refresh(self.scroll_end, animate=False, immediate=True)

    def render_line(self, y: int) -> Strip:
        """The event at a line in sight."""
        width = self.scrollable_content_region.width
        index = y + self.scroll_offset.y
        if not self._events and y == 0:
            line = Content.styled(" nothing has happened yet", MUTED)
        elif index < len(self._events):
            line = event_line(self._events[index])
        else:
            return Strip.blank(width, self.visual_style.rich_style)
        return Visual.to_strips(self, fitted(line, width), width, 1, self.visual_style, pad=True)[0]

    @property
    def text(self) -> str:
        """All lines, for tests."""
        return "\n".join(event_line(event).plain for event in self._events)


def event_line(event: Event) -> Content:
    """Time, sign, word where it matters, node, message."""
    sign = event_sign(event.level)
    word = "" if event.level == "info" else f"{safe(event.level, 10)}: "
    node = f"{safe(event.node, 16)} " if event.node else ""
    return Content.assemble(
        (f" {clock(event.at)} ", MUTED),
        (f"{sign.mark} ", f"bold {sign.style}"),
        (node, "$primary"),
        (word, f"bold {sign.style}"),
        (safe(event.message), sign.style if sign.style == BAD else ""),
    )
