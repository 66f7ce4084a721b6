"""What a node is like before a campaign: one script that changes nothing, and its answer."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote

from hpcvirt.core.model import Kernel
from hpcvirt.core.remote.identity import Identity, parse_identity
from hpcvirt.core.remote.job import Script, identity_text, sections, shell, within
from hpcvirt.core.text import clean_line

LONGEST_WORDS = 200


@dataclass(frozen=True, slots=True)
class Answered:
    """What a command said."""

    status: int
    words: str
    """The first line of what it wrote."""


@dataclass(frozen=True, slots=True)
class Survey:
    """One node. None, or empty: it cannot tell."""

    identity: Identity
    noise: str = ""
    """What its login shell wrote before our script began."""
    clock_s: float | None = None
    """Unix time there, at the begin of the script."""
    place: str = ""
    """The scratch folder, or where it is not there yet the nearest folder above it that is."""
    is_writable: bool = False
    filesystem: str = ""
    """Of ``place``."""
    device: str = ""
    options: tuple[str, ...] = ()
    """Of its mount."""
    free_kib: int | None = None
    load: float | None = None
    """Of the last minute."""
    logins: tuple[str, ...] = ()
    """User and terminal of everybody on a terminal."""
    jobs: tuple[str, ...] = ()
    """Processes of a scheduler's jobs."""
    kernels: tuple[Identity, ...] = ()
    """Identity as read within the wrap of each kernel that was asked for; empty of boot_id where that did not start."""
    kernel_words: tuple[str, ...] = ()
    """What was written instead, by kernel."""
    needs: tuple[Answered, ...] = ()
    """In the order of the commands."""


def survey(scratch: str, kernels: Sequence[Kernel], commands: Sequence[str]) -> Script:
    """Look at a node: as it is, within the wraps of kernels, and by commands."""
    nonce = secrets.token_hex(16)
    say = f"printf '\\n@{nonce} %s\\n'"
    lines = [
        f"hv_scratch={quote(scratch)}",
        identity_text(None) + shell("survey.sh"),
        f"{say} survey",
        "hv_survey",
        f"{say} identity",
        "hv_identity",
    ]
    for number, kernel in enumerate(kernels):
        probe = kernel.expect.probe.command if kernel.expect.probe else None
        inner = f"{identity_text(probe)}hv_identity\nexit 0\n"
        command = within(kernel.env, *kernel.wrap, "/bin/sh", "-c", inner)
        lines += [f"{say} 'kernel {number}'", f"({command}) </dev/null 2>&1"]
    for number, command in enumerate(commands):
        lines += [f"{say} 'need {number}'", f"hv_need {quote(command)}"]
    return Script("\n".join([*lines, f"{say} end", "exit 0", ""]).encode(), nonce)


def parse_survey(script: Script, raw: bytes) -> Survey:
    """Read the answer to ``survey``. Raises OutputUnparsable."""
    found = sections(script, raw)
    lines = found.get("survey", b"").decode("utf-8", "replace").splitlines()
    pairs = [(key, clean_line(value, 4096)) for key, _, value in (line.partition(" ") for line in lines)]
    values = dict(pairs)
    mount = values.get("scratch_mount", "").split(" ")
    kernels = [found[head] for head in _numbered(found, "kernel")]
    return Survey(
        identity=parse_identity(found.get("identity", b""))[0],
        noise=clean_line(raw.partition(f"\n@{script.nonce} ".encode())[0], LONGEST_WORDS),
        clock_s=_number(values.get("now", "")),
        place=values.get("scratch_place", ""),
        is_writable="scratch_writable" in values,
        filesystem=mount[0],
        device=mount[1] if len(mount) > 1 else "",
        options=tuple(mount[2].split(",")) if len(mount) > 2 else (),
        free_kib=_whole(values.get("scratch_free_kib", "")),
        load=_number(values.get("load", "").partition(" ")[0]),
        logins=tuple(dict.fromkeys(value for key, value in pairs if key == "login")),
        jobs=tuple(value for key, value in pairs if key == "job"),
        kernels=tuple(parse_identity(told)[0] for told in kernels),
        kernel_words=tuple(clean_line(told, LONGEST_WORDS) for told in kernels),
        needs=tuple(_answered(found[head]) for head in _numbered(found, "need")),
    )


def _numbered(found: dict[str, bytes], kind: str) -> list[str]:
    heads = [head for head in found if re.fullmatch(f"{kind} [0-9]+", head)]
    return sorted(heads, key=lambda head: int(head.split()[1]))


def _answered(told: bytes) -> Answered:
    head, _, rest = told.decode("utf-8", "replace").partition("\n")
    status = _whole(head.removeprefix("status "))
    return Answered(255 if status is None else status, clean_line(rest.strip().partition("\n")[0], LONGEST_WORDS))


def _number(word: str) -> float | None:
    match = re.match(r"[0-9]{1,15}(?:\.[0-9]{1,9})?", word)
    return float(match[0]) if match else None


def _whole(word: str) -> int | None:
    return int(word) if re.fullmatch("[0-9]{1,18}", word) else None
