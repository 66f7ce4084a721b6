"""How things are said on the screen: numbers, times, names that must fit. Text in, text out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rich.cells import cell_len, set_cell_size

from hpcvirt.core.text import clean_line
from hpcvirt.tui.words import duration

LONGEST_TEXT = 1000
"""A node may send a megabyte on one line; nobody reads more than this of it on a screen."""


def safe(text: str, width: int = LONGEST_TEXT) -> str:
    """Foreign text on one line, without anything a terminal could obey."""
    return clean_line(text[: 4 * width], width)


def cut(text: str, width: int) -> str:
    """Text in at most ``width`` cells, its end left out where it does not fit."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 0 else ""


def cut_middle(text: str, width: int) -> str:
    """The same for names, which often differ at their ends only: ``native`` and ``native-again``."""
    if cell_len(text) <= width or width < 5 or cell_len(text) != len(text):
        return cut(text, width)
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[-tail:]}"


def brief_duration(seconds: float) -> str:
    """One unit only: ``42 s``, ``5 min``, ``3 h``, ``2 d``."""
    return " ".join(duration(seconds).split()[:2])


def number(value: float | None) -> str:
    """Five significant digits, which is what an eye compares; exports carry them all."""
    if value is None or value != value:
        return "–"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return _plain(value)
    return f"{value:.3e}".replace("e-0", "e-").replace("e+0", "e+")


def _plain(value: float) -> str:
    magnitude = len(str(int(abs(value))))
    return f"{value:.{max(0, 5 - magnitude)}f}"


def signed(value: float | None, digits: int = 2) -> str:
    """``+0.34``, ``−1.20``, ``+12.3``: three digits, and never a sign without a change."""
    if value is None or value != value:
        return "–"
    digits = max(0, digits - (abs(value) >= 9.995) - (abs(value) >= 99.95))
    text = f"{value:+.{digits}f}"
    return text.replace("-", "−") if text.strip("+-0.") else text[1:]


def probability(p: float | None) -> str:
    """A p-value in five characters."""
    if p is None or p != p:
        return "–"
    return "<.001" if p < 0.001 else f"{p:.3f}"


def count(many: int, noun: str) -> str:
    """``1 boot``, ``80 boots``."""
    return f"{many:,} {noun}{'' if many == 1 else 's'}".replace(",", " ")


def listing(words: Sequence[str], width: int) -> str:
    """As many of the words as fit, then how many are left."""
    for shown in range(len(words), 0, -1):
        rest = len(words) - shown
        text = ", ".join(words[:shown]) + (f" and {rest} more" if rest else "")
        if len(text) <= width:
            return text
    return cut(", ".join(words), width)


def clock(at: str) -> str:
    """Local time of day of a moment as it stands in the database."""
    moment = _moment(at)
    return "--:--:--" if moment is None else moment.astimezone().strftime("%H:%M:%S")


def seconds_since(at: str | None, now: datetime) -> float | None:
    """Age of a moment as it stands in the database."""
    moment = None if at is None else _moment(at)
    return None if moment is None else max(0.0, (now - moment).total_seconds())


def _moment(at: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def short_labels(labels: Sequence[str]) -> Mapping[str, str]:
    """Labels without the parameters they share: ``npb class=C problem=cg`` beside other problems -> ``npb cg``."""
    words = {label: label.split() or [label] for label in labels}
    plugins = Counter(plugin for plugin, *_ in words.values())
    shared = Counter((plugin, word) for plugin, *parameters in words.values() for word in set(parameters))
    found = {}
    for label, (plugin, *parameters) in words.items():
        differing = [word for word in parameters if shared[plugin, word] < plugins[plugin]]
        found[label] = " ".join([plugin, *(word.partition("=")[2] or word for word in differing)])
    return found
