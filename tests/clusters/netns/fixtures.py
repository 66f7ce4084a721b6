"""The cluster as pytest fixtures; a conftest elsewhere imports them from here."""

import os
import re
from collections.abc import Iterator

import pytest

from .cluster import NetnsCluster
from .needs import missing


def require_or_skip(reason: str | None) -> None:
    """Skip with the reason, or fail where HPCVIRT_REQUIRE (words, by comma or blank) holds `cluster`."""
    if reason is None:
        return
    if "cluster" in re.split(r"[,\s]+", os.environ.get("HPCVIRT_REQUIRE", "")):
        pytest.fail(f"HPCVIRT_REQUIRE asks for the cluster of namespaces, but: {reason}", pytrace=False)
    pytest.skip(f"no cluster of namespaces: {reason}")


@pytest.fixture(scope="module")
def netns_cluster() -> Iterator[NetnsCluster]:
    """Four nodes for the tests of a module, left as each test leaves them."""
    require_or_skip(missing())
    with NetnsCluster() as cluster:
        yield cluster


@pytest.fixture
def netns(netns_cluster: NetnsCluster) -> Iterator[NetnsCluster]:
    """The module's cluster, restored after the test: all nodes on and reachable."""
    yield netns_cluster
    netns_cluster.restore()
