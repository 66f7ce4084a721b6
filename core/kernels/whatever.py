"""Boot method ``none``: the node stays as it is; its kernel is only proved."""

from __future__ import annotations

from hpcvirt.core.boot_method import BootMethod, NodeShell, Visit


class WhateverRuns(BootMethod):
    """Nothing is ordered."""

    reboots = False

    async def order(self, shell: NodeShell, visit: Visit) -> None:
        """Nothing to do."""
