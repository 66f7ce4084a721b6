"""Widgets that are lines of text, built for a width by a pure function, and repainted line by line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.css.styles import RulesMap
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual
from textual.widget import Widget

EMPTY = Content("")


def fitted(content: Content, width: int) -> Content:
    """Content in exactly ``width`` cells."""
    return content.truncate(max(0, width), ellipsis=True, pad=True)


def spread(width: int, left: Content, right: Content = EMPTY) -> Content:
    """``left`` and ``right`` at the two ends of a line; where both do not fit, ``left`` is cut."""
    if not right.cell_length:
        return fitted(left, width)
    right = right.truncate(width, ellipsis=True)
    room = width - right.cell_length
    return Content.assemble(fitted(left, room - 1) if room > 1 else EMPTY, " " if room > 0 else "", right)


def bar(width: int, fraction: float, style: str) -> Content:
    """A thin line of which a fraction is done. Never full before the end, nor empty after the start."""
    done = round(width * min(1.0, max(0.0, fraction)))
    if 0 < fraction < 1 and width > 2:
        done = min(max(done, 1), width - 1)
    return Content.assemble(("━" * done, style), ("─" * (width - done), "$foreground 25%"))


def rule(width: int, title: str, right: str = "") -> Content:
    """A heading."""
    tail = f" {right} " if right else ""
    left = Content.assemble(("── ", "$foreground 25%"), (title, "bold $secondary"), " ")
    fill = max(0, width - left.cell_length - len(tail))
    return fitted(Content.assemble(left, ("─" * fill, "$foreground 25%"), (tail, "$foreground 60%")), width)


@dataclass(frozen=True, slots=True)
class Item:
    """Text beside a head: wrapped by words, and indented as deep as the head is wide."""

    head: Content
    text: Content

    def wrapped(self, width: int) -> list[Content]:
        """The lines of it."""
        indent = self.head.cell_length
        first, *rest = self.text.wrap(max(10, width - indent)) or [EMPTY]
        return [Content.assemble(self.head, first), *(Content.assemble(" " * indent, line) for line in rest)]


class LateLine(Visual):
    """One line of a long list, drawn when it comes into sight."""

    def __init__(self, draw: Callable[[int], Content]) -> None:
        self._draw = draw

    def render_strips(self, width: int, height: int | None, style: Style, options: RenderOptions) -> list[Strip]:
        """At most one."""
        return self._draw(width).truncate(width).render_strips(width, height, style, options)[:1]

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        """All that there is."""
        del rules
        return container_width

    def get_height(self, rules: RulesMap, width: int) -> int:
        """It is known without drawing."""
        del rules, width
        return 1


class Lines(Widget):
    """A widget whose content is ``build(width)``. Call ``renew`` when what it is built from changed."""

    DEFAULT_CSS = """
    Lines { height: auto; width: 1fr; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id, classes=classes)
        self._built: tuple[Content, ...] = ()
        self._built_width = 0

    def build(self, width: int) -> Sequence[Content]:
        """The lines for a width."""
        raise NotImplementedError

    def renew(self) -> None:
        """Build again and repaint the lines that differ: a terminal behind a slow link gets little to read."""
        old, width = self._built, self._built_width
        if not self.is_attached:
            return  # it was asked to before the screen closed
        if not width:
            # What is not displayed has no width, and needs no room.
            if self.display:
                self.refresh(layout=True)
            return
        self._built = tuple(self.build(width))
        if len(old) != len(self._built):
            self.refresh(layout=True)
            return
        changed = [y for y, line in enumerate(self._built) if not line.is_same(old[y])]
        if changed:
            self.refresh(*(Region(0, y, width, 1).translate(self.gutter.top_left) for y in changed))

    def _ensure(self, width: int) -> None:
        if width != self._built_width:
            self._built, self._built_width = tuple(self.build(width)), width

    def on_resize(self, event: events.Resize) -> None:
        """Lines are made for a width."""
        del event
        self._ensure(self.content_size.width)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """As wide as there is room."""
        del viewport
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as there are."""
        del container, viewport
        self._ensure(width)
        return len(self._built)

    def render_line(self, y: int) -> Strip:
        """One line."""
        width = self.content_size.width
        self._ensure(width)
        if y >= len(self._built) or not width:
            return Strip.blank(width, self.visual_style.rich_style)
        return Visual.to_strips(self, self._built[y], width, 1, self.visual_style, pad=True)[0]

    @property
    def text(self) -> str:
        """What is written, for tests and for copying."""
        return "\n".join(line.plain for line in self._built)
