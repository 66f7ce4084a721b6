"""CSV that reads back the same, harms no spreadsheet, and appears whole."""

from __future__ import annotations

import csv
import io
import os
import sqlite3
from contextlib import closing
from dataclasses import astuple, replace
from pathlib import Path
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.export import (
    COLUMNS,
    harmless,
    joined,
    plain_cells,
    print_measurements,
    print_samples,
    write_measurements,
    write_measurements_csv,
    write_telemetry_csv,
)
from hpcvirt.core.model import Better, Status
from hpcvirt.core.store import schema
from hpcvirt.core.store.queries import read_totals, write_wish
from hpcvirt.core.store.records import Measurement
from hpcvirt.core.store.samples import Sample, at_ms
from tests.core.factories import campaign, do_run, ended, new_database


def row(value: float = 1.5, duration_s: float | None = 0.5, text: str = "native") -> Measurement:
    return Measurement(
        campaign="small",
        block=1,
        kernel=text,
        node="node1",
        boot_id=None,
        benchmark="stream",
        parameters='{"a":"b, c"}',
        run=1,
        attempt=2,
        status="ok",
        started_at="2026-01-01T00:00:00.000Z",
        duration_s=duration_s,
        metric="copy",
        value=value,
        unit="MB/s",
        better=Better.HIGHER,
    )


def written(*rows: Measurement) -> list[dict[str, str]]:
    lines = [joined(COLUMNS), *(joined(astuple(row)) for row in rows)]
    return list(csv.DictReader(io.StringIO("".join(f"{line}\n" for line in lines), newline="")))


def test_the_columns() -> None:
    assert (
        *("campaign", "block", "kernel", "node", "boot_id", "benchmark", "parameters", "run", "attempt", "status"),
        *("started_at", "duration_s", "metric", "value", "unit", "better", "primary", "exact", "interim"),
    ) == COLUMNS
    (found,) = written(row())
    assert tuple(found) == COLUMNS
    assert (found["better"], found["boot_id"], found["parameters"]) == ("higher", "", '{"a":"b, c"}')


@given(st.floats(), st.one_of(st.none(), st.floats()))
def test_any_float_reads_back_the_same(value: float, duration_s: float | None) -> None:
    (found,) = written(row(value, duration_s))
    assert repr(float(found["value"])) == repr(value)
    assert (repr(float(found["duration_s"])) if found["duration_s"] else None) == (
        None if duration_s is None else repr(duration_s)
    )


