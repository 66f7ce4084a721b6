"""The programs that a benchmark executes on a node, the libraries they load, and what is missing there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from shlex import quote

from hpcvirt.core.text import clean


@dataclass(frozen=True, slots=True)
class Program:
    """A program or a library."""

    name: str
    path: str
    sha256: str | None
    """None: the node cannot hash it."""


@dataclass(frozen=True, slots=True)
class Programs:
    """What was found on a node."""

    found: tuple[Program, ...]
    missing: tuple[str, ...] = ()
    """Not there."""
    forbidden: tuple[str, ...] = ()
    """There, and not executable."""
    foreign: tuple[str, ...] = ()
    """Made for another machine."""
    lacking: tuple[str, ...] = ()
    """Libraries that are not there."""
    absent: tuple[str, ...] = ()
    """Files that are not there, or not readable."""
    unlisted: tuple[str, ...] = ()
    """Programs whose libraries nobody knows there: the node has no ldd."""


def programs_text(programs: Iterable[str], needed: Iterable[str], arguments: Iterable[str] = ()) -> str:
    """A shell text that looks for them, to be run in the program's folder.

    ``arguments``: words of which those that name a program or a file are hashed too.
    """
    text = files("hpcvirt.core.remote").joinpath("programs.sh").read_text(encoding="ascii")
    calls = [f"hv_program {quote(name)}" for name in programs] + [f"hv_needed {quote(path)}" for path in needed]
    calls += [f"hv_argument {quote(word)}" for word in arguments]
    return "\n".join([text, *calls, "exit 0", ""])


_FOUND = re.compile(r"(unhashed|[0-9a-f]{64})\t([^\t]+)\t(.+)")


def parse_programs(said: bytes) -> Programs:
    """Read what that text prints."""
    lines = [clean(line) for line in said.split(b"\n")]
    hits = [hit for line in lines if (hit := _FOUND.fullmatch(line))]
    found = (Program(hit[2], hit[3], None if hit[1] == "unhashed" else hit[1]) for hit in hits)
    return Programs(
        tuple(dict.fromkeys(found)),
        missing=_after("missing", lines),
        forbidden=_after("forbidden", lines),
        foreign=_after("foreign", lines),
        lacking=_after("lacking", lines),
        absent=_after("absent", lines),
        unlisted=_after("unlisted", lines),
    )


def _after(word: str, lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.removeprefix(f"{word} ") for line in lines if line.startswith(f"{word} ")))
