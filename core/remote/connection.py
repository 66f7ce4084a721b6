"""One SSH connection to one node, made again when it is lost."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import asyncssh

from hpcvirt.core.errors import (
    AlgorithmsDiffer,
    ConnectionLost,
    HpcvirtError,
    NodeUnreachable,
    PermissionRefused,
    SshConfigWrong,
)
from hpcvirt.core.model import Connecting, Node
from hpcvirt.core.remote.access import Access, Credentials, hop, resolve
from hpcvirt.core.remote.dialogue import Dialogue
from hpcvirt.core.remote.hostkeys import HostKeyWitness, fingerprint
from hpcvirt.core.remote.job import LARGEST_ANSWER_BYTES, Script
from hpcvirt.core.remote.patience import Standing, patience_for, patiently
from hpcvirt.core.remote.refusals import refusal
from hpcvirt.core.remote.staying import CHUNK_BYTES, StayingShell, too_long
from hpcvirt.core.text import clean_line

__all__ = ["Credentials", "Handshakes", "NodeConnection"]

T = TypeVar("T")

CLOSE_LIMIT_S = 5.0


class Handshakes:
    """A place for each connection that may be in the making at the same time, over all nodes.

    An sshd (a jump host's above all) drops those beyond its MaxStartups, and a handshake costs CPU on both sides.
    """

    def __init__(self, places: int) -> None:
        self.places = asyncio.Semaphore(places)


class NodeConnection:
    """Holds the connection to one node. ``run`` connects when there is none."""

    def __init__(
        self,
        node: Node,
        credentials: Credentials | None = None,
        connecting: Connecting | None = None,
        handshakes: Handshakes | None = None,
    ) -> None:
        self.node = node
        self._credentials = credentials or Credentials()
        self._connecting = connecting or Connecting()
        self._handshakes = handshakes or Handshakes(self._connecting.handshakes)
        self._connections: list[asyncssh.SSHClientConnection] = []
        self._shell: StayingShell | None = None
        self.was_in = False
        """It let us in at least once."""
        self._configurations: tuple[str, ...] = ()
        """Files that said how to reach the node when it let us in last."""
        self._readings: dict[str, asyncio.Future[Access]] = {}
        """By node or jump host: a configuration that was not read in time, and is still being read."""
        self._shown: dict[str, str] = {}
        """By node or jump host: fingerprint of the key with which it was reached last."""
        self.times_made = 0
        """How often it was made: another number later says that it was lost in between."""
        self._lock = asyncio.Lock()
        self.host_key = ""
        """Fingerprint of the key the node showed last."""
        self.accepted_host_key: str | None = None
        """Fingerprint of a key that ``accept-new`` took, the last time it took one."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection; what runs on the node goes on."""
        connections, self._connections, self._shell = self._connections, [], None
        await _abort(connections)

    @property
    def is_connected(self) -> bool:
        """As far as is known: a node that died without a word is connected until the keepalive finds out."""
        return bool(self._connections) and not self._connections[-1].is_closed()

    async def connect(self) -> None:
        """Connect once, unless connected.

        Raises NodeUnreachable, HostKeyUnknown, HostKeyChanged, PermissionRefused, AlgorithmsDiffer or
        SshConfigWrong.
        """
        async with self._lock:
            if self.is_connected:
                return
            await self.close()
            async with self._handshakes.places:
                self._connections = await self._made()
            self.was_in = True
            self.times_made += 1

    async def connect_again(self, limit_s: float) -> None:
        """Connect, trying again with growing pauses while what keeps us out may pass.

        Raises what ``connect`` raises: at once where waiting cannot help, else after ``limit_s``.
        """

        def patience(error: HpcvirtError) -> float:
            return patience_for(error, Standing.REACHED if self.was_in else Standing.NEW, limit_s)

        await patiently(self.connect, patience)

    async def run(self, script: Script, limit_s: float) -> bytes:
        """Send a script to the node's /bin/sh and return everything it wrote to stdout.

        Raises ConnectionLost when the connection goes away before the script has ended, TimeoutError
        after ``limit_s``, OutputUnparsable when the answer is longer than any of ours, and what
        ``connect`` raises.
        """
        if script.order:
            return await self._limited(lambda connection: self._ordered(connection, script), limit_s)
        return await self._exchange("exec /bin/sh", script.text, limit_s)

    async def upload(self, content: bytes, path: str, limit_s: float) -> None:
        """Write a file on the node. ``path`` is absolute and made of harmless characters.

        Raises as ``run`` does.
        """
        await self._exchange(f"exec /bin/sh -c 'umask 077; exec cat >{path}'", content, limit_s)

    @asynccontextmanager
    async def dialogue(self, script: Script, limit_s: float) -> AsyncIterator[Dialogue]:
        """A script that stays on the node until this is left.

        ``limit_s``: for opening the channel. Raises as ``run`` does.
        """
        process = await self._limited(_new_shell, limit_s)
        try:
            process.stdin.write(script.text)
            yield Dialogue(script, process)
        finally:
            process.channel.abort()

    async def access(self) -> Access:
        """How the node is reached, resolved from the campaign and OpenSSH's files. Raises SshConfigWrong."""
        return await self._resolved(self.node)

    async def _exchange(self, command: str, sent: bytes, limit_s: float) -> bytes:
        return await self._limited(lambda connection: _communicate(connection, command, sent), limit_s)

    async def _limited(self, work: Callable[[asyncssh.SSHClientConnection], Awaitable[T]], limit_s: float) -> T:
        await self.connect()
        if not self._connections:
            raise ConnectionLost(f"{self.node.name}: the connection was closed")
        try:
            async with asyncio.timeout(limit_s) as limit:
                return await work(self._connections[-1])
        except (OSError, asyncssh.Error) as error:
            # The kernel's ETIMEDOUT, of a socket whose other end is silent, is a TimeoutError as well.
            if isinstance(error, TimeoutError) and limit.expired():
                raise
            raise ConnectionLost(f"{self.node.name}: connection lost: {_words(error)}") from error

    async def _ordered(self, connection: asyncssh.SSHClientConnection, script: Script) -> bytes:
        """By the shell that stays. Whoever comes while it is at work opens another; one of them is kept."""
        shell, self._shell = self._shell, None
        if shell is None or not shell.is_there:
            shell = await StayingShell.open(connection)
        is_done = False
        try:
            answer = await shell.carry_out(script)
            is_done = self._shell is None
        finally:
            if is_done:
                self._shell = shell
            else:
                shell.close()
        return answer

    async def _made(self) -> list[asyncssh.SSHClientConnection]:
        """The connection to the node, behind those to its jump hosts."""
        access = await self._resolved(self.node)
        self._refuse_lost_configuration(access)
        nodes = [hop(spec, self.node) for spec in access.jump.split(",") if spec] + [self.node]
        made: list[asyncssh.SSHClientConnection] = []
        try:
            for node in nodes:
                one = access if node is self.node else await self._resolved(node)
                made.append(await self._dialled(node, one, made[-1] if made else None))
        except BaseException:
            await _abort(made)
            raise
        self._configurations = access.configurations
        return made

    def _refuse_lost_configuration(self, access: Access) -> None:
        """Without it another machine may have the node's name, or another user its login. Raises SshConfigWrong."""
        missing = [path for path in self._configurations if path not in access.configurations]
        if missing:
            raise SshConfigWrong(
                f"{self.node.name} ({self.node.host}): {', '.join(missing)} is not there any more",
                hint="is the file system of your home mounted? after a deliberate change: `run` again",
            )

    async def _resolved(self, node: Node) -> Access:
        # One that was not read in time is not begun once more beside itself.
        reading = self._readings.pop(node.name, None) or _apart(
            lambda: resolve(node, self._credentials, self._connecting)
        )
        try:
            async with asyncio.timeout(self._connecting.login_limit_s):
                return await asyncio.shield(reading)
        except TimeoutError as error:
            self._readings[node.name] = reading
            told = ValueError(f"its SSH configuration was not read within {self._connecting.login_limit_s:g} s")
            raise _unusable(node, told) from error
        except (OSError, ValueError, asyncssh.Error) as error:
            raise _unusable(node, error) from error

    async def _dialled(
        self, node: Node, access: Access, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        if node.legacy:
            # The operator knows, and asked for it.
            warnings.filterwarnings("ignore", message="Diffie-Hellman over finite fields")
            warnings.filterwarnings("ignore", message=".* has been moved to cryptography.hazmat.decrepit")
        witness = HostKeyWitness(access, self._connecting.host_keys, self._shown.get(node.name, ""))
        options: dict[str, Any] = {"client_factory": lambda: witness, "tunnel": tunnel}
        try:
            async with asyncio.timeout(self._connecting.login_limit_s):
                connection = await asyncssh.connect(node.host, **access.options, **options)
        except (OSError, asyncssh.Error, ValueError) as error:
            raise _meant(node, access, witness, error, self._connecting.login_limit_s) from error
        key = connection.get_server_host_key()
        if key is not None:
            self.host_key = self._shown[node.name] = fingerprint(key)
        if witness.accepted and witness.shown is not None:
            self.accepted_host_key = fingerprint(witness.shown)
        return connection


async def _abort(connections: list[asyncssh.SSHClientConnection]) -> None:
    for connection in reversed(connections):
        connection.abort()
        with suppress(TimeoutError, OSError, asyncssh.Error):
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await connection.wait_closed()


async def _new_shell(connection: asyncssh.SSHClientConnection) -> asyncssh.SSHClientProcess[bytes]:
    return await connection.create_process("exec /bin/sh", encoding=None, stderr=asyncssh.DEVNULL)


async def _communicate(connection: asyncssh.SSHClientConnection, command: str, sent: bytes) -> bytes:
    process: asyncssh.SSHClientProcess[bytes] = await connection.create_process(command, encoding=None)
    try:
        process.stdin.write(sent)
        process.stdin.write_eof()
        answer, _ = await asyncio.gather(_bounded(process.stdout), _drained(process.stderr))
        await process.wait_closed()
    finally:
        process.channel.abort()
    if process.exit_status is None:
        # asyncssh returns as if nothing had happened when the connection went away under a command.
        raise ConnectionLost("connection lost: it ended before the command did")
    return answer


async def _bounded(stream: asyncssh.SSHReader[bytes]) -> bytes:
    """All of a stream. Raises OutputUnparsable when there is more than a script of ours ever sends."""
    parts: list[bytes] = []
    size = 0
    while part := await stream.read(CHUNK_BYTES):
        parts.append(part)
        size += len(part)
        if size > LARGEST_ANSWER_BYTES:
            raise too_long()
    return b"".join(parts)


async def _drained(stream: asyncssh.SSHReader[bytes]) -> None:
    while await stream.read(CHUNK_BYTES):
        pass


def _apart(work: Callable[[], T]) -> asyncio.Future[T]:
    """Work in a thread that nothing waits for: a `Match exec` of the operator's configuration may never end."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    # Nobody may be there any more to hear of its failure.
    future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def file(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast("T", result))

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - whoever waits raises it
            failure = error
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(file, result, failure)

    threading.Thread(target=run, name="ssh configuration", daemon=True).start()
    return future


def _unusable(node: Node, error: Exception) -> HpcvirtError:
    return SshConfigWrong(
        f"{node.name} ({node.host}): {_words(error)}",
        hint=f"what does `ssh -G {node.host}` say? a key with a passphrase must be in a running ssh-agent",
    )


def _meant(node: Node, access: Access, witness: HostKeyWitness, error: Exception, limit_s: float) -> HpcvirtError:
    where = f"{node.name} ({access.host}{'' if access.port == 22 else f':{access.port}'})"
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return witness.refusal(where, _words(error))
    refused = refusal(witness.banner, node.name, node.host)
    if refused is not None and isinstance(error, asyncssh.DisconnectError | OSError):
        return PermissionRefused(f"{where}: {refused.words}", hint=refused.remedy)
    if isinstance(error, asyncssh.PermissionDenied):
        keys = ", ".join(access.identity_files) or "the default keys and the agent's"
        return PermissionRefused(
            f"{where}: permission refused for {access.user} with {keys}: {_words(error)}",
            hint=f"does `ssh -o BatchMode=yes {node.host} true` work? name a key with identity_file, or `ssh-add` it",
        )
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return AlgorithmsDiffer(
            f"{where}: no algorithm in common: {_words(error)}",
            hint=f"is its sshd very old? legacy = true for node {node.name} offers the algorithms of 2005"
            if not node.legacy
            else "what does `ssh -vv` say that it offers? asyncssh has none of that",
        )
    if isinstance(error, ValueError):
        return _unusable(node, error)
    words, hint = _unreachable(node, error, limit_s)
    return NodeUnreachable(f"{where}: {words}", hint=hint)


def _unreachable(node: Node, error: Exception, limit_s: float) -> tuple[str, str]:
    if isinstance(error, TimeoutError):
        return f"no answer within {limit_s:g} s", f"is it up? try `ping {node.host}` and `ssh {node.host} true`"
    if isinstance(error, socket.gaierror):
        return f"the name {node.host} is not known here", "is `host` of this node right? see /etc/hosts"
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ECONNREFUSED:
        return "the machine answers, but nothing listens there", "is sshd running there, on this port?"
    if number in {errno.EHOSTUNREACH, errno.ENETUNREACH}:
        return "no way to it", "is it switched on, and the cable in?"
    if isinstance(error, asyncssh.ConnectionLost | ConnectionResetError):
        return (
            f"closed while logging in: {_words(error)}",
            "too many logins at once (MaxStartups of its sshd), or is it very old: legacy = true for this node?",
        )
    return _words(error), f"is it up? try `ssh {node.host} true`"


def _words(error: Exception) -> str:
    return clean_line(str(error)) or type(error).__name__
