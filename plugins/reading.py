"""What all parsers need: whole lines without escape codes, numbers, and words for how a program ended."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Iterator

from hpcvirt.core.benchmark import Output
from hpcvirt.core.model import Status
from hpcvirt.core.text import clean_line

Objection = tuple[Status, str]
"""A status that is not ok, and why."""

_ESCAPE = re.compile(
    r"\x1b(?:"
    r"\[[0-?]*[ -/]*[@-~]"  # colours, the cursor
    r"|\][^\x07\x1b\n]*(?:\x07|\x1b\\)"  # titles
    r"|[PX^_][^\x1b\n]*\x1b\\"  # strings to the device
    r"|[ -/]+[0-~]"  # character sets
    r"|[0-Z\\^-~])"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f\ufeff]"
)
"""And what else is no text: bells, padding, the mark of byte order."""
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?", re.ASCII)
_NO_NUMBER = re.compile(r"[+-]?(?:inf(?:inity)?|nan)|\*+", re.IGNORECASE)


def whole_lines(raw: bytes) -> Iterator[str]:
    """Lines without escape codes, blank ones left out. A lone CR (a progress bar's) parts lines as well.

    A last line without its newline is not given: its last number may be half of one.
    """
    whole = raw[: raw.rfind(b"\n") + 1].decode("utf-8", "replace")
    yield from (line for line in re.split("[\n\r]+", _ESCAPE.sub("", whole)) if line and not line.isspace())


def unfinished_line(raw: bytes) -> str:
    """What stands behind the last newline."""
    return _ESCAPE.sub("", raw[raw.rfind(b"\n") + 1 :].decode("utf-8", "replace"))


def number(word: str) -> float | None:
    """The value of a word, Fortran's exponents too; NaN for what is printed instead of a number; None: neither."""
    if _NUMBER.fullmatch(word):
        return float(word.upper().replace("D", "E"))
    return float("nan") if _NO_NUMBER.fullmatch(word) else None


def printed_range(word: str) -> tuple[float, float]:
    """Return the lowest and the highest value that are rounded to a number as it is printed."""
    mantissa, _, exponent = re.sub("[eEdD]", "e", word).partition("e")
    half = float(f"5e{int(exponent or 0) - len(mantissa.partition('.')[2]) - 1}")
    middle = float(f"{mantissa}e{exponent or 0}")
    return middle - half, middle + half


def first(objections: Iterable[Objection]) -> Objection:
    """What weighs most of what speaks against an output; ok if nothing does."""
    return next(iter(objections), (Status.OK, ""))


def ending(output: Output, complaint: str = "") -> str:
    """How a program that did not exit with 0 ended, with what it said about it."""
    status = output.exit_status
    name = f" ({signal.Signals(status - 128).name})" if status - 128 in set(signal.Signals) else ""
    words = complaint or clean_line(output.stderr.rstrip().rpartition(b"\n")[2])
    if status == 128 + signal.SIGKILL:
        words = words or "killed; out of memory?"
    return f"exit status {status}{name}: {words}" if words else f"exit status {status}{name}"


def nothing(text: bytes, what: str) -> str:
    """Why an output without a report of ``what`` is none."""
    if text.strip():
        return f"no report of {what} in the output"
    return "nothing was printed: killed, or the output could not be written (disk full?)"


MIXED = "more than one report in the output of one run: an earlier or another one is among them"
TRUNCATED = "the middle of the output is missing"
