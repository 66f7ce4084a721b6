"""The cluster of namespaces, where there is one."""

from tests.clusters.faults.conftest import scene
from tests.clusters.netns.fixtures import netns, netns_cluster

__all__ = ["netns", "netns_cluster", "scene"]
