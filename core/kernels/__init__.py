"""Boot methods: how a node is brought into a kernel. Proving that it is there is the engine's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from hpcvirt.core.model import Kernel
from hpcvirt.core.preflight import Need
from hpcvirt.core.remote.connection import NodeConnection


class BootMethod(ABC):
    """Brings one node into one kernel."""

    reboots: bool
    """Whether a visit is a boot of the machine: if not, boot-to-boot variance is not sampled."""

    def needs(self, kernel: Kernel) -> Sequence[Need]:
        """What must be so on a node before this kernel can be brought up, asked by ``check`` before a campaign."""
        del kernel
        return ()

    @abstractmethod
    async def bring_up(self, connection: NodeConnection, kernel: Kernel) -> None:
        """Return when the node answers again. What it runs then is not believed but proved."""


class WhateverRuns(BootMethod):
    """Method ``none``: the node stays as it is."""

    reboots = False

    async def bring_up(self, connection: NodeConnection, kernel: Kernel) -> None:
        """Nothing to do but to see that the node is there."""
        del kernel
        await connection.connect()


METHODS: Mapping[str, BootMethod] = {"none": WhateverRuns()}
