"""What the model wrote: run.sh lists each file with checksum and size as ``cksum`` prints them, and ends the list.

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
END = "end"
_LINE = re.compile(r"(\d{1,12}|-) (\d{1,18}) (.{1,200})", re.ASCII)
_STEP = re.compile(r"\.(?:\d{10}|ckpt[AB])\.(?:.*\.)?data$", re.ASCII)
_FIELD_OR_HEAD = re.compile(r"\.(?:data|meta|nc)$")
_IS_DATA = re.compile(r"\.data$")


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


def objections(output: Output) -> Iterator[Objection]:
    """A field's files are equally long, whatever the step; one that is shorter was cut. Nothing where no list is."""
    if WRITTEN not in output.files:
        return
    files = written(output)
    if END not in whole_lines(output.files[WRITTEN]):
        yield Status.FAILED, "the list of what it wrote is not whole: was the disk full?"
    elif not files:
        yield Status.FAILED, "the model wrote no file"
    empty = next((one for one in files if not one.bytes and _FIELD_OR_HEAD.search(one.name)), None)
    if empty is not None:
        yield Status.FAILED, f"{empty.name} is empty: was the disk full?"
    yield from _cut(files)


def _cut(files: tuple[Written, ...]) -> Iterator[Objection]:
    longest: dict[str, int] = {}
    data = [one for one in files if _STEP.search(one.name)]
    for one in data:
        longest[_field(one)] = max(longest.get(_field(one), 0), one.bytes)
    short = next((one for one in data if one.bytes < longest[_field(one)]), None)
    if short is not None:
        yield Status.FAILED, f"{short.name} has {short.bytes} of {longest[_field(short)]} bytes: was the disk full?"


def _field(one: Written) -> str:
    name, _, tile = one.name.removesuffix(".data").partition(".")
    return ".".join([name, *tile.split(".")[1:]])


def digest(files: tuple[Written, ...]) -> str:
    """Of the fields that the model computed; empty if it wrote none, or the node cannot tell. Equal: to the bit.

    NetCDF files are left out: they hold the time at which they were made.
    """
    if any(one.checksum == "-" for one in files):
        return ""
    data = sorted(f"{one.checksum} {one.bytes} {one.name}" for one in files if _IS_DATA.search(one.name))
    return hashlib.sha256("\n".join(data).encode()).hexdigest()[:16] if data else ""
