"""Nodes are rebooted into kernels by grub, and everything that can go wrong with that does."""

import os
import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.clusters.faults.reboots import CUT, MENU, Rebooting, rebooting, write_slow
from tests.clusters.faults.scene import PATIENT, Scene, until
from tests.clusters.netns.firmware import GRUBENV, REFUSED, MenuEntry

pytestmark = pytest.mark.cluster


@pytest.fixture
def nodes(scene: Scene) -> Iterator[Rebooting]:
    with rebooting(scene) as scenery:
        yield scenery


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_four_nodes_four_kernels_two_blocks(nodes: Rebooting) -> None:
    nodes.write(kernels=4, nodes=4, blocks=2, limit_s=60, connection=PATIENT)
    nodes.scene.finish("--yes", limit_s=200)
    nodes.judge()
    for node in nodes.firmware.nodes:
        # Every visit was one boot of the machine into the right entry: no more, no less, in the plan's order.
        assert nodes.firmware.booted[node.name] == nodes.planned(node.name)
        lives = nodes.scene.rows(f"SELECT boot_id FROM boots WHERE node = '{node.name}'")
        assert len(set(lives)) == 8
        # The old boot_id of a try is the new one of the try before it: nothing rebooted the node in between.
        tries = nodes.scene.rows(
            f"""SELECT old_boot_id, new_boot_id FROM bringups JOIN boots ON boots.id = bringups.boot
                WHERE node = '{node.name}' ORDER BY bringups.id"""
        )
        assert all(earlier[1] == later[0] for earlier, later in pairwise(tries))
    assert nodes.scene.statuses() == {"ok": 32}, nodes.scene.log
    steps = nodes.scene.rows("SELECT count(*), count(back_at), count(proved_at), count(failed_at) FROM bringups")
    assert steps == [(32, 32, 32, 0)]
    nonces = nodes.scene.rows(
        """SELECT bringups.nonce, identities.content ->> 'cmdline' FROM bringups
           JOIN boots ON boots.id = bringups.boot JOIN identities ON identities.id = boots.identity"""
    )
    assert all(nonce and nonce in cmdline.split() for nonce, cmdline in nonces)


def test_nothing_is_rebooted_before_the_operator_has_said_so(nodes: Rebooting) -> None:
    nodes.write()
    assert nodes.scene.start().wait(30) == 2
    assert "this campaign reboots node1 into stock, rt, 2 times each" in nodes.scene.log
    assert "--yes" in nodes.scene.log
    assert nodes.firmware.booted["node1"] == []
    assert list(nodes.scene.work.glob("*.db")) == []
    nodes.scene.finish("--yes")
    nodes.judge()


def test_a_kernel_that_panics_falls_back_and_the_others_go_on(nodes: Rebooting) -> None:
    """Its node comes back with ssh, a new boot_id, and the old kernel."""
    nodes.firmware.panics["node1"] = {MENU[1].title}
    nodes.write(nodes=4)
    assert nodes.scene.start("--yes").wait(90) == 4, nodes.scene.log
    assert set(nodes.aside()) == {"node1"}
    assert "release: expected 6.1.0-56-rt-amd64, found 6.1.0-56-amd64" in nodes.aside()["node1"]
    assert nodes.aside()["node1"].endswith("(order 2 of 2)")
    assert nodes.scene.rows("SELECT DISTINCT node FROM results WHERE kernel = 'rt' ORDER BY 1") == [
        ("node2",),
        ("node3",),
        ("node4",),
    ]
    failed = nodes.scene.rows("SELECT new_boot_id <> old_boot_id, failure FROM bringups WHERE failed_at IS NOT NULL")
    assert [one[0] for one in failed] == [1, 1]
    nodes.assert_default()
    nodes.firmware.panics.clear()
    nodes.scene.finish()
    nodes.judge()


