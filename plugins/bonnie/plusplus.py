"""The reports of bonnie++: CSV of 1.03 (without a version), 1.93 to 1.97, 1.98, and the table.

The CSV counts where both are there: the table rounds, cuts names, and in 2.00a has wrong columns. It is read by the
version in its first field: the header that ``-x`` prints before format 1.98 has two names too few.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hpcvirt.core.model import Status
from hpcvirt.plugins.bonnie.table import PATTERNS, SEEKS, Cell, Found, is_measured
from hpcvirt.plugins.reading import Objection, number

FORMATS = {f"1.{minor}": (48, 7) for minor in range(93, 98)} | {"1.98": (50, 9)}
"""Fields, and which of them is the first rate. A letter may follow the version: 1.93c."""

SIZE_AT = 5
SHIFT = 3
"""How far a number that is too wide may push its column to the right."""

ROUNDED_FROM = 1000
"""The table of 1.0x has no decimals from here on, its CSV has one."""

_VERSIONED = re.compile(
    r"(?<![\d.,\w])((?:1\.9|[2-9]\.)\d{1,2}[a-z]?,(?:1\.9|[2-9]\.)\d{1,2}[a-z]?(?:,[^,]*){8,})$", re.ASCII
)
_PREFIX = r"^(?:[^,]{0,200}(?:\[\d{1,6},\d{1,6}\][^,]{0,20})?[:>|\]]\s*)?"
"""What a launcher puts before a line: a node, a rank, a date."""
_INTEGER = r",(?:\d{1,12}|\++)?"
_OLD = re.compile(
    rf"{_PREFIX}[^,\s]{{0,80}},(\d{{1,12}}[KMGT]?(?::\d{{1,9}}[kKMG]?)?)"
    rf"((?:{_INTEGER}){{10}},(?:\d{{1,12}}\.\d|\++)?{_INTEGER}(?:,[\d.:/+]{{0,40}}){{13}})\s*$",
    re.ASCII,
)
"""Seeks alone have a decimal."""
_SIZE = re.compile(r"(\d{1,12})([KMGT]?)")
_MIB = {"K": 1 / 1024, "": 1.0, "M": 1.0, "G": 1024.0, "T": 2.0**20}
_PLUS = re.compile(r"\++")
_HAS_SIZE = re.compile(r"(?:^|\s)\d{1,12}[KMGT](?::\d{1,9}[kKMG]?)?\s", re.ASCII)

_BEGINS = re.compile(r"\bVersion\s+(\S+)\s.*-Sequential Output-")
_HEAD = re.compile(r"\b(?:Machine|Name)\s*:?\s*Size(?: etc)?\s+(K/sec|/sec)\s+%CP")
_OTHER_HEAD = re.compile(r"-Create-")
_COLUMN = re.compile(r"(?:K/sec|/sec) %CP")
_WORD = re.compile(r"\++|(\d{1,12}(?:\.\d{1,3})?)([kmg]?)", re.ASCII)
_UNITS = {"": "K/s", "k": "K/s", "m": "M/s", "g": "G/s"}
ROUNDED: Objection = (
    Status.UNVERIFIED,
    "a table without the line of CSV that ends the report: it is rounded, or cut off",
)


@dataclass(frozen=True, slots=True)
class _Head:
    """The last line of a table's head."""

    ends: tuple[int, ...]
    """Where the columns of shares end."""
    has_suffixes: bool
    """2.00: a rate is ``549m``."""
    is_old: bool
    """1.0x, which rounds seeks in the table."""


def reports(lines: list[str]) -> Iterator[Found]:
    """One for each line of CSV, or for each row of tables where there are none; and for what stands behind the last."""
    read = [_csv(line) for line in lines]
    # Two at once into one file print both tables before the first line of CSV.
    tables_count = not any(read)
    pending: list[Found] = []
    table = _Table()
    for line, found in zip(lines, read, strict=True):
        if found is not None:
            yield found
            pending, table = [], _Table()
        elif (begins := _BEGINS.search(line)) is not None:
            if tables_count:
                yield from pending
            pending, table = [Found()], _Table(begins[1])
        elif (hit := _HEAD.search(line)) is not None:
            pending, table = pending or [Found()], _Table(table.version, _head(hit, table.version))
        elif _OTHER_HEAD.search(line):
            table.head = None
        elif (row := table.row(line)) is not None:
            pending = [*(one for one in pending if one.is_whole), row]
    yield from pending


