from .netns.fixtures import netns, netns_cluster

__all__ = ["netns", "netns_cluster"]
