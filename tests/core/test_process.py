"""A process is told from every other one, also from a later one with its pid."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpcvirt.core.process import boot_id, is_alive, is_here, start_ticks, this_process
from tests.core.factories import DEAD, process


def test_this_process_is_alive_and_here() -> None:
    me = this_process()
    assert (me.pid, me.host, me.boot_id) == (os.getpid(), socket.gethostname(), boot_id())
    assert is_alive(me)
    assert is_here(me)


@pytest.mark.parametrize("changed", [{"pid": DEAD}, {"pid_start": 1}, {"boot_id": "another"}, {"host": "another"}])
def test_each_of_the_four_must_fit(changed: dict[str, str | int]) -> None:
    other = process(**changed)
    assert not is_alive(other)
    assert is_here(other) == ("host" not in changed)


def test_start_ticks_are_those_of_proc() -> None:
    stat = Path("/proc/self/stat").read_text()
    assert start_ticks(os.getpid()) == int(stat.rpartition(")")[2].split()[19])


def test_a_name_with_blanks_and_brackets_is_no_hindrance() -> None:
    code = "open('/proc/self/comm', 'w').write('a) R 1 (b'); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = start_ticks(child.pid)
        child.communicate(b"\n")
    mine = start_ticks(os.getpid())
    assert found is not None
    assert mine is not None
    assert found >= mine


def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen(["true"])
    give_up_at = time.monotonic() + 10
    while start_ticks(child.pid) is not None and time.monotonic() < give_up_at:
        time.sleep(0.005)
    assert Path(f"/proc/{child.pid}").exists()
    assert start_ticks(child.pid) is None
    child.wait()
    assert start_ticks(child.pid) is None
