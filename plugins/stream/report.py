"""Judging what STREAM printed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from hpcvirt.core.benchmark import Output, Reading, Report
from hpcvirt.core.model import Status, Value
from hpcvirt.core.text import clean_line
from hpcvirt.plugins import timing
from hpcvirt.plugins.reading import MIXED, TRUNCATED, Objection, ending, first, nothing
from hpcvirt.plugins.stream.layout import KERNELS, UNITS_MB_S, Section, sections

UNIT = "MB/s"
"""Unit of every metric. MB = 1e6 bytes, as STREAM's source has it."""
ARRAYS_MOVED = {"copy": 2, "scale": 2, "add": 3, "triad": 3}
"""Read or written by one iteration of each kernel."""
ELEMENT_BYTES = (8, 4)
"""Of double and single precision, where the report does not say which."""
BINARY_ROUNDING = 1e-9


def judge(output: Output, parameters: Mapping[str, Value] | None = None) -> Report:
    """The last report in the output, and whether it may be believed.

    With ``parameters`` the output is one run's of a campaign: it must hold one report, of that problem.
    """
    found = sections(output.stdout)
    last = found[-1] if found else Section()
    status, reason = first(_objections(output, found, parameters))
    # Across the gap of a truncated output a number could be made of two halves.
    times = timing.readings(output) if parameters is None else {}
    readings = {} if output.truncated else _readings(last) | times
    runs = () if output.truncated or len(found) < 2 else tuple(map(_alone, found))
    return Report(status, reason, readings, _unmeasured(last), runs=runs)


def _alone(section: Section) -> Report:
    """One report of several."""
    status, reason = first(chain(_faults(section), _doubts(section)))
    return Report(status, reason, _readings(section), _unmeasured(section))


def _objections(
    output: Output, found: Sequence[Section], parameters: Mapping[str, Value] | None
) -> Iterator[Objection]:
    """Everything that speaks against the output, what weighs most first."""
    last = found[-1] if found else Section()
    if output.exit_status:
        yield Status.FAILED, ending(output, last.complaint and f"its own check says: {last.complaint}")
    if output.truncated:
        yield Status.FAILED, TRUNCATED
    if not found:
        yield Status.FAILED, nothing(output.stdout, "STREAM")
    if parameters is not None and (len(found) > 1 or last.repeated):
        yield Status.FAILED, MIXED
    yield from _faults(last)
    if parameters is not None:
        yield from _other_problem(last, parameters)
    yield from _doubts(last)
    if timing.is_cut(output):
        yield Status.UNVERIFIED, timing.CUT


def _faults(section: Section) -> Iterator[Objection]:
    """Why this is no result, and what hinders reading the four rates."""
    if section.complaint:
        yield Status.FAILED, f"its own check says: {section.complaint}"
    if section.repeated:
        yield Status.UNVERIFIED, f"rows of several runs in one table: {_list(section.repeated)} more than once"
    if section.table is None and (section.closed or section.headless == set(KERNELS)):
        yield Status.UNPARSABLE, "no header line that says in which unit the rates are"
    if section.closed and (section.unreadable or not section.rows):
        yield Status.UNPARSABLE, f"lines in an unknown layout: {_list(section.unreadable or KERNELS)}"
    missing = set(KERNELS) - section.rows.keys()
    if missing:
        yield Status.FAILED, f"not a whole report: no rate for {_list(missing)}"
    if section.table is not None and section.table.unit not in UNITS_MB_S:
        yield Status.UNPARSABLE, f"unknown unit {clean_line(section.table.unit, 20)}"
    if contrary := [kernel for kernel in KERNELS if _contradicts_bytes(section, kernel)]:
        elements = section.facts["array_size"]
        yield Status.UNPARSABLE, f"rate x time is not the bytes that {elements} elements make: {_list(contrary)}"


def _contradicts_bytes(section: Section, kernel: str) -> bool:
    """Is a row's rate that of another unit, time or size than the report says? Printed digits are the tolerance."""
    elements, row = section.facts.get("array_size"), section.rows.get(kernel)
    factor = UNITS_MB_S.get(section.table.unit) if section.table else None
    if elements is None or row is None or row.moved is None or factor is None or not _measured(row.rate):
        return False
    least, most = (1e6 * factor * moved for moved in row.moved)
    widths = [section.element_bytes] if section.element_bytes else ELEMENT_BYTES
    moved = [ARRAYS_MOVED[kernel] * elements * width for width in widths]
    return not any(least * (1 - BINARY_ROUNDING) <= size <= most * (1 + BINARY_ROUNDING) for size in moved)


def _other_problem(section: Section, parameters: Mapping[str, Value]) -> Iterator[Objection]:
    """Was another problem run than the one asked for?"""
    ran = {"threads": section.threads, **section.facts}
    for name in ("array_size", "ntimes", "threads"):
        if name in parameters and name in ran and ran[name] != parameters[name]:
            yield Status.FAILED, f"it ran with {name} {ran[name]}, not the {parameters[name]} asked for"
    for name in ("array_size", "ntimes"):
        if name in parameters and name not in ran:
            yield Status.UNVERIFIED, f"the output does not say its {name}"


def _doubts(section: Section) -> Iterator[Objection]:
    """Why four rates that can be read are no result yet."""
    if unmeasured := _unmeasured(section):
        told = ", ".join(unmeasured)
        yield Status.UNVERIFIED, f"too fast for the clock, nothing measured: {told}; use larger arrays"
    if not section.closed:
        yield Status.UNVERIFIED, "no validation in the output: cut off, or a STREAM before 5.8, which has none"
    cut = {kernel for kernel, row in section.rows.items() if not row.whole}
    if cut:
        yield Status.UNVERIFIED, f"rows with too few numbers: {_list(cut)}"


def _readings(section: Section) -> dict[str, Reading]:
    """The rates that were measured, each printed once."""
    factor = UNITS_MB_S.get(section.table.unit) if section.table else None
    if section.table is None or factor is None:
        return {}
    unit = section.table.unit
    return {
        kernel: Reading(row.rate, unit, row.rate * factor, UNIT)
        for kernel, row in section.rows.items()
        if _measured(row.rate) and kernel not in section.repeated and not _contradicts_bytes(section, kernel)
    }


def _unmeasured(section: Section) -> tuple[str, ...]:
    """Kernels with a word instead of a rate."""
    return tuple(name for name in KERNELS if name in section.rows and not _measured(section.rows[name].rate))


def _measured(rate: float) -> bool:
    """Ports print 0 or a negative rate for a time of 0; STREAM itself prints inf."""
    return math.isfinite(rate) and rate > 0.0


def _list(kernels: Sequence[str] | set[str]) -> str:
    return ", ".join(kernel for kernel in KERNELS if kernel in kernels)
