"""``analyze``: comparisons for the terminal, and from other people's files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.stats import Comparison, Settings, Verdict
from hpcvirt.core.stats.report import HEADINGS, cells, notes, to_csv, to_json, to_markdown

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
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


def print_analysis(data: Path, layout: Format, wanted: Mapping[str, Any]) -> None:
    """Analyze a database or a CSV file and print it. Raises as ``compare_database`` and ``analyze_file`` do."""
    from hpcvirt.core.stats import Correction, Method, Unit
    from hpcvirt.tui.launch import is_database

    given = {name: value for name, value in wanted.items() if value is not None}
    kinds = {"method": Method, "unit": Unit, "correction": Correction}
    given |= {name: kind(given[name]) for name, kind in kinds.items() if name in given}
    if is_database(data):
        from hpcvirt.core.analysis import compare_database
        from hpcvirt.core.stats import Wanted

        if "unit" in given:
            raise UsageWrong(
                f"{data}: what was replicated is in the database's design", hint="--unit is for CSV files: leave it out"
            )
        found = compare_database(data, Wanted(**given))
        comparisons, footer = found.rows, found.footer
    else:
        comparisons, footer = analyze_file(data, Settings(**given))
    if not comparisons and layout is Format.TABLE:
        click.echo("nothing to compare yet: no two kernels have results", err=True)
        return
    rendered = render(comparisons, layout, footer)
    if isinstance(rendered, str):
        click.echo(rendered, nl=not rendered.endswith("\n"))
    else:
        from rich.console import Console

        Console().print(rendered)


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
    """A table per benchmark and baseline; a narrow terminal gets the columns that decide."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for (benchmark, baseline), members in groupby(comparisons, key=lambda one: (one.benchmark, one.baseline)):
        parts += [Text(f"{benchmark}, against {baseline}", style="bold"), _Fitting(tuple(members)), Text()]
    return Group(*parts, *(Text(line, style="dim") for line in footer))


class _Fitting:
    """Rows of one benchmark, with as many columns as the terminal has room for."""

    def __init__(self, rows: Sequence[Comparison]) -> None:
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        wide = self._grid(WIDE)
        wanted = console.measure(wide, options=options.update(max_width=1000)).maximum
        yield wide if wanted <= options.max_width else self._grid(NARROW)

    def _grid(self, columns: Mapping[int, str]) -> Table:
        """Every cell is a Text: names are data, not markup."""
        from rich.table import Table
        from rich.text import Text

        grid = Table(box=None, pad_edge=False, header_style="bold")
        for index, heading in columns.items():
            grid.add_column(heading, justify="right" if HEADINGS[index] in _RIGHT else "left", no_wrap=True)
        for one in self._rows:
            shown = list(cells(one))
            if columns is NARROW:
                # Whoever wants to know what would decide it makes the terminal wider.
                shown[VERDICT] = shown[VERDICT].partition(" (")[0]
            row = [Text(shown[index]) for index in columns]
            row[list(columns).index(VERDICT)].stylize(STYLES[one.verdict])
            grid.add_row(*row)
        return grid


VERDICT = HEADINGS.index("verdict")
NARROW = {1: "metric", 2: "kernel", 7: "diff", 8: "CI", 9: "p", 10: "p adj", VERDICT: "verdict"}
"""Columns of ``cells`` by index, and what stands over them."""
WIDE = {
    1: "metric",
    2: "kernel",
    3: "n",
    4: "mean",
    6: "baseline mean",
    7: "difference",
    8: "CI",
    14: "deciding CI",
    9: "p",
    10: "p adjusted",
    11: "p equivalence",
    VERDICT: "verdict",
    13: "flags",
}
