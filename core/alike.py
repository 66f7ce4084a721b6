"""Kernels that a node is booted into in different ways, and that nothing it shows tells apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

from hpcvirt.core.boot_method import BootMethod, load
from hpcvirt.core.model import Campaign, Expect, Kernel

HINT = "give cmdline, version, role, cpus or a probe; or let GRUB hand hpcvirt_arguments on, see docs/kernels.md"


def proved_alike(campaign: Campaign, kernel: Kernel) -> tuple[str, ...]:
    """Names of the others. Raises BootMethodUnknown or BootMethodBroken."""
    return tuple(other.name for other in campaign.kernels if are_alike(other, kernel))


def are_alike(one: Kernel, other: Kernel) -> bool:
    """What is booted in the same way, as a control or under another wrap, is the same, and not meant."""
    return (
        _way(one) != _way(other)
        and asked(one.expect) == asked(other.expect)
        and (load(one.boot).reboots or load(other.boot).reboots)
    )


def asked(expect: Expect) -> Expect:
    """Without the patterns that everything matches."""
    anything = [field.name for field in fields(expect) if getattr(expect, field.name) == "*"]
    return replace(expect, **dict.fromkeys(anything))


def may_mark(kernel: Kernel) -> bool:
    """Whether its method could give a boot a word of its own, on a node that is prepared for it."""
    return type(load(kernel.boot)).can_mark is not BootMethod.can_mark


def fault(kernel: Kernel, others: Sequence[str]) -> str:
    """What is wrong where nothing else tells them apart."""
    names = ", ".join(others)
    return f"{kernel.name} is booted in another way than {names}, and proved by the same: a wrong one is not seen"


def _way(kernel: Kernel) -> tuple[object, ...]:
    return kernel.boot, kernel.entry, kernel.arguments, kernel.command, kernel.where, kernel.options
