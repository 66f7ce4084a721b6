"""A node's telemetry as lines of text: what it does now, how that went, and how old the news is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from textual.content import Content

from hpcvirt.core.model import Telemetry
from hpcvirt.core.store.samples import Sample
from hpcvirt.tui.phrases import brief_duration
from hpcvirt.tui.signs import CARE, MUTED
from hpcvirt.tui.widgets.lines import EMPTY, fitted, spread

BARS = "▁▂▃▄▅▆▇█"
SPARK_STYLE = "$secondary"
STALE_AFTER_S = 10.0
STALE_AFTER_SAMPLES = 3
STEAL_NOTED = 0.01
"""From this share on steal is shown as something to care about."""

LEAST_SPARK = 4
WITH_BUSY = 40
VITAL_LINES = 4
"""How many lines ``vital_lines`` gives."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """The last samples of a node, and whether they can be believed."""

    samples: tuple[Sample, ...]
    """The newest last."""
    settings: Telemetry
    now: datetime | None = None
    """None: times do not go on, nobody samples."""
    is_held: bool = False
    """A run is under way, and the campaign wants none beside it."""

    @property
    def last(self) -> Sample | None:
        """The newest."""
        return self.samples[-1] if self.samples else None

    @property
    def age_s(self) -> float | None:
        """Of the newest sample. None: there is none, or times do not go on."""
        if self.last is None or self.now is None:
            return None
        return max(0.0, self.now.timestamp() - self.last.at_ms / 1000)

    @property
    def is_stale(self) -> bool:
        """Older than it should be."""
        limit_s = max(STALE_AFTER_S, STALE_AFTER_SAMPLES * self.settings.interval_s)
        return self.age_s is not None and self.age_s > limit_s and not self.is_held

    def known(self, name: str) -> float | None:
        """The newest value there is: some are read more seldom than others."""
        values = (getattr(sample, name) for sample in reversed(self.samples))
        return next((value for value in values if value is not None), None)

    def series(self, name: str) -> list[float | None]:
        """All values of a field."""
        return [getattr(sample, name) for sample in self.samples]

    @property
    def cost(self) -> float | None:
        """Share of one core that watching the node takes there, sshd included where it is known."""
        told = [sample for sample in self.samples if sample.monitor_s is not None]
        spent_s = sum((sample.monitor_s or 0.0) + (sample.sshd_s or 0.0) for sample in told)
        time_s = sum(sample.span_s or 0.0 for sample in told)
        return spent_s / time_s if time_s else None


def spark(values: Sequence[float | None], width: int, top: float | None = None) -> str:
    """The last values as bars of eight heights. ``top``: what is full; None: the highest in sight."""
    shown = list(values)[-width:] if width > 0 else []
    highest = top or max((value for value in shown if value is not None), default=0.0)
    return "".join(_bar(value, highest) for value in shown).rjust(max(0, width))


def _bar(value: float | None, highest: float) -> str:
    if value is None:
        return " "
    return BARS[round(min(1.0, max(0.0, value / highest)) * (len(BARS) - 1))] if highest > 0 else BARS[0]


def percent(share: float | None, digits: int = 0) -> str:
    """``68 %``."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def rate(kb_s: float | None) -> str:
    """``12 kB/s``, ``1.2 MB/s``, ``3.4 GB/s``: never more than three digits."""
    if kb_s is None:
        return "–"
    for unit in ("kB/s", "MB/s", "GB/s", "TB/s"):
        if kb_s < 999.5:
            return f"{kb_s:.1f} {unit}" if kb_s < 9.95 and unit != "kB/s" else f"{kb_s:.0f} {unit}"
        kb_s /= 1000
    return ">1 PB/s"


def gib(mib: float | None) -> str:
    """MiB in GiB."""
    return "–" if mib is None else f"{mib / 1024:.1f}"


