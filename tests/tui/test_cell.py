"""A row of the results, opened."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.stats import Series, compare
from hpcvirt.core.store.cells import read_cell, visits
from hpcvirt.tui.explain import FLAGS, explained
from hpcvirt.tui.screens.cell import ratio_words
from hpcvirt.tui.screens.runs import AttemptRows
from hpcvirt.tui.widgets.results_table import ResultRows
from tests.core.factories import do_run, ended, new_database
from tests.tui.screen_samples import (
    HOSTILE,
    SampleComparison,
    SampleFlag,
    SampleTable,
    finished,
    make_cell,
    make_snapshot,
    watched,
)
from tests.tui.seeing import SIZES, Eye, at_database
from tests.tui.test_hostile import assert_harmless

ROOT = Path(__file__).parents[2]


async def at_rows(eye: Eye, word: str) -> None:
    """Keys that are pressed before the pane has its cursor are nobody's."""
    await eye.until(word)
    await eye.wait(lambda: isinstance(eye.app.focused, ResultRows))


async def open_scale(eye: Eye) -> None:
    await at_rows(eye, "inconclusive")
    await eye.press("down", "enter")
    await eye.until("1 flag; none of them changes a number")


@pytest.mark.parametrize("size", SIZES)
async def test_a_row_is_told_with_its_flags_in_plain_words(size: tuple[int, int]) -> None:
    async with at_database(watched(finished()), size) as eye:
        await open_scale(eye)
        text = await eye.until("▼ slower", "−3.41 %", "outliers: 3 outliers of native-again")
        assert "Values far from the others" in text
        for part in ("row", "spread", "run order", "nodes", "boots", "attempts"):
            assert part in eye.lines[1]
        await eye.press("escape")
        await eye.until("4 comparisons")


async def test_the_ratio_of_means_stands_beside_the_mean_of_ratios() -> None:
    async with at_database(watched(finished())) as eye:
        await at_rows(eye, "inconclusive")
        await eye.press("enter")
        await eye.until("ratio of means 1.0031; geometric mean of ratios 1.0002")


async def test_an_interim_row_tells_no_interval_and_no_spread() -> None:
    async with at_database(watched(make_snapshot())) as eye:
        await eye.press("3")
        await at_rows(eye, "INTERIM: 148")
        await eye.press("enter")
        text = await eye.until("INTERIM  copy", "… not final", "ratio of means")
        assert not [word for word in (" CI", ", p ", "equivalent") if word in text]
        await eye.press("right")
        await eye.until("(interim: 148 of 400", gone=("quartiles",))
        await eye.press("right")
        await eye.until("run order", "(interim: 148 of 400")
        await eye.press("right")
        await eye.until("node2", "6/6", "−10.0")
        fields = eye.line("node2").split()
        assert (fields[3], fields[5]) == ("–", "–")


async def test_enter_twice_opens_a_row_once() -> None:
    async with at_database(watched(finished())) as eye:
        await at_rows(eye, "inconclusive")
        await eye.hammer("down", "enter", "enter")
        await eye.until("1 flag; none of them changes a number")
        assert len(eye.app.screen_stack) == 2


@pytest.mark.parametrize("size", SIZES)
async def test_every_part(size: tuple[int, int]) -> None:
    async with at_database(watched(finished()), size) as eye:
        await open_scale(eye)
        await eye.press("right")
        await eye.until("● native", "○ native-again")
        await eye.press("right")
        await eye.until("runs in the order of time")
        await eye.press("right")
        await eye.until("node2", "6/6", "−10.0")
        assert "0.00" in eye.line("node1")
        assert "12/12" in eye.line("all")
        await eye.press("right")
        text = await eye.until("block", "runs in order")
        assert len([line for line in text.splitlines() if "│" in line and "node" in line]) == 4
        await eye.press("right")
        await eye.until("24, enter opens", "native-again", "✓ ok")
        await eye.press("right")
        await eye.until("1 flag; none")
        await eye.press("left")
        await eye.until("24, enter opens")


async def test_an_attempt_of_the_cell_opens_with_what_it_wrote() -> None:
    cell = make_cell()
    backend = watched(finished(), rows=cell.attempts, cells=cell)
    async with at_database(backend) as eye:
        await open_scale(eye)
        await eye.press("left")
        await eye.until("24, enter opens")
        await eye.hammer("enter", "enter")
        await eye.until("facts", "stdout", "Identity, read before and after")
        await eye.press("right")
        await eye.until("Triad: 1.0")
        await eye.press("escape")
        await eye.until("24, enter opens")


