"""The operator's own metrics: what a line of the parameter ``metrics`` says, and how its value is found.

    NAME UNIT higher|lower regex FILE PATTERN     the pattern's first group, at its last match
    NAME UNIT higher|lower json  FILE PATH        keys and indices with dots between: results.0.latency
    NAME UNIT higher|lower csv   FILE COLUMN      by its header, or by its number from 1; the last row counts

FILE is ``stdout``, ``stderr`` or one of the files that are fetched. Words are parted as a shell does it.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from hpcvirt.core.benchmark import Metric, Output
from hpcvirt.core.model import Better
from hpcvirt.plugins.reading import number, whole_lines

WORDS = 6
KINDS = ("regex", "json", "csv")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,60}")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?", re.ASCII)


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
    if len(words) != WORDS:
        raise MetricWrong(f"{line!r}: not NAME UNIT higher|lower regex|json|csv FILE WHAT")
    name, unit, better, kind, file, selector = words
    if not _NAME.fullmatch(name):
        raise MetricWrong(f"{name!r} is no name: use letters, digits and _")
    if better not in set(Better) or kind not in KINDS:
        raise MetricWrong(f"{line!r}: {better!r} is not higher or lower, or {kind!r} is not one of {', '.join(KINDS)}")
    if kind == "regex":
        _pattern(selector)
    return Wanted(Metric(name, unit, Better(better), primary=True), kind, file, selector)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text, re.MULTILINE)
    except re.error as error:
        raise MetricWrong(f"{text!r} is no regular expression: {error}") from error
    if pattern.groups < 1:
        raise MetricWrong(f"{text!r} has no group (...) around the number")
    return pattern


def value(one: Wanted, output: Output) -> float | None:
    """The metric's value in an output; None if it is not there or no number."""
    content = content_of(one.file, output)
    return None if content is None else _READERS[one.kind](content, one.selector)


def content_of(file: str, output: Output) -> bytes | None:
    """Of stdout, stderr or a fetched file."""
    streams = {"stdout": output.stdout, "stderr": output.stderr}
    return streams[file] if file in streams else output.files.get(file)


def _regex(content: bytes, selector: str) -> float | None:
    text = "".join(f"{line}\n" for line in whole_lines(content))
    found = list(_pattern(selector).finditer(text))
    return _number(found[-1][1] or "") if found else None


def _json(content: bytes, selector: str) -> float | None:
    try:
        at = json.loads(content)
        for key in selector.split("."):
            at = at[int(key)] if isinstance(at, list) else at[key]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return None
    is_number = isinstance(at, int | float) and not isinstance(at, bool)
    return _finite(at) if is_number else _number(at) if isinstance(at, str) else None


def _csv(content: bytes, selector: str) -> float | None:
    text = "\n".join(whole_lines(content))
    try:
        rows = list(csv.reader(io.StringIO(text)))
    except csv.Error:
        return None
    if not rows:
        return None
    header = [word.strip() for word in rows[0]]
    if selector in header and len(rows) > 1:
        at = header.index(selector)
    elif selector.isascii() and selector.isdigit() and int(selector) >= 1:
        at = int(selector) - 1
    else:
        return None
    return _number(rows[-1][at]) if at < len(rows[-1]) else None


def _number(word: str) -> float | None:
    """A finite number, with a decimal comma too."""
    text = word.strip()
    found = number(text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text)
    return None if found is None else _finite(found)


def _finite(found: float) -> float | None:
    try:
        return float(found) if math.isfinite(found) else None
    except OverflowError:  # an integer of JSON may have any length
        return None


_READERS: dict[str, Callable[[bytes, str], float | None]] = {"regex": _regex, "json": _json, "csv": _csv}
