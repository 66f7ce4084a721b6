"""Real benchmarks that need no MPI, over four nodes of OpenSSH with a disk below their scratch folders."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.clusters.netns import NetnsCluster, needs
from tests.clusters.netns.fixtures import require_or_skip

pytestmark = [pytest.mark.cluster, pytest.mark.bonnie, pytest.mark.slow, pytest.mark.timeout(240)]

PROGRAM = [sys.executable, "-P", "-m", "hpcvirt.tui"]
SIZE_MIB = 2
"""Of the file: written and read byte by byte on four nodes that share two processors."""
USERS = ("root", "root", "bench", "bench")
IN_MEMORY = {"tmpfs", "ramfs", "devtmpfs", "overlay"}
"""An overlay's files are where its upper layer is, which nobody can see."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[NetnsCluster]:
    if shutil.which("bonnie++", path="/usr/bin:/usr/sbin") is None:
        pytest.skip("needs bonnie++")
    require_or_skip(needs.missing())
    # The folder for temporary files may be in memory; this one outlives reboots.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="hpcvirt-disk-") as disk:
        Path(disk).chmod(0o755)
        with NetnsCluster(disk=Path(disk)) as cluster:
            yield cluster


def test_bonnie_over_four_nodes(cluster: NetnsCluster, tmp_path: Path) -> None:
    nodes = "".join(
        f'[[node]]\nname = "{node.name}"\nscratch = "/scratch"\nuser = "{user}"\n'
        for node, user in zip(cluster.nodes, USERS, strict=True)
    )
    for node in cluster.nodes:
        node.path("/scratch").chmod(0o1777)
    (tmp_path / "bonnie.toml").write_text(
        f"""
[campaign]
name = "bonnie"
[design]
runs = 1
blocks = 1
retries = 0
{nodes}
[[kernel]]
name = "native"
[[kernel]]
name = "wrapped"
wrap = ["/usr/bin/env", "WRAPPED=1"]
expect = {{ probe = {{ command = "echo ${{WRAPPED:-0}}", matches = "1" }} }}
[[benchmark]]
plugin = "bonnie"
timeout = 150
parameters = {{ size_mib = {SIZE_MIB} }}
"""
    )
    words = [*PROGRAM, "run", "bonnie.toml"]
    done = cluster.run_login(words, env=cluster.client_env, cwd=tmp_path, limit_s=220)
    (database,) = tmp_path.glob("bonnie-*.db")
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        attempts = connection.execute("SELECT status, reason, node FROM attempt_list").fetchall()
        environments = [json.loads(text) for (text,) in connection.execute("SELECT content FROM environments")]
        conditions = connection.execute(
            """SELECT node, content FROM fetched JOIN attempt_list ON attempt_list.id = fetched.attempt
               WHERE name = 'conditions' ORDER BY node"""
        ).fetchall()
        measured = connection.execute(
            """SELECT metric, count(DISTINCT node), count(*), min(value) FROM results
               WHERE metric NOT LIKE '%cpu' GROUP BY 1"""
        ).fetchall()
        hashed = connection.execute("SELECT count(DISTINCT sha256) FROM artifact_checks WHERE name = 'bonnie++'")
        assert hashed.fetchall() == [(1,)]
    assert done.returncode == 0, (done.stderr, attempts)
    told = f"cached: the file has {SIZE_MIB} MiB, the node "
    assert [(status, reason.startswith(told)) for status, reason, _ in attempts] == [("ok", True)] * 8
    # Root drops them, others cannot, and that is recorded with each result.
    users = dict(zip((node.name for node in cluster.nodes), USERS, strict=True))
    for _, reason, node in attempts:
        ending = "dropped" if users[node] == "root" else "not dropped: that takes root"
        assert reason.endswith(f"before the run caches were {ending}"), attempts
    found = [(node, zlib.decompress(text)) for node, text in conditions]
    assert len(found) == 8
    for node, text in found:
        assert (b"caches dropped\n" if users[node] == "root" else b"caches kept\n") in text
    for environment in environments:
        assert environment["scratch.filesystem"] not in IN_MEMORY
        assert environment["scratch.device"]
    by_byte = {name: counted for name, *counted in measured}
    for name in ("seq_out_char", "seq_in_char", "real"):
        nodes_of, count, least = by_byte[name]
        assert (nodes_of, count, least > 0) == (4, 8, True)
    assert all(node.strays() == [] for node in cluster.nodes)
    assert [list(node.path("/scratch").rglob("Bonnie*")) for node in cluster.nodes] == [[], [], [], []]
