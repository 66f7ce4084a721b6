"""The same benchmark files on every node: built once, frozen in the database, copied, and checked by SHA-256."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hpcvirt.core.benchmark import Artifact, load
from hpcvirt.core.errors import BinaryDiffers, NodeUnusable
from hpcvirt.core.model import Campaign, Node
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.connection import NodeConnection

COPY_LIMIT_S = 300.0
HARMLESS_PATH = re.compile(r"/[A-Za-z0-9._/@+-]+")


@dataclass(frozen=True, slots=True)
class FrozenFiles:
    """A benchmark's artifacts as they were when the campaign started."""

    folder: str
    """On the node, relative to the program's folder; named by content."""
    files: tuple[tuple[str, str, bytes], ...]
    """Name, SHA-256, content."""

    @property
    def paths(self) -> tuple[str, ...]:
        """On the node, relative to the program's folder."""
        return tuple(f"{self.folder}/{name}" for name, _, _ in self.files)


def build(campaign: Campaign, folder: Path) -> dict[str, tuple[Artifact, ...]]:
    """Make every benchmark's artifacts in ``folder``, by benchmark label. Raises CompilerMissing or BuildFailed."""
    return {use.label: load(use.plugin).build(use.parameters, folder) for use in campaign.benchmarks}


def frozen_files(campaign: Campaign, stored: Mapping[str, Iterable[tuple[str, str, bytes]]]) -> dict[str, FrozenFiles]:
    """By benchmark label; a benchmark without artifacts has an empty folder of its own."""
    found = {}
    for use in campaign.benchmarks:
        files = tuple(stored.get(use.label, ()))
        content = "\n".join([use.label, *(f"{name} {sha256}" for name, sha256, _ in files)])
        found[use.label] = FrozenFiles(f"bench/{hashlib.sha256(content.encode()).hexdigest()[:16]}", files)
    return found


async def make_same(
    link: NodeConnection, node: Node, label: str, frozen: FrozenFiles, found: Mapping[str, str | None]
) -> list[tuple[str, str, str]]:
    """Copy what is missing on the node and check everything; what was found: (name, SHA-256, method).

    Raises BinaryDiffers, NodeUnusable, and what a connection raises.
    """
    missing = [path for path in frozen.paths if path not in found]
    if missing or not frozen.files:
        await _copy(link, node, frozen, missing)
        script = jobs.look(node.scratch, artifacts=frozen.paths)
        found = jobs.parse_look(script, await link.run(script, COPY_LIMIT_S)).artifacts
    checks = [await _check(link, node, f"{frozen.folder}/{name}", name, found) for name, _, _ in frozen.files]
    for (name, wanted, _), (_, there, _) in zip(frozen.files, checks, strict=True):
        if there != wanted:
            raise BinaryDiffers(
                f"{node.name}: {frozen.folder}/{name} of {label} has SHA-256 {there[:16]}..., not {wanted[:16]}...",
                hint=f"remove {frozen.folder} under {node.scratch} on {node.name} and run again: it is copied anew",
            )
    return checks


async def _copy(link: NodeConnection, node: Node, frozen: FrozenFiles, missing: Iterable[str]) -> None:
    script = jobs.make_folder(node.scratch, frozen.folder)
    root = jobs.parse_done(script, await link.run(script, COPY_LIMIT_S)).removeprefix("root ")
    if not HARMLESS_PATH.fullmatch(root):
        raise NodeUnusable(f"{node.name}: {root!r} has characters that a shell could obey", hint="set another scratch")
    contents = {f"{frozen.folder}/{name}": content for name, _, content in frozen.files}
    for path in missing:
        await link.upload(contents[path], f"{root}/{path}.draft", COPY_LIMIT_S)
        script = jobs.place(node.scratch, path)
        jobs.parse_done(script, await link.run(script, COPY_LIMIT_S))


async def _check(
    link: NodeConnection, node: Node, path: str, name: str, found: Mapping[str, str | None]
) -> tuple[str, str, str]:
    there = found.get(path, "")
    if there is not None:
        return name, there, "node"
    script = jobs.fetch(node.scratch, path)
    content = jobs.parse_fetch(script, await link.run(script, COPY_LIMIT_S))
    return name, hashlib.sha256(content).hexdigest(), "fetched"
