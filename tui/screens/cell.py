"""One row of the results, opened: its numbers and flags, spread, run order, nodes, boots and attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Footer, OptionList

from hpcvirt.core.store.cells import CellDetail, visits
from hpcvirt.tui.copying import cell_csv, cell_markdown
from hpcvirt.tui.explain import explained
from hpcvirt.tui.kernel_styles import KernelStyle
from hpcvirt.tui.messages import CopyAsked
from hpcvirt.tui.phrases import count, number, safe, signed
from hpcvirt.tui.plots.model import Kind
from hpcvirt.tui.plots.pictures import picture
from hpcvirt.tui.screens.attempt import AttemptHead, AttemptScreen, AttemptText
from hpcvirt.tui.screens.copy import CopyDialog, Offer
from hpcvirt.tui.screens.plots import Canvas
from hpcvirt.tui.screens.runs import AttemptRows
from hpcvirt.tui.signs import BAD, CARE, MUTED
from hpcvirt.tui.widgets.lines import EMPTY, Item
from hpcvirt.tui.widgets.over import Over
from hpcvirt.tui.widgets.results_table import Row, pair, row_in_words
from hpcvirt.tui.widgets.vitals import spark

if TYPE_CHECKING:
    from hpcvirt.core.charts import Charts
    from hpcvirt.core.stats import Comparison
    from hpcvirt.tui.app import HpcvirtApp

SECTIONS = ("row", "spread", "run order", "nodes", "boots", "attempts")
PLOTS = {"spread": Kind.DISTRIBUTION, "run order": Kind.ORDER}
MOST_SPARK = 24


def _key(keys: str, action: str, label: str, name: str, tooltip: str, shown: str) -> Binding:
    return Binding(keys, action, label, id=f"cell.{name}", tooltip=tooltip, key_display=shown)


class CellScreen(Over[None]):
    """Over the panes until it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _key("right,tab", "section(1)", "Next part", "next", "Row, spread, run order, nodes, boots, attempts", "→"),
        _key("left,shift+tab", "section(-1)", "Part before", "last", "The part before", "←"),
        _key("y", "copy(False)", "Copy", "copy", "The values into the clipboard, as CSV or Markdown", "y"),
        _key("w", "copy(True)", "Write", "write", "The values into a file beside the database", "w"),
        _key("escape,q", "close", "Close", "close", "Back to the table", "esc"),
    ]

    app: HpcvirtApp

    def __init__(self, database: Path, row: Row, kernels: tuple[str, ...], interim: str = "") -> None:
        """``kernels``: all of the campaign. ``interim``: how many of the planned runs are in; empty when finished."""
        super().__init__()
        self._database = database
        self._row = row
        self._kernels = kernels
        self._interim = interim
        self._cell: CellDetail | None = None
        self._charts: Charts | None = None
        self._section = 0

    def compose(self) -> ComposeResult:
        """Head, one part at a time, keys."""
        yield AttemptHead()
        with VerticalScroll(id="attempt-scroll"):
            yield AttemptText()
        yield Canvas()
        yield AttemptRows()
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Show the row at once, and read the rest."""
        self._show_section()
        self._read()

    @work(thread=True, exit_on_error=False, group="cell")
    def _read(self) -> None:
        try:
            found = self.app.backend.cell(self._database, self._row.what)
        except Exception as error:  # noqa: BLE001 - a damaged file may raise anything: it is said here
            self._call(partial(self._failed, f"✗ {type(error).__name__}: {error}"))
        else:
            self._call(partial(self._cell_read, *found))

    def _call(self, what: Callable[[], None]) -> None:
        if self.is_running:
            self.call_later(what)

    def _failed(self, words: str) -> None:
        self.query_one(AttemptText).show([Content.styled(safe(words), BAD)])

    def _cell_read(self, cell: CellDetail, charts: Charts) -> None:
        self._cell = cell
        self._charts = replace(charts, kernels=self._kernels, interim=self._interim, is_withheld=self._row.is_veiled)
        self.query_one(AttemptRows).show(cell.attempts, self.size.width)
        self._show_section()

    # -- drawing

    def _show_section(self) -> None:
        section = SECTIONS[self._section]
        self._show_head()
        is_plot, is_list = section in PLOTS, section == "attempts"
        self.query_one(Canvas).display = is_plot
        self.query_one(AttemptRows).display = is_list
        scroll = self.query_one("#attempt-scroll", VerticalScroll)
        scroll.display = not (is_plot or is_list)
        if is_plot:
            self._plot(PLOTS[section])
            self.set_focus(None)
        elif is_list:
            self.query_one(AttemptRows).focus()
        else:
            self.query_one(AttemptText).show(list(self._told(section)))
            scroll.scroll_home(animate=False)
            scroll.focus()
        self.refresh_bindings()

    def _plot(self, kind: Kind) -> None:
        if self._charts is None or self._cell is None or not self._cell.values:
            self.query_one(Canvas).show(None, "Reading …" if self._cell is None else "No value yet.")
            return
        member = (self._cell.benchmark, self._cell.metric)
        self.query_one(Canvas).show(picture(kind, self._charts, [member], self._cell.kernels))

    def _told(self, section: str) -> Iterator[Content | Item]:
        if section == "row":
            yield from told_row(self._row)
        elif self._cell is None:
            yield Content.styled("Reading …", MUTED)
        else:
            is_nodes, is_veiled = section == "nodes", self._row.is_veiled
            styles = self._row.style_baseline, self._row.style
            yield from (
                told_nodes(self._cell, styles, is_veiled=is_veiled) if is_nodes else told_boots(self._cell, styles)
            )

    def _show_head(self) -> None:
        what = self._row.what
        title = Content.assemble(
            ("INTERIM  " if self._row.is_interim else "", f"bold {CARE}"),
            (safe(what.metric, 40), "bold"), (f" {safe(what.unit, 20)}  ", MUTED),
            *pair(self._row, 40), (f"  {safe(what.benchmark, 80)}", MUTED),
        )  # fmt: skip
        parts = [
            Content.styled(f" {name} ", "$primary reverse bold" if place == self._section else MUTED)
            for place, name in enumerate(SECTIONS)
        ]
        self.query_one(AttemptHead).show(title, Content("").join(parts), Content.styled(self._right(), MUTED))

    def _right(self) -> str:
        if self._cell is None or SECTIONS[self._section] != "attempts":
            return ""
        shown, total = len(self._cell.attempts), self._cell.attempts_total
        return f"{shown} of {total}, the rest in 6 Runs" if shown < total else f"{total}, enter opens"

    # -- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing can be copied before it was read."""
        del parameters
        return action != "copy" or bool(self._cell and self._cell.values)

    def action_section(self, step: int) -> None:
        """Another part."""
        self._section = (self._section + step) % len(SECTIONS)
        self._show_section()

    def action_copy(self, is_file: bool) -> None:
        """Ask in which form."""
        cell = self._cell
        if cell is None:
            return
        name = f"{cell.benchmark.split()[0]}-{cell.metric}-{cell.kernels[1]}"
        offers = [
            Offer("the values, as CSV", "csv", name, lambda: cell_csv(cell)),
            Offer("the nodes' means, as Markdown", "md", name, lambda: cell_markdown(cell)),
        ]

        def answered(offer: Offer | None) -> None:
            if offer is not None:
                self.app.post_message(CopyAsked(offer.text, offer.name, offer.ending, is_file))

        self.app.push_screen(CopyDialog(offers, is_file=is_file), answered)

    @on(OptionList.OptionSelected, "#runs-rows")
    def _opened(self) -> None:
        row = self.query_one(AttemptRows).row
        if row is not None and self.is_active:
            self.app.push_screen(AttemptScreen(self._database, row.id))

    def action_close(self) -> None:
        """Back."""
        self.dismiss()


