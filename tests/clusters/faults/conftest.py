from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters.faults.scene import Scene
from tests.clusters.netns import NetnsCluster, needs
from tests.clusters.netns.fixtures import netns, netns_cluster, require_or_skip

__all__ = ["netns", "netns_cluster"]

SCRATCH_BYTES = 16 << 20


@pytest.fixture
def scene(netns: NetnsCluster, tmp_path: Path) -> Scene:
    return Scene(netns, tmp_path)


@pytest.fixture(scope="module")
def wired_cluster() -> Iterator[NetnsCluster]:
    """Two nodes on cables that can be slow, with small scratch disks."""
    require_or_skip(needs.missing(wire=True))
    with NetnsCluster(2, wire=True, scratch_size=SCRATCH_BYTES) as cluster:
        yield cluster


@pytest.fixture
def wired(wired_cluster: NetnsCluster, tmp_path: Path) -> Iterator[Scene]:
    yield Scene(wired_cluster, tmp_path)
    for node in wired_cluster.nodes:
        node.free_scratch()
    wired_cluster.restore()
