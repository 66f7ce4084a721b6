"""What a node does to a campaign, and a campaign to a node: over OpenSSH, as an operator runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.test_lab_campaign import rows, the_database, wait_for
from tests.support.campaigns import PROGRAM, environment, ssh_campaign, write_campaign
from tests.support.ledger import LedgerFolder, assert_accounts

from .netns import NetnsCluster, needs
from .netns.fixtures import require_or_skip

pytestmark = pytest.mark.cluster

SCRATCH = 16 * 2**20


@pytest.fixture(scope="module")
def two() -> Iterator[NetnsCluster]:
    require_or_skip(needs.missing())
    with NetnsCluster(2, scratch_size=SCRATCH, storage="4g") as cluster:
        yield cluster


@pytest.fixture
def cluster(two: NetnsCluster) -> Iterator[NetnsCluster]:
    yield two
    for node in two.nodes:
        node.set_clock(0)
        node.free_scratch()
    two.restore()


class Operator:
    """Somebody on the login node, with a folder of his own."""

    def __init__(self, cluster: NetnsCluster, ledger: LedgerFolder, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        folder.mkdir(exist_ok=True)
        name = f"ledgers-{time.monotonic_ns()}"
        (cluster.shared / name).mkdir(mode=0o777)
        self.ledger = LedgerFolder(ledger.site, cluster.shared / name)
        self._seen_from_nodes = LedgerFolder(ledger.site, Path("/shared", name))

    @property
    def database(self) -> Path:
        return the_database(self.folder)

    def campaign(self, nodes: str | None = None, **settings: object) -> Path:
        text = ssh_campaign(self._seen_from_nodes, nodes or self.nodes(), **settings)
        return write_campaign(self.folder, text)

    def nodes(self, scratch: str = "/var/tmp") -> str:
        tables = (f'[[node]]\nname = "{one.name}"\nscratch = "{scratch}/{one.name}"\n' for one in self.cluster.nodes)
        return "\n".join(tables)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        env = environment(self.ledger, **self.cluster.client_env)
        env["PYTHONPATH"] = str(self.ledger.site)
        log = (self.folder / "log").open("a")
        return self.cluster.exec_login([*PROGRAM, *words], env=env, cwd=self.folder, stdout=log, stderr=log)

    def run(self, *words: str, limit_s: float = 100) -> int:
        return self.begin(*words).wait(limit_s)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture
def alice(cluster: NetnsCluster, ledger: LedgerFolder, tmp_path: Path) -> Operator:
    return Operator(cluster, ledger, tmp_path / "alice")


@pytest.fixture
def bob(cluster: NetnsCluster, ledger: LedgerFolder, tmp_path: Path) -> Operator:
    return Operator(cluster, ledger, tmp_path / "bob")


def locks(cluster: NetnsCluster) -> list[str]:
    found = "ls -d /run/lock/hpcvirt-* /dev/shm/hpcvirt-* /tmp/hpcvirt-* 2>/dev/null; :"
    return [line for node in cluster.nodes for line in node.run(["sh", "-c", found]).stdout.split()]


def test_two_campaigns_are_kept_off_one_node(cluster: NetnsCluster, alice: Operator, bob: Operator) -> None:
    first = alice.begin("run", str(alice.campaign(runs=4, seconds=1.5)))
    wait_for([(2,)], alice.folder, "SELECT count(*) FROM nodes WHERE state = 'running'")
    assert bob.run("run", str(bob.campaign(runs=2))) == 4
    assert f"held by root@login, campaign small, process {first.pid}, since " in bob.log
    assert rows(bob.database, "SELECT count(*) FROM attempts") == [(0,)]
    assert first.wait(100) == 0, alice.log
    assert_accounts(alice.ledger, alice.database)
    assert locks(cluster) == []
    assert bob.run("run", str(bob.folder / "small.toml")) == 0, bob.log
    assert_accounts(bob.ledger, bob.database)
    assert locks(cluster) == []


def test_a_run_that_outlives_its_runner_keeps_the_node(cluster: NetnsCluster, alice: Operator, bob: Operator) -> None:
    first = alice.begin("run", str(alice.campaign(runs=2, seconds=4)))
    wait_for([(2,)], alice.folder, "SELECT count(*) FROM nodes WHERE state = 'running'")
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert bob.run("run", str(bob.campaign(runs=2))) == 4
    assert "held by" in bob.log
    assert alice.run("run", str(alice.folder / "small.toml")) == 0, alice.log
    assert_accounts(alice.ledger, alice.database)
    assert locks(cluster) == []


def test_one_machine_under_two_names_is_refused_before_anything_runs(alice: Operator) -> None:
    tables = '[[node]]\nname = "one"\nhost = "node1"\n[[node]]\nname = "other"\nhost = "198.18.77.11"\n'
    address = alice.cluster.nodes[0].address
    hosts = alice.cluster.client.known_hosts
    assert address in hosts.read_text()
    assert alice.run("run", str(alice.campaign(tables.replace("198.18.77.11", address)))) == 4
    assert "one and other are one machine: node1" in alice.log
    assert rows(alice.database, "SELECT count(*) FROM attempts") == [(0,)]


def test_a_full_scratch_sets_its_node_aside_and_the_other_goes_on(cluster: NetnsCluster, alice: Operator) -> None:
    node = cluster.nodes[0]
    campaign = alice.campaign(alice.nodes("/scratch"), runs=2)
    node.fill_scratch()
    assert alice.run("run", str(campaign)) == 4, alice.log
    assert rows(alice.database, "SELECT name, state FROM nodes") == [("node1", "set aside"), ("node2", "done")]
    assert rows(alice.database, "SELECT DISTINCT node FROM results") == [("node2",)]
    assert "cannot be written: is it full?" in alice.log
    assert locks(cluster) == []
    node.free_scratch()
    assert alice.run("run", str(campaign)) == 0, alice.log
    assert_accounts(alice.ledger, alice.database)


def test_output_that_fills_the_scratch_is_no_result(cluster: NetnsCluster, alice: Operator) -> None:
    settings = {"runs": 1, "blocks": 1, "retries": 0, "mode": "flood"}
    assert alice.run("run", str(alice.campaign(alice.nodes("/scratch"), **settings))) in {1, 4}
    assert rows(alice.database, "SELECT count(*) FROM results") == [(0,)]
    ended = {str(status) for (status,) in rows(alice.database, "SELECT DISTINCT status FROM attempts")}
    assert ended <= {"failed", "void", "lost"}, alice.log
    assert [path.name for node in cluster.nodes for path in node.path("/scratch").rglob("out")] == [], alice.log


def test_a_clock_that_jumps_does_not_change_a_duration(cluster: NetnsCluster, alice: Operator) -> None:
    node = cluster.nodes[0]
    running = alice.begin("run", str(alice.campaign(runs=2, blocks=1, seconds=3)))
    wait_for([(2,)], alice.folder, "SELECT count(*) FROM nodes WHERE state = 'running'")
    time.sleep(1.5)
    node.set_clock(-7200)
    assert running.wait(100) == 0, alice.log
    shortest, longest = rows(alice.database, "SELECT min(duration_s), max(duration_s) FROM attempts")[0]
    assert 2.9 < float(str(shortest)) <= float(str(longest)) < 5
    alice.run("status", str(alice.database))
    assert "clocks: the node's jumped in 1 run (node1 under native: 1 of 2), at most by -7200.0 s; " in alice.log


def test_what_a_benchmark_leaves_behind_is_ended(cluster: NetnsCluster, alice: Operator) -> None:
    assert alice.run("run", str(alice.campaign(runs=2, blocks=1, mode="fork"))) == 0, alice.log
    assert_accounts(alice.ledger, alice.database)
    told = rows(alice.database, "SELECT count(*) FROM events WHERE message LIKE '%were still there, and were ended'")
    assert told == [(6,)], "four runs on each of two nodes, the first without a predecessor"
    give_up_at = time.monotonic() + 5
    while any(node.strays() for node in cluster.nodes) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert [stray.argv for node in cluster.nodes for stray in node.strays() if stray.state != "Z"] == []


def test_a_gigabyte_of_output_leaves_the_runner_small(alice: Operator) -> None:
    running = alice.begin("run", str(alice.campaign(runs=1, blocks=1, mode="zeros", timeout=100)))
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0, alice.log
    assert rows(alice.database, "SELECT DISTINCT status, truncated FROM attempts") == [("ok", 1)]
    assert rows(alice.database, "SELECT max(length(stdout)) < 1000000 FROM attempts") == [(1,)]
    assert usage.ru_maxrss < 400 * 1024, f"{usage.ru_maxrss} KiB"
