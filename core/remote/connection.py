"""One SSH connection to one node, made again when it is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncssh

from hpcvirt.core.errors import (
    ConnectionLost,
    HostKeyUnknown,
    HpcvirtError,
    NodeUnreachable,
    PermissionRefused,
)
from hpcvirt.core.model import Node
from hpcvirt.core.remote.job import Script
from hpcvirt.core.text import clean_line

CONNECT_LIMIT_S = 15.0
KEEPALIVE_S = 5.0
KEEPALIVES_MISSED = 3
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0

USER_FILES = Path("~/.ssh")
SYSTEM_FILES = Path("/etc/ssh")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where keys and known hosts are, when they are not the user's own."""

    client_key: Path | None = None
    known_hosts: Path | None = None


class NodeConnection:
    """Holds the connection to one node. ``run`` connects when there is none."""

    def __init__(self, node: Node, credentials: Credentials | None = None) -> None:
        self.node = node
        self._options = _options(node, credentials or Credentials())
        self._connection: asyncssh.SSHClientConnection | None = None
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection; what runs on the node goes on."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
            await connection.wait_closed()

    async def connect(self) -> None:
        """Connect once, unless connected.

        Raises NodeUnreachable, HostKeyUnknown or PermissionRefused.
        """
        async with self._lock:
            if self._connection is not None and not self._connection.is_closed():
                return
            try:
                async with asyncio.timeout(CONNECT_LIMIT_S):
                    self._connection = await asyncssh.connect(self.node.host, **self._options)
            except (OSError, asyncssh.Error) as error:
                raise _meant(self.node, error) from error

    async def connect_again(self, limit_s: float) -> None:
        """Connect, trying again with growing pauses while the node is unreachable.

        Raises what ``connect`` raises: NodeUnreachable after ``limit_s``, the others at once.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + limit_s
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return await self.connect()
            except NodeUnreachable:
                if loop.time() + pause_s > give_up_at:
                    raise
            # All nodes of a cluster come back at once: they are not asked all at once.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def run(self, script: Script, limit_s: float) -> bytes:
        """Send a script to the node's /bin/sh and return everything it wrote to stdout.

        Raises ConnectionLost when the connection goes away before the script has ended, TimeoutError
        after ``limit_s``, and what ``connect`` raises.
        """
        return await self._exchange("exec /bin/sh", script.text, limit_s)

    async def upload(self, content: bytes, path: str, limit_s: float) -> None:
        """Write a file on the node. ``path`` is absolute and made of harmless characters.

        Raises as ``run`` does.
        """
        await self._exchange(f"exec /bin/sh -c 'umask 077; exec cat >{path}'", content, limit_s)

    async def _exchange(self, command: str, sent: bytes, limit_s: float) -> bytes:
        await self.connect()
        connection = self._connection
        if connection is None:
            raise ConnectionLost(f"{self.node.name}: the connection was closed")
        try:
            async with asyncio.timeout(limit_s):
                return await _communicate(connection, command, sent)
        except (OSError, asyncssh.Error) as error:
            if isinstance(error, TimeoutError):
                raise
            raise ConnectionLost(f"{self.node.name}: {_words(error)}") from error


async def _communicate(connection: asyncssh.SSHClientConnection, command: str, sent: bytes) -> bytes:
    process: asyncssh.SSHClientProcess[bytes] = await connection.create_process(command, encoding=None)
    try:
        stdout, _ = await process.communicate(sent)
    finally:
        process.channel.abort()
    if process.exit_status is None:
        # asyncssh returns as if nothing had happened when the connection went away under a command.
        raise ConnectionLost("the connection ended before the command did")
    return bytes(stdout or b"")


def _options(node: Node, credentials: Credentials) -> dict[str, Any]:
    options: dict[str, Any] = {
        "keepalive_interval": KEEPALIVE_S,
        "keepalive_count_max": KEEPALIVES_MISSED,
        "login_timeout": CONNECT_LIMIT_S,
        "connect_timeout": CONNECT_LIMIT_S,
        "agent_forwarding": False,
        "compression_algs": None,
    }
    given: Mapping[str, Any] = {"port": node.port, "username": node.user, "client_keys": node.identity_file}
    options |= {name: value for name, value in given.items() if value is not None}
    if credentials.client_key is not None:
        # A key of our own making: the user's configuration, keys and agent have no say in it.
        options |= {"client_keys": [str(credentials.client_key)], "config": None, "agent_path": None}
    else:
        options["config"] = _existing("config", "ssh_config")
    known = [str(credentials.known_hosts)] if credentials.known_hosts else _existing("known_hosts", "ssh_known_hosts")
    return options | {"known_hosts": known}


def _existing(user_file: str, system_file: str) -> list[str]:
    """asyncssh reads only the user's files by itself; clusters rely on the system's."""
    return [str(path) for path in ((USER_FILES / user_file).expanduser(), SYSTEM_FILES / system_file) if path.is_file()]


def _meant(node: Node, error: Exception) -> HpcvirtError:
    where = f"{node.name} ({node.host}{f':{node.port}' if node.port else ''})"
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return HostKeyUnknown(
            f"{where}: its host key is not the known one: {_words(error)}",
            hint=f"compare it with the node's own, then `ssh {node.host}` once by hand to accept it",
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return PermissionRefused(
            f"{where}: permission refused: {_words(error)}",
            hint=f"does `ssh -o BatchMode=yes {node.host} true` work? name a key with identity_file",
        )
    return NodeUnreachable(f"{where}: {_words(error)}", hint=f"is it up? try `ssh {node.host} true`")


def _words(error: Exception) -> str:
    return clean_line(str(error)) or type(error).__name__
