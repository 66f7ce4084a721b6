"""Whether the nodes' time can be believed: flags for the operator, never acted upon.

A guest's clock may run too slow or jump, and a hypervisor may charge a process the wrong CPU time: durations and
rates taken by such clocks are wrong, however many runs there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import TypeVar

from hpcvirt.core.store.clocks import Timing, read_timings
from hpcvirt.core.store.queries import read_campaign_record

K = TypeVar("K")

CLOCK_DRIFT = 0.001
"""Part of a duration by which two sound clocks may differ: twice what NTP slews."""

GRAIN_S = 0.03
"""Of uptime, and of two readings one after the other."""

JITTER_S = 0.25
"""How much longer than usual a round trip may take before a clock is suspected."""

LONG_ROUND_TRIP_S = 2.0
"""Believed of a node with too few runs to know better."""

CPU_GRAIN_S = 0.02
"""User and system time are counted in hundredths, at both ends."""

CPU_APART = 0.05
"""Difference of (user + system)/real between kernels that is flagged."""

FEWEST = 3
"""Attempts of which a median says something."""


def database_flags(path: Path) -> tuple[str, ...]:
    """What is to be said of the clocks of a campaign's nodes. Raises StoreUnusable."""
    campaign, _ = read_campaign_record(path)
    return clock_flags(read_timings(path), campaign.baseline)


def clock_flags(timings: Sequence[Timing], baseline: str) -> tuple[str, ...]:
    """A line for each thing that is odd."""
    return (*_disagreements(timings), *_jumps(timings), *_cpu_shares(timings, baseline))


def _disagreements(timings: Sequence[Timing]) -> Iterator[str]:
    """A node's clock against the login node's, beyond the round trip."""
    compared = [one for one in timings if one.elapsed_s is not None]
    for node, members in _by(compared, lambda one: one.node).items():
        # A round trip is part of every attempt; the least is that of a quiet moment.
        sound = [_excess_s(one) for one in members if _excess_s(one) >= 0]
        usual_s = min(sound) if len(sound) >= FEWEST else LONG_ROUND_TRIP_S
        for kernel, runs in _by(members, lambda one: one.kernel).items():
            slow = [one for one in runs if _excess_s(one) > usual_s + JITTER_S + CLOCK_DRIFT * one.duration_s]
            fast = [one for one in runs if _excess_s(one) < -GRAIN_S - CLOCK_DRIFT * one.duration_s]
            yield from (_disagreement(f"{node} under {kernel}", odd, len(runs)) for odd in (slow, fast) if odd)


def _disagreement(where: str, odd: Sequence[Timing], runs: int) -> str:
    worst = max(odd, key=lambda one: abs(_excess_s(one)))
    return (
        f"{where}: in {len(odd)} of {runs} runs its clock and the login node's disagree beyond the round trip "
        f"(one took {worst.duration_s:.3f} s there, {worst.elapsed_s:.3f} s here)"
    )


def _excess_s(one: Timing) -> float:
    return (one.elapsed_s or 0.0) - one.duration_s


def _jumps(timings: Sequence[Timing]) -> Iterator[str]:
    for (node, kernel), members in _by(timings, lambda one: (one.node, one.kernel)).items():
        jumps = [one.jump_s for one in members if one.jump_s is not None and _is_jump(one.jump_s, one.duration_s)]
        if jumps:
            worst = max(jumps, key=abs)
            yield (
                f"{node} under {kernel}: its clock jumped in {len(jumps)} of {len(members)} runs (by {worst:+.1f} s); "
                "those are timed by its uptime"
            )


def _is_jump(jump_s: float, duration_s: float) -> bool:
    return abs(jump_s) > GRAIN_S + CLOCK_DRIFT * abs(duration_s)


def _cpu_shares(timings: Sequence[Timing], baseline: str) -> Iterator[str]:
    """(User + system)/real: what charges other CPU time for the same work has a wrong clock, or other work."""
    shares: dict[tuple[str, str], list[float]] = defaultdict(list)
    shortest: dict[str, float] = {}
    for one in timings:
        if one.cpu_s is not None and one.duration_s > 0:
            shares[one.benchmark, one.kernel].append(one.cpu_s / one.duration_s)
            shortest[one.benchmark] = min(one.duration_s, shortest.get(one.benchmark, one.duration_s))
    for (benchmark, kernel), values in shares.items():
        base = shares.get((benchmark, baseline), [])
        if kernel == baseline or min(len(values), len(base)) < FEWEST:
            continue
        here, there = median(values), median(base)
        if abs(here - there) > CPU_APART * max(here, there) + 2 * CPU_GRAIN_S / shortest[benchmark]:
            yield (
                f"{benchmark}: (user + system)/real is {here:.2f} under {kernel}, {there:.2f} under {baseline}: "
                "one of them counts time otherwise, or does other work"
            )


def _by(timings: Sequence[Timing], key: Callable[[Timing], K]) -> dict[K, list[Timing]]:
    found: dict[K, list[Timing]] = defaultdict(list)
    for one in timings:
        found[key(one)].append(one)
    return found
