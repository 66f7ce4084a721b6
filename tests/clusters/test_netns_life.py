"""The cluster's options, its end, and what a killed test run leaves."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .netns import NetnsCluster, Node, needs
from .netns.fixtures import require_or_skip
from .netns.spaces import identity, members

pytestmark = pytest.mark.cluster

SCRATCH = 4 * 2**20


@pytest.fixture(autouse=True)
def _possible() -> None:
    require_or_skip(needs.missing(wire=True))


@pytest.fixture(scope="module")
def wired() -> Iterator[NetnsCluster]:
    require_or_skip(needs.missing(wire=True))
    with NetnsCluster(2, wire=True, scratch_size=SCRATCH, hashed_known_hosts=True) as cluster:
        yield cluster


@pytest.fixture
def wire(wired: NetnsCluster) -> Iterator[NetnsCluster]:
    yield wired
    wired.restore()


def machine(parent: Path) -> dict[str, list[str]]:
    """What a cluster below `parent` could leave on the machine, where others may come and go meanwhile."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    mounts = [point for point in points if "/hpcvirt-netns/" not in point or point.startswith(str(parent))]
    links = sorted(path.name for path in Path("/sys/class/net").iterdir())
    named = [str(path) for folder in ("/run/netns", "/etc/netns") for path in Path(folder).glob("*")]
    hosts = [Path("/etc/hosts").read_text()]
    return {"mounts": mounts, "links": links, "named namespaces": named, "hosts": hosts}


def connect_s(cluster: NetnsCluster, node: Node) -> float:
    """Time of connect(2): one round trip."""
    started = time.monotonic()
    cluster.connect(node).close()
    return time.monotonic() - started


def test_delay_is_a_round_trip(wire: NetnsCluster) -> None:
    node, other = wire.nodes
    node.delay(200)
    assert 0.2 <= connect_s(wire, node) < 0.4
    assert connect_s(wire, other) < 0.2
    node.delay(200, loss_percent=5)
    assert wire.ssh(node, "hostname", limit_s=60).stdout == "node1\n"
    node.delay(0)
    time.sleep(0.2)  # what is on its way arrives first
    assert connect_s(wire, node) < 0.2


async def test_wire_keeps_its_word_under_load_and_cut(wire: NetnsCluster) -> None:
    node = wire.nodes[0]
    assert len(wire.ssh(node, "head", "-c", "20000000", "/dev/zero").stdout) == 20_000_000
    node.cable_out()
    with pytest.raises(OSError):
        wire.connect(node, limit_s=0.5)
    node.cable_in()
    assert wire.ssh(node, "hostname").stdout == "node1\n"
    node.delay(0, loss_percent=100)
    with pytest.raises(OSError):
        wire.connect(node, limit_s=0.5)


def test_wired_node_boots_again(wire: NetnsCluster) -> None:
    node = wire.nodes[0]
    node.power_cut()
    node.boot()
    node.crash()
    with pytest.raises(ConnectionRefusedError):
        wire.connect(node)
    node.boot()
    assert wire.ssh(node, "hostname").stdout == "node1\n"


async def test_hashed_known_hosts_are_understood(wire: NetnsCluster) -> None:
    text = wire.client.known_hosts.read_text()
    assert "node1" not in text
    assert text.count("|1|") == 4
    for target in ("node1", wire.nodes[0].address):
        assert wire.run_login(["ssh", "-l", "root", *wire_options(wire), target, "hostname"]).stdout == "node1\n"
    async with await wire.connect_asyncssh(wire.nodes[0]) as connection:
        assert (await connection.run("hostname")).stdout == "node1\n"


def wire_options(cluster: NetnsCluster) -> list[str]:
    """For an address, which `Host node*` of the configuration does not match."""
    options = [f"UserKnownHostsFile={cluster.client.known_hosts}", "StrictHostKeyChecking=yes", "BatchMode=yes"]
    return [word for option in options for word in ("-o", option)]


def test_scratch_can_be_full_and_survives(wire: NetnsCluster) -> None:
    node = wire.nodes[0]
    node.run(["sh", "-c", "echo kept >/scratch/kept"])
    node.fill_scratch(leave_bytes=8192)
    full = wire.ssh(node, "dd", "if=/dev/zero", "of=/scratch/more", "bs=4096", "count=3")
    assert "No space left on device" in full.stderr
    node.power_cut()
    assert node.path("/scratch/more").stat().st_size == 8192
    node.boot()
    assert "No space left on device" in wire.ssh(node, "dd", "if=/dev/zero", "of=/scratch/x", "bs=4k", "count=1").stderr
    node.free_scratch()
    assert wire.ssh(node, "dd", "if=/dev/zero", "of=/scratch/x", "bs=4096", "count=3").returncode == 0
    assert wire.ssh(node, "cat", "/scratch/kept").stdout == "kept\n"


