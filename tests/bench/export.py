"""A million measurements: ``export`` and ``analyze`` beside the sqlite3 shell that reads the same view.

Everything is measured side by side, as machines are noisy: goals are ratios. Exits with 1 where one is missed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from tests.bench.large import METRICS, make_database

RUNS = 250_000
ROUNDS = 3
MOST_TIMES_SQLITE = 2.0
MOST_MIB = 100
ANALYZE_S = 3.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one execution."""

    clock_s: float
    cpu_s: float
    mib: float
    """The most memory that it had."""


def cost(words: Sequence[str]) -> Cost:
    """Execute a program; what it writes is thrown away."""
    began = time.perf_counter()
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - no path
        process = subprocess.Popen(words, stdout=nowhere)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    return Cost(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def cheapest(tries: Sequence[Cost]) -> Cost:
    """The one with the least of the processor: others lengthen the clock's time, and some of the processor's."""
    return min(tries, key=lambda one: one.cpu_s)


def main() -> int:
    """Print a line for each."""
    if not (sqlite := shutil.which("sqlite3")):
        print("skipped: there is no sqlite3 to compare with")
        return 0
    program = str(Path(sys.executable).with_name("hpcvirt-tui"))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "large.db")
        # In a process of its own: the memory of this one would count as that of those it starts.
        with ProcessPoolExecutor(1, get_context("spawn")) as apart:
            rows = apart.submit(_made, path).result() * len(METRICS)
        shell = [sqlite, "-csv", path, "SELECT * FROM results"]
        commands = shell, [program, "export", path], [program, "analyze", path]
        rounds = [[cost(words) for words in commands] for _ in range(ROUNDS)]
    reference, export, analyze = (cheapest(tries) for tries in zip(*rounds, strict=True))
    times = export.cpu_s / reference.cpu_s
    print(f"{rows:,} rows; seconds of the processor (on the clock), and memory; the best of {ROUNDS}:")
    print(f"  sqlite3 -csv  {_told(reference)}")
    print(f"  export        {_told(export)}: {times:.2f} times (goal: {MOST_TIMES_SQLITE:g}; {MOST_MIB} MiB)")
    print(f"  analyze       {_told(analyze)}: {analyze.cpu_s / reference.cpu_s:.2f} times (goal: {ANALYZE_S:g} s)")
    return int(times > MOST_TIMES_SQLITE or export.mib > MOST_MIB or analyze.cpu_s > ANALYZE_S)


def _made(path: str) -> int:
    return make_database(Path(path), runs=RUNS, done=1.0)


def _told(one: Cost) -> str:
    return f"{one.cpu_s:.1f} s ({one.clock_s:.1f} s), {one.mib:.0f} MiB"


if __name__ == "__main__":
    sys.exit(main())
