"""Pairs of a head and a text, wrapped with a hanging indent."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from hpcvirt.tui.widgets.lines import Item, Lines, rule

LONGEST_HEAD = 18
"""Columns; a longer head is cut."""


class Told(Lines):
    """Lines given from outside, wrapped to the width with a hanging indent."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id)
        self._told: tuple[tuple[Content, Content], ...] = ()
        self._indent = 0
        self._title = ""

    def tell(self, told: Sequence[tuple[Content, Content]], *, title: str = "", indent: int = 3) -> None:
        """Show pairs of a head (in ``indent`` columns, or more where a head is longer) and a text."""
        self._told, self._title, self._indent = tuple(told), title, indent
        self.display = bool(told)
        self.renew()

    def build(self, width: int) -> Sequence[Content]:
        """Heading and lines."""
        lines = [rule(width, self._title)] if self._title else []
        gap = " " if self._indent else ""
        room = max([self._indent - 1, *(min(head.cell_length, LONGEST_HEAD) for head, _ in self._told)])
        for head, text in self._told:
            head = Content.assemble(" ", head.truncate(room, pad=True), gap)
            lines += Item(head, text).wrapped(width - 1)
        return lines
