"""Process start to first paint, beside a Textual hello-world: goal at most 1.5 times."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.terminal import Terminal

ROUNDS = 15
HELLO = """
from textual.app import App
from textual.widgets import Static
class Hello(App):
    def compose(self):
        yield Static("hello world")
Hello().run()
"""


def main() -> None:
    """Alternate the two programs and print medians and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        hello = Path(folder) / "hello.py"
        hello.write_text(HELLO)
        programs = {
            "textual hello-world": ([sys.executable, str(hello)], b"hello world"),
            "hpcvirt-tui": ([sys.executable, "-m", "hpcvirt.tui"], b"Setup"),
        }
        times: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(ROUNDS + 1):
            for name, (words, mark) in programs.items():
                times[name].append(first_paint_s(words, mark, folder))
    medians = {name: statistics.median(found[1:]) for name, found in times.items()}
    for name, median in medians.items():
        print(f"{name}: first paint after {1000 * median:.0f} ms (median of {ROUNDS})")
    first, second = medians.values()
    print(f"ratio: {second / first:.2f} (goal: at most 1.5)")


def first_paint_s(words: list[str], mark: bytes, data_folder: str) -> float:
    """Seconds until the mark is in what the program writes to its terminal."""
    terminal = Terminal(words, {"XDG_DATA_HOME": data_folder})
    try:
        terminal.until(mark)
        return time.perf_counter() - terminal.started_at
    finally:
        terminal.close()
