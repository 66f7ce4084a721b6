"""Whole campaigns on the embedded lab, headless: the program as an operator runs it."""

from __future__ import annotations

import csv
import io
import random
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.campaigns import begin_program, environment, kill, lab_campaign, program, write_campaign
from tests.support.ledger import LedgerFolder, assert_accounts, executions


def rows(database: Path, sql: str) -> list[tuple[object, ...]]:
    """What a stranger with sqlite3 reads."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return connection.execute(sql).fetchall()


def the_database(folder: Path) -> Path:
    """The one database of a test's folder."""
    (found,) = folder.glob("small-*.db")
    return found


def wait_for(what: object, database_folder: Path, sql: str, limit_s: float = 30) -> None:
    """Until the campaign's database answers ``what``."""
    give_up_at = time.monotonic() + limit_s
    while time.monotonic() < give_up_at:
        found = list(database_folder.glob("small-*.db"))
        if found and rows(found[0], sql) == what:
            return
        time.sleep(0.02)
    raise AssertionError(f"not within {limit_s} s: {sql} -> {what}")


def lab_processes(folder: Path) -> list[str]:
    """Processes that have to do with a folder."""
    found = subprocess.run(["pgrep", "-fa", str(folder)], capture_output=True, text=True).stdout.splitlines()
    return [line for line in found if "pgrep" not in line and "pytest" not in line]


def test_a_campaign_runs_from_start_to_end(tmp_path: Path, ledger: LedgerFolder) -> None:
    campaign = write_campaign(tmp_path, lab_campaign(ledger))
    done = program(["run", str(campaign)], environment(ledger), tmp_path)
    assert done.returncode == 0, done.stderr
    database = the_database(tmp_path)
    assert_accounts(ledger, database)
    assert rows(database, "SELECT kernel, node, count(*) FROM results GROUP BY 1, 2") == [
        (kernel, f"node{i}", 4) for kernel in ("native", "native-again") for i in range(1, 5)
    ]
    assert rows(database, "PRAGMA journal_mode") == [("delete",)]
    assert rows(database, "SELECT ending FROM runners") == [("done",)]
    assert oct(database.stat().st_mode & 0o777) == "0o600"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["third-party", "small.toml", database.name])
    assert lab_processes(tmp_path) == []


def test_what_a_kernel_came_with_is_stored_once_and_compared(tmp_path: Path, ledger: LedgerFolder) -> None:
    extra = """wrap = ["env", "TREATMENT=second"]
expect = { probe = { command = "echo $TREATMENT", matches = "second" } }"""
    campaign = write_campaign(tmp_path, lab_campaign(ledger, nodes=1, extra=extra))
    env = environment(ledger)
    assert program(["run", str(campaign)], env, tmp_path).returncode == 0
    database = the_database(tmp_path)
    called = dict(
        rows(database, "SELECT kernel, launched FROM attempts JOIN runs ON runs.id = run JOIN boots ON boots.id = boot")
    )
    assert str(called["native-again"]) == f"env TREATMENT=second {called['native']}"
    assert rows(database, "SELECT count(*) FROM boots WHERE environment IS NULL") == [(0,)]
    # Four visits; tests beside this one may mount something meanwhile.
    ((stored,),) = rows(database, "SELECT count(DISTINCT content) FROM environments")
    assert rows(database, "SELECT count(*) FROM environments") == [(stored,)]
    told = program(["diff-env", str(database), "native", "native-again"], env, tmp_path)
    assert told.returncode == 0, told.stderr
    assert "identity.probe\n  native        (absent)\n  native-again  second\n" in told.stdout
    assert "boot_id" not in told.stdout
    unknown = program(["diff-env", str(database), "native", "node1"], env, tmp_path)
    assert unknown.returncode == 2
    assert "kernels: native, native-again; nodes: node1" in unknown.stderr


