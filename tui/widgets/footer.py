"""The keys that work now, in one line at the bottom.

Textual's own footer makes a widget for each key whenever one comes or goes: most of what a change of panes would cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen

from hpcvirt.tui.widgets.lines import EMPTY, Lines, spread


class Footer(Lines):
    """Keys and what they do; the palette at the right."""

    DEFAULT_CSS = """
    Footer { dock: bottom; height: 1; }
    """

    def on_mount(self) -> None:
        """Hear when other keys work."""
        self.screen.bindings_updated_signal.subscribe(self, self._keys_changed)

    def _keys_changed(self, screen: Screen[object]) -> None:
        del screen
        # Later: the signal comes while focus and panes are on their way.
        self.call_after_refresh(self.renew)

    def build(self, width: int) -> Sequence[Content]:
        """One line; where there are too many keys the last ones are cut."""
        left = Content("").join(self._drawn(binding) for binding in self._usable())
        return [spread(width, left, self._palette())]

    def on_click(self, event: events.Click) -> None:
        """A key is also a button."""
        offset = event.get_content_offset(self)
        bindings = self._usable()
        ends = accumulate(self._drawn(binding).cell_length for binding in bindings)
        if offset is None:
            return
        if offset.x >= self.content_size.width - self._palette().cell_length:
            self.app.action_command_palette()
            return
        hit = next((binding for binding, end in zip(bindings, ends, strict=True) if offset.x < end), None)
        if hit is not None:
            self.app.simulate_key(hit.key)

    def _usable(self) -> list[Binding]:
        """One for each action, in their order."""
        shown: dict[str, Binding] = {}
        for _, binding, _, _ in self.screen.active_bindings.values():
            if binding.show:
                shown.setdefault(binding.action, binding)
        return list(shown.values())

    def _drawn(self, binding: Binding) -> Content:
        return Content.assemble(
            (self.app.get_key_display(binding), "bold $footer-key-foreground"),
            (f" {binding.description} ", "$footer-description-foreground"),
        )

    def _palette(self) -> Content:
        found = self.screen.active_bindings.get(self.app.COMMAND_PALETTE_BINDING)
        if found is None or not self.app.ENABLE_COMMAND_PALETTE:
            return EMPTY
        return Content.assemble(("▏", "$foreground 20%"), self._drawn(found.binding))
