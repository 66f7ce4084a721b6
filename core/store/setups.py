"""What each node was under each kernel: identity and environment as they were when a kernel was proved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hpcvirt.core.store.queries import reading

VOLATILE = {"boot_id"}
"""Another one in every boot, by its nature."""


@dataclass(frozen=True, slots=True)
class Setup:
    """One proved visit of a kernel to a node."""

    kernel: str
    node: str
    values: Mapping[str, str]
    """By key: ``identity.release``, ``package.libc6``, ``sysctl.vm.swappiness`` ..."""


def read_setups(path: Path) -> list[Setup]:
    """Every setup that was seen, each once per kernel and node. Raises StoreUnusable."""
    with reading(path) as connection:
        return [Setup(kernel, node, _values(*contents)) for kernel, node, *contents in connection.execute(_SETUPS)]


def _values(identity: str, environment: str | None) -> dict[str, str]:
    told = json.loads(identity).items()
    values = {f"identity.{name}": str(value) for name, value in told if value is not None and name not in VOLATILE}
    values.update(json.loads(environment or "{}"))
    return values


_SETUPS = """
    SELECT DISTINCT boots.kernel, boots.node, identities.content, environments.content
    FROM boots JOIN identities ON identities.id = boots.identity
    LEFT JOIN environments ON environments.id = boots.environment
"""
