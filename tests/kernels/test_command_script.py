"""command.sh and the shell that it looks for, with processes of this machine."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from hpcvirt.core.boot_method import Visit
from hpcvirt.core.errors import BootRefused
from hpcvirt.core.kernels.command import LoginShell, OwnCommand
from hpcvirt.core.model import Kernel, Node
from hpcvirt.core.process import start_ticks

SHELLS = [pytest.param(words, id=words[0]) for words in (("dash",), ("bash", "--posix"), ("busybox", "sh"))]
NODE = Node("node1", "host1")


class Scripts:
    """Scripts that run until the test ends."""

    def __init__(self) -> None:
        self.seat = f"node1.{uuid.uuid4().hex}"
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, command: str, seat: str | None = None) -> subprocess.Popen[bytes]:
        """As the boot method starts one."""
        env = {**os.environ, "HPCVIRT_SCRIPT": seat or self.seat}
        words = ["/bin/sh", "-c", f"unset HPCVIRT_SCRIPT; {command}; exit $?"]
        started = subprocess.Popen(words, env=env, start_new_session=True)
        self._started.append(started)
        # Between fork and exec the script itself looks like the shell above it.
        until(lambda: any(not is_marked(child) for child in children(started.pid)))
        return started

    def look(self, shell: tuple[str, ...], limit_s: int) -> list[str]:
        parts = (("hpcvirt.core.remote", "marked.sh"), ("hpcvirt.core.kernels", "command.sh"))
        script = "".join(files(package).joinpath(name).read_text() for package, name in parts)
        env = {**os.environ, "hv_script": self.seat, "hv_limit": str(limit_s)}
        done = subprocess.run([*shell, "-c", script], env=env, capture_output=True, text=True, timeout=30, check=True)
        assert done.stderr == ""
        return done.stdout.splitlines()

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def scripts() -> Iterator[Scripts]:
    held = Scripts()
    yield held
    held.end()


def needed(shell: tuple[str, ...]) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed")


@pytest.mark.parametrize("shell", SHELLS)
def test_one_that_ends_in_time_is_left_to_its_end(scripts: Scripts, shell: tuple[str, ...]) -> None:
    needed(shell)
    assert scripts.look(shell, 5) == []
    started = scripts.start("sleep 1; (exit 7)")
    assert scripts.look(shell, 20) == [f"found {started.pid}"]
    assert started.wait(5) == 7
    assert scripts.look(shell, 0) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_one_that_takes_too_long_is_ended_with_its_children(scripts: Scripts, shell: tuple[str, ...]) -> None:
    needed(shell)
    started = scripts.start("sh -c 'sleep 1000; true'; true")
    other = scripts.start("sleep 1000; true", seat=f"{scripts.seat}0")
    (child,) = children(started.pid)
    told = scripts.look(shell, 0)
    assert told[0] == f"found {started.pid}"
    assert told[1].split()[:2] == ["ended", str(started.pid)]
    assert len(told) == 2
    assert started.wait(5) == -signal.SIGKILL
    assert start_ticks(child) is None
    assert other.poll() is None


@pytest.mark.parametrize("shell", SHELLS)
def test_what_a_script_left_behind_is_not_touched(scripts: Scripts, shell: tuple[str, ...]) -> None:
    needed(shell)
    started = scripts.start("sleep 1000 & sleep 1")
    until(lambda: len(children(started.pid)) == 2)
    until(lambda: not any(map(is_marked, children(started.pid))))
    assert started.wait(5) == 0
    assert scripts.look(shell, 0) == []
    os.killpg(started.pid, 0)
    os.killpg(started.pid, signal.SIGKILL)


def test_an_order_is_never_given_beside_an_earlier_one(scripts: Scripts) -> None:
    """It had its time when it is ordered anew; what it says and how it ends are the script's own."""
    earlier = scripts.start("sleep 1000; true")
    told = "echo $HPCVIRT_NODE for $HPCVIRT_BOOT_ID, ${HPCVIRT_SCRIPT-unmarked}; exit 3"
    kernel = Kernel("rt", boot="command", command=("sh", "-c", told))
    with pytest.raises(BootRefused, match="ended with exit status 3: node1 for old, unmarked"):
        asyncio.run(OwnCommand().order(LoginShell(NODE), Visit("small", kernel, 1, "old", seat=scripts.seat)))
    assert earlier.wait(5) == -signal.SIGKILL


def test_a_program_that_is_not_there_is_refused(scripts: Scripts) -> None:
    kernel = Kernel("rt", boot="command", command=("/no/such/boot-node",))
    with pytest.raises(BootRefused, match=r"/no/such/boot-node ended with exit status 127: .*not found"):
        asyncio.run(OwnCommand().order(LoginShell(NODE), Visit("small", kernel, 1, "old", seat=scripts.seat)))


def test_a_script_is_ended_when_it_takes_longer_than_the_boot_may(scripts: Scripts) -> None:
    kernel = Kernel("rt", boot="command", command=("sleep", "1000"), boot_limit_s=0.5)
    with pytest.raises(TimeoutError):
        asyncio.run(OwnCommand().order(LoginShell(NODE), Visit("small", kernel, 1, "old", seat=scripts.seat)))
    assert scripts.look(("sh",), 0) == []


def test_what_a_script_that_takes_too_long_has_begun_is_ended_with_it(scripts: Scripts, tmp_path: Path) -> None:
    """Also in a session of its own: it could reboot a node that somebody else has by then."""
    script = f"setsid sh -c 'echo $$ >{tmp_path}/began; exec sleep 1000' & sleep 1000; true"
    kernel = Kernel("rt", boot="command", command=("sh", "-c", script), boot_limit_s=1.5)
    with pytest.raises(TimeoutError):
        asyncio.run(OwnCommand().order(LoginShell(NODE), Visit("small", kernel, 1, "old", seat=scripts.seat)))
    assert start_ticks(int((tmp_path / "began").read_text())) is None


def until(is_so: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def is_marked(pid: int) -> bool:
    try:
        return b"HPCVIRT_SCRIPT=" in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
