"""What the model wrote: run.sh lists each file with a checksum and its size, as ``cksum`` prints them.

On a full disk the model ends normally with a part of its output, so that only this list can tell.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from hpcvirt.core.benchmark import Output
from hpcvirt.core.model import Status
from hpcvirt.plugins.reading import Objection, whole_lines

WRITTEN = "written"
_LINE = re.compile(r"(\d{1,12}|-|full) (\d{1,18}) (.{1,200})", re.ASCII)
_STEP = re.compile(r"\.(\d{10})\.(?:.*\.)?data$", re.ASCII)
_FIELD = re.compile(r"^[^.]+")


@dataclass(frozen=True, slots=True)
class Written:
    """One file."""

    checksum: str
    bytes: int
    name: str


def written(output: Output) -> tuple[Written, ...]:
    """What run.sh listed; nothing where somebody else ran the model."""
    hits = (_LINE.fullmatch(line) for line in whole_lines(output.files.get(WRITTEN, b"")))
    return tuple(Written(hit[1], int(hit[2]), hit[3]) for hit in hits if hit)


def objections(files: tuple[Written, ...]) -> Iterator[Objection]:
    """A field's files are equally long, whatever the step; one that is shorter was cut."""
    if any(one.checksum == "full" for one in files):
        yield Status.FAILED, "the disk was full at its end: not all of its output can have been written"
    longest: dict[str, int] = {}
    data = [one for one in files if _STEP.search(one.name)]
    for one in data:
        longest[_field(one)] = max(longest.get(_field(one), 0), one.bytes)
    short = next((one for one in data if one.bytes < longest[_field(one)] or not one.bytes), None)
    if short is not None:
        yield Status.FAILED, f"{short.name} has {short.bytes} of {longest[_field(short)]} bytes: was the disk full?"


def _field(one: Written) -> str:
    hit = _FIELD.match(one.name)
    tile = one.name.partition(".data")[0].split(".")[2:]
    return ".".join([hit[0] if hit else "", *tile])


def digest(files: tuple[Written, ...]) -> str:
    """Of the fields that the model computed; empty if it wrote none, or the node cannot tell. Equal: to the bit."""
    if any(one.checksum == "-" for one in files):
        return ""
    data = sorted(f"{one.checksum} {one.bytes} {one.name}" for one in files if _STEP.search(one.name))
    return hashlib.sha256("\n".join(data).encode()).hexdigest()[:16] if data else ""
