"""Stored output parsed again: what changes, what stays, and that a runner at work is not disturbed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hpcvirt.core.benchmark import Reading, Report, load
from hpcvirt.core.config import read_campaign
from hpcvirt.core.engine.begin import begin
from hpcvirt.core.engine.judge import parse
from hpcvirt.core.engine.reparse import reparse
from hpcvirt.core.engine.runner import run_campaign
from hpcvirt.core.errors import StoreLocked, StoreUnusable, UsageWrong
from hpcvirt.core.model import Benchmark, Status
from hpcvirt.core.process import ProcessIdentity, start_ticks
from hpcvirt.core.store import reparses, schema
from hpcvirt.core.store.database import Database, Ended
from hpcvirt.core.store.queries import SnapshotReader, read_measurements, read_snapshot, read_totals
from hpcvirt.tui.commands import app
from tests.core.factories import DEAD, campaign, do_run, new_database, process
from tests.engine.test_lab_campaign import wait_for
from tests.store.test_database import rows
from tests.support.campaigns import begin_program, environment, program
from tests.support.ledger import LedgerFolder

WRONG = r'rate MB/s higher regex stdout "rat: (\d+)"'
RIGHT = r'rate MB/s higher regex stdout "rate: (\d+)"'
PARAMETERS = {one.name: one.default for one in load("command").parameters} | {"argv": "mine", "metrics": WRONG}
USE = Benchmark("command", PARAMETERS, 60.0)
METRICS = {"metrics": RIGHT}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "small.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    made, _ = new_database(path, campaign(benchmarks=[USE]))
    yield made
    made.close()


def ended(status: Status, rate: int, **more: object) -> Ended:
    """What the runner files of an output; the parser that it had is the wrong one, unless the status is ok."""
    readings = {"rate": Reading(9.0, "MB/s", 9.0, "MB/s")} if status is Status.OK else {}
    return Ended(
        status,
        exit_status=0,
        duration_s=1.0,
        user_s=0.5,
        system_s=0.25,
        stdout=b"rate: %d\n" % rate,
        readings=readings,
        **more,  # type: ignore[arg-type]
    )


def again(path: Path, **corrections: str) -> reparses.Filed:
    (done,) = reparse(path, "me@login", corrections=corrections)
    return done.filed


def test_a_corrected_pattern_finds_what_was_printed(database: Database, path: Path) -> None:
    do_run(database, 1, "a", ended(Status.UNPARSABLE, 120, reason="no number for rate"))
    database.give_up(1, "the retries are used up")
    plan = rows(path, "SELECT * FROM boots") + rows(path, "SELECT plan_sha256, frozen FROM campaign")
    planned = rows(path, "SELECT * FROM benchmarks")
    filed = again(path, **METRICS)
    assert (filed.attempts, filed.changed, filed.transitions) == (1, 1, {(Status.UNPARSABLE, Status.OK): 1})
    assert {(one.metric, one.value) for one in read_measurements(path)} == {
        ("rate", 120.0),
        ("real", 1.0),
        ("user", 0.5),
        ("sys", 0.25),
    }
    assert read_totals(path)[1:] == (1, 0)
    assert database.histories()[1].is_closed
    assert rows(path, "SELECT status, reason, given_up_why FROM superseded_attempts") == [
        ("unparsable", "no number for rate", "the retries are used up")
    ]
    assert rows(path, "SELECT * FROM boots") + rows(path, "SELECT plan_sha256, frozen FROM campaign") == plan
    assert rows(path, "SELECT * FROM benchmarks") == planned
    assert rows(path, "SELECT benchmark, package, attempts, changed FROM reparses") == [
        (1, planned[0][3], 1, 1),
    ]
    assert rows(path, "PRAGMA foreign_key_check") == []


@pytest.mark.parametrize("status", sorted(set(Status) - set(reparses.PARSERS)))
def test_what_is_not_the_parsers_to_say_stays(database: Database, path: Path, status: Status) -> None:
    do_run(database, 1, "a", ended(status, 120, reason="why"))
    assert again(path, **METRICS).attempts == 0
    assert rows(path, "SELECT status, reason FROM attempts") == [(status.value, "why")]
    assert read_measurements(path) == []


@pytest.mark.parametrize("status", [Status.UNVERIFIED, Status.FAILED])
def test_what_a_parser_has_said_a_parser_may_take_back(database: Database, path: Path, status: Status) -> None:
    do_run(database, 1, "a", ended(status, 120))
    again(path, **METRICS)
    assert rows(path, "SELECT status FROM attempts") == [("ok",)]


def test_of_an_mpi_program_failed_may_mean_its_places_and_stays(path: Path) -> None:
    told = campaign(benchmarks=[Benchmark("command", {**PARAMETERS, "ranks": 2}, 60.0)])
    database, _ = new_database(path, told)
    do_run(database, 1, "a", ended(Status.FAILED, 120))
    do_run(database, 2, "b", ended(Status.UNPARSABLE, 121))
    database.close()
    again(path, **METRICS)
    assert rows(path, "SELECT id, status FROM attempts ORDER BY id") == [("a", "failed"), ("b", "ok")]


def test_old_values_stay_to_be_looked_up(database: Database, path: Path) -> None:
    do_run(database, 1, "a", ended(Status.OK, 120))
    assert again(path, **METRICS).transitions == {(Status.OK, Status.OK): 1}
    assert rows(path, "SELECT value FROM measurements WHERE metric = 'rate'") == [(120.0,)]
    assert rows(path, "SELECT attempt, metric, value FROM superseded_measurements") == [("a", "rate", 9.0)]
    # Nothing is left to be changed.
    assert again(path).changed == 0
    assert rows(path, "SELECT count(*) FROM amendments") == [(2,)]


def test_a_run_that_has_no_result_any_more_is_planned_again(database: Database, path: Path) -> None:
    do_run(database, 1, "a", ended(Status.OK, 120))
    do_run(database, 2, "b", ended(Status.OK, 120))
    filed = again(path, metrics=r'rate MB/s higher regex stdout "speed: (\d+)"')
    assert (filed.changed, filed.reopened) == (2, 2)
    assert read_totals(path)[1:] == (0, 0)
    history = database.histories()[1]
    assert (history.is_closed, history.statuses) == (False, ())
    do_run(database, 1, "c", ended(Status.OK, 130))
    assert read_totals(path)[1] == 1


def test_a_run_has_one_result(database: Database, path: Path) -> None:
    """The first that can be read, unless it has a result already, or another attempt is under way."""
    for attempt, rate in (("a", 1), ("b", 2)):
        do_run(database, 1, attempt, ended(Status.UNPARSABLE, rate))
    do_run(database, 2, "c", ended(Status.UNPARSABLE, 3))
    do_run(database, 2, "d", ended(Status.OK, 9))
    do_run(database, 3, "e", ended(Status.UNPARSABLE, 4))
    do_run(database, 3, "f", None)
    filed = again(path, **METRICS)
    assert rows(path, "SELECT id FROM attempts WHERE status = 'ok' ORDER BY id") == [("a",), ("d",)]
    assert filed.surplus == 3
    assert again(path).changed == 0


def test_an_end_that_was_parsed_before_the_reparse_is_parsed_again(database: Database, path: Path) -> None:
    do_run(database, 1, "a", None)
    stale = reparses.parser_of(database, USE.label)
    amendment = again(path, **METRICS).amendment
    assert not database.end_attempt("a", ended(Status.UNPARSABLE, 1), stale.amendment)
    assert rows(path, "SELECT status FROM attempts") == [(None,)]
    now = reparses.parser_of(database, USE.label)
    assert (now.amendment, now.parameters) == (amendment, {**PARAMETERS, **METRICS})
    assert database.end_attempt("a", ended(Status.UNPARSABLE, 1), now.amendment)


def test_what_ends_while_it_parses_is_parsed_too(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    do_run(database, 1, "a", ended(Status.UNPARSABLE, 1))
    read = reparses.read_stored

    def read_and_wait(*told: object) -> Iterator[reparses.Stored]:
        yield from read(*told)  # type: ignore[arg-type]
        do_run(database, 2, "b", ended(Status.UNPARSABLE, 2))

    monkeypatch.setattr("hpcvirt.core.engine.reparse.read_stored", read_and_wait)
    assert again(path, **METRICS).attempts == 2
    assert rows(path, "SELECT status FROM attempts") == [("ok",), ("ok",)]


def test_of_two_at_the_same_time_one_is_refused(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    do_run(database, 1, "a", ended(Status.UNPARSABLE, 1))
    read = reparses.read_stored

    def read_and_wait(*told: object) -> Iterator[reparses.Stored]:
        yield from read(*told)  # type: ignore[arg-type]
        monkeypatch.undo()
        again(path, **METRICS)

    monkeypatch.setattr("hpcvirt.core.engine.reparse.read_stored", read_and_wait)
    with pytest.raises(StoreUnusable, match="another reparse"):
        again(path, **METRICS)
    assert rows(path, "SELECT status FROM attempts") == [("ok",)]
    assert rows(path, "SELECT count(*) FROM amendments") == [(1,)]


@pytest.mark.parametrize(
    ("corrections", "words"),
    [
        ({"argv": "other"}, "argv: not a parameter that only the parser"),
        ({"metrics": RIGHT.replace("rate MB", "speed MB")}, "metric rate .* is planned"),
        ({"metrics": RIGHT.replace("higher", "lower")}, "metric rate .* is planned"),
        ({"metrics": 'rate MB/s higher regex stdout "("'}, "no regular expression"),
    ],
)
def test_what_was_executed_and_planned_cannot_be_changed(
    database: Database, path: Path, corrections: dict[str, str], words: str
) -> None:
    do_run(database, 1, "a", ended(Status.UNPARSABLE, 1))
    with pytest.raises(UsageWrong, match=words):
        again(path, **corrections)
    assert rows(path, "SELECT count(*) FROM amendments") == [(0,)]


def test_a_database_of_an_earlier_version_is_read_and_reparsed(database: Database, path: Path) -> None:
    do_run(database, 1, "a", ended(Status.UNPARSABLE, 1))
    with closing(sqlite3.connect(path)) as connection:
        for table in ("superseded_measurements", "superseded_attempts", "reparses"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute(f"PRAGMA user_version = {schema.OLDEST_VERSION}")
    assert read_snapshot(path).amendments == ()
    assert again(path, **METRICS).changed == 1
    (amendment,) = read_snapshot(path).amendments
    assert amendment.reparsed is not None
    assert amendment.reparsed.changed == 1


def made_older(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.OLDEST_VERSION}")


@pytest.mark.parametrize("who", [process(pid=1, pid_start=start_ticks(1) or 0), process(host="login2")])
def test_a_runner_of_an_earlier_version_is_not_ended_by_a_reparse(path: Path, who: ProcessIdentity) -> None:
    database, _ = new_database(path, campaign(benchmarks=[USE]))
    do_run(database, 1, "a", ended(Status.UNPARSABLE, 1))
    database.register_runner(who, "0123456789abcdef")
    database.close()
    made_older(path)
    with pytest.raises(StoreLocked, match="a runner of an earlier version") as refused:
        again(path, **METRICS)
    assert f"stop {path}" in refused.value.hint
    assert rows(path, "PRAGMA user_version") == [(schema.OLDEST_VERSION,)]
    assert rows(path, "SELECT status FROM attempts") == [("unparsable",)]


def test_nor_by_one_that_it_comes_before(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked again in the transaction that upgrades."""
    database, _ = new_database(path, campaign(benchmarks=[USE]))
    database.register_runner(process(pid=1, pid_start=start_ticks(1) or 0), "0123456789abcdef")
    database.close()
    made_older(path)
    monkeypatch.setattr("hpcvirt.core.engine.reparse.refuse_upgrade", lambda path: None)
    with pytest.raises(StoreLocked, match="a runner of an earlier version"):
        again(path, **METRICS)
    with pytest.raises(StoreLocked, match="a runner of an earlier version"):
        Database(path)
    assert rows(path, "PRAGMA user_version") == [(schema.OLDEST_VERSION,)]


