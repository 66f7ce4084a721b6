"""Kernel x benchmark: how far each pair is, and what it lost."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from hpcvirt.core.store.records import Cell
from hpcvirt.tui.kernel_styles import KernelStyle, kernel_style
from hpcvirt.tui.phrases import cut_middle, safe, short_labels
from hpcvirt.tui.signs import BAD, CARE, GOOD, LIVELY, MUTED
from hpcvirt.tui.widgets.lines import Lines, bar, fitted


class ProgressGrid(Lines):
    """A row per benchmark, a column per kernel."""

    def __init__(self) -> None:
        super().__init__(id="grid")
        self._cells: tuple[Cell, ...] = ()
        self._baseline = ""
        self._kernels: tuple[str, ...] = ()

    def show(self, cells: tuple[Cell, ...], baseline: str, kernels: tuple[str, ...]) -> None:
        """Draw these cells of a campaign with these kernels."""
        self._cells, self._baseline, self._kernels = cells, baseline, kernels
        self.renew()

    def build(self, width: int) -> Sequence[Content]:
        """Heading and rows."""
        return grid(self._cells, self._baseline, self._kernels, width) if self._cells else []


def grid(cells: Sequence[Cell], baseline: str, every_kernel: Sequence[str], width: int) -> list[Content]:
    """The lines of the grid. ``every_kernel``: of the campaign."""
    kernels = list(dict.fromkeys(cell.kernel for cell in cells))
    by_benchmark: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        by_benchmark.setdefault(cell.benchmark, {})[cell.kernel] = cell
    labels = short_labels(list(by_benchmark))
    first = min(max(9, *(len(label) for label in labels.values())) + 2, max(11, width // 4))
    column = max(10, min(60, (width - first - 1) // max(1, len(kernels))))
    heading = [
        _kernel_heading(kernel, kernel_style(kernel, every_kernel), column, kernel == baseline) for kernel in kernels
    ]
    lines = [fitted(Content.assemble((" benchmark".ljust(first + 1), MUTED), *heading), width)]
    for benchmark, row in by_benchmark.items():
        parts = [_cell(row[kernel], column) if kernel in row else fitted(Content("–"), column) for kernel in kernels]
        name = fitted(Content(f" {safe(labels[benchmark])}"), first)
        lines.append(fitted(Content.assemble(name, " ", *parts), width))
    return lines


def _kernel_heading(kernel: str, style: KernelStyle, width: int, is_baseline: bool) -> Content:
    room = width - len(kernel) - 4
    suffix = "" if not is_baseline else " (baseline)" if room >= 11 else " (base)" if room >= 7 else " *"
    name = cut_middle(safe(kernel), width - 4 - len(suffix))
    return fitted(Content.assemble((f"{style.sign} ", style.variable), (name, "bold"), (suffix, MUTED)), width)


def _cell(cell: Cell, width: int) -> Content:
    """Numbers first, the bar in what is left."""
    done = cell.ok + cell.given_up >= cell.planned
    numbers = Content.assemble(
        (f"{cell.ok}/{cell.planned}", "bold" if done else ""),
        (" ✓" if done and not cell.given_up else "", GOOD),
        (f" ✗{cell.given_up}" if cell.given_up else "", BAD),
        (f" !{cell.spoilt}" if cell.spoilt else "", CARE),
    )
    digits = max(numbers.cell_length, 2 * len(str(cell.planned)) + 3)
    if width - digits < 7:
        return Content.assemble(fitted(numbers, width - 1), " ")
    line = bar(width - digits - 3, cell.ok / max(1, cell.planned), GOOD if done else LIVELY)
    return fitted(Content.assemble(fitted(numbers, digits), " ", line), width)
