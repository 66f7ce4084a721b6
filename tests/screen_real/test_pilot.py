"""The screen on a real lab: Setup -> Live -> Results -> export, with a runner process of its own."""

from __future__ import annotations

import asyncio
import csv
from pathlib import Path

import pytest
from textual.pilot import Pilot

from hpcvirt.core.store.queries import read_snapshot
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.tui.app import HpcvirtApp

CAMPAIGN = """
[campaign]
name = "pilot"
[design]
runs = 4
blocks = 2
[analysis]
baseline = "native"
[lab]
nodes = 2
[[kernel]]
name = "native"
[[kernel]]
name = "native-again"
[[benchmark]]
plugin = "stream"
parameters = { array_size = 100000, ntimes = 2 }
"""


def shown(app: HpcvirtApp) -> str:
    """The text on the screen, line by line."""
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


async def until(pilot: Pilot[None], app: HpcvirtApp, *words: str, limit_s: float = 45) -> str:
    """The screen's text, once all words are on it."""
    text = ""
    for _ in range(int(limit_s / 0.1)):
        await pilot.pause(0.1)
        text = shown(app)
        if all(word in text for word in words):
            return text
    raise AssertionError(f"{words} not on the screen:\n{text}")


async def test_from_setup_to_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = tmp_path / "pilot.toml"
    campaign.write_text(CAMPAIGN)
    monkeypatch.chdir(tmp_path)
    app = HpcvirtApp(campaign, None)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, app, "native-again", "stream", "16 runs")
        await pilot.press("s")
        await until(pilot, app, "Start pilot?")
        await pilot.press("y")
        await until(pilot, app, "node1", "node2", "proved")
        await until(pilot, app, "finished", "16/16")
        await pilot.press("3")
        table = await until(pilot, app, "copy", "triad", "verdict", limit_s=60)
        assert "native-again" in table
        await pilot.press("e")
        await until(pilot, app, "64 measurements")
    (database,) = tmp_path.glob("pilot-*.db")
    snapshot = await asyncio.to_thread(read_snapshot, database)
    assert snapshot.runner.state is RunnerState.FINISHED
    (exported,) = tmp_path.glob("*.csv")
    assert len(list(csv.DictReader(exported.open()))) == 64


async def test_leaving_the_screen_leaves_the_campaign_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = tmp_path / "pilot.toml"
    campaign.write_text(CAMPAIGN.replace("runs = 4", "runs = 30"))
    monkeypatch.chdir(tmp_path)
    app = HpcvirtApp(campaign, None)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, app, "120 runs")
        await pilot.press("s")
        await until(pilot, app, "Start pilot?")
        await pilot.press("y")
        await until(pilot, app, "running")
        await pilot.press("q")
    (database,) = tmp_path.glob("pilot-*.db")
    assert (await asyncio.to_thread(read_snapshot, database)).runner.state is RunnerState.RUNNING
    again = HpcvirtApp(campaign, None)
    async with again.run_test(size=(100, 30)) as pilot:
        # No question, no Setup: it finds the campaign that runs.
        await until(pilot, again, "running", "/120 runs")
        await pilot.press("x")
        await until(pilot, again, "stopped")
