"""How MPI programs are called, and how it is told where their processes came up."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.core.benchmark import Command
from hpcvirt.core.config import parse_campaign
from hpcvirt.core.launcher import AGENT, SCRIPT, Launch, Place, launch, misplaced, needs_of, spread, take_ranks
from hpcvirt.core.model import Launcher, LauncherKind, Node

HERE = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
RUN = "0123abcd" * 4
PLACES = (Place("node1", "n1", "node1.ab", HERE, 2), Place("node2", "n2", "node2.ab", "b" * 36, 1))


@given(st.integers(1, 500), st.integers(1, 64))
def test_all_ranks_are_spread_and_nowhere_is_one_more_than_needed(ranks: int, nodes: int) -> None:
    found = spread(ranks, nodes, 0)
    assert sum(found) == ranks
    assert max(found) - min(found) <= 1
    assert list(found) == sorted(found, reverse=True)


@given(st.integers(1, 500), st.integers(1, 64), st.integers(1, 64))
def test_nodes_are_filled_one_after_the_other_or_they_do_not_fit(ranks: int, nodes: int, per_node: int) -> None:
    found = spread(ranks, nodes, per_node)
    assert bool(found) == (ranks <= nodes * per_node)
    if found:
        assert sum(found) == ranks
        assert [count for count in found if count][:-1] == [per_node] * (len([c for c in found if c]) - 1)


def started(launcher: Launcher, **more: object) -> Launch:
    command = Command(("./own", "a b", "$(touch /nowhere)", "it's"), {"THREADS": "1"}, ranks=3)
    return launch(launcher, PLACES, command, ("wrap", "-x"), {"K": "v w"}, RUN)


def test_open_mpi_and_mpich_are_called_in_their_words() -> None:
    line = started(Launcher(interface="eth1", arguments=("--bind-to", "core"))).line
    assert "mpirun -np 3 --host n1:2,n2:1 " in line
    assert "--mca btl_tcp_if_include eth1 --mca oob_tcp_if_include eth1 --map-by slot --wdir / --bind-to core" in line
    assert line.endswith("wrap -x env 'K=v w' THREADS=1 ./own 'a b' '$(touch /nowhere)' 'it'\"'\"'s'")
    hydra = started(Launcher(LauncherKind.MPICH, "mpiexec", "eth1")).line
    assert hydra.startswith("mpiexec -launcher ssh -hosts n1:2,n2:1 -iface eth1 -wdir / -n 3 wrap -x ")


def test_what_an_operator_says_of_mapping_is_not_said_against() -> None:
    assert "--map-by slot" not in started(Launcher(arguments=("--map-by", "core"))).line


def test_another_launcher_is_called_by_the_operators_words() -> None:
    argv = ("srun", "--ntasks={ranks}", "-N{nodes}", "{hosts}", "{slots}", "{unknown}")
    line = started(Launcher(LauncherKind.OWN, "srun", argv=argv)).line
    assert line.startswith("srun --ntasks=3 -N2 n1,n2 n1:2,n2:1 '{unknown}' wrap -x")


def written(folder: Path, launched: Launch, **programs: str) -> Path:
    for name, text in {**launched.scripts, **programs}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def executed(folder: Path, launcher: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """The launch script, with a launcher that does what ``launcher`` says."""
    argv = ("/bin/sh", "-c", launcher, "launcher")
    told = Launcher(LauncherKind.OWN, "/bin/sh", argv=argv)
    command = Command(("./own", "a b", "it's"), {"THREADS": "1"}, ranks=3)
    work = written(
        folder,
        launch(told, PLACES, command, (), {"K": "v w"}, RUN),
        own='#!/bin/sh\nprintf "%s|" "$@" "$K" "$THREADS" "$HPCVIRT_RUN" "$HPCVIRT_SEAT"\necho late >&2\n',
    )
    return subprocess.run(["./" + SCRIPT], cwd=work, capture_output=True, env={**os.environ, **env}, timeout=20)


def test_a_process_says_where_it_is_and_becomes_the_program(tmp_path: Path) -> None:
    done = executed(tmp_path, 'cd /; "$@"; "$@"')
    assert done.stdout.decode() == f"a b|it's|v w|1|{RUN}|node1.ab|" * 2
    stderr, found = take_ranks(done.stderr, RUN)
    assert stderr == b"late\nlate\n"
    assert found == Counter({HERE: 2})
    assert misplaced(PLACES, found) == "processes of the run were 0 on node2, not 1"
    assert misplaced(PLACES[:1], found) == ""


def test_a_process_on_another_machine_does_not_begin(tmp_path: Path) -> None:
    launched = launch(Launcher(LauncherKind.OWN, argv=("env",)), PLACES[1:], Command(("echo", "hi")), (), {}, RUN)
    work = written(tmp_path, launched)
    done = subprocess.run(["./" + SCRIPT], cwd=work, capture_output=True, timeout=20)
    assert done.returncode == 126
    assert b"none of the nodes of this run" in done.stderr
    assert done.stdout == b""
    assert "1 on a machine that is none of its nodes" in misplaced(PLACES[1:], take_ranks(done.stderr, RUN)[1])


FAKE_SSH = (
    '#!/bin/sh\nprintf "%s\\n" "$@" >"$ASKED"\nfor last; do :; done\n[ -n "${FAILS:-}" ] && exit 255\neval "$last"\n'
)


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    """Where the real ssh would be."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return written(folder, Launch({}, ""), ssh=FAKE_SSH)


