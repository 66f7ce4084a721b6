"""The palette under impatient fingers."""

from __future__ import annotations

import pytest
from textual.command import CommandPalette

from tests.tui.screen_samples import make_snapshot, watched
from tests.tui.seeing import at_database


@pytest.mark.parametrize("key", ["pageup", "pagedown"])
async def test_a_page_key_before_there_is_a_list_ends_nothing(key: str) -> None:
    async with at_database(watched(make_snapshot()), (80, 24)) as eye:
        eye.app.action_command_palette()
        # No pause between: the list has no height yet.
        palette = None
        for _ in range(20):
            await eye.pilot.pause()
            palette = eye.app.screen
            if isinstance(palette, CommandPalette):
                palette._action_command_list(f"page_{key.removeprefix('page')}")
        assert isinstance(palette, CommandPalette)
        await eye.pilot.press(key, key, "escape")
        await eye.until("148/400 runs")