@pytest.mark.slow
def test_a_node_that_never_comes_back(nodes: Rebooting) -> None:
    nodes.firmware.dead.add("node1")
    nodes.write(nodes=2, limit_s=8, extra="boot_retries = 0")
    assert nodes.scene.start("--yes").wait(90) == 4, nodes.scene.log
    assert set(nodes.aside()) == {"node1"}
    assert "within 8 s: expected another boot_id" in nodes.aside()["node1"]
    assert "no answer" in nodes.aside()["node1"]
    assert nodes.scene.rows("SELECT DISTINCT node FROM results") == [("node2",)]
    nodes.firmware.dead.clear()
    nodes.firmware.nodes[0].boot()
    nodes.scene.finish()
    nodes.judge()


@pytest.mark.slow
def test_an_order_that_is_passed_over_is_given_again(nodes: Rebooting) -> None:
    nodes.firmware.deaf["node1"] = 1
    nodes.write(limit_s=8)
    nodes.scene.finish("--yes")
    nodes.judge()
    ((failure,),) = nodes.scene.rows("SELECT failure FROM bringups WHERE failed_at IS NOT NULL")
    assert "as before: it has not rebooted" in failure


@pytest.mark.slow
def test_coming_back_with_the_old_boot_id_is_no_reboot(nodes: Rebooting) -> None:
    nodes.firmware.same_life["node1"] = 99
    nodes.write(limit_s=8, extra="boot_retries = 0")
    assert nodes.scene.start("--yes").wait(60) == 4, nodes.scene.log
    assert "as before: it has not rebooted (order 1 of 1)" in nodes.aside()["node1"]
    assert nodes.scene.one("SELECT count(*) FROM attempts") == 0
    nodes.firmware.same_life.clear()
    nodes.scene.finish()
    nodes.judge()


@pytest.mark.slow
def test_a_boot_id_that_cannot_be_read_is_not_another_one(nodes: Rebooting) -> None:
    nodes.firmware.mute.add("node1")
    nodes.write(limit_s=8, extra="boot_retries = 0")
    assert nodes.scene.start("--yes").wait(60) == 4, nodes.scene.log
    assert "its boot_id cannot be read" in nodes.aside()["node1"]
    assert nodes.scene.rows("SELECT count(back_at), count(proved_at) FROM bringups") == [(0, 0)]
    # Nor is anything ordered where it cannot be read to begin with.
    booted = list(nodes.firmware.booted["node1"])
    assert nodes.scene.start().wait(60) == 4, nodes.scene.log
    assert nodes.firmware.booted["node1"] == booted
    nodes.firmware.mute.clear()
    node = nodes.firmware.nodes[0]
    node.reboot()
    nodes.scene.finish()
    nodes.judge()


def test_the_wrong_entry_comes_up(nodes: Rebooting) -> None:
    nodes.firmware.wrong["node1"] = {MENU[1].title: MENU[2].title}
    nodes.write()
    assert nodes.scene.start("--yes").wait(60) == 4, nodes.scene.log
    assert "expected 6.1.0-56-rt-amd64, found 2.6.9-chaos" in nodes.aside()["node1"]
    assert nodes.scene.one("SELECT count(*) FROM results WHERE kernel = 'rt'") == 0
    nodes.firmware.wrong.clear()
    nodes.scene.finish()
    nodes.judge()


def test_an_entry_that_was_renamed_after_the_check(nodes: Rebooting) -> None:
    nodes.write()
    checked = nodes.scene.check()
    assert checked.returncode == 0, checked.stdout
    renamed = MenuEntry("Debian, with Linux 6.1.0-57-rt-amd64", MENU[1].kernel, MENU[1].submenu)
    nodes.firmware.write_menu(nodes.firmware.nodes[0], (MENU[0], renamed))
    assert nodes.scene.start("--yes").wait(60) == 4, nodes.scene.log
    assert "no entry of its boot menu is called 'Debian, with Linux 6.1.0-56-rt-amd64'" in nodes.aside()["node1"]
    assert MENU[1].title not in nodes.firmware.booted["node1"]
    nodes.assert_default()
    nodes.firmware.write_menu(nodes.firmware.nodes[0], MENU)
    nodes.scene.finish()
    nodes.judge()


