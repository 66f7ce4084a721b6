"""Whether a node heard an order to reboot, and what is said of one that came to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from hpcvirt.core.errors import BootFailed, HostKeyChanged, HpcvirtError, WrongKernel
from hpcvirt.core.model import Kernel, Node
from hpcvirt.core.remote.patience import PASSING, Standing
from hpcvirt.core.store.bringups import Bringup

TELL_AGAIN_S = 60.0
"""After so long, or a quarter of its limit, a node that did not confirm an order and lives on has not heard it."""

AWAY: tuple[type[Exception], ...] = (*PASSING[Standing.ANSWERED], HostKeyChanged, TimeoutError)
"""What a node that goes down or comes up answers with: network, sshd and homes go and come one by one, an initramfs may
have an sshd of its own, and an address another holder for a while."""


class Heard(Enum):
    """Whether a node was told."""

    YES = auto()
    MAYBE = auto()
    """One that obeys at once has no time to say so."""
    NO = auto()


class Unheard(BootFailed):
    """An order could not even be given."""


def is_to_be_told(heard: Heard, passed_s: float, kernel: Kernel) -> bool:
    """Whether a node that answers in its old life gets the order once more."""
    if heard is Heard.MAYBE:
        return passed_s > min(TELL_AGAIN_S, kernel.boot_limit_s / 4)
    return heard is Heard.NO


def not_up(node: Node, kernel: Kernel, tried: Bringup, seen: str, heard: Heard) -> BootFailed:
    """Of a node that was waited for in vain. ``seen``: what it answered last."""
    kind, unheard = (Unheard, "; it could not be told") if heard is Heard.NO else (BootFailed, "")
    return kind(
        f"{node.name} did not come up for kernel {kernel.name} within {kernel.boot_limit_s:g} s: "
        f"expected another boot_id than {tried.old_boot_id}, found {seen}{unheard}",
        hint="look at its console; a slow machine needs a longer boot_limit",
    )


def failure(failures: Sequence[BootFailed | WrongKernel]) -> HpcvirtError:
    """What a node is set aside with: the last order that it heard, and that it did not hear those after it."""
    heard = next((error for error in reversed(failures) if not isinstance(error, Unheard)), failures[-1])
    kind = WrongKernel if isinstance(heard, WrongKernel) else BootFailed
    after = "" if heard is failures[-1] else "; it did not answer when it was to be told again"
    count = len(failures)
    return kind(f"{heard.message}{after} (order {count} of {count})", hint=heard.hint)


def told_by(error: BaseException) -> str:
    """What went wrong, in its own words."""
    return error.message if isinstance(error, HpcvirtError) else "not in time"
