"""Plots as files: SVG for a page, text for a mail, CSV for another program. The same numbers in all."""

from __future__ import annotations

import csv
from pathlib import Path

from hpcvirt.core.export import plain_cells, whole_file
from hpcvirt.tui.plots.drawing import as_svg, as_text
from hpcvirt.tui.plots.model import COLUMNS, Picture


def save(picture: Picture, stem: Path) -> tuple[Path, ...]:
    """``stem`` and the ends .svg, .txt and .csv. Raises StoreUnusable."""
    drawn = {".svg": as_svg(picture), ".txt": as_text(picture)}
    for end, text in drawn.items():
        with whole_file(_named(stem, end)) as file:
            file.write(text)
    with whole_file(_named(stem, ".csv")) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(plain_cells(row) for row in picture.rows())
    return tuple(_named(stem, end) for end in (*drawn, ".csv"))


def _named(stem: Path, end: str) -> Path:
    return stem.with_name(stem.name + end)