async def test_a_cell_is_copied() -> None:
    async with at_database(watched(finished())) as eye:
        await open_scale(eye)
        await eye.press("y")
        await eye.until("the values, as CSV", "the nodes' means, as Markdown")
        await eye.press("2")
        await eye.wait(lambda: "| node |" in eye.app.clipboard)
        assert eye.app.clipboard.splitlines()[2:] == ["| node1 | 1003.5 | 1003.5 |", "| node2 | 1003.5 | 903.15 |"]


async def test_the_palette_has_the_keys_of_an_opened_row() -> None:
    async with at_database(watched(finished())) as eye:
        await open_scale(eye)
        await eye.wait(lambda: eye.app.screen.query(AttemptRows).first().option_count)
        told = {command.title: command for command in eye.app.get_system_commands(eye.app.screen)}
        assert {"Here: Next part", "Here: Copy", "Here: Close"} <= set(told)
        told["Here: Next part"].callback()
        await eye.until("● native", "○ native-again")


async def test_interim_rows_open_without_their_verdict() -> None:
    async with at_database(watched(make_snapshot())) as eye:
        await eye.press("3")
        await at_rows(eye, "INTERIM")
        await eye.press("down", "enter")
        text = await eye.until("… not final", "1 flag")
        assert "slower" not in text
        assert ", p " not in text


async def test_what_cannot_be_read_is_said() -> None:
    async with at_database(watched(finished(), cells=StoreUnusable("torn [/]"))) as eye:
        await at_rows(eye, "inconclusive")
        await eye.press("enter")
        await eye.until("torn [/]")
        await eye.press("right", "right", "right", "right", "right", "y")
        await eye.press("escape")
        await eye.until("4 comparisons")


@pytest.mark.parametrize("text", HOSTILE)
async def test_nothing_of_a_cell_is_obeyed(text: str) -> None:
    row = SampleComparison(text, text, text, text, text, text, verdict=text, flags=(SampleFlag(text, text),))
    cell = replace(make_cell((text, f"{text}2"), (text, f"{text}3")), benchmark=text, metric=text, unit=text)
    async with at_database(watched(finished(), table=SampleTable([row]), cells=cell), (120, 40)) as eye:
        await at_rows(eye, "1 comparison ")
        await eye.press("enter")
        await eye.until("run order", "esc Close")
        for _ in range(6):
            assert_harmless(eye.app)
            await eye.press("right")
        await eye.press("y", "1")
        await eye.until("Copied")


def test_every_flag_of_the_statistics_is_explained() -> None:
    told = re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "docs" / "statistics.md").read_text(), re.MULTILINE)
    sources = "".join(path.read_text() for path in (ROOT / "core" / "stats").glob("*.py"))
    made = set(re.findall(r'Flag\(\s*"([a-z-]+)"', sources))
    assert made == set(FLAGS)
    assert made <= set(told)
    assert explained("of another version") == ""


# -- what is read


def test_a_cell_is_read_from_a_database(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    database, plan = new_database(path)
    runs = plan.runs
    for run in runs:
        do_run(database, run.id, f"a{run.id}", ended(value=float(run.id)))
    database.close()
    first = runs[0]
    kernels = tuple(dict.fromkeys(run.boot.kernel for run in runs))[:2]
    metric = "triad"
    cell = read_cell(path, first.benchmark.label, metric, kernels)
    mine = [run for run in runs if run.boot.kernel in kernels and run.benchmark.label == first.benchmark.label]
    assert cell.unit == "MB/s"
    assert sorted(value.value for value in cell.values) == sorted(float(run.id) for run in mine)
    assert cell.attempts_total == len(cell.attempts) == len(mine)
    seen = {(node, block) for node, block, _ in visits(cell)}
    assert seen == {(run.boot.node, run.boot.block) for run in mine}


def test_a_cell_without_values_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    database, _ = new_database(path)
    database.close()
    cell = read_cell(path, "no such", "metric", ("a", "b"))
    assert (cell.values, cell.attempts, cell.nodes) == ((), (), ())


def test_only_several_nodes_are_adjusted_for() -> None:
    """On one node of method paper the ratio of means is the ratio."""
    values = {"A": [100.0, 101.0, 103.0], "B": [110.0, 111.0, 115.0]}
    nodes = {1: [0, 0, 0], 2: [0, 1, 0]}
    words = [
        ratio_words(compare([Series.of(k, "b", "t", v, node=node) for k, v in values.items()])[0])
        for node in nodes.values()
    ]
    assert words == ["ratio of means 1.1053", "ratio of means 1.1053; adjusted for nodes 1.1054"]


def test_no_test_and_a_test_of_few_units_are_explained_apart() -> None:
    assert "no test" in explained("too-few")
    assert "A test was made" in explained("few-units")
