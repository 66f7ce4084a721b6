"""``diff-env``: what differs between two kernels or nodes, in plain lines."""

from __future__ import annotations

from pathlib import Path

import click

from hpcvirt.core.diff_env import Difference, differences, words_apart
from hpcvirt.core.store.setups import read_setups
from hpcvirt.core.text import clean_line

LONG = 60
ABSENT = "(absent)"


def print_differences(database: Path, first: str, second: str) -> None:
    """A block for each difference. Raises UsageWrong, StoreUnusable."""
    found = differences(read_setups(database), first, second)
    for difference in found:
        click.echo("\n".join(lines(difference, first, second)))
    if not found:
        click.echo(f"nothing that was read differs between {first} and {second}")


def lines(difference: Difference, first: str, second: str) -> list[str]:
    """Key, then each side's values; of two long ones only the words that are not in both."""
    one, other = difference.first, difference.second
    note = ""
    if len(one) == len(other) == 1 and min(len(one[0]), len(other[0])) > LONG:
        one, other = ((words,) for words in words_apart(one[0], other[0]))
        note = " (what is not in both)"
    width = max(len(first), len(second))
    sides = ((first, one), (second, other))
    return [f"{difference.key}{note}", *(f"  {name:{width}}  {_shown(values)}" for name, values in sides)]


def _shown(values: tuple[str, ...]) -> str:
    return " | ".join(clean_line(value, 400) or ABSENT for value in values) or ABSENT
