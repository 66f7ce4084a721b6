"""Real OpenSSH servers on loopback, one per node, started and ended by the test."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@dataclass(frozen=True)
class Sshd:
    """Four nodes and a home folder whose ssh configuration knows them."""

    home: Path
    ports: tuple[int, ...]
    pids: tuple[int, ...] = ()
    """Of the servers."""

    def cut(self) -> None:
        """End the connections to all nodes; what they have started lives on."""
        for server in self.pids:
            for pid in _sessions(server):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    @property
    def node_tables(self) -> str:
        """``[[node]]`` tables for a campaign file."""
        return "".join(
            f"""
[[node]]
name = "node{i}"
host = "127.0.0.1"
port = {port}
scratch = "{self.home}/scratch{i}"
own_machine = false
"""
            for i, port in enumerate(self.ports, 1)
        )


@contextmanager
def serving(folder: Path, nodes: int = 4) -> Iterator[Sshd]:
    """``nodes`` servers with host keys of their own, that let in one fresh key only."""
    assert SSHD is not None
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    _keygen(home / ".ssh" / "id_ed25519")
    Path("/run/sshd").mkdir(exist_ok=True) if os.geteuid() == 0 else None
    ports = tuple(_free_port() for _ in range(nodes))
    servers = []
    try:
        for i, port in enumerate(ports, 1):
            servers.append(_start(folder / f"node{i}", home, i, port))
        for port in ports:
            _wait_for_banner(port)
        yield Sshd(home, ports, tuple(server.pid for server in servers))
    finally:
        for server in servers:
            server.terminate()
            server.wait(10)


def _sessions(pid: int) -> list[int]:
    """The processes of sshd below one."""
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        sessions = [child for child in children if Path(f"/proc/{child}/comm").read_text().startswith("sshd")]
    except OSError:
        return []
    return [*sessions, *(one for session in sessions for one in _sessions(session))]


def _start(folder: Path, home: Path, number: int, port: int) -> subprocess.Popen[bytes]:
    folder.mkdir()
    (home / f"scratch{number}").mkdir()
    _keygen(folder / "hostkey")
    public = (folder / "hostkey.pub").read_text()
    with (home / ".ssh" / "known_hosts").open("a") as known:
        known.write(f"[127.0.0.1]:{port} {public}")
    config = f"""
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/hostkey
AuthorizedKeysFile {home}/.ssh/id_ed25519.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PidFile none
MaxSessions 50
SetEnv HPCVIRT_TEST_NODE=node{number}
"""
    (folder / "sshd_config").write_text(config)
    log = (folder / "log").open("wb")
    return subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(folder / "sshd_config")], stdout=log, stderr=log)


def _keygen(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_banner(port: int) -> None:
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"no sshd on port {port}")
