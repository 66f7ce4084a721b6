"""In what a campaign differs from the one that a database was started from, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpcvirt.core.model import label_of

LONGEST_VALUE = 80

_NAMED = {"kernels": "kernel", "nodes": "node", "benchmarks": "benchmark"}


def changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Every value that differs, a line each, called as in the campaign file."""
    return list(_changes(was, now, ""))


def _changes(was: Any, now: Any, path: str) -> Iterator[str]:
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key in sorted({*was, *now}):
            yield from _of_key(key, was.get(key), now.get(key), f"{path}.{key}" if path else key)
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for index, (old, new) in enumerate(zip(was, now, strict=True), 1):
            yield from _changes(old, new, f"{path}[{index}]")
    elif was != now:
        yield f"{path}: was {_shown(was)}, is {_shown(now)}"


def _of_key(key: str, was: Any, now: Any, path: str) -> Iterator[str]:
    if path in _NAMED and isinstance(was, list) and isinstance(now, list):
        yield from _named(_NAMED[key], was, now)
    else:
        yield from _changes(was, now, path)


def _named(what: str, was: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Things that have names are compared by them, wherever they stand."""
    old, new = ({_name(one): one for one in many} for many in (was, now))
    yield from (f"{what} {name}: is gone" for name in old if name not in new)
    yield from (f"{what} {name}: is new" for name in new if name not in old)
    both = [name for name in old if name in new]
    for name in both:
        yield from _changes(old[name], new[name], f"{what} {name}")
    if both != [name for name in new if name in old]:
        yield f"{what}s: stand in another order"


def _name(one: Mapping[str, Any]) -> str:
    if "name" in one:
        return str(one["name"])
    return label_of(str(one["plugin"]), one["parameters"])


def _shown(value: Any) -> str:
    text = "not there" if value is None else repr(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
