"""The screen on a campaign of 50,000 runs that a runner works on, through a real pseudo-terminal.

Goals: watching four nodes at most 5 % of a core and 8 KB/s to the terminal; key to paint under 50 ms at the 99th
percentile; under 200 MB.
"""

from __future__ import annotations

import contextlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.large import make_database
from tests.bench.terminal import Terminal

WATCHED_S = 30.0
KEYS = 120
SETTLED_S = 8.0
"""After which nothing is imported or worked out for the first time any more."""

PANES = ((b"1", b"Frozen"), (b"2", b"Events"), (b"3", b"comparisons"), (b"4", b"relative"), (b"6", b"attempts"))
"""Keys, and what is painted after them alone."""
UNUSUAL = "жщъы"
"""Letters that no table has."""
SIZES = ((80, 24), (200, 60))


def main() -> None:
    """Print what watching costs, and how long keys take."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.db"
        print(f"a database of {make_database(path)} runs, a run ends every second, four nodes are sampled")
        with _runner(path):
            for columns, rows in SIZES:
                with _screen(path, folder, columns, rows) as terminal:
                    _watch(terminal, f"{columns}x{rows}")
            with _screen(path, folder, 80, 24) as terminal:
                _keys(terminal)


@contextlib.contextmanager
def _runner(path: Path) -> Iterator[None]:
    words = [sys.executable, "-m", "tests.bench.runner", str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


@contextlib.contextmanager
def _screen(path: Path, folder: str, columns: int, rows: int) -> Iterator[Terminal]:
    words = [sys.executable, "-m", "hpcvirt.tui", str(path)]
    terminal = Terminal(words, {"XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}, columns=columns, rows=rows)
    try:
        terminal.until(b"Events")
        yield terminal
    finally:
        terminal.close()


def _watch(terminal: Terminal, size: str) -> None:
    terminal.drain(SETTLED_S)
    cpu_s, began = terminal.cpu_s(), time.perf_counter()
    written = terminal.drain(WATCHED_S)
    took = time.perf_counter() - began
    share = (terminal.cpu_s() - cpu_s) / took
    print(
        f"watching at {size}: {100 * share:.1f} % of a core (goal: at most 5), "
        f"{len(written) / took / 1000:.1f} KB/s to the terminal (goal: at most 8), {terminal.memory_mb():.0f} MB"
    )


def _keys(terminal: Terminal) -> None:
    for key, mark in PANES:
        terminal.press(key)
        terminal.until(mark)
        terminal.drain(SETTLED_S)
    took = {"pane": list(_panes(terminal)), "typed letter": list(_letters(terminal))}
    for what, times in took.items():
        _tell(what, times)
    _tell("all keys", [second for times in took.values() for second in times])
    print(f"memory: {terminal.memory_mb():.0f} MB, at most {terminal.memory_mb('VmHWM'):.0f} MB (goal: under 200)")


def _tell(what: str, times: list[float]) -> None:
    middle, last = statistics.median(times), statistics.quantiles(times, n=100)[98]
    print(
        f"key to paint, {what}: median {1000 * middle:.0f} ms, 99th percentile {1000 * last:.0f} ms (goal: under 50), "
        f"longest {1000 * max(times):.0f} ms of {len(times)}"
    )


def _panes(terminal: Terminal) -> Iterator[float]:
    drawn = random.Random(8)
    last = PANES[-1]
    for _ in range(KEYS):
        last = key, mark = drawn.choice([pane for pane in PANES if pane != last])
        yield _key_to_paint(terminal, key, mark)
        # A person's pace, at any moment of the runner's second.
        terminal.drain(drawn.uniform(0.1, 0.3))


def _letters(terminal: Terminal) -> Iterator[float]:
    """Into the search of all attempts, which begins anew with each."""
    drawn = random.Random(9)
    terminal.press(b"1")
    terminal.until(b"Frozen")
    terminal.press(b"6")
    terminal.until(b"attempts")
    terminal.rest()
    terminal.press(b"/")
    terminal.until(b"words")
    for _ in range(KEYS // len(UNUSUAL)):
        for letter in UNUSUAL:
            yield _key_to_paint(terminal, letter.encode(), letter.encode())
            terminal.drain(drawn.uniform(0.1, 0.3))
        terminal.press(b"\x7f" * len(UNUSUAL))
        terminal.drain(0.3)


def _key_to_paint(terminal: Terminal, key: bytes, mark: bytes) -> float:
    began = time.perf_counter()
    terminal.press(key)
    terminal.until(mark)
    return time.perf_counter() - began
