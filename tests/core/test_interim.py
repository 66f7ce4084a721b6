"""Before the planned end: means and differences, whoever asks and in whatever form; more only as a recorded look."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpcvirt.core.analysis import compare_database
from hpcvirt.core.charting import read_charts
from hpcvirt.core.errors import HpcvirtError, StoreLocked, StoreUnusable
from hpcvirt.core.export import write_measurements_csv
from hpcvirt.core.interim import SHOWN, WITHHELD_FLAGS, LookRequest
from hpcvirt.core.model import Status
from hpcvirt.core.process import ProcessIdentity, operator, start_ticks
from hpcvirt.core.stats import Method, Wanted
from hpcvirt.core.stats.report import FIELDS
from hpcvirt.core.store import looks, schema
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.looks import Look, read_looks
from hpcvirt.core.store.runs import SKIPPED_BY
from hpcvirt.tui.commands import app
from hpcvirt.tui.plots.model import Kind
from hpcvirt.tui.plots.pictures import QUARTILES, groups, picture
from tests.core.factories import campaign, do_run, ended, new_database, process

ME = LookRequest("me@login", "a test")
TELLING = (
    "ci_low",
    "ci_high",
    "ci_low_decision",
    "t",
    "df",
    "p",
    "p_adjusted",
    "p_equivalence",
    "sd",
    "verdict",
    "more",
)


def make(path: Path, done: int = 12, given_up: int = 0) -> Path:
    """A campaign of 16 runs, so many of them ok; the second kernel is slower by a third."""
    told = campaign(kernels=("native", "other"))
    told = replace(told, analysis=replace(told.analysis, contrasts=()))
    database, plan = new_database(path, told)
    for run in plan.runs[:done]:
        value = (3.0 if run.boot.kernel == "native" else 2.0) + 0.01 * (run.id % 5)
        do_run(database, run.id, f"a{run.id}", ended(value=value))
    for run in plan.runs[done : done + given_up]:
        database.give_up(run.id, "a test")
    database.close()
    return path


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    return make(tmp_path / "small.db")


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    return make(tmp_path / "small.db", 16)


def analyze(path: Path, *words: str) -> str:
    done = CliRunner().invoke(app, ["analyze", str(path), *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_what_is_not_named_is_withheld(unfinished: Path) -> None:
    table = compare_database(unfinished)
    assert len(table.rows) == 4
    for row in table.rows:
        assert row.interim
        assert [name for name in FIELDS if name not in SHOWN and getattr(row, name) is not None] == []
        assert row.difference_pct == pytest.approx(-33, abs=1)
        assert row.ratio_of_means == pytest.approx(0.667, abs=0.01)
        assert row.mean == pytest.approx(2.0, abs=0.05)
        assert not {flag.code for flag in row.flags} & WITHHELD_FLAGS
    assert table.footer[0].startswith("INTERIM: 12 of 16 runs are in.")
    assert not [line for line in table.footer if "A/A" in line or "verdicts on" in line]
    assert not set(TELLING) & SHOWN


def test_a_finished_campaign_tells_everything(finished: Path) -> None:
    rows = compare_database(finished).rows
    assert all(row.verdict is not None and row.p is not None and not row.interim for row in rows)
    assert compare_database(finished, look=ME).rows == rows
    assert read_looks(finished) == ()


def test_runs_that_were_given_up_do_not_keep_a_campaign_open(tmp_path: Path) -> None:
    assert not compare_database(make(tmp_path / "a.db", 14, given_up=2)).rows[0].interim
    assert compare_database(make(tmp_path / "b.db", 14, given_up=1)).rows[0].interim


def test_json_and_csv_say_interim_and_leave_empty_what_is_withheld(unfinished: Path) -> None:
    for row in json.loads(analyze(unfinished, "--format", "json")):
        assert row["interim"] is True
        assert [row[name] for name in TELLING] == [None] * len(TELLING)
    for line in csv.DictReader(io.StringIO(analyze(unfinished, "--format", "csv"))):
        assert line["interim"] == "true"
        assert [line[name] for name in TELLING] == [""] * len(TELLING)
        assert float(line["difference_pct"]) < -30


@pytest.mark.parametrize("layout", ["table", "markdown"])
def test_tables_for_people_say_interim(unfinished: Path, layout: str) -> None:
    text = analyze(unfinished, "--format", layout)
    assert "INTERIM: 12 of 16 runs are in." in text
    assert re.search(r"-3[234]\.\d\d %", text)
    assert not [word for word in ("slower", "<0.0001", "[-", "block)", "verdicts on") if word in text]


@pytest.mark.parametrize("layout", ["table", "markdown", "json", "csv"])
def test_as_if_final_shows_everything_and_is_recorded(unfinished: Path, layout: str) -> None:
    text = analyze(unfinished, "--as-if-final", "--format", layout, "--method", "paper")
    assert "slower" in text
    (look,) = read_looks(unfinished)
    assert (look.origin, look.view, look.ok, look.planned) == (operator(), f"analyze --format {layout}", 12, 16)
    assert look.shown == "intervals, p-values and verdicts by method paper"
    if layout in {"table", "markdown"}:
        assert "INTERIM, shown as if final: 12 of 16 runs are in." in text


def test_looks_are_told_at_the_end(tmp_path: Path) -> None:
    path = make(tmp_path / "small.db")
    rows = compare_database(path, Wanted(method=Method.BLOCKED), ME).rows
    assert rows[0].interim
    assert rows[0].verdict is not None
    read_charts(path, look=ME)
    with closing(Database(path)) as database:
        for run in range(13, 17):
            do_run(database, run, f"a{run}", ended(value=2.5))
    assert [one.shown for one in read_looks(path)] == [
        "intervals, p-values and verdicts by method blocked",
        "intervals in plots",
    ]
    told = "verdicts were looked at 2 times before the planned end, first by me@login at 12 of 16 runs"
    assert any(line.startswith(told) for line in compare_database(path).footer)
    assert told in CliRunner().invoke(app, ["status", str(path)]).output


@pytest.mark.parametrize(
    "words",
    [
        ("--contrast", "native", "nope"),
        ("--baseline", "nope"),
        ("--baseline", "other", "--contrast", "x", "y"),
    ],
)
def test_a_request_that_is_refused_is_no_look(unfinished: Path, words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, ["analyze", str(unfinished), "--as-if-final", *words])
    assert isinstance(done.exception, HpcvirtError)
    assert read_looks(unfinished) == ()


def test_where_there_is_nothing_to_show_there_is_no_look(tmp_path: Path) -> None:
    path = make(tmp_path / "small.db", 0)
    assert compare_database(path, look=ME).rows == ()
    assert read_charts(path, look=ME).rows == ()
    assert read_looks(path) == ()


def test_a_look_says_by_which_settings(unfinished: Path) -> None:
    analyze(unfinished, "--as-if-final", "--alpha", "0.01", "--delta", "0.1", "--correction", "none")
    analyze(unfinished, "--as-if-final", "--alpha", "0.05", "--baseline", "other", "--method", "paper")
    first, second = read_looks(unfinished)
    assert first.shown == (
        "intervals, p-values and verdicts by the frozen method; alpha 0.01 (frozen: 0.05); delta 0.1 (frozen: 0.02); "
        "correction none (frozen: holm)"
    )
    assert second.shown == "intervals, p-values and verdicts by method paper; baseline other (frozen: native)"


def test_a_look_names_contrasts_that_were_not_planned(tmp_path: Path) -> None:
    database, plan = new_database(tmp_path / "small.db", campaign(kernels=("native", "a", "b")))
    for run in plan.runs[:20]:
        do_run(database, run.id, f"a{run.id}", ended(value=2 + 0.01 * run.id))
    database.close()
    analyze(tmp_path / "small.db", "--as-if-final", "--contrast", "a", "b")
    (look,) = read_looks(tmp_path / "small.db")
    assert look.shown.endswith("by the frozen method; contrast a against b (not planned)")


# -- runs that operators skipped


def skip(path: Path, runs: range, why: str = f"{SKIPPED_BY}me@login") -> None:
    with closing(Database(path)) as database:
        for run in runs:
            database.give_up(run, why)


def test_runs_skipped_before_their_first_attempt_end_a_campaign_before_its_plan(unfinished: Path) -> None:
    skip(unfinished, range(13, 16))
    told = "3 of 16 planned runs were skipped by an operator before their first attempt"
    assert told in compare_database(unfinished).footer
    skip(unfinished, range(16, 17))
    table = compare_database(unfinished)
    assert all(row.verdict is not None and not row.interim for row in table.rows)
    told = told.replace("3 of", "4 of") + ": the campaign ended before its plan"
    assert [line for line in table.footer if line.startswith(told)]
    assert told in analyze(unfinished)


def test_only_runs_without_any_attempt_count_as_skipped(tmp_path: Path) -> None:
    tried = make(tmp_path / "tried.db", 14)
    with closing(Database(tried)) as database:
        do_run(database, 15, "a15", ended(Status.FAILED))
    skip(tried, range(15, 16))
    skip(tried, range(16, 17), "failed 3 times")
    table = compare_database(tried)
    assert not table.rows[0].interim
    assert not [line for line in table.footer if "skipped" in line]


# -- looks that are recorded


def test_a_look_that_cannot_be_recorded_shows_nothing(unfinished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "PATIENCE_S", 0.05)
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnusable, match="cannot be recorded"):
            compare_database(unfinished, look=ME)
        with pytest.raises(StoreUnusable, match="cannot be recorded"):
            read_charts(unfinished, look=ME)
    assert read_looks(unfinished) == ()


def test_a_csv_file_has_no_planned_end(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("kernel,benchmark,metric,value\na,x,t,1\na,x,t,2\nb,x,t,3\nb,x,t,5\n")
    done = CliRunner().invoke(app, ["analyze", str(path), "--as-if-final"])
    assert "no planned end" in str(done.exception)
    assert '"interim": false' in analyze(path, "--format", "json")


# -- a CSV file that was exported before the end


def exported(database: Path) -> Path:
    target = database.with_suffix(".csv")
    write_measurements_csv(database, target)
    return target


def test_an_export_before_the_end_is_interim_too(unfinished: Path) -> None:
    path = exported(unfinished)
    for row in json.loads(analyze(path, "--format", "json")):
        assert row["interim"] is True
        assert [row[name] for name in TELLING] == [None] * len(TELLING)
        assert row["difference_pct"] == pytest.approx(-33, abs=1)
    text = analyze(path)
    assert "INTERIM: the file says that its campaign was not finished" in text
    assert not [word for word in ("slower", "<0.0001", "[-", "verdicts on") if word in text]


def test_an_export_is_shown_as_if_final_when_that_is_asked_for(unfinished: Path) -> None:
    path = exported(unfinished)
    before = path.read_bytes()
    text = analyze(path, "--as-if-final")
    assert "INTERIM, shown as if final: the file says that its campaign was not finished" in text
    assert "recorded nowhere" in text
    assert "slower" in text
    assert all(row["interim"] and row["p"] for row in json.loads(analyze(path, "--as-if-final", "--format", "json")))
    assert path.read_bytes() == before
    assert read_looks(unfinished) == ()


@pytest.mark.parametrize("words", [(), ("--as-if-final",)])
def test_an_export_of_a_finished_campaign_tells_everything(finished: Path, words: tuple[str, ...]) -> None:
    text = analyze(exported(finished), *words)
    assert "INTERIM" not in text
    assert "slower" in text


def test_an_export_has_the_family_of_its_database(finished: Path) -> None:
    with closing(sqlite3.connect(finished)) as connection, connection:
        connection.execute("UPDATE metrics SET is_primary = name IN ('copy', 'add'), is_exact = name = 'triad'")
    names = ("metric", "primary", "family", "p", "p_adjusted", "verdict", "ci_low", "ci_high")
    rows = json.loads(analyze(finished, "--format", "json"))
    words = ("--baseline", "native", "--unit", "node-block", "--format", "json")
    others = json.loads(analyze(exported(finished), *words))
    assert {row["family"] for row in rows if row["primary"]} == {2}
    assert [[row[name] for name in names] for row in others] == [[row[name] for name in names] for row in rows]


def test_summaries_may_be_interim_and_another_word_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("kernel,benchmark,metric,mean,sd,n,interim\na,x,t,1,0.1,9,no\nb,x,t,3,0.1,9,yes\n")
    (row,) = json.loads(analyze(path, "--method", "paper", "--format", "json"))
    assert (row["interim"], row["p"], row["verdict"]) == (True, None, None)
    path.write_text("kernel,benchmark,metric,value,interim\na,x,t,1,no\nb,x,t,3,perhaps\n")
    done = CliRunner().invoke(app, ["analyze", str(path)])
    assert "line 3: interim is 'perhaps'; it must be true or false" in str(done.exception)


# -- plots


def test_plots_hide_intervals_and_say_interim(unfinished: Path) -> None:
    charts = read_charts(unfinished)
    assert charts.is_withheld
    assert all(spot.mean is not None and spot.mean.low is None and spot.mean.high is None for spot in charts.spots)
    assert all(row.ci_low is None and row.p is None and row.verdict is None for row in charts.rows)
    (group,) = groups(charts)
    for kind in Kind:
        shown = picture(kind, charts, group.members, charts.kernels, group.name)
        assert "(interim: 12 of 16 runs)" in shown.title
        assert "confidence" not in " ".join(shown.notes)
    for kind in (Kind.RELATIVE, Kind.ABSOLUTE, Kind.FOREST, Kind.DISTRIBUTION):
        shown = picture(kind, charts, group.members, charts.kernels, group.name)
        assert not shown.is_empty
        assert QUARTILES not in {track.name for track in shown.tracks}
        assert all(mark.low is None and mark.high is None for track in shown.tracks for mark in track.marks)


def test_plots_of_a_look_and_of_a_finished_campaign_have_intervals(unfinished: Path, tmp_path: Path) -> None:
    look, final = read_charts(unfinished, look=ME), read_charts(make(tmp_path / "final.db", 16))
    assert (look.interim, final.interim) == ("12 of 16 runs", "")
    for charts in (look, final):
        assert all(row.ci_low is not None for row in charts.rows)
        assert all(spot.mean is not None and spot.mean.low is not None for spot in charts.spots)
        shown = picture(Kind.DISTRIBUTION, charts, groups(charts)[0].members, charts.kernels)
        assert QUARTILES in {track.name for track in shown.tracks}


# -- databases of version 3


def old(path: Path) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TABLE looks")
        for view in ("results", "warmup_results"):
            connection.execute(f"DROP VIEW {view}")
        connection.execute("ALTER TABLE metrics DROP COLUMN is_exact")
        connection.execute("PRAGMA user_version = 3")
    return path


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_an_old_database_is_read_and_takes_a_look(unfinished: Path) -> None:
    path = old(unfinished)
    assert read_looks(path) == ()
    assert compare_database(path).rows[0].interim
    assert version(path) == 3
    assert compare_database(path, look=ME).rows[0].verdict is not None
    assert [one.origin for one in read_looks(path)] == ["me@login"]
    assert version(path) == schema.USER_VERSION


@pytest.mark.parametrize("who", [process(pid=1, pid_start=start_ticks(1) or 0), process(host="login2")])
def test_a_look_does_not_end_a_runner_of_an_earlier_version(unfinished: Path, who: ProcessIdentity) -> None:
    with closing(Database(unfinished)) as database:
        database.register_runner(who, "0123456789abcdef")
    path = old(unfinished)
    with pytest.raises(StoreLocked, match="a runner of an earlier version") as refused:
        compare_database(path, look=ME)
    assert f"stop {path}" in refused.value.hint
    assert version(path) == 3
    assert compare_database(path).rows[0].interim


def test_an_old_database_is_gone_on_with(unfinished: Path) -> None:
    path = old(unfinished)
    with closing(Database(path)) as database:
        for run in range(13, 17):
            do_run(database, run, f"a{run}", ended(value=2.5))
    assert version(path) == schema.USER_VERSION
    assert read_looks(path) == ()
    assert not compare_database(path).rows[0].interim


def test_a_look_reads_back(unfinished: Path) -> None:
    looks.record_look(unfinished, "a", "b", "c", (1, 2))
    (one,) = read_looks(unfinished)
    assert one == Look(one.at, "a", "b", "c", 1, 2)
