"""Nodes of each shell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remote.nodes import SHELLS, TOOLS, LocalNode, end_all, local_node


@pytest.fixture(params=[*SHELLS, "dash, no session", *(f"{shell}, staying" for shell in SHELLS)])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalNode]:
    """A node with this machine's tools, or with busybox's; one whose sshd gives no session; those whose shell stays."""
    shell, _, rest = request.param.partition(", ")
    yield from _serving(shell, local_node(shell, tmp_path, has_sessions=rest != "no session", stays=rest == "staying"))


@pytest.fixture(params=[*SHELLS, "dash, staying"])
def poor_node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalNode]:
    """A node with few tools, and an sshd that gives commands no session."""
    shell, _, rest = request.param.partition(", ")
    yield from _serving(shell, local_node(shell, tmp_path, tools=TOOLS, has_sessions=False, stays=bool(rest)))


def _serving(shell: str, found: LocalNode | None) -> Iterator[LocalNode]:
    if found is None:
        pytest.skip(f"no {shell} on this machine")
    found.scratch.mkdir()
    try:
        yield found.ready()
    finally:
        end_all(f"HPCVIRT_TEST={found.scratch}")
