"""Lines of text as SVG that every renderer shows alike.

Renderers differ in the font they take, in its width and in what they make of several blanks and of ``textLength``.
So no blank is written, each word has its own place, and whatever is no ASCII word stands by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from rich.text import Text

CELL_WIDTH = 12
"""Six tenths of the font's size, as in nearly all monospace fonts."""
LINE_HEIGHT = 24
FONT_SIZE = 20
BASELINE = 18
MARGIN = 12
INK = "#1f2733"
PAPER = "#ffffff"

_WORD = re.compile(r"[!-~]+|[^\s!-~]")


def svg(lines: Sequence[Text], columns: int, title: str) -> str:
    """Draw ``lines`` on white paper, ``columns`` cells wide."""
    width, height = columns * CELL_WIDTH + 2 * MARGIN, len(lines) * LINE_HEIGHT + 2 * MARGIN
    drawn = "\n".join(word for row, line in enumerate(lines) for word in _words(line, row, columns))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="monospace" font-size="{FONT_SIZE}px" fill="{INK}">\n'
        f"<title>{escape(title)}</title>\n"
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>\n{drawn}\n</svg>\n'
    )


def _words(line: Text, row: int, columns: int) -> Iterator[str]:
    y = MARGIN + row * LINE_HEIGHT + BASELINE
    column = 0
    for text, style in _runs(line):
        for found in _WORD.finditer(text):
            at = column + cell_len(text[: found.start()])
            if at < columns:
                word = escape(found.group())
                yield f'<text x="{MARGIN + at * CELL_WIDTH}" y="{y}"{_attributes(style)}>{word}</text>'
        column += cell_len(text)


def _runs(line: Text) -> Iterator[tuple[str, Style]]:
    """Pieces of one style each."""
    for segment in line.render(_CONSOLE):
        yield segment.text, segment.style or Style.null()


_CONSOLE = Console(force_terminal=True, color_system="truecolor")


def _attributes(style: Style) -> str:
    bold = ' font-weight="bold"' if style.bold else ""
    if style.color is None or style.color.is_default:
        return bold
    return f'{bold} fill="{style.color.get_truecolor(DEFAULT_TERMINAL_THEME).hex}"'
