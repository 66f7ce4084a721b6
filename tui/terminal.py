"""Whether a terminal can show the screen. Imports nothing of Textual: it is asked before that."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from hpcvirt.core.errors import ScreenUnsuited

LEAST_WIDTH = 60
LEAST_HEIGHT = 18
INSTEAD = "work without it: `hpcvirt-tui run CAMPAIGN` and `hpcvirt-tui status`"


def check_terminal(environ: Mapping[str, str] = os.environ) -> None:
    """Raises ScreenUnsuited where the screen would not be legible."""
    # Textual reads keys from standard input and paints on standard error.
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ScreenUnsuited("the screen needs a terminal, and input or output is none", hint=INSTEAD)
    if environ.get("TERM", "dumb") in {"dumb", ""}:
        raise ScreenUnsuited("the screen needs a terminal that can place text; TERM says dumb", hint=INSTEAD)
    width, height = os.get_terminal_size(sys.stderr.fileno())
    if 0 < width < LEAST_WIDTH or 0 < height < LEAST_HEIGHT:
        raise ScreenUnsuited(too_small(width, height), hint=f"make it larger, or {INSTEAD}")


def too_small(width: int, height: int) -> str:
    """What is wrong with a size."""
    return f"the terminal is {width} x {height}; the screen needs {LEAST_WIDTH} x {LEAST_HEIGHT}"