@dataclass(slots=True)
class _Table:
    """The table that is being read."""

    version: str = ""
    head: _Head | None = None
    has_rows: bool = False

    def row(self, line: str) -> Found | None:
        """The line's rates, if it is a row. One after the first has a size, unlike the numbers of other programs."""
        if self.head is None or (self.has_rows and not _HAS_SIZE.search(line)):
            return None
        found = _row(line, self.head)
        self.has_rows = self.has_rows or found is not None
        return found


def _head(hit: re.Match[str], version: str) -> _Head:
    ends = tuple(column.end() for column in _COLUMN.finditer(hit.string))
    return _Head(ends, hit[1] == "/sec", version.startswith("1.0") or not version)


def _csv(line: str) -> Found | None:
    if (hit := _VERSIONED.search(line)) is not None:
        return _versioned(hit[1].rstrip().split(","))
    if (hit := _OLD.search(line)) is not None:
        # Name and size, as if they were fields of the format with a version.
        return _fields(["", "", "", "", "", hit[1], "", *hit[2][1:].split(",")], 7)
    return None


def _versioned(fields: Sequence[str]) -> Found:
    version = fields[0].rstrip("abcdefghijklmnopqrstuvwxyz")
    if version not in FORMATS:
        return Found(is_whole=True, fault=(Status.UNPARSABLE, f"unknown CSV format {version[:10]}"))
    count, first = FORMATS[version]
    if len(fields) < count:
        return Found(fault=(Status.FAILED, f"a line of CSV with {len(fields)} of {count} fields"))
    if len(fields) > count:
        told = f"{len(fields)} fields instead of {count} in CSV format {version}: is a comma in the name?"
        return Found(is_whole=True, fault=(Status.UNPARSABLE, told))
    return _fields(fields, first)


def _fields(fields: Sequence[str], first: int) -> Found:
    found = Found(is_whole=True, size_mib=_size_mib(fields[SIZE_AT]))
    for i, name in enumerate(PATTERNS):
        _note(found, name, fields[first + 2 * i], fields[first + 2 * i + 1])
    return found


def _size_mib(word: str) -> float | None:
    hit = _SIZE.match(word)
    return float(hit[1]) * _MIB[hit[2]] if hit else None


def _note(found: Found, name: str, word: str, share: str, unit: str = "K/s") -> None:
    """Take a cell; blank and ``+++++`` are none."""
    if not word or _PLUS.fullmatch(word):
        return
    rate, cpu = number(word), number(share)
    if rate is None:
        found.fault = (Status.UNPARSABLE, f"{name}: not a number: {word[:20]}")
    elif is_measured(rate):
        found.cells[name] = Cell(rate, "" if name == SEEKS else unit, cpu if cpu is not None and cpu >= 0 else None)


def _row(line: str, head: _Head) -> Found | None:
    """The table's row of rates, if this is it."""
    words = [(hit.end(), hit[0]) for hit in re.finditer(r"\S+", line)]
    cells = _in_order([word for _, word in words]) or _by_column(words, head.ends)
    if cells is None:
        return None
    found = Found(is_whole=True, fault=ROUNDED if head.has_suffixes else None)
    for name, (word, share) in cells.items():
        hit = _WORD.fullmatch(word)
        if hit is None or hit[1] is None:
            _note(found, name, word, share)
            continue
        if name == SEEKS and head.is_old and "." not in word and float(hit[1]) >= ROUNDED_FROM:
            found.fault = found.fault or ROUNDED
        _note(found, name, hit[1], share, _UNITS[hit[2]])
    return found


def _in_order(words: list[str]) -> dict[str, tuple[str, str]] | None:
    """Every column filled: the last twelve words. A number that is too wide shifts what follows."""
    last = words[-2 * len(PATTERNS) :]
    if len(words) <= len(last) or len(last) < 2 * len(PATTERNS) or not all(map(_WORD.fullmatch, last)):
        return None
    return {name: (last[2 * i], last[2 * i + 1]) for i, name in enumerate(PATTERNS)}


def _by_column(words: list[tuple[int, str]], ends: tuple[int, ...]) -> dict[str, tuple[str, str]] | None:
    """A test that was skipped is blank. Seeks never are, so without them this is another line."""
    if len(ends) != len(PATTERNS):
        return None
    at = {
        name: i
        for name, end in zip(PATTERNS, ends, strict=True)
        for i, (stop, _) in enumerate(words)
        if i and 0 <= stop - end <= SHIFT
    }
    cells = {name: (words[i - 1][1], words[i][1]) for name, i in at.items()}
    is_row = SEEKS in cells and all(_WORD.fullmatch(word) for cell in cells.values() for word in cell)
    return cells if is_row else None
