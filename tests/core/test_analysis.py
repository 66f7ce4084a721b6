"""From a database to comparisons: visits that every kernel lost, contrasts that an operator adds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpcvirt.core.analysis import compare_database
from hpcvirt.core.model import Status
from hpcvirt.core.stats import Wanted
from hpcvirt.tui.commands import app
from tests.core.factories import campaign, do_run, ended, new_database

Place = tuple[str, str, int]
"""(node, kernel, block)."""


def filled(
    path: Path, is_lost: Callable[[Place], bool] = lambda _: False, kernels: tuple[str, ...] = ("a", "b")
) -> Path:
    """Four blocks on two nodes; runs of lost visits fail and are given up."""
    database, plan = new_database(path, campaign(kernels=kernels, runs=8, blocks=4))
    for run in plan.runs:
        if is_lost((run.boot.node, run.boot.kernel, run.boot.block)):
            do_run(database, run.id, f"a{run.id}", ended(Status.FAILED))
            database.give_up(run.id, "retries used up")
        else:
            do_run(database, run.id, f"a{run.id}", ended(value=100.0 + run.id % 7))
    database.close()
    return path


@pytest.mark.parametrize(
    ("is_lost", "missing"),
    [
        (lambda _: False, set()),
        (lambda place: place == ("node1", "b", 2), {1.0}),
        (lambda place: place[0] == "node1" and place[2] == 2, {1.0}),
        (lambda place: place[2] == 4, {2.0}),
    ],
    ids=["none", "of one kernel", "of all kernels on a node", "of all kernels on all nodes"],
)
def test_lost_visits_are_missing_whoever_lost_them(
    tmp_path: Path, is_lost: Callable[[Place], bool], missing: set[float]
) -> None:
    rows = compare_database(filled(tmp_path / "a.db", is_lost)).rows
    assert rows
    assert {flag.statistic for row in rows for flag in row.flags if flag.code == "missing-cells"} == missing


def test_a_contrast_that_was_not_planned_is_compared_and_said_to_be_new(tmp_path: Path) -> None:
    path = filled(tmp_path / "a.db", kernels=("a", "b", "c"))
    found = compare_database(path, Wanted(contrasts=(("c", "b"), ("a", "c"))))
    assert {(row.kernel, row.baseline) for row in found.rows} == {("b", "a"), ("c", "a"), ("c", "b")}
    assert "not as the campaign was frozen: contrast c against b (not planned)" in found.footer


def test_contrasts_on_the_command_line_count_once(tmp_path: Path) -> None:
    path = filled(tmp_path / "a.db", kernels=("a", "b", "c"))
    words = ["analyze", str(path), "--format", "json", "--contrast", "b", "c", "--contrast", "c", "b"]
    rows = json.loads(CliRunner().invoke(app, words).output)
    assert {(row["kernel"], row["baseline"]) for row in rows} == {("b", "a"), ("c", "a"), ("b", "c")}
    assert {row["family"] for row in rows} == {3 * len({row["metric"] for row in rows if row["primary"]})}
    plain = json.loads(CliRunner().invoke(app, words[:4]).output)
    assert len(rows) == len(plain) // 2 * 3


@pytest.mark.parametrize("done", range(1, 33))
def test_visits_to_come_are_not_missing(tmp_path: Path, done: int) -> None:
    """However far an unfinished campaign is, nothing was lost."""
    database, plan = new_database(tmp_path / "a.db", campaign(kernels=("a", "b"), runs=2, blocks=4))
    for run in plan.runs[:done]:
        do_run(database, run.id, f"a{run.id}", ended(value=100.0 + run.id % 7))
    database.close()
    rows = compare_database(tmp_path / "a.db").rows
    assert not {flag.code for row in rows for flag in row.flags} & {"missing-cells"}


def test_a_lost_visit_of_an_unfinished_campaign_is_missing_once_it_is_over_under_both(tmp_path: Path) -> None:
    database, plan = new_database(tmp_path / "a.db", campaign(kernels=("a", "b"), runs=2, blocks=4))
    for run in plan.runs:
        if run.boot.block > 2:
            continue
        if (run.boot.node, run.boot.kernel, run.boot.block) == ("node1", "b", 2):
            do_run(database, run.id, f"a{run.id}", ended(Status.FAILED))
            database.give_up(run.id, "retries used up")
        else:
            do_run(database, run.id, f"a{run.id}", ended(value=100.0 + run.id % 7))
    database.close()
    rows = compare_database(tmp_path / "a.db").rows
    assert [flag.statistic for row in rows for flag in row.flags if flag.code == "missing-cells"] == [1.0] * len(rows)
