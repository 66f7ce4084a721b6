"""The command palette, as this screen uses it."""

from __future__ import annotations

from textual import on
from textual.command import CommandList, CommandPalette
from textual.widgets import Input, OptionList

from hpcvirt.tui.widgets.over import Over


class Palette(CommandPalette, Over[None]):
    """A palette that bears quick fingers, where Textual's own raises and the app ends.

    A page key before its list has a height; Enter twice, which would also do the command twice; a letter behind it,
    which would begin a search for a list that goes.
    """

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region:
            super()._action_command_list(action)

    @on(Input.Changed)
    @on(Input.Submitted)
    @on(OptionList.OptionSelected)
    def _take_once(self, event: Input.Changed | Input.Submitted | OptionList.OptionSelected) -> None:
        if not self.is_active:
            event.prevent_default().stop()