def test_sudo_refused(nodes: Rebooting) -> None:
    node = nodes.firmware.nodes[0]
    nodes.write(user="bench")
    node.path(REFUSED).write_text("")
    checked = nodes.scene.check()
    assert checked.returncode == 4
    assert "root is needed, and refused" in checked.stdout
    assert nodes.scene.start("--yes").wait(60) == 4, nodes.scene.log
    assert "a password is required" in nodes.aside()["node1"]
    assert nodes.firmware.booted["node1"] == []
    node.path(REFUSED).unlink()
    nodes.scene.finish()
    nodes.judge()


@pytest.mark.slow
def test_a_node_that_reboots_in_mid_run_is_brought_up_again(nodes: Rebooting) -> None:
    node = nodes.firmware.nodes[0]
    nodes.write(runs=3, seconds=1.0, extra="settle = { seconds = 0.7 }")
    runner = nodes.scene.start("--yes")
    until(lambda: nodes.scene.one("SELECT count(*) FROM boots WHERE kernel = 'rt' AND proved_at > ''"), 40)
    kernel = "SELECT kernel FROM boots WHERE started_at IS NOT NULL AND ended_at IS NULL"
    until(lambda: nodes.scene.one(kernel) == "rt", 40, lambda: nodes.scene.log)
    attempt = nodes.scene.wait_under_way(node.name)
    # Somebody else's, who may be gone before it has said so: the order for one boot is used up, the default comes up.
    node.run(["/usr/sbin/reboot"], check=False)
    assert runner.wait(90) == 0, nodes.scene.log
    nodes.judge()
    assert nodes.scene.status_of(attempt) == "lost"
    lives = nodes.scene.rows(
        """SELECT DISTINCT attempts.boot_id FROM attempts JOIN runs ON runs.id = attempts.run
           JOIN boots ON boots.id = runs.boot WHERE kernel = 'rt' AND status = 'ok'"""
    )
    assert nodes.firmware.booted["node1"].count(MENU[0].title) == 2
    assert 1 <= len(lives) <= 2
    assert len(settled_s(nodes)) == 3
    assert min(settled_s(nodes)) >= 0.7


def settled_s(nodes: Rebooting) -> list[float]:
    """From each proof after a reboot to the first run after it."""
    rows = nodes.scene.rows(
        """SELECT (julianday(min(attempts.started_at)) - julianday(bringups.proved_at)) * 86400
           FROM bringups JOIN runs ON runs.boot = bringups.boot JOIN attempts ON attempts.run = runs.id
           WHERE attempts.started_at > bringups.proved_at GROUP BY bringups.id"""
    )
    return [round(seconds, 3) for (seconds,) in rows]


@pytest.mark.slow
def test_a_boot_goes_on_in_another_life_of_the_same_kernel(scene: Scene) -> None:
    """Nobody gave an order: the node comes back into its default, which is the kernel that is wanted."""
    with rebooting(scene, takes_arguments=False) as nodes:
        node = nodes.firmware.nodes[0]
        nodes.write(runs=3, seconds=1.0, kernels=1, extra="settle = { seconds = 0.7 }")
        runner = scene.start("--yes")
        scene.wait_ok(1)
        attempt = scene.wait_under_way(node.name)
        node.run(["/usr/sbin/reboot"], check=False)
        assert runner.wait(90) == 0, scene.log
        nodes.judge()
        assert scene.status_of(attempt) == "lost"
        assert scene.one("SELECT count(*) FROM bringups") == 1
        assert scene.one("SELECT count(DISTINCT boot_id) FROM attempts WHERE status = 'ok'") == 2
        scene.command("status")
        assert "node1 under stock: rebooted within the boot of block 1; its runs are of several lives" in scene.log
        # The end of the lost one is filed when the node is back.
        ((waited_s,),) = scene.rows(
            """SELECT (julianday(min(later.started_at)) - julianday(lost.ended_at)) * 86400
               FROM attempts AS lost JOIN attempts AS later ON later.started_at >= lost.ended_at
               WHERE lost.status = 'lost'"""
        )
        assert waited_s >= 0.69


