"""Runs on a disturbed node: somebody was logged in, or something else used its CPUs. Flags, never acted upon.

What a run itself uses is known from its CPU time; what its node used meanwhile, from the telemetry. A benchmark may
have processes that are not counted as its own (ranks that another daemon starts), under all kernels and always alike:
so it is what a run's node used *beyond what is usual for that benchmark* that counts.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import median

from hpcvirt.core.store.telemetry import Series, WatchedAttempt, read_columns, read_watched_attempts

OTHERS_CORES = 0.1
"""CPU time of others, in cores, from which on a run counts as disturbed."""

FEWEST_SAMPLES = 3
"""Wholly within a run: of fewer it is not known what was its own."""

LOGINS_KNOWN_MS = 60_000
"""For how long a count of logins holds for a run in which none was taken."""

COLUMNS = ("span_s", "cpus", "user", "system", "logins")


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Why one attempt's node was not its own."""

    attempt: WatchedAttempt
    logins: int
    others_cores: float | None
    """CPU time of others beyond what is usual, in cores. None: not known, or not enough to count."""

    @property
    def words(self) -> str:
        """In a line."""
        users = f"{self.logins} {'user was' if self.logins == 1 else 'users were'} logged in" if self.logins else ""
        others = "" if self.others_cores is None else f"others used {self.others_cores:.1f} cores"
        return ", ".join(part for part in (users, others) if part)


def disturbances(path: Path) -> list[Disturbance]:
    """Every ok attempt on a disturbed node; none of a lab. Raises StoreUnusable."""
    attempts = read_watched_attempts(path)
    logins: dict[WatchedAttempt, int] = {}
    excess: dict[WatchedAttempt, float] = {}
    for node, members in groupby(attempts, key=lambda attempt: attempt.node):
        series = read_columns(path, node, COLUMNS)
        for attempt in members:
            logins[attempt] = _logins(attempt, series)
            used = _others_cores(attempt, series)
            if used is not None:
                excess[attempt] = used
    usual = _usual(excess)
    beyond = {attempt: used - usual[attempt.benchmark] for attempt, used in excess.items()}
    return list(_found(attempts, logins, beyond))


def _found(
    attempts: Iterable[WatchedAttempt], logins: Mapping[WatchedAttempt, int], beyond: Mapping[WatchedAttempt, float]
) -> Iterator[Disturbance]:
    for attempt in attempts:
        others = beyond.get(attempt, 0.0)
        if logins[attempt] or others > OTHERS_CORES:
            yield Disturbance(attempt, logins[attempt], others if others > OTHERS_CORES else None)


def _usual(excess: Mapping[WatchedAttempt, float]) -> dict[str, float]:
    """By benchmark, over all nodes and kernels; what is below nothing is the grain of the clocks."""
    by: dict[str, list[float]] = defaultdict(list)
    for attempt, used in excess.items():
        by[attempt.benchmark].append(used)
    return {benchmark: max(0.0, median(values)) for benchmark, values in by.items()}


def _logins(attempt: WatchedAttempt, series: Series) -> int:
    """The most that were seen while it ran, else the last count before it."""
    times, counts = series.at_ms, series.columns["logins"]
    first, last = bisect_left(times, attempt.started_ms), bisect_right(times, attempt.ended_ms)
    within = [count for count in counts[first:last] if count is not None]
    if within:
        return int(max(within))
    for place in range(first - 1, -1, -1):
        if times[place] < attempt.started_ms - LOGINS_KNOWN_MS:
            break
        count = counts[place]
        if count is not None:
            return int(count)
    return 0


def _others_cores(attempt: WatchedAttempt, series: Series) -> float | None:
    """How many cores the node had busy beyond the attempt's own, over the samples that lie wholly in it."""
    if attempt.cpu_s is None or not attempt.duration_s:
        return None
    times = series.at_ms
    first, last = bisect_left(times, attempt.started_ms), bisect_right(times, attempt.ended_ms)
    spans, cores = [], []
    for place in range(first, last):
        span_s, cpus, user, system = (series.columns[name][place] for name in COLUMNS[:4])
        if span_s is None or cpus is None or user is None or system is None:
            continue
        if times[place] - 1000 * span_s >= attempt.started_ms:
            spans.append(span_s)
            cores.append(cpus * (user + system) * span_s)
    if len(spans) < FEWEST_SAMPLES:
        return None
    return sum(cores) / sum(spans) - attempt.cpu_s / attempt.duration_s


def disturbance_flags(path: Path) -> tuple[str, ...]:
    """A line for each kernel and node with runs on a disturbed node. Raises StoreUnusable."""
    by: dict[tuple[str, str], list[Disturbance]] = defaultdict(list)
    for one in disturbances(path):
        by[one.attempt.node, one.attempt.kernel].append(one)
    return tuple(_flag(node, kernel, found) for (node, kernel), found in by.items())


def _flag(node: str, kernel: str, found: Sequence[Disturbance]) -> str:
    worst = max(found, key=lambda one: (one.others_cores or 0.0, one.logins))
    runs = f"{len(found)} run{'s' if len(found) > 1 else ''}"
    return f"{node} under {kernel}: disturbed in {runs}, which count all the same (at worst {worst.words})"
