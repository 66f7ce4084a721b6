"""What is kept of a campaign's database, and what of it is analysed: warm-up runs, metrics, claims, phases."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from hpcvirt.core.analysis import compare_database, database_series, settings_of
from hpcvirt.core.model import Analysis, Claim, Expected, Published
from hpcvirt.core.stats import Method, Unit
from hpcvirt.core.store.queries import read_campaign_record, read_measurements, read_snapshot, read_totals, read_values
from tests.core.factories import STREAM, campaign, cluster_wide, do_run, ended, new_database

WARM = campaign(nodes=("node1",), kernels=("a", "b"), runs=4, blocks=2)
WARM = replace(WARM, design=replace(WARM.design, warmup=1))
LONGER = replace(STREAM, parameters={"array_size": 2000, "ntimes": 2, "threads": 1})


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_warm_up_runs_are_kept_and_marked_and_not_analysed(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    database, plan = new_database(path, WARM)
    for run in plan.runs:
        do_run(database, run.id, f"a{run.id}", ended(value=1000.0 if run.is_warmup else 1.0 + run.number / 100))
    database.close()
    assert read_totals(path) == (2 * (4 + 2), 2 * (4 + 2), 0)
    measured = read_measurements(path)
    assert len(measured) == 2 * 4 * 4
    assert max(row.value for row in measured) < 2
    assert max(value for column in read_values(path).columns.values() for value in column.value) < 2
    assert rows(path, "SELECT count(*), min(value) FROM warmup_results") == [(2 * 2 * 4, 1000.0)]
    assert rows(path, "SELECT count(*) FROM attempt_list WHERE is_warmup") == [(4,)]
    snapshot = read_snapshot(path)
    assert {(cell.planned, cell.ok) for cell in snapshot.cells} == {(4, 4)}
    assert all(one.runs == 4 for one in compare_database(path).rows)


def test_only_the_metrics_that_are_wanted_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    told = campaign(nodes=("node1",), benchmarks=(replace(STREAM, metrics=("triad", "copy")),), runs=1, blocks=1)
    database, plan = new_database(path, told)
    for run in plan.runs:
        do_run(database, run.id, f"a{run.id}", ended())
    database.close()
    assert rows(path, "SELECT DISTINCT metric FROM measurements ORDER BY 1") == [("copy",), ("triad",)]
    assert rows(path, "SELECT name FROM metrics ORDER BY position") == [("copy",), ("triad",)]


def test_the_version_of_every_plugin_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    database, _ = new_database(path)
    database.close()
    assert rows(path, "SELECT package FROM benchmarks") == [(f"hpcvirt-tui {version('hpcvirt-tui')}",)]


def test_claims_are_frozen(tmp_path: Path) -> None:
    claim = Claim(
        number=3,
        title="slower",
        benchmark=STREAM.label,
        metric="triad",
        kernel="other",
        versus="native",
        expect=Expected.SMALLER,
        between=(-5.0, 0.0),
        source="5.1",
        published=Published(237.0, 12.0, 50),
        reference="native",
    )
    path = tmp_path / "small.db"
    database, _ = new_database(path, replace(campaign(), claims=(claim,)))
    database.close()
    said = ("smaller-difference", -5.0, 0.0, "5.1", 237.0, 12.0, 50, "native")
    assert rows(path, "SELECT * FROM claims") == [(1, 3, "slower", 1, "triad", "other", "native", *said)]


@pytest.mark.parametrize("expect", list(Expected))
def test_whatever_is_expected_is_filed(expect: Expected, tmp_path: Path) -> None:
    claim = Claim(1, "", STREAM.label, "triad", "other", "native", expect)
    database, _ = new_database(tmp_path / "small.db", replace(campaign(), claims=(claim,)))
    database.close()
    assert rows(tmp_path / "small.db", "SELECT expect, reference FROM claims") == [(expect.value, None)]


def test_each_phase_is_compared_by_its_own_unit(tmp_path: Path) -> None:
    wide = cluster_wide(STREAM)
    told = campaign(benchmarks=(wide, LONGER), runs=4, blocks=4)
    told = replace(told, design=replace(told.design, phases=((wide.label,), (LONGER.label,))))
    path = tmp_path / "small.db"
    database, plan = new_database(path, told)
    for run in plan.runs:
        do_run(database, run.id, f"a{run.id}", ended(value=10.0 + run.id % 7 / 10))
    database.close()
    found = {one.benchmark: (one.replication_unit, one.n) for one in compare_database(path).rows}
    assert found == {wide.label: (Unit.BLOCK, 4), LONGER.label: (Unit.NODE_BLOCK, 8)}
    assert {row.node for row in read_measurements(path) if "1000" in row.parameters} == {"*"}


def test_method_and_correction_are_those_of_the_campaign(tmp_path: Path) -> None:
    told = replace(campaign(), analysis=Analysis("native", method="paper", correction="none"))
    path = tmp_path / "small.db"
    database, plan = new_database(path, told)
    for run in plan.runs:
        do_run(database, run.id, f"a{run.id}", ended(value=10.0 + run.id % 7 / 10))
    database.close()
    found = compare_database(path)
    assert {(one.method, str(one.correction)) for one in found.rows} == {(Method.PAPER, "none")}
    assert not any("not as the campaign was frozen" in line for line in found.footer)


def test_exact_metrics_and_added_blocks_reach_the_statistics(tmp_path: Path) -> None:
    """Also of a database of version 3, which knows no exact metrics."""
    path = tmp_path / "small.db"
    database, _ = new_database(path, WARM)
    database.close()
    change = (
        "UPDATE metrics SET is_exact = name = 'copy'",
        "INSERT INTO amendments VALUES (1, 'now', 'me', 3, 6, 'x')",
    )
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in change:
            connection.execute(statement)
    campaign_record, benchmarks = read_campaign_record(path)
    assert settings_of(campaign_record, benchmarks).planned_blocks == 2 + 3
    assert {one.metric for one in database_series(path) if one.exact} == {"copy"}
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP VIEW results; DROP VIEW warmup_results")
        connection.executescript("ALTER TABLE metrics DROP COLUMN is_exact; PRAGMA user_version = 3;")
    assert not any(one.exact for one in database_series(path))