@given(st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"])))
def test_any_text_is_one_cell_and_no_formula(text: str) -> None:
    (found,) = written(row(text=text))
    assert found["kernel"] in {text, f"'{text}"}
    assert not found["kernel"].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert found["value"] == "1.5"


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_formula_is_made_harmless(text: str) -> None:
    assert harmless(text) == f"'{text}"


def test_other_text_is_left_alone() -> None:
    assert [harmless(text) for text in ("", "native", "a=b", "'x")] == ["", "native", "a=b", "'x"]


def test_a_negative_number_stays_a_number() -> None:
    assert written(row(-1.5))[0]["value"] == "-1.5"


def database_in(folder: Path) -> Path:
    database, _ = new_database(folder / "small.db")
    do_run(database, 1, "a", ended(value=0.1 + 0.2))
    do_run(database, 2, "b", ended(Status.FAILED))
    database.close()
    return folder / "small.db"


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    database = database_in(tmp_path)
    target = tmp_path / "a b.csv"
    target.write_text("old")
    assert write_measurements_csv(database, target) == 4
    table = list(csv.DictReader(target.open(newline="")))
    assert [(line["metric"], float(line["value"])) for line in table] == [
        (metric, 0.1 + 0.2) for metric in ("copy", "scale", "add", "triad")
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a b.csv", "small.db"]


def as_the_view_has_it(database: Path) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    with closing(sqlite3.connect(database)) as connection:
        writer.writerows(map(plain_cells, connection.execute("SELECT * FROM results")))
    return file.getvalue()


def test_the_file_is_the_view(tmp_path: Path) -> None:
    """With names that CSV must quote, warm-up runs, attempts that failed, times out of the plan's order."""
    told = campaign(kernels=('=a "b", c', "two\nlines"), nodes=("node,1", "-n"), name="@small")
    told = replace(told, design=replace(told.design, warmup=1))
    database, plan = new_database(tmp_path / "small.db", told)
    for run in reversed(plan.runs):
        end = ended(Status.FAILED) if run.id % 5 == 0 else ended(value=run.id / 3, boot_id=f'+b"{run.boot.id}')
        do_run(database, run.id, f"a{run.id}", replace(end, duration_s=None) if run.id % 3 == 0 else end)
    do_run(database, 5, "again", ended(value=1e-300))
    database.close()
    assert any(run.is_warmup for run in plan.runs)
    count = write_measurements_csv(tmp_path / "small.db", tmp_path / "a.csv")
    expected = as_the_view_has_it(tmp_path / "small.db")
    with (tmp_path / "a.csv").open(newline="") as file:
        assert file.read() == expected
    assert count == len(list(csv.reader(io.StringIO(expected, newline="")))) - 1 > 20


def test_the_file_says_of_each_metric_what_it_counts_for(tmp_path: Path) -> None:
    """Also of a database of version 3, which knows no exact metrics."""
    path = database_in(tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE metrics SET is_primary = name = 'copy', is_exact = name = 'add'")
    facts = {"copy": ("1", "0"), "scale": ("0", "0"), "add": ("0", "1"), "triad": ("0", "0")}
    assert facts_of(path, tmp_path / "a.csv") == facts
    assert (tmp_path / "a.csv").read_text() == as_the_view_has_it(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for view in schema.VIEWS:
            connection.execute(f"DROP VIEW {view}")
        connection.execute("ALTER TABLE metrics DROP COLUMN is_exact")
        connection.execute("PRAGMA user_version = 3")
    assert facts_of(path, tmp_path / "a.csv") == {name: (primary, "0") for name, (primary, _) in facts.items()}


def facts_of(database: Path, target: Path) -> dict[str, tuple[str, str]]:
    write_measurements_csv(database, target)
    with target.open(newline="") as file:
        return {line["metric"]: (line["primary"], line["exact"]) for line in csv.DictReader(file)}


@pytest.mark.parametrize(("is_given_up", "is_requeued"), [(False, False), (True, False), (True, True)])
def test_the_file_says_whether_the_campaign_was_finished(tmp_path: Path, is_given_up: bool, is_requeued: bool) -> None:
    """As the totals have it: a run that is to be requeued is not given up, also while no runner obeys."""
    path = tmp_path / "small.db"
    database, plan = new_database(path)
    for run in plan.runs[:-1]:
        do_run(database, run.id, f"a{run.id}", ended())
    if is_given_up:
        database.give_up(plan.runs[-1].id, "a test")
    database.close()
    if is_requeued:
        write_wish(path, "requeue", "me@login", [plan.runs[-1].id])
    planned, ok, given_up = read_totals(path)
    is_interim = ok + given_up < planned
    assert is_interim == (not is_given_up or is_requeued)
    write_measurements_csv(path, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        assert {line["interim"] for line in csv.DictReader(file)} == {str(int(is_interim))}
    assert (tmp_path / "a.csv").read_text() == as_the_view_has_it(path)


def test_texts_beyond_those_remembered_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpcvirt.core.export.MOST_REMEMBERED", 1)
    database = database_in(tmp_path)
    write_measurements_csv(database, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == as_the_view_has_it(database)


class Slow(io.StringIO):
    """While it is written to, somebody writes the database."""

    def __init__(self, database: Path) -> None:
        super().__init__()
        self._database = database
        self.writes = 0

    def write(self, text: str) -> int:
        with closing(sqlite3.connect(self._database, timeout=0)) as connection, connection:
            connection.execute("INSERT INTO events (at, level, message) VALUES ('', 'info', 'x')")
        self.writes += 1
        return super().write(text)


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_slow_reader_does_not_lock_writers_out(tmp_path: Path, mode: str) -> None:
    database = database_in(tmp_path)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode,)
    for prints in (print_measurements, print_samples):
        file = Slow(database)
        prints(file, database)
        assert file.writes > 0
    file = Slow(database)
    print_measurements(file, database)
    assert file.getvalue() == as_the_view_has_it(database)


def test_of_what_is_printed_nothing_stays_and_nobody_else_may_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, folder = database_in(tmp_path), tmp_path / "spools"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    modes: list[int] = []

    def write(file: TextIO, database: Path) -> int:
        modes.append(os.fstat(file.fileno()).st_mode & 0o777)
        return write_measurements(file, database)

    monkeypatch.setattr("hpcvirt.core.export.write_measurements", write)
    print_measurements(io.StringIO(), database)
    assert modes == [0o600]
    assert list(folder.iterdir()) == []


def test_a_temporary_file_that_cannot_be_made_is_told_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(StoreUnusable, match="a temporary file in") as told:
        print_measurements(io.StringIO(), database_in(tmp_path))
    assert "TMPDIR" in told.value.hint


def test_a_campaign_without_results_is_a_header(tmp_path: Path) -> None:
    new_database(tmp_path / "small.db")[0].close()
    assert write_measurements_csv(tmp_path / "small.db", tmp_path / "a.csv") == 0
    assert (tmp_path / "a.csv").read_text() == ",".join(COLUMNS) + "\n"


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = database_in(tmp_path)
    target = tmp_path / "a.csv"
    target.write_text("old")

    def full(file: object, database: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hpcvirt.core.export.write_measurements", full)
    with pytest.raises(StoreUnusable, match="No space left"):
        write_measurements_csv(database, target)
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "small.db"]


@pytest.mark.parametrize("target", ["none/a.csv", "folder"])
def test_a_target_that_cannot_be_written(tmp_path: Path, target: str) -> None:
    database = database_in(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreUnusable, match=target):
        write_measurements_csv(database, tmp_path / target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "small.db"]


def test_no_database_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable):
        write_measurements_csv(tmp_path / "none.db", tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


def test_telemetry_knows_the_attempt_it_was_taken_in(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    database, plan = new_database(path)
    run = plan.runs[0]
    do_run(database, run.id, "a", None)
    told = [
        Sample(at_ms("2001-01-01T00:00:00.000Z"), load=1.25),
        Sample(at_ms("2101-01-01T00:00:00.000Z"), 2.0, 4, 0.5),
    ]
    database.file_samples([(run.boot.node, told)])
    database.close()
    assert write_telemetry_csv(path, tmp_path / "t.csv") == 2
    before, within = csv.DictReader((tmp_path / "t.csv").open(newline=""))
    assert (before["node"], before["at"], before["run"]) == (run.boot.node, "2001-01-01T00:00:00.000Z", "")
    assert (before["load"], before["user"]) == ("1.25", "")
    assert (within["kernel"], within["run"], within["attempt"]) == (run.boot.kernel, str(run.number), "1")
    assert (within["benchmark"], within["cpus"], within["user"]) == (run.benchmark.label, "4", "0.5")
