"""The real screen on the login node of four OpenSSH nodes: start, pause, leave, come back, export."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clusters.faults.scene import Scene
from tests.screen_real.test_tmux import TMUX, Terminal

pytestmark = [pytest.mark.tmux, pytest.mark.cluster, pytest.mark.skipif(TMUX is None, reason="tmux is not installed")]


class LoginNode:
    """Terminals of an operator who is logged in there."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.terminals: list[Terminal] = []

    def terminal(self) -> Terminal:
        self.terminals.append(Terminal(self._scene.work, ["small.toml"], run=self._run))
        return self.terminals[-1]

    def _run(self, words: list[str], env: dict[str, str]) -> str:
        own = {"PYTHONPATH": str(self._scene.ledger.site), "PYTHONDONTWRITEBYTECODE": "1"}
        done = self._scene.cluster.run_login(words, env=self._scene.cluster.client_env | own | env)
        done.check_returncode()
        return done.stdout


@pytest.fixture
def login(scene: Scene) -> Iterator[LoginNode]:
    node = LoginNode(scene)
    yield node
    for terminal in node.terminals:
        terminal.close()


def test_a_campaign_over_openssh(scene: Scene, login: LoginNode) -> None:
    scene.write(runs=8, blocks=2, seconds=0.4)
    terminal = login.terminal()
    terminal.until("4 nodes", "64 runs")
    terminal.press("s")
    terminal.until("Start small?")
    terminal.press("y")
    terminal.until("running", "node1", "node4", "proved")
    terminal.press("p")
    terminal.until("Paused: nothing new starts")
    terminal.press("q")
    assert "Traceback" not in terminal.until("left with 0")
    again = login.terminal()
    again.until("Paused: nothing new starts", "/64 runs")
    again.press("p")
    again.until("▶ running")
    again.until("finished", "64/64", limit_s=90)
    again.press("3")
    again.until("verdict")
    again.press("e")
    again.until("measurements")
    again.press("q")
    again.until("left with 0")
    assert list(scene.work.glob("*.csv"))
    scene.judge()
