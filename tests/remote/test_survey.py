"""One look at a node before a campaign: everything in one script, and nothing changed."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from hpcvirt.core.errors import OutputUnparsable
from hpcvirt.core.model import Expect, Kernel, Probe
from hpcvirt.core.remote.survey import Survey, parse_survey, survey

PLAIN = Kernel("plain")


def asked(scratch: Path, *kernels: Kernel, commands: tuple[str, ...] = (), before: str = "") -> Survey:
    script = survey(str(scratch), kernels, commands)
    done = subprocess.run(["/bin/sh"], input=before.encode() + script.text, capture_output=True, check=True, timeout=60)
    return parse_survey(script, done.stdout)


def test_a_node_as_it_is(tmp_path: Path) -> None:
    found = asked(tmp_path)
    assert found.identity.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert found.clock_s is not None
    assert abs(found.clock_s - time.time()) < 60
    assert (found.place, found.is_writable, found.noise) == (str(tmp_path), True, "")
    assert found.filesystem
    assert {"rw", "ro"} & set(found.options)
    stat = os.statvfs(tmp_path)
    assert found.free_kib is not None
    assert found.free_kib <= stat.f_blocks * stat.f_frsize // 1024
    assert found.load is not None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_to_be_made_is_looked_for_above(tmp_path: Path) -> None:
    found = asked(tmp_path / "none of it" / "deep")
    assert (found.place, found.is_writable) == (str(tmp_path), True)
    assert asked(Path("/no-such-folder")).place == "/"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everything")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0o500)
    assert not asked(tmp_path / "shut").is_writable


def test_a_login_shell_that_talks_is_heard(tmp_path: Path) -> None:
    assert asked(tmp_path, before="echo Welcome to '\\033[31m' the cluster\n").noise.startswith("Welcome to")


def test_kernels_are_looked_at_within_their_wraps(tmp_path: Path) -> None:
    marked = Kernel(
        "marked", wrap=("env", "MARK=here"), env={"OTHER": "too"}, expect=Expect(probe=Probe("echo $MARK$OTHER", "*"))
    )
    broken = Kernel("broken", wrap=("no-such-wrap",))
    found = asked(tmp_path, PLAIN, marked, broken)
    assert [one.boot_id is not None for one in found.kernels] == [True, True, False]
    assert found.kernels[1].probe == "heretoo"
    assert "no-such-wrap" in found.kernel_words[2]


def test_needs_answer_in_their_order(tmp_path: Path) -> None:
    found = asked(tmp_path, commands=("true", "echo why not; exit 3", "no-such-command", "exit 0", "cat"))
    assert [one.status for one in found.needs] == [0, 3, 127, 0, 0]
    assert found.needs[1].words == "why not"


def test_more_than_ten_stay_in_their_order(tmp_path: Path) -> None:
    found = asked(tmp_path, commands=tuple(f"exit {number}" for number in range(12)))
    assert [one.status for one in found.needs] == list(range(12))


def test_half_an_answer_is_none(tmp_path: Path) -> None:
    script = survey(str(tmp_path), (), ())
    done = subprocess.run(["/bin/sh"], input=script.text, capture_output=True, check=True, timeout=60)
    with pytest.raises(OutputUnparsable):
        parse_survey(script, done.stdout[:-20])
