"""The palette under impatient fingers."""

from __future__ import annotations

import pytest
from textual.command import CommandList

from tests.tui.screen_samples import make_snapshot, watched
from tests.tui.seeing import at_database


@pytest.mark.parametrize("key", ["pageup", "pagedown"])
async def test_a_page_key_where_the_list_has_no_room_ends_nothing(key: str) -> None:
    async with at_database(watched(make_snapshot()), (80, 24)) as eye:
        await eye.until("148/400 runs")
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
