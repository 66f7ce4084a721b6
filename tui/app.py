"""The app: it holds the state, listens to threads, and asks the backend. What is seen is drawn by the screens."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events, on, work
from textual.app import App, SystemCommand
from textual.content import Content
from textual.driver import Driver
from textual.screen import Screen
from textual.theme import ThemeProvider

from hpcvirt.core.errors import CampaignInvalid, HpcvirtError
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.tui import kernel_styles, keys, messages, themes
from hpcvirt.tui.backend import Backend, LocalBackend
from hpcvirt.tui.calling import news, sequence
from hpcvirt.tui.garbage import IdleCollector
from hpcvirt.tui.memory import Memory, memory_path, recall
from hpcvirt.tui.phrases import count, safe
from hpcvirt.tui.screens.main import MainScreen
from hpcvirt.tui.settings import Settings, read_settings, settings_path
from hpcvirt.tui.shelf import Entry
from hpcvirt.tui.state import RESTARTABLE, STEERABLE, State
from hpcvirt.tui.watcher import Watcher
from hpcvirt.tui.widgets.palette import Palette

if TYPE_CHECKING:
    from hpcvirt.core.store.records import Progress, Snapshot
    from hpcvirt.tui.draft import Draft, Pick
    from hpcvirt.tui.plots.model import Picture

TICK_S = 1.0
SLACK_S = 0.25
"""News that come as often as the screen ticks are now before the tick and now behind it; not both are drawn."""
RECOMPUTE_S = 5.0
"""Interim results are worked out at most this often: they cost a core for a moment."""
RESTS = 20
"""And then not for so many times as long as it took: with very many runs keys would wait for it all the time."""
SWITCH_S = 0.0005
"""After which a thread that reckons lets the event loop have its turn. Python's own 5 ms add up until they are felt."""
MOUNT_STEP_S, MOUNT_STEPS = 0.002, 500
"""Input waits so often so long for a new screen, at most."""
SHELF_S = 5.0
"""The chooser looks again so often."""
LOOKED_AT = 8
"""How many of a campaign's newest databases are opened to see whether one is running."""

WISHED = {
    "pause": "Asked to pause: the runs under way end first.",
    "resume": "Asked to go on.",
    "stop": "Asked to stop: the runs under way end first.",
    "abort": "Asked to abort: the runs under way are ended now.",
}


