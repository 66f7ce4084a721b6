"""Boot method ``grub``: an entry of the node's own boot menu, for one boot.

The order is used up by the boot it causes: a kernel that does not come up falls back by itself to what the node boots
by default, which this method does not change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib.resources import files

from hpcvirt.core.boot_method import NONCE, Answer, BootMethod, NodeShell, Remembered, Visit
from hpcvirt.core.errors import BootRefused, ConnectionLost, HpcvirtError, NodeUnreachable, OutputUnparsable
from hpcvirt.core.kernels.grub_menu import (
    ARGUMENTS,
    Entry,
    find,
    hands_on_once,
    parse_grub2,
    parse_grubby,
    parse_legacy,
)
from hpcvirt.core.model import Kernel
from hpcvirt.core.preflight import Finding, Level
from hpcvirt.core.text import clean_line

LIMIT_S = 60.0
REMEMBERED = ("saved_entry", "next_entry", ARGUMENTS)
LEAST_FREE_KIB = 10 * 1024
ONCE = "add /etc/grub.d/06_hpcvirt as docs/kernels.md has it, then update-grub or grub2-mkconfig"
UNWRITABLE = ("btrfs", "zfs", "iso9660", "squashfs")
"""File systems on which GRUB cannot take its own order back: the entry would be booted for ever."""


class Grub(BootMethod):
    """``grub-reboot`` or ``grub2-reboot``; GRUB Legacy by ``savedefault --once``."""

    takes = ("entry", "arguments")
    requires = ("entry",)

    async def order(self, shell: NodeShell, visit: Visit) -> None:
        """Look the entry up as it is called now, make it the next one, reboot.

        What was sent cannot be called back: who is cancelled waits for its end.
        """
        try:
            menu = await _asked(shell, "menu")
        except (ConnectionLost, TimeoutError, OutputUnparsable) as error:
            raise NodeUnreachable(f"{shell.node.name}: its boot menu could not be read, the answer is lost") from error
        entry = find(_entries(menu), visit.kernel.entry, shell.node.name)
        arguments = " ".join(filter(None, (visit.nonce, visit.kernel.arguments)))
        if visit.kernel.arguments and not entry.takes_arguments:
            raise _deaf(shell.node.name, entry)
        told = {"hv_old": visit.boot_id, "hv_place": entry.place, "hv_arguments": arguments}
        order = asyncio.ensure_future(_asked(shell, "order", told))
        try:
            await asyncio.shield(order)
        except asyncio.CancelledError:
            with suppress(HpcvirtError, TimeoutError):
                await order
            raise

    async def can_mark(self, shell: NodeShell, kernel: Kernel) -> bool:
        """Where the kernel's own entry hands ``hpcvirt_arguments`` on: that another one does tells nothing."""
        entries = _entries(await _asked(shell, "menu"))
        return find(entries, kernel.entry, shell.node.name).takes_arguments

    async def remember(self, shell: NodeShell) -> Remembered:
        """``saved_entry`` and its like. What an order of ours left behind that nobody took back was not there."""
        answer = await _asked(shell, "remember")
        if not answer.lines("remembered"):
            raise BootRefused(f"{shell.node.name}: what it boots by default could not be read", hint="try again")
        if answer.values.get("kind") == "legacy":
            # Its order stays until some boot uses it up.
            return Remembered()
        pairs = (line.partition("=") for line in answer.lines("env"))
        found = {name: value for name, _, value in pairs}
        if NONCE in found.get(ARGUMENTS, ""):
            found["next_entry"] = ""
        # Nobody else's, by its name.
        found[ARGUMENTS] = ""
        return Remembered({name: found.get(name, "") for name in REMEMBERED})

    async def restore(self, shell: NodeShell, remembered: Remembered) -> None:
        """Only what is not as it was is written."""
        await _asked(shell, "restore", {f"hv_{name}": remembered.values.get(name, "") for name in REMEMBERED})

    async def check(self, shell: NodeShell, kernel: Kernel) -> Sequence[Finding]:
        """Rights, entry, arguments, default, and the disk they are written to."""
        try:
            answer = await _asked(shell, "check")
        except BootRefused as error:
            return (Finding(Level.FAILURE, shell.node.name, error.message, error.hint),)
        return tuple(_findings(answer, kernel, shell.node.name))


