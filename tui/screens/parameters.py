"""The parameters of one benchmark, edited; each fault stands beside its field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from hpcvirt.core.model import Value
from hpcvirt.tui.draft import DraftParameter
from hpcvirt.tui.phrases import safe
from hpcvirt.tui.signs import BAD, MUTED
from hpcvirt.tui.widgets.over import Over

Values = dict[str, Value]


class ParametersDialog(ModalScreen[Values | None], Over[Values | None]):
    """A field for each parameter; Enter takes them when none is wrong. What is wrong with several stands above."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Take", id="parameters.take", tooltip="Take these parameters", priority=True),
        Binding("down", "app.focus_next", "Next", id="parameters.next", tooltip="The next field", show=False),
        Binding("up", "app.focus_previous", "Before", id="parameters.last", tooltip="The field before", show=False),
        Binding("escape", "leave", "Leave", id="parameters.leave", tooltip="Leave everything as it is"),
    ]

    def __init__(
        self,
        title: str,
        parameters: Sequence[DraftParameter],
        values: Mapping[str, Value],
        check: Callable[[Mapping[str, Value]], Sequence[str]],
    ) -> None:
        super().__init__()
        self._heading = title
        self._parameters = tuple(parameters)
        self._values = values
        self._check = check

    def compose(self) -> ComposeResult:
        """Name and field, below them help or fault."""
        frame = Vertical(id="dialog")
        frame.border_title = Content(f"Parameters of {safe(self._heading, 60)}")
        frame.border_subtitle = Content("Enter takes them · Escape leaves")
        with frame:
            yield Static("", id="parameters-faults", markup=False)
            with VerticalScroll(id="dialog-text", can_focus=False):
                for place, one in enumerate(self._parameters):
                    value = self._values.get(one.name, one.default)
                    yield Label(Content.styled(safe(one.name, 40), "bold"), markup=False)
                    yield Input(_shown(value), id=f"parameter-{place}", compact=True, select_on_focus=False)
                    yield Static("", id=f"told-{place}", markup=False, classes="parameter-told")

    def on_mount(self) -> None:
        """Tell what each is for."""
        self._retell()
        self.query(Input).first().focus(scroll_visible=False)

    @on(Input.Changed)
    def _typed(self) -> None:
        self._retell()

    @property
    def _read(self) -> Values:
        texts = [self.query_one(f"#parameter-{place}", Input).value for place in range(len(self._parameters))]
        return {one.name: typed(text, one.default) for one, text in zip(self._parameters, texts, strict=True)}

    def _retell(self) -> None:
        faults = list(self._check(self._read))
        for place, one in enumerate(self._parameters):
            mine = [fault for fault in faults if fault.startswith(f"{one.name}: ")]
            faults = [fault for fault in faults if fault not in mine]
            words = Content.styled(f"✗ {safe(mine[0].partition(': ')[2])}", BAD) if mine else _help(one)
            self.query_one(f"#told-{place}", Static).update(words)
        rest = Content("\n").join([Content.styled(f"✗ {safe(fault)}", BAD) for fault in faults])
        told = self.query_one("#parameters-faults", Static)
        told.display = bool(faults)
        told.update(rest)

    def action_take(self) -> None:
        """Close with the values, if they can be."""
        values = self._read
        if not self._check(values):
            self.dismiss(values)

    def action_leave(self) -> None:
        """Close and change nothing."""
        self.dismiss(None)


def typed(text: str, default: Value) -> Value:
    """Text as a value of the default's type; where it is none, the text, which a check refuses."""
    text = text.strip() if not isinstance(default, str) else text
    if isinstance(default, bool):
        return {"true": True, "false": False}.get(text.casefold(), text)
    try:
        if isinstance(default, int):
            return int(text.replace("_", "").replace(" ", ""))
        return float(text) if isinstance(default, float) else text
    except ValueError:
        return text


def _shown(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _help(one: DraftParameter) -> Content:
    ends = [f"from {one.minimum:g}"] if one.minimum is not None else []
    ends += [f"to {one.maximum:g}"] if one.maximum is not None else []
    kind = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[type(one.default)]
    told = f"{' '.join([kind, *ends])}; {one.help}"
    return Content.styled(safe(told), MUTED)
