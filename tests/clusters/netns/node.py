"""One node: power, cable, sshd, identity, scratch, and what runs on it."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from . import boot, fakes, layout, spaces
from .cable import Cable
from .fakes import Kernel
from .layout import NodePlan
from .spaces import Process

INIT = Path(__file__).with_name("node_init.py")
READY_LIMIT_S = 20.0
PID_FILE = "/run/sshd.pid"
FILLER = ".filler"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"


class Node:
    """Holds the processes of one node. Made by `NetnsCluster`; off until `boot`."""

    def __init__(self, plan: NodePlan, login_net: Path, shared: Path, wire: bool) -> None:
        self.plan = plan
        self.kernel: Kernel | None = None
        """What it claims to run; None: the machine's own."""
        self._cable = Cable(plan, login_net, wire)
        self._shared = shared
        self._sshd = [layout.sshd_path() or "sshd", "-E", "/var/log/sshd.log"]
        self._unshare: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<{self.name} {self.address} {'on' if self.is_on else 'off'}>"

    @property
    def name(self) -> str:
        """Host name, known on the login node and on all nodes."""
        return self.plan.name

    @property
    def address(self) -> str:
        """IPv4 address, seen from the cluster only."""
        return self.plan.address

    @property
    def net(self) -> Path:
        """File of the node's network namespace, another one in each life."""
        return self._cable.net

    @property
    def is_on(self) -> bool:
        """Whether the node has power and its process 1 lives."""
        return self._unshare is not None and self._unshare.poll() is None

    # Power

    def boot(self, release: Kernel | str | None = None, *, keep_boot_id: bool = False, wait: bool = True) -> None:
        """Switch on, with a faultless cable, and wait for sshd.

        `release` is the kernel claimed from now on; None: as before; "": the machine's own. With `keep_boot_id` the
        node comes up as if it had never been away.
        """
        if self.is_on:
            raise RuntimeError(f"{self.name} is on")
        self._off()
        if release is not None:
            self.kernel = _kernel(release)
        boot_id = self.plan.folder / "fake/boot_id"
        if not (keep_boot_id and boot_id.exists()):
            boot_id.write_text(f"{uuid.uuid4()}\n")
        self._cable.lay()
        self._start()
        if wait:
            self.wait_ready()

    def power_cut(self) -> None:
        """Off without a word: the cable goes first, so that no FIN and no RST leaves; then everything dies."""
        if self._cable.is_laid:
            self._cable.pull()
        self._off()
        self._cable.remove()

    def crash(self) -> None:
        """All processes die at once; the kernel answers: FIN or RST to the peers, port 22 refused, ping answered."""
        self._off()

    def reboot(self, release: Kernel | str | None = None, *, keep_boot_id: bool = False, wait: bool = True) -> None:
        """Processes end, connections are closed, another life begins; the disk and the scratch stay."""
        self._off()
        self.boot(release, keep_boot_id=keep_boot_id, wait=wait)

    def wait_ready(self, limit_s: float = READY_LIMIT_S) -> None:
        """Until sshd sends its banner."""
        deadline = time.monotonic() + limit_s
        while not spaces.in_network(self._cable.login_net, _banner_comes, self.address, min(deadline, self._soon())):
            if not self.is_on or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} has no sshd after {limit_s} s at most:\n{self.console()}")

    def console(self) -> str:
        """What the node's process 1 and a failing sshd said."""
        said = [self.plan.folder / "console", self.plan.upper / "var/log/sshd.log"]
        return "".join(path.read_text(errors="replace") for path in said if path.exists())

    # Cable

    def cable_out(self) -> None:
        """Nothing passes, neither side is told."""
        self._cable.pull()

    def cable_in(self) -> None:
        """Plugged in again; TCP goes on when it next tries, after up to twice the time it was out."""
        self._cable.plug()

    def loss(self, percent: float) -> None:
        """This share of the packets is lost each way between the login node and this one; 0 ends it."""
        self._cable.loss(percent)

    def delay(self, round_trip_ms: float, loss_percent: float = 0.0) -> None:
        """The round trip takes this much longer; only with `NetnsCluster(wire=True)`."""
        self._cable.delay(round_trip_ms, loss_percent)

    def rate(self, mbit_s: float | None) -> None:
        """At most this many megabits a second each way; None ends it."""
        self._cable.rate(mbit_s)

    def heal(self) -> None:
        """A faultless cable again."""
        self._cable.heal()

    # sshd

    def kill_sshd(self, *, sessions: bool = True) -> None:
        """SIGKILL to the listening daemon and, unless told otherwise, its sessions; what they started lives on."""
        listener = self._listener()
        if listener is not None:
            spaces.end([listener.host_pid], "pid", [self._pid_space()])
            self.path(PID_FILE).unlink(missing_ok=True)
        while sessions and (left := self._sshds()):
            spaces.end([process.host_pid for process in left], "pid", [self._pid_space()])

    def start_sshd(self) -> None:
        """The daemon listens again."""
        self.run(self._sshd)
        self.wait_ready()

    def new_host_key(self) -> None:
        """As a reinstalled node has it; sessions that are open stay. `NetnsCluster.trust` tells the client."""
        temporary = self.plan.folder / "hostkey"
        layout.make_key(temporary, self.name)
        layout.write_secret(self.path(HOST_KEY), temporary.read_text())
        self.path(f"{HOST_KEY}.pub").write_text(temporary.with_suffix(".pub").read_text())
        if self.is_on:
            self.kill_sshd(sessions=False)
            self.start_sshd()

    # Identity

    @property
    def boot_id(self) -> str:
        """Of this life, or the last one."""
        return (self.plan.folder / "fake/boot_id").read_text().strip()

    def switch_boot_id(self, boot_id: str | None = None) -> str:
        """Another boot_id (a new one by default) in the midst of a life; returned."""
        switched = boot_id or str(uuid.uuid4())
        with (self.plan.folder / "fake/boot_id").open("r+") as file:  # in place: the bind mount is on this inode
            file.write(f"{switched}\n")
        return switched

    def set_clock(self, offset_s: int) -> None:
        """date(1) of the node is `offset_s` off, until 0 or a reboot. Only this program is fooled.

        All nodes have the machine's clock, so `time()`, `$EPOCHSECONDS` and file times stay true.
        """
        tool = boot.tool("date")
        real = "/run/node/date"
        if not self.path(real).exists():
            shutil.copy2(self.path(tool), self.path(real))
        self.fake_file(tool, fakes.date_script(real, offset_s), mode=0o755)

    def fake_file(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file that exists on the node (in /proc and /sys too) reads as `text` until the node goes down."""
        stand_in = f"/run/node/fake{path.replace('/', '-')}"
        known = self.path(stand_in).exists()
        self.path(stand_in).write_text(text)
        self.path(stand_in).chmod(mode)
        if not known:
            self.run(["mount", "--bind", stand_in, path])

    # Scratch

    def fill_scratch(self, leave_bytes: int = 0) -> None:
        """No more than this is free on /scratch, a disk of its own with the option scratch_size."""
        scratch = self._scratch_disk()
        (scratch / FILLER).unlink(missing_ok=True)
        with (scratch / FILLER).open("wb") as file:
            # Somebody may write at the same time, and take what was free when it was asked for.
            for _ in range(20):
                free = os.statvfs(scratch)
                size = free.f_bavail * free.f_frsize - leave_bytes
                with contextlib.suppress(OSError):
                    if size > 0:
                        os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, size)
                    return
        raise AssertionError("somebody writes faster than the disk is filled")

    def free_scratch(self) -> None:
        """Undo `fill_scratch`."""
        (self._scratch_disk() / FILLER).unlink(missing_ok=True)

    def restore(self) -> None:
        """On, with a faultless cable and sshd listening, nobody at work, whatever a test did."""
        if not self.is_on:
            self.boot()
            return
        self.heal()
        self.end_strays()
        if self._listener() is None:
            self.start_sshd()

    def end(self) -> None:
        """For the end of the cluster, which removes the network and the files."""
        self._off()
        self._cable.end()

    # Looking in

    def run(
        self, argv: Sequence[str], *, stdin: str | None = None, limit_s: float = 20.0, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the node as root, not over SSH; after `limit_s` it is killed (exit 137)."""
        time_space = ["--time"] if boot.TIME_SPACE.exists() else []
        enter = ["nsenter", f"--target={self._init_pid()}", "--mount", "--uts", "--ipc", "--net", "--pid", *time_space]
        inside = ["env", "-i", f"PATH={layout.SBIN_PATH}", "HOME=/root", "timeout", "-s", "KILL", str(limit_s), *argv]
        done = subprocess.run(
            [*enter, "--", *inside], input=stdin or "", capture_output=True, text=True, timeout=limit_s + 5, check=False
        )
        if check and done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(argv)}: exit {done.returncode}: {done.stderr}")
        return done

    def processes(self) -> list[Process]:
        """All processes of the node, zombies too; none when it is off."""
        if not self.is_on:
            return []
        found = (spaces.describe(pid) for pid in spaces.members("pid", [self._pid_space()]))
        return sorted((process for process in found if process is not None), key=lambda process: process.pid)

    def strays(self) -> list[Process]:
        """Processes other than process 1 and those of sshd: none on a node where nobody works."""
        return [process for process in self.processes() if process.pid != 1 and not process.name.startswith("sshd")]

    def end_strays(self) -> None:
        """SIGKILL to what sshd or a test has left running."""
        while left := [stray.host_pid for stray in self.strays() if stray.state != "Z"]:
            spaces.end(left, "pid", [self._pid_space()])

    def path(self, path: str) -> Path:
        """A node's file as this machine reaches it. An absolute symbolic link on the way leads astray.

        With the node off: its disk; a file that it has never written is then the machine's own.
        """
        if self.is_on:
            return Path(f"/proc/{self._init_pid()}/root{path}")
        own_mounts = {"/shared": self._shared}
        if self.plan.has_own_scratch:
            own_mounts["/scratch"] = self.plan.folder / "scratch"
        for mounted, folder in own_mounts.items():
            if Path(path).is_relative_to(mounted):
                return folder / Path(path).relative_to(mounted)
        upper = self.plan.upper / path.lstrip("/")
        return upper if upper.exists() else Path(path)

    # Inside

    def _start(self) -> None:
        plan_file = self.plan.folder / "plan.json"
        plan_file.write_text(json.dumps(boot.init_plan(self.plan, self._shared, self.kernel, self._sshd)))
        spaces_of_its_own = ["--uts", "--ipc", "--pid", "--mount", *boot.uptime_zero()]
        argv = ["unshare", *spaces_of_its_own, "--fork", "--kill-child=KILL", "--"]
        with (self.plan.folder / "console").open("wb") as console:
            self._unshare = spaces.in_network(
                self._cable.net,
                subprocess.Popen,
                [*argv, sys.executable, "-S", "-E", str(INIT), str(plan_file)],
                stdin=subprocess.PIPE,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _off(self) -> None:
        """SIGKILL to process 1 takes all others along, and unshare ends when the last of them is gone."""
        if self._unshare is None:
            return
        with contextlib.suppress(ProcessLookupError):
            pid = self._init_pid()
            spaces.end([pid], "pid", [spaces.identity(f"/proc/{pid}/ns/pid")])
        if self._unshare.stdin is not None:
            self._unshare.stdin.close()
        self._unshare.wait(READY_LIMIT_S)
        self._unshare = None

    def _init_pid(self) -> int:
        """Process 1 of the node as the machine counts: the only child of unshare."""
        while self._unshare is not None and self._unshare.poll() is None:
            pid = self._unshare.pid
            if children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                return int(children[0])
            time.sleep(0.001)
        raise ProcessLookupError(f"{self.name} is off")

    def _pid_space(self) -> spaces.Identity:
        return spaces.identity(f"/proc/{self._init_pid()}/ns/pid")

    def _sshds(self) -> list[Process]:
        return [process for process in self.processes() if process.name.startswith("sshd") and process.state != "Z"]

    def _listener(self) -> Process | None:
        """By its pid file: it is an sshd like its sessions, and what it calls itself may be cut short."""
        try:
            pid = int(self.path(PID_FILE).read_text())
        except (OSError, ValueError):
            return None
        return next((process for process in self._sshds() if process.pid == pid), None)

    def _soon(self) -> float:
        """So that a node that died is noticed while its sshd is waited for."""
        return time.monotonic() + 0.5

    def _scratch_disk(self) -> Path:
        if not self.plan.scratch_size:
            raise RuntimeError("needs NetnsCluster(scratch_size=...)")
        return self.plan.folder / "scratch"


def _kernel(release: Kernel | str) -> Kernel | None:
    if isinstance(release, Kernel):
        return release
    return Kernel(release) if release else None


def _banner_comes(address: str, deadline: float) -> bool:
    """Whether an SSH banner comes before the deadline; refusals are tried again."""
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((address, 22), 0.5) as connection:
                if connection.recv(4) == b"SSH-":
                    return True
        except OSError:
            time.sleep(0.003)
    return False
