"""Driving the screen and reading what it shows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from textual import events
from textual.pilot import Pilot

from hpcvirt.tui.app import HpcvirtApp
from hpcvirt.tui.screens.main import MainScreen
from hpcvirt.tui.widgets.pane import Pane
from tests.tui.screen_samples import CAMPAIGN, DATABASE, SampleBackend

SIZES = [(80, 24), (120, 40), (200, 60)]
LIMIT_S = 8.0
STEP_S = 0.02
CHARACTERS = {letter: letter for letter in map(chr, range(33, 127)) if letter.isalnum()} | {
    "space": " ", "slash": "/", "question_mark": "?", "left_square_bracket": "[", "right_square_bracket": "]",
}  # fmt: skip


def seen(app: HpcvirtApp) -> str:
    """The text on the screen, line by line."""
    return "\n".join("".join(part.text for part in strip) for strip in app.screen._compositor.render_strips())


def hit(app: HpcvirtApp, key: str) -> None:
    """A key as a terminal sends it: nobody waits for what it does, as ``pilot.press`` would."""
    app.post_message(events.Key(key, CHARACTERS.get(key)))


@dataclass
class Eye:
    """A person at the terminal."""

    app: HpcvirtApp
    pilot: Pilot[None]
    backend: SampleBackend

    @property
    def text(self) -> str:
        return seen(self.app)

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def line(self, word: str) -> str:
        """The first line with this word."""
        return next(line for line in self.lines if word in line)

    async def until(self, *words: str, gone: tuple[str, ...] = ()) -> str:
        """The text, once every word is seen and none of ``gone``, and it stands still: parts come one by one."""
        text = before = ""

        def is_seen() -> bool:
            nonlocal text, before
            before, text = text, self.text
            return text == before and all(word in text for word in words) and not any(word in text for word in gone)

        await self.wait(is_seen, f"{words} without {gone}")
        return text

    async def wait(self, what: Callable[[], object], told: str = "") -> None:
        for _ in range(int(LIMIT_S / STEP_S)):
            if what():
                return
            await self.pilot.pause(STEP_S)
        raise AssertionError(f"{told or what} did not happen; the screen shows:\n{self.text}")

    async def press(self, *keys: str) -> None:
        await self.wait(self._is_at_rest, "the cursor where it belongs")
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def hammer(self, *keys: str) -> None:
        """Press keys at once, before the screen can answer the first."""
        await self.wait(self._is_at_rest, "the cursor where it belongs")
        for key in keys:
            hit(self.app, key)
        await self.pilot.pause()

    def _is_at_rest(self) -> bool:
        """Rows get the cursor a moment after they are seen: too short for a finger, not for a test."""
        screen = self.app.screen
        if not isinstance(screen, MainScreen) or screen.focused is not None:
            return True
        panes = (pane for pane in screen.query(Pane) if pane.display)
        return not any(place.focusable for pane in panes for place in pane.query(pane.DEFAULT_FOCUS))


@asynccontextmanager
async def looking(
    backend: SampleBackend,
    *,
    campaign: Path | None = None,
    database: Path | None = None,
    size: tuple[int, int] = (80, 24),
) -> AsyncIterator[Eye]:
    """The running screen."""
    app = HpcvirtApp(campaign, database, backend=backend)
    async with app.run_test(size=size, notifications=True) as pilot:
        yield Eye(app, pilot, backend)


def at_campaign(backend: SampleBackend | None = None, size: tuple[int, int] = (80, 24)):
    """Opened on a campaign file."""
    return looking(backend or SampleBackend(), campaign=CAMPAIGN, size=size)


def at_database(backend: SampleBackend, size: tuple[int, int] = (80, 24)):
    """Opened on a database."""
    return looking(backend, database=DATABASE, size=size)
