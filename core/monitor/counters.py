"""What a node's loop answered, as numbers. Pure. The node may say anything: what is not as it should be is absent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

LONGEST_BOOT_ID = 64


@dataclass(frozen=True, slots=True)
class Memory:
    """In kB, as /proc/meminfo says it."""

    total: int
    free: int
    available: int | None
    """None: a kernel before 3.14."""
    cached: int
    """Buffers included."""
    swap_used: int


@dataclass(frozen=True, slots=True)
class Counters:
    """One reading. Counters count from the node's boot, or from when they last overflowed."""

    uptime_s: float | None = None
    cpu: tuple[int, ...] = ()
    """Ticks of user, nice, system, idle, iowait, irq, softirq, steal: as many of them as the kernel has."""
    load: float | None = None
    memory: Memory | None = None
    interfaces: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Bytes received and sent, by name."""
    disks: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    """Sectors of 512 bytes read and written, and ms in which it had something to do."""
    temperature_c: float | None = None
    clock_khz: int | None = None
    logins: int | None = None
    loop_ticks: int | None = None
    sshd_ticks: int | None = None


@dataclass(frozen=True, slots=True)
class Greeting:
    """What the loop says of its node before it is asked."""

    boot_id: str
    """Empty: not known."""
    ticks_per_s: int


def parse_greeting(line: bytes) -> Greeting:
    """``BOOT_ID HZ``, either of which may be missing."""
    *boot_id, ticks = ["", *line.decode("ascii", "replace").split()][-2:]
    hertz = int(ticks) if re.fullmatch("[1-9][0-9]{1,4}", ticks) else 100
    return Greeting("".join(boot_id)[:LONGEST_BOOT_ID], hertz)


def parse_counters(answer: bytes) -> Counters:
    """Lines of a key and numbers. Unknown keys are passed over."""
    lines = [line.split() for line in answer.decode("ascii", "replace").splitlines()]
    by_key = {words[0]: words[1:] for words in lines if words and words[0] not in {"net", "disk"}}
    interfaces = {words[1]: _numbers(words[2:]) for words in lines if words[:1] == ["net"] and len(words) == 4}
    disks = {words[1]: _numbers(words[2:]) for words in lines if words[:1] == ["disk"] and len(words) == 5}
    temperatures = _numbers(by_key.get("temperature", []))
    return Counters(
        uptime_s=_decimal(by_key.get("uptime", [])),
        cpu=_numbers(by_key.get("cpu", [])[:8]),
        load=_decimal(by_key.get("load", [])),
        memory=_memory(by_key.get("memory", [])),
        interfaces={name: (told[0], told[1]) for name, told in interfaces.items() if told},
        disks={name: (told[0], told[1], told[2]) for name, told in disks.items() if told},
        temperature_c=max(temperatures) / 1000 if temperatures else None,
        clock_khz=_first(by_key.get("clock", [])),
        logins=_first(by_key.get("logins", [])),
        loop_ticks=_first(by_key.get("loop", [])),
        sshd_ticks=_first(by_key.get("sshd", [])),
    )


_NUMBER = re.compile("[0-9]{1,20}")
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


def _numbers(words: list[str]) -> tuple[int, ...]:
    """All of them, or none where one is no number."""
    return tuple(map(int, words)) if all(map(_NUMBER.fullmatch, words)) else ()


def _first(words: list[str]) -> int | None:
    numbers = _numbers(words[:1])
    return numbers[0] if numbers else None


def _decimal(words: list[str]) -> float | None:
    return float(words[0]) if words and _DECIMAL.fullmatch(words[0]) else None


def _memory(words: list[str]) -> Memory | None:
    """``MemTotal: 24684084 MemFree: ...``, in kB."""
    told = {key: int(value) for key, value in zip(words[::2], words[1::2], strict=False) if _NUMBER.fullmatch(value)}
    if "MemTotal:" not in told or "MemFree:" not in told:
        return None
    return Memory(
        total=told["MemTotal:"],
        free=told["MemFree:"],
        available=told.get("MemAvailable:"),
        cached=told.get("Buffers:", 0) + told.get("Cached:", 0),
        swap_used=max(0, told.get("SwapTotal:", 0) - told.get("SwapFree:", 0)),
    )
