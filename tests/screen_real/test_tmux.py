"""The real program in a real terminal of 80 x 24."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.screen_real.test_pilot import CAMPAIGN

TMUX = shutil.which("tmux")
pytestmark = [pytest.mark.tmux, pytest.mark.skipif(TMUX is None, reason="tmux is not installed")]


def run_here(words: list[str], env: dict[str, str]) -> str:
    """tmux on this machine."""
    # With these, which xdist sets, a program would never be told of another size.
    own = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "LINES"}}
    return subprocess.run(words, env=own | env, capture_output=True, text=True, check=True).stdout


class Terminal:
    """A tmux server of its own with one window."""

    def __init__(
        self,
        folder: Path,
        words: list[str],
        *,
        before: str = "",
        run: Callable[[list[str], dict[str, str]], str] = run_here,
    ) -> None:
        self._socket = f"hpcvirt-{uuid.uuid4().hex[:8]}"
        self._env = {"XDG_DATA_HOME": str(folder / "data"), "LC_ALL": "C.UTF-8"}
        self._run = run
        size = ["-x", "80", "-y", "24"]
        self.tmux("-f", "/dev/null", "new-session", "-d", *size, "-c", str(folder), *_shell(words, before))

    def tmux(self, *words: str) -> str:
        return self._run([str(TMUX), "-L", self._socket, *words], self._env)

    def text(self) -> str:
        return self.tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def resize(self, columns: int, rows: int) -> None:
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def program(self) -> int:
        """Process id of what runs in the window."""
        shell = int(self.tmux("list-panes", "-F", "#{pane_pid}"))
        return int(Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0])

    def until(self, *words: str, limit_s: float = 45) -> str:
        give_up_at = time.monotonic() + limit_s
        text = ""
        while time.monotonic() < give_up_at:
            text = self.text()
            if all(word in text for word in words):
                return text
            time.sleep(0.1)
        raise AssertionError(f"{words} not on the screen:\n{text}")

    def close(self) -> None:
        """The window is closed, as by a click or a lost connection."""
        with suppress(subprocess.CalledProcessError):
            self.tmux("kill-server")


def _shell(words: list[str], before: str) -> list[str]:
    program = f"{before} {shlex.join([sys.executable, '-P', '-m', 'hpcvirt.tui', *words])}"
    return ["sh", "-c", f"{program}; echo left with $?; exec sleep 600"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pilot.toml").write_text(CAMPAIGN)
    return tmp_path


@pytest.fixture
def terminal(folder: Path) -> Iterator[Terminal]:
    opened = Terminal(folder, ["pilot.toml"])
    yield opened
    opened.close()


def test_a_campaign_from_the_first_key_to_the_last(terminal: Terminal, folder: Path) -> None:
    setup = terminal.until("1 Setup", "2 Live", "3 Results", "native-again", "16 runs", "no node is rebooted")
    assert max(map(len, setup.splitlines())) <= 80
    terminal.press("s")
    terminal.until("Start pilot?", "16 runs")
    terminal.press("y")
    terminal.until("node1", "node2", "proved", "native (baseline)")
    terminal.until("finished", "16/16")
    terminal.press("3")
    headings = terminal.until("verdict", "triad")
    for heading in ("metric", "kernel", "base", "mean", "diff%", "95 % CI", "verdict"):
        assert heading in headings, heading
    terminal.press("q")
    left = terminal.until("left with 0", "Come back with: hpcvirt-tui")
    assert "Traceback" not in left
    assert len(list(folder.glob("pilot-*.db"))) == 1


def test_without_an_argument_enter_opens_the_local_lab(tmp_path: Path) -> None:
    opened = Terminal(tmp_path, [])
    try:
        opened.until("local-lab", "llnl-2006", "0 databases", "enter opens")
        opened.press("Enter")
        opened.until("local-lab", "STREAM", "50 per kernel, benchmark and node")
        opened.press("q")
        opened.until("left with 0")
        assert not (tmp_path / "data").exists(), "looking makes nothing"
    finally:
        opened.close()


def test_one_key_starts_the_local_lab(tmp_path: Path) -> None:
    opened = Terminal(tmp_path, [])
    try:
        opened.until("local-lab", "enter opens", "s Start")
        opened.press("s")
        opened.until("node4", "proved", "1/600")
        opened.press("X")
        opened.press("y")
        opened.until("stopped")
        opened.press("q")
        opened.until("left with 0")
    finally:
        opened.close()


def test_a_dumb_terminal_is_refused_in_words(tmp_path: Path) -> None:
    opened = Terminal(tmp_path, [], before="TERM=dumb")
    try:
        assert "hpcvirt-tui run" in opened.until("left with 4", "TERM says dumb")
    finally:
        opened.close()
