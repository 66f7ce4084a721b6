"""Whether the nodes' time can be believed: flags for the operator, never acted upon.

A guest's clock may run too slow or jump, and a hypervisor may charge a process the wrong CPU time: durations and
rates taken by such clocks are wrong, however many runs there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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

JUMP_S = 0.1
"""From here on a clock that disagrees with uptime is said to have jumped: ten times the steps of uptime."""

PLACES_SHOWN = 3

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
    """A line for each thing that is odd, whatever number of nodes and kernels it is seen on."""
    return (*_disagreements(timings), *_jumps(timings), *_cpu_shares(timings, baseline))


@dataclass(frozen=True, slots=True)
class _Odd:
    """Runs of one node and kernel that are odd in the same way."""

    place: str
    runs: Sequence[Timing]
    of: int
    """How many runs there are."""


def _told_places(odd: Sequence[_Odd]) -> str:
    """``n1 under xen: 20 of 20; n2 under xen: 3 of 20``, the most of them first."""
    ordered = sorted(odd, key=lambda one: -len(one.runs))
    return _listed([f"{one.place}: {len(one.runs)} of {one.of}" for one in ordered])


def _listed(parts: Sequence[str]) -> str:
    more = [f"and {len(parts) - PLACES_SHOWN} more"] if len(parts) > PLACES_SHOWN else []
    return "; ".join([*parts[:PLACES_SHOWN], *more])


def _disagreements(timings: Sequence[Timing]) -> Iterator[str]:
    """A node's clock against the login node's, beyond the round trip."""
    compared = [one for one in timings if one.elapsed_s is not None]
    slow, fast = [], []
    for node, members in _by(compared, lambda one: one.node).items():
        # A round trip is part of every attempt; the least is that of a quiet moment.
        sound = [_excess_s(one) for one in members if _excess_s(one) >= 0]
        usual_s = min(sound) if len(sound) >= FEWEST else LONG_ROUND_TRIP_S
        for kernel, runs in _by(members, lambda one: one.kernel).items():
            late = [one for one in runs if _excess_s(one) > usual_s + JITTER_S + CLOCK_DRIFT * one.duration_s]
            early = [one for one in runs if _excess_s(one) < -GRAIN_S - CLOCK_DRIFT * one.duration_s]
            slow.append(_Odd(f"{node} under {kernel}", late, len(runs)))
            fast.append(_Odd(f"{node} under {kernel}", early, len(runs)))
    yield from _disagreement(slow)
    yield from _disagreement(fast)


def _disagreement(places: Sequence[_Odd]) -> Iterator[str]:
    odd = [one for one in places if one.runs]
    if odd:
        worst = max((run for one in odd for run in one.runs), key=lambda run: abs(_excess_s(run)))
        yield (
            f"clocks: the node's and the login node's disagree beyond the round trip in {_runs(odd)} "
            f"({_told_places(odd)}); one took {worst.duration_s:.3f} s there, {worst.elapsed_s:.3f} s here"
        )


def _runs(odd: Sequence[_Odd]) -> str:
    count = sum(len(one.runs) for one in odd)
    return "1 run" if count == 1 else f"{count} runs"


def _excess_s(one: Timing) -> float:
    return (one.elapsed_s or 0.0) - one.duration_s


def _jumps(timings: Sequence[Timing]) -> Iterator[str]:
    """Every run that is timed by uptime, whose resolution is another one: one line."""
    places = _by(timings, lambda one: f"{one.node} under {one.kernel}")
    found = [_Odd(place, [one for one in runs if one.jump_s is not None], len(runs)) for place, runs in places.items()]
    odd = [one for one in found if one.runs]
    if odd:
        largest = max((run.jump_s or 0.0 for one in odd for run in one.runs), key=abs)
        where = f"in {_runs(odd)} ({_told_places(odd)})"
        if any(_is_jump(run) for one in odd for run in one.runs):
            yield (
                f"clocks: the node's jumped {where}, at most by {_signed(largest)}; "
                "those are timed by its uptime, in steps of 10 ms"
            )
        else:
            yield (
                f"clocks: clock and uptime disagree by up to {abs(1000 * largest):.0f} ms {where}; "
                "timed by uptime, 10 ms resolution"
            )


def _is_jump(one: Timing) -> bool:
    return one.jump_s is not None and abs(one.jump_s) > JUMP_S + CLOCK_DRIFT * abs(one.duration_s)


def _signed(seconds: float) -> str:
    return f"{seconds:+.1f} s" if abs(seconds) >= 1 else f"{1000 * seconds:+.0f} ms"


def _cpu_shares(timings: Sequence[Timing], baseline: str) -> Iterator[str]:
    """(User + system)/real: what charges other CPU time for the same work has a wrong clock, or other work."""
    shares: dict[tuple[str, str], list[float]] = defaultdict(list)
    shortest: dict[str, float] = {}
    for one in timings:
        if one.cpu_s is not None and one.duration_s > 0:
            shares[one.benchmark, one.kernel].append(one.cpu_s / one.duration_s)
            shortest[one.benchmark] = min(one.duration_s, shortest.get(one.benchmark, one.duration_s))
    odd = []
    for (benchmark, kernel), values in shares.items():
        base = shares.get((benchmark, baseline), [])
        if kernel == baseline or min(len(values), len(base)) < FEWEST:
            continue
        here, there = median(values), median(base)
        if abs(here - there) > CPU_APART * max(here, there) + 2 * CPU_GRAIN_S / shortest[benchmark]:
            odd.append(f"{benchmark}: {here:.2f} under {kernel}, {there:.2f} under {baseline}")
    if odd:
        yield (
            f"CPU time: (user + system)/real differs between kernels ({_listed(odd)}): "
            "one of them counts time otherwise, or does other work"
        )


def _by(timings: Sequence[Timing], key: Callable[[Timing], K]) -> dict[K, list[Timing]]:
    found: dict[K, list[Timing]] = defaultdict(list)
    for one in timings:
        found[key(one)].append(one)
    return found
