"""A process is told from every other one, also from a later one with its pid."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpcvirt.core.process import boot_id, is_alive, is_proved_dead, start_ticks, this_process
from tests.core.factories import DEAD, process


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this machine's id is."""
    path = tmp_path / "machine-id"
    path.write_text("0f1e2d3c4b5a69788796a5b4c3d2e1f0\n")
    monkeypatch.setattr("hpcvirt.core.process.MACHINE_IDS", (path,))
    return path


def test_this_process_is_alive() -> None:
    me = this_process()
    assert (me.pid, me.host, me.boot_id) == (os.getpid(), socket.gethostname(), boot_id())
    assert me.pid_namespace.isdigit()
    assert is_alive(me)
    assert not is_proved_dead(me)


@pytest.mark.parametrize("changed", [{"pid": DEAD}, {"pid_start": 1}, {"boot_id": "another"}])
def test_one_that_would_be_seen_or_whose_machine_rebooted_is_proved_dead(changed: dict[str, str | int]) -> None:
    other = process(**changed)
    assert not is_alive(other)
    assert is_proved_dead(other)


@pytest.mark.parametrize("where", [{"host": "another"}, {"machine": "another"}, {"pid_namespace": "1"}])
@pytest.mark.parametrize("changed", [{}, {"pid": DEAD}, {"pid_start": 1}])
def test_one_that_cannot_be_seen_from_here_is_neither(where: dict[str, str], changed: dict[str, int]) -> None:
    other = process(**where, **changed)
    assert not is_alive(other)
    assert not is_proved_dead(other)


@pytest.mark.parametrize("where", [{"host": "another"}, {"machine": "another"}])
def test_two_hosts_of_one_name_have_different_boot_ids_and_prove_nothing(where: dict[str, str]) -> None:
    assert not is_proved_dead(process(boot_id="another", **where))


def test_after_a_reboot_the_namespace_does_not_matter() -> None:
    assert is_proved_dead(process(boot_id="another", pid_namespace="1"))


@pytest.mark.parametrize("changed", [{"pid": DEAD}, {"boot_id": "another"}])
def test_one_filed_without_its_machine_may_be_seen_alive_and_not_dead(changed: dict[str, str | int]) -> None:
    old = {"machine": "", "pid_namespace": ""}
    assert is_alive(process(**old))
    assert not is_proved_dead(process(**old, **changed))
    assert not is_proved_dead(process(pid_namespace="", pid=DEAD))


def test_a_machine_without_an_id_is_known_by_its_boot_id(machine: Path) -> None:
    """Until it reboots: then nothing says that it is the same machine."""
    for change in (lambda: machine.write_text("\n"), machine.unlink):
        change()
        assert this_process().machine == ""
        assert is_proved_dead(process(pid=DEAD))
        assert not is_proved_dead(process(pid=DEAD, boot_id="another"))
        assert not is_proved_dead(this_process())


def test_the_id_of_a_machine_is_not_shown(machine: Path) -> None:
    assert this_process().machine not in machine.read_text()


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
