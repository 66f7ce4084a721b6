"""Is this the node's key? Known hosts, and what ``accept-new`` adds to them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

import asyncssh

from hpcvirt.core.errors import HostKeyChanged, HostKeyUnknown, HpcvirtError
from hpcvirt.core.model import HostKeys
from hpcvirt.core.remote.access import DEFAULT_PORT, Access

LONGEST_BANNER = 2000


class HostKeyWitness(asyncssh.SSHClient):
    """Is asked by asyncssh about a key that no file vouches for; remembers what it was shown."""

    def __init__(self, access: Access, policy: HostKeys, shown_before: str = "") -> None:
        """``shown_before``: fingerprint of the key with which the node was reached earlier in this process."""
        self._access = access
        self._policy = policy
        self._shown_before = shown_before
        self.shown: asyncssh.SSHKey | None = None
        self.accepted = False
        self.known = 0
        """How many other keys the files have for this node."""
        self.banner = ""
        """What it said while we logged in."""

    def auth_banner_received(self, msg: str, lang: str) -> None:
        """A node that refuses us often says why here, and nowhere else."""
        del lang
        self.banner = (self.banner + msg)[:LONGEST_BANNER]

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Whether to go on with this key; with ``accept-new`` it is on the disk before we do."""
        self.shown = key
        found = asyncssh.match_known_hosts(
            self._access.options["known_hosts"], host, addr, None if port == DEFAULT_PORT else port
        )
        self.known = sum(len(keys) for keys in found[:3])
        if self.known or self._policy is not HostKeys.ACCEPT_NEW:
            return False
        if self._shown_before:
            # The file that had its key is gone, perhaps with its file system: nothing is written in its place.
            return fingerprint(key) == self._shown_before
        write_down(Path(self._access.writable_known_hosts), host, port, key)
        self.accepted = True
        return True

    def refusal(self, where: str, words: str) -> HpcvirtError:
        """Why the connection was refused, as an error an operator can act on."""
        name = entry_name(self._access.host_key_name, self._access.port)
        shown = "" if self.shown is None else f" It showed {fingerprint(self.shown)}."
        if self.known or self.shown is None or self._is_another(self.shown):
            # asyncssh asks only about keys it does not know: a revoked or expired one it refuses by itself.
            return HostKeyChanged(
                f"{where}: its host key is not the one in {_listed(self._access)}: {words}.{shown}",
                hint="was the node installed anew? compare the key at its console, then "
                f"`ssh-keygen -R '{name}'` and `ssh {self._access.host}` once by hand",
            )
        return HostKeyUnknown(
            f"{where}: its host key is in none of {_listed(self._access)}.{shown}",
            hint=f"compare it with the node's own, then `ssh {self._access.host}` once by hand; or, on a network "
            'you trust, host_keys = "accept-new" under [connection] in the campaign file',
        )

    def _is_another(self, key: asyncssh.SSHKey) -> bool:
        """Than that of the same kind with which the node was reached before, whatever the files have by now."""
        shown = fingerprint(key)
        return shown.split()[0] == self._shown_before.partition(" ")[0] and shown != self._shown_before


def _listed(access: Access) -> str:
    there = [path for path in access.known_hosts if Path(path).is_file()]
    return ", ".join(there or access.known_hosts[:1])


def fingerprint(key: asyncssh.SSHKey) -> str:
    """As ``ssh-keygen -l`` tells it."""
    return f"{key.get_algorithm()} {key.get_fingerprint()}"


def entry_name(host: str, port: int) -> str:
    """A host as it stands in known hosts."""
    return host if port == DEFAULT_PORT else f"[{host}]:{port}"


def write_down(path: Path, host: str, port: int, key: asyncssh.SSHKey) -> None:
    """Append a host key, its name hashed where the file's other names are. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = path.read_bytes() if path.exists() else b""
    name = entry_name(host, port)
    if b"|1|" in before:
        name = _hashed(name)
    line = f"{name} {key.export_public_key('openssh').decode().strip()}\n".encode()
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        # One write: other nodes' keys, and other programs, append at the same time.
        os.write(descriptor, line if not before or before.endswith(b"\n") else b"\n" + line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hashed(name: str) -> str:
    salt = secrets.token_bytes(20)
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"
