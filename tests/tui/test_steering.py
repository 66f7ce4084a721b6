"""Wishes, dialogs, export, palette, help, leaving."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.binding import Binding

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.tui import keys, themes
from tests.tui.screen_samples import DATABASE, SampleBackend, finished, make_snapshot, watched
from tests.tui.seeing import SIZES, at_campaign, at_database, looking


@pytest.mark.parametrize(("key", "kind", "words"), [("p", "pause", "Asked to pause"), ("x", "stop", "Asked to stop")])
async def test_wishes_are_written_and_said(key: str, kind: str, words: str) -> None:
    async with at_database(watched(make_snapshot())) as eye:
        await eye.until("148/400 runs")
        await eye.press(key)
        await eye.until(words)
        assert eye.backend.wishes == [(DATABASE, kind)]


async def test_p_resumes_what_is_paused() -> None:
    async with at_database(watched(make_snapshot(RunnerState.PAUSED))) as eye:
        await eye.until("p Resume")
        await eye.press("p")
        await eye.until("Asked to go on")
        assert eye.backend.wishes == [(DATABASE, "resume")]


@pytest.mark.parametrize(
    "state", [RunnerState.STOPPED, RunnerState.FAILED, RunnerState.CRASHED, RunnerState.NOT_STARTED]
)
async def test_p_starts_a_new_runner_where_there_is_none(state: RunnerState) -> None:
    async with at_database(watched(make_snapshot(state))) as eye:
        await eye.until("p Resume")
        await eye.press("p")
        await eye.until("▶ running")
        assert eye.backend.resumed == [DATABASE]
        assert not eye.backend.wishes


async def test_a_runner_that_does_not_come_back_is_said() -> None:
    backend = watched(make_snapshot(RunnerState.STOPPED), start_fails=StoreUnusable("locked [/]", hint="wait"))
    async with at_database(backend) as eye:
        await eye.until("p Resume")
        await eye.press("p")
        await eye.until("The runner did not start", "locked [/]", "p Resume")


async def test_abort_asks() -> None:
    async with at_database(watched(make_snapshot())) as eye:
        await eye.until("148/400 runs")
        await eye.press("X")
        await eye.until("Abort?", "count as aborted")
        await eye.press("n")
        await eye.until("148/400 runs", gone=("Abort?",))
        assert not eye.backend.wishes
        await eye.press("X", "y")
        await eye.until("Asked to abort")
        assert eye.backend.wishes == [(DATABASE, "abort")]


async def test_keys_behind_a_dialog_do_nothing() -> None:
    async with at_database(watched(make_snapshot())) as eye:
        await eye.until("148/400 runs")
        await eye.press("X", "x", "p", "3", "e")
        await eye.until("Abort?")
        assert not eye.backend.wishes


async def test_nothing_is_steered_where_nothing_runs() -> None:
    async with at_database(watched(finished())) as eye:
        await eye.until("✓ finished")
        await eye.press("p", "x", "X", "s")
        assert not eye.backend.wishes
        assert not eye.backend.resumed


async def test_a_wish_that_cannot_be_written_is_said() -> None:
    class Deaf(SampleBackend):
        def write_wish(self, database: Path, kind: str) -> None:
            raise StoreUnusable(f"{database}: readonly", hint="only who may write the database can steer its runner")

    async with at_database(Deaf(snapshots={DATABASE: make_snapshot()})) as eye:
        await eye.until("148/400 runs")
        await eye.press("p")
        await eye.until("The wish to pause was not written", "readonly")


async def test_export_says_where() -> None:
    async with at_database(watched(finished()), (120, 40)) as eye:
        await eye.until("verdict")
        await eye.press("e")
        await eye.until("1600 measurements written to", "local-lab-20250101T120000Z-measurements.csv")
        assert eye.backend.exported == [(DATABASE, Path("/data/local-lab-20250101T120000Z-measurements.csv"))]


async def test_an_export_that_fails_says_why() -> None:
    backend = watched(finished(), export_fails=StoreUnusable("/data: permission denied [/]", hint="use --output"))
    async with at_database(backend) as eye:
        await eye.until("verdict")
        await eye.press("e")
        await eye.until("Nothing was exported", "permission denied [/]")


@pytest.mark.parametrize("size", SIZES)
async def test_help_has_every_key_and_sign(size: tuple[int, int]) -> None:
    async with at_database(watched(make_snapshot()), size) as eye:
        await eye.until("148/400 runs")
        await eye.press("question_mark")
        await eye.until("What the nodes do now", "Escape closes")
        await eye.press("escape")
        await eye.until("148/400 runs", gone=("Escape closes",))


@pytest.mark.parametrize("pane", keys.PANES)
def test_help_of_a_pane_has_its_keys_and_those_that_work_everywhere(pane: str) -> None:
    text = keys.help_text(pane, {"stop": "ctrl+x"}).plain
    for key in keys.KEYS:
        assert (key.tooltip in text) is (not key.panes or pane in key.panes)
    assert "ctrl+x" in text
    assert ("inconclusive" in text) is (pane in {"results", "plots"})
    assert ("set aside" in text) is (pane == "live")
    assert ("crashed" in text) is (pane == "chooser")


def test_every_key_has_an_id_a_tooltip_and_a_palette_entry() -> None:
    bindings = [key.binding() for key in keys.KEYS]
    assert len({binding.id for binding in bindings}) == len(bindings)
    assert all(isinstance(binding, Binding) and binding.tooltip and binding.description for binding in bindings)
    assert all(key.group and key.title for key in keys.KEYS)


async def test_the_palette_has_what_works_now() -> None:
    async with at_database(watched(make_snapshot())) as eye:
        await eye.until("148/400 runs")
        titles = {command.title for command in eye.app.get_system_commands(eye.app.screen)}
        assert {"Campaign: Pause", "Campaign: Abort", "Pane: Results", "View: Light or dark", "Screen: Quit"} <= titles
        assert not {"Campaign: Start", "Campaign: Resume", "Results: Sort"} & titles
        await eye.press("ctrl+p")
        await eye.press(*"campaign: pause")
        await eye.until("Campaign: Pause")
        await eye.press("enter")
        await eye.pilot.pause(0.3)
        await eye.press("enter")
        await eye.wait(lambda: eye.backend.wishes == [(DATABASE, "pause")])


async def test_the_palette_shows_every_command() -> None:
    async with at_database(watched(finished()), (120, 40)) as eye:
        await eye.until("verdict")
        await eye.press("ctrl+p")
        await eye.until("Results: Filter", "(key /)", "Pane: Setup")


async def test_every_theme_paints() -> None:
    async with at_database(watched(make_snapshot())) as eye:
        await eye.until("148/400 runs")
        eye.app.action_light_or_dark()
        assert eye.app.theme == themes.LIGHT
        for theme in ("textual-light", "nord", "ansi-light", "ansi-dark", themes.DARK):
            eye.app.theme = theme
            await eye.pilot.pause()
            assert "148/400 runs" in eye.text


async def test_without_colour_every_state_still_has_its_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with at_database(watched(finished())) as eye:
        text = await eye.until("= equivalent", "▼ slower", "✓ finished")
        assert "3 Results" in text
        rows = eye.app.screen.query_one("#results-rows")
        await eye.wait(lambda: rows.has_focus, "the rows have the focus")
        assert rows.get_component_rich_style("option-list--option-highlighted").underline
        filters = [type(one).__name__ for one in eye.app.get_line_filters()]
        assert "NoColor" in filters
        assert "Monochrome" not in filters


async def test_leaving_says_that_the_campaign_goes_on() -> None:
    async with at_database(watched(make_snapshot())) as eye:
        await eye.until("148/400 runs")
        await eye.press("q")
    told = eye.app.farewell().splitlines()
    assert told[0] == "The campaign local-lab goes on without the screen (148 of 400 runs are in)."
    assert told[-1] == f"Come back with: hpcvirt-tui {DATABASE}"
    assert eye.app.return_code == 0
    assert not eye.backend.wishes


async def test_leaving_a_finished_campaign_says_how_to_come_back() -> None:
    async with at_database(watched(finished())) as eye:
        await eye.until("verdict")
        await eye.press("q")
    assert eye.app.farewell() == f"Come back with: hpcvirt-tui {DATABASE}"


async def test_leaving_before_anything_says_nothing() -> None:
    async with at_campaign() as eye:
        await eye.until("400 runs")
        await eye.press("q")
    assert eye.app.farewell() == ""


async def test_a_path_with_blanks_can_be_pasted() -> None:
    path = Path("/my data/a b.db")
    async with looking(SampleBackend(snapshots={path: make_snapshot(path=path)}), database=path) as eye:
        await eye.until("148/400 runs")
    assert eye.app.farewell().endswith("hpcvirt-tui '/my data/a b.db'")


async def test_ctrl_c_says_which_key_leaves() -> None:
    async with at_database(watched(make_snapshot())) as eye:
        await eye.until("148/400 runs")
        await eye.press("ctrl+c")
        await eye.until("q closes the screen")


async def test_leaving_at_once_is_quiet() -> None:
    for _ in range(5):
        async with at_database(watched(make_snapshot())) as eye:
            await eye.pilot.press("q")


async def test_panes_by_mouse() -> None:
    async with at_database(watched(make_snapshot())) as eye:
        await eye.until("148/400 runs")
        await eye.pilot.click("#strip", offset=(21, 0))
        await eye.until("INTERIM")
        await eye.pilot.click("#strip", offset=(3, 0))
        await eye.until("Frozen when it started")


async def test_a_terminal_that_becomes_too_small_says_so() -> None:
    async with at_database(watched(make_snapshot())) as eye:
        await eye.until("148/400 runs")
        await eye.pilot.resize_terminal(50, 12)
        await eye.until("the terminal is 50 x 12", "hpcvirt-tui run", gone=("148/400",))
        await eye.press("pageup", "pagedown", "3", "pageup", "pagedown", "1", "pagedown", "2", "end")
        await eye.pilot.resize_terminal(120, 40)
        await eye.until("148/400 runs", "Progress")
