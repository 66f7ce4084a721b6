"""Four nodes of namespaces with Open MPI and MPICH on them, and an operator who runs campaigns over MPI."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clusters.netns import NetnsCluster, needs
from tests.clusters.netns.fixtures import require_or_skip

PROGRAM = [sys.executable, "-P", "-m", "hpcvirt.tui"]
NEEDED = {"mpirun.openmpi": "openmpi-bin", "mpicc.openmpi": "libopenmpi-dev", "mpiexec.hydra": "mpich"}
NEEDED |= {"mpicc.mpich": "libmpich-dev", "hpcc": "hpcc"}

# Nodes that are one machine would talk through its memory.
LAUNCHERS = {
    "openmpi": """
kind = "openmpi"
program = "mpirun.openmpi"
interface = "eth0"
arguments = ["--oversubscribe", "--mca", "btl", "tcp,self", "--mca", "mpi_yield_when_idle", "1"]
""",
    "mpich": 'kind = "mpich"\nprogram = "mpiexec.hydra"\ninterface = "eth0"\n',
    # Two of the processes are not where they were asked for.
    "crowded": """
kind = "own"
argv = ["mpiexec.hydra", "-launcher", "ssh", "-hosts", "node1:4", "-n", "{ranks}"]
""",
    # One process is not started at all.
    "sparing": """
kind = "own"
argv = ["mpiexec.hydra", "-launcher", "ssh", "-hosts", "node1:1,node2:1,node3:1", "-wdir", "/", "-n", "3"]
""",
    # It leaves another launcher behind, with processes on other nodes.
    "leaving": """
kind = "own"
argv = ["/bin/sh", "-c", '''
setsid mpiexec.hydra -launcher ssh -hosts node1:1,node3:1 -wdir / -n 2 sleep 300 >/dev/null 2>&1 </dev/null &
exec mpiexec.hydra -launcher ssh -hosts {hosts} -wdir / -n {ranks} "$@"
''', "launcher"]
""",
}
ENV = 'env = { UCX_TLS = "tcp,self", OMP_NUM_THREADS = "1", OPENBLAS_NUM_THREADS = "1" }'


def lacking() -> str | None:
    """In words, for a skip."""
    missing = [f"{name} ({package})" for name, package in NEEDED.items() if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else needs.missing()


@pytest.fixture(scope="module")
def mpi_cluster() -> Iterator[NetnsCluster]:
    reason = lacking()
    if "mpi" in re.split(r"[,\s]+", os.environ.get("HPCVIRT_REQUIRE", "")) and reason:
        pytest.fail(f"HPCVIRT_REQUIRE asks for MPI, but: {reason}", pytrace=False)
    if reason:
        pytest.skip(f"no MPI over namespaces: {reason}")
    require_or_skip(needs.missing())
    with NetnsCluster() as cluster:
        for kind in ("openmpi", "mpich"):
            program = str(cluster.shared / f"sums.{kind}")
            subprocess.run([f"mpicc.{kind}", "-O1", "-o", program, str(Path(__file__).with_name("sums.c"))], check=True)
        yield cluster


@pytest.fixture
def operator(mpi_cluster: NetnsCluster, tmp_path: Path) -> Iterator[Operator]:
    yield Operator(mpi_cluster, tmp_path)
    for node in mpi_cluster.nodes:
        node.end_strays()
    mpi_cluster.restore()
    mpi_cluster.trust()


@dataclass(frozen=True)
class Operator:
    """Somebody on the login node."""

    cluster: NetnsCluster
    folder: Path

    def write(self, launcher: str, benchmark: str, *, kernels: str = "", runs: int = 1, blocks: int = 1) -> None:
        """The campaign file."""
        nodes = "".join(
            f'[[node]]\nname = "{node.name}"\nscratch = "/scratch"\nuser = "root"\n' for node in self.cluster.nodes
        )
        (self.folder / "mpi.toml").write_text(
            f"""
[campaign]
name = "mpi"
[design]
runs = {runs}
blocks = {blocks}
retries = 0
[launcher]
{LAUNCHERS[launcher]}
[connection]
patience = 20
{nodes}
{kernels or f'[[kernel]]{chr(10)}name = "native"{chr(10)}{ENV}{chr(10)}'}
{benchmark}
"""
        )

    def tell(self, *words: str, limit_s: float = 120) -> subprocess.CompletedProcess[str]:
        """`hpcvirt-tui WORDS` on the login node."""
        return self.cluster.run_login([*PROGRAM, *words], env=self.cluster.client_env, cwd=self.folder, limit_s=limit_s)

    def run(self, limit_s: float = 120) -> subprocess.CompletedProcess[str]:
        """The campaign, to its end; nothing is left on any node."""
        done = self.tell("run", "mpi.toml", limit_s=limit_s)
        assert [node.strays() for node in self.cluster.nodes] == [[], [], [], []]
        return done

    def start(self) -> subprocess.Popen[bytes]:
        """The campaign, left alone."""
        words = [*PROGRAM, "run", "mpi.toml"]
        with (self.folder / "program.log").open("ab") as log:
            return self.cluster.exec_login(words, env=self.cluster.client_env, cwd=self.folder, stdout=log, stderr=log)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a stranger with sqlite3 reads; nothing while there is no database."""
        for database in self.folder.glob("mpi-*.db"):
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
                return connection.execute(sql).fetchall()
        return []

    @property
    def statuses(self) -> list[tuple[str, str]]:
        """Status and reason of every attempt, in their order."""
        return self.rows("SELECT status, reason FROM attempts ORDER BY started_at")
