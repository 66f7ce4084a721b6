"""Nodes that let nobody in, and say why in a banner."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest

from hpcvirt.core.errors import NodeUnreachable, PermissionRefused
from hpcvirt.core.model import Connecting, HostKeys, Node
from hpcvirt.core.remote.connection import Credentials, NodeConnection
from hpcvirt.core.remote.refusals import refusal

SLURM = "Access denied by pam_slurm_adopt: you have no active jobs on this node\n"


@pytest.mark.parametrize(
    ("banner", "words", "remedy"),
    [
        (SLURM, "only who has a job there", "salloc -w node1"),
        ("System is booting up. See pam_nologin(8)", "booting", "wait"),
        ('"The system is going down for reboot NOW!"', "going down", "wait"),
        ("Your account has expired; please contact your system administrator", "expired", "chage"),
        ("WARNING: Your password has expired.", "password there has expired", "ssh host1"),
        ("Access denied for user me by PAM account configuration", "does not let this user in", "access.conf"),
        ("\x1b]52;c;aGFybQ==\x07access denied", "does not let this user in", "AllowUsers"),
    ],
)
def test_refusals_in_plain_words(banner: str, words: str, remedy: str) -> None:
    found = refusal(banner, "node1", "host1")
    assert found is not None
    assert words in found.words
    assert remedy in found.remedy
    assert "\x1b" not in found.words


@pytest.mark.parametrize("banner", ["", "Authorised use only. Everything is logged.", "Welcome to cluster X"])
def test_other_banners_say_nothing(banner: str) -> None:
    assert refusal(banner, "node1", "host1") is None


class Refusing(asyncssh.SSHServer):
    """Says something, then ends the connection, as sshd does where PAM refuses the account."""

    def __init__(self, banner: str) -> None:
        self._banner = banner

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        self._connection.send_auth_banner(self._banner)
        self._connection.disconnect(asyncssh.DISC_BY_APPLICATION, "no")
        return True


async def refused_with(banner: str, folder: Path) -> Exception:
    key = asyncssh.generate_private_key("ssh-ed25519")
    client = folder / "key"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(client)
    server = await asyncssh.create_server(lambda: Refusing(banner), "127.0.0.1", 0, server_host_keys=[key])
    async with server:
        connecting = Connecting(host_keys=HostKeys.ACCEPT_NEW)
        node = Node("node1", "127.0.0.1", server.get_port(), "me")
        async with NodeConnection(node, Credentials(client, folder / "known_hosts"), connecting) as link:
            with pytest.raises((PermissionRefused, NodeUnreachable)) as caught:
                await link.connect()
    return caught.value


async def test_a_node_that_refuses_the_account_is_no_silent_node(tmp_path: Path) -> None:
    error = await refused_with(SLURM, tmp_path)
    assert isinstance(error, PermissionRefused)
    assert "pam_slurm_adopt" in error.message
    assert "salloc -w node1" in error.hint


async def test_one_that_ends_without_a_word_stays_one_to_wait_for(tmp_path: Path) -> None:
    assert isinstance(await refused_with("Welcome", tmp_path), NodeUnreachable)
