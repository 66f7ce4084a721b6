"""``analyze``: comparisons for the terminal, and from other people's files."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.stats import Comparison, Settings, Verdict
from hpcvirt.core.stats.report import HEADINGS, notes, table_cells, to_csv, to_json, to_markdown

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table
    from rich.text import Text


class Format(StrEnum):
    """What ``--format`` takes."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    MARKDOWN = "markdown"


STYLES: Mapping[Verdict | None, str] = {
    Verdict.FASTER: "green",
    Verdict.SLOWER: "red",
    Verdict.TRIVIAL: "cyan",
    Verdict.EQUIVALENT: "blue",
    Verdict.INCONCLUSIVE: "dim",
}


def analyze_file(
    path: Path, settings: Settings, same: Iterable[tuple[str, str]] = (), *, as_if_final: bool = False
) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    """Comparisons of a foreign CSV file, and the notes that belong under them; ``same`` as ``notes`` takes it.

    Where the file says that its campaign was not finished, verdicts are withheld unless ``as_if_final`` wants them.
    Raises FileInvalid for faults of the file and UsageWrong for settings that do not fit it; both exit with 2.
    """
    from hpcvirt.core.interim import FileInterim, marked
    from hpcvirt.core.stats import compare, compare_summaries, foreign

    found = foreign.read(path)
    if as_if_final and found.interim is None:
        raise UsageWrong(f"{path}: a CSV file has no planned end", hint="leave --as-if-final out")
    comparisons = compare_summaries(found.summaries, settings) if found.summaries else compare(found.series, settings)
    state = FileInterim(is_withheld=not as_if_final) if found.interim else None
    told = () if state is not None and state.is_withheld else notes(comparisons, settings, same)
    return marked(comparisons, state), (*([state.note] if state else []), *told, *found.notes)


def print_analysis(data: Path, layout: Format, wanted: Mapping[str, Any], *, as_if_final: bool = False) -> None:
    """Analyze a database or a CSV file and print it. Raises as ``compare_database`` and ``analyze_file`` do.

    ``as_if_final``: show verdicts of an unfinished campaign too, and record that in its database.
    """
    from hpcvirt.core.stats import Correction, Method, Unit
    from hpcvirt.tui.launch import is_database

    given = {name: value for name, value in wanted.items() if value is not None}
    kinds = {"method": Method, "unit": Unit, "correction": Correction}
    given |= {name: kind(given[name]) for name, kind in kinds.items() if name in given}
    if is_database(data):
        from hpcvirt.core.analysis import compare_database
        from hpcvirt.core.interim import LookRequest
        from hpcvirt.core.process import operator
        from hpcvirt.core.stats import Wanted

        if "unit" in given:
            raise UsageWrong(
                f"{data}: what was replicated is in the database's design", hint="--unit is for CSV files: leave it out"
            )
        look = LookRequest(operator(), f"analyze --format {layout}") if as_if_final else None
        found = compare_database(data, Wanted(**given), look)
        comparisons, footer = found.rows, found.footer
    else:
        comparisons, footer = analyze_file(data, Settings(**given), as_if_final=as_if_final)
    if not comparisons and layout is Format.TABLE:
        click.echo("nothing to compare yet: no two kernels have results", err=True)
        return
    rendered = render(comparisons, layout, footer)
    if isinstance(rendered, str):
        click.echo(rendered, nl=not rendered.endswith("\n"))
    else:
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else UNLIMITED).print(rendered)


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
    """Return one table for all benchmarks, and the notes; a narrow terminal gets the columns that decide."""
    from rich.console import Group
    from rich.text import Text

    return Group(_Fitting(in_order(comparisons)), Text(), *(Text(line, style="dim") for line in footer))