def told_row(row: Row) -> Iterator[Item]:
    """The comparison in words, then each flag with what it means."""
    for line in row_in_words(row, with_flags=False):
        yield Item(EMPTY, line)
    if (ratios := ratio_words(row.what)) is not None:
        yield Item(EMPTY, Content.styled(ratios, MUTED))
    yield Item(EMPTY, EMPTY)
    if not row.what.flags:
        yield Item(EMPTY, Content.styled("No flag: the diagnostics found nothing remarkable.", MUTED))
        return
    heading = f"{count(len(row.what.flags), 'flag')}; none of them changes a number"
    yield Item(EMPTY, Content.styled(heading, "bold $secondary"))
    for flag in row.what.flags:
        told = Content.assemble((f"{safe(flag.code, 30)}: ", "bold"), safe(flag.text))
        yield Item(Content.styled("! ", f"bold {CARE}"), told)
        if words := explained(flag.code):
            yield Item(Content("  "), Content.styled(words, MUTED))


def ratio_words(what: Comparison) -> str | None:
    """The ratio of the means beside the geometric mean of ratios, which Hoefler and Belli's rule 4 asks for."""
    if what.ratio_of_means is None or what.difference_pct is None:
        return None
    ratio = f"{1 + what.difference_pct / 100:.4f}"
    if what.method == "paper" and what.nodes == 1:
        return f"ratio of means {what.ratio_of_means:.4f}"
    if what.method == "paper":
        return f"ratio of means {what.ratio_of_means:.4f}; adjusted for nodes {ratio}"
    return f"ratio of means {what.ratio_of_means:.4f}; geometric mean of ratios {ratio}"


