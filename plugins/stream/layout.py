"""Finding STREAM's reports in a text: which lines mean something, and to which report they belong.

Knows the layouts of stream.c 4.x to 5.10, of stream_d.f and stream.f, of ports that print GB/s, and of our own
program. Lines that mean nothing here (rules, notes, what mpirun or ssh says) are passed over, and a word before a
line (a rank, a date, a node) does no harm.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from itertools import pairwise

from hpcvirt.core.text import clean_line
from hpcvirt.plugins.reading import number, printed_range, whole_lines

KERNELS = ("copy", "scale", "add", "triad")

UNITS_MB_S = {"KB/s": 1e-3, "kB/s": 1e-3, "MB/s": 1.0, "GB/s": 1e3, "TB/s": 1e6}
"""Factors to MB/s. STREAM's source divides bytes by 1e6, so its prefixes are decimal."""

_HEADER = re.compile(r"\bFunction\s+(?:Best\s+)?Rate\s*\(?([A-Za-z]+/s(?:ec)?)\b\)?(.*)")
_BANNER = re.compile(r"\bSTREAM version \$Revision\b", re.IGNORECASE)
_THREAD = re.compile(r"\bPrinting one line per active thread\b")
_VALIDATED = re.compile(r"\bSolution Validates\b")
_FAILED = re.compile(r"\bFailed Validation\b.*")
_FACTS = {
    "array_size": re.compile(r"\bArray size\s*=\s*(\d{1,18})\b", re.ASCII),
    "ntimes": re.compile(r"(?:will be executed|is run|running each test)\s+(\d{1,9}) times", re.ASCII),
    "threads_requested": re.compile(r"Number of Threads requested\s*=\s*(\d{1,9})\b", re.ASCII),
    "threads_counted": re.compile(r"Number of Threads(?: counted)?\s*=\s*(\d{1,9})\b", re.ASCII),
}
_ELEMENT = re.compile(r"\b(\d{1,3})(?: bytes per (?:array element|DOUBLE PRECISION word)|-byte elements)\b", re.ASCII)
LONGEST_NUMBER = 40
_LABELS = {
    "Copy": "copy",
    "Scale": "scale",
    "Add": "add",
    "Triad": "triad",
    # The words of STREAM's first versions.
    "Assignment": "copy",
    "Scaling": "scale",
    "Summing": "add",
    "SAXPYing": "triad",
}
_ROW = re.compile(rf"(?<![A-Za-z0-9_])({'|'.join(_LABELS)})\s*:(.*)")


@dataclass(frozen=True, slots=True)
class Table:
    """What the header of the table says."""

    unit: str
    columns: int
    """How many numbers a whole row has."""
    least_time: int | None = None
    """Which of them, from 0, is the best iteration's time; None: the header does not say."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    rate: float
    """As printed. Not finite, or not above 0, where nothing was measured."""
    whole: bool
    """The row has every number that the header promises."""
    moved: tuple[float, float] | None = None
    """Lowest and highest product of rate and best time that is printed so, in the header's unit; None: not known."""


@dataclass(slots=True)
class Section:
    """One report, as far as it has been read."""

    facts: dict[str, int] = field(default_factory=dict)
    """``array_size``, ``ntimes``, ``threads_requested`` and ``threads_counted``, where printed."""
    has_begun: bool = False
    """Its banner was printed."""
    lines_of_threads: int = 0
    """stream.f prints one for each thread instead of their number."""
    table: Table | None = None
    rows: dict[str, Row] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    """Kernels printed more than once: nobody can say which line counts."""
    unreadable: set[str] = field(default_factory=set)
    """Kernels whose line is not made of the numbers expected."""
    validated: bool = False
    complaint: str = ""
    """The first line by which the program says that its result is wrong."""
    headless: set[str] = field(default_factory=set)
    """Kernels printed where no header says in which unit."""
    element_bytes: int | None = None
    """Of an element of the arrays; stream.f says so before its banner."""

    @property
    def is_empty(self) -> bool:
        """No line of a report has been read, but perhaps what stands before the banner."""
        return self == Section(element_bytes=self.element_bytes)

    @property
    def closed(self) -> bool:
        """The program has said its last: whether the result holds. Nothing but a rule follows."""
        return self.validated or bool(self.complaint)

    @property
    def threads(self) -> int:
        """Threads that ran. A program without OpenMP prints none and has one."""
        told = self.facts.get("threads_counted", self.facts.get("threads_requested"))
        return told or self.lines_of_threads or 1


def sections(raw: bytes) -> tuple[Section, ...]:
    """The reports in an output, in their order. A last line without its newline is not read."""
    found = [Section()]
    for line in whole_lines(raw):
        if _opens(line, found[-1]):
            found.append(Section())
        _note(line, found[-1])
    return tuple(section for section in found if not section.is_empty)


def _opens(line: str, section: Section) -> bool:
    """Does this line belong to the report after ``section``?"""
    begun = section.table is not None or section.closed
    if (begun and (_HEADER.search(line) or _ELEMENT.search(line))) or (not section.is_empty and _BANNER.search(line)):
        return True
    return any(pattern.search(line) and (begun or name in section.facts) for name, pattern in _FACTS.items())


def _note(line: str, section: Section) -> None:
    if (header := _HEADER.search(line)) is not None:
        section.table = _table(header[1], ["", *re.findall(r"\w+", header[2].lower())])
    elif (row := _ROW.search(line)) is not None:
        _note_row(_LABELS[row[1]], row[2].split(), section)
    elif _BANNER.search(line):
        section.has_begun = True
    elif _THREAD.search(line):
        section.lines_of_threads += 1
    elif (element := _ELEMENT.search(line)) is not None:
        section.element_bytes = int(element[1])
    elif _VALIDATED.search(line):
        section.validated = True
    elif (failed := _FAILED.search(line)) is not None:
        section.complaint = section.complaint or clean_line(failed[0])
    else:
        section.facts.update({n: int(hit[1]) for n, pattern in _FACTS.items() if (hit := pattern.search(line))})


def _table(unit: str, words: list[str]) -> Table:
    """Take the columns of times from the rest of a header: ``Avg time  Min time  Max time``."""
    times = [name for name, word in pairwise(words) if word == "time"]
    return Table(unit, 1 + len(times), 1 + times.index("min") if "min" in times else None)


def _note_row(kernel: str, words: list[str], section: Section) -> None:
    if section.closed:
        return  # a wrapper's summary after the report
    if section.table is None:
        section.headless.update({kernel} if _row(words, Table("", len(words))) else ())
    elif kernel in section.rows or kernel in section.unreadable:
        section.repeated.add(kernel)
    elif (row := _row(words, section.table)) is None:
        section.unreadable.add(kernel)
    else:
        section.rows[kernel] = row


def _row(words: list[str], table: Table) -> Row | None:
    numbers = [number(word) for word in words]
    if len(numbers) > table.columns or None in numbers or not numbers or numbers[0] is None:
        return None
    if len(numbers) == 1 < table.columns:
        return None  # nothing follows the rate, so nothing says that its last digit is there
    return Row(numbers[0], len(numbers) == table.columns, _moved(words, table.least_time))


def _moved(words: list[str], least_time: int | None) -> tuple[float, float] | None:
    if least_time is None or least_time >= len(words):
        return None
    factors = words[0], words[least_time]
    if not all(len(word) <= LONGEST_NUMBER and math.isfinite(number(word) or 0.0) for word in factors):
        return None
    (least_rate, most_rate), (least_s, most_s) = map(printed_range, factors)
    return least_rate * max(least_s, 0.0), most_rate * most_s