class HpcvirtApp(App[None]):
    """The screen on one campaign."""

    TITLE = "hpcvirt-tui"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_DISPLAY = "^p"
    NOTIFICATION_TIMEOUT = 4
    CSS_PATH = [  # noqa: RUF012 - Textual declares it so
        f"screens/{name}.tcss" for name in ("main", "chooser", "setup", "live", "results", "plots", "runs", "dialogs")
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]  # noqa: RUF012

    def __init__(
        self,
        campaign_path: Path | None,
        database: Path | None,
        *,
        backend: Backend | None = None,
        settings: Settings | None = None,
        memory: Memory | None = None,
        collector: IdleCollector | None = None,
    ) -> None:
        """Open a campaign file, a database, (with both) the database and the file it may be started from again,
        or (with neither) the chooser.
        """
        # Said before Textual chooses its filters: with any other theme NO_COLOR still paints greys.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.backend: Backend = backend or LocalBackend()
        self.state = State(campaign_path=campaign_path, database=database)
        self._main = MainScreen()
        self._watcher: Watcher | None = None
        self._computed_at = self._computing_since = 0.0
        self._shown_at = 0.0
        self._looked_for = ("", 0)
        """Words and offset of the attempts that are shown."""
        self._attempts_seen: object = None
        self._is_reading_attempts = False
        self._was_seen = False
        """The first view of the database decides on the pane, later ones do not."""
        self.settings = settings or Settings()
        self._memory = memory or Memory()
        self._collector = collector
        self._is_reading_shelf = False
        self._is_to_start = False
        """The campaign that is being opened, as it is."""
        self._shelf_read_at = 0.0
        self.set_keymap(keys.keymap(self.settings.keys))
        for theme in themes.THEMES:
            self.register_theme(theme)
        self.theme = themes.WITHOUT_COLOR if self.no_color else self._known_theme()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Add the kernels' colours, in every theme."""
        return kernel_styles.theme_variables(has_color=not self.no_color)

    def _known_theme(self) -> str:
        """The one that was chosen last, if there still is such a one."""
        return self._memory.theme if self._memory.theme in self.available_themes else themes.DARK

    def _remember(self, memory: Memory) -> None:
        if memory != self._memory:
            self._memory = memory
            threading.Thread(target=self.backend.remember, args=(memory,), daemon=True).start()

    def _watch_theme_chosen(self, theme: str) -> None:
        if not self.no_color:
            self._remember(replace(self._memory, theme=theme))

    def get_driver_class(self) -> type[Driver]:
        """Textual's own, made to bear a terminal that is gone."""
        from textual.drivers.linux_driver import LinuxDriver

        from hpcvirt.tui.driver import PatientDriver

        found = super().get_driver_class()
        return PatientDriver if found is LinuxDriver else found

    def get_default_screen(self) -> Screen[None]:
        """The one screen."""
        return self._main

    def on_mount(self) -> None:
        """Paint first, then look."""
        _obey_signals(self.exit)
        self.watch(self, "theme", self._watch_theme_chosen, init=False)
        self.call_after_refresh(self._open)
        self.set_interval(TICK_S, self._tick)

    def on_unmount(self) -> None:
        """Let the watching thread go, and whoever waits for results."""
        if self._watcher is not None:
            self._watcher.stop()
        self.backend.close()
        _forget_signals()

    async def _open(self) -> None:
        """After the first paint: show what was asked for."""
        self._main.show(self.state)
        for problem in self.settings.problems:
            self.notify(safe(problem), title="Settings", severity="warning", timeout=12, markup=False)
        if not self._main.pane:  # else a quick finger was first
            await self._main.go_to(self._first_pane())
        if self.state.database is not None:
            self._follow(self.state.database)
        if self.state.campaign_path is not None:
            self._read_campaign(self.state.campaign_path)

    def _first_pane(self) -> str:
        if self.state.database is not None:
            return "live"
        return "chooser" if self.state.campaign_path is None else "setup"

    def _change(self, state: State) -> None:
        self.state = state
        self._main.show(state)

    # -- the chooser

    def _read_shelf_if_wanted(self) -> None:
        is_due = time.monotonic() - self._shelf_read_at > SHELF_S
        if self._main.pane == "chooser" and is_due and not self._is_reading_shelf:
            self._is_reading_shelf = True
            # A thread of its own: a file on a server that hangs must not keep the screen from closing.
            threading.Thread(target=self._read_shelf, args=(self.state.shelf,), name="shelf", daemon=True).start()

    def _read_shelf(self, known: tuple[Entry, ...]) -> None:
        try:
            for entries in self.backend.shelf(known, self._memory.databases):
                self.post_message(messages.ShelfRead(entries))
        except Exception as error:  # noqa: BLE001 - in a thread nobody else would tell of it
            self.post_message(messages.Failed("Files cannot be looked for", _in_words(error)))
        finally:
            self._shelf_read_at = time.monotonic()
            self._is_reading_shelf = False

    @on(messages.ShelfRead)
    def _shelf_read(self, message: messages.ShelfRead) -> None:
        self._change(replace(self.state, shelf=message.entries))

    @on(messages.Chosen)
    async def _chosen(self, message: messages.Chosen) -> None:
        """Open another file; what was open goes on without us."""
        path, state = message.path, self.state
        self._is_to_start = message.is_to_start
        if path in {state.database, state.campaign_path} and not state.faults:
            await self._main.go_to("live" if message.is_database else "setup")
            if message.is_to_start:
                self._main.action_start()
            return
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher = None
        self._looked_for, self._attempts_seen = ("", 0), None
        chosen = State(database=path) if message.is_database else State(campaign_path=path)
        self._change(replace(chosen, shelf=state.shelf))
        await self._main.forget()
        await self._main.go_to(self._first_pane())
        if message.is_database:
            self._follow(path)
        else:
            self._read_campaign(path)

    # -- a campaign file

    @work(thread=True, exit_on_error=False, group="campaign")
    def _read_campaign(self, path: Path) -> None:
        try:
            draft = self.backend.load_draft(path)
        except CampaignInvalid as error:
            self.post_message(messages.CampaignFaulty(path, error.faults, error.hint))
            return
        except Exception as error:  # noqa: BLE001 - a third party's plugin may raise anything; a worker's error would vanish
            self.post_message(messages.CampaignFaulty(path, (_in_words(error),), ""))
            return
        running, unfinished = self._look_for_runner(path)
        self.post_message(messages.CampaignOpened(draft, running, unfinished))

    def _look_for_runner(self, campaign: Path) -> tuple[Path | None, Snapshot | None]:
        """The database of this campaign that is being worked on, else the newest that is not finished."""
        if self.state.database is not None:
            return None, None
        unfinished = None
        with suppress(Exception):  # then there is nothing to attach to, and Setup works all the same
            for path in self.backend.databases(campaign)[:LOOKED_AT]:
                with suppress(Exception):  # another program's file, or a damaged one: not ours to mend here
                    snapshot = self.backend.read_snapshot(path)
                    if snapshot.runner.state in STEERABLE:
                        return path, None
                    unfinished = unfinished or (None if snapshot.is_finished else snapshot)
        return None, unfinished

    @on(messages.CampaignOpened)
    async def _campaign_opened(self, message: messages.CampaignOpened) -> None:
        if message.draft.path != self.state.campaign_path:
            return  # another one was chosen meanwhile
        notice = _unfinished_words(message.unfinished) if message.unfinished else ""
        self._change(replace(self.state, draft=message.draft, faults=(), notice=notice))
        if message.running is not None and self.state.database is None:
            if self._main.pane == "setup":
                await self._main.go_to("live")
            self._follow(message.running)
        elif self._is_to_start and self._main.pane == "setup":
            self._start_as_it_is(message)

    def _start_as_it_is(self, message: messages.CampaignOpened) -> None:
        """The embedded lab at once: it occupies nobody's nodes, and ``x`` stops it."""
        from hpcvirt.tui.draft import whole

        self._is_to_start = False
        if message.draft.is_lab and message.unfinished is None and self._main.check_action("start", ()):
            self._start(message.draft, whole(message.draft))
        else:
            self._main.action_start()

    @on(messages.CampaignFaulty)
    def _campaign_faulty(self, message: messages.CampaignFaulty) -> None:
        if message.path == self.state.campaign_path:
            self._change(replace(self.state, faults=message.faults, notice=message.hint))

    # -- a database

    def _follow(self, database: Path) -> None:
        """Watch a database from now on."""
        if self._watcher is not None:
            self._watcher.stop()
        self._was_seen = False
        self._remember(self._memory.opened(database.absolute()))
        self._change(replace(self.state.without_results(), database=database, view=None, notice="", method=""))
        self._watcher = Watcher(database, self.backend, lambda view: self.post_message(messages.DatabaseRead(view)))
        self._watcher.start()

    @on(messages.DatabaseRead)
    async def _database_read(self, message: messages.DatabaseRead) -> None:
        if message.view.path != self.state.database:
            return
        self._shown_at = time.monotonic()
        if message.view.snapshot is not None:
            self._call_out(news(self.state.snapshot, message.view.snapshot))
        self._change(self.state.seeing(message.view))
        if message.view.snapshot is not None and not self._was_seen:
            self._was_seen = True
            if message.view.snapshot.is_finished and self._main.pane == "live":
                await self._main.go_to("results")
        self._compute_if_wanted()

    def _call_out(self, words: str) -> None:
        """Call an operator who looks elsewhere, if that is wished."""
        called = sequence(words, self.settings.notify)
        if called and self._driver is not None and not self.is_headless:
            self._driver.write(called)

    async def on_event(self, event: events.Event) -> None:
        """Whoever uses the screen is not to wait for housekeeping, and a key is for a screen that is there."""
        if isinstance(event, events.InputEvent):
            if self._collector is not None:
                self._collector.input_came()
            await self._top_is_there()
        await super().on_event(event)

    async def _top_is_there(self) -> None:
        """Wait for a screen that is over the others already, and has nothing in it yet that its keys could work on."""
        for _ in range(MOUNT_STEPS):
            if all(screen.is_mounted for screen in self.screen_stack[-1:]):
                return
            await asyncio.sleep(MOUNT_STEP_S)

    def _tick(self) -> None:
        """Times go on although nothing new was read; and rows that came late get the cursor."""
        self._main.focus_default()
        is_fresh = time.monotonic() - self._shown_at < TICK_S + SLACK_S
        if not is_fresh and self.state.runner in STEERABLE and self._main.pane == "live" and self.screen is self._main:
            self._main.show(self.state)
        self._compute_if_wanted()
        self._read_shelf_if_wanted()
        if self._collector is not None:
            self._collector.collect_if_resting()

    # -- results

    @on(messages.PaneShown)
    def _pane_shown(self) -> None:
        """Results are worked out only for somebody who looks."""
        self._compute_if_wanted()
        self._shelf_read_at = 0.0
        self._read_shelf_if_wanted()

    def _compute_if_wanted(self) -> None:
        self._read_charts_if_wanted()
        self._read_attempts_if_wanted()
        state, snapshot = self.state, self.state.snapshot
        if self._main.pane != "results" or snapshot is None or state.is_computing or not state.is_comparable:
            return
        if state.is_current(state.table_at):
            return
        is_hurried = state.table is None or snapshot.is_finished
        if is_hurried or self._is_rested():
            self._computing_since = time.monotonic()
            self._change(replace(state, is_computing=True))
            self._compute(snapshot.path, snapshot.progress, state.method, state.is_as_if_final)

    @work(thread=True, exit_on_error=False, group="results")
    def _compute(self, database: Path, at: Progress, method: str, is_look: bool) -> None:
        try:
            table = self.backend.compare(database, method, as_if_final=is_look)
        except Exception as error:  # noqa: BLE001 - a fault in the statistics is said where the table would be
            self.post_message(messages.ResultsComputed(database, at, None, _in_words(error), method, is_look))
        else:
            self.post_message(messages.ResultsComputed(database, at, table, "", method, is_look))

    def _is_rested(self) -> bool:
        """Whether it is time to work out anew what changes with each run."""
        took_s = self._computed_at - self._computing_since
        return time.monotonic() - self._computed_at > max(RECOMPUTE_S, RESTS * took_s)

    @on(messages.ResultsComputed)
    def _results_computed(self, message: messages.ResultsComputed) -> None:
        self._computed_at = time.monotonic()
        state = replace(self.state, is_computing=False)
        wanted = (self.state.database, self.state.method, self.state.is_as_if_final)
        if (message.database, message.method, message.is_look) == wanted and state.may_show(message.at):
            state = replace(state, table=message.table, table_at=message.at, table_problem=message.problem)
        self._change(state)
        self._compute_if_wanted()

    @on(messages.MethodWanted)
    def _method_wanted(self, message: messages.MethodWanted) -> None:
        self._change(replace(self.state, method=message.method, table_at=None))
        self._computed_at = 0.0
        self._compute_if_wanted()

    @on(messages.LookWanted)
    def _look_wanted(self, message: messages.LookWanted) -> None:
        """Nothing that was worked out under the other wish stays in sight."""
        self._change(self.state.without_results(is_as_if_final=message.is_wanted))
        self._computed_at = 0.0
        self._compute_if_wanted()

    def ask_look(self) -> None:
        """Ask before verdicts of an unfinished campaign are shown; once they are, hide them."""
        if self.state.is_as_if_final:
            self.post_message(messages.LookWanted(is_wanted=False))
            return
        from hpcvirt.tui.screens.dialogs import ConfirmDialog

        lines = [
            (
                Content(""),
                Content(
                    "The campaign is not finished. Its error rates hold for the planned end only: stopping or adding "
                    "blocks because of what is seen now raises them."
                ),
            ),
            (Content(""), Content("Each look at intervals, p-values and verdicts is recorded in the database.")),
        ]
        dialog = ConfirmDialog("Show as if final?", lines, yes="show, and record the look", no="wait for the end")
        self.push_screen(dialog, self._look_answered)

    def _look_answered(self, answer: bool | None) -> None:
        if answer:
            self.post_message(messages.LookWanted(is_wanted=True))

    @on(messages.CopyAsked)
    def _copy_asked(self, message: messages.CopyAsked) -> None:
        if self.state.database is not None:
            self._make_copy(message, self.state.database)

    @work(thread=True, exit_on_error=False, group="export")
    def _make_copy(self, asked: messages.CopyAsked, database: Path) -> None:
        def make() -> str:
            text = asked.make()
            if not asked.is_file:
                self.post_message(messages.Copied(text))
                return f"Copied: {count(len(text.splitlines()), 'line')}. Where nothing arrives, w writes a file."
            target = database.with_name(f"{database.stem}-{_file_words(asked.name)}.{asked.ending}")
            self.backend.save_text(text, target)
            return f"written: {target}"

        self._attempt("Nothing was copied", "", make)

    @on(messages.Copied)
    def _copied(self, message: messages.Copied) -> None:
        self.copy_to_clipboard(message.text)

    # -- runs

    @on(messages.AttemptsWanted)
    def _attempts_wanted(self, message: messages.AttemptsWanted) -> None:
        self._looked_for = message.words, message.offset
        self._read_attempts_if_wanted()

    def _read_attempts_if_wanted(self) -> None:
        """Read again when other ones are looked for, or another attempt has begun or ended."""
        snapshot = self.state.snapshot
        if self._main.pane != "runs" or snapshot is None or self._is_reading_attempts:
            return
        states = tuple((card.state, card.since) for card in snapshot.nodes)
        wanted = (snapshot.path, self._looked_for, sum(snapshot.statuses.values()), states)
        if wanted != self._attempts_seen:
            self._attempts_seen = wanted
            self._is_reading_attempts = True
            self._read_attempts(snapshot.path, *self._looked_for)

    @work(thread=True, exit_on_error=False, group="attempts")
    def _read_attempts(self, database: Path, words: str, offset: int) -> None:
        try:
            page = self.backend.attempts(database, words, offset)
        except Exception as error:  # noqa: BLE001 - a damaged file may raise anything, and is said where the list would be
            self.post_message(messages.AttemptsRead(database, None, _in_words(error)))
        else:
            self.post_message(messages.AttemptsRead(database, page))

    @on(messages.AttemptsRead)
    def _attempts_read(self, message: messages.AttemptsRead) -> None:
        self._is_reading_attempts = False
        if message.database == self.state.database:
            self._change(replace(self.state, attempts=message.page, attempts_problem=message.problem))
        self._read_attempts_if_wanted()

    @on(messages.RunWished)
    def _run_wished(self, message: messages.RunWished) -> None:
        if self.state.database is not None:
            self._wish_run(self.state.database, message.kind, message.run)

    @work(thread=True, exit_on_error=False, group="wish")
    def _wish_run(self, database: Path, kind: str, run: int) -> None:
        self._attempt(f"The wish to {kind} was not written", "", lambda: self.backend.wish_run(database, kind, run))
        if self._watcher is not None:
            self._watcher.hurry()

    # -- plots

    def _read_charts_if_wanted(self) -> None:
        state, snapshot = self.state, self.state.snapshot
        if self._main.pane != "plots" or snapshot is None or state.is_charting or state.is_current(state.charts_at):
            return
        is_hurried = state.charts is None or snapshot.is_finished
        if is_hurried or self._is_rested():
            self._computing_since = time.monotonic()
            self._change(replace(state, is_charting=True))
            self._read_charts(snapshot.path, snapshot.progress, state.is_as_if_final)

    @work(thread=True, exit_on_error=False, group="charts")
    def _read_charts(self, database: Path, at: Progress, is_look: bool) -> None:
        try:
            charts = self.backend.charts(database, as_if_final=is_look)
        except Exception as error:  # noqa: BLE001 - a fault is said where the plot would be
            self.post_message(messages.ChartsRead(database, at, None, _in_words(error), is_look))
        else:
            self.post_message(messages.ChartsRead(database, at, charts, "", is_look))

    @on(messages.ChartsRead)
    def _charts_read(self, message: messages.ChartsRead) -> None:
        self._computed_at = time.monotonic()
        state = replace(self.state, is_charting=False)
        wanted = (self.state.database, self.state.is_as_if_final)
        if (message.database, message.is_look) == wanted and state.may_show(message.at):
            state = replace(state, charts=message.charts, charts_at=message.at, charts_problem=message.problem)
        self._change(state)

    @on(messages.SaveAsked)
    def _save_asked(self, message: messages.SaveAsked) -> None:
        if self.state.database is not None:
            self._save_plot(message.picture, self.state.database)

    @work(thread=True, exit_on_error=False, group="export")
    def _save_plot(self, picture: Picture, database: Path) -> None:
        words = _file_words(f"{picture.kind.value} {picture.title}")

        def write() -> str:
            files = self.backend.save_plot(picture, database.with_name(f"{database.stem}-{words}"))
            return f"written: {', '.join(str(file) for file in files)}"

        self._attempt("The plot was not saved", "", write)

    # -- what the operator asks for

    def wish(self, kind: str) -> None:
        """Ask the runner for something."""
        if self.state.database is not None and self.state.runner in STEERABLE:
            self._write_wish(self.state.database, kind)

    @work(thread=True, exit_on_error=False, group="wish")
    def _write_wish(self, database: Path, kind: str) -> None:
        self._attempt(
            f"The wish to {kind} was not written", WISHED[kind], lambda: self.backend.write_wish(database, kind)
        )
        if self._watcher is not None:
            self._watcher.hurry()

    def ask_abort(self) -> None:
        """Abort costs the time of the runs under way: ask."""
        from hpcvirt.tui.screens.dialogs import ConfirmDialog

        lines = [
            (Content(""), Content("The runs under way are ended now and count as aborted: their time is lost.")),
            (Content(""), Content("What is finished stays. x would wait for them instead.")),
        ]
        dialog = ConfirmDialog("Abort?", lines, yes="abort", no="go on", is_dangerous=True)
        self.push_screen(dialog, lambda answer: self.wish("abort") if answer else None)

    def export(self) -> None:
        """Write the CSV file beside the database."""
        if self.state.database is not None:
            self._export(self.state.database)

    @work(thread=True, exit_on_error=False, group="export")
    def _export(self, database: Path) -> None:
        target = database.with_name(f"{database.stem}-measurements.csv")

        def write() -> str:
            rows = self.backend.export(database, target)
            return f"{rows} measurements written to {target}"

        self._attempt("Nothing was exported", "", write)

    @on(messages.CheckAsked)
    def _check_asked(self, message: messages.CheckAsked) -> None:
        self._change(replace(self.state, is_checking=True))
        self._look(message.draft, message.pick)

    @work(thread=True, exit_on_error=False, group="check")
    def _look(self, draft: Draft, pick: Pick) -> None:
        try:
            findings = self.backend.check(draft, pick)
        except Exception as error:  # noqa: BLE001 - a worker's error would vanish, and the screen wait for ever
            self.post_message(messages.NotLooked(_in_words(error)))
        else:
            self.post_message(messages.Looked(draft.name, findings))

    @on(messages.Looked)
    def _looked(self, message: messages.Looked) -> None:
        """What was asked for is shown, whatever the operator has gone to meanwhile."""
        from hpcvirt.tui.screens.setup import check_dialog

        self._change(replace(self.state, is_checking=False, findings=message.findings))
        self.push_screen(check_dialog(message.name, message.findings))

    @on(messages.NotLooked)
    def _not_looked(self, message: messages.NotLooked) -> None:
        self._change(replace(self.state, is_checking=False))
        self._failed(messages.Failed("The nodes could not be checked", message.problem))

    @on(messages.ScheduleAsked)
    def _schedule_asked(self, message: messages.ScheduleAsked) -> None:
        self._schedule(message.draft, message.pick)

    @work(thread=True, exit_on_error=False, group="schedule", exclusive=True)
    def _schedule(self, draft: Draft, pick: Pick) -> None:
        try:
            lines = self.backend.schedule(draft, pick)
        except Exception as error:  # noqa: BLE001 - a worker's error would vanish
            self.post_message(messages.Failed("There is no schedule", _in_words(error)))
        else:
            self.post_message(messages.Scheduled(draft.name, lines))

    @on(messages.Scheduled)
    def _scheduled(self, message: messages.Scheduled) -> None:
        from hpcvirt.tui.screens.setup import schedule_dialog

        self.push_screen(schedule_dialog(message.name, message.lines))

    @on(messages.SaveFileAsked)
    def _save_file_asked(self, message: messages.SaveFileAsked) -> None:
        self._save_file(message)

    @work(thread=True, exit_on_error=False, group="export")
    def _save_file(self, asked: messages.SaveFileAsked) -> None:
        target = Path.cwd() / asked.name

        def write() -> str:
            if self.backend.save_campaign(asked.draft, asked.pick, target, over=asked.is_over):
                return f"written: {target}"
            self.post_message(messages.FileIsThere(asked))
            return ""

        self._attempt("The campaign file was not written", "", write)

    @on(messages.FileIsThere)
    def _file_is_there(self, message: messages.FileIsThere) -> None:
        from hpcvirt.tui.screens.dialogs import ConfirmDialog

        asked = message.asked
        lines = [(Content(""), Content(f"{safe(asked.name)} is there already. What is in it now would be lost."))]
        dialog = ConfirmDialog("Replace it?", lines, yes="replace", no="leave it", is_dangerous=True)

        def answered(yes: bool | None) -> None:
            if yes:
                self._save_file(messages.SaveFileAsked(asked.draft, asked.pick, asked.name, is_over=True))

        self.push_screen(dialog, answered)

    @on(messages.StartAsked)
    def _start_asked(self, message: messages.StartAsked) -> None:
        """Starting occupies nodes: show once more what will happen, and ask once."""
        from hpcvirt.tui.screens.setup import start_dialog

        if self.screen is not self._main or self.state.is_starting:
            return  # asked for twice
        draft, pick = message.draft, message.pick
        self.push_screen(start_dialog(draft, pick), lambda answer: self._start(draft, pick) if answer else None)

    def _start(self, draft: Draft, pick: Pick) -> None:
        self._change(replace(self.state, is_starting=True, notice=""))
        self._launch(lambda: self.backend.start(draft, pick))

    def restart(self) -> None:
        """A new runner for a database whose runner is gone."""
        snapshot = self.state.snapshot
        if snapshot is not None and self.state.runner in RESTARTABLE and not self.state.is_starting:
            self._change(replace(self.state, is_starting=True))
            self.notify("Starting the runner again …", markup=False)
            self._launch(lambda: self._resumed(snapshot))

    def _resumed(self, snapshot: Snapshot) -> Path:
        self.backend.resume(snapshot)
        return snapshot.path

    @work(thread=True, exit_on_error=False, group="launch")
    def _launch(self, launch: Callable[[], Path]) -> None:
        try:
            database = launch()
        except Exception as error:  # noqa: BLE001 - a worker's error would vanish, and the screen wait for ever
            self.post_message(messages.RunnerNotStarted(_in_words(error)))
        else:
            self.post_message(messages.RunnerStarted(database))

    @on(messages.RunnerStarted)
    async def _runner_started(self, message: messages.RunnerStarted) -> None:
        self.state = replace(self.state, is_starting=False)
        await self._main.go_to("live")
        self._follow(message.database)

    @on(messages.RunnerNotStarted)
    def _runner_not_started(self, message: messages.RunnerNotStarted) -> None:
        self._change(replace(self.state, is_starting=False, notice=f"It did not start: {message.problem}"))
        self._failed(messages.Failed("The runner did not start", message.problem))

    def _attempt(self, failure: str, success: str, what: Callable[[], str | None]) -> None:
        """In a thread: do something and say how it went."""
        try:
            words = what()
        except Exception as error:  # noqa: BLE001 - the operator asked for it: whatever went wrong is told
            self.post_message(messages.Failed(failure, _in_words(error)))
        else:
            self.post_message(messages.Done(words or success))

    @on(messages.Done)
    def _done(self, message: messages.Done) -> None:
        if message.words:
            self.notify(safe(message.words), markup=False)

    @on(messages.Failed)
    def _failed(self, message: messages.Failed) -> None:
        self.notify(safe(message.problem), title=message.title, severity="error", timeout=12, markup=False)

    # -- palette, end

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What can be done now, by group."""
        if screen is self._main:
            yield from self._main.commands()
        else:
            yield from self._commands_of(screen)
        yield SystemCommand(
            "View: Light or dark", "Change between the light and the dark theme", self.action_light_or_dark
        )
        yield SystemCommand("View: Theme", "Choose among all themes", self.action_change_theme)
        yield SystemCommand("View: Screenshot", "Save what is seen as SVG", self.deliver_screenshot)

    def _commands_of(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What can be done on a screen over the panes: its keys, as its footer shows them."""
        for active in screen.active_bindings.values():
            binding = active.binding
            if active.node is screen and active.enabled and binding.id and binding.description:
                told = f"{binding.tooltip or binding.description} (key {self.get_key_display(binding)})"
                yield SystemCommand(f"Here: {binding.description}", told, partial(self._act, screen, binding.action))

    def _act(self, screen: Screen[object], action: str) -> None:
        self.call_later(screen.run_action, action)

    def action_command_palette(self) -> None:
        """Everything that can be done now, by name."""
        if self.use_command_palette and not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def search_themes(self) -> None:
        """All themes, in a palette that bears quick fingers."""
        self.push_screen(Palette(providers=[ThemeProvider], placeholder="Search for themes…"))

    def action_light_or_dark(self) -> None:
        """The other theme of the house."""
        self.theme = themes.LIGHT if self.current_theme.dark else themes.DARK

    def action_help_quit(self) -> None:
        """ctrl+c is a habit: say which key it is here."""
        self.notify("q closes the screen; the campaign goes on. x stops the campaign.", markup=False)

    def farewell(self) -> str:
        """What the terminal shows after the screen: what goes on, and how to come back."""
        state, snapshot = self.state, self.state.snapshot
        if state.database is None:
            return ""
        lines = []
        if snapshot is not None and state.runner in STEERABLE | {RunnerState.ELSEWHERE}:
            lines.append(
                f"The campaign {safe(snapshot.campaign.name)} goes on without the screen "
                f"({snapshot.ok} of {snapshot.planned} runs are in)."
            )
        return "\n".join([*lines, f"Come back with: hpcvirt-tui {shlex.quote(str(state.database))}"])


