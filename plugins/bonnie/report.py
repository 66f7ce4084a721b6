"""Judging what a Bonnie printed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from hpcvirt.core.benchmark import Output, Reading, Report
from hpcvirt.core.model import Status, Value
from hpcvirt.core.text import clean_line
from hpcvirt.plugins import timing
from hpcvirt.plugins.bonnie import classic, plusplus
from hpcvirt.plugins.bonnie.conditions import Conditions, conditions, notes
from hpcvirt.plugins.bonnie.table import NOTHING, Found
from hpcvirt.plugins.reading import MIXED, TRUNCATED, Objection, ending, first, nothing, whole_lines

_NO_ROOM = re.compile(r"(?:Can't write|Bonnie: drastic).*", re.IGNORECASE)


def judge(output: Output, parameters: Mapping[str, Value] | None = None) -> Report:
    """The last report in the output, and whether it may be believed.

    With ``parameters`` the output is one run's of a campaign: it must hold one report, of a file of that size.
    """
    found = reports(output.stdout)
    last = found[-1] if found else Found()
    status, reason = first(_objections(output, found, parameters))
    if output.truncated:
        return Report(status, reason)
    runs = tuple(map(_alone, found)) if len(found) > 1 else ()
    met = conditions(output)
    told = notes(met, last.size_mib or _asked_mib(parameters))
    times = timing.readings(output) if parameters is None else _elapsed(output, met)
    return Report(status, reason, last.readings | times, last.not_measured, told, runs=runs)


def _asked_mib(parameters: Mapping[str, Value] | None) -> float | None:
    """Of a small file Bonnie-64 prints a size of 0."""
    asked = (parameters or {}).get("size_mib")
    return float(asked) if asked else None


def _elapsed(output: Output, met: Conditions) -> dict[str, Reading]:
    """The program's own; measured around the execution it contains the dropping of caches."""
    elapsed_s = output.elapsed_s if met.elapsed_s is None else met.elapsed_s
    return {} if elapsed_s is None else {"real": timing.seconds(elapsed_s)}


def reports(raw: bytes) -> list[Found]:
    """Every report in a text: those of bonnie++, else those of the classic program."""
    lines = list(whole_lines(raw))
    return list(plusplus.reports(lines)) or list(classic.reports(lines))


def _alone(found: Found) -> Report:
    status, reason = first(_faults(found))
    return Report(status, reason, found.readings, found.not_measured)


def _objections(output: Output, found: Sequence[Found], parameters: Mapping[str, Value] | None) -> Iterator[Objection]:
    """Everything that speaks against the output, what weighs most first."""
    last = found[-1] if found else Found()
    if output.exit_status:
        yield Status.FAILED, ending(output, _complaint(output.stderr))
    if output.truncated:
        yield Status.FAILED, TRUNCATED
    if not found:
        yield Status.FAILED, nothing(output.stdout, "Bonnie")
    if parameters is not None and len(found) > 1:
        yield Status.FAILED, MIXED
    of_file = _another_size(last, parameters) if parameters is not None else iter(())
    yield from chain(_faults(last), of_file)
    if timing.is_cut(output):
        yield Status.UNVERIFIED, timing.CUT


def _complaint(raw: bytes) -> str:
    """What it says of a full or broken disk: seldom in its last line, and often behind a line that has not ended."""
    hits = (_NO_ROOM.search(line) for line in whole_lines(raw + b"\n"))
    return next((clean_line(hit[0]) for hit in hits if hit), "")


def _faults(found: Found) -> Iterator[Objection]:
    if found.fault is not None:
        yield found.fault
    if not found.is_whole:
        yield Status.FAILED, "not a whole report: there are no results under the table's head"
    if not found.cells:
        yield NOTHING


def _another_size(found: Found, parameters: Mapping[str, Value]) -> Iterator[Objection]:
    """bonnie++ writes 1000M for 1000 MiB, and 4G where it was told 4096."""
    asked = parameters.get("size_mib")
    if asked is not None and found.size_mib is not None and found.size_mib != asked:
        yield Status.FAILED, f"the file had {found.size_mib:g} MiB, not the {asked} asked for"
