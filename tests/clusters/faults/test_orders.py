"""Orders to reboot that are not heard, or not taken back, and nodes that answer as somebody else while they boot."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.clusters.faults.reboots import CUT, MENU, NAMES, Rebooting, rebooting, write_slow
from tests.clusters.faults.scene import Scene, until
from tests.clusters.netns import Node
from tests.clusters.netns.node import HOST_KEY

pytestmark = pytest.mark.cluster

ORDERED = "SELECT count(*) FROM events WHERE message LIKE 'reboot into % ordered%'"


@pytest.fixture
def nodes(scene: Scene) -> Iterator[Rebooting]:
    with rebooting(scene) as scenery:
        yield scenery


GRUBBY = f"""#!/bin/sh
# grubby of a node of namespaces: what it lists is lost with the connection when the menu is read the second time
{CUT}
echo >>/tmp/menus
if [ "$(wc -l </tmp/menus)" -eq 2 ]; then
    %s
    cut
fi
"""
OUTAGE = "ip link set eth0 down; (sleep 4; ip link set eth0 up) >/dev/null 2>&1 &"


@pytest.fixture
def forgetful(nodes: Rebooting) -> Iterator[Node]:
    """A node with a grubby, for one test."""
    node = nodes.firmware.nodes[0]
    yield node
    for path in ("/usr/sbin/grubby", "/tmp/menus"):
        node.path(path).unlink()


@pytest.mark.parametrize("fault", [":", OUTAGE], ids=["cut", "outage"])
def test_an_order_that_was_not_heard_is_not_used_up(nodes: Rebooting, forgetful: Node, fault: str) -> None:
    """The menu is read for the order's own word, and then for the order."""
    grubby = forgetful.path("/usr/sbin/grubby")
    grubby.write_text(GRUBBY % fault)
    grubby.chmod(0o755)
    nodes.write(kernels=1, extra="boot_retries = 0", limit_s=20)
    nodes.scene.finish("--yes")
    nodes.judge()
    assert forgetful.path("/tmp/menus").read_text().count("\n") >= 3
    assert nodes.scene.rows("SELECT count(*), count(failed_at) FROM bringups") == [(1, 0)]
    assert nodes.scene.one("SELECT count(*) FROM events WHERE message LIKE 'it cannot be told to boot stock yet%'") >= 1


def test_an_order_that_was_lost_on_its_way_is_given_again_to_who_lives_on(nodes: Rebooting) -> None:
    """Nobody knows whether it was heard; that the node lives on in the same life says that it was not."""
    node = nodes.firmware.nodes[0]
    tool = node.path("/usr/sbin/grub-reboot")
    real = tool.read_text()
    cut_once = "[ -e /tmp/told ] || { : >/tmp/told; cut; exit 1; }"
    tool.write_text(real.replace("exec", f"{CUT}{cut_once}\nexec"))
    nodes.write(kernels=1, extra="boot_retries = 0", limit_s=16)
    nodes.scene.finish("--yes")
    nodes.judge()
    assert nodes.scene.rows("SELECT count(*), count(failed_at) FROM bringups") == [(1, 0)]
    assert nodes.scene.one("SELECT count(*) FROM events WHERE message LIKE 'it did not confirm the order%'") >= 1
    assert nodes.firmware.booted["node1"] == nodes.planned("node1")
    node.path("/tmp/told").unlink()


@pytest.mark.slow
def test_who_comes_up_late_is_proved_and_who_does_not_is_told_as_what_it_is(nodes: Rebooting) -> None:
    nodes.firmware.dead.add("node1")
    nodes.firmware.down_s = 7
    nodes.write(nodes=2, kernels=1, limit_s=5)
    assert nodes.scene.start("--yes").wait(90) == 4, nodes.scene.log
    (told,) = nodes.aside().values()
    assert "did not come up for kernel stock within 5 s: expected another boot_id than" in told
    assert told.endswith("it did not answer when it was to be told again (order 2 of 2)")
    assert nodes.firmware.booted["node2"] == nodes.planned("node2")
    assert nodes.scene.rows("SELECT DISTINCT node FROM results") == [("node2",)]
    assert nodes.scene.one(ORDERED) + nodes.scene.one(
        "SELECT count(*) FROM events WHERE message LIKE 'it did not confirm the order%'"
    ) == len(("node1", "node2"))
    nodes.firmware.dead.clear()
    nodes.firmware.down_s = 0
    nodes.firmware.nodes[0].boot()
    nodes.scene.finish()
    nodes.judge()