def run_screen(campaign_path: Path | None, database: Path | None) -> int:
    """Open the screen on this terminal until the operator leaves it; the exit code.

    Raises ScreenUnsuited where the terminal cannot show it.
    """
    from hpcvirt.tui.terminal import check_terminal

    check_terminal()
    sys.setswitchinterval(SWITCH_S)
    settings, memory = read_settings(settings_path()), recall(memory_path())
    collector = IdleCollector()
    collector.take_over()
    app = HpcvirtApp(campaign_path, database, settings=settings, memory=memory, collector=collector)
    try:
        app.run()
    finally:
        collector.give_back()
    farewell = app.farewell()
    if farewell:
        with suppress(OSError):  # the terminal may be gone: that is one way to leave
            print(farewell, flush=True)
    return app.return_code or 0


def _file_words(text: str) -> str:
    """Text as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-")[:60]


def _in_words(error: Exception) -> str:
    if isinstance(error, HpcvirtError):
        return f"{error.message}. {error.hint}" if error.hint else error.message
    return str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"


def _unfinished_words(snapshot: Snapshot) -> str:
    where = shlex.quote(str(snapshot.path))
    process = snapshot.runner.process
    if snapshot.runner.state is RunnerState.ELSEWHERE and process is not None:
        return f"An unfinished campaign of this name has its runner on host {process.host}: {where}"
    return (
        f"An unfinished campaign of this name ({snapshot.runner.state}, {snapshot.ok} of {snapshot.planned} runs) "
        f"is in {where}. The same picks go on with it; to look first: hpcvirt-tui {where}"
    )


def _obey_signals(leave: Callable[[], None]) -> None:
    """Without this a closed terminal or a SIGTERM ends the program in the middle of everything."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGHUP, signal.SIGTERM):
        with suppress(RuntimeError, ValueError):  # not in the main thread: a test, or somebody's embedding
            loop.add_signal_handler(number, leave)


def _forget_signals() -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGHUP, signal.SIGTERM):
        with suppress(RuntimeError, ValueError):
            loop.remove_signal_handler(number)
