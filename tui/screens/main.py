"""The one screen: a strip of panes, the pane, the keys that work now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.containers import Container
from textual.content import Content
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.widgets import Static

from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.tui import keys
from hpcvirt.tui.messages import PaneShown
from hpcvirt.tui.state import RESTARTABLE, STEERABLE, State
from hpcvirt.tui.terminal import INSTEAD, LEAST_HEIGHT, LEAST_WIDTH, too_small
from hpcvirt.tui.widgets.footer import Footer
from hpcvirt.tui.widgets.strip import TopStrip

if TYPE_CHECKING:
    from hpcvirt.tui.app import HpcvirtApp
    from hpcvirt.tui.widgets.pane import Pane


class MainScreen(Screen[None]):
    """Shows one pane at a time. Panes are made when they are first wanted, so that the first paint is early."""

    BINDINGS: ClassVar[list[BindingType]] = list(keys.BINDINGS)

    app: HpcvirtApp

    def __init__(self) -> None:
        super().__init__(id="main")
        self.pane = ""
        self._panes: dict[str, Pane] = {}
        self._state = State()
        self._keys: object = None

    def compose(self) -> ComposeResult:
        """Only what the first paint needs."""
        yield TopStrip()
        yield Container(id="body")
        yield Static("", id="too-small", markup=False)
        yield Footer()

    def show(self, state: State) -> None:
        """Draw this state: the strip and the pane in sight."""
        self._state = state
        # News may come before the widgets are there, or while they go one by one at the end.
        with self.app.batch_update(), suppress(NoMatches):
            self.query_one(TopStrip).show(self.pane, state.name, state.view)
            pane = self._panes.get(self.pane)
            if pane is not None and pane.is_ready:
                pane.show(state)
            self._refresh_keys()
        if self.focused is None:
            self.call_after_refresh(self.focus_default)

    async def go_to(self, name: str) -> None:
        """Bring a pane in sight."""
        body = self.query("#body")
        if not body or not body.first().is_attached:
            return  # the operator left before anything was shown
        self.pane = name
        if name not in self._panes:
            self._panes[name] = _make(name)
            await body.first().mount(self._panes[name])
        for other, pane in self._panes.items():
            pane.display = other == self.pane
        if self.pane != name or not self._panes[name].is_ready:
            return  # the operator went elsewhere while it was being made
        self.show(self._state)
        self.set_focus(None)
        self.focus_default()
        self.post_message(PaneShown(name))

    async def forget(self) -> None:
        """Make all panes anew when they are next wanted: they show another campaign then."""
        for name in [name for name in self._panes if name != self.pane]:
            await self._panes.pop(name).remove()

    def focus_default(self) -> None:
        """Put the cursor where it belongs in this pane, unless it is somewhere or there is nothing yet."""
        pane = self._panes.get(self.pane)
        if self.focused is None and pane is not None and pane.is_ready:
            target = pane.query(pane.DEFAULT_FOCUS)
            if target and target.first().focusable:
                self.set_focus(target.first())

    def commands(self) -> Iterator[SystemCommand]:
        """What can be done now, for the palette."""
        for key in keys.KEYS:
            if self.check_action(key.action.partition("(")[0], ()):
                shown = keys.written(self.app.settings.keys.get(key.id, key.key))
                yield SystemCommand(f"{key.group}: {key.title}", f"{key.tooltip} (key {shown})", self._run(key.action))

    def _run(self, action: str) -> Callable[[], None]:
        def run() -> None:
            self.call_later(self.run_action, action)

        return run

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing are not shown."""
        del parameters
        if action in keys.PANE_ACTIONS:
            return self._can(action)
        runner, snapshot = self._state.runner, self._state.snapshot
        conditions = {
            "pause": runner is RunnerState.RUNNING,
            "resume": runner is RunnerState.PAUSED or (runner in RESTARTABLE and not self._state.is_starting),
            "stop": runner in STEERABLE,
            "abort": runner in STEERABLE,
            # Plots and Runs have keys of their own, and a footer has 80 columns; Setup has another use for the key.
            "export": snapshot is not None
            and snapshot.ok > 0
            and self.pane not in {"plots", "runs", "chooser"}
            and not self._can("edit"),
        }
        return conditions.get(action, True)

    def _can(self, action: str) -> bool:
        pane = self._panes.get(self.pane)
        return pane is not None and pane.is_ready and pane.can(action)

    def _refresh_keys(self) -> None:
        """Draw the footer again, only when another set of keys works now."""
        now = (self.pane, *(self.check_action(key.action.partition("(")[0], ()) for key in keys.KEYS))
        if now != self._keys:
            self._keys = now
            self.refresh_bindings()

    def on_resize(self, event: events.Resize) -> None:
        """Below a size nothing is legible: say so instead."""
        width, height = event.size
        is_small = width < LEAST_WIDTH or height < LEAST_HEIGHT
        self.set_class(is_small, "-too-small")
        if is_small:
            words = f"{too_small(width, height)}.\n\nMake it larger, or {INSTEAD}."
            self.query_one("#too-small", Static).update(Content(words))

    @on(TopStrip.PaneClicked)
    async def _pane_clicked(self, message: TopStrip.PaneClicked) -> None:
        await self.go_to(message.pane)

    # -- actions

    async def action_pane(self, name: str) -> None:
        """A pane's key."""
        await self.go_to(name)

    def action_start(self) -> None:
        """Ask, then start what is picked."""
        self._perform("start")

    def action_check(self) -> None:
        """Look at the nodes."""
        self._perform("check")

    def action_pause(self) -> None:
        """Start nothing new."""
        self.app.wish("pause")

    def action_resume(self) -> None:
        """Go on: by a wish where a runner is there, else with a new one."""
        if self._state.runner in RESTARTABLE:
            self.app.restart()
        else:
            self.app.wish("resume")

    def action_stop(self) -> None:
        """Stop after the runs under way."""
        self.app.wish("stop")

    def action_abort(self) -> None:
        """Ask, then end what is under way."""
        self.app.ask_abort()

    def action_export(self) -> None:
        """Write the CSV file."""
        self.app.export()

    def action_edit(self) -> None:
        """Change parameters."""
        self._perform("edit")

    def action_schedule(self) -> None:
        """In which order kernels are visited."""
        self._perform("schedule")

    def action_save_file(self) -> None:
        """Write a campaign file."""
        self._perform("save_file")

    def action_peek(self) -> None:
        """Verdicts before the planned end."""
        self._perform("peek")

    def action_method(self) -> None:
        """The other test."""
        self._perform("method")

    def action_contrasts(self) -> None:
        """Which pairs."""
        self._perform("contrasts")

    def action_copy(self) -> None:
        """Into the clipboard."""
        self._perform("copy")

    def action_write(self) -> None:
        """Into a file."""
        self._perform("write")

    def action_filter(self) -> None:
        """Type words that rows must contain."""
        self._perform("filter")

    def action_sort(self) -> None:
        """Another order."""
        self._perform("sort")

    def action_reverse(self) -> None:
        """The same order backwards."""
        self._perform("reverse")

    def action_next_plot(self) -> None:
        """The next kind of plot."""
        self._perform("next_plot")

    def action_last_plot(self) -> None:
        """The kind of plot before."""
        self._perform("last_plot")

    def action_next_metric(self) -> None:
        """The next metrics."""
        self._perform("next_metric")

    def action_choose(self) -> None:
        """Which kernels and metrics."""
        self._perform("choose")

    def action_save(self) -> None:
        """In files."""
        self._perform("save")

    def action_requeue(self) -> None:
        """Try a run anew."""
        self._perform("requeue")

    def action_skip(self) -> None:
        """Give a run up."""
        self._perform("skip")

    def action_older(self) -> None:
        """Older attempts."""
        self._perform("older")

    def action_newer(self) -> None:
        """Newer attempts."""
        self._perform("newer")

    def _perform(self, action: str) -> None:
        if self._can(action):
            self._panes[self.pane].perform(action)

    def action_help(self) -> None:
        """The keys of the pane in sight."""
        from hpcvirt.tui.screens.dialogs import HelpDialog

        title = next((key.title for key in keys.KEYS if key.id == f"pane.{self.pane}"), "Keys")
        self.app.push_screen(HelpDialog(title, keys.help_text(self.pane, self.app.settings.keys)))

    def action_leave(self) -> None:
        """Close the screen; the campaign goes on."""
        self.app.exit()


def _make(name: str) -> Pane:
    """A pane, its module imported only now."""
    if name == "chooser":
        from hpcvirt.tui.screens.chooser import ChooserPane

        return ChooserPane()
    if name == "setup":
        from hpcvirt.tui.screens.setup import SetupPane

        return SetupPane()
    if name == "live":
        from hpcvirt.tui.screens.live import LivePane

        return LivePane()
    if name == "runs":
        from hpcvirt.tui.screens.runs import RunsPane

        return RunsPane()
    if name == "plots":
        from hpcvirt.tui.screens.plots import PlotsPane

        return PlotsPane()
    from hpcvirt.tui.screens.results import ResultsPane

    return ResultsPane()
