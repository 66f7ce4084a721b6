"""The nodes themselves: SSH servers on loopback that let in one key and nothing but commands."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import asyncssh

from hpcvirt.core.lab.folder import CLIENT_KEY, KNOWN_HOSTS, LAB_JSON, SCRATCH, own_folder, write_private
from hpcvirt.core.lab.session import Children, CommandSession, Surroundings

_HOST = "127.0.0.1"
_KEY_TYPE = "ssh-ed25519"
_USUAL_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
_LOGIN_LIMIT_S = 30


def user_name() -> str:
    """The name of the user that the lab runs as; not from the environment, which may say another."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container without an entry for this user
        return f"uid{os.geteuid()}"


class _Gate(asyncssh.SSHServer):
    """Lets in one user with one key and grants sessions; everything else is refused by the base class."""

    def __init__(self, key: asyncssh.SSHKey, make_session: Callable[[], CommandSession]) -> None:
        self._key = key.public_data
        self._make_session = make_session

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - the interface's
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == user_name() and key.public_data == self._key

    def session_requested(self) -> CommandSession:
        return self._make_session()


def _surroundings(home: Path, name: str, outside: Mapping[str, str]) -> Surroundings:
    own_folder(home)
    own_folder(home / SCRATCH)
    passed_on = {key: value for key, value in outside.items() if key.startswith("HPCVIRT_TEST_")}
    user = user_name()
    return Surroundings(
        home,
        {
            "PATH": outside.get("PATH") or _USUAL_PATH,
            "HOME": str(home),
            "USER": user,
            "LOGNAME": user,
            "SHELL": "/bin/sh",
            "LANG": "C",
            "HPCVIRT_LAB_NODE": name,
            **passed_on,
        },
    )


async def _serve_node(
    where: Surroundings, client_key: asyncssh.SSHKey, host_key: asyncssh.SSHKey, children: Children
) -> int:
    """Listen on a free port of loopback and return it."""
    server = await asyncssh.create_server(
        lambda: _Gate(client_key, lambda: CommandSession(where, children)),
        _HOST,
        0,
        server_host_keys=[host_key],
        encoding=None,
        line_editor=False,
        allow_pty=False,
        agent_forwarding=False,
        x11_forwarding=False,
        public_key_auth=True,
        password_auth=False,
        kbdint_auth=False,
        gss_host=None,
        login_timeout=_LOGIN_LIMIT_S,
    )
    return server.get_port()


def _public_line(key: asyncssh.SSHKey) -> str:
    return key.export_public_key().decode().strip()


def _publish(folder: Path, pid: int, client_key: asyncssh.SSHKey, nodes: Sequence[Mapping[str, object]]) -> None:
    """Write the key and the files that lead to the nodes; ``lab.json`` last, since it says that all is ready."""
    known_hosts = "".join(f"[{node['host']}]:{node['port']} {node['host_key']}\n" for node in nodes)
    write_private(folder / CLIENT_KEY, client_key.export_private_key().decode())
    write_private(folder / KNOWN_HOSTS, known_hosts)
    found = {
        "pid": pid,
        "nodes": nodes,
        "client_key": str(folder / CLIENT_KEY),
        "known_hosts": str(folder / KNOWN_HOSTS),
    }
    write_private(folder / LAB_JSON, json.dumps(found, indent=1))


async def open_nodes(folder: Path, names: Sequence[str], pid: int) -> None:
    """Bring up a node for each name, on the running event loop, and publish them in ``folder``.

    Host keys live in memory only. ``pid`` is the process to signal when the lab shall end.
    """
    children = Children()
    asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, children.reap)
    client_key = asyncssh.generate_private_key(_KEY_TYPE)
    nodes = []
    for name in names:
        host_key = asyncssh.generate_private_key(_KEY_TYPE)
        where = _surroundings(folder / name, name, os.environ)
        port = await _serve_node(where, client_key, host_key, children)
        line = _public_line(host_key)
        nodes.append({"name": name, "host": _HOST, "port": port, "user": user_name(), "host_key": line})
    _publish(folder, pid, client_key, nodes)