def test_the_agent_gives_the_daemon_the_marks_of_its_node(tmp_path: Path, bin_folder: Path) -> None:
    told = """ssh -x -l user n2 printf "'%s|'" "'it'\\''s'" '"$HPCVIRT_RUN"' '"$HPCVIRT_SEAT"' """
    asked = tmp_path / "asked"
    done = executed(tmp_path, told, PATH=f"{bin_folder}:{os.environ['PATH']}", ASKED=str(asked))
    assert done.stdout.decode() == f"it's|{RUN}|node2.ab|", done.stderr
    assert asked.read_text().splitlines()[:7] == ["-x", "-l", "user", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20"]
    assert (tmp_path / AGENT).exists()


def test_an_agent_whose_ssh_fails_ends_the_launcher_that_would_wait(tmp_path: Path, bin_folder: Path) -> None:
    path = f"{bin_folder}:{os.environ['PATH']}"
    told = "ssh n2 true; while :; do sleep 0.1; done"
    done = executed(tmp_path, told, PATH=path, ASKED=str(tmp_path / "asked"), FAILS="1")
    assert done.returncode == -15
    assert b"ssh from this node to n2 failed" in done.stderr


def test_lines_of_other_runs_are_left_alone() -> None:
    text = b"@hpcvirt-rank 99 aa host\nx@hpcvirt-rank " + RUN.encode() + b" aa-bb host\ny"
    assert take_ranks(text, RUN) == (b"@hpcvirt-rank 99 aa host\nxy", Counter({"aa-bb": 1}))


def test_what_others_call_a_node_is_a_guests_address_in_its_kernel() -> None:
    node = Node("node1", "dialled", addresses={"guest": "guest1"}, inner_host="inner1")
    assert (node.called_by_others("guest"), node.called_by_others("stock")) == ("guest1", "inner1")
    assert Node("node1", "dialled").called_by_others("guest") == "dialled"


GUESTS = """
[campaign]
name = "guests"
[[node]]
name = "node[1-3]"
host = "10.0.0.[1-3]"
address = { guest = "10.1.0.[1-3]" }
[[kernel]]
name = "guest"
[[kernel]]
name = "other"
[[benchmark]]
plugin = "npb"
parameters = { ranks = 3 }
"""


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        (GUESTS, "10.1.0.2 10.1.0.3 10.0.0.2 10.0.0.3"),
        # What is to be booted cannot be asked now.
        (
            GUESTS.replace(
                'name = "guest"', 'name = "guest"\nboot = "command"\ncommand = ["reboot"]\nexpect = { release = "6.*" }'
            ),
            "10.0.0.2 10.0.0.3",
        ),
    ],
)
def test_check_asks_those_whom_a_run_calls(text: str, hosts: str) -> None:
    campaign = parse_campaign(text)
    first, *others = campaign.nodes
    (asked,) = [need.command for need in needs_of(campaign, first) if "ssh" in need.command]
    assert f"for h in {hosts};" in asked
    assert not any("ssh" in need.command for other in others for need in needs_of(campaign, other))
