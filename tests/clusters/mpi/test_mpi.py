"""MPI programs over four nodes of OpenSSH: started, counted, placed, proved; and what goes wrong with them."""

from __future__ import annotations

import os
import signal
import time
import zlib

import pytest

from tests.clusters.mpi.conftest import ENV, Operator

pytestmark = [pytest.mark.cluster, pytest.mark.mpi, pytest.mark.timeout(240)]

SUMS = """
[[benchmark]]
plugin = "command"
timeout = {timeout}
{more}
parameters = {{ argv = "/shared/sums.{kind} {words}", ranks = {ranks}, {metrics} }}
"""
# Over TCP between namespaces, some processes of MPICH wait for ever in MPI_Finalize after they have talked: no rounds.
METRICS = 'metrics = "rate 1/s higher regex stdout \'rate: (.*)\'", expect = "ranks: [46]"'
BOTH = pytest.mark.parametrize("kind", ["openmpi", "mpich"])


def sums(kind: str, words: str = "0", *, ranks: int = 4, timeout: int = 60, more: str = "") -> str:
    return SUMS.format(kind=kind, words=words, ranks=ranks, timeout=timeout, more=more, metrics=METRICS)


def test_processes_that_talk(operator: Operator) -> None:
    operator.write("openmpi", sums("openmpi", "100"), runs=3)
    done = operator.run()
    assert done.returncode == 0, (done.stderr, operator.statuses)
    assert operator.rows("SELECT count(*) FROM results WHERE metric = 'rate' AND value > 0") == [(3,)]


@BOTH
def test_a_campaign_over_all_nodes(operator: Operator, kind: str) -> None:
    wrapped = f'[[kernel]]\nname = "wrapped"\nwrap = ["/usr/bin/env", "WRAPPED=1"]\n{ENV}\n'
    probe = 'expect = { probe = { command = "echo ${WRAPPED:-0}", matches = "1" } }\n'
    kernels = f'[[kernel]]\nname = "native"\n{ENV}\n{wrapped}{probe}'
    operator.write(kind, sums(kind), kernels=kernels, runs=2, blocks=2)
    done = operator.run()
    assert done.returncode == 0, (done.stderr, operator.statuses)
    assert operator.statuses == [("ok", "")] * 4
    assert operator.rows("SELECT DISTINCT node FROM results") == [("*",)]
    told = operator.rows(
        """SELECT attempt, count(*), count(DISTINCT before.content ->> 'boot_id'),
                  sum(before.content ->> 'probe' = '1') FROM attempt_nodes
           JOIN identities before ON before.id = identity_before AND identity_before = identity_after GROUP BY 1"""
    )
    assert [(count, lives) for _, count, lives, _ in told] == [(4, 4)] * 4
    assert sorted(probed or 0 for *_, probed in told) == [0, 0, 4, 4]
    lines = [line for (line,) in operator.rows("SELECT DISTINCT launched FROM attempts")]
    assert len(lines) == 2
    assert all("node1:1,node2:1,node3:1,node4:1" in line and f"/shared/sums.{kind} 0" in line for line in lines)
    checked = operator.rows("SELECT DISTINCT name FROM artifact_checks WHERE name LIKE 'mpi%'")
    assert checked == [("mpirun.openmpi" if kind == "openmpi" else "mpiexec.hydra",)]
    (database,) = operator.folder.glob("mpi-*.db")
    analysed = operator.tell("analyze", database.name)
    assert analysed.returncode == 0, analysed.stderr
    assert "rate" in analysed.stdout


def test_more_ranks_than_nodes_are_spread_or_packed(operator: Operator) -> None:
    operator.write("mpich", sums("mpich", ranks=6) + sums("mpich", "0 1", more="ranks_per_node = 2"))
    done = operator.run()
    assert done.returncode == 0, (done.stderr, operator.statuses)
    lines = {line for (line,) in operator.rows("SELECT launched FROM attempts")}
    assert any("node1:2,node2:2,node3:1,node4:1" in line for line in lines)
    assert any("-hosts node1:2,node2:2 " in line for line in lines)


def test_processes_elsewhere_than_asked_are_another_experiment(operator: Operator) -> None:
    operator.write("crowded", sums("mpich"))
    done = operator.run()
    assert done.returncode == 1, done.stderr
    ((status, reason),) = operator.statuses
    assert status == "failed"
    assert reason.startswith("processes of the run were 4 on node1, not 1, 0 on node2, not 1")


def test_fewer_processes_than_asked_are_another_experiment(operator: Operator) -> None:
    """That the output is not verified either says less."""
    operator.write("sparing", sums("mpich"))
    assert operator.run().returncode == 1
    assert operator.statuses == [("failed", "processes of the run were 0 on node4, not 1")]


def test_a_launcher_that_is_left_over_is_ended_on_every_node(operator: Operator) -> None:
    operator.write("leaving", sums("mpich", "0 4"), runs=2)
    runner = operator.start()
    nodes = [operator.cluster["node1"], operator.cluster["node3"]]
    give_up_at = time.monotonic() + 40
    while not all(any(" ".join(one.argv) == "sleep 300" for one in node.processes()) for node in nodes):
        assert time.monotonic() < give_up_at, (operator.folder / "program.log").read_text()
        time.sleep(0.02)
    assert runner.wait(100) == 0, (operator.folder / "program.log").read_text()
    assert operator.statuses == [("ok", "")] * 2
    assert [node.strays() for node in operator.cluster.nodes] == [[], [], [], []]
    told = [words for (words,) in operator.rows("SELECT message FROM events WHERE level = 'warning'")]
    assert any("were still there, and were ended" in words for words in told), told


