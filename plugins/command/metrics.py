"""The operator's own metrics: what a line of the parameter ``metrics`` says, and how its value is found.

    NAME UNIT higher|lower regex FILE PATTERN [reduce=HOW]     the pattern's first group, at each match
    NAME UNIT higher|lower json  FILE PATH    [reduce=HOW]     keys and indices with dots between: results.0.latency
    NAME UNIT higher|lower csv   FILE COLUMN  [reduce=HOW]     by its header, or by its number from 1; in each row

FILE is ``stdout``, ``stderr`` or one of the files that are fetched. Words are parted as a shell does it. HOW makes one
number of several: last (if not said), first, max, min, mean or sum. The word ``exact`` at the end says that the values
have no error, as counts and bytes. No number is taken where it may be another one: half of what was printed, a row
before one that is cut, or 1,234 from nobody knows which locale.
"""

from __future__ import annotations

import csv
import io
import math
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from hpcvirt.core.benchmark import Metric, Output
from hpcvirt.core.model import Better
from hpcvirt.core.text import clean_line
from hpcvirt.plugins.command.json_values import JsonUnclear, values_at
from hpcvirt.plugins.reading import number, unfinished_line, whole_lines

WORDS = 6
EXACT = "exact"
KINDS = ("regex", "json", "csv")
REDUCTIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "last": lambda values: values[-1],
    "first": lambda values: values[0],
    "max": max,
    "min": min,
    "mean": fmean,
    "sum": math.fsum,
}
_READ = {"last": slice(-1, None), "first": slice(1)}
"""Which matches must be numbers; all where the others do not count either way."""
_REDUCE = "reduce="
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,60}")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_GOES_ON = re.compile(r"\d|[.,'\u2019_\u00a0\u202f]\d|[eEdD][+-]?\d", re.ASCII)
_HAS_BEGUN = re.compile(r"(?:\d(?:[.,'\u2019_\u00a0\u202f]|[eEdD][+-]?)?|(?<!\w)[-\u2212])\Z", re.ASCII)
"""A sign is the number's where no word stands before it: not that of ``run-3`` or ``2006-03``."""
UNFINISHED = "its last line has no end"
DECIMALS = (".", ",")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One metric and where its value is."""

    metric: Metric
    kind: str
    file: str
    selector: str
    reduction: str = "last"


class MetricWrong(ValueError):
    """A line of ``metrics`` cannot be read."""


def wanted(text: str) -> tuple[Wanted, ...]:
    """Every line's. Raises MetricWrong."""
    found = tuple(_line(line) for line in text.splitlines() if line.strip())
    names = [one.metric.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise MetricWrong(f"{name} is there more than once")
    return found


def _line(line: str) -> Wanted:
    try:
        words = shlex.split(line)
    except ValueError as error:  # an unbalanced quote
        raise MetricWrong(f"{line!r}: {error}") from error
    options = words[WORDS:]
    is_exact = EXACT in options[-1:]
    reductions = options[:-1] if is_exact else options
    if len(words) < WORDS or len(reductions) > 1 or not all(word.startswith(_REDUCE) for word in reductions):
        raise MetricWrong(f"{line!r}: not NAME UNIT higher|lower regex|json|csv FILE WHAT [reduce=HOW] [{EXACT}]")
    name, unit, better, kind, file, selector = words[:WORDS]
    if not _NAME.fullmatch(name):
        raise MetricWrong(f"{name!r} is no name: use letters, digits and _")
    if better not in set(Better) or kind not in KINDS:
        raise MetricWrong(f"{line!r}: {better!r} is not higher or lower, or {kind!r} is not one of {', '.join(KINDS)}")
    if kind == "regex":
        _pattern(selector)
    metric = Metric(name, unit, Better(better), primary=True, exact=is_exact)
    return Wanted(metric, kind, file, selector, *map(_reduction, reductions))


def _reduction(word: str) -> str:
    how = word.removeprefix(_REDUCE)
    if how not in REDUCTIONS:
        raise MetricWrong(f"{word!r}: reduce is one of {', '.join(REDUCTIONS)}")
    return how


def _pattern(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text, re.MULTILINE)
    except re.error as error:
        raise MetricWrong(f"{text!r} is no regular expression: {error}") from error
    if pattern.groups < 1:
        raise MetricWrong(f"{text!r} has no group (...) around the number")
    return pattern


class NoNumber(ValueError):
    """There is none, or nobody can say which; its words say why, where there is more to say."""


def value(one: Wanted, output: Output, decimal: str = "") -> float:
    """The metric's value in an output. Raises NoNumber. ``decimal``: the sign before decimals; empty: not told."""
    content = content_of(one.file, output)
    if content is None:
        raise NoNumber
    matches = _MATCHES[one.kind](content, one)
    if not matches:
        raise NoNumber
    read = [_value(match, decimal) for match in matches[_READ.get(one.reduction, slice(None))]]
    try:
        return _finite(REDUCTIONS[one.reduction](read))
    except OverflowError as error:
        raise NoNumber from error


def content_of(file: str, output: Output) -> bytes | None:
    """Of stdout, stderr or a fetched file."""
    streams = {"stdout": output.stdout, "stderr": output.stderr}
    return streams[file] if file in streams else output.files.get(file)


def _regex(content: bytes, spec: Wanted) -> Sequence[Any]:
    """Every match of the pattern in whole lines."""
    pattern, rest = _pattern(spec.selector), unfinished_line(content)
    if pattern.search(rest) or (rest.strip() and spec.reduction not in _READ):
        raise NoNumber(UNFINISHED)
    return list(pattern.finditer("".join(f"{line}\n" for line in whole_lines(content))))


def _group(match: re.Match[str]) -> str:
    """The number in a match. Raises NoNumber if it goes on outside of the group."""
    text, printed = match.string, match[1]
    if printed is None:
        raise NoNumber
    start, end = match.span(1)
    if _HAS_BEGUN.search(text[max(start - 3, 0) : start]) or _GOES_ON.match(text, end):
        line = text[text.rfind("\n", 0, start) + 1 : text.index("\n", max(end - 1, start))]
        raise NoNumber(f"{printed!r} is a part of a longer number in {clean_line(line, 60)!r}")
    return printed


def _json(content: bytes, spec: Wanted) -> Sequence[Any]:
    """What stands at the path, in each JSON text of the content."""
    try:
        return values_at(content, spec.selector)
    except JsonUnclear as error:
        raise NoNumber(str(error)) from error


def _value(match: Any, decimal: str) -> float:
    if isinstance(match, re.Match):
        match = _group(match)
    if isinstance(match, str):
        return _number(match, decimal)
    if isinstance(match, bool) or not isinstance(match, int | float):
        raise NoNumber
    return _finite(match)


def _csv(content: bytes, spec: Wanted) -> Sequence[Any]:
    """The column's cells, from the first row that has a number there; every row that counts must be like the last."""
    if unfinished_line(content).strip():
        raise NoNumber(UNFINISHED)
    text = "\n".join(whole_lines(content))
    try:
        rows = list(csv.reader(io.StringIO(text)))
    except csv.Error as error:
        raise NoNumber from error
    at = _column(rows, spec.selector)
    *before, last = rows
    alike = [row for row in before if _has_number(row, at)]
    has_header = not spec.selector.isdigit() or spec.selector in _words(rows[0])
    if (has_header and len(last) != len(rows[0])) or (alike and not _is_like(last, alike[-1])) or at >= len(last):
        raise NoNumber("the last row is not like those before it")
    counted = _rows_that_count(rows, at, has_header=has_header)
    if spec.reduction not in _READ and not all(_is_like(row, last) for row in counted):
        raise NoNumber("not every row is like the last one")
    return [row[at] for row in counted if at < len(row)]


def _rows_that_count(rows: Sequence[Sequence[str]], at: int, *, has_header: bool) -> Sequence[Sequence[str]]:
    """Those behind the header; without one, from the first that has a number there."""
    first = 1 if has_header else next((i for i, row in enumerate(rows) if _has_number(row, at)), len(rows) - 1)
    return rows[first:]


def _column(rows: Sequence[Sequence[str]], selector: str) -> int:
    """By its header, else by its number."""
    if len(rows) > 1 and selector in (header := _words(rows[0])):
        return header.index(selector)
    if rows and selector.isascii() and selector.isdigit() and int(selector) >= 1:
        return int(selector) - 1
    raise NoNumber


def _words(row: Sequence[str]) -> list[str]:
    return [word.strip() for word in row]


def _has_number(row: Sequence[str], at: int) -> bool:
    return at < len(row) and _is_number(row[at])


def _is_like(row: Sequence[str], other: Sequence[str]) -> bool:
    """As many fields, and numbers where the other has them: a message may have commas too."""
    return len(row) == len(other) and all(_is_number(a) or not _is_number(b) for a, b in zip(row, other, strict=True))


def _is_number(word: str) -> bool:
    return number(word.strip().replace(",", ".")) is not None


def _number(word: str, decimal: str) -> float:
    """A finite number."""
    text = word.strip()
    found = number(_with_point(text, decimal) if decimal else _guessed(text))
    if found is None:
        raise NoNumber
    return _finite(found)


def _with_point(text: str, decimal: str) -> str:
    """As the operator said decimals are written; the other sign parts thousands."""
    other = "," if decimal == "." else "."
    whole, sign, rest = text.partition(decimal)
    if other in whole and re.fullmatch(rf"[+-]?\d{{1,3}}(?:{re.escape(other)}\d{{3}})+", whole, re.ASCII):
        whole = whole.replace(other, "")
    if other in whole:
        raise NoNumber(f"{clean_line(text, 40)!r} is not written with the decimal sign {decimal!r}")
    return f"{whole}.{rest}" if sign else whole


def _guessed(text: str) -> str:
    """A comma counts as a decimal sign where it can be nothing else."""
    if _EITHER.fullmatch(text):
        raise NoNumber(f"{text!r} may have decimals or thousands: set the parameter `decimal`")
    return text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text


def _finite(found: float) -> float:
    try:
        is_finite = math.isfinite(found)
    except OverflowError as error:  # an integer of JSON may have any length
        raise NoNumber from error
    if not is_finite:
        raise NoNumber
    return float(found)


_MATCHES: Mapping[str, Callable[[bytes, Wanted], Sequence[Any]]] = {"regex": _regex, "json": _json, "csv": _csv}
