"""A plot as data: what is drawn, saved and written as CSV is the same."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from hpcvirt.tui.kernel_styles import KernelStyle


class Kind(Enum):
    """What can be plotted."""

    RELATIVE = "relative"
    """The paper's figures 2 and 3a: ratio to the baseline."""
    ABSOLUTE = "absolute"
    """Its figures 1 and 3b: means in the metric's unit."""
    FOREST = "forest"
    DISTRIBUTION = "distribution"
    ORDER = "run order"
    TELEMETRY = "telemetry"


@dataclass(frozen=True, slots=True)
class Mark:
    """One value, with its interval where it has one."""

    at: float
    """Place on the axis that is not the value's."""
    value: float
    low: float | None = None
    high: float | None = None
    label: str = ""
    """What it is of; for CSV."""


@dataclass(frozen=True, slots=True)
class Track:
    """Marks of one kind, in one colour and with one sign."""

    name: str
    marks: tuple[Mark, ...]
    is_joined: bool = False
    """A line from mark to mark."""
    style: KernelStyle | None = None
    """None: it only goes with another track, without colour and legend."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One plot."""

    kind: Kind
    title: str
    value_title: str
    tracks: tuple[Track, ...]
    places: tuple[tuple[float, str], ...] = ()
    """Named places on the other axis. Empty: it is numbered."""
    place_title: str = ""
    value_range: tuple[float, float] | None = None
    levels: tuple[float, ...] = ()
    """Values to compare with, drawn across."""
    borders: tuple[float, ...] = ()
    """Places where something begins or ends."""
    is_sideways: bool = False
    """Values go to the right, places down."""
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing to draw."""
        return not any(track.marks for track in self.tracks)

    def rows(self) -> Iterator[tuple[object, ...]]:
        """The numbers, as ``COLUMNS``."""
        for track in self.tracks:
            for mark in track.marks:
                yield self.kind.value, self.title, track.name, mark.label or mark.at, mark.value, mark.low, mark.high


COLUMNS = ("plot", "title", "series", "of", "value", "low", "high")


def nice_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """Round numbers from ``low`` to ``high``, about so many: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    # Below that there is no room for round numbers among those that a computer can tell apart.
    least = max(sys.float_info.min / sys.float_info.epsilon, 1e4 * math.ulp(max(abs(low), abs(high))))
    if not least < span < math.inf:
        return (low,)
    power = 10.0 ** math.floor(math.log10(span / max(1, most)))
    step = next(
        step for step in (power, 2 * power, 5 * power, 10 * power, 20 * power) if span / step <= max(1, most - 1)
    )
    first, last = math.ceil(low / step), math.floor(high / step)
    return tuple(place * step for place in range(first, last + 1)) or (low,)