def test_processes_of_guests_are_started_at_their_addresses(operator: Operator) -> None:
    kernels = f'[[kernel]]\nname = "guest"\n{ENV}\n[[kernel]]\nname = "other"\n{ENV}\n'
    operator.write("mpich", sums("mpich"), kernels=kernels, runs=1)
    campaign = operator.folder / "mpi.toml"
    text = campaign.read_text()
    for node in operator.cluster.nodes:
        own = f'name = "{node.name}"\n'
        text = text.replace(own, f'{own}address = {{ guest = "{node.address}" }}\n')
    campaign.write_text(text)
    assert operator.tell("check", "mpi.toml").returncode == 0
    done = operator.run()
    assert done.returncode == 0, (done.stderr, operator.statuses)
    lines = {line.split("-hosts ")[1].split()[0] for (line,) in operator.rows("SELECT launched FROM attempts")}
    guests = ",".join(f"{node.address}:1" for node in operator.cluster.nodes)
    assert lines == {guests, "node1:1,node2:1,node3:1,node4:1"}


@BOTH
def test_a_killed_rank_is_a_failure(operator: Operator, kind: str) -> None:
    operator.write(kind, sums(kind, "100 0 2"))
    assert operator.run().returncode == 1
    ((status, reason),) = operator.statuses
    assert status == "failed"
    assert "exit status" in reason


@BOTH
def test_a_host_key_that_another_node_does_not_know(operator: Operator, kind: str) -> None:
    """MPICH's launcher would wait for ten minutes."""
    known = operator.cluster.nodes[0].path("/etc/ssh/ssh_known_hosts")
    known.write_text("".join(line for line in known.read_text().splitlines(True) if not line.startswith("node3")))
    operator.write(kind, sums(kind))
    begun = time.monotonic()
    assert operator.run().returncode == 1
    assert time.monotonic() - begun < 50
    ((status, _),) = operator.statuses
    assert status == "failed"
    (stderr,) = operator.rows("SELECT stderr FROM attempts")
    assert b"Host key verification failed" in zlib.decompress(stderr[0])
    assert b"ssh from this node to node3 failed" in zlib.decompress(stderr[0])


def test_check_finds_that_beforehand(operator: Operator) -> None:
    operator.write("openmpi", sums("openmpi"))
    assert operator.tell("check", "mpi.toml").returncode == 0
    known = operator.cluster.nodes[0].path("/etc/ssh/ssh_known_hosts")
    known.write_text("".join(line for line in known.read_text().splitlines(True) if not line.startswith("node3")))
    checked = operator.tell("check", "mpi.toml")
    assert checked.returncode == 4
    assert "cannot reach all others by ssh" in checked.stdout
    assert "node3: Host key verification failed" in " ".join(checked.stdout.split())


def test_a_program_that_one_node_lacks(operator: Operator) -> None:
    for node in operator.cluster.nodes[:3]:
        node.path("/scratch/sums").write_bytes((operator.cluster.shared / "sums.openmpi").read_bytes())
        node.path("/scratch/sums").chmod(0o755)
    operator.write("openmpi", sums("openmpi").replace("/shared/sums.openmpi", "/scratch/sums"))
    assert operator.run().returncode == 4
    assert operator.statuses == []
    assert operator.rows("SELECT name FROM nodes WHERE state = 'set aside'") == [("node4",)]
    ((told,),) = operator.rows("SELECT message FROM events WHERE message LIKE 'runs of all nodes wait%'")
    assert "node4" in told


@BOTH
def test_a_launcher_that_outlives_its_runner_is_waited_for(operator: Operator, kind: str) -> None:
    operator.write(kind, sums(kind, "0 3"))
    runner = operator.start()
    give_up_at = time.monotonic() + 40
    while not any("sums" in " ".join(one.argv) for one in operator.cluster.nodes[2].processes()):
        assert time.monotonic() < give_up_at, (operator.folder / "program.log").read_text()
        time.sleep(0.02)
    os.killpg(runner.pid, signal.SIGKILL)
    runner.wait()
    done = operator.run()
    assert done.returncode == 0, (done.stderr, operator.statuses)
    assert operator.statuses == [("ok", "")]


def test_too_long_a_run_ends_on_every_node(operator: Operator) -> None:
    operator.write("openmpi", sums("openmpi", "0 300", timeout=6))
    assert operator.run().returncode == 1
    assert operator.statuses == [("timeout", "longer than 6 s; its report was already complete")]


@pytest.mark.slow
def test_hpcc_over_four_nodes(operator: Operator) -> None:
    operator.write(
        "openmpi", '[[benchmark]]\nplugin = "hpcc"\ntimeout = 200\nparameters = { n = 200, nb = 40, p = 2, q = 2 }\n'
    )
    done = operator.run(limit_s=220)
    assert done.returncode == 0, (done.stderr, operator.statuses)
    assert operator.statuses[0][0] == "ok"
    measured = {name for (name,) in operator.rows("SELECT metric FROM results")}
    assert {"HPL_Tflops", "PTRANS_GBs", "MPIFFT_Gflops", "StarSTREAM_Triad"} <= measured
    assert operator.rows("SELECT count(*) FROM attempt_nodes") == [(4,)]
