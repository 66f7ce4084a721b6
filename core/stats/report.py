"""Comparisons as JSON, CSV and Markdown, and the notes that belong under every table.

JSON and CSV give every number in full (the shortest text that reads back to the same bits); only Markdown
and the screen round.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from enum import Enum
from math import floor, log10
from typing import Any

from hpcvirt.core.stats.aa import same_kernel
from hpcvirt.core.stats.model import Comparison, Correction, Flag, Method, Settings, Unit
from hpcvirt.core.text import clean_line

FIELDS = tuple(field.name for field in fields(Comparison))
"""Names of all that a comparison says, in order: the keys in JSON and the columns in CSV."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_json(comparisons: Iterable[Comparison]) -> str:
    """A list of objects. What could not be computed is null; NaN never occurs."""
    rows = [asdict(one) for one in comparisons]
    return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(comparisons: Iterable[Comparison]) -> str:
    """One line per comparison, a header first. Text that a spreadsheet would run is quoted by an apostrophe."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(FIELDS)
    for one in comparisons:
        writer.writerow([_csv_cell(getattr(one, name)) for name in FIELDS])
    return lines.getvalue()


def to_markdown(comparisons: Sequence[Comparison], notes: Sequence[str] = ()) -> str:
    """A table of rounded numbers for people, then the notes."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "|".join("---" for _ in HEADINGS) + "|"]
    lines += ["| " + " | ".join(map(_markdown_cell, row)) + " |" for row in table_cells(comparisons)]
    if notes:
        lines += ["", *(f"* {_markdown_cell(note)}" for note in notes)]
    return "\n".join(lines) + "\n"


HEADINGS = (
    "benchmark", "metric", "kernel", "n", "mean", "against", "baseline mean", "difference", "CI", "p", "p adjusted",
    "p equivalence", "verdict", "flags", "deciding CI",
)  # fmt: skip
"""Of the columns that ``table_cells`` gives."""


