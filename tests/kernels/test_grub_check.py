"""What method grub says of a node before anything is changed there, from what its script answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from hpcvirt.core.boot_method import Answer, Visit
from hpcvirt.core.errors import BootRefused, ConnectionLost, NodeUnreachable
from hpcvirt.core.kernels.grub import Grub
from hpcvirt.core.model import Kernel, Node
from hpcvirt.core.preflight import Level

GOOD = """kind grub2
menu if [ "${next_entry}" ] ; then
menu if [ "${boot_once}" != true ]; then set hpcvirt_arguments=; fi
menu menuentry 'Debian, with Linux 6.1' $menuentry_id_option 'gnulinux-6.1' {
menu linux /vmlinuz-6.1 ro ${hpcvirt_arguments}
menu }
menu menuentry 'Memory test' {
menu }
may grub-reboot
may grub-editenv
env saved_entry=gnulinux-6.1
may reboot
default saved
free 900000
grubenv_on /dev/sda1 ext4
"""
KERNEL = Kernel("stock", boot="grub", entry="Debian, with Linux 6.1", arguments="quiet")


class Told:
    """A node that answers this, whatever it is asked."""

    node = Node("node1", "host1")

    def __init__(self, said: str, status: int = 0, action: str = "check") -> None:
        self.answer = Answer(status, said)
        self.action = action

    async def ask(self, script: str, settings: Mapping[str, str], limit_s: float) -> Answer:
        assert settings == {"hv_action": self.action}
        return self.answer


def found(said: str, status: int = 0) -> list[tuple[Level, str]]:
    told = asyncio.run(Grub().check(Told(said, status), KERNEL))
    assert all(one.where == "node1" for one in told)
    assert all(bool(one.remedy) is (one.level is not Level.PASS) for one in told)
    return [(one.level, one.message) for one in told]


def test_a_node_that_is_ready() -> None:
    assert found(GOOD) == [(Level.PASS, "kernel stock: boot entry Debian, with Linux 6.1")]


@pytest.mark.parametrize(
    ("was", "now", "level", "words"),
    [
        ("may reboot", "maynot reboot: a password is required", Level.FAILURE, "refused: reboot: a password"),
        ("menu menuentry 'Debian, ", "menu menuentry 'Other, ", Level.FAILURE, "no entry of its boot menu"),
        ("next_entry", "other_entry", Level.FAILURE, "does not look at next_entry"),
        ("ro ${hpcvirt_arguments}", "ro", Level.FAILURE, "'Debian, with Linux 6.1' does not hand on hpcvirt_arguments"),
        (
            "set hpcvirt_arguments=",
            "set others=",
            Level.FAILURE,
            "does not hand on hpcvirt_arguments for one boot alone",
        ),
        ("default saved", "default 0", Level.WARNING, "GRUB_DEFAULT=0: the default goes by its place"),
        ("env saved_entry=gnulinux-6.1\n", "", Level.WARNING, "no default entry is saved"),
        ("free 900000", "free 5000", Level.WARNING, "only 4 MiB are free in /boot"),
        ("/dev/sda1 ext4", "/dev/mapper/vg-root ext4", Level.FAILURE, "where GRUB cannot write"),
        ("grubenv_on", "grubenv_readonly /boot/grub on /dev/sda1\ngrubenv_on", Level.FAILURE, "is mounted read-only"),
        ("may reboot", "nogrubenv no such file\nmay reboot", Level.FAILURE, "next_entry cannot be written: no such"),
        ("/dev/sda1 ext4", "/dev/sda1 btrfs", Level.FAILURE, "boot the entry again and again"),
    ],
)
def test_each_thing_that_is_wrong(was: str, now: str, level: Level, words: str) -> None:
    assert was in GOOD
    ((seen, message),) = [one for one in found(GOOD.replace(was, now)) if one[0] is not Level.PASS]
    assert seen is level
    assert words in message


def test_half_of_the_preparation_is_told_and_proves_nothing() -> None:
    """The arguments would be there after a panic too, on the default entry."""
    half = GOOD.replace("set hpcvirt_arguments=", "set others=")
    warned = asyncio.run(Grub().check(Told(half), replace(KERNEL, arguments="")))
    (one,) = [one for one in warned if one.level is not Level.PASS]
    assert (one.level, one.remedy.split()[1]) == (Level.WARNING, "/etc/grub.d/06_hpcvirt")
    assert "hands hpcvirt_arguments on, and does not empty it" in one.message
    assert asyncio.run(Grub().can_mark(Told(half, action="menu"), KERNEL)) is False


def test_what_a_killed_runner_left_is_not_remembered_as_what_was_there() -> None:
    said = "kind grub2\nenv saved_entry=stock\nenv next_entry=rt\nenv hpcvirt_arguments={}\nremembered all\n"
    ours = Told(said.format("hpcvirt.boot=1f quiet"), action="remember")
    assert asyncio.run(Grub().remember(ours)).values == {
        "saved_entry": "stock",
        "next_entry": "",
        "hpcvirt_arguments": "",
    }
    # An order of the administrator's own, which stays.
    own = asyncio.run(Grub().remember(Told(said.format(""), action="remember"))).values
    assert (own["next_entry"], own["hpcvirt_arguments"]) == ("rt", "")


def test_of_grub_legacy_nothing_is_put_back_as_nothing_can_be() -> None:
    told = Told("kind legacy\nremembered all\n", action="remember")
    assert asyncio.run(Grub().remember(told)).values == {}


class Cut(Told):
    """A node whose connection is lost while it tells its menu."""

    async def ask(self, script: str, settings: Mapping[str, str], limit_s: float) -> Answer:
        raise ConnectionLost("connection lost", hint="")


def test_a_menu_that_is_lost_is_no_order_that_may_have_been_heard() -> None:
    with pytest.raises(NodeUnreachable, match="node1: its boot menu could not be read"):
        asyncio.run(Grub().order(Cut(GOOD), Visit("small", KERNEL, 1, "old")))


class Slow(Told):
    """A node that takes its time to obey."""

    def __init__(self) -> None:
        super().__init__(GOOD)
        self.done: list[str] = []

    async def ask(self, script: str, settings: Mapping[str, str], limit_s: float) -> Answer:
        await asyncio.sleep(0 if settings["hv_action"] == "menu" else 0.2)
        self.done.append(settings["hv_action"])
        return self.answer


async def test_who_is_cancelled_waits_for_the_order_that_was_sent() -> None:
    node = Slow()
    order = asyncio.create_task(Grub().order(node, Visit("small", KERNEL, 1, "old")))
    while node.done != ["menu"]:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    order.cancel()
    with pytest.raises(asyncio.CancelledError):
        await order
    assert node.done == ["menu", "order"]


@pytest.mark.parametrize(("entry", "can"), [("Debian, with Linux 6.1", True), ("Memory test", False)])
def test_a_word_for_the_new_life_is_set_where_its_own_entry_hands_it_on(entry: str, can: bool) -> None:
    told = Told(GOOD, action="menu")
    assert asyncio.run(Grub().can_mark(told, replace(KERNEL, entry=entry))) is can


def test_arguments_that_the_entry_would_pass_over_are_refused() -> None:
    visit = Visit("small", replace(KERNEL, entry="Memory test"), 1, "old")
    with pytest.raises(BootRefused, match="'Memory test' does not hand on hpcvirt_arguments"):
        asyncio.run(Grub().order(Told(GOOD, action="menu"), visit))


def test_no_boot_loader_that_we_know() -> None:
    said = "refused neither grub-reboot nor grub2-reboot nor GRUB Legacy is installed"
    ((level, message),) = found(said, status=1)
    assert (level, message) == (Level.FAILURE, f"node1: {said.removeprefix('refused ')}")