def test_measurements_export_round_trips(tmp_path: Path, ledger: LedgerFolder) -> None:
    campaign = write_campaign(tmp_path, lab_campaign(ledger, nodes=1))
    assert program(["run", str(campaign)], environment(ledger), tmp_path).returncode == 0
    database = the_database(tmp_path)
    exported = program(["export", str(database)], environment(ledger), tmp_path)
    table = list(csv.DictReader(io.StringIO(exported.stdout)))
    assert list(table[0]) == [
        "campaign",
        "block",
        "kernel",
        "node",
        "boot_id",
        "benchmark",
        "parameters",
        "run",
        "attempt",
        "status",
        "started_at",
        "duration_s",
        "metric",
        "value",
        "unit",
        "better",
        "primary",
        "exact",
        "interim",
    ]
    assert {(row["primary"], row["exact"], row["interim"]) for row in table} == {("1", "0", "0")}
    assert len(table) == 8
    stored = rows(database, "SELECT duration_s, value FROM results")
    assert [(float(row["duration_s"]), float(row["value"])) for row in table] == stored
    assert {row["started_at"][-1] for row in table} == {"Z"}
    to_file = program(["export", str(database), "-o", "out.csv"], environment(ledger), tmp_path)
    assert to_file.returncode == 0
    assert (tmp_path / "out.csv").read_text() == exported.stdout


def test_a_failing_benchmark_uses_up_its_retries_and_exits_1(tmp_path: Path, ledger: LedgerFolder) -> None:
    campaign = write_campaign(tmp_path, lab_campaign(ledger, nodes=1, runs=1, blocks=1, retries=1, mode="fail"))
    done = program(["run", str(campaign)], environment(ledger), tmp_path)
    assert done.returncode == 1
    database = the_database(tmp_path)
    assert rows(database, "SELECT status, count(*) FROM attempts GROUP BY 1") == [("failed", 4)]
    assert rows(database, "SELECT count(*) FROM results") == [(0,)]
    assert "exit status 9" in done.stderr
    again = program(["run", str(campaign), "--db", str(database)], environment(ledger), tmp_path)
    assert again.returncode == 2
    assert "finished" in again.stderr


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["ok", "stubborn", "fork"])
def test_a_run_over_its_limit_is_ended_with_all_its_processes(tmp_path: Path, ledger: LedgerFolder, mode: str) -> None:
    settings = {"runs": 1, "blocks": 1, "retries": 0, "seconds": 61, "timeout": 0.7, "mode": mode}
    campaign = write_campaign(tmp_path, lab_campaign(ledger, nodes=1, **settings))
    running = begin_program(["run", str(campaign)], environment(ledger), tmp_path)
    wait_for([(1,)], tmp_path, "SELECT count(*) FROM attempts WHERE status = 'timeout'")
    # While the lab still runs: it is the program that ended them, not the end of the lab.
    assert rows(the_database(tmp_path), "SELECT count(*) FROM runners WHERE ended_at IS NULL") == [(1,)]
    (first,) = {one.attempt for one in executions(ledger)[:1]}
    assert marked_processes(first) == []
    assert running.wait(60) == 1
    assert rows(the_database(tmp_path), "SELECT DISTINCT status FROM attempts") == [("timeout",)]


def marked_processes(attempt: str) -> list[str]:
    """Pids that carry an attempt's mark."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"HPCVIRT_RUN={attempt}".encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def test_a_kernel_that_is_not_the_expected_one_gives_no_number(tmp_path: Path, ledger: LedgerFolder) -> None:
    text = lab_campaign(ledger, nodes=1).replace('release = "*"', 'release = "2.6.9-22*"')
    done = program(["run", str(write_campaign(tmp_path, text))], environment(ledger), tmp_path)
    assert done.returncode == 4
    database = the_database(tmp_path)
    assert rows(database, "SELECT count(*) FROM results WHERE kernel = 'native'") == [(0,)]
    assert rows(
        database,
        """SELECT count(*) FROM attempts JOIN runs ON runs.id = run JOIN boots ON boots.id = boot
           WHERE kernel = 'native'""",
    ) == [(0,)]
    assert "expected 2.6.9-22*" in done.stderr


def test_a_probe_tells_kernels_apart_inside_the_wrap(tmp_path: Path, ledger: LedgerFolder) -> None:
    extra = """wrap = ["env", "TREATMENT=second"]
