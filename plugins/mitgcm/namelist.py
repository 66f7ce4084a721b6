"""Settings of the model's namelist file ``data``, as an operator overrides them."""

from __future__ import annotations

import re
import shlex

_OVERRIDE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}\.[A-Za-z][A-Za-z0-9_]{0,60}=[^\s\\&/][^\n\\&/]{0,200}")


class NamelistWrong(ValueError):
    """A word of ``overrides`` cannot be read."""


def overrides(text: str) -> list[str]:
    """``GROUP.NAME=VALUE`` each. Raises NamelistWrong."""
    try:
        words = shlex.split(text)
    except ValueError as error:  # an unbalanced quote
        raise NamelistWrong(f"{text!r}: {error}") from error
    for word in words:
        if not _OVERRIDE.fullmatch(word):
            raise NamelistWrong(f"{word!r} is not GROUP.NAME=VALUE, such as PARM01.viscAh=1.E5")
    return words
