"""A list of things that can be picked, with a mark that is seen without colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from hpcvirt.tui.kernel_styles import KernelStyle
from hpcvirt.tui.phrases import safe
from hpcvirt.tui.signs import GOOD, MUTED
from hpcvirt.tui.widgets.choices import Choices


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can be picked."""

    name: str
    note: str = ""
    is_fixed: bool = False
    """It is picked and stays so."""
    shown: str = ""
    """How it is called in the list; empty: by its name."""
    style: KernelStyle | None = None
    """Of a kernel."""


class Checklist(Choices):
    """Space or Enter picks and unpicks."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "select", "Pick", id="checklist.pick", tooltip="Pick or unpick the line under the cursor"),
    ]

    @dataclass
    class Changed(Message):
        """Something was picked or unpicked."""

        checklist: Checklist

        @property
        def control(self) -> Checklist:
            """For ``@on`` selectors."""
            return self.checklist

    def __init__(self, title: str, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id)
        self.border_title = title
        self._items: tuple[Item, ...] = ()
        self._picked: set[str] = set()

    def fill(self, items: Sequence[Item]) -> None:
        """Show these, all picked."""
        self._items = tuple(items)
        self._picked = {item.name for item in items}
        self.clear_options()
        self.add_options([Option(self._prompt(item)) for item in self._items])
        self.highlighted = 0 if self._items else None

    def pick(self, names: Sequence[str]) -> None:
        """Pick these and no others."""
        self._picked = set(names)
        for index, item in enumerate(self._items):
            self.replace_option_prompt_at_index(index, self._prompt(item))

    def tell(self, items: Sequence[Item]) -> None:
        """Show the same things with other words, picked as they are."""
        if tuple(items) != self._items:
            self._items = tuple(items)
            self.pick(self.picked)

    @property
    def item(self) -> Item | None:
        """The one under the cursor."""
        return self._items[self.highlighted] if self.highlighted is not None else None

    @property
    def picked(self) -> tuple[str, ...]:
        """Names of what is picked, in the order of the list."""
        return tuple(item.name for item in self._items if item.name in self._picked)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Turn the mark of a line."""
        event.stop()
        item = self._items[event.option_index]
        if item.is_fixed:
            what = safe(item.note.partition(" · ")[0])
            self.notify(f"{safe(item.name)} is the {what} and stays picked.", severity="warning", markup=False)
            return
        self._picked ^= {item.name}
        self.replace_option_prompt_at_index(event.option_index, self._prompt(item))
        self.post_message(self.Changed(self))

    def _prompt(self, item: Item) -> Content:
        is_picked = item.name in self._picked
        mark = ("[■] " if item.is_fixed else "[x] ", f"bold {GOOD}") if is_picked else ("[ ] ", MUTED)
        note = f"  {safe(item.note)}" if item.note else ""
        sign = (f"{item.style.sign} ", item.style.variable) if item.style else ""
        return Content.assemble(mark, sign, (safe(item.shown or item.name), "" if is_picked else MUTED), (note, MUTED))