expect = { probe = { command = "echo $TREATMENT", matches = "second" } }"""
    campaign = write_campaign(tmp_path, lab_campaign(ledger, nodes=1, extra=extra))
    assert program(["run", str(campaign)], environment(ledger), tmp_path).returncode == 0
    probes = rows(
        the_database(tmp_path),
        """SELECT DISTINCT boots.kernel, identities.content ->> 'probe' FROM attempts
           JOIN runs ON runs.id = attempts.run JOIN boots ON boots.id = runs.boot
           JOIN identities ON identities.id = attempts.identity_before ORDER BY 1""",
    )
    assert probes == [("native", None), ("native-again", "second")]


def test_hostile_output_is_kept_raw_and_shown_clean(tmp_path: Path, ledger: LedgerFolder) -> None:
    campaign = write_campaign(tmp_path, lab_campaign(ledger, nodes=1, runs=1, blocks=1, mode="hostile"))
    assert program(["run", str(campaign)], environment(ledger), tmp_path).returncode == 0
    ((stdout,),) = rows(the_database(tmp_path), "SELECT DISTINCT stdout FROM attempts")
    import zlib

    assert zlib.decompress(stdout) == b"[/] \x1b]52;c;aGk=\x07 \xff =cmd()value 1.5\n"


def test_a_flood_loses_its_middle_and_says_so(tmp_path: Path, ledger: LedgerFolder) -> None:
    campaign = write_campaign(tmp_path, lab_campaign(ledger, nodes=1, runs=1, blocks=1, mode="flood"))
    assert program(["run", str(campaign)], environment(ledger), tmp_path).returncode == 0
    assert rows(the_database(tmp_path), "SELECT DISTINCT truncated FROM attempts") == [(1,)]


@pytest.mark.slow
def test_stop_ends_after_the_runs_under_way_and_run_goes_on(tmp_path: Path, ledger: LedgerFolder) -> None:
    campaign = write_campaign(tmp_path, lab_campaign(ledger, seconds=0.3))
    running = begin_program(["run", str(campaign)], environment(ledger), tmp_path)
    wait_for([(1,)], tmp_path, "SELECT count(*) > 2 FROM attempts WHERE status = 'ok'")
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 3
    database = the_database(tmp_path)
    assert rows(database, "SELECT DISTINCT status FROM attempts") == [("ok",)]
    assert rows(database, "SELECT ending FROM runners") == [("stopped",)]
    assert lab_processes(tmp_path) == []
    assert program(["run", str(campaign)], environment(ledger), tmp_path).returncode == 0
    assert_accounts(ledger, database)


def test_abort_ends_the_runs_under_way(tmp_path: Path, ledger: LedgerFolder) -> None:
    campaign = write_campaign(tmp_path, lab_campaign(ledger, runs=2, blocks=1, seconds=20))
    running = begin_program(["run", str(campaign)], environment(ledger), tmp_path)
    wait_for([(4,)], tmp_path, "SELECT count(*) FROM attempts")
    asked = program(["abort", str(the_database(tmp_path))], environment(ledger), tmp_path)
    assert asked.returncode == 0, asked.stderr
    assert running.wait(30) == 130
    assert rows(the_database(tmp_path), "SELECT status, count(*) FROM attempts GROUP BY 1") == [("aborted", 4)]
    nobody = program(["pause", str(the_database(tmp_path))], environment(ledger), tmp_path)
    assert nobody.returncode == 2


def test_pause_starts_nothing_until_resumed(tmp_path: Path, ledger: LedgerFolder) -> None:
    campaign = write_campaign(tmp_path, lab_campaign(ledger, seconds=0.2))
    env = environment(ledger)
    started = program(["run", str(campaign), "--detach"], env, tmp_path)
    assert started.returncode == 0, started.stderr
    database = the_database(tmp_path)
    assert program(["pause", str(database)], env, tmp_path).returncode == 0
    wait_for([(1,)], tmp_path, "SELECT count(*) FROM wishes WHERE obeyed_at IS NOT NULL")
    wait_for([(0,)], tmp_path, "SELECT count(*) FROM attempts WHERE status IS NULL")
    before = rows(database, "SELECT count(*) FROM attempts")
    assert "paused" in program(["status", str(database)], env, tmp_path).stdout
    time.sleep(0.6)
    assert rows(database, "SELECT count(*) FROM attempts") == before
    assert program(["resume", str(database)], env, tmp_path).returncode == 0
    wait_for([("done",)], tmp_path, "SELECT ending FROM runners", 60)
    assert_accounts(ledger, database)


@pytest.mark.slow
def test_a_second_runner_is_refused(tmp_path: Path, ledger: LedgerFolder) -> None:
    campaign = write_campaign(tmp_path, lab_campaign(ledger, seconds=2))
    env = environment(ledger)
    running = begin_program(["run", str(campaign)], env, tmp_path)
    wait_for([(1,)], tmp_path, "SELECT count(*) > 0 FROM attempts")
    second = program(["run", str(campaign)], env, tmp_path)
    assert second.returncode == 4
    assert "another runner" in second.stderr
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 3


def test_another_plan_is_refused(tmp_path: Path, ledger: LedgerFolder) -> None:
    env = environment(ledger)
    campaign = write_campaign(tmp_path, lab_campaign(ledger, nodes=1, runs=2))
    assert program(["run", str(campaign), "--db", "a.db"], env, tmp_path).returncode == 0
    write_campaign(tmp_path, lab_campaign(ledger, nodes=1, runs=3))
    changed = program(["run", str(campaign), "--db", "a.db"], env, tmp_path)
    assert changed.returncode == 2
    assert "another plan" in changed.stderr


@pytest.mark.slow
def test_warm_up_runs_and_added_blocks_are_run(tmp_path: Path, ledger: LedgerFolder) -> None:
    env = environment(ledger)
    text = lab_campaign(ledger, nodes=1, runs=2).replace("seed = 7", "seed = 7\nwarmup = 1\nsettle = 0.1")
    campaign = write_campaign(tmp_path, text)
    assert program(["run", str(campaign)], env, tmp_path).returncode == 0
    database = the_database(tmp_path)
    assert_accounts(ledger, database)
    assert len(executions(ledger)) == 2 * (2 + 2)
    assert rows(database, "SELECT count(*) FROM warmup_results") == rows(database, "SELECT count(*) FROM results")
    extended = program(["extend", str(database), "--blocks", "1"], env, tmp_path)
    assert extended.returncode == 0, extended.stderr
    # The file goes on in the extended database, which is not finished any more.
    done = program(["run", str(campaign)], env, tmp_path)
    assert done.returncode == 0, done.stderr
    assert_accounts(ledger, the_database(tmp_path))
    assert len(executions(ledger)) == 2 * (2 + 2) + 2 * (1 + 1)
    assert rows(database, "SELECT kernel, count(DISTINCT run) FROM results GROUP BY 1 ORDER BY 1") == [
        ("native", 3),
        ("native-again", 3),
    ]


@pytest.mark.slow
def test_who_waits_for_a_node_to_settle_can_stop(tmp_path: Path, ledger: LedgerFolder) -> None:
    text = lab_campaign(ledger, nodes=1).replace("seed = 7", "seed = 7\nsettle = 3600")
    campaign = write_campaign(tmp_path, text)
    running = begin_program(["run", str(campaign)], environment(ledger), tmp_path)
    wait_for([("settling",)], tmp_path, "SELECT state FROM nodes")
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 3
    assert executions(ledger) == []


def test_a_finished_database_is_never_overwritten(tmp_path: Path, ledger: LedgerFolder) -> None:
    env = environment(ledger)
    campaign = write_campaign(tmp_path, lab_campaign(ledger, nodes=1, runs=1, blocks=1))
    for _ in range(2):
        assert program(["run", str(campaign)], env, tmp_path).returncode == 0
    assert len(list(tmp_path.glob("small-*.db"))) == 2


def test_without_a_compiler_nothing_is_made_and_it_says_how_to_get_one(tmp_path: Path, ledger: LedgerFolder) -> None:
    env = environment(ledger, PATH=str(tmp_path), XDG_DATA_HOME=str(tmp_path / "data"))
    env.pop("CC", None)
    refused = program(["run", "local-lab"], env, tmp_path)
    assert refused.returncode == 4
    assert "apt" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not list((tmp_path / "data").glob("**/*.db"))


def test_killed_at_random_moments_nothing_is_lost_and_nothing_runs_twice(tmp_path: Path, ledger: LedgerFolder) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    # Work for longer than all three lives together: a finished campaign would be run anew.
    campaign = write_campaign(tmp_path, lab_campaign(ledger, runs=12, seconds=0.15))
    env = environment(ledger)
    for _ in range(3):
        running = begin_program(["run", str(campaign)], env, tmp_path)
        time.sleep(draw.uniform(0.6, 1.6))
        kill(running)
    done = program(["run", str(campaign)], env, tmp_path)
    assert done.returncode == 0, done.stderr
    assert_accounts(ledger, the_database(tmp_path))
    assert lab_processes(tmp_path) == []