def test_one_that_is_proved_dead_keeps_nobody_from_upgrading(path: Path) -> None:
    database, _ = new_database(path, campaign(benchmarks=[USE]))
    do_run(database, 1, "a", ended(Status.UNPARSABLE, 1))
    database.register_runner(process(pid=DEAD), "0123456789abcdef")
    database.close()
    made_older(path)
    assert again(path, **METRICS).changed == 1
    assert rows(path, "PRAGMA user_version") == [(schema.USER_VERSION,)]


def test_of_several_benchmarks_all_are_filed_or_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another reparse of the second one ends while the first one's attempts are parsed."""
    second = Benchmark("command", {**PARAMETERS, "argv": "other"}, 60.0)
    database, plan = new_database(path, campaign(benchmarks=[USE, second]))
    first_runs = [next(run.id for run in plan.runs if run.benchmark == use) for use in (USE, second)]
    for run in first_runs:
        do_run(database, run, f"of-{run}", ended(Status.OK, 120))
    read = reparses.read_stored

    def read_and_wait(*told: object) -> Iterator[reparses.Stored]:
        yield from read(*told)  # type: ignore[arg-type]
        monkeypatch.undo()
        reparse(path, "me@login", benchmark=second.label)

    monkeypatch.setattr("hpcvirt.core.engine.reparse.read_stored", read_and_wait)
    with pytest.raises(StoreUnusable, match="another reparse"):
        reparse(path, "me@login")
    assert rows(path, "SELECT benchmark FROM reparses") == [(2,)]
    assert rows(path, f"SELECT status FROM attempts WHERE run = {first_runs[0]}") == [("ok",)]
    database.close()


