"""What to copy or to write, and in which form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from hpcvirt.tui.phrases import safe
from hpcvirt.tui.signs import MUTED
from hpcvirt.tui.widgets.choices import Choices
from hpcvirt.tui.widgets.over import Over


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that can be copied."""

    what: str
    ending: str
    """Of a file that it would be written to."""
    name: str
    """What distinguishes such a file."""
    text: Callable[[], str]
    """Made in a thread, when it is wanted."""


class CopyDialog(ModalScreen[Offer | None], Over[Offer | None]):
    """One list; Enter takes the line under the cursor, its number takes it at once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Leave", id="copy.leave", tooltip="Copy nothing"),
        *(
            Binding(str(n), f"take({n - 1})", f"Take {n}", id=f"copy.{n}", tooltip=f"Take line {n}", show=False)
            for n in range(1, 10)
        ),
    ]

    def __init__(self, offers: Sequence[Offer], *, is_file: bool) -> None:
        super().__init__()
        self._offers = tuple(offers)
        self._is_file = is_file

    def compose(self) -> ComposeResult:
        """The offers, and where they go."""
        frame = Vertical(id="dialog")
        frame.border_title = Content("Write into a file" if self._is_file else "Copy into the clipboard")
        frame.border_subtitle = Content("Escape leaves")
        told = "Beside the database." if self._is_file else "By OSC 52: where the terminal or tmux refuses that, w."
        with frame:
            yield Choices(id="copy-offers")
            yield Static(Content.styled(told, MUTED), id="dialog-answers", markup=False)

    def on_mount(self) -> None:
        """Fill the list."""
        lines = [Content.assemble((f"{n} ", "bold"), safe(offer.what)) for n, offer in enumerate(self._offers, 1)]
        offers = self.query_one(Choices)
        offers.add_options([Option(line) for line in lines])
        offers.highlighted = 0
        offers.focus()

    @on(OptionList.OptionSelected, "#copy-offers")
    def _selected(self, event: OptionList.OptionSelected) -> None:
        if self.is_active:  # it is taken once, whatever else was typed before this is gone
            self.action_take(event.option_index)

    def action_take(self, place: int) -> None:
        """Close with this one."""
        if place < len(self._offers):
            self.dismiss(self._offers[place])

    def action_leave(self) -> None:
        """Close with nothing."""
        self.dismiss(None)
