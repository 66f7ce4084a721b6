"""The same benchmark files on every node: built once, frozen in the database, copied, and checked by SHA-256."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hpcvirt.core.benchmark import Artifact, load
from hpcvirt.core.errors import BenchmarkBroken, BinaryDiffers, NodeUnusable
from hpcvirt.core.model import ALL_NODES, Campaign, Node, Scope
from hpcvirt.core.remote import job as jobs

HARMLESS_NAME = re.compile(r"[A-Za-z0-9._+-]{1,100}")
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
    """Make every benchmark's artifacts in ``folder``, by benchmark label.

    Raises CompilerMissing, BuildFailed or BenchmarkBroken.
    """
    built = {use.label: load(use.plugin).build(use.parameters, folder) for use in campaign.benchmarks}
    for label, artifacts in built.items():
        for artifact in artifacts:
            if not HARMLESS_NAME.fullmatch(artifact.name):
                raise BenchmarkBroken(
                    f"{label}: {artifact.name!r} is no name for an artifact: use letters, digits, . _ + -"
                )
    return built


def frozen_files(
    campaign: Campaign, stored: Mapping[str, Iterable[tuple[str, str, bytes]]], owner: str, node: str
) -> dict[str, FrozenFiles]:
    """By benchmark label; a benchmark without artifacts has an empty folder of its own.

    Another campaign than ``owner``, or another node with the same scratch on a network file system, must not remove
    what this one still uses. A benchmark of all nodes finds its folder under the same name on each.
    """
    found = {}
    for use in campaign.benchmarks:
        files = tuple(stored.get(use.label, ()))
        place = f"{owner} {ALL_NODES if use.scope is Scope.CLUSTER else node}"
        content = "\n".join([place, use.label, *(f"{name} {sha256}" for name, sha256, _ in files)])
        found[use.label] = FrozenFiles(f"bench/{hashlib.sha256(content.encode()).hexdigest()[:16]}", files)
    return found


def is_harmless(name: str) -> bool:
    """Is this a file's name within a folder, which it does not leave?"""
    return all(part and part != ".." and HARMLESS_NAME.fullmatch(part) for part in name.split("/"))


class Channel(Protocol):
    """A way to a node that lasts: lost connections are made again."""

    async def run(self, script: jobs.Script, limit_s: float = ...) -> bytes:
        """Run a script that may be run again."""

    async def upload(self, content: bytes, path: str) -> None:
        """Write a file."""


async def make_same(
    channel: Channel, node: Node, label: str, frozen: FrozenFiles, found: Mapping[str, str | None]
) -> list[tuple[str, str, str]]:
    """Copy what is missing on the node and check everything; what was found: (name, SHA-256, method).

    Raises BinaryDiffers, NodeUnusable, and what the channel raises.
    """
    missing = [path for path in frozen.paths if path not in found]
    if missing or not frozen.files:
        await _copy(channel, node, frozen, missing)
        script = jobs.look(node.scratch, artifacts=frozen.paths)
        found = jobs.parse_look(script, await channel.run(script)).artifacts
    checks = [await _check(channel, node, f"{frozen.folder}/{name}", name, found) for name, _, _ in frozen.files]
    for (name, wanted, _), (_, there, _) in zip(frozen.files, checks, strict=True):
        if there != wanted:
            raise BinaryDiffers(
                f"{node.name}: {frozen.folder}/{name} of {label} has SHA-256 {there[:16]}..., not {wanted[:16]}...",
                hint=f"remove {frozen.folder} under {node.scratch} on {node.name} and run again: it is copied anew",
            )
    return checks


async def _copy(channel: Channel, node: Node, frozen: FrozenFiles, missing: Iterable[str]) -> None:
    script = jobs.make_folder(node.scratch, frozen.folder)
    root = jobs.parse_done(script, await channel.run(script)).removeprefix("root ")
    if not HARMLESS_PATH.fullmatch(root):
        raise NodeUnusable(f"{node.name}: {root!r} has characters that a shell could obey", hint="set another scratch")
    contents = {f"{frozen.folder}/{name}": content for name, _, content in frozen.files}
    for path in missing:
        await channel.upload(contents[path], f"{root}/{path}.draft")
        script = jobs.place(node.scratch, path)
        jobs.parse_done(script, await channel.run(script))


async def _check(
    channel: Channel, node: Node, path: str, name: str, found: Mapping[str, str | None]
) -> tuple[str, str, str]:
    there = found.get(path, "")
    if there is not None:
        return name, there, "node"
    script = jobs.fetch(node.scratch, path)
    content = jobs.parse_fetch(script, await channel.run(script))
    return name, hashlib.sha256(content).hexdigest(), "fetched"
