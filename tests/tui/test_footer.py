"""The line of keys: what works now, and each of them a button."""

from __future__ import annotations

from hpcvirt.tui.widgets.footer import Footer
from tests.tui.screen_samples import finished, make_snapshot, watched
from tests.tui.seeing import at_database


async def test_it_shows_what_works_now() -> None:
    async with at_database(watched(make_snapshot())) as eye:
        await eye.until("p Pause", "x Stop", "q Quit", "^p palette")
        await eye.press("6")
        await eye.until("/ Filter", gone=("e Export",))
    async with at_database(watched(finished())) as eye:
        await eye.until("e Export", gone=("Pause", "Stop"))


async def test_where_there_is_no_room_the_palette_stays() -> None:
    async with at_database(watched(make_snapshot()), (60, 20)) as eye:
        await eye.until("p Pause", "^p palette")
        assert all(len(line) <= 60 for line in eye.lines)


async def test_a_key_is_a_button() -> None:
    backend = watched(make_snapshot())
    async with at_database(backend) as eye:
        await eye.until("p Pause")
        await eye.pilot.click(offset=(eye.lines[-1].index("Pause"), 23))
        await eye.wait(lambda: backend.wishes)
        assert [kind for _, kind in backend.wishes] == ["pause"]
        await eye.pilot.click(offset=(eye.lines[-1].index("palette"), 23))
        await eye.until("Search for commands")


async def test_keys_that_change_while_the_screen_closes_are_no_matter() -> None:
    async with at_database(watched(make_snapshot())) as eye:
        await eye.until("p Pause")
        footer = eye.app.screen.query_one(Footer)
        await footer.remove()
        footer.renew()
        assert eye.app.is_running
