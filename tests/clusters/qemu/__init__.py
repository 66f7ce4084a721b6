"""A cluster that really reboots: Debian under QEMU's software emulation; see README.md beside the clusters."""

from .image import missing, ready_image
from .machine import Machine, QemuCluster

__all__ = ["Machine", "QemuCluster", "missing", "ready_image"]
