"""The real program in a pseudo-terminal: refusing, painting, and every way to end."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hpcvirt.core.errors import ScreenUnsuited
from hpcvirt.tui.driver import Unbreakable
from hpcvirt.tui.terminal import check_terminal

PROGRAM = """
import sys
from tests.tui.screen_samples import DATABASE, make_snapshot, watched
from hpcvirt.tui import app
app.LocalBackend = lambda: watched(make_snapshot())
sys.exit(app.run_screen(None, DATABASE))
"""
ROOT = Path(__file__).parents[2]
LIMIT_S = 20.0
GONE_S = 15.0
"""In that time more is painted than Textual's queue holds."""


@dataclass
class Terminal:
    """A program and the terminal it believes in."""

    process: subprocess.Popen[bytes]
    master: int
    output: bytes = b""

    def read_until(self, word: bytes) -> None:
        give_up_at = time.monotonic() + LIMIT_S
        while word not in self.output:
            assert time.monotonic() < give_up_at, self.output[-2000:]
            if select.select([self.master], [], [], 0.2)[0]:
                try:
                    self.output += os.read(self.master, 65536)
                except OSError:  # the other side is closed
                    assert word in self.output, self.output[-2000:]

    def read_for(self, seconds: float) -> None:
        end_at = time.monotonic() + seconds
        while time.monotonic() < end_at:
            if select.select([self.master], [], [], 0.1)[0]:
                self.output += os.read(self.master, 65536)

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=tmp_path,
        start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    found = Terminal(process, master)
    try:
        yield found
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if found.master >= 0:
            os.close(found.master)


def test_q_leaves_and_tells_how_to_come_back(terminal: Terminal) -> None:
    terminal.read_until(b"148/400")
    terminal.press(b"q")
    terminal.read_until(b"Come back with: hpcvirt-tui /data/local-lab-20250101T120000Z.db")
    assert terminal.process.wait(LIMIT_S) == 0
    assert b"goes on without the screen" in terminal.output
    assert terminal.output.rstrip().endswith(b".db")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_screen_cleanly(terminal: Terminal, number: signal.Signals) -> None:
    terminal.read_until(b"148/400")
    terminal.process.send_signal(number)
    terminal.read_until(b"\x1b[?1049l")  # the terminal is given back as it was
    terminal.read_until(b"Come back with")
    assert terminal.process.wait(LIMIT_S) == 0


def test_a_closed_terminal_ends_the_screen(terminal: Terminal) -> None:
    terminal.read_until(b"148/400")
    os.close(terminal.master)
    terminal.master = -1
    os.kill(terminal.process.pid, signal.SIGHUP)
    terminal.process.wait(LIMIT_S)


@pytest.mark.slow
def test_a_terminal_that_was_gone_for_a_while_ends_the_screen(terminal: Terminal) -> None:
    """Whatever was to be painted meanwhile must not be waited for."""
    terminal.read_until(b"148/400")
    os.close(terminal.master)
    terminal.master = -1
    time.sleep(GONE_S)
    os.kill(terminal.process.pid, signal.SIGHUP)
    terminal.process.wait(LIMIT_S)


def test_what_nobody_reads_is_taken_all_the_same() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

        def flush(self) -> None:
            raise OSError(errno.EIO, "Input/output error")

    file = Unbreakable(Gone())
    assert file.write("lost") == 4
    file.flush()
    kept = io.StringIO()
    assert Unbreakable(kept).write("kept") == 4
    assert kept.getvalue() == "kept"


def test_watching_costs_little_of_a_slow_line(terminal: Terminal) -> None:
    terminal.read_until(b"148/400")
    terminal.read_for(2)
    painted = len(terminal.output)
    terminal.read_for(4)
    assert (len(terminal.output) - painted) / 4 < 8192


def test_no_terminal_is_refused_in_words() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode != 0
    assert "needs a terminal" in done.stderr


@pytest.mark.parametrize(
    ("size", "term", "words"),
    [((80, 24), "dumb", "TERM says dumb"), ((50, 24), "xterm", "50 x 24"), ((80, 10), "xterm", "needs 60 x 18")],
)
def test_an_unsuited_terminal_is_refused_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], term: str, words: str
) -> None:
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115, PTH123
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.fileno", lambda: 2, raising=False)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size(size))
    with pytest.raises(ScreenUnsuited) as caught:
        check_terminal({"TERM": term})
    assert words in caught.value.message
    assert "hpcvirt-tui run" in caught.value.hint
    assert "hpcvirt-tui status" in caught.value.hint


def test_nothing_heavy_is_imported_before_the_first_paint() -> None:
    heavy = {"pydantic", "scipy", "numpy", "asyncssh", "sqlite_utils", "sqlite3", "plotext"}
    # Of our own: to make their many data classes takes a tenth of the time to the first paint.
    heavy |= {"hpcvirt.core.model", "hpcvirt.core.store.records", "hpcvirt.core.preflight", "hpcvirt.tui.draft"}
    code = f"import sys; import hpcvirt.tui.app, hpcvirt.tui.screens.main; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_terminal_check_does_not_import_textual() -> None:
    code = "import sys; import hpcvirt.tui.terminal; print('textual' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"
