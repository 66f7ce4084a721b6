"""A list with a cursor, as this screen uses it."""

from __future__ import annotations

from textual.widgets import OptionList


class Choices(OptionList):
    """An OptionList that bears to have no room: Textual's own raises when a page key meets one without a height."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id, markup=False)

    def action_page_up(self) -> None:
        """A page up, where there are pages."""
        if self.scrollable_content_region:
            super().action_page_up()  # type: ignore[no-untyped-call]

    def action_page_down(self) -> None:
        """A page down, where there are pages."""
        if self.scrollable_content_region:
            super().action_page_down()  # type: ignore[no-untyped-call]