def test_nothing_is_left_after_down(tmp_path: Path) -> None:
    before = machine(tmp_path)
    cluster = NetnsCluster(2, wire=True, scratch_size=SCRATCH, parent=tmp_path)
    cluster.up()
    node, cut = cluster.nodes
    cluster.ssh(node, "sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 </dev/null & exit 0")
    node.rate(100)
    suspended = cluster.exec_login(["sleep", "1000"])
    suspended.send_signal(signal.SIGSTOP)
    cut.power_cut()
    nets = [identity(path) for path in (cluster.login_net, node.net)]
    pids = members("net", nets)
    assert len(pids) >= 5
    cluster.down()
    assert suspended.returncode == -signal.SIGKILL
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert members("net", nets) == []
    assert list((tmp_path / "hpcvirt-netns").iterdir()) == []
    assert machine(tmp_path) == before
    cluster.down()  # again, harmlessly
    cluster.up()
    assert cluster.ssh(cluster.nodes[1], "hostname").stdout == "node2\n"
    cluster.down()
    assert machine(tmp_path) == before


def test_nothing_is_left_of_a_cluster_that_did_not_come_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = machine(tmp_path)
    boot = Node.boot

    def fails(self: Node, *arguments: object, **options: object) -> None:
        boot(self, *arguments, **options)
        if self.name == "node2":
            raise RuntimeError("no kernel found")

    monkeypatch.setattr(Node, "boot", fails)
    with pytest.raises(RuntimeError, match="no kernel found"):
        NetnsCluster(2, parent=tmp_path).up()
    assert machine(tmp_path) == before
    assert list((tmp_path / "hpcvirt-netns").iterdir()) == []


def test_node_that_cannot_boot_says_why(tmp_path: Path) -> None:
    with NetnsCluster(1, parent=tmp_path) as cluster:
        node = cluster.nodes[0]
        node.path("/etc/ssh/sshd_config").write_text("Nonsense yes\n")
        node.crash()
        node.boot(wait=False)
        with pytest.raises(RuntimeError, match="Nonsense"):
            node.wait_ready(1)


def test_two_clusters_do_not_meet(tmp_path: Path) -> None:
    with NetnsCluster(1, parent=tmp_path) as one, NetnsCluster(1, parent=tmp_path) as other:
        one.nodes[0].power_cut()
        assert other.ssh(other.nodes[0], "hostname").stdout == "node1\n"
        assert one.folder != other.folder
    assert list((tmp_path / "hpcvirt-netns").iterdir()) == []


OWNER = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from netns import NetnsCluster
    from netns.spaces import identity, members
    cluster = NetnsCluster(1, parent=Path(sys.argv[2]))
    cluster.up()
    cluster.exec_login(["sleep", "1000"])
    cluster.ssh(cluster.nodes[0], "sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 </dev/null & exit 0")
    print(*members("net", [identity(cluster.login_net), identity(cluster.nodes[0].net)]), flush=True)
    if sys.argv[3] == "exit":
        sys.exit()
    time.sleep(1000)
""")


def owner(tmp_path: Path, manner: str) -> tuple["subprocess.Popen[str]", list[int]]:
    argv = [sys.executable, "-c", OWNER, str(Path(__file__).parent), str(tmp_path), manner]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, [int(word) for word in process.stdout.readline().split()]


def alive(pids: list[int]) -> list[int]:
    left = []
    for pid in pids:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                left.append(pid)
    return left


def test_leftovers_of_a_killed_run_are_swept_by_the_next(tmp_path: Path) -> None:
    before = machine(tmp_path)
    process, pids = owner(tmp_path, "stay")
    with process, NetnsCluster(1, parent=tmp_path):  # a living owner's cluster is let alone
        assert alive(pids) == pids
        process.kill()
    (leftover,) = (tmp_path / "hpcvirt-netns").iterdir()
    deadline = time.monotonic() + 5
    while len(alive(pids)) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(alive(pids)) == 1  # the node has died with its owner; the program of the login node not
    with NetnsCluster(1, parent=tmp_path):
        assert not leftover.exists()
        assert alive(pids) == []
    assert machine(tmp_path) == before


def test_cluster_goes_down_at_exit(tmp_path: Path) -> None:
    before = machine(tmp_path)
    process, pids = owner(tmp_path, "exit")
    with process:
        assert process.wait(10) == 0
    assert len(pids) >= 4
    assert alive(pids) == []
    assert machine(tmp_path) == before


def test_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hpcvirt-netns").mkdir()
    os.chown(tmp_path / "hpcvirt-netns", 65534, 65534)
    with pytest.raises(PermissionError):
        NetnsCluster(1, parent=tmp_path).up()


def test_what_is_missing_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "sshd_path", lambda: None)
    monkeypatch.setattr(needs, "TOOLS", {"no-such-tool": "some-package"})
    assert needs.missing.__wrapped__() == "not installed: no-such-tool (some-package), sshd (openssh-server)"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert needs.missing.__wrapped__() == "network namespaces need root"


def test_skip_becomes_a_failure_where_the_cluster_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HPCVIRT_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs root"):
        require_or_skip("it needs root")
    monkeypatch.setenv("HPCVIRT_REQUIRE", "tmux,cluster")
    with pytest.raises(pytest.fail.Exception, match="needs root"):
        require_or_skip("it needs root")