def told_nodes(cell: CellDetail, styles: Sequence[KernelStyle], *, is_veiled: bool = False) -> Iterator[Content]:
    """A line for each node: how many, means, spread and difference; ``is_veiled``: no spread, which would give p."""
    base, other = cell.kernels
    one, two = (_heading(*told, 12) for told in zip(cell.kernels, styles, strict=True))
    heading = (f"{'node':12} {'n':>9} ", one, f" {'sd':>9} ", two, f" {'sd':>9} {'diff%':>7}")
    yield Content.assemble(*heading).stylize_before(f"bold {MUTED}")
    for node in cell.nodes:
        here = [value for value in cell.values if value.node == node]
        both = [[v.value for v in here if v.kernel == kernel] for kernel in (base, other)]
        yield _compared(node, *both, is_veiled=is_veiled)
    everywhere = [[value.value for value in cell.of(kernel)] for kernel in (base, other)]
    if len(cell.nodes) > 1:
        yield Content.styled(_compared("all", *everywhere, is_veiled=is_veiled).plain, "bold")
    yield EMPTY
    yield Content.styled("Arithmetic means of runs, for the eye; the verdict is that of the table's method.", MUTED)


def _compared(name: str, one: Sequence[float], other: Sequence[float], *, is_veiled: bool) -> Content:
    means = [fmean(values) if values else None for values in (one, other)]
    spreads = [stdev(values) if len(values) > 1 and not is_veiled else None for values in (one, other)]
    change = 100 * (means[1] / means[0] - 1) if means[0] and means[1] is not None else None
    return Content(
        f"{safe(name, 12):12} {f'{len(one)}/{len(other)}':>9} {number(means[0]):>12} {number(spreads[0]):>9} "
        f"{number(means[1]):>12} {number(spreads[1]):>9} {signed(change):>7}"
    )


def _heading(kernel: str, style: KernelStyle, width: int) -> Content:
    """Of a column, at its right end."""
    name = safe(kernel, width - 2)
    return Content.assemble(" " * (width - 2 - len(name)), (f"{style.sign} ", style.variable), name)


def told_boots(cell: CellDetail, styles: Sequence[KernelStyle]) -> Iterator[Content]:
    """A line for each visit of a block to a node: the boots' means, their difference, and the runs in order."""
    base, other = cell.kernels
    low, high = min((v.value for v in cell.values), default=0.0), max((v.value for v in cell.values), default=0.0)
    one, two = (_heading(*told, 14) for told in zip(cell.kernels, styles, strict=True))
    heading = (f"{'node':12} {'block':>5} ", one, " ", two, f" {'diff%':>7}  runs in order")
    yield Content.assemble(*heading).stylize_before(f"bold {MUTED}")
    for node, block, found in visits(cell):
        means = [fmean(found[kernel]) if kernel in found else None for kernel in (base, other)]
        change = 100 * (means[1] / means[0] - 1) if means[0] and means[1] is not None else None
        runs = [_runs(found.get(kernel, ()), low, high) for kernel in (base, other)]
        yield Content.assemble(
            f"{safe(node, 12):12} {block:>5} {number(means[0]):>14} {number(means[1]):>14} {signed(change):>7}  ",
            (runs[0], styles[0].variable), " │ ", (runs[1], styles[1].variable),
        )  # fmt: skip
    yield EMPTY
    yield Content.styled("Each line is one block on one node; bars from the lowest to the highest value of all.", MUTED)


def _runs(values: Sequence[float], low: float, high: float) -> str:
    shown = list(values)[:MOST_SPARK]
    return spark([value - low for value in shown], len(shown), (high - low) or 1.0)
