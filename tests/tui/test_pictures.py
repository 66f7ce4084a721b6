"""A few pictures of the screen, as they were looked at and found right.

``pytest tests/tui/test_pictures.py --update`` takes them anew: look at what has changed before you commit it.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from types import SimpleNamespace

import pytest

from hpcvirt import tui
from hpcvirt.core.store.records import Snapshot
from hpcvirt.tui import themes
from tests.tui import screen_samples
from tests.tui.screen_samples import (
    PAPER,
    PAPER_KERNELS,
    finished,
    make_card,
    make_charts,
    make_samples,
    make_snapshot,
    paper_table,
    watched,
)
from tests.tui.seeing import at_campaign, at_database

FOLDER = Path(__file__).parent / "pictures"
MOMENT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NODES = 64


class FrozenDatetime(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return MOMENT.astimezone(tz)


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It is always the same moment, wherever the screen or its data ask."""
    clock = SimpleNamespace(time=MOMENT.timestamp, monotonic=lambda: 1000.0, perf_counter=lambda: 1000.0)
    for found in pkgutil.walk_packages(tui.__path__, "hpcvirt.tui."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)  # what is imported later would have another clock
    monkeypatch.setattr(screen_samples, "this_process", lambda: screen_samples.ELSEWHERE)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for name, module in list(sys.modules.items()):
        if name.startswith("hpcvirt.tui") or module is screen_samples:
            if getattr(module, "datetime", None) is datetime:
                monkeypatch.setattr(module, "datetime", FrozenDatetime)
            if getattr(module, "time", None) is time:
                monkeypatch.setattr(module, "time", clock)
    yield
    monkeypatch.undo()
    time.tzset()


def live(many: int = 4) -> Snapshot:
    states = ("running", "running", "proving", "unreachable")
    names = [f"node{number}" for number in range(1, many + 1)]
    cards = [
        make_card(
            name,
            state=states[place % 4] if many == 4 or not place % 9 else "running",
            is_proved=place % 4 != 2,
            detail="no route to host" if states[place % 4] == "unreachable" else "",
        )
        for place, name in enumerate(names)
    ]
    telemetry = {name: make_samples(seed=place, age_s=1.0 + 60 * (place == 3)) for place, name in enumerate(names)}
    return make_snapshot(nodes=cards, telemetry=telemetry, statuses={"ok": 148, "failed": 3}, spoilt=1)


WITHOUT_COLOR = "NO_COLOR"
PICTURES = {
    "live": (live, "2", "Events", (80, 24), themes.DARK),
    "live-no-color": (live, "2", "Events", (80, 24), WITHOUT_COLOR),
    "live-wide": (live, "2", "Events", (200, 60), themes.DARK),
    "live-64-nodes": (lambda: live(NODES), "2", "Events", (120, 40), themes.LIGHT),
    "results": (
        lambda: finished(kernels=PAPER_KERNELS, benchmarks=PAPER), "3", "verdict", (120, 40), themes.LIGHT,
    ),
    "plots": (finished, "4", "relative", (120, 40), themes.DARK),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
async def test_a_picture(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make, key, word, size, theme = PICTURES[name]
    if theme == WITHOUT_COLOR:
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)
    backend = watched(make(), table=paper_table(), chart=make_charts())
    async with at_database(backend, size) as eye:
        if theme != WITHOUT_COLOR:
            eye.app.theme = theme
        await eye.wait(lambda: eye.app.state.snapshot is not None, "the database was read")
        await eye.pilot.pause(0.3)  # it may choose a pane by itself
        await eye.press(key)
        await eye.until(word, gone=("reading", "computing"))
        await assert_same(name, eye, request, tmp_path)


async def test_a_picture_of_setup(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    async with at_campaign(screen_samples.SampleBackend(), (80, 24)) as eye:
        await eye.until("What will happen")
        await assert_same("setup", eye, request, tmp_path)


async def assert_same(name: str, eye, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    await eye.wait(lambda: eye.app.focused is not None or name == "plots", "focus")  # a plot has nothing to choose
    found: list[str] = []
    while len(found) < 4 or len(set(found[-4:])) > 1:  # until it rests
        await eye.pilot.pause(0.2)
        found.append(picture(eye))
    kept = FOLDER / f"{name}.svg"
    if request.config.getoption("--update"):
        FOLDER.mkdir(exist_ok=True)
        kept.write_text(found[-1])
        return
    if kept.read_text() != found[-1]:
        actual = tmp_path / kept.name
        actual.write_text(found[-1])
        pytest.fail(f"{actual} is not {kept}: look at both; --update takes the new one\n{eye.text}", pytrace=False)


def picture(eye) -> str:
    """Without the number that Textual gives each picture."""
    return re.sub(r"terminal-\d+", "terminal", eye.app.export_screenshot())
