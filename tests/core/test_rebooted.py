"""A node that rebooted in the midst of a boot: a flag, and the numbers stay."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from hpcvirt.core.analysis import compare_database
from hpcvirt.core.rebooted import CODE, RebootedWithin, rebooted_flags, rebooted_within
from hpcvirt.core.stats import Comparison
from hpcvirt.tui.commands import app
from tests.core.factories import STREAM, campaign, do_run, ended, new_database


def filled(path: Path, *, odd: tuple[int, ...] = (), warmup: bool = False) -> Path:
    """Every boot has one boot_id; the ``odd`` runs of "other" on node1 in block 2 have another."""
    database, plan = new_database(path, campaign())
    within = [run for run in plan.runs if (run.boot.node, run.boot.kernel, run.boot.block) == ("node1", "other", 2)]
    for run in plan.runs:
        life = 2 if run in within and within.index(run) in odd else 1
        value = 100.0 + run.id % 3 + (run.boot.kernel == "other")
        do_run(database, run.id, f"a{run.id}", ended(boot_id=f"b{run.boot.id}-{life}", value=value))
    if warmup:
        database.connection.execute(
            "UPDATE runs SET is_warmup = 1 WHERE boot = ? AND id <> ?", (within[0].boot.id, within[-1].id)
        )
    database.close()
    return path


def flags(path: Path) -> list[Comparison]:
    return [row for row in compare_database(path).rows if CODE in {flag.code for flag in row.flags}]


def test_one_life_is_no_flag(tmp_path: Path) -> None:
    path = filled(tmp_path / "small.db")
    assert rebooted_within(path) == []
    assert rebooted_flags(rebooted_within(path)) == ()
    assert flags(path) == []


def test_the_cells_concerned_are_flagged_and_nothing_else_changes(tmp_path: Path) -> None:
    path, quiet = filled(tmp_path / "small.db", odd=(1,)), filled(tmp_path / "quiet.db")
    assert rebooted_within(path) == [RebootedWithin("node1", "other", 2, STREAM.label, 2)]
    rows, same = compare_database(path).rows, compare_database(quiet).rows
    assert flags(path) == list(rows)
    for row, other in zip(rows, same, strict=True):
        (flag,) = [flag for flag in row.flags if flag.code == CODE]
        assert (flag.kernel, flag.statistic) == ("other", 1.0)
        assert "in the midst of a boot of other" in flag.text
        assert (row.mean, row.p, row.verdict, row.n) == (other.mean, other.p, other.verdict, other.n)


def test_analyze_and_status_say_it(tmp_path: Path) -> None:
    path = filled(tmp_path / "small.db", odd=(0,))
    assert "rebooted within the boot of block 2" in CliRunner().invoke(app, ["analyze", str(path)]).output
    assert CODE in CliRunner().invoke(app, ["analyze", str(path), "--format", "markdown"]).output
    told = json.loads(CliRunner().invoke(app, ["analyze", str(path), "--format", "json"]).output)
    assert CODE in json.dumps(told)
    page = CliRunner().invoke(app, ["status", str(path)]).output
    assert (
        "rebooted within a boot:\nnode1 under other: rebooted within the boot of block 2; its runs are of several lives"
        in page
    )


def test_lives_of_warm_up_runs_do_not_count(tmp_path: Path) -> None:
    assert rebooted_within(filled(tmp_path / "small.db", odd=(0,), warmup=True)) == []
