"""The palette under impatient fingers."""

from __future__ import annotations

import pytest
from textual.command import CommandList

from hpcvirt.core.store.runner_state import RunnerState
from tests.tui.screen_samples import DATABASE, make_snapshot, watched
from tests.tui.seeing import at_database


@pytest.mark.parametrize("of", ["commands", "themes"])
@pytest.mark.parametrize("key", ["pageup", "pagedown"])
async def test_a_page_key_where_the_list_has_no_room_ends_nothing(key: str, of: str) -> None:
    async with at_database(watched(make_snapshot()), (80, 24)) as eye:
        await eye.until("148/400 runs")
        if of == "themes":
            eye.app.action_change_theme()
            await eye.until("dracula")
        else:
            await eye.pilot.press("ctrl+p")
            await eye.until("Export")
        await eye.pilot.resize_terminal(80, 4)
        await eye.pilot.pause()
        found = eye.app.screen.query_one(CommandList)
        assert found.option_count
        assert not found.scrollable_content_region, "the list has room: this tests nothing"
        await eye.pilot.press(key)
        await eye.pilot.resize_terminal(80, 24)
        await eye.pilot.press("escape")
        await eye.until("148/400 runs")


@pytest.mark.parametrize("is_by_list", [False, True])
async def test_enter_twice_does_a_command_once(is_by_list: bool) -> None:
    async with at_database(watched(make_snapshot(RunnerState.RUNNING)), (80, 24)) as eye:
        await eye.until("148/400 runs")
        await eye.pilot.press("ctrl+p", *"pause")
        await eye.until("Campaign: Pause")
        if is_by_list:
            found = eye.app.screen.query_one(CommandList)
            found.highlighted = 0
            for _ in range(2):
                found.action_select()
            await eye.pilot.pause()
        else:
            await eye.hammer("enter", "enter")
        await eye.wait(lambda: eye.backend.wishes)
        await eye.until("148/400 runs")
        assert eye.backend.wishes == [(DATABASE, "pause")]
        assert len(eye.app.screen_stack) == 1