class Stranger:
    """A node that shall have another host key in its next life."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._own = {path: node.path(path).read_text() for path in (HOST_KEY, f"{HOST_KEY}.pub")}

    def unmask(self) -> None:
        """Its own key again."""
        for path, key in self._own.items():
            self.node.path(path).write_text(key)
        self.node.kill_sshd()
        self.node.start_sshd()


@pytest.fixture
def stranger(nodes: Rebooting) -> Iterator[Stranger]:
    node = Stranger(nodes.firmware.nodes[0])
    yield node
    node.unmask()


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_node_that_has_another_host_key_for_a_while_is_not_up_yet(
    nodes: Rebooting, stranger: Stranger, is_stopped: bool
) -> None:
    nodes.firmware.lag_s = 2
    nodes.write(kernels=1, limit_s=30)
    runner = nodes.scene.start("--yes")
    until(lambda: nodes.scene.one("SELECT count(*) FROM bringups WHERE accepted_at > ''"), 30, lambda: nodes.scene.log)
    stranger.node.new_host_key()
    until(lambda: bool(nodes.firmware.booted["node1"]), 30, lambda: nodes.scene.log)
    stranger.node.wait_ready()
    time.sleep(7)  # it is looked at after longer and longer pauses
    assert runner.poll() is None, nodes.scene.log
    if is_stopped:
        runner.send_signal(signal.SIGINT)
        assert runner.wait(60) == 3, nodes.scene.log
        nodes.scene.wait_event("it is rebooting by our order, or away (%host key", 1)
    stranger.unmask()
    if is_stopped:
        nodes.scene.finish()
    else:
        assert runner.wait(60) == 0, nodes.scene.log
    nodes.judge()
    assert nodes.firmware.booted["node1"] == nodes.planned("node1")


def test_a_shutdown_that_still_answers_is_no_order_that_was_passed_over(nodes: Rebooting) -> None:
    nodes.firmware.lag_s = 4
    nodes.write(kernels=1, limit_s=60)
    runner = nodes.scene.start("--yes")
    until(lambda: nodes.scene.one("SELECT count(*) FROM bringups WHERE accepted_at > ''"), 30, lambda: nodes.scene.log)
    runner.send_signal(signal.SIGINT)
    assert runner.wait(60) == 3, nodes.scene.log
    assert nodes.scene.one("SELECT count(*) FROM bringups WHERE failed_at IS NOT NULL") == 0
    nodes.scene.finish()
    nodes.judge()
    assert nodes.firmware.booted["node1"] == nodes.planned("node1")


@pytest.mark.parametrize("where", ["node", "login"])
def test_a_script_ends_with_the_campaign_that_is_aborted(nodes: Rebooting, where: str) -> None:
    """The node is given free: it must not be rebooted when somebody else has it."""
    log = write_slow(nodes, where, sleep_s=8, limit_s=60)
    runner = nodes.scene.start("--yes")
    until(lambda: "begin" in log.read_text(), 30, lambda: nodes.scene.log)
    for _ in range(2):
        runner.send_signal(signal.SIGINT)
        time.sleep(0.5)
    assert runner.wait(30) == 130, nodes.scene.log
    time.sleep(9)
    assert "end" not in log.read_text()
    assert nodes.firmware.booted["node1"] == []
    nodes.scene.finish()
    nodes.judge()
    assert nodes.firmware.booted["node1"] == nodes.planned("node1")


def tables(lines: str, *expects: str) -> str:
    """The first kernels of the menu; ``lines`` may name the ``{entry}`` and ``{place}`` of each."""
    return "".join(
        f'[[kernel]]\nname = "{name}"\nboot_limit = 20\n{lines.format(entry=entry.title, place=entry.place)}\n'
        f"expect = {{ {expect} }}\n"
        for name, entry, expect in zip(NAMES, MENU, expects, strict=False)
    )


RELEASES = [f'release = "{entry.kernel.release}"' for entry in MENU]
THIRD = """
from hpcvirt.core.boot_method import BootMethod

