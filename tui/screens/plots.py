"""Plots: the same numbers drawn. The paper's figures, a forest plot, spread, run order, telemetry around a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from hpcvirt.tui.kernel_styles import kernel_style
from hpcvirt.tui.messages import SaveAsked
from hpcvirt.tui.phrases import safe
from hpcvirt.tui.plots.model import Kind, Picture
from hpcvirt.tui.plots.pictures import Group, groups, names_of, picture
from hpcvirt.tui.signs import BAD, CARE, MUTED
from hpcvirt.tui.state import State
from hpcvirt.tui.widgets.checklist import Checklist, Item
from hpcvirt.tui.widgets.lines import Lines, fitted, spread
from hpcvirt.tui.widgets.over import Over
from hpcvirt.tui.widgets.pane import Pane
from hpcvirt.tui.widgets.progress import peek_words, veil_words

if TYPE_CHECKING:
    from hpcvirt.tui.app import HpcvirtApp

KINDS = tuple(Kind)
Picked = tuple[tuple[str, ...], tuple[str, ...]]
"""Kernels, and metrics by their place."""


class Canvas(Widget):
    """One plot, drawn for the room there is."""

    DEFAULT_CSS = "Canvas { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__(id="canvas")
        self._picture: Picture | None = None
        self._words: tuple[str, str] = ("", "")
        self._drawn: tuple[object, Content] | None = None

    def show(self, shown: Picture | None, words: str = "", style: str = MUTED) -> None:
        """Draw this, or say why there is nothing to draw."""
        if (shown, words) != (self._picture, self._words[0]):
            self._picture, self._words, self._drawn = shown, (words, style), None
            self.refresh()

    def render(self) -> Content:
        """The plot; drawn again only for another size."""
        if self._picture is None:
            words, style = self._words
            return Content.styled(f"\n  {words}", style)
        key = (self.size, self.app.no_color)
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, Content.from_rich_text(self._draw(self._picture))
        return self._drawn[1]

    def _draw(self, shown: Picture) -> Text:
        from hpcvirt.tui.plots.drawing import Look, draw

        return draw(shown, Look(self.size.width, self.size.height, not self.app.no_color))


class PlotHeading(Lines):
    """The kinds, the one in sight marked; what is drawn."""

    def __init__(self) -> None:
        super().__init__(id="plots-heading")
        self._kind = KINDS[0]
        self._what = ""
        self._right = Content("")

    def show(self, kind: Kind, what: str, right: Content) -> None:
        """Say this."""
        self._kind, self._what, self._right = kind, what, right
        self.renew()

    def build(self, width: int) -> Sequence[Content]:
        """Two lines."""
        kinds = [
            Content.styled(f" {kind.value} ", "$primary reverse bold" if kind is self._kind else MUTED)
            for kind in KINDS
        ]
        return [fitted(Content("").join(kinds), width), spread(width, Content(f" {self._what}"), self._right)]


class PlotNotes(Lines):
    """What must be said under a plot."""

    def __init__(self) -> None:
        super().__init__(id="plots-notes")
        self._notes: tuple[str, ...] = ()

    def show(self, notes: tuple[str, ...]) -> None:
        """Say these."""
        self._notes = notes
        self.renew()

    def build(self, width: int) -> Sequence[Content]:
        """One line."""
        return [fitted(Content.styled(f" {' · '.join(self._notes)}", MUTED), width)] if self._notes else []


class PlotsPane(Pane):
    """One plot at a time."""

    DEFAULT_FOCUS = ""

    app: HpcvirtApp

    def __init__(self) -> None:
        super().__init__(id="plots")
        self._state = State()
        self._kind = 0
        self._group = 0
        self._kernels: frozenset[str] | None = None
        """Picked; None: all."""
        self._left_out: frozenset[tuple[str, str]] = frozenset()
        """Metrics that are not drawn."""

    def compose(self) -> ComposeResult:
        """Heading, plot, notes."""
        yield PlotHeading()
        yield Canvas()
        yield PlotNotes()

    def show(self, state: State) -> None:
        """Draw this state."""
        self._state = state
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        """The plot is made for a size."""
        del event
        self._draw()

    def can(self, action: str) -> bool:
        """Something is there to be drawn."""
        if self._state.charts is None:
            return False
        if action == "peek":
            return self._state.snapshot is not None and not self._state.snapshot.is_finished
        return action in {"next_plot", "last_plot", "choose", "save"} or (
            action == "next_metric" and len(self._choices()) > 1
        )

    def perform(self, action: str) -> None:
        """Another view, other metrics, files."""
        if action == "save":
            self.post_message(SaveAsked(self._picture()))
            return
        if action == "choose":
            self._choose()
            return
        if action == "peek":
            self.app.ask_look()
            return
        step = {"next_plot": 1, "last_plot": -1}.get(action, 0)
        self._kind = (self._kind + step) % len(KINDS)
        if action == "next_metric":
            self._next_metric()
        self._draw()

    def _next_metric(self) -> None:
        """Where one metric only is drawn, the next one; else the next metrics that share an axis."""
        self._group = (self._group + 1) % max(1, len(self._choices()))

    def _choices(self) -> list[Group]:
        charts = self._state.charts
        found = groups(charts) if charts else []
        if KINDS[self._kind] in {Kind.DISTRIBUTION, Kind.ORDER}:
            return [Group(f"{member[0]} {member[1]}", (member,)) for group in found for member in group.members]
        return found

    @property
    def _chosen(self) -> Group:
        choices = self._choices()
        return choices[self._group % len(choices)] if choices else Group("", ())

    def _shown_kernels(self) -> tuple[str, ...]:
        charts = self._state.charts
        every = charts.kernels if charts else ()
        picked = self._kernels
        return every if picked is None else tuple(kernel for kernel in every if kernel in picked)

    def _members(self) -> tuple[tuple[str, str], ...]:
        return tuple(member for member in self._chosen.members if member not in self._left_out)

    def _picture(self) -> Picture:
        charts = self._state.charts
        assert charts is not None  # noqa: S101 - `can` is asked first
        return picture(KINDS[self._kind], charts, self._members(), self._shown_kernels(), self._chosen.name)

    def _draw(self) -> None:
        state = self._state
        peek = _interim_words(state).split(".")[0]
        right = Content.styled("◌ reading …", MUTED) if state.is_charting else Content.styled(peek, CARE)
        self.query_one(PlotHeading).show(KINDS[self._kind], self._what(), right)
        shown = self._picture() if state.charts is not None and not state.charts_problem else None
        if shown is None or shown.is_empty:
            words, style = _why_empty(state)
            self.query_one(Canvas).show(None, words, style)
            self.query_one(PlotNotes).show(())
            return
        self.query_one(Canvas).show(shown)
        self.query_one(PlotNotes).show(shown.notes)

    def _what(self) -> str:
        charts = self._state.charts
        if charts is None or KINDS[self._kind] is Kind.TELEMETRY:
            return ""
        choices = self._choices()
        kernels = self._shown_kernels()
        told = "all kernels" if len(kernels) == len(charts.kernels) else ", ".join(safe(k, 24) for k in kernels)
        place = f" ({self._group % len(choices) + 1} of {len(choices)})" if len(choices) > 1 else ""
        return f"{safe(self._chosen.name, 60)}{place} · {told}"

    def _choose(self) -> None:
        charts = self._state.charts
        assert charts is not None  # noqa: S101 - `can` is asked first
        members = self._chosen.members
        dialog = ChooseDialog(charts.kernels, self._shown_kernels(), members, self._members())
        self.app.push_screen(dialog, self._picked)

    def _picked(self, answer: Picked | None) -> None:
        if answer is None:
            return
        kernels, places = answer
        self._kernels = frozenset(kernels)
        members = self._chosen.members
        left_out = {member for place, member in enumerate(members) if str(place) not in places}
        self._left_out = (self._left_out - set(members)) | left_out
        self._draw()


def _interim_words(state: State) -> str:
    if state.snapshot is None or state.charts is None:
        return ""
    return peek_words(state.snapshot, state.charts_at) if state.is_as_if_final else veil_words(state.snapshot)


def _why_empty(state: State) -> tuple[str, str]:
    if state.charts_problem:
        return f"✗ The plots cannot be drawn: {safe(state.charts_problem)}", BAD
    if state.snapshot is None:
        return "No campaign is open yet. 0 lists what can be opened, and s starts a campaign there.", MUTED
    if state.charts is None:
        return "Reading …", MUTED
    if not state.charts.spots:
        return "No run has ended ok yet; 2 shows how far it is.", MUTED
    return "Nothing to draw here yet; v shows another view, c chooses kernels and metrics.", MUTED


class ChooseDialog(ModalScreen[Picked | None], Over[Picked | None]):
    """Which kernels and metrics are drawn."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Draw these", id="choose.take", tooltip="Draw what is picked", priority=True),
        Binding("escape,q", "leave", "Leave", id="choose.leave", tooltip="Leave everything as it is"),
    ]

    def __init__(
        self,
        kernels: Sequence[str],
        picked_kernels: Sequence[str],
        members: Sequence[tuple[str, str]],
        picked_members: Sequence[tuple[str, str]],
    ) -> None:
        super().__init__()
        self._kernels, self._picked_kernels = kernels, picked_kernels
        self._members, self._picked_members = members, picked_members

    def compose(self) -> ComposeResult:
        """Two lists."""
        frame = Vertical(id="dialog")
        frame.border_title = Content("What is drawn")
        with frame:
            with Horizontal(id="choose-lists"):
                yield Checklist("Kernels", id="choose-kernels")
                yield Checklist("Metrics", id="choose-metrics")
            yield Static(
                Content("space picks and unpicks · tab goes on · enter draws · escape leaves"),
                id="dialog-answers",
                markup=False,
            )

    def on_mount(self) -> None:
        """Fill the lists."""
        names = names_of(self._members)
        kernels, metrics = self.query_one("#choose-kernels", Checklist), self.query_one("#choose-metrics", Checklist)
        kernels.fill([Item(kernel, style=kernel_style(kernel, self._kernels)) for kernel in self._kernels])
        metrics.fill([Item(str(place), "", shown=names[member]) for place, member in enumerate(self._members)])
        kernels.pick(self._picked_kernels)
        metrics.pick([str(place) for place, member in enumerate(self._members) if member in self._picked_members])
        kernels.focus()

    def action_take(self) -> None:
        """Close with what is picked; nothing picked is nothing changed."""
        picked = (
            self.query_one("#choose-kernels", Checklist).picked,
            self.query_one("#choose-metrics", Checklist).picked,
        )
        self.dismiss(picked if all(picked) else None)

    def action_leave(self) -> None:
        """Close and change nothing."""
        self.dismiss(None)
