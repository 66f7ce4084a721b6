"""Finding the reports of the NAS Parallel Benchmarks in a text: 2.x to 3.x, serial, OpenMP, MPI and multi-zone.

All of them end with the same list of ``label = value``. Words before a line (a rank, a date, a node) do no harm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hpcvirt.plugins.reading import number, whole_lines

_BANNER = re.compile(r"\bNAS Parallel Benchmarks\b.{0,100}\bBenchmark\b")
_COMPLETED = re.compile(r"(?<![\w-])([A-Z]{2}(?:-MZ)?) Benchmark Completed\b")
_LABELS = {
    "class": "Class",
    "size": "Size",
    "time": "Time in seconds",
    "processes": "Total processes",
    "threads": "Total threads",
    "compiled": "Compiled procs",
    "active": "Active procs",
    "available": "Avail threads",
    "requested": "Request threads",
    "mops": "Mop/s total",
    "verification": "Verification",
    "version": "Version",
}
_NAMES = {label: name for name, label in _LABELS.items()}
_LINE = re.compile(rf"(?<![\w/.$({{])({'|'.join(_NAMES)})\s*=\s*(.*?)\s*$")
_NOT_OVER = ("class", "time", "mops", "verification")
"""What a report says once: said again, another has begun."""


@dataclass(slots=True)
class Section:
    """One report, as far as it has been read."""

    code: str = ""
    """``CG``, once it has said that it is complete."""
    values: dict[str, str] = field(default_factory=dict)
    """As printed, by the names in this module."""

    def number(self, name: str) -> float | None:
        """A value as a number; None if it is missing or none."""
        return number(self.values.get(name, ""))

    @property
    def has_summary(self) -> bool:
        """The list of results has begun."""
        return bool(self.code or self.values)


def sections(raw: bytes) -> tuple[Section, ...]:
    """The reports in an output, in their order. A last line without its newline is not read."""
    found: list[Section] = []
    for line in whole_lines(raw):
        _note(line, found)
    return tuple(found)


def _note(line: str, found: list[Section]) -> None:
    if _BANNER.search(line):
        found.append(Section())
    elif (hit := _COMPLETED.search(line)) is not None:
        if not found or found[-1].has_summary:
            found.append(Section())
        found[-1].code = hit[1]
    elif (hit := _LINE.search(line)) is not None:
        _note_value(_NAMES[hit[1]], hit[2], found)


def _note_value(name: str, value: str, found: list[Section]) -> None:
    if name not in _NOT_OVER and not (found and found[-1].has_summary):
        return  # the list begins with the class: before it such a line is about something else
    if not found or (name in _NOT_OVER and name in found[-1].values):
        found.append(Section())
    found[-1].values.setdefault(name, value)
