"""Plots: the same numbers drawn, saved and written; nothing hidden by the axis, nothing obeyed by the terminal."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.tui.plots.drawing import Look, as_svg, as_text, draw
from hpcvirt.tui.plots.model import COLUMNS, Kind, nice_ticks
from hpcvirt.tui.plots.pictures import groups, picture
from hpcvirt.tui.plots.saving import save
from tests.tui.screen_samples import (
    DATABASE,
    HOSTILE,
    PAPER_KERNELS,
    finished,
    make_charts,
    make_snapshot,
    watched,
)
from tests.tui.seeing import SIZES, at_database
from tests.tui.test_hostile import assert_harmless


def made(kind: Kind, **told: object):
    charts = make_charts(**told)  # type: ignore[arg-type]
    group = groups(charts)[0]
    return picture(kind, charts, group.members, charts.kernels, group.name)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(("width", "height"), [(30, 10), (78, 19), (198, 54)])
def test_a_plot_fills_its_room(kind: Kind, width: int, height: int) -> None:
    shown = made(kind, kernels=PAPER_KERNELS)
    lines = draw(shown, Look(width, height)).split("\n")
    assert len(lines) == height
    assert all(line.cell_len <= width for line in lines)
    first = next(track for track in shown.tracks if track.marks)
    assert first.style is not None
    assert any(first.style.sign in line.plain for line in lines[2:])


def test_one_per_cent_is_seen() -> None:
    shown = made(Kind.RELATIVE)
    assert shown.value_range is not None
    low, high = shown.value_range
    assert low < 0.988 < 1.012 < high < 1.1
    text = draw(shown, Look(78, 19, has_color=False)).plain
    assert "0.99" in text
    rows = [line for line in text.splitlines() if "○" in line][1:]
    baseline = next(line for line in text.splitlines() if line.startswith("1.00"))
    assert rows
    assert baseline not in rows
    assert "┬" in text
    assert "┴" in text


def test_whiskers_end_where_the_interval_does() -> None:
    shown = made(Kind.RELATIVE)
    (track,) = shown.tracks
    assert [(mark.value, mark.low, mark.high) for mark in track.marks] == [(0.99, 0.986, 0.994)] * 2
    assert shown.levels == (1.0, 0.98, 1.02)


@pytest.mark.parametrize("kind", [Kind.RELATIVE, Kind.FOREST])
def test_the_lines_of_what_is_equivalent_are_in_sight(kind: Kind) -> None:
    shown = made(kind)
    assert shown.value_range is not None
    low, high = shown.value_range
    assert low < min(shown.levels) < max(shown.levels) < high
    absolute = made(Kind.ABSOLUTE)
    assert [track.name for track in absolute.tracks] == ["native", "native-again"]
    assert (absolute.tracks[0].marks[0].low, absolute.tracks[0].marks[0].high) == (11975, 12025)


def test_quartiles_are_our_own() -> None:
    charts = make_charts()
    values = tuple(float(n) for n in range(1, 101))
    charts = replace(charts, spots=(replace(charts.spots[0], values=values, boots=(0,) * 100),))
    shown = picture(Kind.DISTRIBUTION, charts, groups(charts)[0].members, charts.kernels)
    (box,) = [mark for track in shown.tracks if track.name == "quartiles" for mark in track.marks]
    assert (box.low, box.value, box.high) == (25.75, 50.5, 75.25)


def test_what_is_saved_holds_the_same_numbers(tmp_path: Path) -> None:
    shown = made(Kind.RELATIVE, kernels=("base", "=cmd()"))
    files = save(shown, tmp_path / "plot")
    assert [file.name for file in files] == ["plot.svg", "plot.txt", "plot.csv"]
    table = list(csv.DictReader((tmp_path / "plot.csv").open(newline="")))
    assert tuple(table[0]) == COLUMNS
    assert [(float(row["value"]), float(row["low"]), float(row["high"])) for row in table] == [(0.99, 0.986, 0.994)] * 2
    assert table[0]["series"] == "'=cmd()"
    assert "○" in (tmp_path / "plot.txt").read_text()
    assert "\x1b" not in (tmp_path / "plot.txt").read_text()
    ElementTree.parse(tmp_path / "plot.svg")
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    with pytest.raises(StoreUnusable):
        save(shown, tmp_path / "none" / "plot")


@given(st.floats(-1e12, 1e12), st.floats(0, 1e12), st.integers(1, 30))
@example(122244824876.0, 0.0001, 7)
def test_ticks_are_within(low: float, span: float, most: int) -> None:
    ticks = nice_ticks(low, low + span, most)
    assert 1 <= len(ticks) <= most + 2
    assert len(ticks) == 1 or all(low - 1e-3 * span <= tick <= low + span * 1.001 for tick in ticks)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
def test_hostile_names_are_drawn_as_text(kind: Kind, text: str) -> None:
    shown = made(kind, kernels=(text, f"{text}2"), metrics=(text, "x"), label=text, unit=text)
    drawn = draw(shown, Look(78, 19)).plain
    assert not set(drawn) & {chr(n) for n in (*range(10), *range(11, 32), *range(127, 160))}
    assert "\u202e" not in drawn
    ElementTree.fromstring(as_svg(shown))
    assert as_text(shown)


@pytest.mark.parametrize("values", [(5.0,), (5.0, 5.0, 5.0), (0.0, 0.0), (-1.0, 1e300), (1e-300, 2e-300)])
@pytest.mark.parametrize("kind", Kind)
def test_odd_values_are_drawn(kind: Kind, values: tuple[float, ...]) -> None:
    charts = make_charts()
    spots = tuple(replace(spot, values=values, boots=(1,) * len(values), mean=None) for spot in charts.spots)
    charts = replace(charts, spots=spots, rows=(), around=None)
    shown = picture(kind, charts, groups(charts)[0].members, charts.kernels)
    assert shown.is_empty or draw(shown, Look(60, 16)).plain


# -- the pane


@pytest.mark.parametrize("size", SIZES)
async def test_every_view(size: tuple[int, int]) -> None:
    async with at_database(watched(finished()), size) as eye:
        await eye.until("✓ finished")
        await eye.press("4")
        await eye.until("relative to native", "○ native-again", "copy", "triad", "not adjusted", "v View")
        for word in (
            "the axis does not begin at zero",
            "every comparison",
            "median and quartiles",
            "order of time",
            "upright",
        ):
            await eye.press("v")
            await eye.until(word)
        await eye.press("V")
        await eye.until("runs in the order of time")
        await eye.press("m")
        await eye.until("triad", "(2 of 2)")


async def test_before_the_end_plots_are_interim_and_a_look_is_asked_about() -> None:
    backend = watched(make_snapshot(), chart=replace(make_charts(), interim="148 of 400 runs", is_withheld=True))
    async with at_database(backend) as eye:
        await eye.press("4")
        text = await eye.until(
            "(interim: 148 of 400 runs)", "INTERIM: 148 of 400", "no intervals before the planned end"
        )
        assert "not adjusted" not in text
        assert backend.looks == 0
        await eye.press("P")
        await eye.until("Show as if final?")
        await eye.press("y")
        await eye.until("as if final: a recorded look")
        assert backend.looks == 1
        await eye.press("P")
        await eye.until("INTERIM: 148 of 400", gone=("as if final",))


async def test_plots_follow_the_end_of_a_campaign_and_its_extension() -> None:
    """The last run may be given up: then no further run is ok."""
    final = make_charts()
    interim = replace(final, interim="399 of 400 runs", is_withheld=True)
    backend = watched(make_snapshot(ok=399), chart=interim)
    async with at_database(backend) as eye:
        await eye.press("4")
        await eye.until("(interim: 399 of 400 runs)", "no intervals before the planned end")
        backend.chart = final
        backend.snapshots[DATABASE] = finished(ok=399, given_up=1)
        await eye.until("not adjusted", gone=("interim", "INTERIM"))
        backend.chart = replace(interim, interim="399 of 480 runs")
        backend.snapshots[DATABASE] = make_snapshot(ok=399, planned=480)
        await eye.until("(interim: 399 of 480 runs)", gone=("not adjusted",))
        assert backend.looks == 0


async def test_kernels_and_metrics_are_chosen() -> None:
    async with at_database(watched(finished(), chart=make_charts(PAPER_KERNELS))) as eye:
        await eye.until("✓ finished")
        await eye.press("4")
        await eye.until("○ rhel4-2.6.9", "all kernels")
        await eye.press("c")
        await eye.until("What is drawn")
        await eye.press("down", "space", "enter")
        await eye.until("chaos, rhel4-2.6.12, xen-3.0.1", gone=("○ rhel4-2.6.9",))
        await eye.press("c", "tab", "space", "enter")
        await eye.until(gone=("copy",))
        await eye.press("c", "escape")
        await eye.until("triad")


async def test_it_is_saved_beside_the_database() -> None:
    async with at_database(watched(finished())) as eye:
        await eye.until("✓ finished")
        await eye.press("4")
        await eye.until("○ native-again")
        await eye.press("w")
        await eye.until("written: ")
        ((shown, stem),) = eye.backend.saved
        assert shown.kind is Kind.RELATIVE
        assert str(stem).startswith("/data/local-lab-20250101T120000Z-relative-stream")


async def test_before_any_run_and_when_it_cannot_be_read() -> None:
    empty = replace(make_charts(), spots=(), rows=(), around=None)
    async with at_database(watched(make_snapshot(ok=0), chart=empty)) as eye:
        await eye.until("0/400 runs")
        await eye.press("4")
        await eye.until("No run has ended ok yet")
    async with at_database(watched(finished(), chart=StoreUnusable("[/] broken"))) as eye:
        await eye.until("✓ finished")
        await eye.press("4")
        await eye.until("cannot be drawn: [/] broken")
        await eye.press("v", "m", "c", "w")


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
async def test_hostile_names_in_the_pane(text: str) -> None:
    charts = make_charts((text, f"{text}2"), (text, "x"), text, text)
    async with at_database(watched(finished(), chart=charts)) as eye:
        await eye.until("✓ finished")
        await eye.press("4")
        await eye.until("not adjusted")
        assert_harmless(eye.app)
        await eye.press("c")
        await eye.until("What is drawn")
        assert_harmless(eye.app)


def test_plotext_is_imported_by_nothing_else() -> None:
    """The first paint is measured."""
    words = (
        "import sys, hpcvirt.tui.app, hpcvirt.tui.screens.plots; sys.exit(bool({'plotext', 'scipy'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", words]).returncode == 0
