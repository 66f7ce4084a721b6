"""What ``time`` prints: bash, POSIX, busybox and zsh builtins, GNU time in its formats, with a decimal comma too."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from hpcvirt.core.benchmark import Metric, Output, Reading
from hpcvirt.core.model import Better
from hpcvirt.plugins.reading import unfinished_line, whole_lines

METRICS = (
    Metric("real", "s", Better.LOWER, help="elapsed time of the command"),
    Metric("user", "s", Better.LOWER, help="processor time in the program"),
    Metric("sys", "s", Better.LOWER, help="processor time in the kernel"),
    Metric("max_rss", "MiB", Better.LOWER, help="largest resident set of a process"),
)
KIB_PER_MIB = 1024.0
CUT = "cut off in what `time` says"

_BEFORE = r"^(?:\S*[:>])?\s*"
_SECONDS = r"(\d{1,12}(?:[.,]\d{1,9})?)"
_POSIX = re.compile(
    rf"{_BEFORE}(real|user|sys)\s+(?:(\d{{1,9}})h\s*)?(?:(\d{{1,9}})m\s*)?{_SECONDS}s?\s*$",
    re.ASCII,
)
_POSIX_BEGUN = re.compile(rf"{_BEFORE}(?:real|user|sys)\b[\s\d.,hms]*$")
_GNU = re.compile(rf"{_SECONDS}user\s+{_SECONDS}system\s+([\d:.,]{{1,30}})elapsed\b", re.ASCII)
_ZSH = re.compile(rf"{_SECONDS}s user\s+{_SECONDS}s system\s+\d+% cpu\s+([\d:.,]{{1,30}})\s+total\s*$", re.ASCII)
_FIVE = re.compile(r"^\s*(\d{1,12}\.\d\d) (\d{1,12}\.\d\d) (\d{1,12}\.\d\d) (\d{1,15}) (\d{1,3})\s*$", re.ASCII)
"""GNU time with ``-f '%e %U %S %M %x'``."""
_VERBOSE_BEGINS = re.compile(r"\bCommand being timed:")
_VERBOSE = {
    "user": re.compile(r"\bUser time \(seconds\):\s*(\S+)\s*$"),
    "sys": re.compile(r"\bSystem time \(seconds\):\s*(\S+)\s*$"),
    "real": re.compile(r"\bElapsed \(wall clock\) time \(h:mm:ss or m:ss\):\s*(\S+)\s*$"),
    "max_rss": re.compile(r"\bMaximum resident set size \(kbytes\):\s*(\d{1,15})\s*$", re.ASCII),
}
_VERBOSE_ENDS = re.compile(r"\bExit status:\s*(\d{1,3})\s*$", re.ASCII)
_DIED = re.compile(r"\bCommand (?:exited with non-zero status|terminated by signal|stopped by signal) (\d{1,3})\s*$")
_CLOCK = re.compile(r"(?:(?:(\d{1,9}):)?(\d{1,9}):)?(\d{1,9}(?:[.,]\d{1,9})?)", re.ASCII)


@dataclass(slots=True)
class Timed:
    """One text of ``time``."""

    values: dict[str, float] = field(default_factory=dict)
    """As printed: seconds, and kB of 1024 bytes for ``max_rss``."""
    is_whole: bool = False
    death: str = ""
    """What GNU time says of a command that did not exit with 0."""

    @property
    def readings(self) -> dict[str, Reading]:
        """By metric name."""
        return {name: _reading(name, value) for name, value in self.values.items()}


def _reading(name: str, value: float) -> Reading:
    if name == "max_rss":
        return Reading(value, "kB", value / KIB_PER_MIB, "MiB")
    return seconds(value)


def seconds(value: float) -> Reading:
    """A reading of a time."""
    return Reading(value, "s", value, "s")


def readings(output: Output) -> dict[str, Reading]:
    """Of the last text of ``time`` in an output, if one is whole; stderr is where it belongs."""
    found = [one for text in (output.stdout, output.stderr) for one in texts(text) if one.is_whole]
    return found[-1].readings if found else {}


def measured(output: Output) -> dict[str, Reading]:
    """What ``time`` said; for what it did not say, what was measured on the node."""
    ours = {"real": output.elapsed_s, "user": output.user_s, "sys": output.system_s}
    return {name: seconds(value) for name, value in ours.items() if value is not None} | readings(output)


def is_cut(output: Output) -> bool:
    """Is a text of ``time`` behind the program's own output, or on stderr, and not whole?"""
    return any(map(_is_cut, (output.stdout, output.stderr)))


