"""Retries, requeue and skip: on whole campaigns of the embedded lab, and the rules alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hpcvirt.core.engine.retry import is_used_up
from hpcvirt.core.model import Status
from tests.engine.test_lab_campaign import marked_processes, rows, the_database, wait_for
from tests.support.campaigns import begin_program, environment, lab_campaign, program, write_campaign
from tests.support.ledger import LedgerFolder, executions


@pytest.mark.parametrize(
    ("statuses", "retries", "used_up"),
    [
        ([], 0, False),
        (["failed"], 0, True),
        (["failed", "timeout"], 2, False),
        (["failed", "timeout", "void"], 2, True),
        (["unparsable"], 2, False),
        (["unparsable", "unparsable"], 2, True),
        (["unparsable"], 0, True),
        (["lost"] * 9 + ["aborted"] * 9, 0, False),
        (["lost", "failed", "aborted"], 1, False),
    ],
)
def test_what_uses_up_the_retries(statuses: list[str], retries: int, used_up: bool) -> None:
    assert is_used_up([Status(status) for status in statuses], retries) is used_up


def test_a_run_given_up_is_requeued_and_run_again_at_the_next_start(tmp_path: Path, ledger: LedgerFolder) -> None:
    env = environment(ledger)
    campaign = write_campaign(tmp_path, lab_campaign(ledger, nodes=1, runs=1, blocks=1, retries=0, mode="mended"))
    assert program(["run", str(campaign)], env, tmp_path).returncode == 1
    database = the_database(tmp_path)
    assert "given up" in program(["status", str(database)], env, tmp_path).stdout
    (ledger.ledgers / "mended").touch()
    asked = program(["requeue", str(database), "1"], env, tmp_path)
    assert asked.returncode == 0, asked.stderr
    assert "the next runner" in asked.stdout
    again = program(["run", str(campaign)], env, tmp_path)
    assert again.returncode == 1, "the other one stays given up"
    assert the_database(tmp_path) == database
    found = "SELECT run, status FROM attempts ORDER BY run, number"
    assert rows(database, found) == [(1, "failed"), (1, "ok"), (2, "failed")]
    refused = program(["requeue", str(database), "1"], env, tmp_path)
    assert refused.returncode == 2
    assert "is ok: its result stays" in refused.stderr
    unknown = program(["skip", str(database), "2", "99"], env, tmp_path)
    assert unknown.returncode == 2
    assert "no run 99" in unknown.stderr
    assert rows(database, "SELECT count(*) FROM wishes") == [(1,)]


@pytest.mark.slow
def test_a_run_requeued_while_the_runner_lives_is_run_again_at_the_end(tmp_path: Path, ledger: LedgerFolder) -> None:
    env = environment(ledger)
    settings = {"nodes": 1, "runs": 4, "blocks": 1, "retries": 0, "mode": "mended", "seconds": 1.0}
    running = begin_program(["run", str(write_campaign(tmp_path, lab_campaign(ledger, **settings)))], env, tmp_path)
    wait_for([(1,)], tmp_path, "SELECT count(*) > 0 FROM runs WHERE given_up_at IS NOT NULL")
    (ledger.ledgers / "mended").touch()
    given_up = rows(the_database(tmp_path), "SELECT id FROM runs WHERE given_up_at IS NOT NULL")
    words = [str(run) for (run,) in given_up]
    assert program(["requeue", str(the_database(tmp_path)), *words], env, tmp_path).returncode == 0
    running.wait(60)
    left = rows(the_database(tmp_path), "SELECT id FROM runs WHERE given_up_at IS NOT NULL")
    assert not set(given_up) & set(left)
    assert rows(the_database(tmp_path), "SELECT ending FROM runners") == [("done",)]


@pytest.mark.slow
def test_skip_ends_the_run_under_way_and_goes_on(tmp_path: Path, ledger: LedgerFolder) -> None:
    env = environment(ledger)
    settings = {"nodes": 1, "runs": 1, "blocks": 1, "mode": "first-hangs"}
    running = begin_program(["run", str(write_campaign(tmp_path, lab_campaign(ledger, **settings)))], env, tmp_path)
    wait_for([(1,)], tmp_path, "SELECT count(*) FROM attempts")
    while not executions(ledger):
        time.sleep(0.02)
    asked = program(["skip", str(the_database(tmp_path)), "1"], env, tmp_path)
    assert asked.returncode == 0, asked.stderr
    assert running.wait(60) == 1
    found = rows(the_database(tmp_path), "SELECT run, status, reason FROM attempts ORDER BY run, number")
    assert found == [(1, "aborted", "the operator skipped it"), (2, "ok", "")]
    assert marked_processes(executions(ledger)[0].attempt) == []
    ((why,),) = rows(the_database(tmp_path), "SELECT given_up_why FROM runs WHERE id = 1")
    assert str(why).startswith("skipped by ")


def test_a_node_that_loses_attempts_in_a_row_is_set_aside_and_given_free(tmp_path: Path, ledger: LedgerFolder) -> None:
    env = environment(ledger)
    campaign = write_campaign(tmp_path, lab_campaign(ledger, nodes=2, runs=1, blocks=1, mode="first-node-vanishes"))
    assert program(["run", str(campaign)], env, tmp_path).returncode == 4
    database = the_database(tmp_path)
    found = "SELECT boots.node, status, count(*) FROM attempts JOIN runs ON runs.id = run JOIN boots ON boots.id = boot"
    assert rows(database, f"{found} GROUP BY 1, 2") == [("node1", "lost", 3), ("node2", "ok", 2)]
    assert rows(database, "SELECT name, state FROM nodes") == [("node1", "set aside"), ("node2", "done")]
    ((told,),) = rows(database, "SELECT message FROM events WHERE level = 'error'")
    assert "node1 lost 3 attempts in a row" in str(told)
