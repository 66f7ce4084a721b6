"""What is installed on a node and how it is set up, as environment.sh reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hpcvirt.core.text import clean_line

LONGEST_LINE = 8192
_LINE = re.compile(r"([A-Za-z_][^\s]*) (.+)")


def parse_environment(text: bytes) -> Mapping[str, str]:
    """Values by key, such as ``package.libc6`` or ``sysctl.vm.swappiness``. What the node lacks is not in it."""
    lines = text.decode("utf-8", "replace").split("\n")
    found = (_LINE.fullmatch(clean_line(line, LONGEST_LINE)) for line in lines)
    return {_key(match[1]): match[2] for match in found if match}


def _key(told: str) -> str:
    return told.replace("/", ".") if told.startswith("sysctl.") else told
