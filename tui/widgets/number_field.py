"""A field for a whole number that leaves every other key to the screen."""

from __future__ import annotations

from textual import events
from textual.widgets import Input


class NumberField(Input):
    """Takes digits; letters go on to the bindings, so that ``s`` starts from here too."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id, restrict=r"[0-9]*", max_length=7, compact=True, select_on_focus=True)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether the field wants a key."""
        del key
        return character is not None and character.isdecimal()

    async def _on_key(self, event: events.Key) -> None:
        if event.is_printable and not self.check_consume_key(event.key, event.character):
            event.prevent_default()  # Input would swallow it; this way it bubbles up to the bindings
            return
        await super()._on_key(event)

    @property
    def number(self) -> int | None:
        """What stands there; None where it is no number."""
        return int(self.value) if self.value.isdecimal() else None


class DecimalField(NumberField):
    """The same for a fraction, as alpha is."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id)
        self.restrict = r"[0-9]*\.?[0-9]*"

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """A point, too."""
        return character == "." or super().check_consume_key(key, character)

    @property
    def fraction(self) -> float:
        """What stands there; 0 where it is no number."""
        try:
            return float(self.value)
        except ValueError:
            return 0.0