WHO = f"""#!/bin/sh
# who of a node of namespaces: the first answer to the question who works there is cut off, with its connection
[ ! -e /tmp/cut ] && grep -q hv_min /proc/$PPID/cmdline || exit 0
: >/tmp/cut
{CUT}cut
"""


def test_a_connection_that_is_cut_while_it_is_looked_at_sets_no_node_aside(nodes: Rebooting) -> None:
    node = nodes.firmware.nodes[0]
    who = node.path("/usr/local/bin/who")
    who.write_text(WHO)
    who.chmod(0o755)
    nodes.write()
    nodes.scene.finish("--yes")
    nodes.judge()
    assert node.path("/tmp/cut").exists()
    assert nodes.scene.one("SELECT count(*) FROM events WHERE message LIKE '%connection lost%; waiting for it%'") == 1
    node.path("/tmp/cut").unlink()
    node.path("/usr/local/bin/who").unlink()


def test_a_default_that_could_not_be_put_back_is_put_back_by_run(nodes: Rebooting) -> None:
    node = nodes.firmware.nodes[0]
    nodes.write(seconds=0.5, connection=PATIENT)
    runner = nodes.scene.start("--yes")
    nodes.scene.wait_ok(3)
    editenv, grubenv = node.path("/usr/bin/grub-editenv"), node.path(GRUBENV)
    before = grubenv.read_text()
    grubenv.write_text(before.replace(MENU[0].place, "somebody-elses"))
    editenv.chmod(0o644)
    assert runner.wait(60) == 4, nodes.scene.log
    assert nodes.scene.statuses() == {"ok": 4}
    told = f"boot by default what it did before: node1; put it back with: hpcvirt-tui run {nodes.scene.database}"
    assert told in nodes.scene.log
    nodes.scene.command("status")
    assert nodes.scene.log.count(told) == 2
    node.path("/usr/bin/grub-editenv").chmod(0o755)
    nodes.scene.command("run")
    nodes.judge()
    assert "somebody-elses" not in node.path(GRUBENV).read_text()
    assert nodes.scene.one("SELECT count(*) FROM boot_defaults WHERE restored_at IS NULL") == 0
    assert nodes.firmware.booted["node1"] == nodes.planned("node1")
    # And then it is finished for good.
    assert nodes.scene.start("--db", str(nodes.scene.database)).wait(30) == 2


def test_an_order_that_a_node_passed_over_is_taken_back_when_the_runner_stops(nodes: Rebooting) -> None:
    nodes.firmware.deaf["node1"] = 1
    nodes.write(limit_s=60)
    runner = nodes.scene.start("--yes")
    until(lambda: nodes.scene.one("SELECT count(*) FROM bringups WHERE accepted_at > ''"), 30, lambda: nodes.scene.log)
    runner.send_signal(signal.SIGINT)
    assert runner.wait(60) == 3, nodes.scene.log
    nodes.assert_default()
    assert "the order is taken back" in nodes.scene.one("SELECT failure FROM bringups")
    nodes.scene.finish()
    nodes.judge()
    assert nodes.firmware.booted["node1"] == nodes.planned("node1")


