"""The protocol that boot methods implement: how a node is brought into a kernel.

A method orders and restores; it never says that a node is in its kernel. That is proved by the engine. A third
party's method is a package with an entry point in the group ``hpcvirt.kernels``; it is imported when a campaign
names it, not before.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol

from hpcvirt.core.errors import BootMethodBroken, BootMethodUnknown
from hpcvirt.core.model import Kernel, Node
from hpcvirt.core.preflight import Finding

GROUP = "hpcvirt.kernels"
CHECK_LIMIT_S = 30.0
NONCE = "hpcvirt.boot="
"""What ``Visit.nonce`` begins with."""
SETTINGS = ("entry", "arguments", "command", "options")
"""Those of a kernel's settings that only some methods understand."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a script on a node came to."""

    status: int
    said: str
    """Standard output and error together, cleaned."""

    @property
    def values(self) -> dict[str, str]:
        """Lines ``key value`` of it; of a key that comes twice the first."""
        found: dict[str, str] = {}
        for line in self.said.splitlines():
            key, _, value = line.partition(" ")
            found.setdefault(key, value)
        return found

    def lines(self, key: str) -> list[str]:
        """The values of every line that begins with this key."""
        return [line.partition(" ")[2] for line in self.said.splitlines() if line.partition(" ")[0] == key]


class NodeShell(Protocol):
    """A node's /bin/sh."""

    @property
    def node(self) -> Node:
        """Whose."""

    async def ask(self, script: str, settings: Mapping[str, str], limit_s: float) -> Answer:
        """Run a script with these variables in its environment.

        Raises ConnectionLost, TimeoutError after ``limit_s``, and what connecting raises.
        """


@dataclass(frozen=True, slots=True)
class Visit:
    """What a reboot is ordered for."""

    campaign: str
    kernel: Kernel
    block: int
    boot_id: str
    """Of the life that is to end, read just now. Nothing is to be done to another life than this one."""
    nonce: str = ""
    """A word for the new life's command line, if the method can give it one."""
    seat: str = ""
    """Names this node in this campaign, in every life of the runner: a mark for what is started for it."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a node boots by default, as it was before the first change."""

    values: Mapping[str, str] = field(default_factory=dict)
    """As the method wants them back. Empty: there is nothing to restore."""


class BootMethod(ABC):
    """Brings nodes into kernels. Holds no state: one object serves all nodes."""

    reboots: bool = True
    """Whether a visit is a boot of the machine: if not, nothing is ordered, and boot variance is not sampled."""

    takes: Sequence[str] = ()
    """Which of ``SETTINGS`` it understands."""
    requires: Sequence[str] = ()
    """Which of those it cannot do without."""

    def faults(self, kernel: Kernel) -> Iterator[str]:
        """What is wrong with a kernel's settings, each as ``key: what``."""
        for name in SETTINGS:
            if getattr(kernel, name) and name not in self.takes:
                yield f"{name}: boot method {kernel.boot} has no use for it"
            elif not getattr(kernel, name) and name in self.requires:
                yield f"{name}: boot method {kernel.boot} needs it"

    @abstractmethod
    async def order(self, shell: NodeShell, visit: Visit) -> None:
        """Have the node boot into the kernel; return when that is under way, the node may be gone by then.

        May be called again with the same ``visit`` when it is not known whether it was obeyed. It is cancelled when
        the operator aborts: then nothing that it began may outlive it, as the node is given free.

        Raises BootRefused when the node cannot be told, NodeUnreachable when it does not answer, and is waited for;
        ConnectionLost, TimeoutError when it is not known whether it heard.
        """

    async def await_earlier(self, shell: NodeShell, visit: Visit) -> bool:
        """Wait for what a runner that was killed in the midst of ``order`` left running; whether there was anything.

        Until then neither is the node looked at nor anything ordered. Raises as ``order`` does.
        """
        del shell, visit
        return False

    async def can_mark(self, shell: NodeShell, kernel: Kernel) -> bool:
        """Whether the new life's command line will hold ``Visit.nonce``."""
        del shell, kernel
        return False

    async def remember(self, shell: NodeShell) -> Remembered:
        """What the node boots by default. Called once, before the first order."""
        del shell
        return Remembered()

    async def restore(self, shell: NodeShell, remembered: Remembered) -> None:
        """Put back what the node boots by default. Raises BootRefused."""
        del shell, remembered

    async def check(self, shell: NodeShell, kernel: Kernel) -> Sequence[Finding]:
        """Whether the node could be told. Changes nothing."""
        del shell, kernel
        return ()


@cache
def _entry_points() -> Mapping[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def installed() -> tuple[str, ...]:
    """Names of the installed methods, none imported."""
    return tuple(sorted(_entry_points()))


@cache
def load(name: str) -> BootMethod:
    """The method of this name.

    Raises BootMethodUnknown, or BootMethodBroken when its module does not import.
    """
    entry = _entry_points().get(name)
    if entry is None:
        raise BootMethodUnknown(
            f"no boot method is called {name!r}",
            hint=f"installed: {', '.join(installed()) or 'none'}; a method is a package with an entry point in {GROUP}",
        )
    try:
        method = entry.load()()
    except Exception as error:  # a third party's module may raise anything at import
        raise BootMethodBroken(
            f"boot method {name!r} ({entry.value}) cannot be used: {type(error).__name__}: {error}",
            hint="reinstall or remove the package it comes from",
        ) from error
    if not isinstance(method, BootMethod):
        raise BootMethodBroken(f"boot method {name!r} ({entry.value}) is not a BootMethod")
    return method
