"""What is read of a node once per boot."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.environment import parse_environment
from tests.support.shells import COREUTILS, SHELLS, LocalNode, only


def read(node: LocalNode) -> dict[str, str]:
    script = jobs.look(str(node.scratch), environment=True)
    found = jobs.parse_look(script, node.run(script))
    assert found.identity.boot_id is not None
    return dict(found.environment)


@pytest.mark.parametrize("shell", list(SHELLS))
def test_every_shell_reads_the_same(tmp_path: Path, shell: str) -> None:
    words = SHELLS[shell]
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    (tmp_path / "reference").mkdir()
    (tmp_path / "other").mkdir()
    expected = read(LocalNode(tmp_path / "reference"))
    found = read(LocalNode(tmp_path / "other", words))
    assert _lasting(found) == _lasting(expected)
    assert len(_lasting(found)) > 20


def _lasting(values: dict[str, str]) -> dict[str, str]:
    """Tests beside this one mount and unmount, and the shells are different on purpose."""
    return {key: value for key, value in values.items() if not key.startswith(("mount.", "shell."))}


def test_values_are_whole(tmp_path: Path) -> None:
    found = read(LocalNode(tmp_path))
    # Numbers in /proc/sys lose all but their first digit when they are read byte by byte, as shells read.
    assert found["sysctl.vm.min_free_kbytes"] == Path("/proc/sys/vm/min_free_kbytes").read_text().strip()
    assert found["sysctl.net.ipv4.tcp_rmem"].split() == Path("/proc/sys/net/ipv4/tcp_rmem").read_text().split()
    assert found[f"mount.{_mount_of(tmp_path)}"].split()[0] == found["scratch.filesystem"]


def _mount_of(path: Path) -> str:
    return next(str(folder) for folder in (path, *path.parents) if os.path.ismount(folder))


def test_a_bare_node_has_less_and_nothing_is_made_up(tmp_path: Path) -> None:
    bare = read(LocalNode(tmp_path, path=only(tmp_path / "bin", COREUTILS)))
    assert not any(key.startswith(("package.", "compiler.", "mpi.", "sysctl.")) for key in bare)
    assert all(bare.values())


def test_lines_that_are_none_are_passed_over() -> None:
    text = b"os.ID debian\nnonsense\n/odd line\nmount./ \x1b[2Jext4\nsysctl.vm/swappiness 60\n"
    assert parse_environment(text) == {"os.ID": "debian", "mount./": "\ufffd[2Jext4", "sysctl.vm.swappiness": "60"}