def test_nobody_waits_for_a_parser(database: Database, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends meanwhile is parsed, and until nothing has ended no transaction is kept open."""
    do_run(database, 1, "a", ended(Status.UNPARSABLE, 1))
    later = [(2, "b"), (3, "c")]

    def parse_and_write(*told: Any) -> Report:
        with closing(sqlite3.connect(path, timeout=0)) as connection, connection:
            connection.execute("INSERT INTO events (at, level, message) VALUES ('', 'info', 'x')")
        if later:
            do_run(database, *later.pop(0), ended(Status.UNPARSABLE, 2))
        return parse(*told)

    monkeypatch.setattr("hpcvirt.core.engine.reparse.parse", parse_and_write)
    assert again(path, **METRICS).attempts == 3
    assert rows(path, "SELECT DISTINCT status FROM attempts") == [("ok",)]
    assert rows(path, "SELECT count(*) FROM events WHERE message = 'x'") == [(3,)]


def test_a_reader_that_counted_before_counts_anew(database: Database, path: Path) -> None:
    reader = SnapshotReader(path)
    do_run(database, 1, "a", ended(Status.UNPARSABLE, 1))
    assert reader.read().statuses == {"unparsable": 1}
    again(path, **METRICS)
    assert (reader.read().statuses, reader.read().ok) == ({"ok": 1}, 1)


# -- the command


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["reparse", *map(str, words)])


def test_parameters_by_words(database: Database, path: Path) -> None:
    do_run(database, 1, "a", ended(Status.UNPARSABLE, 1))
    done = call(path, "--param", f"metrics={RIGHT}")
    assert done.exit_code == 0, done.output
    assert "1 attempts parsed with hpcvirt-tui" in done.output
    assert "1 unparsable -> ok" in done.output
    assert "1 of 16 runs ok" in done.output
    shown = CliRunner().invoke(app, ["status", str(path)]).output
    assert "reparsed" in shown
    assert "1 of 1 attempts changed (hpcvirt-tui" in shown


def test_a_benchmark_that_is_not_there(database: Database, path: Path) -> None:
    del database
    done = call(path, "--benchmark", "stream")
    assert isinstance(done.exception, UsageWrong)
    assert "no benchmark 'stream'" in done.exception.message


# -- whole campaigns of the embedded lab

CAMPAIGN = """
[campaign]
name = "own"
[design]
runs = {runs}
blocks = 2
[analysis]
baseline = "one"
[lab]
nodes = {nodes}
[[kernel]]
name = "one"
[[kernel]]
name = "two"
[[benchmark]]
plugin = "command"
[benchmark.parameters]
argv = "sh -c 'sleep {seconds}; echo rate: $(( 100 + $$ % 10 ))'"
metrics = '''
{metrics}
'''
"""


def written(folder: Path, name: str, metrics: str, runs: int = 2, seconds: float = 0, nodes: int = 2) -> Path:
    path = folder / name
    path.write_text(CAMPAIGN.format(runs=runs, seconds=seconds, metrics=metrics, nodes=nodes))
    return path


def test_a_campaign_with_a_mistyped_pattern_is_mended_and_goes_on(tmp_path: Path, ledger: LedgerFolder) -> None:
    env, path = environment(ledger), tmp_path / "small-own.db"
    mistyped, corrected = written(tmp_path, "own.toml", WRONG), written(tmp_path, "corrected.toml", RIGHT)
    assert program(["run", str(mistyped), "--db", str(path)], env, tmp_path).returncode == 1
    assert rows(path, "SELECT DISTINCT status FROM attempts") == [("unparsable",)]
    assert read_totals(path) == (8, 0, 8)
    done = program(["reparse", str(path), "--campaign", str(corrected)], env, tmp_path)
    assert done.returncode == 0, done.stderr
    assert read_totals(path) == (8, 8, 0)
    assert {100 <= one.value < 110 for one in read_measurements(path) if one.metric == "rate"} == {True}
    # What comes later is parsed with the corrected pattern, and what is done is not done again.
    assert program(["extend", str(path), "--blocks", "1"], env, tmp_path).returncode == 0
    begun = rows(path, "SELECT count(*) FROM attempts")[0][0]
    assert program(["run", str(path)], env, tmp_path).returncode == 0
    assert read_totals(path) == (12, 12, 0)
    assert rows(path, "SELECT count(*) FROM attempts") == [(int(str(begun)) + 4,)]
    assert rows(path, "PRAGMA journal_mode") == [("delete",)]


def test_no_attempt_is_begun_of_a_run_that_a_reparse_made_ok(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reparse comes between the end of a run's first attempt and the begin of the second."""
    path, ends = tmp_path / "own.db", Database.end_attempt
    mistyped, corrected = (
        written(tmp_path, name, metrics, nodes=1) for name, metrics in (("own.toml", WRONG), ("right.toml", RIGHT))
    )

    def end_and_reparse(self: Database, attempt: str, ended: Ended, reparse: int | None = None) -> bool:
        done = ends(self, attempt, ended, reparse)
        is_first = rows(path, f"SELECT number FROM attempts WHERE id = '{attempt}'") == [(1,)]
        if is_first and not self.is_in_transaction and not rows(path, "SELECT 1 FROM amendments"):
            call(path, "--campaign", corrected)
        return done

    monkeypatch.setattr(Database, "end_attempt", end_and_reparse)
    file = read_campaign(mistyped)
    assert run_campaign(file, begin(file, tmp_path, path)).exit_code == 0
    assert read_totals(path) == (4, 4, 0)
    assert rows(path, "SELECT count(*), count(DISTINCT run) FROM attempts WHERE status = 'ok'") == [(4, 4)]
    assert rows(path, "SELECT count(*) FROM events WHERE message LIKE '%a reparse made an earlier attempt ok%'") == [
        (1,)
    ]


@pytest.mark.slow
def test_while_a_runner_is_at_work(tmp_path: Path, ledger: LedgerFolder) -> None:
    env, path = environment(ledger), tmp_path / "small-own.db"
    mistyped = written(tmp_path, "own.toml", WRONG, runs=6, seconds=0.3)
    corrected = written(tmp_path, "corrected.toml", RIGHT, runs=6, seconds=0.3)
    running = begin_program(["run", str(mistyped), "--db", str(path)], env, tmp_path)
    wait_for([(1,)], tmp_path, "SELECT count(*) >= 5 FROM attempts WHERE status IS NOT NULL")
    done = program(["reparse", str(path), "--campaign", str(corrected)], env, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the runner at work uses these parameters" in done.stdout
    ((at,),) = rows(path, "SELECT at FROM amendments")
    assert running.wait(60) == 0
    assert rows(path, f"SELECT DISTINCT status FROM attempts WHERE ended_at > '{at}'") == [("ok",)]
    assert rows(path, "SELECT count(*), count(DISTINCT run) FROM attempts WHERE status = 'ok'") == [(24, 24)]
    assert read_totals(path) == (24, 24, 0)
