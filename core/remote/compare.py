"""What we resolved for a node against what OpenSSH itself resolves: ``ssh -G``."""

from __future__ import annotations

import asyncio
import pwd
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator, Mapping, Sequence
from os import getuid
from pathlib import Path

from hpcvirt.core.model import Node
from hpcvirt.core.remote.access import Access
from hpcvirt.core.text import clean_line

LIMIT_S = 20.0
DEFAULT_IDENTITIES = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa")


async def differences(node: Node, access: Access) -> tuple[str, ...]:
    """In what OpenSSH would reach the node otherwise than we do, a line each. No ssh here: one line that says so."""
    try:
        async with asyncio.timeout(LIMIT_S):
            told = await _asked(node)
    except FileNotFoundError:
        return ("ssh is not installed here: what OpenSSH would do was not compared",)
    except (OSError, TimeoutError) as error:
        return (f"ssh -G {node.host} failed: {clean_line(str(error)) or 'no answer'}",)
    return tuple(compare(node, access, told, Path(pwd.getpwuid(getuid()).pw_dir)))


async def _asked(node: Node) -> dict[str, list[str]]:
    process = await asyncio.create_subprocess_exec(*command(node), stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    try:
        stdout, stderr = await process.communicate()
    except BaseException:
        process.kill()
        raise
    if process.returncode:
        raise OSError(clean_line(stderr, 300))
    return parse(stdout.decode("utf-8", "replace"))


def command(node: Node) -> list[str]:
    """``ssh -G`` with what the campaign file says of the node, so that only what it leaves open is compared."""
    words = ["ssh", "-G"]
    words += ["-p", str(node.port)] if node.port else []
    words += ["-l", node.user] if node.user else []
    words += ["-i", node.identity_file] if node.identity_file else []
    words += ["-o", f"ProxyJump={node.jump}"] if node.jump else []
    return [*words, "--", node.host]


def parse(text: str) -> dict[str, list[str]]:
    """Values by keyword in small letters, in their order."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key.lower(), []).append(value.strip())
    return found


def compare(node: Node, access: Access, told: Mapping[str, Sequence[str]], home: Path) -> Iterator[str]:
    """The differences in words. ``home``: of the password file, as OpenSSH takes it."""

    def first(key: str) -> str:
        value = (told.get(key) or [""])[0]
        return "" if value == "none" else value

    yield from _differing("host name", access.host, first("hostname"))
    yield from _differing("user", access.user, first("user"))
    yield from _differing("port", str(access.port), first("port"))
    yield from _differing("jump host", access.jump, first("proxyjump"))
    if not access.jump:
        yield from _differing("proxy command", access.proxy_command, first("proxycommand"))
    theirs = _paths(told.get("identityfile", ()), home)
    defaults = {str(home / ".ssh" / name) for name in DEFAULT_IDENTITIES}
    if node.identity_file is None and not (not access.identity_files and set(theirs) <= defaults):
        yield from _differing("identity files", " ".join(access.identity_files), " ".join(theirs))
    files = [*_paths(first("userknownhostsfile").split(), home), *_paths(first("globalknownhostsfile").split(), home)]
    lacking = [path for path in files if path not in access.known_hosts and Path(path).is_file()]
    if lacking:
        yield f"known hosts: OpenSSH also reads {' '.join(lacking)}"
    policy = first("stricthostkeychecking")
    if policy in {"false", "no", "off"}:
        yield "host keys: OpenSSH is told to accept any key (StrictHostKeyChecking no); this program never does that"


def _differing(what: str, ours: str, theirs: str) -> Iterator[str]:
    if ours != theirs:
        yield f"{what}: we take {ours or 'none'}, OpenSSH takes {theirs or 'none'}"


def _paths(words: Sequence[str], home: Path) -> list[str]:
    return [str(home / word.removeprefix("~/")) for word in words if word != "none"]
