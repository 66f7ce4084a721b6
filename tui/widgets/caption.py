"""What is said above a table: pairs of words, one at each end of a line."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from hpcvirt.tui.widgets.lines import Lines, spread


class Caption(Lines):
    """How much there is, in which order, and what else concerns the whole."""

    def __init__(self, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id)
        self._pairs: tuple[tuple[Content, Content], ...] = ()

    def show(self, *pairs: tuple[Content, Content]) -> None:
        """Draw pairs of left and right."""
        self._pairs = pairs
        self.renew()

    def build(self, width: int) -> Sequence[Content]:
        """Pairs spread over the width."""
        return [spread(width, Content.assemble(" ", left), Content.assemble(right, " ")) for left, right in self._pairs]
