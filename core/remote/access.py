"""What lets us in: addresses, keys and known hosts of a node, from the campaign file and OpenSSH's own files.

asyncssh reads ``~/.ssh/config`` and ``~/.ssh/known_hosts`` by itself. Clusters rely on the system's
files as much, so all of OpenSSH's are named to it here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from hpcvirt.core.model import Connecting, Node

USER_CONFIG = "~/.ssh/config"
SYSTEM_CONFIG = "/etc/ssh/ssh_config"
USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
SYSTEM_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
DEFAULT_PORT = 22

LEGACY: dict[str, Any] = {
    "kex_algs": "+diffie-hellman-group-exchange-sha1,diffie-hellman-group14-sha1,diffie-hellman-group1-sha1",
    "encryption_algs": "+aes256-cbc,aes192-cbc,aes128-cbc,3des-cbc,blowfish-cbc,cast128-cbc,arcfour",
    "mac_algs": "+hmac-sha1,hmac-md5,hmac-sha1-96,hmac-md5-96",
    "signature_algs": "+ssh-rsa,ssh-dss",
    "server_host_key_algs": "+ssh-rsa,ssh-dss",
}
"""What an sshd of 2005 (OpenSSH 3.9 of RHEL 4) knows and asyncssh does not offer by itself."""


QUICK = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
"""Preferred unless the configuration has Ciphers: chacha20, asyncssh's first choice, costs it three times as much."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where keys and known hosts are, when they are not the user's own."""

    client_key: Path | None = None
    known_hosts: Path | None = None
    files_only: bool = False
    """Neither agent nor Kerberos ticket: what is left when the operator has logged out."""


@dataclass(frozen=True, slots=True)
class Access:
    """How one node is reached, everything resolved."""

    options: Mapping[str, Any]
    """For ``asyncssh.connect``, but for ``tunnel`` and ``client_factory``."""
    host: str
    port: int
    user: str
    identity_files: tuple[str, ...]
    """Named in the campaign or the configuration. Empty: OpenSSH's default names."""
    jump: str
    """As ProxyJump has it; empty: none."""
    proxy_command: str
    known_hosts: tuple[str, ...]
    """Files, there or not, in the order in which they are asked."""
    writable_known_hosts: str
    """Where an accepted key goes."""
    host_key_name: str
    """Under which the node stands in the known hosts."""
    configurations: tuple[str, ...] = ()
    """OpenSSH's configuration files that were read."""


def resolve(node: Node, credentials: Credentials, connecting: Connecting) -> Access:
    """Read OpenSSH's files for one node. Raises OSError or ValueError when one of them cannot be used.

    It reads files and may run ``Match exec`` commands: not for the event loop.
    """
    options = _basic(connecting) | _of_node(node, credentials)
    # Without keys for now: of those that the configuration names some may not be there, as OpenSSH tolerates.
    found = asyncssh.SSHClientConnectionOptions(**(options | {"host": node.host, "client_keys": []}))
    config: Any = found.config
    files = _known_hosts_files(credentials, connecting, config)
    there = [path for path in files if Path(path).is_file()]
    # Nothing at all would make asyncssh look for a file of its own.
    options["known_hosts"] = there or b""
    jump = config.get("ProxyJump") if node.jump is None else node.jump
    named = [node.identity_file] if node.identity_file else config.get("IdentityFile", [])
    identities = _expanded(named if isinstance(named, list) else [named])
    if node.identity_file is None and credentials.client_key is None and identities:
        usable = [path for path in identities if Path(path).is_file()]
        options |= {"client_keys": usable, "ignore_encrypted": True}
    if not node.legacy and config.get("Ciphers") is None:
        options["encryption_algs"] = QUICK
    return Access(
        options=options,
        host=str(found.host),
        port=int(found.port),
        user=str(found.username),
        identity_files=tuple(identities),
        jump="" if jump in {None, "none"} else str(jump),
        proxy_command=str(config.get("ProxyCommand") or ""),
        known_hosts=tuple(files),
        writable_known_hosts=files[0],
        host_key_name=str(config.get("HostKeyAlias") or found.host),
        configurations=tuple(options["config"] or ()),
    )


def hop(spec: str, node: Node) -> Node:
    """One jump host of a node, as if it were a node: ``[user@]host[:port]``."""
    user, _, place = spec.rpartition("@")
    host, colon, port = place.rpartition(":")
    if not colon or not port.isdecimal() or (":" in host and not host.startswith("[")):
        host, port = place, ""
    return Node(
        name=f"{node.name}'s jump host {spec}",
        host=host.strip("[]"),
        port=int(port) if port else None,
        user=user or None,
        jump="none",
    )


def _basic(connecting: Connecting) -> dict[str, Any]:
    return {
        "keepalive_interval": connecting.keepalive_s,
        "keepalive_count_max": connecting.keepalives_missed,
        "login_timeout": connecting.login_limit_s,
        # Whoever dials has a limit of its own. asyncssh would use wait_for, which in Python 3.11 forgets that it was
        # cancelled in the moment when the connection is made.
        "connect_timeout": None,
        "agent_forwarding": False,
        "compression_algs": None,
        "request_pty": False,
        # RemoteCommand of the configuration is for people.
        "command": None,
    }


def _of_node(node: Node, credentials: Credentials) -> dict[str, Any]:
    given = {"port": node.port, "username": node.user}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if credentials.client_key is not None:
        # A key of our own making: the user's configuration, keys and agent have no say in it.
        options |= {"client_keys": [str(credentials.client_key)], "config": None, "agent_path": None}
    else:
        options["config"] = [path for path in _expanded([USER_CONFIG, SYSTEM_CONFIG]) if Path(path).is_file()]
        if node.identity_file is not None:
            options["client_keys"] = _expanded([node.identity_file])
    if credentials.files_only:
        options |= {"agent_path": None, "gss_auth": False, "gss_kex": False}
    return options | (LEGACY if node.legacy else {})


def _known_hosts_files(credentials: Credentials, connecting: Connecting, config: Any) -> list[str]:
    if credentials.known_hosts is not None:
        return [str(credentials.known_hosts)]
    users = config.get("UserKnownHostsFile", USER_KNOWN_HOSTS)
    systems = config.get("GlobalKnownHostsFile", SYSTEM_KNOWN_HOSTS)
    own = [connecting.known_hosts] if connecting.known_hosts else []
    return _expanded([*own, *users, *systems]) or _expanded(USER_KNOWN_HOSTS[:1])


def _expanded(paths: Iterable[str]) -> list[str]:
    return [str(Path(path).expanduser()) for path in paths]
