"""From a campaign's numbers to plots. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median, quantiles
from typing import TYPE_CHECKING

from hpcvirt.core.store.samples import Sample
from hpcvirt.tui.kernel_styles import KernelStyle, kernel_style
from hpcvirt.tui.phrases import safe, short_labels
from hpcvirt.tui.plots.model import Kind, Mark, Picture, Track

if TYPE_CHECKING:
    # Drawing needs none of the statistics, whose import takes its time.
    from hpcvirt.core.charts import Charts, Spot

LEAST_REACH = 0.012
"""A relative axis shows at least so much around the baseline: one per cent is seen as such."""

WIDEST_DELTA = 0.03
"""Up to so much it also reaches beyond the lines of what is equivalent."""

JITTER = (0.0, 0.12, -0.12, 0.24, -0.24)
"""Values of a distribution stand beside, not on, each other."""


@dataclass(frozen=True, slots=True)
class Group:
    """Metrics that can share an axis: those of one plugin in one unit."""

    name: str
    """``stream MB/s``."""
    members: tuple[tuple[str, str], ...]
    """Benchmark and metric."""


def groups(charts: Charts) -> list[Group]:
    """In the order of the campaign."""
    found: dict[str, list[tuple[str, str]]] = {}
    for spot in charts.spots:
        members = found.setdefault(f"{spot.benchmark.split()[0]} {spot.unit}", [])
        if (spot.benchmark, spot.metric) not in members:
            members.append((spot.benchmark, spot.metric))
    return [Group(name, tuple(members)) for name, members in found.items()]


def names_of(members: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """What tells them apart: the metric where all are of one benchmark, the benchmark where all are one metric."""
    told = list(members)
    labels = short_labels(list(dict.fromkeys(benchmark for benchmark, _ in told)))
    metrics = {metric for _, metric in told}
    short = {label: text.partition(" ")[2] or text for label, text in labels.items()}
    if len(labels) == 1:
        return {(benchmark, metric): safe(metric, 24) for benchmark, metric in told}
    if len(metrics) == 1:
        return {(benchmark, metric): safe(short[benchmark], 24) for benchmark, metric in told}
    return {(benchmark, metric): safe(f"{short[benchmark]} {metric}", 24) for benchmark, metric in told}


def picture(
    kind: Kind, charts: Charts, members: Sequence[tuple[str, str]], kernels: Sequence[str], name: str = ""
) -> Picture:
    """One plot of some metrics under some kernels. ``name``: of the metrics together."""
    made = _MAKERS[kind](charts, members, kernels, safe(name, 40))
    return replace(made, title=f"{made.title} (interim: {charts.interim})") if charts.interim else made


def _relative(charts: Charts, members: Sequence[tuple[str, str]], kernels: Sequence[str], name: str) -> Picture:
    shown = [kernel for kernel in kernels if kernel != charts.baseline]
    rows = {(r.benchmark, r.metric, r.kernel): r for r in charts.rows if r.baseline == charts.baseline}
    names = names_of(members)
    tracks = []
    for number, kernel in enumerate(shown):
        marks = []
        for place, member in enumerate(members):
            row = rows.get((*member, kernel))
            if row is not None and row.difference_pct is not None:
                at = place + _beside(number, len(shown))
                ratio = 1 + row.difference_pct / 100
                marks.append(Mark(at, ratio, row.ci_low, row.ci_high, f"{member[0]} {member[1]}"))
        tracks.append(_kernel_track(charts, kernel, marks))
    return Picture(
        Kind.RELATIVE,
        f"{name} relative to {safe(charts.baseline, 40)}",
        f"ratio to {safe(charts.baseline, 24)}",
        tuple(tracks),
        tuple((float(place), names[member]) for place, member in enumerate(members)),
        value_range=_around_one(tracks, charts.delta),
        levels=(1.0, 1 - charts.delta, 1 + charts.delta),
        notes=(_interval_note(charts), f"lines at 1 and ±{100 * charts.delta:g} %"),
    )


def _absolute(charts: Charts, members: Sequence[tuple[str, str]], kernels: Sequence[str], name: str) -> Picture:
    spots = {(spot.benchmark, spot.metric, spot.kernel): spot for spot in charts.spots}
    names = names_of(members)
    tracks = []
    for number, kernel in enumerate(kernels):
        marks = []
        for place, member in enumerate(members):
            spot = spots.get((*member, kernel))
            if spot is not None and spot.mean is not None:
                at = place + _beside(number, len(kernels))
                marks.append(Mark(at, spot.mean.mean, spot.mean.low, spot.mean.high, f"{member[0]} {member[1]}"))
        tracks.append(_kernel_track(charts, kernel, marks))
    units = {spot.unit for spot in charts.spots if (spot.benchmark, spot.metric) in members}
    return Picture(
        Kind.ABSOLUTE,
        name,
        safe(", ".join(sorted(units)), 24),
        tuple(tracks),
        tuple((float(place), names[member]) for place, member in enumerate(members)),
        value_range=_padded(tracks),
        notes=(_interval_note(charts), "the axis does not begin at zero"),
    )


def _forest(charts: Charts, members: Sequence[tuple[str, str]], kernels: Sequence[str], name: str) -> Picture:
    names = names_of(members)
    rows = [
        row
        for member in members
        for row in charts.rows
        if (row.benchmark, row.metric) == member and row.kernel in kernels and row.difference_pct is not None
    ]
    tracks, places = [], []
    by_kernel: dict[str, list[Mark]] = {}
    for place, row in enumerate(rows):
        ratio = 1 + (row.difference_pct or 0.0) / 100
        label = f"{row.benchmark} {row.metric}"
        by_kernel.setdefault(row.kernel, []).append(Mark(-place, ratio, row.ci_low, row.ci_high, label))
        places.append((float(-place), names[row.benchmark, row.metric]))
    tracks = [_kernel_track(charts, kernel, by_kernel[kernel]) for kernel in kernels if kernel in by_kernel]
    return Picture(
        Kind.FOREST,
        f"{name}: every comparison",
        "ratio",
        tuple(tracks),
        tuple(places),
        value_range=_around_one(tracks, charts.delta),
        levels=(1.0, 1 - charts.delta, 1 + charts.delta),
        is_sideways=True,
        notes=(_interval_note(charts),),
    )


def _distribution(charts: Charts, members: Sequence[tuple[str, str]], kernels: Sequence[str], name: str) -> Picture:
    del name
    spots = _of_first(charts, members, kernels)
    tracks, places = [], []
    for place, spot in enumerate(spots):
        values = [
            Mark(place + JITTER[number % len(JITTER)], value, label=f"run {number + 1}")
            for number, value in enumerate(spot.values)
        ]
        tracks.append(_kernel_track(charts, spot.kernel, values))
        if len(spot.values) > 1 and not charts.is_withheld:
            low, _, high = quantiles(spot.values, n=4, method="inclusive")
            box = Mark(place + 0.4, median(spot.values), low, high, f"{safe(spot.kernel, 40)}: median, quartiles")
            tracks.append(Track(QUARTILES, (box,)))
        places.append((float(place), safe(spot.kernel, 24)))
    return Picture(
        Kind.DISTRIBUTION,
        _title(spots),
        _unit(spots),
        tuple(tracks),
        tuple(places),
        value_range=_padded(tracks),
        notes=(
            "no median and quartiles before the planned end"
            if charts.is_withheld
            else "beside each kernel its median and quartiles",
        ),
    )


QUARTILES = "quartiles"


def _order(charts: Charts, members: Sequence[tuple[str, str]], kernels: Sequence[str], name: str) -> Picture:
    del name
    spots = _of_first(charts, members, kernels)
    tracks = [
        _kernel_track(charts, spot.kernel, [Mark(n, v, label=f"run {n}") for n, v in enumerate(spot.values, 1)])
        for spot in spots
    ]
    borders: tuple[float, ...] = ()
    if spots:
        boots = spots[0].boots
        borders = tuple(n + 0.5 for n in range(1, len(boots)) if boots[n] != boots[n - 1])
    few = borders if len(borders) <= MOST_BORDERS else ()
    words = f"upright: another boot of {safe(spots[0].kernel, 24)}" if few else "each kernel's runs by themselves"
    return Picture(
        Kind.ORDER,
        _title(spots),
        _unit(spots),
        tuple(tracks),
        place_title="runs in the order of time",
        value_range=_padded(tracks),
        borders=few,
        notes=(words,),
    )


MOST_BORDERS = 24


def _telemetry(charts: Charts, members: Sequence[tuple[str, str]], kernels: Sequence[str], name: str) -> Picture:
    del members, kernels, name
    around = charts.around
    if around is None:
        return Picture(Kind.TELEMETRY, "no telemetry yet", "", ())

    def seconds(at_ms: int) -> float:
        return (at_ms - around.started_ms) / 1000

    def track(name: str, value: Callable[[Sample], float | None]) -> Track:
        told = [(seconds(sample.at_ms), value(sample)) for sample in around.samples]
        marks = tuple(Mark(at, 100 * v) for at, v in told if v is not None)
        return Track(name, marks, is_joined=True, style=TELEMETRY_STYLES[name])

    ends = [0.0] if around.ended_ms is None else [0.0, seconds(around.ended_ms)]
    title = f"{around.benchmark} run {around.run} under {around.kernel} on {around.node}"
    return Picture(
        Kind.TELEMETRY,
        safe(title, 120),
        "% of all CPUs, % of the time (disk)",
        (
            track("cpu", lambda sample: sample.busy),
            track("steal", lambda sample: sample.steal),
            track("disk", lambda sample: sample.disk_busy),
        ),
        place_title="seconds since the run began",
        value_range=(0.0, 100.0),
        borders=tuple(ends),
        notes=("upright: begin and end of the run",),
    )


_MAKERS: dict[Kind, Callable[[Charts, Sequence[tuple[str, str]], Sequence[str], str], Picture]] = {
    Kind.RELATIVE: _relative,
    Kind.ABSOLUTE: _absolute,
    Kind.FOREST: _forest,
    Kind.DISTRIBUTION: _distribution,
    Kind.ORDER: _order,
    Kind.TELEMETRY: _telemetry,
}


TELEMETRY_STYLES = {
    "cpu": KernelStyle("•", "#8f7ae5", ""),
    "steal": KernelStyle("×", "#c96a8a", ""),
    "disk": KernelStyle("+", "#7b8f3a", ""),
}
"""Not those of any kernel."""


def _kernel_track(charts: Charts, kernel: str, marks: Sequence[Mark]) -> Track:
    return Track(safe(kernel, 40), tuple(marks), style=kernel_style(kernel, charts.kernels))


def _of_first(charts: Charts, members: Sequence[tuple[str, str]], kernels: Sequence[str]) -> list[Spot]:
    """The spots of one metric: values of several cannot share an axis."""
    if not members:
        return []
    return [s for k in kernels for s in charts.spots if (s.benchmark, s.metric) == members[0] and s.kernel == k]


def _title(spots: Sequence[Spot]) -> str:
    return safe(f"{spots[0].benchmark} {spots[0].metric}", 100) if spots else ""


def _unit(spots: Sequence[Spot]) -> str:
    return safe(spots[0].unit, 24) if spots else ""


def _interval_note(charts: Charts) -> str:
    if charts.is_withheld:
        return "no intervals before the planned end"
    return f"whiskers: {100 * (1 - charts.alpha):g} % confidence, not adjusted"


def _beside(number: int, many: int) -> float:
    """Where the marks of one of several kernels stand around their place."""
    return (number - (many - 1) / 2) * min(0.22, 0.7 / max(1, many))


def _ends(tracks: Iterable[Track]) -> list[float]:
    return [
        end
        for track in tracks
        for mark in track.marks
        for end in (mark.value, mark.low, mark.high)
        if end is not None and abs(end) < float("inf")
    ]


def _around_one(tracks: Iterable[Track], delta: float) -> tuple[float, float]:
    reach = max(LEAST_REACH, delta if delta <= WIDEST_DELTA else 0)
    ends = [end for end in _ends(tracks) if 0 < end < 100]
    low, high = min([1 - reach, *ends]), max([1 + reach, *ends])
    room = 0.05 * (high - low)
    return low - room, high + room


def _padded(tracks: Iterable[Track]) -> tuple[float, float] | None:
    ends = _ends(tracks)
    if not ends:
        return None
    room = 0.06 * (max(ends) - min(ends)) or abs(ends[0]) * 0.01 or 1.0
    return min(ends) - room, max(ends) + room
