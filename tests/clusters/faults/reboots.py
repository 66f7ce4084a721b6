"""Campaigns that reboot nodes of namespaces into faked kernels, and what must be true of them afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.clusters.faults.scene import Scene
from tests.clusters.netns import Kernel
from tests.clusters.netns.firmware import Firmware, MenuEntry

ADVANCED = "Advanced options"
MENU = (
    MenuEntry("Debian, with Linux 6.1.0-56-amd64", Kernel("6.1.0-56-amd64")),
    MenuEntry("Debian, with Linux 6.1.0-56-rt-amd64", Kernel("6.1.0-56-rt-amd64", "#1 SMP PREEMPT_RT"), ADVANCED),
    MenuEntry("CHAOS 3", Kernel("2.6.9-chaos", "#1 SMP"), ADVANCED),
    MenuEntry("RHEL4 (2.6.12)", Kernel("2.6.12-rhel4", "#1 SMP"), ADVANCED),
)
NAMES = ("stock", "rt", "chaos", "rhel4")
BOOT_LIMIT_S = 8
CUT = """cut() { # on a node: end the sshd above this script, whose connection it is
    pid=$PPID
    while read -r name </proc/$pid/comm && [ "${name#sshd}" = "$name" ]; do
        read -r stat </proc/$pid/stat
        set -- ${stat##*) }
        pid=$2
    done
    kill -9 $pid
}
"""

SLOW = """#!/bin/sh
echo "begin $$" >>{log}
sleep {sleep}
{over} grub-reboot "$HPCVIRT_OPTION_PLACE"
{over} reboot
echo "end $$" >>{log}
"""


class Rebooting:
    """A scene whose nodes have a boot menu."""

    def __init__(self, scene: Scene, firmware: Firmware) -> None:
        self.scene = scene
        self.firmware = firmware

    def write(self, *, kernels: int = 2, extra: str = "", limit_s: float = BOOT_LIMIT_S, **settings: Any) -> None:
        """The campaign file: so many kernels of the menu, each by grub. ``extra``: lines for every kernel."""
        tables = "".join(
            f'[[kernel]]\nname = "{name}"\nboot = "grub"\nentry = "{entry.title}"\nboot_limit = {limit_s}\n'
            f'expect = {{ release = "{entry.kernel.release}" }}\n{extra}\n'
            for name, entry in list(zip(NAMES, MENU, strict=True))[:kernels]
        )
        values = {"runs": 2, "blocks": 1, "seconds": 0.05, "nodes": 1} | settings
        self.scene.write(kernels=tables, baseline="stock", **values)

    def judge(self) -> None:
        """The ledgers' word, every number under the kernel that the machine had booted, and the default as before."""
        assert self.firmware.trouble == []
        self.scene.judge()
        told = self.scene.rows(
            """SELECT DISTINCT boots.kernel, before.content ->> 'release', after.content ->> 'release', rebooted
               FROM attempts JOIN runs ON runs.id = attempts.run JOIN boots ON boots.id = runs.boot
               JOIN identities before ON before.id = identity_before JOIN identities after ON after.id = identity_after
               WHERE attempts.status = 'ok'"""
        )
        assert told
        releases = {name: entry.kernel.release for name, entry in zip(NAMES, MENU, strict=True)}
        for kernel, before, after, rebooted in told:
            assert (before, after, rebooted) == (releases[kernel], releases[kernel], 1)
        self.assert_default()

    def aside(self) -> dict[str, str]:
        """Why nodes were set aside."""
        return dict(self.scene.rows("SELECT name, detail FROM nodes WHERE state = 'set aside'"))

    def assert_default(self) -> None:
        """Nothing of ours is left in what the nodes boot by default."""
        for node in self.firmware.nodes:
            env = dict(self.firmware.grubenv(node))
            assert env.pop("next_entry", "") == "", node.name
            assert env == {"saved_entry": MENU[0].place}, node.name

    def planned(self, node: str) -> list[str]:
        """The titles that the plan has for a node, in their order."""
        titles = {name: entry.title for name, entry in zip(NAMES, MENU, strict=True)}
        return [titles[kernel] for (kernel,) in self.scene.rows(f"SELECT kernel FROM boots WHERE node = '{node}'")]


def write_slow(nodes: Rebooting, where: str, *, sleep_s: float, limit_s: float) -> Path:
    """A script that takes its time; what it did, by the process."""
    shared = nodes.scene.cluster.shared
    place = shared if where == "login" else Path("/shared")
    log, script = shared / f"slow-{where}.log", shared / f"slow-{where}"
    log.write_text("")
    log.chmod(0o666)
    over = "" if where == "node" else 'ssh "$HPCVIRT_HOST"'
    script.write_text(SLOW.format(log=place / log.name, sleep=sleep_s, over=over))
    script.chmod(0o755)
    nodes.scene.write(
        kernels='[[kernel]]\nname = "stock"\nboot = "command"\n'
        f'command = ["{place / script.name}"]\nwhere = "{where}"\nboot_limit = {limit_s}\n'
        f'options = {{ place = "{MENU[0].place}" }}\n'
        f'expect = {{ release = "{MENU[0].kernel.release}" }}\n',
        baseline="stock",
        runs=1,
        blocks=1,
        nodes=1,
    )
    return log


@contextmanager
def rebooting(scene: Scene, **options: Any) -> Iterator[Rebooting]:
    """Nodes with a boot menu, and a machine under them, for one test."""
    with Firmware(scene.cluster.nodes, MENU, **options) as firmware:
        for node in scene.cluster.nodes:
            node.wait_ready()
        firmware.booted = {node.name: [] for node in firmware.nodes}
        yield Rebooting(scene, firmware)
