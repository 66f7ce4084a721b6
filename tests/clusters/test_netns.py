"""Each fault of the namespace cluster does what it says, seen from real clients."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest

from .netns import USER, USER_HOME, Kernel, NetnsCluster, Node

pytestmark = pytest.mark.cluster

KEEPALIVE = {"keepalive_interval": 0.5, "keepalive_count_max": 3}
LOST_WITHIN_S = 3.0
XEN = Kernel("6.1.0-xen-amd64", "#1 SMP Xen 2024-01-01", "root=/dev/xvda1 ro console=hvc0 nonce=4711")


@asynccontextmanager
async def session(
    cluster: NetnsCluster, node: Node, **options: object
) -> AsyncIterator[asyncssh.SSHClientProcess[str]]:
    """A connection and a program on it that would run for long; the connection is dropped without farewell."""
    connection = await cluster.connect_asyncssh(node, **options)
    try:
        yield await connection.create_process("echo begun; exec sleep 1000")
    finally:
        connection.abort()
        await connection.wait_closed()


async def begun(process: asyncssh.SSHClientProcess[str]) -> None:
    async with asyncio.timeout(5):
        assert await process.stdout.readline() == "begun\n"


def assert_idle(node: Node) -> None:
    """No stray within two seconds: process 1 buries zombies soon, but not at once."""
    deadline = time.monotonic() + 2
    while node.strays() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert node.strays() == []


def read(node: Node, *words: str) -> str:
    return node.run(words).stdout.strip()


def test_four_nodes_are_ready_in_seconds(netns: NetnsCluster, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f" [{len(netns.nodes)} OpenSSH nodes ready in {netns.ready_s:.2f} s] ", end="")
    assert netns.ready_s < 5  # 0.25 s seen; the rest is for a busy machine


def test_nodes_are_machines_of_their_own(netns: NetnsCluster) -> None:
    assert [netns.ssh(node, "hostname").stdout for node in netns.nodes] == [f"node{i}\n" for i in (1, 2, 3, 4)]
    told = [netns.ssh(node, "cat", "/proc/sys/kernel/random/boot_id").stdout.strip() for node in netns.nodes]
    assert told == [node.boot_id for node in netns.nodes]
    assert len(set(told)) == 4
    assert len({node.path("/etc/ssh/ssh_host_ed25519_key.pub").read_text() for node in netns.nodes}) == 4
    for kind in ("net", "uts", "ipc", "pid", "mnt"):
        assert len({read(node, "readlink", f"/proc/self/ns/{kind}") for node in netns.nodes}) == 4


def test_disk_is_the_nodes_own_and_shared_is_common(netns: NetnsCluster) -> None:
    first, second = netns.nodes[:2]
    first.run(["sh", "-c", "echo mine >/etc/netns-test; echo ours >/shared/netns-test"])
    assert second.run(["cat", "/etc/netns-test"], check=False).returncode == 1
    assert not Path("/etc/netns-test").exists()
    assert read(second, "cat", "/shared/netns-test") == "ours"
    assert first.path("/etc/netns-test").read_text() == "mine\n"
    assert (netns.shared / "netns-test").read_text() == "ours\n"


def test_ordinary_user_has_a_home_shared_by_all_nodes(netns: NetnsCluster) -> None:
    for name in ("node1", "node2"):
        told = netns.run_login(["ssh", f"{USER}@{name}", "id -un; pwd; echo $(hostname) >>visited; cat visited"])
    assert told.stdout.split() == [USER, USER_HOME, "node1", "node2"]


def test_nodes_reach_each_other_by_ssh(netns: NetnsCluster) -> None:
    assert netns.ssh(netns.nodes[0], "ssh", "-o", "BatchMode=yes", "node3", "hostname").stdout == "node3\n"


def test_nothing_leads_out_of_the_cluster(netns: NetnsCluster) -> None:
    for place in (netns.login_net, netns.nodes[0].net):
        assert "default" not in netns.run_login(["nsenter", f"--net={place}", "ip", "route"]).stdout
    with pytest.raises(OSError, match="unreachable"):
        netns.in_login(socket.create_connection, ("192.0.2.1", 22), 2)
    # This machine has no way in either; to try would send a packet to wherever its default route leads.
    told = netns.nodes[0].address.rpartition(".")[0]
    assert told not in subprocess.run(["ip", "route", "show", "table", "all"], capture_output=True, text=True).stdout


async def test_cable_out_is_lost_within_the_keepalive_time(netns: NetnsCluster) -> None:
    node = netns.nodes[0]
    async with session(netns, node, **KEEPALIVE) as process:
        await begun(process)
        node.cable_out()
        started = time.monotonic()
        done = await asyncio.wait_for(process.wait(), 10)
        assert (done.exit_status, done.exit_signal) == (None, None)
        assert 0.5 < time.monotonic() - started < LOST_WITHIN_S
    with pytest.raises(OSError):  # TimeoutError, or "no route to host" once ARP has given up
        netns.connect(node, limit_s=0.5)
    node.cable_in()
    assert netns.ssh(node, "hostname").stdout == "node1\n"


async def test_short_cable_out_is_survived(netns: NetnsCluster) -> None:
    node = netns.nodes[0]
    connection = await netns.connect_asyncssh(node)
    async with connection:
        running = asyncio.create_task(connection.run("sleep 0.5; echo here"))
        await asyncio.sleep(0.2)
        node.cable_out()
        await asyncio.sleep(1)
        assert not running.done()
        node.cable_in()
        done = await asyncio.wait_for(running, 15)
    assert (done.exit_status, done.stdout) == (0, "here\n")


async def test_crash_closes_connections_and_refuses_new_ones(netns: NetnsCluster) -> None:
    node = netns.nodes[1]
    async with session(netns, node) as process:
        await begun(process)
        node.crash()
        done = await asyncio.wait_for(process.wait(), 2)  # without any keepalive
        assert (done.exit_status, done.exit_signal) == (None, None)
    with pytest.raises(ConnectionRefusedError):
        netns.connect(node)
    refused = netns.ssh(node, "true")
    assert refused.returncode == 255
    assert "Connection refused" in refused.stderr
    assert node.processes() == []


async def test_power_cut_says_nothing(netns: NetnsCluster) -> None:
    node = netns.nodes[2]
    with netns.connect(node) as silent:
        assert silent.recv(100).startswith(b"SSH-2.0-")
        async with session(netns, node) as process:
            await begun(process)
            node.power_cut()
            with pytest.raises(TimeoutError):  # no keepalive: nothing tells the client
                await asyncio.wait_for(process.wait(), 1)
        silent.settimeout(0.2)
        with pytest.raises(TimeoutError):  # neither FIN (b"") nor RST (ConnectionResetError)
            silent.recv(100)
        assert not node.is_on
        node.boot()
        with pytest.raises(TimeoutError):  # nor when the cable is back: the dead kernel's sockets are gone
            silent.recv(100)
        silent.settimeout(5)
        silent.send(b"SSH-2.0-late\r\n")
        with pytest.raises(ConnectionResetError):  # the new life knows no such connection
            silent.recv(100)


async def test_power_cut_is_seen_by_keepalive(netns: NetnsCluster) -> None:
    node = netns.nodes[2]
    async with session(netns, node, **KEEPALIVE) as process:
        await begun(process)
        node.power_cut()
        started = time.monotonic()
        done = await asyncio.wait_for(process.wait(), 10)
        assert done.exit_status is None
        assert time.monotonic() - started < LOST_WITHIN_S


async def test_reboot_is_another_life_on_the_same_disk(netns: NetnsCluster) -> None:
    node = netns.nodes[3]
    before = node.boot_id
    node.run(["sh", "-c", "echo kept >/root/kept; echo kept >/scratch/kept; echo gone >/run/gone"])
    async with session(netns, node) as process:
        await begun(process)
        node.reboot()
        done = await asyncio.wait_for(process.wait(), 2)
        assert done.exit_status is None
    assert netns.ssh(node, "cat", "/proc/sys/kernel/random/boot_id").stdout.strip() == node.boot_id != before
    assert netns.ssh(node, "cat", "/root/kept", "/scratch/kept").stdout == "kept\nkept\n"
    assert netns.ssh(node, "test", "-e", "/run/gone").returncode == 1
    assert float(read(node, "cat", "/proc/uptime").split()[0]) < 30
    assert node.strays() == []


def test_disk_is_read_while_the_node_is_off(netns: NetnsCluster) -> None:
    node = netns.nodes[3]
    node.run(["sh", "-c", "echo spool >/var/tmp/spool"])
    node.power_cut()
    assert node.path("/var/tmp/spool").read_text() == "spool\n"


def test_boot_id_can_be_kept_and_switched(netns: NetnsCluster) -> None:
    node = netns.nodes[0]
    before = node.boot_id
    node.reboot(keep_boot_id=True)
    assert read(node, "cat", "/proc/sys/kernel/random/boot_id") == before
    switched = node.switch_boot_id()
    assert netns.ssh(node, "cat", "/proc/sys/kernel/random/boot_id").stdout.strip() == switched != before


def test_kernel_is_faked_until_another_is_booted(netns: NetnsCluster) -> None:
    node = netns.nodes[0]
    node.reboot(XEN)
    assert netns.ssh(node, "uname", "-r").stdout == f"{XEN.release}\n"
    assert netns.ssh(node, "uname", "-r", "-v", "-m").stdout == f"{XEN.release} {XEN.version} {XEN.machine}\n"
    assert read(node, "uname") == "Linux"
    assert read(node, "uname", "-n") == node.name
    assert read(node, "uname", "-a") == f"Linux node1 {XEN.release} {XEN.version} {XEN.machine} GNU/Linux"
    assert read(node, "cat", "/proc/sys/kernel/osrelease") == XEN.release
    assert read(node, "cat", "/proc/sys/kernel/version") == XEN.version
    assert read(node, "cat", "/proc/cmdline") == XEN.cmdline
    assert read(node, "cat", "/proc/version").startswith(f"Linux version {XEN.release} ")
    node.reboot()
    assert read(node, "uname", "-r") == XEN.release
    node.reboot("")
    assert read(node, "uname", "-a") == f"Linux node1 {' '.join(os.uname()[2:])} GNU/Linux"
    assert read(node, "cat", "/proc/sys/kernel/osrelease") == os.uname().release


def received_share(cluster: NetnsCluster, node: Node, datagrams: int = 500) -> float:
    """Share of the datagrams from the login node that reach the node."""
    with cluster.in_node(node, socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind((node.address, 9))
        there.settimeout(0.1)
        with cluster.in_login(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as here:
            came = 0
            for _ in range(datagrams // 50):  # in small lots: a socket that overflowed would look like a loss
                for _ in range(50):
                    here.sendto(b"x", (node.address, 9))
                came += drain(there)
    return came / datagrams


def drain(there: socket.socket) -> int:
    came = 0
    while came < 50:
        try:
            there.recv(10)
        except TimeoutError:
            break
        came += 1
    return came


def test_loss_is_about_as_asked(netns: NetnsCluster) -> None:
    node = netns.nodes[0]
    assert received_share(netns, node) == 1
    node.loss(20)
    assert 0.65 < received_share(netns, node) < 0.95
    # TCP gets through; not with so much: each repetition takes twice as long, and luck may want many of them.
    node.loss(5)
    assert netns.ssh(node, "hostname", limit_s=60).stdout == "node1\n"
    node.loss(0)
    assert received_share(netns, node) == 1


def test_rate_is_a_limit(netns: NetnsCluster) -> None:
    node = netns.nodes[0]
    node.rate(8)
    started = time.monotonic()
    assert len(netns.ssh(node, "head", "-c", "1000000", "/etc/services", "/dev/zero").stdout) > 1_000_000
    limited_s = time.monotonic() - started
    node.rate(None)
    started = time.monotonic()
    netns.ssh(node, "head", "-c", "1000000", "/dev/zero")
    # A megabyte at 8 Mbit/s takes a second at least, whatever the machine does besides.
    assert limited_s > max(0.7, time.monotonic() - started)


def test_delay_needs_a_wire(netns: NetnsCluster) -> None:
    with pytest.raises(RuntimeError, match="wire=True"):
        netns.nodes[0].delay(20)


async def test_killed_sshd_leaves_what_it_started(netns: NetnsCluster) -> None:
    node = netns.nodes[1]
    async with session(netns, node) as process:
        await begun(process)
        node.kill_sshd()
        done = await asyncio.wait_for(process.wait(), 2)
        assert done.exit_status is None
    with pytest.raises(ConnectionRefusedError):
        netns.connect(node)
    assert [stray.argv for stray in node.strays()] == [("sleep", "1000")]
    node.start_sshd()
    netns.ssh(node, "pkill", "-KILL", "sleep")
    assert_idle(node)


async def test_sessions_outlive_the_listening_daemon(netns: NetnsCluster) -> None:
    node = netns.nodes[1]
    async with await netns.connect_asyncssh(node) as connection:
        node.kill_sshd(sessions=False)
        with pytest.raises(ConnectionRefusedError):
            netns.connect(node)
        assert (await connection.run("hostname")).stdout == "node2\n"


async def test_changed_host_key_is_refused_until_trusted(netns: NetnsCluster) -> None:
    node = netns.nodes[0]
    async with await netns.connect_asyncssh(node) as before:
        node.new_host_key()
        refused = netns.ssh(node, "true")
        assert refused.returncode == 255
        assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in refused.stderr
        with pytest.raises(asyncssh.HostKeyNotVerifiable):
            await netns.connect_asyncssh(node)
        assert (await before.run("hostname")).stdout == "node1\n"
    netns.trust()
    assert netns.ssh(node, "hostname").stdout == "node1\n"


def test_clock_of_date_is_off_until_reboot(netns: NetnsCluster) -> None:
    node = netns.nodes[0]
    node.set_clock(-3600)
    assert abs(int(netns.ssh(node, "date", "+%s").stdout) - (time.time() - 3600)) < 5
    assert read(node, "date", "-u", "-d", "@0", "+%Y") == "1970"
    node.set_clock(86_400)
    assert abs(int(read(node, "date", "+%s")) - (time.time() + 86_400)) < 5
    node.reboot()
    assert abs(int(read(node, "date", "+%s")) - time.time()) < 5


def test_any_file_of_proc_can_be_faked(netns: NetnsCluster) -> None:
    node = netns.nodes[0]
    node.fake_file("/proc/cpuinfo", "model name\t: abacus\n")
    assert netns.ssh(node, "cat", "/proc/cpuinfo").stdout == "model name\t: abacus\n"
    assert "abacus" not in read(netns.nodes[1], "cat", "/proc/cpuinfo")


def test_stray_processes_are_seen(netns: NetnsCluster) -> None:
    node = netns.nodes[2]
    netns.ssh(node, "sh", "-c", "HPCVIRT_RUN=4711 setsid sleep 1000 >/dev/null 2>&1 </dev/null & exit 0")
    give_up_at = time.monotonic() + 20
    while [stray.argv for stray in node.strays()] != [("sleep", "1000")]:  # first it is still setsid
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
    (stray,) = node.strays()
    assert stray.environment()["HPCVIRT_RUN"] == "4711"
    assert read(node, "cat", f"/proc/{stray.pid}/comm") == "sleep"
    node.run(["kill", "-KILL", str(stray.pid)])
    assert_idle(node)


def test_program_that_does_not_end_on_a_node_is_ended(netns: NetnsCluster) -> None:
    assert netns.nodes[0].run(["sleep", "100"], limit_s=0.2, check=False).returncode in {137, -signal.SIGKILL}
    assert_idle(netns.nodes[0])


def test_suspended_login_program_stands_still(netns: NetnsCluster) -> None:
    log = netns.client.home / "ticks"
    loop = 'while :; do ssh node1 true </dev/null && echo tick >>"$HOME/ticks"; done'
    process = netns.exec_login(["sh", "-c", loop])
    wait_for_growth(log, 0)
    os.killpg(process.pid, signal.SIGSTOP)  # in a session of its own, so its group is it and its children
    time.sleep(0.2)
    size = log.stat().st_size
    time.sleep(0.7)
    assert log.stat().st_size == size
    os.killpg(process.pid, signal.SIGCONT)
    wait_for_growth(log, size)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def wait_for_growth(path: Path, size: int) -> None:
    deadline = time.monotonic() + 10
    while not (path.exists() and path.stat().st_size > size):
        assert time.monotonic() < deadline, f"{path.name} does not grow"
        time.sleep(0.01)


def test_login_program_has_home_names_and_signals_of_its_own(netns: NetnsCluster, tmp_path: Path) -> None:
    told = netns.run_login(["sh", "-c", "hostname; echo $HOME; echo $$; getent hosts node4"], home=tmp_path)
    name, home, _pid, address, host = told.stdout.split()
    assert (name, home, address, host) == ("login", str(tmp_path), netns.nodes[3].address, "node4")
    process = netns.exec_login(["sleep", "100"])
    process.terminate()
    assert process.wait(5) == -signal.SIGTERM


def test_login_etc_is_layered_over_the_machines(netns: NetnsCluster) -> None:
    entries = netns.client.known_hosts.read_text()
    netns.client.known_hosts.write_text("")
    (netns.client.etc / "ssh/ssh_known_hosts").write_text(entries)
    try:
        assert netns.ssh(netns.nodes[0], "hostname").stdout == "node1\n"
    finally:
        (netns.client.etc / "ssh/ssh_known_hosts").unlink()
        netns.trust()
    assert netns.ssh(netns.nodes[0], "hostname").returncode == 0


def test_manager_in_this_process_knows_the_nodes_by_name(netns: NetnsCluster) -> None:
    async def main() -> str:
        keys = {"client_keys": [str(netns.client.key)], "known_hosts": str(netns.client.known_hosts)}
        async with asyncssh.connect("node2", username="root", config=None, **keys) as connection:
            done = await connection.run("hostname", check=True)
        return f"{socket.gethostname()} {done.stdout}"

    here = socket.gethostname()
    assert netns.in_login(asyncio.run, main()) == "login node2\n"
    assert socket.gethostname() == here
