"""A cluster of real OpenSSH nodes in network namespaces; see README.md beside this package."""

from .cluster import NetnsCluster
from .fakes import Kernel
from .layout import USER, USER_HOME, Client, NodePlan
from .needs import missing
from .node import Node
from .spaces import Process

__all__ = ["USER", "USER_HOME", "Client", "Kernel", "NetnsCluster", "Node", "NodePlan", "Process", "missing"]
