"""Reading and judging hpccoutf.txt, into which HPC Challenge writes everything; its stdout is empty."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hpcvirt.core.benchmark import Output, Reading, Report
from hpcvirt.core.model import Status, Value
from hpcvirt.core.text import clean_line
from hpcvirt.plugins import timing
from hpcvirt.plugins.reading import MIXED, TRUNCATED, Objection, ending, first, nothing, number, whole_lines

RESULTS = "hpccoutf.txt"
"""hpcc appends to it: an old one must be removed before a run."""

UNITS = {
    "HPL_Tflops": ("Tflop/s", 1e3, "Gflop/s"),
    "PTRANS_GBs": ("GB/s", 1e3, "MB/s"),
    "MPIRandomAccess_GUPs": ("GUP/s", 1.0, "GUP/s"),
    "MPIFFT_Gflops": ("Gflop/s", 1.0, "Gflop/s"),
    "StarSTREAM_Triad": ("GB/s", 1e3, "MB/s"),
    "SingleSTREAM_Triad": ("GB/s", 1e3, "MB/s"),
    "RandomlyOrderedRingBandwidth_GBytes": ("GB/s", 1e3, "MB/s"),
    "RandomlyOrderedRingLatency_usec": ("us", 1.0, "us"),
}
"""By metric: unit as printed, factor, unit in the database. GB = 1e9 bytes."""

LATENCY = "RandomlyOrderedRingLatency_usec"
PRIMARY = tuple(name for name in UNITS if name != LATENCY)
ASKED = {"n": "HPL_N", "nb": "HPL_NB", "p": "HPL_nprow", "q": "HPL_npcol", "ranks": "CommWorldProcs"}
"""Parameters, and the key that tells what was run."""

_BANNER = re.compile(r"\bHPC Challenge Benchmark version\b")
_BEGINS = re.compile(r"\bBegin of Summary section\b")
_ENDS = re.compile(r"\bEnd of Summary section\b")
_PAIR = re.compile(r"(?<![\w.])([A-Za-z]\w{0,80})=(\S*)\s*$", re.ASCII)
_COMPLAINT = re.compile(r"\bHPL (?:ERROR|WARNING)\b.*")
_WHY = re.compile(r">>>\s*(.*?)\s*<<<")


@dataclass(slots=True)
class Section:
    """One run's part of the file, as far as it has been read."""

    values: dict[str, str] = field(default_factory=dict)
    """The summary's."""
    is_open: bool = False
    """Within the summary."""
    is_whole: bool = False

    @property
    def has_summary(self) -> bool:
        """It has begun."""
        return self.is_open or self.is_whole

    @property
    def not_measured(self) -> tuple[str, ...]:
        """Printed as -1."""
        return tuple(name for name in PRIMARY if self.values.get(name, "").startswith("-1"))

    @property
    def readings(self) -> dict[str, Reading]:
        """By metric name."""
        found = {}
        for name, (unit, factor, normalised_unit) in UNITS.items():
            value = number(self.values.get(name, ""))
            if value is not None and 0.0 < value < float("inf"):
                found[name] = Reading(value, unit, value * factor, normalised_unit)
        return found


def judge(output: Output, parameters: Mapping[str, Value] | None = None) -> Report:
    """The last run in the file, and whether it may be believed.

    With ``parameters`` the output is one run's of a campaign: it must hold one run, of that problem.
    """
    text = _text(output)
    found = sections(text)
    last = found[-1] if found else Section()
    status, reason = first(_objections(output, text, found, parameters))
    if output.truncated:
        return Report(status, reason)
    results = [one for one in found if one.has_summary or one is last]
    times = timing.readings(output) if parameters is None else {}
    runs = tuple(map(_alone, results)) if len(results) > 1 else ()
    return Report(status, reason, last.readings | times, last.not_measured, runs=runs)


def _text(output: Output) -> bytes:
    """The results' file, by whatever name it was given; without one the text itself."""
    named = [content for name, content in output.files.items() if name.endswith(RESULTS)]
    return named[0] if named else output.stdout


def sections(raw: bytes) -> tuple[Section, ...]:
    """The runs in a file, in their order. A last line without its newline is not read."""
    found: list[Section] = []
    for line in whole_lines(raw):
        if _BANNER.search(line):
            found.append(Section())
        elif _BEGINS.search(line):
            if not found or found[-1].has_summary:
                found.append(Section())
            found[-1].is_open = True
        elif found and found[-1].is_open:
            _note(line, found[-1])
    return tuple(found)


def _note(line: str, section: Section) -> None:
    if _ENDS.search(line):
        section.is_open, section.is_whole = False, True
    elif (hit := _PAIR.search(line)) is not None:
        section.values.setdefault(hit[1], hit[2])


def _alone(section: Section) -> Report:
    status, reason = first(_faults(section))
    return Report(status, reason, section.readings, section.not_measured)


def _objections(
    output: Output, text: bytes, found: Sequence[Section], parameters: Mapping[str, Value] | None
) -> Iterator[Objection]:
    """Everything that speaks against the output, what weighs most first."""
    last = found[-1] if found else Section()
    if output.exit_status:
        yield Status.FAILED, ending(output)
    if output.truncated:
        yield Status.FAILED, TRUNCATED
    if not found:
        yield Status.FAILED, nothing(text, "HPC Challenge")
    if parameters is not None and len(found) > 1:
        yield Status.FAILED, MIXED
    yield from _faults(last)
    if parameters is not None:
        yield from _other_problem(last, parameters)
    if complaint := _complaint(output.stderr) or _complaint(output.stdout):
        yield Status.UNVERIFIED, f"another problem was run than its input file's: {complaint}"
    if timing.is_cut(output):
        yield Status.UNVERIFIED, timing.CUT


def _faults(section: Section) -> Iterator[Objection]:
    success = section.values.get("Success")
    if not section.is_whole:
        yield (
            Status.FAILED,
            "the summary is not whole" if section.has_summary else "there is no summary: it did not end",
        )
    if success == "0":
        yield Status.FAILED, "its own check says: Success=0"
    missing = [name for name in PRIMARY if name not in section.readings and name not in section.not_measured]
    if missing:
        yield Status.UNPARSABLE, f"no number for {', '.join(missing)}"
    if success != "1":
        told = "nothing about success" if success is None else f"Success={clean_line(success, 20)}"
        yield Status.UNVERIFIED, f"its summary says {told}"
    if not section.readings:
        yield Status.UNVERIFIED, "nothing was measured"


def _other_problem(section: Section, parameters: Mapping[str, Value]) -> Iterator[Objection]:
    """With a wrong number of processes hpcc runs its built-in problem, and says Success=1."""
    for name, key in ASKED.items():
        asked, ran = parameters.get(name), number(section.values.get(key, ""))
        if asked and ran is not None and ran != asked:
            yield Status.FAILED, f"it ran with {key} {ran:g}, not the {asked} asked for"
        if asked and ran is None:
            yield Status.UNVERIFIED, f"the summary does not say its {key}"


def _complaint(raw: bytes) -> str:
    """What HPL says, in one line: its second holds the reason."""
    lines = list(whole_lines(raw))
    for i, line in enumerate(lines):
        if (hit := _COMPLAINT.search(line)) is not None:
            why = next((reason[1] for near in lines[i : i + 3] if (reason := _WHY.search(near))), hit[0])
            return clean_line(why)
    return ""
