"""Reading and judging what MITgcm prints: on stdout, or in STDOUT.0000 where it was built for MPI."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hpcvirt.core.benchmark import Output, Reading, Report
from hpcvirt.core.model import Status, Value
from hpcvirt.core.text import clean_line
from hpcvirt.plugins import timing
from hpcvirt.plugins.mitgcm import written
from hpcvirt.plugins.reading import MIXED, TRUNCATED, Objection, ending, first, nothing, number, whole_lines

MPI_OUTPUT = "STDOUT.0000"
TIMERS = {"User time": "user_time", "System time": "system_time", "Wall clock time": "wall_time"}

_BANNER = re.compile(r"// +MITgcm UV\b")
_SECTION = re.compile(r'Seconds in section "([^"]{0,80})"')
_ALL = re.compile(r"ALL\b")
_TIMER = re.compile(rf"(?<![A-Za-z])({'|'.join(TIMERS)}):\s*(\S+)\s*$")
_NORMAL = re.compile(r"PROGRAM MAIN: Execution ended Normally")
_STOP_NORMAL = re.compile(r"\bNORMAL END\s*$")
"""What Fortran's STOP prints on stderr, with or without that word; before 2011 nothing else tells of a normal end."""
_BEFORE_2011 = re.compile(r"MITgcmUV version: +checkpoint(?:[1-5]\d|6[01])(?!\d)")
_ABNORMAL = re.compile(
    r"\b(?:(?:STOP )?ABNORMAL END|SOLUTION IS HEADING OUT OF BOUNDS|PROGRAM MAIN: ends with fatal Error)\b.*"
)
_NONE = r"[+-]?(?:NaN|Inf(?:inity)?)"
_NOT_A_NUMBER = re.compile(
    rf"%MON\s+(\w{{1,40}})\s*=\s*{_NONE}\s*$"
    rf"|\b(cg[23]d\w{{0,20}})\b[^=]{{0,40}}=(?:\s+[-+\d.E]{{1,40}}){{0,2}}\s+{_NONE}(?=\s|$)",
    re.IGNORECASE,
)
"""As the monitor says it, or the solver of the pressure: the monitor may be off, or look too seldom."""
_PROCESSES = re.compile(r"\bnP[xy]\s*=\s*([1-9]\d{0,5})\s*;", re.ASCII)
_STEPS = re.compile(r"\bnTimeSteps\s*=")
_INTEGER = re.compile(r"(\d{1,12})\s*$", re.ASCII)


@dataclass(slots=True)
class Section:
    """One run, as far as it has been read."""

    timers: dict[str, str] = field(default_factory=dict)
    """Of the whole run, by metric name, as printed."""
    in_all: bool = False
    """Within the timers of the whole run."""
    has_timers: bool = False
    is_whole: bool = False
    """The model itself said so on stdout."""
    has_stopped: bool = False
    """Its STOP said so."""
    is_old: bool = False
    """Its STOP is the only one to say so. With stderr mixed into stdout a later model has its own words to come."""
    not_a_number: str = ""
    """The first monitored quantity that was none."""
    processes: int = 1
    """Those of MPI: in x times in y."""
    steps: int | None = None
    steps_follow: bool = False

    @property
    def readings(self) -> dict[str, Reading]:
        """By metric name."""
        values = {name: number(word) for name, word in self.timers.items()}
        return {name: timing.seconds(v) for name, v in values.items() if v is not None and 0.0 <= v < float("inf")}


def judge(output: Output, parameters: Mapping[str, Value] | None = None) -> Report:
    """The last run in the output, and whether it may be believed.

    With ``parameters`` the output is one run's of a campaign: it must hold one run, of as many steps.
    """
    text = _text(output)
    found = sections(text)
    _note_stops(output.stderr, found)
    last = found[-1] if found else Section()
    status, reason = first(_objections(output, text, found, parameters))
    if output.truncated:
        return Report(status, reason)
    times = timing.readings(output) if parameters is None else timing.measured(output)
    runs = tuple(map(_alone, found)) if len(found) > 1 else ()
    digest = written.digest(written.written(output))
    return Report(status, reason, last.readings | times, digest=digest, runs=runs)


def _text(output: Output) -> bytes:
    named = [content for name, content in output.files.items() if name.endswith(MPI_OUTPUT)]
    return named[0] if named else output.stdout


