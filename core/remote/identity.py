"""What a node says it is, and whether that is what a kernel expects."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hpcvirt.core.model import Expect
from hpcvirt.core.text import clean_line

LONGEST_LINE = 4096


@dataclass(frozen=True, slots=True)
class Identity:
    """One reading. None: the node cannot tell."""

    boot_id: str | None = None
    release: str | None = None
    """``uname -r``."""
    version: str | None = None
    """``uname -v``."""
    machine: str | None = None
    """``uname -m``."""
    hostname: str | None = None
    cmdline: str | None = None
    role: str = "none"
    """``none``, ``xen-dom0``, ``xen-guest``, or another hypervisor's /sys/hypervisor/type."""
    guest_type: str | None = None
    """``PV``, ``PVH`` or ``HVM`` under Xen."""
    hypervisor_uuid: str | None = None
    """A Xen guest's own; all zeros in dom0."""
    cpus: int | None = None
    cpu_model: str | None = None
    """Read when the kernel is proved, not with every run."""
    governor: str | None = None
    """Of the first CPU."""
    clocksource: str | None = None
    memory_kib: int | None = None
    probe: str | None = None
    """First line of the kernel's own probe; None also if that failed or said nothing."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a node's clocks stood. Kept with the attempt: it is no part of what a node is."""

    clock_s: float | None = None
    """Unix time; it may jump."""
    uptime_s: float | None = None
    """Hundredths of seconds since boot; it does not jump."""
    user_s: float | None = None
    """CPU time of all processes that ended under the shell so far."""
    system_s: float | None = None
    slack_s: float = 0.0
    """How far apart the readings of clock and uptime may be, beside the grain of uptime."""


def parse_identity(text: bytes) -> tuple[Identity, Moment]:
    """Read the lines of identity.sh. Unknown lines are passed over, absent ones are None."""
    lines = text.decode("utf-8", "replace").split("\n")
    values, cpus = _values(lines)
    identity = Identity(
        boot_id=values.get("boot_id"),
        release=values.get("release"),
        version=values.get("version"),
        machine=values.get("machine"),
        hostname=values.get("hostname"),
        cmdline=values.get("cmdline"),
        role=_role(values),
        guest_type=values.get("guest_type"),
        hypervisor_uuid=values.get("uuid"),
        cpus=_cpu_count(values.get("cpus")) or cpus or None,
        cpu_model=values.get("cpu_model"),
        governor=values.get("governor"),
        clocksource=values.get("clocksource"),
        memory_kib=_number(values.get("memory", "").removeprefix("MemTotal:").split()[:1]),
        probe=values.get("probe") or None,
    )
    clock, uptime, then = (
        _seconds(values.get(key, "").partition(" ")[0]) for key in ("clock", "uptime", "uptime_then")
    )
    return identity, Moment(clock, uptime, *_cpu_times(lines), slack_s=_passed(uptime, then) or 0.0)


def _cpu_times(lines: Iterable[str]) -> tuple[float | None, float | None]:
    """User and system seconds of the children: the second line of the shell's ``times``."""
    found = [match.groups() for match in map(_TIMES.fullmatch, lines) if match]
    if len(found) != 2:
        return None, None
    minutes, seconds, system_minutes, system_seconds = (float(word.replace(",", ".")) for word in found[1])
    return 60 * minutes + seconds, 60 * system_minutes + system_seconds


_TIMES = re.compile(r"{0}m{1}s {0}m{1}s".format("([0-9]{1,9})", "([0-9]{1,2}(?:[.,][0-9]{0,9})?)"))


def _values(lines: Iterable[str]) -> tuple[dict[str, str], int]:
    values: dict[str, str] = {}
    cpus = 0
    for line in lines:
        key, _, value = line.partition(" ")
        cpus += key == "cpu"
        values.setdefault(key, clean_line(value, LONGEST_LINE))
    return values, cpus


def _role(values: Mapping[str, str]) -> str:
    hypervisor = values.get("hypervisor", "none")
    if hypervisor != "xen":
        return hypervisor
    return "xen-dom0" if "control_d" in values.get("xen_capabilities", "") else "xen-guest"


def _cpu_count(ranges: str | None) -> int | None:
    """``0-3,8`` names five CPUs."""
    found = [_RANGE.fullmatch(part) for part in (ranges or "").split(",")]
    counts = [int(part[2] or part[1]) - int(part[1]) + 1 for part in found if part]
    return sum(counts) if len(counts) == len(found) and min(counts) > 0 else None


