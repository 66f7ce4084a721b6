"""Asks for the name of a file to write."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from hpcvirt.tui.signs import BAD, MUTED
from hpcvirt.tui.widgets.over import Over


class SaveDialog(ModalScreen[str | None], Over[str | None]):
    """One field. What is there already is asked about later."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Save", id="save.take", tooltip="Write the file", priority=True),
        Binding("escape", "leave", "Leave", id="save.leave", tooltip="Write nothing"),
    ]

    def __init__(self, title: str, name: str, folder: str) -> None:
        super().__init__()
        self._heading, self._name_given, self._folder = title, name, folder

    def compose(self) -> ComposeResult:
        """The field, and where the file goes."""
        frame = Vertical(id="dialog")
        frame.border_title = Content(self._heading)
        frame.border_subtitle = Content("Enter writes · Escape leaves")
        with frame:
            yield Input(self._name_given, id="save-name", compact=True, select_on_focus=False)
            yield Static(Content.styled(f"in {self._folder}", MUTED), id="dialog-answers", markup=False)

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    def action_take(self) -> None:
        """Close with the name, if there is one."""
        name = self.query_one(Input).value.strip()
        if not name or "\0" in name:
            self.query_one("#dialog-answers", Static).update(Content.styled("✗ a file needs a name", BAD))
            return
        self.dismiss(name if name.endswith(".toml") else f"{name}.toml")

    def action_leave(self) -> None:
        """Close with nothing."""
        self.dismiss(None)
