"""``analyze``: comparisons for the terminal, and from other people's files."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from hpcvirt.core.stats import Comparison, Settings, Verdict
from hpcvirt.core.stats.report import HEADINGS, cells, notes, to_csv, to_json, to_markdown

if TYPE_CHECKING:
    from rich.console import RenderableType


class Format(StrEnum):
    """What ``--format`` takes."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    MARKDOWN = "markdown"


STYLES = {
    Verdict.FASTER: "green",
    Verdict.SLOWER: "red",
    Verdict.TRIVIAL: "cyan",
    Verdict.EQUIVALENT: "blue",
    Verdict.INCONCLUSIVE: "dim",
}

_RIGHT = {"n", "mean", "difference", "CI", "p", "p adjusted", "p equivalence"}


def analyze_file(path: Path, settings: Settings) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    """Comparisons of a foreign CSV file, and the notes that belong under them.

    Raises FileInvalid for faults of the file and UsageWrong for settings that do not fit it; both exit with 2.
    """
    from hpcvirt.core.stats import compare, compare_summaries, foreign

    found = foreign.read(path)
    comparisons = compare_summaries(found.summaries, settings) if found.summaries else compare(found.series, settings)
    return comparisons, (*notes(comparisons, settings), *found.notes)


def render(comparisons: Sequence[Comparison], format: Format, footer: Sequence[str] = ()) -> str | RenderableType:  # noqa: A002
    """Text for CSV, JSON and Markdown; something for Rich to print for a table."""
    match format:
        case Format.JSON:
            return to_json(comparisons)
        case Format.CSV:
            return to_csv(comparisons)
        case Format.MARKDOWN:
            return to_markdown(comparisons, footer)
        case Format.TABLE:
            return table(comparisons, footer)


def table(comparisons: Sequence[Comparison], footer: Sequence[str] = ()) -> RenderableType:
    """A table for a terminal of any width. Every cell is a Text: names are data, not markup."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table(*(), box=None, pad_edge=False, header_style="bold")
    for heading in HEADINGS:
        grid.add_column(heading, justify="right" if heading in _RIGHT else "left", overflow="fold")
    for one in comparisons:
        row = [Text(cell) for cell in cells(one)]
        row[HEADINGS.index("verdict")].stylize(STYLES[one.verdict])
        grid.add_row(*row)
    return Group(grid, Text(), *(Text(line, style="dim") for line in footer))
