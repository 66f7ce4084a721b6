"""The operator's own metrics: what a line of the parameter ``metrics`` says, and how its value is found.

    NAME UNIT higher|lower regex FILE PATTERN     the pattern's first group, at its last match
    NAME UNIT higher|lower json  FILE PATH        keys and indices with dots between: results.0.latency
    NAME UNIT higher|lower csv   FILE COLUMN      by its header, or by its number from 1; the last row counts

The word ``exact`` behind a line says that the values have no error, as counts and bytes.
FILE is ``stdout``, ``stderr`` or one of the files that are fetched. Words are parted as a shell does it. No number is
taken where it may be another one: half of what was printed, a row before one that is cut, or 1,234 from nobody knows
which locale.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hpcvirt.core.benchmark import Metric, Output
from hpcvirt.core.model import Better
from hpcvirt.core.text import clean_line
from hpcvirt.plugins.reading import number, unfinished_line, whole_lines

WORDS = 6
EXACT = "exact"
KINDS = ("regex", "json", "csv")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,60}")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_GOES_ON = re.compile(r"\d|[.,'\u2019_\u00a0\u202f]\d|[eEdD][+-]?\d", re.ASCII)
_HAS_BEGUN = re.compile(r"(?:\d(?:[.,'\u2019_\u00a0\u202f]|[eEdD][+-]?)?|(?<!\w)[-\u2212])$", re.ASCII)
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
    exact = len(words) > WORDS and words[-1] == EXACT
    if exact:
        words.pop()
    if len(words) != WORDS:
        raise MetricWrong(f"{line!r}: not NAME UNIT higher|lower regex|json|csv FILE WHAT, perhaps with {EXACT} behind")
    name, unit, better, kind, file, selector = words
    if not _NAME.fullmatch(name):
        raise MetricWrong(f"{name!r} is no name: use letters, digits and _")
    if better not in set(Better) or kind not in KINDS:
        raise MetricWrong(f"{line!r}: {better!r} is not higher or lower, or {kind!r} is not one of {', '.join(KINDS)}")
    if kind == "regex":
        _pattern(selector)
    return Wanted(Metric(name, unit, Better(better), primary=True, exact=exact), kind, file, selector)


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
    return _READERS[one.kind](content, one.selector, decimal)


def content_of(file: str, output: Output) -> bytes | None:
    """Of stdout, stderr or a fetched file."""
    streams = {"stdout": output.stdout, "stderr": output.stderr}
    return streams[file] if file in streams else output.files.get(file)


def _regex(content: bytes, selector: str, decimal: str) -> float:
    text = "".join(f"{line}\n" for line in whole_lines(content))
    if _pattern(selector).search(unfinished_line(content)):
        raise NoNumber(UNFINISHED)
    found = list(_pattern(selector).finditer(text))
    if not found or found[-1][1] is None:
        raise NoNumber
    start, end = found[-1].span(1)
    if _HAS_BEGUN.search(text[max(start - 3, 0) : start]) or _GOES_ON.match(text, end):
        line = text[text.rfind("\n", 0, start) + 1 : text.index("\n", max(end - 1, start))]
        raise NoNumber(f"{found[-1][1]!r} is a part of a longer number in {clean_line(line, 60)!r}")
    return _number(found[-1][1], decimal)


def _json(content: bytes, selector: str, decimal: str) -> float:
    try:
        at = json.loads(content)
        for key in selector.split("."):
            at = at[int(key)] if isinstance(at, list) else at[key]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise NoNumber from error
    if isinstance(at, str):
        return _number(at, decimal)
    if isinstance(at, bool) or not isinstance(at, int | float):
        raise NoNumber
    return _finite(at)


def _csv(content: bytes, selector: str, decimal: str) -> float:
    if unfinished_line(content).strip():
        raise NoNumber(UNFINISHED)
    text = "\n".join(whole_lines(content))
    try:
        rows = list(csv.reader(io.StringIO(text)))
    except csv.Error as error:
        raise NoNumber from error
    at = _column(rows, selector)
    *before, last = rows
    alike = [row for row in before if _has_number(row, at)]
    has_header = not selector.isdigit() or selector in _words(rows[0])
    if (has_header and len(last) != len(rows[0])) or (alike and not _is_like(last, alike[-1])) or at >= len(last):
        raise NoNumber("the last row is not like those before it")
    return _number(last[at], decimal)


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


_READERS: dict[str, Callable[[bytes, str, str], float]] = {"regex": _regex, "json": _json, "csv": _csv}