def in_order(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Sort by benchmark and metric, both in the order in which they come."""
    metrics = dict.fromkeys((one.benchmark, one.metric) for one in comparisons)
    benchmarks = {name: place for place, name in enumerate(dict.fromkeys(name for name, _ in metrics))}
    places = {key: (benchmarks[key[0]], place) for place, key in enumerate(metrics)}
    return sorted(comparisons, key=lambda one: places[one.benchmark, one.metric])


class _Fitting:
    """All rows, with as many columns as the terminal has room for."""

    def __init__(self, rows: Sequence[Comparison]) -> None:
        from hpcvirt.tui.phrases import short_labels

        self._rows = rows
        self._is_withheld = all(one.interim and one.verdict is None for one in rows)
        self._labels = short_labels(list(dict.fromkeys(one.benchmark for one in rows)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        grid = self._grid(WIDE, is_short=False)
        if self._width(grid, console, options) > options.max_width:
            yield from self._legend()
            narrow = self._narrow()
            for omitted in (None, set(), {"CI"}, {"CI", "p"}):
                columns = WIDE if omitted is None else {name: narrow[name] for name in narrow if name not in omitted}
                grid = self._grid(columns, is_short=True)
                if self._width(grid, console, options) <= options.max_width:
                    break
        yield grid

    @staticmethod
    def _width(grid: Table, console: Console, options: ConsoleOptions) -> int:
        return console.measure(grid, options=options.update(max_width=UNLIMITED)).maximum

    def _legend(self) -> Iterator[Text]:
        """What short names of benchmarks stand for."""
        from rich.text import Text

        yield from (Text(f"{short}: {label}") for label, short in self._labels.items() if short != label)
        baselines = dict.fromkeys(one.baseline for one in self._rows)
        if len(baselines) == 1:
            yield Text(f"against {next(iter(baselines))}")

    def _narrow(self) -> Mapping[str, str]:
        """Without the benchmark where there is only one, and without what all are compared with."""
        omitted = {"benchmark"} if len(self._labels) == 1 else set()
        omitted |= {"against"} if len({one.baseline for one in self._rows}) == 1 else set()
        return {name: heading for name, heading in NARROW.items() if name not in omitted}

    def _grid(self, columns: Mapping[str, str], *, is_short: bool) -> Table:
        """Every cell is a Text: names are data, not markup."""
        from rich.table import Table
        from rich.text import Text

        shown = {name: heading for name, heading in columns.items() if not (self._is_withheld and name in WITHHELD)}
        grid = Table(box=None, pad_edge=False, header_style="bold")
        for name, heading in shown.items():
            grid.add_column(heading, justify="right" if name in RIGHT else "left", no_wrap=True)
        for one, cells in zip(self._rows, table_cells(self._rows), strict=True):
            row = dict(zip(HEADINGS, cells, strict=True))
            row["benchmark"] = self._labels[one.benchmark] if is_short else one.benchmark
            if "flags" not in shown:
                # Whoever wants to know what would decide it makes the terminal wider.
                row["verdict"] = row["verdict"].partition(" (")[0]
            styles = {"verdict": STYLES.get(one.verdict, "dim") if one.primary else "dim"}
            grid.add_row(*(Text(row[name], style=styles.get(name, "")) for name in shown))
        return grid


UNLIMITED = 100_000
"""Columns of an output that is no terminal: nothing is cut or wrapped there."""

RIGHT = frozenset({"n", "mean", "baseline mean", "difference", "CI", "deciding CI", "p", "p adjusted", "p equivalence"})
WITHHELD = frozenset({"CI", "deciding CI", "p", "p adjusted", "p equivalence"})
"""Columns that are empty before the planned end."""

NARROW = {
    "benchmark": "benchmark",
    "metric": "metric",
    "kernel": "kernel",
    "against": "against",
    "difference": "diff",
    "CI": "CI",
    "p": "p",
    "p adjusted": "p adj",
    "verdict": "verdict",
}
"""Columns of ``table_cells``, and what stands over them."""
_ORDER = (*HEADINGS[: HEADINGS.index("CI") + 1], "deciding CI", *HEADINGS[HEADINGS.index("p") : -1])
WIDE = {name: name for name in _ORDER}
