"""What must be on a node once per boot, asked of a node that is this machine's shell."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from hpcvirt.core.engine.artifacts import FrozenFiles
from hpcvirt.core.engine.readiness import Place, check_programs
from hpcvirt.core.errors import ProgramMissing
from hpcvirt.core.model import Expect, Kernel, Node
from hpcvirt.core.remote.job import Script
from hpcvirt.core.requirements import Requirements
from tests.remote.nodes import TOOLS, LocalNode, altered, local_node


@dataclass(frozen=True)
class Way:
    """A channel whose node has the program, and may not read it."""

    node: LocalNode

    async def run(self, script: Script, limit_s: float = 60.0) -> bytes:
        is_fetch = script.text.rstrip().endswith(b"hv_do_fetch\nexit 0")
        return self.node.run(altered(script, b'[ -r "$hv_file" ]', b"false") if is_fetch else script)

    async def upload(self, content: bytes, path: str) -> None:
        raise AssertionError((content, path))


def test_a_program_that_nobody_may_read_has_no_digest(tmp_path: Path) -> None:
    node = local_node("dash", tmp_path, tools=TOOLS)
    if node is None:
        pytest.skip("no dash on this machine")
    node.scratch.mkdir()
    own = node.ready().root / "own"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o711)
    place = Place(Way(node), Node("node1", "host", scratch=str(node.scratch)), Kernel("stock", expect=Expect()))
    with pytest.raises(ProgramMissing, match=r"own of mine cannot be hashed: .*not readable") as caught:
        asyncio.run(check_programs(place, "mine", Requirements((str(own),)), FrozenFiles("bench/x", ())))
    assert "chmod +r" in caught.value.hint
