"""The same small campaign over real OpenSSH: four servers on loopback."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcvirt.core.engine.judge import LOST
from hpcvirt.core.remote.job import JobState
from tests.engine.test_lab_campaign import marked_processes, rows, the_database, wait_for
from tests.support.campaigns import begin_program, environment, kill, program, ssh_campaign, write_campaign
from tests.support.ledger import LedgerFolder, assert_accounts, executions
from tests.support.sshd import SSHD, Sshd, serving

pytestmark = [
    pytest.mark.openssh,
    pytest.mark.skipif(SSHD is None, reason="sshd is not installed (apt-get install openssh-server)"),
]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Sshd]:
    with serving(tmp_path) as servers:
        yield servers


def test_a_campaign_runs_from_start_to_end(tmp_path: Path, ledger: LedgerFolder, nodes: Sshd) -> None:
    campaign = write_campaign(tmp_path, ssh_campaign(ledger, nodes.node_tables))
    done = program(["run", str(campaign)], environment(ledger, HOME=str(nodes.home)), tmp_path)
    assert done.returncode == 0, done.stderr
    assert_accounts(ledger, the_database(tmp_path))
    assert {one.node for one in executions(ledger)} == {f"node{i}" for i in range(1, 5)}
    left = [path for i in range(1, 5) for path in (nodes.home / f"scratch{i}").iterdir()]
    assert left == [], "the nodes are left as they were found"


@pytest.mark.slow
def test_killed_at_random_moments_what_the_nodes_finish_is_collected(
    tmp_path: Path, ledger: LedgerFolder, nodes: Sshd
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    # Work for longer than all four lives together: a finished campaign would be run anew.
    campaign = write_campaign(tmp_path, ssh_campaign(ledger, nodes.node_tables, runs=8, seconds=0.3))
    env = environment(ledger, HOME=str(nodes.home))
    for _ in range(4):
        running = begin_program(["run", str(campaign)], env, tmp_path)
        time.sleep(draw.uniform(0.6, 1.6))
        kill(running)
    done = program(["run", str(campaign)], env, tmp_path)
    assert done.returncode == 0, done.stderr
    database = the_database(tmp_path)
    assert_accounts(ledger, database)
    # The nodes outlive the runner: what it had started there was finished and collected, not run again.
    begun = {one.attempt for one in executions(ledger)}
    lost = {str(attempt) for (attempt,) in rows(database, "SELECT id FROM attempts WHERE status = 'lost'")}
    assert not lost & begun
    assert rows(database, "SELECT count(*) FROM attempts WHERE status NOT IN ('ok', 'lost')") == [(0,)]


def test_an_unknown_host_key_is_refused(tmp_path: Path, ledger: LedgerFolder, nodes: Sshd) -> None:
    (nodes.home / ".ssh" / "known_hosts").write_text("")
    campaign = write_campaign(tmp_path, ssh_campaign(ledger, nodes.node_tables))
    refused = program(["run", str(campaign)], environment(ledger, HOME=str(nodes.home)), tmp_path)
    assert refused.returncode == 4
    assert "host key" in refused.stderr
    assert executions(ledger) == []


PATIENT = "[connection]\nlogin_limit = 3\npatience = {patience}\n"


@pytest.mark.slow
def test_a_home_that_is_away_for_some_seconds_excludes_nobody(
    tmp_path: Path, ledger: LedgerFolder, nodes: Sshd
) -> None:
    text = ssh_campaign(ledger, PATIENT.format(patience=60) + nodes.node_tables, runs=3, blocks=1, seconds=0.5)
    running = begin_program(
        ["run", str(write_campaign(tmp_path, text))], environment(ledger, HOME=str(nodes.home)), tmp_path
    )
    wait_for([(1,)], tmp_path, "SELECT count(*) >= 4 FROM attempts WHERE status = 'ok'")
    away = (nodes.home / ".ssh").rename(nodes.home / "away")
    nodes.cut()
    waiting = "SELECT count(*) FROM events WHERE message LIKE '%; waiting for it, up to 60 s'"
    wait_for([(4,)], tmp_path, waiting)
    time.sleep(3)
    database = the_database(tmp_path)
    assert rows(database, waiting) == [(4,)], "a line for each node, not for each try"
    assert {state for (state,) in rows(database, "SELECT state FROM nodes")} == {"unreachable"}
    away.rename(nodes.home / ".ssh")
    assert running.wait(60) == 0
    assert_accounts(ledger, database)
    # What was on its way to a node when the connection was cut may never have begun.
    assert {why for (why,) in rows(database, "SELECT reason FROM attempts WHERE status <> 'ok'")} <= {
        LOST[JobState.NEVER]
    }
    assert rows(database, "SELECT count(*) FROM events WHERE message LIKE 'usable again after %'") == [(4,)]


@pytest.mark.slow
def test_a_home_that_stays_away_excludes_the_nodes_and_run_takes_them_in_again(
    tmp_path: Path, ledger: LedgerFolder, nodes: Sshd
) -> None:
    text = ssh_campaign(ledger, PATIENT.format(patience=2) + nodes.node_tables, runs=3, blocks=1, seconds=0.5)
    words, env = ["run", str(write_campaign(tmp_path, text))], environment(ledger, HOME=str(nodes.home))
    running = begin_program(words, env, tmp_path)
    wait_for([(1,)], tmp_path, "SELECT count(*) >= 4 FROM attempts WHERE status = 'ok'")
    away = (nodes.home / ".ssh").rename(nodes.home / "away")
    nodes.cut()
    assert running.wait(60) == 4
    away.rename(nodes.home / ".ssh")
    database = the_database(tmp_path)
    reasons = rows(database, "SELECT state, detail FROM nodes")
    assert all(state == "set aside" and "(waited for " in str(why) for state, why in reasons), reasons
    assert program(words, env, tmp_path).returncode == 0
    assert_accounts(ledger, database)
    assert {state for (state,) in rows(database, "SELECT state FROM nodes")} == {"done"}


@pytest.mark.slow
def test_abort_leaves_no_process_on_the_nodes(tmp_path: Path, ledger: LedgerFolder, nodes: Sshd) -> None:
    text = ssh_campaign(ledger, nodes.node_tables, runs=1, blocks=1, seconds=61, mode="fork")
    campaign = write_campaign(tmp_path, text)
    env = environment(ledger, HOME=str(nodes.home))
    running = begin_program(["run", str(campaign)], env, tmp_path)
    wait_for([(4,)], tmp_path, "SELECT count(*) FROM attempts")
    give_up_at = time.monotonic() + 10
    while len(executions(ledger)) < 4 and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert program(["abort", str(the_database(tmp_path))], env, tmp_path).returncode == 0
    assert running.wait(30) == 130
    begun = executions(ledger)
    assert len(begun) == 4
    assert [pid for one in begun for pid in marked_processes(one.attempt)] == []
