"""What differs between two kernels, or between two nodes, in identity and environment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.store.setups import Setup


@dataclass(frozen=True, slots=True)
class Difference:
    """One key whose values are not the same on both sides."""

    key: str
    first: tuple[str, ...]
    """Every value seen there; empty: absent."""
    second: tuple[str, ...]


def differences(setups: Sequence[Setup], first: str, second: str) -> list[Difference]:
    """What differs between two kernels, over the nodes that have been in both, or between two nodes likewise.

    Raises UsageWrong when one is neither, or when nothing was seen of both.
    """
    one, other = _comparable(setups, first, second)
    keys = sorted({key for setup in (*one, *other) for key in setup.values})
    found = (Difference(key, _seen(one, key), _seen(other, key)) for key in keys)
    return [difference for difference in found if difference.first != difference.second]


def words_apart(first: str, second: str) -> tuple[str, str]:
    """Two long values without the words that they share: flags, options, command lines."""
    return " ".join(_only_in(first, second)), " ".join(_only_in(second, first))


def _only_in(text: str, other: str) -> Iterator[str]:
    there = set(other.split())
    return (word for word in text.split() if word not in there)


def _comparable(setups: Sequence[Setup], first: str, second: str) -> tuple[list[Setup], list[Setup]]:
    for side, across in ((_kernel, _node), (_node, _kernel)):
        one, other = ([setup for setup in setups if side(setup) == name] for name in (first, second))
        if one and other:
            common = {across(setup) for setup in one} & {across(setup) for setup in other}
            if not common:
                raise UsageWrong(
                    f"{first} and {second} have nothing in common to be compared on yet", hint="wait for more boots"
                )
            return [s for s in one if across(s) in common], [s for s in other if across(s) in common]
    known = sorted({setup.kernel for setup in setups}), sorted({setup.node for setup in setups})
    raise UsageWrong(
        f"{first} and {second} are not two kernels or two nodes that were proved",
        hint=f"kernels: {', '.join(known[0]) or 'none yet'}; nodes: {', '.join(known[1]) or 'none yet'}",
    )


def _kernel(setup: Setup) -> str:
    return setup.kernel


def _node(setup: Setup) -> str:
    return setup.node


def _seen(setups: Iterable[Setup], key: str) -> tuple[str, ...]:
    return tuple(sorted({setup.values[key] for setup in setups if key in setup.values}))
