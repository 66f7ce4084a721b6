"""Pictures of the real screen for the README: ``python -m tests.pictures`` runs the local lab and takes them."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from hpcvirt.campaigns import bundled
from hpcvirt.tui.app import HpcvirtApp
from tests.screen_real.test_pilot import until

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
SIZE = (120, 38)


async def take() -> None:
    """Setup, Live in the middle of the campaign, Results and Plots at its end."""
    app = HpcvirtApp(bundled()["local-lab"], None)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, app, "600 runs", "s Start")
        app.save_screenshot("setup.svg", str(FOLDER))
        await pilot.press("s")
        await until(pilot, app, "Start local-lab?")
        await pilot.press("y")
        await until(pilot, app, "boot 15/30", limit_s=1200)
        app.save_screenshot("live.svg", str(FOLDER))
        await until(pilot, app, "finished", limit_s=1200)
        await pilot.press("3")
        await until(pilot, app, "triad", "verdict", "y Copy", limit_s=60)
        app.save_screenshot("results.svg", str(FOLDER))
        await pilot.press("4")
        await until(pilot, app, "ratio to native", "w Save", limit_s=60)
        app.save_screenshot("plots.svg", str(FOLDER))


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        os.environ["XDG_DATA_HOME"] = os.environ["XDG_STATE_HOME"] = data
        asyncio.run(take())
