"""The command palette, as this screen uses it."""

from __future__ import annotations

from textual.command import CommandList, CommandPalette


class Palette(CommandPalette):
    """A palette that bears a page key before its list has a height: Textual's own raises then, and the app ends."""

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region:
            super()._action_command_list(action)
