"""The database of a running campaign is copied, deleted, replaced or moved; or its lock file is removed."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.engine.test_lab_campaign import the_database
from tests.support.campaigns import begin_program, environment, lab_campaign, program, write_campaign
from tests.support.ledger import LedgerFolder, assert_accounts, executions

SOME = "SELECT count(*) > 4 FROM attempts WHERE status = 'ok'"
OK = "SELECT count(*) FROM attempts WHERE status = 'ok'"
DELETED = "SELECT count(*) FROM events WHERE level = 'error' AND message LIKE '%was deleted%'"
UNDER_WAY = "SELECT count(*) FROM attempts WHERE status IS NULL"


def rows(database: Path, sql: str) -> list[tuple[object, ...]]:
    """As a stranger reads, who goes again: one who stays keeps the file in WAL."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def running(tmp_path: Path, ledger: LedgerFolder) -> Iterator[subprocess.Popen[bytes]]:
    """A campaign of half a minute, some of its runs done."""
    campaign = write_campaign(tmp_path, lab_campaign(ledger, runs=16, seconds=0.5))
    with begun(campaign, ledger) as started:
        until(lambda: [one for one in tmp_path.glob("small-*.db") if rows(one, SOME) == [(1,)]], 30)
        yield started


@contextmanager
def begun(campaign: Path, ledger: LedgerFolder, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A runner that is ended with the test, however that ends: paused, it would stay for good."""
    started = begin_program(["run", str(campaign), *words], environment(ledger), campaign.parent)
    try:
        yield started
    finally:
        for sign in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            # The second one ends the runs under way, the third one leaves the lab to notice that it is alone.
            if started.poll() is None:
                started.send_signal(sign)
                with suppress(subprocess.TimeoutExpired):
                    started.wait(15)


def until(is_so: Callable[[], object], limit_s: float = 20) -> None:
    give_up_at = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def log(folder: Path) -> str:
    return (folder / "program.log").read_text()


def end(running: subprocess.Popen[bytes]) -> None:
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 3


def the_rescued(folder: Path) -> Path:
    found: list[Path] = []

    def look() -> bool:
        found[:] = folder.glob("small-*-rescued-*.db")
        return bool(found)

    until(look, 5)
    (rescued,) = found
    return rescued


@pytest.mark.slow
@pytest.mark.parametrize("how", ["cp", "backup"])
def test_a_copy_of_a_running_database_is_refused(
    tmp_path: Path, ledger: LedgerFolder, running: subprocess.Popen[bytes], how: str
) -> None:
    original, copy = the_database(tmp_path), tmp_path / "copy.db"
    if how == "cp":
        for part in ("", "-wal"):
            shutil.copy(f"{original}{part}", f"{copy}{part}")
    else:
        with closing(sqlite3.connect(original)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    done = program(["run", str(copy)], environment(ledger), tmp_path)
    assert done.returncode == 4
    assert f"copy.db is a copy of {original}, made while a runner worked on that" in done.stderr
    assert f"process {running.pid}" in done.stderr
    asked = program(["pause", str(copy)], environment(ledger), tmp_path)
    assert asked.returncode == 2
    assert f"ask there: hpcvirt-tui pause {original}" in asked.stderr
    assert f"it is a copy of {original}" in program(["status", str(copy)], environment(ledger), tmp_path).stdout
    assert running.wait(90) == 0
    assert_accounts(ledger, original)


@pytest.mark.slow
def test_without_its_lock_file_a_second_runner_is_refused_by_the_database_itself(
    tmp_path: Path, ledger: LedgerFolder, running: subprocess.Popen[bytes]
) -> None:
    database = the_database(tmp_path)
    database.with_name(database.name + ".lock").unlink()
    for words in (["run", str(database)], ["extend", str(database), "--blocks", "1"]):
        second = program(words, environment(ledger), tmp_path)
        assert second.returncode == 4
        assert f"another runner works on it: process {running.pid}" in second.stderr
    assert running.wait(90) == 0
    assert_accounts(ledger, database)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["deleted", "deleted with all beside it", "replaced"])
def test_a_deleted_database_is_saved_and_the_campaign_paused_until_it_is_resumed(
    tmp_path: Path, ledger: LedgerFolder, running: subprocess.Popen[bytes], how: str
) -> None:
    database, env = the_database(tmp_path), environment(ledger)
    ((before,),) = rows(database, OK)
    if how == "replaced":
        (tmp_path / "other").write_bytes(b"another file")
        (tmp_path / "other").rename(database)
    else:
        beside = ("", "-wal", "-shm") if "beside" in how else ("",)
        for part in beside:
            database.with_name(database.name + part).unlink()
    rescued = the_rescued(tmp_path)
    until(lambda: f"is saved in {rescued}, and the campaign is paused" in log(tmp_path), 5)
    until(lambda: rows(rescued, UNDER_WAY) == [(0,)])
    ((after,),) = rows(rescued, OK)
    assert after >= before
    begun = len(executions(ledger))
    time.sleep(1.5)
    assert len(executions(ledger)) == begun, "it goes on only when it is asked to"
    assert oct(rescued.stat().st_mode & 0o777) == "0o600"
    assert "small: paused" in program(["status", str(rescued)], env, tmp_path).stdout
    until(lambda: rows(rescued, DELETED) == [(1,)], 5)
    if how != "replaced":
        missing = program(["status", str(database)], env, tmp_path)
        assert missing.returncode == 4
        assert f"its content saved in {rescued}" in missing.stderr
    second = program(["run", str(rescued)], env, tmp_path)
    assert second.returncode == 4
    assert "another runner works on it" in second.stderr
    assert program(["resume", str(rescued)], env, tmp_path).returncode == 0
    assert running.wait(90) == 0, log(tmp_path)
    assert_accounts(ledger, rescued)
    assert rows(rescued, "PRAGMA journal_mode") == [("delete",)]
    assert f"done: {rescued}" in log(tmp_path)
    left = {path.name for path in tmp_path.iterdir()} - {"third-party", "small.toml", "program.log", rescued.name}
    assert left == ({database.name} if how == "replaced" else set())


@pytest.mark.slow
def test_a_rescued_database_is_what_the_campaign_file_resumes(
    tmp_path: Path, ledger: LedgerFolder, running: subprocess.Popen[bytes]
) -> None:
    the_database(tmp_path).unlink()
    rescued = the_rescued(tmp_path)
    until(lambda: rows(rescued, UNDER_WAY) == [(0,)])
    end(running)
    done = program(["run", str(tmp_path / "small.toml")], environment(ledger), tmp_path)
    assert done.returncode == 0, done.stderr
    assert_accounts(ledger, rescued)


def test_a_database_whose_folder_was_moved_is_told_of(tmp_path: Path, ledger: LedgerFolder) -> None:
    campaign = write_campaign(tmp_path, lab_campaign(ledger, nodes=1, runs=8, seconds=0.3))
    database = tmp_path / "deep" / "results" / "x.db"
    database.parent.mkdir(parents=True)
    with begun(campaign, ledger, "--db", str(database)) as running:
        until(lambda: database.exists() and rows(database, OK) > [(1,)], 30)
        database.parent.rename(tmp_path / "moved")
        until(lambda: "was moved to" in log(tmp_path), 5)
        assert running.wait(30) == 4
    moved = tmp_path / "moved" / "x.db"
    assert f"was moved to {moved}" in log(tmp_path)
    assert rows(moved, "PRAGMA journal_mode") == [("delete",)]
    assert rows(moved, UNDER_WAY) == [(0,)]


@pytest.mark.slow
def test_a_moved_database_is_told_of_and_resumed_where_it_is(
    tmp_path: Path, ledger: LedgerFolder, running: subprocess.Popen[bytes]
) -> None:
    database, env = the_database(tmp_path), environment(ledger)
    there = tmp_path / "elsewhere.db"
    database.rename(there)
    assert running.wait(30) == 4
    assert f"{database} was moved to {there} while its campaign runs" in log(tmp_path)
    assert rows(there, UNDER_WAY) == [(0,)]
    assert rows(there, "SELECT ending FROM runners") == [("failed",)]
    assert rows(there, "PRAGMA journal_mode") == [("delete",)]
    assert [path.name for path in tmp_path.glob(f"{database.name}*")] == [f"{database.name}.lab"]
    assert program(["run", str(there)], env, tmp_path).returncode == 0
    assert_accounts(ledger, there)