_RANGE = re.compile("([0-9]{1,6})(?:-([0-9]{1,6}))?")


def _number(words: list[str]) -> int | None:
    return int(words[0]) if words and re.fullmatch("[0-9]{1,18}", words[0]) else None


def _seconds(word: str | None) -> float | None:
    """None also for what busybox's ``date`` makes of ``%N``."""
    return float(word) if word and _SECONDS.fullmatch(word) else None


_SECONDS = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,12})?")


def mismatches(expect: Expect, found: Identity) -> tuple[str, ...]:
    """In what the identity is not what is expected, a line each. What is not expected is not asked."""
    return tuple(_mismatches(expect, found))


def _mismatches(expect: Expect, found: Identity) -> Iterator[str]:
    if found.boot_id is None:
        yield "boot_id could not be read"
    for name in ("release", "version", "role", "cmdline"):
        pattern, value = getattr(expect, name), getattr(found, name)
        if pattern is not None and not _matches(pattern, value):
            yield _told(name, pattern, value)
    if expect.nonce is not None and expect.nonce not in (found.cmdline or "").split():
        yield _told("cmdline", f"the word {expect.nonce} of this boot", found.cmdline)
    if expect.cpus is not None and expect.cpus != found.cpus:
        yield _told("cpus", expect.cpus, found.cpus)
    if expect.memory_mib is not None and not _within(expect.memory_mib, found.memory_kib):
        yield _told("memory_mib", expect.memory_mib, found.memory_kib and found.memory_kib // 1024)
    if expect.probe is not None and not _matches(expect.probe.matches, found.probe):
        yield _told("probe", expect.probe.matches, found.probe)


def storage_mismatch(expect: Expect, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Whether the scratch folder is on what is expected: read when a kernel is proved, not with every run."""
    found = " ".join(environment.get(f"scratch.{part}", "?") for part in ("filesystem", "device"))
    if expect.storage is None or fnmatch.fnmatchcase(found, expect.storage):
        return ()
    return (_told("storage", expect.storage, found),)


def _matches(pattern: str, value: str | None) -> bool:
    return value is not None and fnmatch.fnmatchcase(value, pattern)


def _within(bounds: tuple[int, int], memory_kib: int | None) -> bool:
    return memory_kib is not None and bounds[0] <= memory_kib / 1024 <= bounds[1]


def _told(name: str, expected: object, found: object) -> str:
    return f"{name}: expected {expected}, found {'nothing' if found is None else found}"


_LASTING = (
    *("boot_id", "release", "version", "machine", "hostname", "cmdline"),
    *("role", "guest_type", "hypervisor_uuid", "cpus", "governor", "clocksource"),
)


def changes(before: Identity, after: Identity) -> tuple[str, ...]:
    """What must not differ between two readings and does, a line each.

    Only what stays what it is while a kernel runs, or decides over every time that is measured. Memory and the
    probe are judged by ``expect``, at both ends: a guest's balloon, or a probe whose answer varies and fits, does
    not mean that the kernel has changed.
    """
    return tuple(
        f"{name} changed from {getattr(before, name)} to {getattr(after, name)}"
        for name in _LASTING
        if getattr(before, name) != getattr(after, name)
    )


def elapsed_s(before: Moment, after: Moment) -> float | None:
    """Seconds between two moments on the node: by its clock, unless that jumped against its uptime."""
    uptime = _passed(before.uptime_s, after.uptime_s)
    clock = _passed(before.clock_s, after.clock_s)
    if before.uptime_s is None or after.uptime_s is None:
        return clock
    if clock is None or uptime is None:
        return uptime
    tolerance_s = _UPTIME_GRAIN_S + before.slack_s + after.slack_s + 0.001 * uptime
    return uptime if abs(clock - uptime) > tolerance_s else clock


def cpu_s(before: Moment, after: Moment) -> tuple[float | None, float | None]:
    """User and system seconds of what ended between two moments."""
    return _passed(before.user_s, after.user_s), _passed(before.system_s, after.system_s)


_UPTIME_GRAIN_S = 0.03
"""/proc/uptime has hundredths, at both ends. How far apart it and the clock were read is measured."""


def _passed(first: float | None, last: float | None) -> float | None:
    """None unless time went forward."""
    return None if first is None or last is None or last < first else last - first