def _findings(answer: Answer, kernel: Kernel, node: str) -> Iterator[Finding]:
    for told in answer.lines("maynot"):
        yield Finding(
            Level.FAILURE,
            node,
            f"root is needed, and refused: {told}",
            "allow it without a password in /etc/sudoers.d, see docs/kernels.md",
        )
    try:
        found = find(_entries(answer), kernel.entry, node)
        yield Finding(Level.PASS, node, f"kernel {kernel.name}: boot entry {found.shown}")
        if kernel.arguments and not found.takes_arguments:
            raise _deaf(node, found)
        if _is_half_prepared(answer):
            yield Finding(
                Level.WARNING, node, f"its grub.cfg hands {ARGUMENTS} on, and does not empty it: it is not used", ONCE
            )
    except HpcvirtError as error:
        yield Finding(Level.FAILURE, node, f"kernel {kernel.name}: {error.message}", error.hint)
    yield from _defaults(answer, node)
    yield from _disk(answer, node)


def _defaults(answer: Answer, node: str) -> Iterator[Finding]:
    if answer.values.get("kind") == "legacy":
        return
    if not any("next_entry" in line for line in answer.lines("menu")):
        yield Finding(
            Level.FAILURE,
            node,
            "its grub.cfg does not look at next_entry: an order for one boot would be passed over",
            "GRUB_DEFAULT=saved in /etc/default/grub, then update-grub or grub2-mkconfig",
        )
    default = answer.values.get("default", "").strip("\"'")
    if default and default != "saved":
        yield Finding(
            Level.WARNING,
            node,
            f"GRUB_DEFAULT={default}: the default goes by its place in the menu, which a new kernel changes",
            "GRUB_DEFAULT=saved in /etc/default/grub, then update-grub and grub-set-default ENTRY",
        )
    saved = [line for line in answer.lines("env") if line.startswith("saved_entry=") and line != "saved_entry="]
    if default == "saved" and not saved:
        yield Finding(Level.WARNING, node, "no default entry is saved: the first one is it", "grub-set-default ENTRY")


def _disk(answer: Answer, node: str) -> Iterator[Finding]:
    free = answer.values.get("free", "")
    if free.isdigit() and int(free) < LEAST_FREE_KIB:
        yield Finding(Level.WARNING, node, f"only {int(free) // 1024} MiB are free in /boot", "remove old kernels")
    for told in answer.lines("grubenv_on"):
        device, _, kind = told.partition(" ")
        if kind in UNWRITABLE or device.startswith(("/dev/mapper/", "/dev/md")):
            yield Finding(
                Level.FAILURE,
                node,
                f"grubenv is on {device} ({kind}), where GRUB cannot write: it would boot the entry again and again",
                "put /boot on a plain partition with ext4 or xfs",
            )

    for told in answer.lines("grubenv_readonly"):
        yield Finding(
            Level.FAILURE,
            node,
            f"{told} is mounted read-only: next_entry cannot be written",
            "mount it read-write (`mount -o remount,rw /boot`), and in /etc/fstab too",
        )
    if answer.lines("nogrubenv"):
        yield Finding(
            Level.FAILURE,
            node,
            f"what GRUB remembers cannot be read, so next_entry cannot be written: {answer.lines('nogrubenv')[0]}",
            "make it with `grub-editenv create` (grub2-editenv on RHEL), and see docs/kernels.md for sudo",
        )


def _entries(answer: Answer) -> list[Entry]:
    lines = answer.lines("menu")
    if answer.values.get("kind") == "legacy":
        return parse_legacy(lines)
    found = parse_grub2(lines)
    if any("blscfg" in line for line in lines):
        found += parse_grubby(answer.lines("grubby"))
    # What a boot that nobody ordered would be given, too, proves nothing.
    return found if hands_on_once(lines) else [replace(entry, takes_arguments=False) for entry in found]


def _is_half_prepared(answer: Answer) -> bool:
    lines = answer.lines("menu")
    return any(ARGUMENTS in line for line in lines) and not hands_on_once(lines)


def _deaf(node: str, entry: Entry) -> BootRefused:
    return BootRefused(
        f"{node}: boot entry {entry.shown!r} does not hand on {ARGUMENTS} for one boot alone, so the kernel arguments "
        "cannot be set",
        hint="prepare the node as docs/kernels.md says, or make a boot entry with these arguments",
    )


async def _asked(shell: NodeShell, action: str, settings: Mapping[str, str] | None = None) -> Answer:
    answer = await shell.ask(_script(), {"hv_action": action, **(settings or {})}, LIMIT_S)
    if answer.status:
        why = answer.values.get("refused") or f"exit status {answer.status}: {answer.said[-300:]}"
        raise BootRefused(
            f"{shell.node.name}: {clean_line(why, 400)}",
            hint="`sudo -n` must work there without a password, see docs/kernels.md; `hpcvirt-tui check` looks",
        )
    return answer


@cache
def _script() -> str:
    return files("hpcvirt.core.kernels").joinpath("grub.sh").read_text(encoding="ascii")
