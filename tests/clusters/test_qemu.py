"""One real node, rebooted by the real program into two real kernels, and a verdict at the end."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.campaigns import PROGRAM

from .qemu import QemuCluster, missing, ready_image

pytestmark = [pytest.mark.qemu, pytest.mark.slow, pytest.mark.timeout(1500)]

CAMPAIGN = """
[campaign]
name = "real"
[design]
runs = 4
blocks = 2
seed = 3
[analysis]
baseline = "stock"
{nodes}{kernels}
[[benchmark]]
plugin = "stream"
parameters = {{ array_size = 200000 }}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QemuCluster]:
    lacking = missing()
    if lacking is not None:
        pytest.skip(f"no node under QEMU: {lacking}")
    with QemuCluster(ready_image(), tmp_path_factory.mktemp("qemu") / "cluster") as nodes:
        yield nodes


def test_two_real_kernels_two_blocks_stream_and_a_verdict(cluster: QemuCluster, tmp_path: Path) -> None:
    node = cluster.nodes[0]
    kernels = "".join(f"{table}boot_limit = 400\n" for table in _with_arguments(cluster.kernel_tables()))
    campaign = tmp_path / "real.toml"
    campaign.write_text(CAMPAIGN.format(nodes=cluster.tables(), kernels=kernels))
    before = cluster.run(node, "sudo -n grub-editenv list")

    checked = program(tmp_path, "check", "real.toml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "kernel rt: boot entry Advanced options for Debian GNU/Linux > " in checked.stdout

    started = time.monotonic()
    done = program(tmp_path, "run", "--yes", "real.toml")
    print(done.stdout[-2000:], f"{time.monotonic() - started:.0f} s", sep="\n")
    assert done.returncode == 0, done.stdout + done.stderr + node.console()

    (database,) = tmp_path.glob("real-*.db")
    with sqlite3.connect(database) as connection:
        boots = connection.execute("SELECT kernel, rebooted, boot_id FROM boots ORDER BY id").fetchall()
        told = connection.execute(
            """SELECT boots.kernel, content ->> 'release', content ->> 'version', content ->> 'cmdline', nonce
               FROM boots JOIN identities ON identities.id = boots.identity JOIN bringups ON bringups.boot = boots.id"""
        ).fetchall()
        steps = connection.execute(
            "SELECT count(*), count(gone_at), count(proved_at), count(failed_at) FROM bringups"
        ).fetchall()
        values = connection.execute("SELECT kernel, count(*) FROM results GROUP BY 1 ORDER BY 1").fetchall()
    assert sorted(kernel for kernel, *_ in boots) == ["rt", "rt", "stock", "stock"]
    assert {rebooted for _, rebooted, _ in boots} == {1}
    assert len({boot_id for *_, boot_id in boots}) == 4
    assert steps == [(4, 4, 4, 0)]
    for kernel, release, version, cmdline, nonce in told:
        assert ("-rt-" in release) is (kernel == "rt")
        assert ("PREEMPT_RT" in version) is (kernel == "rt")
        assert nonce in cmdline.split()
        assert cmdline.split()[-2:] == ["quiet", "hpcvirt.test=1"]
    assert values == [("rt", 16), ("stock", 16)]

    verdicts = program(tmp_path, "analyze", "--format", "json", str(database))
    assert verdicts.returncode == 0, verdicts.stderr
    assert "verdict" in json.dumps(json.loads(verdicts.stdout))

    after = cluster.run(node, "sudo -n grub-editenv list")
    assert _default(after) == _default(before)
    assert "hpcvirt" not in after


def _with_arguments(tables: str) -> list[str]:
    parts = [part for part in tables.split("[[kernel]]\n") if part]
    return [f'[[kernel]]\narguments = "quiet hpcvirt.test=1"\n{part}' for part in parts]


def _default(listed: str) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in listed.splitlines() if "=" in line)
    return {key: value for key, value in pairs if value}


def program(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "HOME": str(folder)}
    return subprocess.run([*PROGRAM, *words], cwd=folder, env=env, capture_output=True, text=True, timeout=1200)
