"""Values in JSON texts, which may stand among lines of other text, by a path of keys and indices."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_DECODER = json.JSONDecoder()
_INDEX = re.compile(r"-?\d{1,9}", re.ASCII)


class JsonUnclear(ValueError):
    """The text is cut, is no JSON, or the path can mean two things: the message says which."""


def values_at(content: bytes, path: str) -> Sequence[Any]:
    """Return what stands at a path, in every JSON text that has it, in their order. Raises JsonUnclear.

    A part of the path is a key or an index from 0; ``*`` stands for all of them. A key may hold dots.
    """
    text = content.decode(json.detect_encoding(content), "replace").removeprefix("\ufeff")
    try:
        return [value for document in _documents(text) for value in _at(document, path.split("."))]
    except RecursionError as error:
        raise JsonUnclear("its JSON is nested too deeply") from error


def _documents(text: str) -> Iterator[Any]:
    """Yield every object and array that begins a line. What is within one that is cut is none."""
    at = 0
    while at < len(text):
        end = _line_end(text, at)
        start = end - len(text[at:end].lstrip())
        if text[start:end].startswith(("{", "[")) and (decoded := _decoded(text, start, end)) is not None:
            document, end = decoded
            yield document
        at = end


def _decoded(text: str, start: int, line_end: int) -> tuple[Any, int] | None:
    """Return the JSON text that begins there, and its last line's end; None for a line such as ``[INFO] ...``."""
    is_words = text[start] == "[" and text[line_end - 1] == "\n"
    try:
        document, end = _DECODER.raw_decode(text, start)
    except ValueError as error:
        if is_words and getattr(error, "pos", line_end) < line_end:
            return None
        raise JsonUnclear("its JSON is cut, or has a fault") from error
    if not text[end : _line_end(text, end)].strip():
        return document, _line_end(text, end)
    if is_words and end < line_end:
        return None
    raise JsonUnclear("there is more on the last line of its JSON")


def _line_end(text: str, at: int) -> int:
    return text.find("\n", at) + 1 or len(text)


def _at(value: Any, parts: Sequence[str]) -> Iterator[Any]:
    if not parts:
        yield value
    elif parts[0] == "*" and isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _at(member, parts[1:])
    elif isinstance(value, dict):
        yield from _at_key(value, parts)
    elif isinstance(value, list) and _INDEX.fullmatch(parts[0]) and -len(value) <= int(parts[0]) < len(value):
        yield from _at(value[int(parts[0])], parts[1:])


def _at_key(value: Mapping[str, Any], parts: Sequence[str]) -> Sequence[Any]:
    """The key is one part of the path, or several with the dots between them."""
    ends = [end for end in range(1, len(parts) + 1) if ".".join(parts[:end]) in value]
    readings = [list(_at(value[".".join(parts[:end])], parts[end:])) for end in ends]
    matches = [values for values in readings if values]
    if len(matches) > 1:
        raise JsonUnclear(f"{'.'.join(parts)!r} can be read in {len(matches)} ways: a key with dots stands beside it")
    return matches[0] if matches else ()
