"""The values of one cell as text for others' tools."""

from __future__ import annotations

import csv
import io
from statistics import fmean

from hpcvirt.core.store.cells import CellDetail
from hpcvirt.core.text import clean_line


def cell_csv(cell: CellDetail) -> str:
    """A line for each value, in the order of time."""
    from hpcvirt.core.export import plain_cells

    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["benchmark", "metric", "unit", "kernel", "node", "block", "run", "started_at", "value"])
    for one in cell.values:
        told = [cell.benchmark, cell.metric, cell.unit, one.kernel, one.node, one.block, one.run, one.at, one.value]
        writer.writerow(plain_cells([clean_line(each) if isinstance(each, str) else each for each in told]))
    return lines.getvalue()


def cell_markdown(cell: CellDetail) -> str:
    """A line for each node with its means."""
    heads = ["node", *(f"{kernel} ({cell.unit})" for kernel in cell.kernels)]
    lines = [_line(heads), "|" + "---|" * len(heads)]
    for node in cell.nodes:
        means = []
        for kernel in cell.kernels:
            values = [one.value for one in cell.of(kernel) if one.node == node]
            means.append(f"{fmean(values):.5g}" if values else "–")
        lines.append(_line([node, *means]))
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(clean_line(cell).replace("|", "\\|") for cell in cells) + " |"
