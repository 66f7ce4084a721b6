"""What all panes have in common."""

from __future__ import annotations

from textual.containers import Vertical

from hpcvirt.tui.state import State


class Pane(Vertical):
    """A part of the screen that is shown alone, with keys of its own."""

    DEFAULT_FOCUS = ""
    """Selector of the widget where the cursor belongs."""

    @property
    def is_ready(self) -> bool:
        """Its widgets are there: not before it is mounted, nor any more while the screen closes."""
        return self.is_mounted and bool(self.children)

    def show(self, state: State) -> None:
        """Draw this state."""
        raise NotImplementedError

    def can(self, action: str) -> bool:
        """Whether one of the pane's own keys would do something now."""
        del action
        return False

    def perform(self, action: str) -> None:
        """Do what one of the pane's own keys asks for."""
        raise NotImplementedError(action)
