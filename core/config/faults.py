"""Faults of a campaign file in words, each with its key path."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from hpcvirt.core.config.tables import FileTable

_OF_BACKSLASH = re.compile(r"Unescaped '\\|hex value|Unicode scalar")
_PLACE = re.compile(r" \((?:at (line \d+, column \d+)|at end of document)\)$")


def of_syntax(error: tomllib.TOMLDecodeError, text: str) -> str:
    """``line 3, column 8: invalid value``."""
    words = str(error)
    found = _PLACE.search(words)
    if found is None:
        return words
    place = found[1] or f"line {text.rstrip().count(chr(10)) + 1}, at the end of the file"
    said = words[: found.start()]
    return f"{place}: {said[:1].lower()}{said[1:]}"


def remedy_of_syntax(error: tomllib.TOMLDecodeError) -> str:
    """Say what to do about a fault of TOML's syntax."""
    if _OF_BACKSLASH.search(str(error)):
        return "in double quotes a backslash begins an escape sequence; use a literal string: '...' or '''...'''"
    return "mend the TOML syntax at that line"


def of_form(error: ValidationError) -> Iterator[str]:
    """What pydantic found, a line each; of the ways in which one value can be meant, only the first."""
    told: set[str] = set()
    for fault in error.errors(include_url=False):
        path = [part for part in fault["loc"] if not _is_branch(part)]
        key = key_path(path)
        if fault["type"] == "extra_forbidden":
            yield f"{key}: unknown key{nearest(str(path[-1]), _keys_beside(path))}"
        elif key not in told:
            told.add(key)
            yield f"{key}: {fault['msg'][0].lower()}{fault['msg'][1:]}{_shown(fault['input'])}"


def places(error: ValidationError) -> Iterator[list[int | str]]:
    """Where the faults are."""
    for fault in error.errors(include_url=False):
        yield [part for part in fault["loc"] if not _is_branch(part)]


def _is_branch(part: int | str) -> bool:
    """Pydantic's own word for one of several types."""
    return str(part) in {"str", "int", "float", "bool"} or str(part).startswith(("list[", "function-", "constrained-"))


def _shown(value: object) -> str:
    return "" if isinstance(value, dict | list) else f", not {value!r:.200}"


def key_path(path: Sequence[int | str]) -> str:
    """``kernel[1].boot``: tables of an array are counted from 1, as people do."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _keys_beside(path: Sequence[int | str]) -> list[str]:
    model: type[BaseModel] = FileTable
    for part in path[:-1]:
        if isinstance(part, int):
            continue
        named = model_in(model.model_fields[part].annotation)
        if named is None:
            return []
        model = named
    return list(model.model_fields)


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The table that an annotation names: itself, in a list, or beside None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := model_in(part))), None)


def nearest(word: str, known: Collection[str]) -> str:
    """What was probably meant, or all that could be."""
    close = difflib.get_close_matches(word, sorted(known), 1)
    return f"; did you mean {close[0]!r}?" if close else f" (known: {', '.join(sorted(known))})" if known else ""


def doubles(what: str, names: Sequence[str]) -> Iterator[str]:
    """What stands there more than once."""
    yield from (f"{what}: {name!r} stands there twice" for name, count in sorted(Counter(names).items()) if count > 1)
