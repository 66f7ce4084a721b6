"""Cleaning of text that came from a node, before anyone sees it."""

from __future__ import annotations

import re

_HARMFUL = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f"  # C0 but tab and newline; DEL
    "\x80-\x9f"  # C1
    "\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069"  # marks and overrides of the writing direction
    "\u2028\u2029"  # line and paragraph separators, which terminals treat at their own will
    "\ud800-\udfff"  # surrogates cannot be encoded
    "]"
)


def clean(raw: bytes | str) -> str:
    """Text without control characters that a terminal could obey.

    Newlines and tabs stay; CR LF becomes LF; each other control character becomes U+FFFD, so that it
    is seen that something was there. Invalid UTF-8 becomes U+FFFD too.
    """
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    return _HARMFUL.sub("\ufffd", text.replace("\r\n", "\n"))


def clean_line(raw: bytes | str, width: int = 200) -> str:
    """``clean`` text on one line of at most ``width`` characters, for messages and table cells."""
    line = " ".join(clean(raw).split())
    return line if len(line) <= width else line[: width - 1] + "…"
