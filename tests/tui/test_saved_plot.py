"""A saved plot as renderers draw it: data stand above the labels of their axis, read from pixels."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from hpcvirt.tui.kernel_styles import KernelStyle, kernel_style, style_at
from hpcvirt.tui.plots.drawing import SAVED_SIZE, Look, as_svg, draw
from hpcvirt.tui.plots.model import Kind, Mark, Picture, Track
from hpcvirt.tui.plots.svg import CELL_WIDTH
from tests.tui.screen_samples import PAPER_KERNELS

VALUES = (0.98, 0.99, 1.0, 1.01, 1.02)
KERNEL = style_at(0)
FOREST = Picture(
    Kind.FOREST, "known values", "ratio",
    (Track("k", tuple(Mark(-place, value) for place, value in enumerate(VALUES)), style=KERNEL),),
    tuple((-float(place), "m") for place in range(len(VALUES))), value_range=(0.975, 1.025), is_sideways=True,
)  # fmt: skip
UPRIGHT = Picture(
    Kind.RELATIVE, "known places", "ratio",
    (Track("k", tuple(Mark(place, 1.0) for place in range(5)), style=KERNEL),),
    tuple((float(place), name) for place, name in enumerate(("copy", "add", "scale", "triad", "all"))),
    value_range=(0.9, 1.1),
)  # fmt: skip


def rsvg(svg: Path, png: Path) -> None:
    subprocess.run(["rsvg-convert", "--width", "1344", svg, "-o", png], check=True, timeout=60)


def chromium(svg: Path, png: Path) -> None:
    words = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
        f"--user-data-dir={png.parent / 'profile'}", "--hide-scrollbars", "--force-device-scale-factor=1",
        "--window-size=1344,900", f"--screenshot={png}", svg.as_uri(),
    ]  # fmt: skip
    subprocess.run(words, check=True, timeout=120, capture_output=True)


def renderer(draw_png: Callable[[Path, Path], None], program: str, package: str) -> object:
    missing = shutil.which(program) is None
    marks = [pytest.mark.svg, pytest.mark.skipif(missing, reason=f"needs {program} (apt-get install {package})")]
    return pytest.param(draw_png, marks=marks, id=program)


RENDERERS = [renderer(rsvg, "rsvg-convert", "librsvg2-bin"), renderer(chromium, "chromium", "chromium")]


def pixels(png: Path) -> np.ndarray:
    """Rows x columns x (red, green, blue) of an 8-bit PNG."""
    data, at, packed = png.read_bytes(), 8, b""
    width, height, depth, color = struct.unpack(">IIBB", data[16:26])
    assert depth == 8
    channels = {2: 3, 6: 4}[color]
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        packed += data[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += 12 + size
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * channels)
    above = np.zeros((width, channels), np.int64)
    rows = []
    for line in lines:
        above = _unfiltered(int(line[0]), line[1:].reshape(width, channels).astype(np.int64), above)
        rows.append(above[:, :3])
    return np.array(rows)


def _unfiltered(kind: int, row: np.ndarray, above: np.ndarray) -> np.ndarray:
    if kind == 0:
        return row
    if kind == 1:
        return np.cumsum(row, axis=0) % 256
    if kind == 2:
        return (row + above) % 256
    done, left, corner = row.copy(), np.zeros(row.shape[1], np.int64), np.zeros(row.shape[1], np.int64)
    for x in range(len(row)):
        guess = (left + above[x]) // 2 if kind == 3 else _paeth(left, above[x], corner)
        done[x] = left = (row[x] + guess) % 256
        corner = above[x]
    return done


def _paeth(left: np.ndarray, above: np.ndarray, corner: np.ndarray) -> np.ndarray:
    guess = left + above - corner
    far = [np.abs(guess - one) for one in (left, above, corner)]
    return np.where((far[0] <= far[1]) & (far[0] <= far[2]), left, np.where(far[1] <= far[2], above, corner))


def centres(has_ink: np.ndarray, least_gap: float) -> list[float]:
    """Of the groups of columns with ink."""
    columns = np.flatnonzero(has_ink)
    groups = np.split(columns, np.flatnonzero(np.diff(columns) > least_gap) + 1)
    return [(group[0] + group[-1]) / 2 for group in groups]


def measured(image: np.ndarray, color: str) -> tuple[list[float], list[float]]:
    """Centres of the data marks and of the labels below the plot, from left to right."""
    values, counts = np.unique(image.reshape(-1, 3), axis=0, return_counts=True)
    paper = values[counts.argmax()]
    on_paper = np.argwhere((image == paper).all(axis=2))
    (top, left), (bottom, right) = on_paper.min(axis=0) + 10, on_paper.max(axis=0) - 10
    image = image[top:bottom, left:right]
    wanted = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)])
    is_mark = np.abs(image - wanted).sum(axis=2) < 40
    is_mark[: 4 * CELL_WIDTH] = False  # the legend
    is_ink = np.abs(image - paper).sum(axis=2) > 150
    rows = np.flatnonzero(is_ink.any(axis=1))
    label_rows = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)[-1]
    return centres(is_mark.any(axis=0), CELL_WIDTH), centres(is_ink[label_rows].any(axis=0), 1.5 * CELL_WIDTH)


@pytest.mark.parametrize("render", RENDERERS)
@pytest.mark.parametrize("shown", [FOREST, UPRIGHT], ids=["values", "names"])
def test_data_stand_above_their_labels(shown: Picture, render: Callable[[Path, Path], None], tmp_path: Path) -> None:
    (tmp_path / "plot.svg").write_text(as_svg(shown))
    render(tmp_path / "plot.svg", tmp_path / "plot.png")
    marks, labels = measured(pixels(tmp_path / "plot.png"), KERNEL.color)
    assert len(marks) == len(labels) == 5
    assert all(abs(mark - label) <= CELL_WIDTH for mark, label in zip(marks, labels, strict=True)), (marks, labels)


@pytest.mark.svg
@pytest.mark.skipif(shutil.which("rsvg-convert") is None, reason="needs rsvg-convert (apt-get install librsvg2-bin)")
def test_the_measure_sees_an_axis_that_slid_away(tmp_path: Path) -> None:
    """As Rich writes SVG: leading blanks are lost in librsvg, and so are the places of what follows them."""
    console = Console(record=True, width=SAVED_SIZE[0], file=io.StringIO(), force_terminal=True)
    console.print(draw(FOREST, Look(*SAVED_SIZE)), no_wrap=True, crop=True)
    (tmp_path / "plot.svg").write_text(console.export_svg(title="known values"))
    rsvg(tmp_path / "plot.svg", tmp_path / "plot.png")
    marks, labels = measured(pixels(tmp_path / "plot.png"), KERNEL.color)
    assert max(abs(mark - label) for mark, label in zip(marks, labels, strict=False)) > 2 * CELL_WIDTH


def test_kernels_keep_their_style_whichever_are_shown() -> None:
    styles = [kernel_style(kernel, PAPER_KERNELS) for kernel in PAPER_KERNELS]
    assert [style.sign for style in styles] == ["●", "○", "◆", "◇"]
    assert len({style_at(place) for place in range(64)}) == 64
    hidden: list[KernelStyle] = [kernel_style(kernel, PAPER_KERNELS) for kernel in PAPER_KERNELS[2:]]
    assert hidden == styles[2:]
