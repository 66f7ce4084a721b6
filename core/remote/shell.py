"""A node's shell for what is no attempt: scripts of a boot method, and what we ask before and after a reboot."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from shlex import quote

from hpcvirt.core.boot_method import Answer
from hpcvirt.core.errors import OutputUnparsable
from hpcvirt.core.model import Node
from hpcvirt.core.remote.connection import NodeConnection
from hpcvirt.core.remote.job import Script, sections
from hpcvirt.core.text import clean


class RemoteShell:
    """``boot_method.NodeShell`` over a connection."""

    def __init__(self, link: NodeConnection) -> None:
        self._link = link

    @property
    def node(self) -> Node:
        """Whose."""
        return self._link.node

    async def ask(self, script: str, settings: Mapping[str, str], limit_s: float) -> Answer:
        """Run a script there. Raises ConnectionLost, TimeoutError, OutputUnparsable, and what connecting raises."""
        told = question(script, settings)
        return parse_answer(told, await self._link.run(told, limit_s))


def question(script: str, settings: Mapping[str, str]) -> Script:
    """The script in a shell of its own, so that nothing it does keeps the answer from being whole."""
    nonce = secrets.token_hex(16)
    # What an administrator needs is often not on an ordinary user's PATH.
    lines = ["PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin LC_ALL=C", "export PATH LC_ALL"]
    lines += [f"export {name}={quote(value)}" for name, value in settings.items()]
    lines += [
        f"printf '\\n@{nonce} said\\n'",
        f"/bin/sh -c {quote(script)} </dev/null 2>&1",
        f"printf '\\n@{nonce} status %s\\n' \"$?\"",
        f"printf '\\n@{nonce} end\\n'",
        "exit 0",
    ]
    return Script("\n".join([*lines, ""]).encode(), nonce)


def parse_answer(script: Script, raw: bytes) -> Answer:
    """Raises OutputUnparsable when the answer is not whole."""
    parts = sections(script, raw)
    statuses = [re.fullmatch("status ([0-9]{1,3})", head) for head in parts]
    found = [int(match[1]) for match in statuses if match]
    if not found:
        raise OutputUnparsable("the node's answer is not whole", hint="try again; is the connection stable?")
    return Answer(found[-1], clean(parts.get("said", b"")))