def vital_lines(vitals: Vitals, width: int) -> list[Content]:
    """CPU, memory, network, disk: a line each, with a sparkline where there is room."""
    if vitals.last is None:
        return [fitted(Content.styled("no telemetry yet", MUTED), width), *[fitted(EMPTY, width)] * (VITAL_LINES - 1)]
    whole = vitals.known("memory_mib")
    memory = f"{gib(vitals.known('memory_used_mib'))}/{gib(whole)} GiB"
    busy = [sample.busy for sample in vitals.samples]
    network = [_total(sample.received_kb_s, sample.sent_kb_s) for sample in vitals.samples]
    last = vitals.last
    return [
        _line(width, "cpu", percent(last.busy), busy, 1.0, _steal(last)),
        _line(width, "mem", memory, vitals.series("memory_used_mib"), whole, _load(vitals)),
        _line(width, "net", f"↓{rate(last.received_kb_s)}", network, None, Content(f"↑{rate(last.sent_kb_s)}")),
        _line(width, "disk", f"r {rate(last.read_kb_s)}", vitals.series("disk_busy"), 1.0, _written(last, width)),
    ]


def vital_line(vitals: Vitals, width: int) -> Content:
    """All in one line, for where there is no room."""
    last = vitals.last
    if last is None:
        return fitted(Content.styled("no telemetry yet", MUTED), width)
    used, whole = vitals.known("memory_used_mib"), vitals.known("memory_mib")
    memory = percent(None if used is None or not whole else used / whole)
    told = Content.assemble(
        ("cpu ", MUTED), percent(last.busy), (" st ", MUTED), _short_steal(last), (" mem ", MUTED), memory
    )
    age = freshness(vitals, is_brief=True)
    room = width - told.cell_length - age.cell_length - 2
    bars = spark([sample.busy for sample in vitals.samples], min(room, 24), 1.0) if room > 3 else ""
    return spread(width, Content.assemble(told, " ", (bars, SPARK_STYLE)), age)


def freshness(vitals: Vitals, *, is_brief: bool = False) -> Content:
    """How old the newest sample is; stale is said, with since when."""
    if vitals.last is None:
        return EMPTY
    at = datetime.fromtimestamp(vitals.last.at_ms / 1000, UTC).astimezone().strftime("%H:%M:%S")
    if vitals.age_s is None:
        return Content.styled(at if is_brief else f"last sampled {at}", MUTED)
    if vitals.is_stale:
        return Content.styled(f"! stale {at}" if is_brief else f"! stale: nothing since {at}", CARE)
    if vitals.is_held and vitals.age_s > STALE_AFTER_S:
        return Content.styled("held" if is_brief else f"not sampled during runs, last {at}", MUTED)
    age = brief_duration(vitals.age_s)
    return Content.styled(age if is_brief else f"sampled {age} ago", MUTED)


def cost_words(vitals: Vitals) -> str:
    """What watching the node costs it."""
    return "" if vitals.cost is None else f"costs {100 * vitals.cost:.2f} % of a core"


def _line(
    width: int, label: str, value: str, series: Sequence[float | None], top: float | None, right: Content
) -> Content:
    left = Content.assemble((f"{label:5}", MUTED), (f"{value:<9}", "bold"), " ")
    room = width - left.cell_length - right.cell_length - 1
    bars = spark(series, min(room, len(series)), top) if room >= LEAST_SPARK else ""
    return spread(width, Content.assemble(left, (bars, SPARK_STYLE)), right)


def _total(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _steal(last: Sample) -> Content:
    return Content.assemble(("steal ", MUTED), _short_steal(last))


def _short_steal(last: Sample) -> Content:
    is_noted = last.steal is not None and last.steal >= STEAL_NOTED
    return Content.styled(f"{'! ' if is_noted else ''}{percent(last.steal)}", CARE if is_noted else "")


def _load(vitals: Vitals) -> Content:
    logins = int(vitals.known("logins") or 0)
    load = vitals.known("load")
    return Content.assemble(
        (f"! {logins} logged in  " if logins else "", CARE), ("load ", MUTED), "–" if load is None else f"{load:.2f}"
    )


def _written(last: Sample, width: int) -> Content:
    busy = Content.styled(f"  {percent(last.disk_busy)}" if width >= WITH_BUSY else "", MUTED)
    return Content.assemble(f"w {rate(last.written_kb_s)}", busy)
