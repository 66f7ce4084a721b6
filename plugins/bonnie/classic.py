"""The reports of Tim Bray's Bonnie: the old one (K/sec, MB), Bonnie-64 (M/sec, GB), and its HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hpcvirt.core.model import Status
from hpcvirt.plugins.bonnie.table import PATTERNS, SEEKS, Cell, Found, is_measured
from hpcvirt.plugins.reading import number

_HEADER = re.compile(r"(?<![A-Za-z/])([KMG]/sec)\s+%CPU(?:\s+\1\s+%CPU){4}\s+/sec\s+%CPU\s*$")
_TAG = re.compile(r"<[^>]{0,200}>")
_CELL = re.compile(r"<td\b[^>]{0,200}>(.{0,200}?)</td>")
_HEADING = re.compile(r"Sequential (?:Output|Input)")
_OTHERS_SHARE = re.compile(r"\d+(?:\.\d{2,})?", re.ASCII)
"""A number that is no %CPU of ours, which has one decimal."""
NUMBERS = 2 * len(PATTERNS)

MIB = {"GB": 1000.0, "MB": 1.0}
"""What the column of sizes counts, in 2^20 bytes: Bonnie-64 divides by 1024 * 1024 * 1000."""


def reports(lines: list[str]) -> Iterator[Found]:
    """One for each row of results; one that is not whole for a table without any."""
    unit, size_unit, rows = "", "", 0
    for line in lines:
        text, is_html = _plain(line)
        if (header := _HEADER.search(text)) is not None:
            if unit and not rows:
                yield Found()
            unit, rows = header[1], 0
            size_unit = next((word for word in ("GB", "MB") if word in text.split()), "")
        elif unit and (found := _row(text, unit, size_unit, is_html=is_html)) is not None:
            rows += 1
            yield found
    if unit and not rows:
        yield Found()


def _plain(line: str) -> tuple[str, bool]:
    """A row of an HTML table as the text mode prints it."""
    cells = _CELL.findall(line)
    return (" ".join(_TAG.sub("", cell).strip() for cell in cells), True) if cells else (line, False)


def _row(text: str, unit: str, size_unit: str, *, is_html: bool) -> Found | None:
    """The last twelve numbers of a line: the label before them may be missing, or a number."""
    words = text.split()
    values = [number(word) for word in words[-NUMBERS - 1 :]]
    if len(values) <= NUMBERS or values[0] is None or any(map(_OTHERS_SHARE.fullmatch, words[1 - NUMBERS :: 2])):
        return None
    if None in values:
        is_ours = sum(value is not None for value in values) > NUMBERS // 2
        fault = (Status.UNPARSABLE, "a row of the table is not made of numbers")
        return Found(is_whole=True, fault=fault) if is_ours or is_html else None
    pairs = [value for value in values[1:] if value is not None]
    cells = {
        name: Cell(pairs[2 * i], "" if name == SEEKS else unit, pairs[2 * i + 1])
        for i, name in enumerate(PATTERNS)
        if is_measured(pairs[2 * i])
    }
    size = values[0] * MIB[size_unit] if size_unit in MIB else None
    return Found(cells, is_whole=True, size_mib=size or None)


def begins(text: str) -> bool:
    """Is there a table's head, or a part of it?"""
    return bool(_HEADING.search(text)) or "%CPU" in text
