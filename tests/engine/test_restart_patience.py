"""What a node was before a restart of the runner is known to the next one: it is waited for as before."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hpcvirt.core.config import read_campaign
from hpcvirt.core.engine.begin import begin
from hpcvirt.core.engine.runner import run_campaign
from hpcvirt.core.model import Status
from hpcvirt.core.store import bringups
from hpcvirt.core.store.database import Database
from tests.core.factories import do_run, ended
from tests.store.test_database import rows

CAMPAIGN = """
[campaign]
name = "left"
[design]
runs = 1
blocks = 1
[analysis]
baseline = "one"
[connection]
patience = 4
[[node]]
name = "n1"
host = "127.0.0.1"
port = 1
[[kernel]]
name = "one"
[[benchmark]]
plugin = "command"
parameters = { argv = "true" }
"""


@pytest.fixture(params=["nothing listens", "its SSH configuration is wrong"])
def trouble(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Why the node cannot be reached."""
    monkeypatch.setattr("hpcvirt.core.remote.patience.FIRST_PATIENCE_S", 0.6)

    def wrong(*told: object) -> None:
        raise ValueError("its SSH configuration is wrong")

    if "wrong" in request.param:
        monkeypatch.setattr("hpcvirt.core.remote.connection.resolve", wrong)
    return str(request.param)


def leave_under_way(database: Database) -> None:
    do_run(database, 1, "ab12cd34ab12cd34", None)


def end_attempt(database: Database) -> None:
    do_run(database, 1, "ab12cd34ab12cd34", ended(Status.LOST))


def prove(database: Database) -> None:
    database.boot_proved(1, {}, {}, rebooted=False)


def order(database: Database) -> None:
    tried = bringups.order(database, 1, "b-1", "nonce")
    bringups.reach(database, tried.id, bringups.Step.FAILED, "why")


def campaign_after(folder: Path, before: Callable[[Database], object]) -> Path:
    """What is in the database when a runner has restarted and could not reach its node."""
    (folder / "left.toml").write_text(CAMPAIGN)
    file, path = read_campaign(folder / "left.toml"), folder / "left.db"
    begin(file, folder, path)
    database = Database(path)
    before(database)
    database.close()
    assert run_campaign(file, path).exit_code == 4
    return path


@pytest.mark.parametrize("before", [leave_under_way, end_attempt, prove, order])
def test_a_node_that_was_reached_before_a_restart_is_waited_for_up_to_patience(
    tmp_path: Path, before: Callable[[Database], object], trouble: str
) -> None:
    path = campaign_after(tmp_path, before)
    assert rows(path, "SELECT count(*) FROM events WHERE message LIKE '%; waiting for it, up to 4 s'") == [(1,)]
    ((why,),) = rows(path, "SELECT detail FROM nodes WHERE state = 'set aside'")
    waited = re.search(r"\(waited for (\d+) s\)$", str(why))
    assert trouble in str(why)
    assert waited is not None, why
    assert 2 <= int(waited[1]) <= 4


def test_a_node_that_was_never_reached_is_a_stranger(tmp_path: Path, trouble: str) -> None:
    path = campaign_after(tmp_path, lambda database: None)
    ((why,),) = rows(path, "SELECT detail FROM nodes WHERE state = 'set aside'")
    assert trouble in str(why)
    waits = rows(path, "SELECT message FROM events WHERE message LIKE '%; waiting for it, up to %'")
    assert len(waits) == ("listens" in trouble)
    assert all(str(message).endswith("up to 0.6 s") for (message,) in waits)