def sections(raw: bytes) -> tuple[Section, ...]:
    """The runs in a text, in their order. A last line without its newline is not read."""
    found: list[Section] = []
    for line in whole_lines(raw):
        _note(line, found)
    return tuple(found)


def _note(line: str, found: list[Section]) -> None:
    if _BANNER.search(line):
        found.append(Section())
    elif (hit := _SECTION.search(line)) is not None:
        _note_section(hit[1], found)
    elif _NORMAL.search(line):
        if not found or found[-1].is_whole:
            found.append(Section())
        found[-1].is_whole = True
    elif found:
        _note_within(line, found[-1])


def _note_stops(stderr: bytes, found: Sequence[Section]) -> None:
    """Take normal ends from stderr, which does not say of which run each is: so many are proved, the first ones.

    A run whose times are not whole did not come to its STOP. Under MPI each of a run's processes prints one.
    """
    stops = sum(_STOP_NORMAL.search(line) is not None for line in whole_lines(stderr))
    for section in found:
        if set(TIMERS.values()) <= section.timers.keys() and stops >= section.processes:
            stops -= section.processes
            section.has_stopped = True


def _note_section(name: str, found: list[Section]) -> None:
    is_all = _ALL.match(name) is not None
    if is_all and (not found or found[-1].has_timers):
        found.append(Section())
    if found:
        found[-1].in_all = is_all
        found[-1].has_timers = found[-1].has_timers or is_all


def _note_within(line: str, section: Section) -> None:
    if section.in_all and (hit := _TIMER.search(line)) is not None:
        section.timers.setdefault(TIMERS[hit[1]], hit[2])
    elif (hit := _NOT_A_NUMBER.search(line)) is not None:
        section.not_a_number = section.not_a_number or hit[1] or hit[2]
    elif _BEFORE_2011.search(line):
        section.is_old = True
    elif section.is_old and _STOP_NORMAL.search(line):
        section.has_stopped = True
    elif (hit := _PROCESSES.search(line)) is not None:
        section.processes *= int(hit[1])
    elif _STEPS.search(line):
        section.steps_follow = section.steps is None
    elif section.steps_follow and (hit := _INTEGER.search(line)) is not None:
        section.steps, section.steps_follow = int(hit[1]), False


def _alone(section: Section) -> Report:
    status, reason = first(_faults(section))
    return Report(status, reason, section.readings)


def _objections(
    output: Output, text: bytes, found: Sequence[Section], parameters: Mapping[str, Value] | None
) -> Iterator[Objection]:
    """Everything that speaks against the output, what weighs most first."""
    last = found[-1] if found else Section()
    complaint = _complaint(output.stderr) or _complaint(text)
    if output.exit_status:
        yield Status.FAILED, ending(output, complaint)
    if output.truncated:
        yield Status.FAILED, TRUNCATED
    if complaint:
        yield Status.FAILED, complaint
    if not found:
        yield Status.FAILED, nothing(text, "MITgcm")
    if parameters is not None and len(found) > 1:
        yield Status.FAILED, MIXED
    if parameters is not None:
        yield from _other_problem(last, parameters)
    yield from written.objections(output)
    yield from _faults(last)
    if timing.is_cut(output):
        yield Status.UNVERIFIED, timing.CUT


def _complaint(raw: bytes) -> str:
    """By which the model says that it stopped; its exit status is 0 all the same."""
    return next((clean_line(hit[0]) for line in whole_lines(raw) if (hit := _ABNORMAL.search(line))), "")


def _faults(section: Section) -> Iterator[Objection]:
    missing = [name for name in TIMERS.values() if name not in section.readings]
    if section.not_a_number:
        yield Status.FAILED, f"the model's state is not a number: {section.not_a_number}"
    if section.is_whole and missing:
        yield Status.UNPARSABLE, f"no number for {', '.join(missing)} in its timers"
    if missing:
        yield Status.FAILED, f"it did not come to its end: no {', '.join(missing)}"
    if not (section.is_whole or section.has_stopped):
        yield Status.UNVERIFIED, "no normal end in the output: cut off"


def _other_problem(section: Section, parameters: Mapping[str, Value]) -> Iterator[Objection]:
    asked = parameters.get("steps")
    if asked and section.steps is not None and section.steps != asked:
        yield Status.FAILED, f"it was set up for {section.steps} steps, not the {asked} asked for"
