"""Comparisons as JSON, CSV and Markdown, and the notes that belong under every table.

JSON and CSV give every number in full (the shortest text that reads back to the same bits); only Markdown
and the screen round.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from enum import Enum
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
    lines += ["| " + " | ".join(_markdown_cell(cell) for cell in cells(one)) + " |" for one in comparisons]
    if notes:
        lines += ["", *(f"* {_markdown_cell(note)}" for note in notes)]
    return "\n".join(lines) + "\n"


HEADINGS = (
    "benchmark", "metric", "kernel", "n", "mean", "against", "mean", "difference", "CI", "p", "p adjusted",
    "p equivalence", "verdict", "flags",
)  # fmt: skip
"""Of the columns that ``cells`` gives."""


def cells(one: Comparison) -> tuple[str, ...]:
    """One comparison as rounded text, in the order of ``HEADINGS``."""
    unit = f" {one.unit}" if one.unit else ""
    n = f"{one.n}" if one.n == one.n_baseline else f"{one.n}/{one.n_baseline}"
    return (
        one.benchmark,
        one.metric,
        one.kernel,
        n,
        significant(one.mean) + unit,
        one.baseline,
        significant(one.mean_baseline) + unit,
        percent(one.difference_pct),
        interval(one),
        probability(one.p),
        probability(one.p_adjusted),
        probability(one.p_equivalence if one.p_equivalence_adjusted is None else one.p_equivalence_adjusted),
        f"{one.verdict.sign} {one.verdict}{needed(one)}",
        " ".join(dict.fromkeys(flag.code for flag in one.flags)),
    )


def significant(value: float | None, digits: int = 5) -> str:
    """A number for people: at most ``digits`` significant digits."""
    return "–" if value is None else f"{value:.{digits}g}"


def percent(value: float | None) -> str:
    """A signed percentage."""
    return "–" if value is None else f"{value:+.2f} %"


def interval(one: Comparison) -> str:
    """The confidence interval of the difference in percent."""
    if one.ci_low is None or one.ci_high is None:
        return "–"
    return f"[{100 * (one.ci_low - 1):+.2f}, {100 * (one.ci_high - 1):+.2f}]"


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
    ways = dict.fromkeys((one.method, one.replication_unit) for one in comparisons)
    lines = [_way(method, unit) for method, unit in ways]
    lines.append(_family(comparisons, settings))
    lines.append(f"intervals are at {100 * (1 - settings.alpha):g} % each, not adjusted for the family")
    if settings.method is not Method.PAPER and (Method.PAPER, Unit.BOOT) in ways:
        lines.append("no blocks, but boots: Welch's t-test on boot means")
    if settings.method is not Method.PAPER and (Method.PAPER, Unit.RUN) in ways:
        lines.append("one block, so method paper: what the boot did and what the kernel does cannot be told apart")
    lines.append(f"equivalent means within ±{100 * settings.delta:g} % of the baseline")
    lines += map(str, same_kernel(comparisons, same))
    return tuple(lines)


def text_cell(text: str) -> str:
    """Text for a CSV cell: what a spreadsheet would take for a formula gets an apostrophe before it."""
    return "'" + text if text.startswith(_FORMULA) else text


def _way(method: Method, unit: Unit) -> str:
    if method is Method.PAPER:
        return f"method paper: Welch's t-test, one value per {unit}"
    return f"method blocked: paired t-test on logarithms of boot means, one value per {unit}"


def _family(comparisons: Sequence[Comparison], settings: Settings) -> str:
    size = comparisons[0].family
    raw = any(one.method is Method.PAPER for one in comparisons)
    expected = settings.alpha * size
    if settings.correction is Correction.NONE:
        return f"family of {size} tests, not corrected: about {expected:.1f} differences are expected by chance alone"
    name = {Correction.HOLM: "Holm", Correction.BH: "Benjamini-Hochberg"}[settings.correction]
    if raw:
        return f"family of {size} tests: verdicts on raw p, {expected:.1f} expected by chance; p by {name} beside"
    return f"family of {size} tests: verdicts on p adjusted by {name}"


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
