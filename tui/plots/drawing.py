"""The only module that knows plotext, which holds one figure for the whole process and takes its time to import."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass

import plotext
from rich.console import Console
from rich.text import Text

from hpcvirt.tui.phrases import cut
from hpcvirt.tui.plots.model import Mark, Picture, Track, nice_ticks
from hpcvirt.tui.plots.pictures import QUARTILES

_LOCK = threading.Lock()

SIGNS = ("●", "○", "◆", "◇", "■", "□", "▲", "△")
"""One for each track, so that none is told by its colour alone."""

COLORS = ("blue+", "orange", "green+", "magenta+", "cyan", "red+", "gold", "gray")
SAVED_SIZE = (110, 32)
LEAST_SIZE = (20, 8)


@dataclass(frozen=True, slots=True)
class Look:
    """Of one drawing."""

    width: int
    height: int
    has_color: bool = True


def draw(picture: Picture, look: Look) -> Text:
    """The plot under its title and legend, of ``look.height`` lines where there are enough of them."""
    head = [_fitted(Text.assemble((picture.title, "bold"), f"  {picture.value_title}"), look), _legend(picture, look)]
    width, height = max(LEAST_SIZE[0], look.width), max(LEAST_SIZE[1], look.height - len(head))
    with _LOCK:
        plotext.clear_figure()
        plotext.limit_size(False, False)
        plotext.plot_size(width, height)
        plotext.theme("clear")
        _axes(picture, width, height)
        _helpers(picture)
        for number, track in enumerate(_without_box(picture)):
            _track(picture, track, SIGNS[number % len(SIGNS)], COLORS[number % len(COLORS)] if look.has_color else None)
        for track in picture.tracks:
            if track.name == QUARTILES:
                _track(picture, track, "┿", None)
        drawn = plotext.build()
    plot = Text.from_ansi(drawn.rstrip("\n"))
    return Text("\n").join([*head, *plot.split("\n")])


def _fitted(text: Text, look: Look) -> Text:
    text.truncate(look.width, overflow="ellipsis")
    return text


def _without_box(picture: Picture) -> list[Track]:
    return [track for track in picture.tracks if track.name != QUARTILES]


def _legend(picture: Picture, look: Look) -> Text:
    """Above the plot: plotext's own covers data."""
    parts = []
    for number, track in enumerate(_without_box(picture)):
        color = _RICH[number % len(_RICH)] if look.has_color else ""
        parts.append(Text.assemble((SIGNS[number % len(SIGNS)], color), f" {track.name}"))
    return _fitted(Text("   ").join(parts), look)


_RICH = ("bright_blue", "dark_orange", "bright_green", "bright_magenta", "cyan", "bright_red", "gold3", "grey62")


def _axes(picture: Picture, width: int, height: int) -> None:
    places = [at for at, _ in picture.places]
    room = max(4, (width - 14) // max(1, len(places)) - 1)
    names = [cut(name, 24 if picture.is_sideways else room) for _, name in picture.places]
    put_places, put_values = (
        (plotext.yticks, plotext.xticks) if picture.is_sideways else (plotext.xticks, plotext.yticks)
    )
    limit_places, limit_values = (plotext.ylim, plotext.xlim) if picture.is_sideways else (plotext.xlim, plotext.ylim)
    if places:
        put_places(places, names)
        limit_places(min(places) - 0.5, max(places) + 0.5)
    elif marks := [mark.at for track in picture.tracks for mark in track.marks]:
        first, last = min(marks), max(marks)
        put_places(list(nice_ticks(first, last, width // 12)))
        margin = 0.01 * (last - first) or 0.5
        limit_places(first - margin, last + margin)
    if picture.value_range is not None:
        low, high = picture.value_range
        most = max(2, width // 12 if picture.is_sideways else max(min(6, height // 2), height // 3 + 1))
        ticks = nice_ticks(low, high, most)
        put_values(list(ticks), [_number(tick, ticks) for tick in ticks])
        limit_values(low, high)
    if not picture.is_sideways:
        plotext.xlabel(picture.place_title)


def _number(tick: float, ticks: tuple[float, ...]) -> str:
    """As many decimals as tell neighbours apart."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else abs(tick) or 1.0
    decimals = 0
    while decimals < 9 and round(step, decimals) != round(step, 9):
        decimals += 1
    return f"{tick:.{decimals}f}"


def _helpers(picture: Picture) -> None:
    """Lines to compare with."""
    low, high = picture.value_range or (float("-inf"), float("inf"))
    for level in picture.levels:
        if low <= level <= high:
            (plotext.vline if picture.is_sideways else plotext.hline)(level, "gray")
    for border in picture.borders:
        plotext.vline(border, "gray")


def _track(picture: Picture, track: Track, sign: str, color: str | None) -> None:
    for mark in track.marks:
        _whisker(picture, mark, color)
    at, values = [mark.at for mark in track.marks], [mark.value for mark in track.marks]
    if not at:
        return
    xs, ys = (values, at) if picture.is_sideways else (at, values)
    if track.is_joined and len(xs) > 1:
        plotext.plot(xs, ys, marker="braille", color=color)
    plotext.scatter(xs, ys, marker=sign, color=color)


def _whisker(picture: Picture, mark: Mark, color: str | None) -> None:
    if mark.low is None or mark.high is None:
        return
    if picture.is_sideways:
        plotext.plot([mark.low, mark.high], [mark.at, mark.at], marker="─", color=color)
        plotext.scatter([mark.low], [mark.at], marker="├", color=color)
        plotext.scatter([mark.high], [mark.at], marker="┤", color=color)
    else:
        plotext.plot([mark.at, mark.at], [mark.low, mark.high], marker="│", color=color)
        plotext.scatter([mark.at], [mark.low], marker="┴", color=color)
        plotext.scatter([mark.at], [mark.high], marker="┬", color=color)


def as_text(picture: Picture) -> str:
    """For a file: no colours."""
    drawn = draw(picture, Look(*SAVED_SIZE, has_color=False))
    return "\n".join(line.rstrip() for line in [*drawn.plain.split("\n"), *picture.notes]) + "\n"


def as_svg(picture: Picture) -> str:
    """For a page."""
    width, height = SAVED_SIZE
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(draw(picture, Look(width, height)), no_wrap=True, crop=True)
    for note in picture.notes:
        console.print(Text(note, "grey62"))
    return console.export_svg(title=picture.title)
