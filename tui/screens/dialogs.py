"""Dialogs: one that asks, one that explains the keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from hpcvirt.tui.widgets.over import Over
from hpcvirt.tui.widgets.told import Told


class ConfirmDialog(ModalScreen[bool], Over[bool]):
    """Asks one question. Only what costs time or data is asked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "Yes", id="confirm.yes", tooltip="Do it"),
        Binding("n,escape,q", "answer(False)", "No", id="confirm.no", tooltip="Leave everything as it is"),
    ]

    def __init__(
        self, title: str, lines: Sequence[tuple[Content, Content]], *, yes: str, no: str, is_dangerous: bool = False
    ) -> None:
        super().__init__()
        self._heading = title
        self._lines = lines
        self._yes, self._no = yes, no
        self._is_dangerous = is_dangerous

    def compose(self) -> ComposeResult:
        """Title in the frame, the text, the two answers."""
        frame = Vertical(id="dialog", classes="dangerous" if self._is_dangerous else "")
        frame.border_title = Content(self._heading)
        with frame:
            with VerticalScroll(id="dialog-text", can_focus=False):
                yield Told(id="dialog-told")
            yield Static(
                Content.assemble((" y ", "bold reverse"), f" {self._yes}    ", (" n ", "bold reverse"), f" {self._no}"),
                id="dialog-answers",
                markup=False,
            )

    def on_mount(self) -> None:
        """Fill in the text."""
        indent = 16 if any(head.plain for head, _ in self._lines) else 0
        self.query_one(Told).tell(self._lines, indent=indent)

    def action_answer(self, answer: bool) -> None:
        """Close with the answer."""
        self.dismiss(answer)


class HelpDialog(ModalScreen[None], Over[None]):
    """The keys of the pane, and what the signs mean."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "close", "Close", id="help.close", tooltip="Back to the screen"),
    ]

    def __init__(self, title: str, text: Content) -> None:
        super().__init__()
        self._heading = title
        self._text = text

    def compose(self) -> ComposeResult:
        """One text that scrolls."""
        frame = Vertical(id="dialog", classes="help")
        frame.border_title = Content(self._heading)
        frame.border_subtitle = Content("Escape closes")
        with frame, VerticalScroll(id="dialog-text"):
            yield Static(self._text, markup=False)

    def action_close(self) -> None:
        """Back."""
        self.dismiss(None)
