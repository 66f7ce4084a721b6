"""Judging what a NAS Parallel Benchmark printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hpcvirt.core.benchmark import Output, Reading, Report
from hpcvirt.core.model import Status, Value
from hpcvirt.core.text import clean_line
from hpcvirt.plugins import timing
from hpcvirt.plugins.npb.layout import Section, sections
from hpcvirt.plugins.reading import MIXED, TRUNCATED, Objection, ending, first, nothing

RATE = "mops_total"
TIME = "time"
VERIFIED = "SUCCESSFUL"
WRONG = "UNSUCCESSFUL"


def judge(output: Output, parameters: Mapping[str, Value] | None = None) -> Report:
    """The last report in the output, and whether it may be believed.

    With ``parameters`` the output is one run's of a campaign: it must hold one report, of that problem.
    """
    found = sections(output.stdout)
    last = found[-1] if found else Section()
    status, reason = first(_objections(output, found, parameters))
    if output.truncated:
        return Report(status, reason)
    results = [one for one in found if one.has_summary or one is last]
    times = timing.readings(output) if parameters is None else {}
    runs = tuple(map(_alone, results)) if len(results) > 1 else ()
    return Report(status, reason, _readings(last) | times, runs=runs)


def _alone(section: Section) -> Report:
    status, reason = first(_faults(section))
    return Report(status, reason, _readings(section))


def _objections(
    output: Output, found: Sequence[Section], parameters: Mapping[str, Value] | None
) -> Iterator[Objection]:
    """Everything that speaks against the output, what weighs most first."""
    last = found[-1] if found else Section()
    if output.exit_status:
        yield Status.FAILED, ending(output)
    if output.truncated:
        yield Status.FAILED, TRUNCATED
    if not found:
        yield Status.FAILED, nothing(output.stdout, "NPB")
    if parameters is not None and len(found) > 1:
        yield Status.FAILED, MIXED
    others = list(_other_problem(last, parameters)) if parameters is not None else []
    yield from (objection for objection in others if objection[0] is Status.FAILED)
    yield from _faults(last)
    yield from others
    if timing.is_cut(output):
        yield Status.UNVERIFIED, timing.CUT


def _faults(section: Section) -> Iterator[Objection]:
    said = section.values.get("verification")
    readings = _readings(section)
    if said == WRONG:
        yield Status.FAILED, f"its own check says: Verification = {WRONG}"
    if not section.has_summary:
        yield Status.FAILED, "it has begun and not come to its end"
    if said is not None and RATE not in readings:
        yield (
            Status.UNPARSABLE,
            f"no number in Mop/s total: {clean_line(section.values.get('mops', 'no such line'), 40)}",
        )
    if not readings:
        yield Status.FAILED, "not a whole report: neither time nor Mop/s"
    if said != VERIFIED:
        told = f"Verification = {clean_line(said, 40)}" if said else "no verification in the output: cut off"
        yield Status.UNVERIFIED, told
    if TIME not in readings:
        yield Status.UNPARSABLE, "no number in Time in seconds"


def _other_problem(section: Section, parameters: Mapping[str, Value]) -> Iterator[Objection]:
    """Was another problem run than the one asked for, or by another number of processes?"""
    for name, ran in _ran(section).items():
        asked = parameters.get(name)
        if asked and ran is not None and str(asked).upper() != str(ran).upper():
            yield Status.FAILED, f"it ran with {name} {clean_line(str(ran), 20)}, not the {asked} asked for"
        if asked and ran is None and section.has_summary:
            yield Status.UNVERIFIED, f"the report does not say its {name}"
    active, total = section.number("active"), section.number("processes")
    if parameters.get("ranks") and active is not None and active != total:
        yield Status.FAILED, f"only {active:g} of its {total or 0:g} processes worked"


def _ran(section: Section) -> dict[str, object]:
    """What was run, by parameter name; None where the report does not tell."""
    return {
        "code": section.code.lower() or None,
        "class": section.values.get("class"),
        "ranks": _count(section, "processes"),
        "threads": _threads(section),
    }


def _count(section: Section, name: str) -> int | None:
    value = section.number(name)
    return int(value) if value is not None and value.is_integer() else None


def _threads(section: Section) -> int | None:
    """Of each process: a multi-zone report counts those of all."""
    threads, ranks = _count(section, "threads"), _count(section, "processes")
    return threads if threads is None or not ranks else threads // ranks


def _readings(section: Section) -> dict[str, Reading]:
    """Time, and the rate; one is the other for a given problem. A time of 0.00 is what is printed for 4 ms."""
    time, rate = section.number("time"), section.number("mops")
    found = {}
    if time is not None and 0.0 <= time < float("inf"):
        found[TIME] = Reading(time, "s", time, "s")
    if rate is not None and 0.0 < rate < float("inf"):
        found[RATE] = Reading(rate, "Mop/s", rate, "Mop/s")
    return found
