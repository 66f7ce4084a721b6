"""The only module that knows plotext, which holds one figure for the whole process and takes its time to import."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import plotext
from rich.text import Text

from hpcvirt.tui.phrases import cut
from hpcvirt.tui.plots.model import Mark, Picture, Track, nice_ticks
from hpcvirt.tui.plots.svg import svg

_LOCK = threading.Lock()

SAVED_SIZE = (110, 32)
LEAST_SIZE = (20, 8)
BOX_SIGN = "┿"
Rgb = tuple[int, int, int]


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
        for track in sorted(picture.tracks, key=lambda track: track.style is None):
            _track(picture, track, look)
        drawn = plotext.build()
    plot = Text.from_ansi(drawn.rstrip("\n"))
    return Text("\n").join([*head, *plot.split("\n")])


def _fitted(text: Text, look: Look) -> Text:
    text.truncate(look.width, overflow="ellipsis")
    return text


def _legend(picture: Picture, look: Look) -> Text:
    """Above the plot: plotext's own covers data."""
    parts = [
        Text.assemble((track.style.sign, track.style.color if look.has_color else ""), f" {track.name}")
        for track in picture.tracks
        if track.style is not None
    ]
    return _fitted(Text("   ").join(parts), look)


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


def _track(picture: Picture, track: Track, look: Look) -> None:
    color = _rgb(track.style.color) if track.style is not None and look.has_color else None
    sign = BOX_SIGN if track.style is None else track.style.sign
    for mark in track.marks:
        _whisker(picture, mark, color)
    at, values = [mark.at for mark in track.marks], [mark.value for mark in track.marks]
    if not at:
        return
    xs, ys = (values, at) if picture.is_sideways else (at, values)
    if track.is_joined and len(xs) > 1:
        plotext.plot(xs, ys, marker="braille", color=color)
    plotext.scatter(xs, ys, marker=sign, color=color)


def _rgb(color: str) -> Rgb:
    """As plotext wants it."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _whisker(picture: Picture, mark: Mark, color: Rgb | None) -> None:
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
    lines = draw(picture, Look(*SAVED_SIZE)).split("\n")
    return svg([*lines, *(Text(note, "grey50") for note in picture.notes)], SAVED_SIZE[0], picture.title)
