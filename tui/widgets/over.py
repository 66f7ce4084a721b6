"""What every screen over the panes has in common."""

from __future__ import annotations

from textual.await_complete import AwaitComplete
from textual.screen import Screen, ScreenResultType


class Over(Screen[ScreenResultType]):
    """It closes once, and nothing but itself.

    A key may reach it when it has just closed, or when another screen has just come over it. Textual's own would close
    the uppermost one with this one's answer then, and end the app when asked again. Named behind another base: Textual
    takes component classes and styles from the first.
    """

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Close with an answer, unless this is not what the operator sees."""
        return super().dismiss(result) if self.is_active else AwaitComplete()
