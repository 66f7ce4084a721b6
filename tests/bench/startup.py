"""Process start to first paint, beside a Textual hello-world: goal at most 1.5 times."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

ROUNDS = 15
LIMIT_S = 20.0
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
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = os.environ | {"TERM": "xterm-256color", "XDG_DATA_HOME": data_folder}
    started = time.perf_counter()
    process = subprocess.Popen(words, stdin=follower, stdout=follower, stderr=follower, env=env, start_new_session=True)
    os.close(follower)
    try:
        seen = b""
        while mark not in seen:
            ready, _, _ = select.select([leader], [], [], LIMIT_S)
            if not ready:
                raise TimeoutError(f"{words}: no first paint: {seen[-300:]!r}")
            seen += os.read(leader, 65536)
        return time.perf_counter() - started
    finally:
        process.kill()
        process.wait()
        os.close(leader)
