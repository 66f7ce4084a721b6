"""From two readings of a node to one sample: rates and shares of the time between them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hpcvirt.core.monitor.counters import Counters, Memory
from hpcvirt.core.store.samples import Sample

SHORTEST_S = 0.1
"""Over a shorter time a rate would be noise: ticks are hundredths."""

WORD = 1 << 32
"""Where the counters of a 32-bit kernel begin anew."""

SECTOR_BYTES = 512


def make_sample(at_ms: int, now: Counters, before: Counters | None, ticks_per_s: int) -> Sample:
    """What happened between two readings of one boot.

    ``before``: None for the first reading of a boot.
    """
    span_s = _span_s(now, before)
    told: dict[str, float | None] = {}
    if before is not None and span_s is not None:
        told |= _shares(now.cpu, before.cpu, ticks_per_s, span_s)
        told |= _flows(now, before, span_s)
        told["monitor_s"] = _ticks(now.loop_ticks, before.loop_ticks, ticks_per_s)
        told["sshd_s"] = _ticks(now.sshd_ticks, before.sshd_ticks, ticks_per_s)
    return Sample(
        at_ms=at_ms,
        span_s=span_s,
        load=now.load,
        **_memory(now.memory),
        temperature_c=now.temperature_c,
        clock_mhz=None if now.clock_khz is None else round(now.clock_khz / 1000),
        logins=now.logins,
        **told,  # type: ignore[arg-type]
    )


def _span_s(now: Counters, before: Counters | None) -> float | None:
    """By the node's uptime, which does not jump. None: nothing to compare with."""
    if before is None or now.uptime_s is None or before.uptime_s is None:
        return None
    span_s = now.uptime_s - before.uptime_s
    return span_s if span_s >= SHORTEST_S else None


def _shares(now: Sequence[int], before: Sequence[int], ticks_per_s: int, span_s: float) -> dict[str, float | None]:
    if len(now) < 4 or len(now) != len(before):
        return {}
    steps = [_step(new, old, slack=ticks_per_s) for new, old in zip(now, before, strict=True)]
    known = [step for step in steps if step is not None]
    total = sum(known)
    if len(known) < len(steps) or not total:
        return {}
    user, nice, system, _, *more = known
    iowait, irq, softirq, steal = [*more, *[None] * 4][:4]
    return {
        "cpus": max(1, round(total / ticks_per_s / span_s)),
        "user": (user + nice) / total,
        "system": (system + (irq or 0) + (softirq or 0)) / total,
        "iowait": None if iowait is None else iowait / total,
        "steal": None if steal is None else steal / total,
    }


def _flows(now: Counters, before: Counters, span_s: float) -> dict[str, float | None]:
    received, sent = (_grown(now.interfaces, before.interfaces, place) for place in (0, 1))
    read, written, busy = (_grown(now.disks, before.disks, place) for place in (0, 1, 2))
    return {
        "received_kb_s": _rate(received, 1, span_s),
        "sent_kb_s": _rate(sent, 1, span_s),
        "read_kb_s": _rate(read, SECTOR_BYTES, span_s),
        "written_kb_s": _rate(written, SECTOR_BYTES, span_s),
        "disk_busy": None if busy is None else min(1.0, max(busy) / 1000 / span_s),
    }


def _grown(now: Mapping[str, Sequence[int]], before: Mapping[str, Sequence[int]], place: int) -> list[int] | None:
    """By how much each device's counter has grown. None: there is none, or one was set back."""
    steps = [_step(now[name][place], before[name][place]) for name in now if name in before]
    known = [step for step in steps if step is not None]
    return known if known and len(known) == len(steps) else None


def _rate(steps: Iterable[int] | None, unit_bytes: int, span_s: float) -> float | None:
    return None if steps is None else sum(steps) * unit_bytes / 1000 / span_s


def _ticks(now: int | None, before: int | None, ticks_per_s: int) -> float | None:
    """None also when it was another process that counted: a new connection."""
    if now is None or before is None or now < before:
        return None
    return (now - before) / ticks_per_s


def _step(now: int, before: int, slack: int = 0) -> int | None:
    """How far a counter went on, over its end if it has one. None: it was set back.

    ``slack``: by so much it may fall back, as iowait and idle do on idle CPUs; that counts as nothing.
    """
    if now >= before:
        return now - before
    if before - now <= slack:
        return 0
    over = now + WORD - before
    # What was far from the end, or would have to have run half a round, was rather set back.
    return over if WORD // 2 <= before < WORD and over < WORD // 2 else None


def _memory(memory: Memory | None) -> dict[str, int]:
    if memory is None:
        return {}
    free = memory.available if memory.available is not None else memory.free + memory.cached
    return {
        "memory_mib": memory.total // 1024,
        "memory_used_mib": max(0, memory.total - free) // 1024,
        "swap_used_mib": memory.swap_used // 1024,
    }
