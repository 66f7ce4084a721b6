"""Whatever is pressed, whatever happens meanwhile: the screen does not crash."""

from __future__ import annotations

import asyncio
import gc
import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from textual.pilot import Pilot

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.tui.app import HpcvirtApp
from hpcvirt.tui.screens.main import MainScreen
from tests.tui.screen_samples import (
    CAMPAIGN,
    DATABASE,
    PAPER,
    PAPER_KERNELS,
    finished,
    make_snapshot,
    paper_table,
    watched,
)
from tests.tui.seeing import hit

PRESSES = int(os.environ.get("HPCVIRT_PRESSES", "150"))
"""`.ci/run` presses 5,000, `make soak` 20,000."""
WARM = 8000
"""Presses after which all that is made once was made, and Textual's caches of drawn lines are full."""
GROWTH = 1.15
SIZES = ((80, 24), (120, 40), (60, 18), (50, 10), (20, 4), (200, 60))
KEYS = (
    *"12346pxXeoOynas5vVmcwRK",
    "space", "slash", "question_mark", "left_square_bracket", "right_square_bracket", "escape", "enter",
    "up", "down", "left", "right", "tab", "shift+tab", "home", "end", "pageup", "pagedown", "backspace", "ctrl+p",
)  # fmt: skip
PAUSES_S = (None, None, 0.0, 0.02)
"""Behind a key: none at all, what one turn of the loop takes, what a slow hand takes."""


def anything(draw: random.Random):
    state = draw.choice(list(RunnerState))
    return draw.choice(
        [
            make_snapshot(state, ok=draw.randint(0, 400)),
            make_snapshot(state, kernels=PAPER_KERNELS, benchmarks=PAPER, planned=4000),
            make_snapshot(state, nodes=()),
            finished(),
            StoreUnusable("gone"),
        ]
    )


def resident_kb() -> int:
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


async def press(app: HpcvirtApp, pilot: Pilot[None], keys: Sequence[str], draw: random.Random) -> None:
    """As fingers do: the screen is not always given the time to settle, as ``pilot.press`` would."""
    for key in keys:
        hit(app, key)
        if (pause_s := draw.choice(PAUSES_S)) is not None:
            await asyncio.sleep(pause_s)
    await pilot.pause()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("opened_on", ["campaign", "database"])
async def test_random_keys(opened_on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The palette offers what is not among the keys: to leave. A screen that ends in any other way is a fault.
    monkeypatch.setattr(MainScreen, "action_leave", lambda screen: None)
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    backend = watched(make_snapshot(), table=paper_table())
    app = HpcvirtApp(CAMPAIGN, DATABASE if opened_on == "database" else None, backend=backend)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        warm_kb, pressed = 0, 0
        while pressed < PRESSES:
            burst = draw.choices(KEYS, k=draw.randint(1, 20))
            await press(app, pilot, burst, draw)
            pressed += len(burst)
            await pilot.resize_terminal(*draw.choice(SIZES))
            backend.snapshots[DATABASE] = anything(draw)
            assert app.is_running, burst
            if not warm_kb and pressed >= WARM:
                warm_kb = resident_kb()
        if pressed >= 2 * WARM:
            assert resident_kb() < GROWTH * warm_kb