class Pxe(BootMethod):
    takes = requires = ("options",)

    async def order(self, shell, visit):
        place = visit.kernel.options["place"]
        await shell.ask('grub-reboot "$hv_place" && reboot', {"hv_place": place}, 20)

    async def check(self, shell, kernel):
        return [] if kernel.name == "stock" else 1 / 0
"""


def test_a_third_partys_method_boots_and_what_it_raises_is_a_finding(nodes: Rebooting) -> None:
    site = nodes.scene.ledger.site
    metadata = site / "pxe-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pxe\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[hpcvirt.kernels]\npxe = pxe_method:Pxe\n")
    (site / "pxe_method.py").write_text(THIRD)
    kernels = tables('boot = "pxe"\noptions = {{ place = "{place}" }}', *RELEASES[:2])
    nodes.scene.write(kernels=kernels, baseline="stock", runs=2, blocks=1, nodes=1)
    checked = nodes.scene.check()
    assert checked.returncode == 4
    assert "kernel rt: boot method pxe failed: ZeroDivisionError" in checked.stdout
    assert "kernel stock" not in checked.stdout
    nodes.scene.finish("--yes")
    nodes.judge()
    assert nodes.firmware.booted["node1"] == nodes.planned("node1")


def test_kernels_that_nothing_tells_apart_are_not_booted(scene: Scene) -> None:
    with rebooting(scene, takes_arguments=False) as nodes:
        kernels = tables('boot = "grub"\nentry = "{entry}"', 'release = "6.1.*"', 'release = "6.1.*"')
        scene.write(kernels=kernels, baseline="stock", runs=2, blocks=1, nodes=1)
        checked = scene.check()
        assert checked.returncode == 4
        assert "rt is booted in another way than stock, and proved by the same" in checked.stdout
        assert scene.start("--yes").wait(60) == 4, scene.log
        assert "and proved by the same" in nodes.aside()["node1"]
        assert nodes.firmware.booted["node1"] == []


def test_the_orders_own_word_tells_them_apart(nodes: Rebooting) -> None:
    kernels = tables('boot = "grub"\nentry = "{entry}"', 'release = "6.1.*"', 'release = "6.1.*"')
    nodes.scene.write(kernels=kernels, baseline="stock", runs=2, blocks=1, nodes=1)
    checked = nodes.scene.check()
    assert "proved by the same" not in checked.stdout
    nodes.scene.finish("--yes")
    nodes.judge()


def test_a_wrap_is_for_runs_of_a_kernel_that_was_booted_too(nodes: Rebooting) -> None:
    expects = [f'{release}, probe = {{ command = "nice", matches = "7" }}' for release in RELEASES[:2]]
    kernels = tables('boot = "grub"\nentry = "{entry}"\nwrap = ["nice", "-n", "7"]', *expects)
    nodes.scene.write(kernels=kernels, baseline="stock", runs=2, blocks=1, nodes=1)
    nodes.scene.finish("--yes")
    nodes.judge()
    assert nodes.firmware.booted["node1"] == nodes.planned("node1")


def test_what_is_only_proved_is_filed_as_not_rebooted(nodes: Rebooting) -> None:
    nodes.scene.write(kernels=tables('boot = "none"', 'release = "*"'), baseline="stock", runs=2, blocks=2, nodes=1)
    nodes.scene.finish()
    assert nodes.scene.rows("SELECT count(*), max(rebooted), count(identity) FROM boots") == [(2, 0, 2)]
    assert nodes.scene.one("SELECT count(*) FROM bringups") == 0
    assert nodes.firmware.booted["node1"] == []