def table_cells(comparisons: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """Return each comparison as rounded text, in the order of ``HEADINGS``; all means in one notation."""
    means = [mean for one in comparisons for mean in (one.mean, one.mean_baseline)]
    is_plain = all(mean is None or mean == 0 or LEAST_PLAIN <= abs(mean) < MOST_PLAIN for mean in means)
    return [_cells(one, is_plain=is_plain) for one in comparisons]


def _cells(one: Comparison, *, is_plain: bool) -> tuple[str, ...]:
    unit = f" {one.unit}" if one.unit else ""
    n = f"{one.n}" if one.n == one.n_baseline else f"{one.n}/{one.n_baseline}"
    mean, baseline = (
        "–" if value is None else significant(value, is_plain=is_plain) + unit
        for value in (one.mean, one.mean_baseline)
    )
    return (
        one.benchmark,
        one.metric,
        one.kernel,
        n,
        mean,
        one.baseline,
        baseline,
        percent(one.difference_pct),
        interval(one),
        probability(one.p),
        probability(one.p_adjusted),
        probability(one.p_equivalence if one.p_equivalence_adjusted is None else one.p_equivalence_adjusted),
        verdict_text(one),
        " ".join(dict.fromkeys(flag.code for flag in one.flags)),
        deciding_interval(one),
    )


LEAST_PLAIN, MOST_PLAIN = 1e-4, 1e9
"""Numbers between these are written without an exponent."""


def significant(value: float, *, is_plain: bool = True) -> str:
    """Return a number for people: five significant digits, those before the point always in full."""
    if not is_plain:
        return f"{value:.4e}"
    decimals = 4 - floor(log10(abs(value))) if value else 0
    text = f"{value:.{max(0, decimals)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_measured(one: Comparison) -> bool:
    """Whether both kernels have values."""
    return bool(one.runs and one.runs_baseline)


def verdict_text(one: Comparison) -> str:
    """Return the verdict with its sign; a metric that is not primary gets no sign, as it is in no family."""
    if not is_measured(one):
        return "not measured"
    if one.verdict is None:
        return "interim"
    sign = f"{one.verdict.sign} " if one.primary else ""
    return f"{sign}{one.verdict}{needed(one)}"


def percent(value: float | None) -> str:
    """A signed percentage."""
    return "–" if value is None else f"{value:+.2f} %"


def interval(one: Comparison) -> str:
    """The confidence interval of the difference in percent."""
    return _interval(one.ci_low, one.ci_high)


def deciding_interval(one: Comparison) -> str:
    """The interval at the level that decided, and that level: it excludes 0 exactly where a difference is shown."""
    if one.ci_level_decision is None:
        return "–"
    return f"{_interval(one.ci_low_decision, one.ci_high_decision)} at {confidence(one.ci_level_decision)}"


def confidence(level: float) -> str:
    """A confidence level in percent, with two digits of what it leaves: ``99.94 %``."""
    digits = max(0, 1 - floor(log10(max(100 * (1 - level), 1e-12))))
    return f"{100 * level:.{digits}f}".rstrip("0").rstrip(".") + " %" if digits else f"{100 * level:.0f} %"


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "–"
    return f"[{100 * (low - 1):+.2f}, {100 * (high - 1):+.2f}]"


def probability(p: float | None) -> str:
    """A p-value for people."""
    if p is None:
        return "–"
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"


def needed(one: Comparison) -> str:
    """What would decide an inconclusive comparison: ``(+6 blocks)``."""
    if one.more is None or one.more_unit is None:
        return ""
    unit = "block" if one.more_unit is Unit.NODE_BLOCK else str(one.more_unit)
    return f" (+{one.more} {unit}{'s' * (one.more != 1)})"


def notes(
    comparisons: Sequence[Comparison], settings: Settings, same: Iterable[tuple[str, str]] = ()
) -> tuple[str, ...]:
    """What a reader must know to read the table: method, family, correction, and what cannot be told apart.

    ``same``: pairs of names for one kernel, for the A/A report.
    """
    if not comparisons:
        return ("no two kernels to compare",)
    # what could not be tested was done in no way
    tested = [one for one in comparisons if one.p is not None] or list(comparisons)
    lines = [*_ways(tested), *_family(comparisons, tested, settings)]
    lines.append(
        f"intervals are at {100 * (1 - settings.alpha):g} % each, not adjusted for the family; the deciding interval "
        "(wide table, JSON, CSV, Markdown, an opened row) is at the level that decided"
    )
    lines += _one_boot(tested)
    lines.append(f"equivalent means within ±{100 * settings.delta:g} % of the baseline")
    lines += map(str, same_kernel(comparisons, same))
    return tuple(lines)


def text_cell(text: str) -> str:
    """Text for a CSV cell: what a spreadsheet would take for a formula gets an apostrophe before it."""
    return "'" + text if text.startswith(_FORMULA) else text


def _ways(tested: Sequence[Comparison]) -> Iterator[str]:
    """What was done, and with how many comparisons where not with all."""
    ways = Counter((one.method, one.replication_unit) for one in tested)
    for (method, unit), count in ways.items():
        yield _way(method, unit) + (f" ({count} of {len(tested)} comparisons)" if len(ways) > 1 else "")


def _way(method: Method, unit: Unit) -> str:
    if method is Method.PAPER:
        return f"method paper: Welch's t-test, one value per {unit}"
    return f"method blocked: paired t-test on logarithms of boot means, one value per {unit}"


def _one_boot(tested: Sequence[Comparison]) -> Iterator[str]:
    count = sum(any(flag.code == "one-block" for flag in one.flags) for one in tested)
    if count:
        which = "" if count == len(tested) else f" in {count} of {len(tested)} comparisons (flag one-block)"
        yield f"one boot per kernel{which}: the effect of the boot cannot be separated from the kernel's"


def _family(comparisons: Sequence[Comparison], tested: Sequence[Comparison], settings: Settings) -> Iterator[str]:
    size = comparisons[0].family
    expected = settings.alpha * size
    name = {Correction.HOLM: "Holm", Correction.BH: "Benjamini-Hochberg"}.get(settings.correction)
    primary = [one for one in tested if one.primary]
    if name is None:
        yield f"family of {size} tests, not corrected: about {expected:.1f} differences are expected by chance alone"
    elif any(not one.adjusted for one in primary):
        yield f"family of {size} tests: verdicts on raw p, {expected:.1f} expected by chance; p by {name} beside"
    elif primary:
        yield f"family of {size} tests: verdicts on p adjusted by {name}"
    if name is not None and (count := len(tested) - len(primary)):
        yield f"{count} comparisons of metrics that are not primary, outside the family: verdicts on raw p"


def _csv_cell(value: Any) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, bool | Enum):
        return str(value).lower()
    if isinstance(value, int | float):
        return value
    if isinstance(value, tuple):
        return text_cell("; ".join(_flag_cell(flag) for flag in value))
    return text_cell(clean_line(str(value)))


def _flag_cell(flag: Flag) -> str:
    code = flag.code if flag.kernel is None else f"{flag.code}({clean_line(flag.kernel)})"
    return code if flag.statistic is None else f"{code}={flag.statistic!r}"


def _markdown_cell(text: str) -> str:
    safe = clean_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("\\" + c if c in "\\`*_[]|" else c for c in safe)
