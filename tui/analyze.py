"""``analyze``: comparisons for the terminal, and from other people's files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from hpcvirt.core.stats import Comparison, Settings, Verdict
from hpcvirt.core.stats.report import HEADINGS, cells, notes, to_csv, to_json, to_markdown

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.table import Table


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


def analyze_file(
    path: Path, settings: Settings, same: Iterable[tuple[str, str]] = ()
) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    """Comparisons of a foreign CSV file, and the notes that belong under them; ``same`` as ``notes`` takes it.

    Raises FileInvalid for faults of the file and UsageWrong for settings that do not fit it; both exit with 2.
    """
    from hpcvirt.core.stats import compare, compare_summaries, foreign

    found = foreign.read(path)
    comparisons = compare_summaries(found.summaries, settings) if found.summaries else compare(found.series, settings)
    return comparisons, (*notes(comparisons, settings, same), *found.notes)


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
            return ComparisonTable(tuple(comparisons), tuple(footer))


@dataclass(frozen=True, slots=True)
class ComparisonTable:
    """A table for a terminal of any width, its notes below. Every cell is a Text: names are data, not markup."""

    comparisons: tuple[Comparison, ...]
    footer: tuple[str, ...] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As many columns as there is room for: what decides is always there."""
        from rich.text import Text

        shown = next((names for wide, names in _COLUMNS if options.max_width >= wide), _COLUMNS[-1][1])
        yield _grid(self.comparisons, shown)
        yield Text()
        yield from (Text(line, style="dim") for line in self.footer)


_NARROW = ("benchmark", "metric", "kernel", "difference", "p", "p adjusted", "verdict")
_MIDDLE = ("benchmark", "metric", "kernel", "mean", "against", "difference", "CI", "p", "p adjusted", "verdict")
_COLUMNS = ((170, HEADINGS), (110, _MIDDLE), (0, _NARROW))
"""Which columns from which width on."""


def _grid(comparisons: Sequence[Comparison], shown: Sequence[str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, header_style="bold")
    # the second mean, the baseline's, stands only where all columns do
    at = range(len(HEADINGS)) if shown is HEADINGS else [HEADINGS.index(name) for name in shown]
    for heading in shown:
        grid.add_column(heading, justify="right" if heading in _RIGHT else "left", overflow="fold")
    for one in comparisons:
        row = [Text(cell) for cell in cells(one)]
        row[HEADINGS.index("verdict")].stylize(STYLES[one.verdict])
        grid.add_row(*(row[i] for i in at))
    return grid
