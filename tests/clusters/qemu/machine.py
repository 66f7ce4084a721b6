"""Nodes under QEMU's software emulation, reached over ports of loopback."""

from __future__ import annotations

import io
import re
import socket
import subprocess
import tarfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

USER, USER_ID = "bench", 7700
READY_LIMIT_S = 400.0
"""Four at once on two cores take a hundred seconds; more than that is a busy machine."""
MEMORY_MIB = 768
CPUS = 2

# No KVM: a machine may have /dev/kvm and not boot a guest with it.
_ACCEL = ["-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max", "-smp", str(CPUS), "-m", str(MEMORY_MIB)]
_BARE = ["-display", "none", "-vga", "none", "-nodefaults", "-no-user-config"]


class Machine:
    """Holds the process of one node; it is its power switch too."""

    def __init__(self, number: int, folder: Path, image: Path, key: Path) -> None:
        self.name = f"node{number}"
        self.port = _free_port()
        self.folder = folder
        folder.mkdir(parents=True)
        _keygen(folder / "hostkey", self.name)
        self.host_key = (folder / "hostkey.pub").read_text().rsplit(" ", 1)[0]
        _write_settings(folder / "settings.tar", self.name, folder / "hostkey", key.with_suffix(".pub"))
        self._disk = folder / "disk.qcow2"
        overlay = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(image), str(self._disk)]
        subprocess.run(overlay, check=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Power on; its disk is as it was left."""
        disks = [f"file={self._disk},if=virtio,cache=unsafe,discard=unmap"]
        disks.append(f"file={self.folder / 'settings.tar'},if=virtio,format=raw,readonly=on")
        # restrict: it reaches nothing, and is reached by this port of loopback alone.
        net = f"user,id=u0,net=10.0.2.0/24,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-10.0.2.15:22"
        words = ["nice", "qemu-system-x86_64", "-name", self.name, *_ACCEL, *_BARE]
        words += [word for disk in disks for word in ("-drive", disk)]
        words += ["-netdev", net, "-device", "virtio-net-pci,netdev=u0", "-device", "virtio-rng-pci"]
        words += ["-chardev", f"file,id=serial,path={self.folder / 'console'},append=on", "-serial", "chardev:serial"]
        with (self.folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self) -> None:
        """Power off."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wait_ready(self, limit_s: float = READY_LIMIT_S) -> None:
        """Until sshd sends its banner: a forwarded port takes connections long before."""
        give_up_at = time.monotonic() + limit_s
        while not self._has_banner():
            if self._process is None or self._process.poll() is not None or time.monotonic() > give_up_at:
                raise RuntimeError(f"{self.name} did not come up within {limit_s:g} s:\n{self.console()}")
            time.sleep(0.5)

    def console(self) -> str:
        """What it said last, on its console and as a program."""
        said = [self.folder / "console", self.folder / "qemu.log"]
        return "".join(path.read_text(errors="replace")[-3000:] for path in said if path.exists())

    def _has_banner(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 3) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False


class QemuCluster:
    """Nodes that really reboot, and what lets an operator in. A context manager; all is below one folder."""

    def __init__(self, image: Path, folder: Path, nodes: int = 1) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.key = folder / "id_ed25519"
        _keygen(self.key, "operator")
        self.nodes = tuple(Machine(number, folder / f"node{number}", image, self.key) for number in range(1, nodes + 1))
        self.known_hosts = folder / "known_hosts"
        lines = (f"[127.0.0.1]:{node.port} {node.host_key}\n" for node in self.nodes)
        self.known_hosts.write_text("".join(lines))

    def __enter__(self) -> Self:
        try:
            for node in self.nodes:
                node.start()
            for node in self.nodes:
                node.wait_ready()
                self._wait_login(node)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """All power off."""
        for node in self.nodes:
            node.stop()

    def run(self, node: Machine, command: str, limit_s: float = 120) -> str:
        """A command on a node, by OpenSSH."""
        done = self._ssh(node, command, limit_s)
        if done.returncode:
            raise RuntimeError(f"{node.name}: {command}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    def _ssh(self, node: Machine, command: str, limit_s: float) -> subprocess.CompletedProcess[str]:
        words = [*self.ssh(node), command]
        null = subprocess.DEVNULL
        return subprocess.run(words, stdin=null, capture_output=True, text=True, timeout=limit_s, check=False)

    def _wait_login(self, node: Machine, limit_s: float = READY_LIMIT_S) -> None:
        """Until ordinary users are let in: sshd refuses them while the node boots."""
        give_up_at = time.monotonic() + limit_s
        while (done := self._ssh(node, "true", 60)).returncode:
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"{node.name} lets nobody in: {done.stderr}\n{node.console()}")
            time.sleep(1)

    def ssh(self, node: Machine) -> list[str]:
        """The words that log in on a node."""
        options = [f"UserKnownHostsFile={self.known_hosts}", "BatchMode=yes", "ConnectTimeout=30", "LogLevel=ERROR"]
        words = ["ssh", "-F", "none", "-i", str(self.key), "-p", str(node.port)]
        return [*words, *(word for option in options for word in ("-o", option)), f"{USER}@127.0.0.1"]

    def tables(self) -> str:
        """``[connection]`` and ``[[node]]`` tables of a campaign file."""
        nodes = "".join(
            f'[[node]]\nname = "{node.name}"\nhost = "127.0.0.1"\nport = {node.port}\nuser = "{USER}"\n'
            f'identity_file = "{self.key}"\n'
            for node in self.nodes
        )
        return f'[connection]\nknown_hosts = "{self.known_hosts}"\nlogin_limit = 60.0\n{nodes}'

    def kernel_tables(self) -> str:
        """``[[kernel]]`` tables for the entries of the first node's menu: ``stock`` and ``rt``."""
        menu = self.run(self.nodes[0], "sudo -n cat /boot/grub/grub.cfg")
        titles = re.findall(r"^\tmenuentry '([^']*)'", menu, re.MULTILINE)
        tables = []
        for name, is_rt in (("stock", False), ("rt", True)):
            (title,) = [title for title in titles if ("-rt-" in title) is is_rt]
            release = title.rsplit(" ", 1)[1]
            version = "*PREEMPT_RT*" if is_rt else "*PREEMPT_DYNAMIC*"
            tables.append(
                f'[[kernel]]\nname = "{name}"\nboot = "grub"\nentry = "{title}"\n'
                f'expect = {{ release = "{release}", version = "{version}" }}\n'
            )
        return "".join(tables)


def _write_settings(path: Path, name: str, host_key: Path, public_key: Path) -> None:
    """What the node unpacks at boot: its name, its host key, and whom it lets in."""
    files = {
        "etc/hostname": (f"{name}\n".encode(), 0o644, 0),
        "etc/hosts": (f"127.0.0.1 localhost\n127.0.1.1 {name}\n".encode(), 0o644, 0),
        "etc/ssh/ssh_host_ed25519_key": (host_key.read_bytes(), 0o600, 0),
        "etc/ssh/ssh_host_ed25519_key.pub": (host_key.with_suffix(".pub").read_bytes(), 0o644, 0),
        f"home/{USER}/.ssh/authorized_keys": (public_key.read_bytes(), 0o600, USER_ID),
    }
    path.touch(mode=0o600)
    with tarfile.open(path, "w") as archive:
        folder = tarfile.TarInfo(f"home/{USER}/.ssh")
        folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, 0o700, USER_ID, USER_ID
        archive.addfile(folder)
        for target, (content, mode, owner) in files.items():
            entry = tarfile.TarInfo(target)
            entry.size, entry.mode, entry.uid, entry.gid = len(content), mode, owner, owner
            archive.addfile(entry, io.BytesIO(content))


def _keygen(path: Path, comment: str) -> None:
    path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