def _is_cut(raw: bytes) -> bool:
    found = list(texts(raw))
    return bool(found and not found[-1].is_whole) or _begins(unfinished_line(raw))


def _begins(tail: str) -> bool:
    word = tail.strip()
    return bool(word) and ("real".startswith(word) or bool(_POSIX_BEGUN.search(tail)))


def texts(raw: bytes) -> Iterable[Timed]:
    """Every text of ``time``, in order, whole or not."""
    found: list[Timed] = []
    death = ""
    for line in whole_lines(raw):
        if (hit := _DIED.search(line)) is not None:
            death = hit[0]
        elif _note(line, found) and found:
            found[-1].death, death = found[-1].death or death, ""
    if death:
        found.append(Timed(death=death))
    return found


def _note(line: str, found: list[Timed]) -> bool:
    """Take what a line says; True if it is one of ``time``'s."""
    if (hit := _POSIX.search(line)) is not None:
        _note_posix(hit, found)
    elif (hit := _GNU.search(line) or _ZSH.search(line)) is not None:
        found.append(_whole(user=_seconds(hit[1]), sys=_seconds(hit[2]), real=_clock(hit[3])))
    elif (hit := _FIVE.search(line)) is not None:
        found.append(
            _whole(real=float(hit[1]), user=float(hit[2]), sys=float(hit[3]), max_rss=float(hit[4]), exit=int(hit[5]))
        )
    elif _VERBOSE_BEGINS.search(line):
        found.append(Timed())
    elif found and not found[-1].is_whole:
        return _note_verbose(line, found[-1])
    else:
        return False
    return True


def _note_posix(hit: re.Match[str], found: list[Timed]) -> None:
    name, hours, minutes = hit[1], int(hit[2] or 0), int(hit[3] or 0)
    if name == "real":
        found.append(Timed())
    elif not found or found[-1].is_whole or "real" not in found[-1].values or name in found[-1].values:
        return  # some other program's word
    # Rounded to what can be printed: 60 + 2.002 is 62.002 in decimal only.
    found[-1].values[name] = round(3600 * hours + 60 * minutes + _seconds(hit[4]), 9)
    found[-1].is_whole = found[-1].values.keys() == {"real", "user", "sys"}


def _note_verbose(line: str, timed: Timed) -> bool:
    for name, pattern in _VERBOSE.items():
        if (hit := pattern.search(line)) is not None:
            value = _clock(hit[1])
            timed.values.update({} if value is None else {name: value})
            return True
    if (hit := _VERBOSE_ENDS.search(line)) is None:
        return False
    timed.is_whole = timed.values.keys() >= {"real", "user", "sys"}
    timed.death = timed.death or (f"Exit status: {hit[1]}" if int(hit[1]) else "")
    return True


def _whole(*, exit: int = 0, **values: float | None) -> Timed:  # noqa: A002 - GNU time's word
    read = {name: value for name, value in values.items() if value is not None}
    return Timed(read, len(read) == len(values), f"Exit status: {exit}" if exit else "")


def _seconds(word: str) -> float:
    return float(word.replace(",", "."))


def _clock(word: str) -> float | None:
    """Seconds of ``[h:]m:s`` or plain seconds; None if it is neither."""
    hit = _CLOCK.fullmatch(word)
    return None if hit is None else round(3600 * int(hit[1] or 0) + 60 * int(hit[2] or 0) + _seconds(hit[3]), 9)
