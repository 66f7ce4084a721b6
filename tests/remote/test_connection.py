"""Connections to real OpenSSH servers on loopback, each with a configuration of its own."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from hpcvirt.core.errors import (
    AlgorithmsDiffer,
    ConnectionLost,
    HostKeyChanged,
    HostKeyUnknown,
    HpcvirtError,
    NodeUnreachable,
    OutputUnparsable,
    PermissionRefused,
    SshConfigWrong,
)
from hpcvirt.core.model import Connecting, HostKeys, Node
from hpcvirt.core.remote import access, compare, connection, staying
from hpcvirt.core.remote.connection import Handshakes, NodeConnection
from hpcvirt.core.remote.job import Script
from tests.support.sshd import SSHD, _free_port, _keygen, _wait_for_banner

pytestmark = [
    pytest.mark.openssh,
    pytest.mark.skipif(SSHD is None, reason="sshd is not installed (apt-get install openssh-server)"),
]

ACCEPT_NEW = Connecting(host_keys=HostKeys.ACCEPT_NEW)


@dataclass
class Place:
    """A home folder, a stand-in for /etc/ssh, and the servers started in it."""

    folder: Path
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def ssh(self) -> Path:
        return self.folder / "home" / ".ssh"

    @property
    def etc(self) -> Path:
        return self.folder / "etc"

    def serve(self, extra: str = "", *, trusted: bool = True, key: str = "ed25519") -> int:
        """Start a server; its port."""
        port = _free_port()
        folder = self.folder / f"server{port}"
        folder.mkdir()
        make_key(folder / "hostkey", key)
        lines = f"""
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/hostkey
AuthorizedKeysFile {self.ssh}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PidFile none
{extra}
"""
        (folder / "sshd_config").write_text(lines)
        with (folder / "log").open("wb") as log:
            self.servers.append(
                subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(folder / "sshd_config")], stdout=log, stderr=log)
            )
        _wait_for_banner(port)
        if trusted:
            self.trust(port)
        return port

    def trust(self, port: int, file: Path | None = None) -> None:
        public = " ".join((self.folder / f"server{port}" / "hostkey.pub").read_text().split()[:2])
        with (file or self.ssh / "known_hosts").open("a") as known:
            known.write(f"[127.0.0.1]:{port} {public}\n")


def make_key(path: Path, kind: str, passphrase: str = "") -> None:
    path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path)], check=True)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    made = Place(tmp_path)
    made.ssh.mkdir(parents=True, mode=0o700)
    made.etc.mkdir()
    _keygen(made.ssh / "id_ed25519")
    shutil.copy(made.ssh / "id_ed25519.pub", made.ssh / "authorized_keys")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr(access, "SYSTEM_CONFIG", str(made.etc / "ssh_config"))
    monkeypatch.setattr(access, "SYSTEM_KNOWN_HOSTS", (str(made.etc / "ssh_known_hosts"),))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    try:
        yield made
    finally:
        for server in made.servers:
            server.terminate()
            server.wait(10)


async def said(node: Node, connecting: Connecting | None = None, script: bytes = b"echo hello") -> bytes:
    async with NodeConnection(node, None, connecting) as link:
        return await link.run(Script(script, ""), 10)


async def refused(node: Node, kind: type[HpcvirtError], connecting: Connecting | None = None) -> HpcvirtError:
    with pytest.raises(kind) as caught:
        await said(node, connecting)
    assert caught.value.hint
    return caught.value


def at(port: int | None, **more: object) -> Node:
    return Node("node1", "127.0.0.1", port, **more)  # type: ignore[arg-type]


async def test_an_unknown_key_is_refused_and_shown(place: Place) -> None:
    port = place.serve(trusted=False)
    error = await refused(at(port), HostKeyUnknown)
    shown = subprocess.check_output(["ssh-keygen", "-lf", place.folder / f"server{port}/hostkey.pub"], text=True)
    assert shown.split()[1] in error.message
    assert "accept-new" in error.hint


@pytest.mark.parametrize("hashed", [False, True])
async def test_accept_new_writes_what_openssh_believes(place: Place, hashed: bool) -> None:
    known = place.ssh / "known_hosts"
    if hashed:
        known.write_text("other ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJhz3a8VgkZ3lQ1jz1o2o5k6P5Yf0ZsQXk0m0z5W0a1b")
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=True, capture_output=True)
    port = place.serve(trusted=False)
    for _ in range(2):
        assert await said(at(port), ACCEPT_NEW) == b"hello\n"
    assert len(known.read_text().splitlines()) == 1 + hashed
    assert ("127.0.0.1" in known.read_text()) is not hashed
    strict = ["-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={known}", "-F", "none"]
    words = ["ssh", *strict, "-i", str(place.ssh / "id_ed25519"), "-p", str(port), "127.0.0.1", "true"]
    assert subprocess.run(words, capture_output=True).returncode == 0
    assert await said(at(port)) == b"hello\n"


async def test_a_changed_key_is_refused_also_with_accept_new(place: Place) -> None:
    port = place.serve(trusted=False)
    other = place.serve(trusted=False)
    (place.ssh / "known_hosts").write_text(
        f"[127.0.0.1]:{port} {(place.folder / f'server{other}/hostkey.pub').read_text()}"
    )
    before = (place.ssh / "known_hosts").read_text()
    error = await refused(at(port), HostKeyChanged, ACCEPT_NEW)
    assert f"ssh-keygen -R '[127.0.0.1]:{port}'" in error.hint
    assert (place.ssh / "known_hosts").read_text() == before


async def test_the_campaigns_own_known_hosts_take_accepted_keys(place: Place) -> None:
    port = place.serve(trusted=False)
    own = place.folder / "campaign_hosts"
    settings = Connecting(host_keys=HostKeys.ACCEPT_NEW, known_hosts=str(own))
    assert await said(at(port), settings) == b"hello\n"
    assert not (place.ssh / "known_hosts").exists()
    assert await said(at(port), Connecting(known_hosts=str(own))) == b"hello\n"


async def test_the_systems_files_are_asked(place: Place) -> None:
    port = place.serve(trusted=False)
    place.trust(port, place.etc / "ssh_known_hosts")
    (place.etc / "ssh_config.d").mkdir()
    (place.etc / "ssh_config").write_text(f"Include {place.etc}/ssh_config.d/*.conf\nHost *\n    Compression yes\n")
    (place.etc / "ssh_config.d" / "site.conf").write_text(f"Host compute-*\n    HostName 127.0.0.1\n    Port {port}\n")
    assert await said(Node("node1", "compute-1")) == b"hello\n"
    (place.ssh / "config").write_text("Host compute-1\n    Port 1\n")
    assert "nothing listens" in (await refused(Node("node1", "compute-1"), NodeUnreachable)).message


async def test_a_configuration_that_cannot_be_read_is_named(place: Place) -> None:
    (place.ssh / "config").write_text("Host *\n    Port many\n")
    error = await refused(Node("node1", "compute-1"), SshConfigWrong)
    assert "config line 2" in error.message


async def test_a_configuration_that_takes_for_ever_is_not_waited_for(place: Place) -> None:
    (place.ssh / "config").write_text('Match exec "sleep 4"\n    Port 1\n')
    link = NodeConnection(Node("node1", "compute-1"), connecting=replace(ACCEPT_NEW, login_limit_s=1.0))
    with pytest.raises(SshConfigWrong, match="not read within 1 s"):
        await link.connect()


async def test_a_reading_that_takes_too_long_is_not_begun_beside_itself(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = place.serve()
    readings: list[float] = []
    is_away = threading.Event()
    resolve = connection.resolve

    def slow(*words: Any) -> access.Access:
        readings.append(time.monotonic())
        is_away.wait(20)
        return resolve(*words)

    async with NodeConnection(at(port), None, Connecting(login_limit_s=0.3)) as link:
        monkeypatch.setattr(connection, "resolve", slow)
        for _ in range(3):
            with pytest.raises(SshConfigWrong, match="not read within"):
                await link.connect()
        is_away.set()
        await link.connect_again(10)
    assert len(readings) == 1


async def test_who_was_in_waits_for_a_configuration_that_is_not_there(place: Place) -> None:
    port = place.serve()
    config = place.ssh / "config"
    config.write_text(f"Host 127.0.0.1\n    Port {port}\n")
    async with NodeConnection(at(None)) as link:
        await link.connect()
        await link.close()
        config.rename(place.ssh / "away")
        with pytest.raises(SshConfigWrong, match="is not there any more") as caught:
            await link.connect_again(1)
        assert caught.value.waited_s
        asyncio.get_running_loop().call_later(1, (place.ssh / "away").rename, config)
        await link.connect_again(10)


@pytest.mark.parametrize("policy", HostKeys)
async def test_who_was_in_is_believed_by_its_own_key_only_while_known_hosts_are_away(
    place: Place, policy: HostKeys
) -> None:
    port = place.serve()
    known, key = place.ssh / "known_hosts", place.folder / f"server{port}" / "hostkey"
    async with NodeConnection(at(port), None, Connecting(host_keys=policy)) as link:
        await link.connect()
        await link.close()
        known.rename(place.ssh / "away")
        if policy is HostKeys.ACCEPT_NEW:
            await link.connect()
            await link.close()
        else:
            with pytest.raises(HostKeyUnknown):
                await link.connect()
        assert not known.exists(), "nothing is written where something else may be mounted"
        make_key(key, "ed25519")
        place.servers[-1].send_signal(signal.SIGHUP)
        _wait_for_banner(port)
        with pytest.raises(HostKeyChanged):
            await link.connect_again(10)
        assert not known.exists()


@pytest.mark.parametrize("missing", ["known_hosts", "id_ed25519", "."])
async def test_who_was_in_waits_for_what_lets_it_in(place: Place, missing: str) -> None:
    port = place.serve()
    there = place.ssh if missing == "." else place.ssh / missing
    away = place.folder / "away"
    async with NodeConnection(at(port)) as link:
        await link.connect()
        await link.close()
        there.rename(away)
        asyncio.get_running_loop().call_later(1.5, away.rename, there)
        await link.connect_again(10)


@pytest.mark.parametrize("missing", ["known_hosts", "id_ed25519"])
async def test_a_stranger_is_not_waited_for_by_what_does_not_let_it_in(place: Place, missing: str) -> None:
    port = place.serve()
    (place.ssh / missing).rename(place.folder / "away")
    started = time.monotonic()
    async with NodeConnection(at(port)) as link:
        with pytest.raises((HostKeyUnknown, PermissionRefused)):
            await link.connect_again(30)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("by_campaign", [True, False])
async def test_a_jump_host_is_gone_through_with_the_same_rules(place: Place, by_campaign: bool) -> None:
    gate, port = place.serve(trusted=False), place.serve("PermitOpen none")
    jump = f"127.0.0.1:{gate}"
    node = at(port, jump=jump if by_campaign else None)
    if not by_campaign:
        (place.ssh / "config").write_text(f"Match originalhost 127.0.0.1\n    ProxyJump {jump}\n")
    assert "jump host" in (await refused(node, HostKeyUnknown)).message
    place.trust(gate)
    assert await said(node, script=b"echo ${SSH_CONNECTION##* }") == f"{port}\n".encode()


OLD = """
KexAlgorithms {kex}
Ciphers {cipher}
MACs {mac}
HostKeyAlgorithms {host}
PubkeyAcceptedAlgorithms +ssh-rsa,ssh-dss
"""


@pytest.mark.parametrize(
    ("kex", "cipher", "mac", "host"),
    [
        ("diffie-hellman-group1-sha1", "3des-cbc", "hmac-md5", "ssh-rsa"),
        ("diffie-hellman-group14-sha1", "aes128-cbc", "hmac-sha1", "ssh-rsa"),
        ("diffie-hellman-group-exchange-sha1", "aes256-cbc", "hmac-sha1-96", "ssh-rsa"),
        ("diffie-hellman-group1-sha1", "aes128-cbc", "hmac-sha1", "ssh-dss"),
    ],
)
async def test_a_legacy_sshd_is_reached_when_told_so(place: Place, kex: str, cipher: str, mac: str, host: str) -> None:
    make_key(place.ssh / "id_rsa", "rsa")
    shutil.copy(place.ssh / "id_rsa.pub", place.ssh / "authorized_keys")
    port = place.serve(
        OLD.format(kex=kex, cipher=cipher, mac=mac, host=host), key="dsa" if host == "ssh-dss" else "rsa"
    )
    with pytest.raises((AlgorithmsDiffer, NodeUnreachable)) as caught:  # who of the two notices first
        await said(at(port))
    assert "legacy = true" in caught.value.hint
    assert await said(at(port, legacy=True)) == b"hello\n"


async def test_a_certificate_opens(place: Place) -> None:
    make_key(place.folder / "ca", "ed25519")
    words = ["ssh-keygen", "-q", "-s", str(place.folder / "ca"), "-I", "me", "-n", "root,bench", "-V", "+5m"]
    subprocess.run([*words, str(place.ssh / "id_ed25519.pub")], check=True)
    (place.ssh / "authorized_keys").write_text("")
    port = place.serve(f"TrustedUserCAKeys {place.folder}/ca.pub")
    if os.geteuid() != 0:
        pytest.skip("the certificate's principal is root")
    assert await said(at(port)) == b"hello\n"
    for path in place.ssh.glob("id_ed25519-cert.pub"):
        path.unlink()
    assert "permission" in (await refused(at(port), PermissionRefused)).message


async def test_a_key_with_passphrase_needs_the_agent(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    make_key(place.folder / "locked", "ed25519", "secret")
    shutil.copy(place.folder / "locked.pub", place.ssh / "authorized_keys")
    port = place.serve()
    node = at(port, identity_file=str(place.folder / "locked"))
    assert "ssh-agent" in (await refused(node, SshConfigWrong)).hint
    # A short path: sockets' names are.
    with agent(Path(f"/tmp/hpcvirt-agent-{os.getpid()}")) as sock:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
        ask = place.folder / "ask"
        ask.write_text("#!/bin/sh\necho secret\n")
        ask.chmod(0o755)
        env = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}
        subprocess.run(["ssh-add", "-q", place.folder / "locked"], env=env, check=True, stdin=subprocess.DEVNULL)
        assert await said(at(port)) == b"hello\n"
        alone = NodeConnection(at(port), connection.Credentials(files_only=True))
        with pytest.raises(PermissionRefused):
            await alone.connect()


class agent:  # noqa: N801
    def __init__(self, sock: Path) -> None:
        self.sock = sock

    def __enter__(self) -> Path:
        self.process = subprocess.Popen(["ssh-agent", "-D", "-a", str(self.sock)], stdout=subprocess.DEVNULL)
        give_up_at = time.monotonic() + 10
        while not self.sock.exists() and time.monotonic() < give_up_at:
            time.sleep(0.02)
        return self.sock

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)
        self.sock.unlink(missing_ok=True)


async def test_handshakes_at_once_are_bounded() -> None:
    open_now, most = 0, 0

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.1)
        open_now -= 1
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    places = Handshakes(2)
    links = [NodeConnection(at(port), None, None, places) for _ in range(8)]
    ends = await asyncio.gather(*(link.connect() for link in links), return_exceptions=True)
    assert [type(end) for end in ends] == [NodeUnreachable] * 8
    assert most == 2
    server.close()


async def test_a_silent_server_is_given_up_in_time() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(10)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    started = time.monotonic()
    error = await refused(at(server.sockets[0].getsockname()[1]), NodeUnreachable, Connecting(login_limit_s=1.0))
    assert "no answer within 1 s" in error.message
    assert time.monotonic() - started < 3
    server.close()


async def test_who_is_told_to_end_ends_also_in_the_moment_of_being_let_in(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.11's ``wait_for`` forgets a cancellation then, and asyncssh uses it where it knows a limit."""
    link = NodeConnection(Node("node1", host="127.0.0.1", port=place.serve()))

    def cancel(turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(cancel, turns - 1)
        else:
            told.append(task.cancel())

    for turns in range(8):
        told: list[bool] = []
        monkeypatch.setattr(connection.HostKeyWitness, "auth_completed", lambda _, turns=turns: cancel(turns))
        task = asyncio.create_task(link.connect())
        await asyncio.wait([task])
        await link.close()
        if not told or not told[0]:
            assert turns > 1
            return  # it had ended before it was told to
        assert task.cancelled(), f"told {turns} turns of the loop after it was let in"
    raise AssertionError("it was never let in")


async def test_who_was_in_is_patient_with_a_booting_node(place: Place) -> None:
    port = place.serve()
    async with NodeConnection(at(port)) as link:
        await link.connect()
        await link.close()
        authorized = place.ssh / "authorized_keys"
        kept = authorized.read_text()
        authorized.write_text("")
        asyncio.get_running_loop().call_later(0.7, authorized.write_text, kept)
        await link.connect_again(10)


async def test_an_endless_answer_is_cut(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LARGEST_ANSWER_BYTES", 1 << 20)
    port = place.serve()
    with pytest.raises(OutputUnparsable):
        await said(at(port), script=b"cat /dev/zero")


async def test_a_session_that_dies_under_a_command_is_lost(place: Place) -> None:
    port = place.serve()
    async with NodeConnection(at(port)) as link:
        with pytest.raises(ConnectionLost):
            await link.run(Script(b"kill -9 $PPID; sleep 5", ""), 10)
        assert await link.run(Script(b"echo again", ""), 10) == b"again\n"


@pytest.mark.parametrize("stays", [False, True])
async def test_a_socket_that_gives_up_is_no_run_that_took_too_long(place: Place, stays: bool) -> None:
    """The kernel's ETIMEDOUT, after the retransmissions of a cable that is out, is a TimeoutError as well."""
    port = place.serve()
    async with NodeConnection(at(port)) as link:
        work = link.run(order("sleep 20") if stays else Script(b"sleep 20", ""), 30)
        running = asyncio.ensure_future(work)
        await until(lambda: link.is_connected)
        await asyncio.sleep(0.3)
        link._connections[-1].connection_lost(TimeoutError(errno.ETIMEDOUT, "Connection timed out"))
        with pytest.raises(ConnectionLost):
            await running


def order(text: str) -> Script:
    """For a shell that stays: what the text says, and the end of the answer."""
    nonce = secrets.token_hex(16)
    return Script(b"exit 9\n", nonce, order=f"{text}\nprintf '\\n@{nonce} end\\n'\n".encode())


async def carried_out(link: NodeConnection, text: str, limit_s: float = 10) -> bytes:
    script = order(text)
    answer = await link.run(script, limit_s)
    return answer.removesuffix(f"\n@{script.nonce} end\n".encode())


async def test_a_shell_stays_for_one_order_after_another(place: Place) -> None:
    port = place.serve()
    async with NodeConnection(at(port)) as link:
        first = await carried_out(link, "echo $$; hv_kept=there")
        assert await carried_out(link, 'echo $$; [ "$hv_kept" = there ] || echo lost') == first
        both = await asyncio.gather(*(carried_out(link, "echo $$; sleep 0.3") for _ in range(2)))
        assert len(set(both)) == 2, "an order waited for another's end"
        assert first in both
        pid = int(await carried_out(link, "echo $$"))
    await until(lambda: not Path(f"/proc/{pid}").exists())


@pytest.mark.parametrize("ending", ["kill -9 $$", "sleep 20", "echo said; exit 0", "kill -9 $PPID; sleep 20"])
async def test_after_an_order_that_went_wrong_there_is_another_shell(place: Place, ending: str) -> None:
    port = place.serve()
    async with NodeConnection(at(port)) as link:
        first = await carried_out(link, "echo $$")
        if "said" in ending:
            assert await carried_out(link, ending) == b"said\n"
        else:
            with pytest.raises(TimeoutError if ending == "sleep 20" else ConnectionLost):
                await carried_out(link, ending, 1)
        assert await carried_out(link, "echo $$") not in {first, b""}


async def test_a_shell_that_was_ended_while_it_waited_is_not_asked(place: Place) -> None:
    port = place.serve()
    async with NodeConnection(at(port)) as link:
        first = await carried_out(link, "echo $$")
        os.kill(int(first), signal.SIGKILL)
        await asyncio.sleep(0.3)
        assert await carried_out(link, "echo $$") not in {first, b""}


async def test_an_endless_answer_to_an_order_is_cut(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staying, "LARGEST_ANSWER_BYTES", 1 << 20)
    port = place.serve()
    async with NodeConnection(at(port)) as link:
        with pytest.raises(OutputUnparsable):
            await carried_out(link, "cat /dev/zero")


async def until(condition: Callable[[], bool], limit_s: float = 10) -> None:
    """It comes about."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("config", "node", "expected"),
    [
        ("Host c1\n HostName 127.0.0.1\n Port 2201\n User me\n ProxyJump gate:2\n IdentityFile ~/.ssh/x\n", {}, []),
        ("Host *\n Port 2201 # the tunnel\n", {}, None),
        ("Host c1\n StrictHostKeyChecking no\n", {}, ["host keys: OpenSSH is told to accept any key"]),
        ("Host c1\n Port 7\n", {"port": 8, "user": "you", "jump": "gate"}, []),
        ("Host other\n Include extra\n Port 9\n", {}, []),
        ("Host c1\n Include extra\nHost other\n Port 9\n", {}, []),
    ],
)
async def test_what_we_resolve_is_what_openssh_resolves(
    place: Place, config: str, node: dict[str, object], expected: list[str] | None
) -> None:
    """``None``: OpenSSH takes it and asyncssh does not, and we say so."""
    one = Node("node1", "c1", **node)  # type: ignore[arg-type]
    file = place.ssh / "config"
    file.write_text(config)
    (place.ssh / "extra").write_text("Host c1\n User them\n")
    link = NodeConnection(one)
    if expected is None:
        with pytest.raises(SshConfigWrong):
            await link.access()
        return
    found = await link.access()
    words = compare.command(one)
    asked = subprocess.run([words[0], "-F", str(file), *words[1:]], capture_output=True, text=True, check=True)
    differences = list(compare.compare(one, found, compare.parse(asked.stdout), place.folder / "home"))
    assert [line.split(" (")[0] for line in differences] == expected


def test_differences_are_told_in_words(place: Place) -> None:
    found = access.resolve(Node("node1", "c1"), connection.Credentials(), Connecting())
    told = {"hostname": ["c1.site"], "user": ["me"], "port": ["2222"], "proxyjump": ["gate"], "identityfile": ["~/k"]}
    lines = list(compare.compare(Node("node1", "c1"), found, told, place.folder / "home"))
    assert "host name: we take c1, OpenSSH takes c1.site" in lines
    assert "port: we take 22, OpenSSH takes 2222" in lines
    assert "jump host: we take none, OpenSSH takes gate" in lines
    assert len(lines) == 5
