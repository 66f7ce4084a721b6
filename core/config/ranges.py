"""Names as operators of clusters write them: ``node[01-16]``, ``rack[1-2]n[1,3,5-7]``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from math import prod

LARGEST_RANGE = 4096

_PARTS = re.compile(r"\[([^\[\]]*)\]")
_SPAN = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


def expand(text: str) -> tuple[str, ...]:
    """Every name that the text stands for, in order; a text without brackets stands for itself.

    A padded number gives padded names: ``[01-16]``. Raises ValueError with what is wrong, in words.
    """
    pieces = _PARTS.split(text)
    if any(mark in piece for piece in pieces[::2] for mark in "[]"):
        raise ValueError(f"{text!r}: brackets do not fit each other; write node[1-4]")
    lists = [_numbers(piece, text) for piece in pieces[1::2]]
    if prod(map(len, lists)) > LARGEST_RANGE:
        raise ValueError(f"{text!r} stands for more than {LARGEST_RANGE} names")
    names = [_joined(pieces[::2], row) for row in product(*lists)]
    if len(set(names)) < len(names):
        raise ValueError(f"{text!r} names something twice")
    return tuple(names)


def _joined(fixed: list[str], numbers: tuple[str, ...]) -> str:
    return fixed[0] + "".join(number + rest for number, rest in zip(numbers, fixed[1:], strict=True))


def _numbers(piece: str, text: str) -> list[str]:
    found: list[str] = []
    for part in piece.split(","):
        match = _SPAN.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{text!r}: {part.strip()!r} is no number or range; write [1-4] or [1,3,5-7]")
        found += _span(match[1], match[2] or match[1], text)
        if len(found) > LARGEST_RANGE:
            raise ValueError(f"{text!r} stands for more than {LARGEST_RANGE} names")
    return found


def _span(first: str, last: str, text: str) -> Iterator[str]:
    if int(last) < int(first):
        raise ValueError(f"{text!r}: {first}-{last} runs backwards")
    if int(last) - int(first) >= LARGEST_RANGE:
        raise ValueError(f"{text!r} stands for more than {LARGEST_RANGE} names")
    is_padded = len(first) > 1 and first.startswith("0")
    if is_padded and len(last) != len(first):
        raise ValueError(f"{text!r}: {first}-{last} is padded on one side only")
    width = len(first) if is_padded else 0
    return (f"{number:0{width}}" for number in range(int(first), int(last) + 1))