def killed_after(nodes: Rebooting, step: str, *words: str) -> bool:
    """Whether a runner lived until one more reboot had come so far, and was killed then."""
    sql = f"SELECT count(*) FROM bringups WHERE {step} IS NOT NULL"
    before = nodes.scene.one(sql) or 0
    runner = nodes.scene.start(*words)
    until(lambda: (nodes.scene.one(sql) or 0) > before or runner.poll() is not None, 60)
    is_alive = runner.poll() is None
    if is_alive:
        os.killpg(runner.pid, signal.SIGKILL)
    runner.wait()
    return is_alive


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_manager_is_killed_while_nodes_reboot(nodes: Rebooting) -> None:
    nodes.firmware.down_s = 0.7
    nodes.write(nodes=2, kernels=3, limit_s=40)
    steps = ("ordered_at", "accepted_at", "gone_at", "back_at", "proved_at")
    kills = 0
    for number, step in enumerate(steps):
        kills += killed_after(nodes, step, *(["--yes"] if number == 0 else []))
        time.sleep(0.3)
    nodes.scene.finish(limit_s=120)
    nodes.judge()
    assert kills >= 4
    orders = nodes.scene.one("SELECT count(*) FROM bringups")
    booted = sum(len(titles) for titles in nodes.firmware.booted.values())
    assert 6 <= booted <= orders <= 6 + kills * 2
    # What was confirmed was waited for, never ordered again.
    assert nodes.scene.one("SELECT count(*) FROM bringups WHERE failed_at IS NOT NULL AND accepted_at IS NOT NULL") == 0


def test_other_peoples_work_stops_the_reboot(nodes: Rebooting) -> None:
    node = nodes.firmware.nodes[0]
    node.run(["sh", "-c", "setpriv --reuid 7700 --regid 7700 --clear-groups sleep 300 >/dev/null 2>&1 &"])
    nodes.write()
    assert nodes.scene.start("--yes").wait(60) == 4, nodes.scene.log
    assert "runs sleep" in nodes.aside()["node1"]
    assert "--force" in nodes.scene.log
    assert nodes.firmware.booted["node1"] == []
    nodes.scene.finish("--force")
    nodes.judge()


def test_stopped_while_it_reboots_it_goes_on_and_the_default_is_as_before(nodes: Rebooting) -> None:
    nodes.firmware.down_s = 3
    nodes.write()
    runner = nodes.scene.start("--yes")
    until(lambda: nodes.scene.one("SELECT count(*) FROM bringups WHERE gone_at > ''"), 30, lambda: nodes.scene.log)
    runner.send_signal(signal.SIGINT)
    assert runner.wait(60) == 3, nodes.scene.log
    nodes.firmware.down_s = 0.0
    nodes.scene.finish()
    nodes.judge()
    assert nodes.firmware.booted["node1"] == nodes.planned("node1")


def test_kernel_arguments_are_for_one_boot(nodes: Rebooting) -> None:
    nodes.write(extra='arguments = "mitigations=off quiet"')
    nodes.scene.finish("--yes")
    nodes.judge()
    lines = nodes.scene.rows("SELECT DISTINCT content ->> 'cmdline' FROM identities")
    assert all("mitigations=off quiet" in line for (line,) in lines)


def test_a_menu_without_arguments_gets_no_nonce_and_refuses_arguments(scene: Scene) -> None:
    with rebooting(scene, takes_arguments=False) as nodes:
        nodes.write(extra='arguments = "quiet"')
        assert nodes.scene.start("--yes").wait(60) == 4
        assert "does not hand on hpcvirt_arguments" in nodes.aside()["node1"]
        (scene.database).unlink()
        nodes.write()
        nodes.scene.finish("--yes")
        nodes.judge()
        assert scene.rows("SELECT DISTINCT nonce FROM bringups") == [("",)]


@pytest.mark.parametrize("where", ["node", "login"])
def test_the_operators_own_script(nodes: Rebooting, where: str) -> None:
    script = nodes.scene.cluster.shared / f"boot-{where}"
    over = "" if where == "node" else 'ssh "$HPCVIRT_HOST" '
    place = '"$HPCVIRT_OPTION_PLACE"' if where == "node" else "\"'$HPCVIRT_OPTION_PLACE'\""
    told = (nodes.scene.cluster.shared if where == "login" else Path("/shared")) / f"told-{where}"
    script.write_text(
        f'#!/bin/sh -e\n[ "$HPCVIRT_CAMPAIGN.$HPCVIRT_NODE" = small.node1 ]\n'
        # A node that is quick closes the connection over which it was told: ssh's own 255.
        f'echo "$HPCVIRT_KERNEL $HPCVIRT_BLOCK" >>{told}\n{over}grub-reboot {place}\n{over}reboot || [ $? = 255 ]\n'
    )
    (nodes.scene.cluster.shared / told.name).unlink(missing_ok=True)
    script.chmod(0o755)
    path = script if where == "login" else f"/shared/{script.name}"
    tables = "".join(
        f'[[kernel]]\nname = "{name}"\nboot = "command"\ncommand = ["{path}"]\nwhere = "{where}"\nboot_limit = 20\n'
        f'options = {{ place = "{entry.place}" }}\nexpect = {{ release = "{entry.kernel.release}" }}\n'
        for name, entry in zip(("stock", "rt"), MENU, strict=False)
    )
    nodes.scene.write(kernels=tables, baseline="stock", runs=2, blocks=2, nodes=1)
    nodes.scene.finish("--yes")
    nodes.judge()
    assert nodes.firmware.booted["node1"] == nodes.planned("node1")
    visits = nodes.scene.rows("SELECT kernel || ' ' || block FROM boots ORDER BY id")
    assert [(line,) for line in (nodes.scene.cluster.shared / told.name).read_text().splitlines()] == visits


@pytest.mark.parametrize("where", ["node", "login"])
def test_a_script_that_outlives_its_runner_is_awaited_and_not_joined(nodes: Rebooting, where: str) -> None:
    log = write_slow(nodes, where, sleep_s=12, limit_s=60)
    runner = nodes.scene.start("--yes")
    until(lambda: "begin" in log.read_text(), 30, lambda: nodes.scene.log)
    os.killpg(runner.pid, signal.SIGKILL)
    runner.wait()
    assert "end" not in log.read_text()
    nodes.scene.finish()
    nodes.judge()
    begun = log.read_text().splitlines()[0].removeprefix("begin ")
    # On the node the reboot may have been quicker than its last word.
    assert log.read_text().splitlines() in [[f"begin {begun}", f"end {begun}"], [f"begin {begun}"]]
    assert nodes.firmware.booted["node1"] == [MENU[0].title]
    ((accepted_at, failed_at),) = nodes.scene.rows("SELECT accepted_at, failed_at FROM bringups")
    assert failed_at is None
    assert accepted_at or where == "node"


@pytest.mark.slow
def test_a_script_that_outlives_its_runner_for_too_long_is_ended(nodes: Rebooting) -> None:
    log = write_slow(nodes, "login", sleep_s=600, limit_s=3)
    runner = nodes.scene.start("--yes")
    until(lambda: "begin" in log.read_text(), 30, lambda: nodes.scene.log)
    os.killpg(runner.pid, signal.SIGKILL)
    runner.wait()
    first = int(log.read_text().split()[1])
    write_slow(nodes, "login", sleep_s=0, limit_s=3)
    nodes.scene.finish()
    nodes.judge()
    assert not Path(f"/proc/{first}").exists()
    assert nodes.firmware.booted["node1"] == [MENU[0].title]


def test_a_node_is_left_alone_until_its_load_has_fallen(scene: Scene) -> None:
    node = scene.cluster.nodes[0]
    kernels = '[[kernel]]\nname = "native"\nsettle = { seconds = 0.5, load = 0.5, limit = 3 }\n'
    scene.write(kernels=kernels, runs=1, blocks=1, nodes=1)
    node.fake_file("/proc/loadavg", "7.00 3.00 1.00 1/100 4242\n")
    assert scene.start().wait(60) == 4, scene.log
    assert "does not settle: its load is 7, not below 0.5 after 3 s" in scene.log
    assert scene.told == []
    node.fake_file("/proc/loadavg", "0.20 3.00 1.00 1/100 4242\n")
    scene.finish()
    node.reboot()
