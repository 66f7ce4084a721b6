"""Which runner gets a node: on shells of this machine, through the channel that walkers use."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from hpcvirt.core.engine.channel import SHORT_S, NodeChannel
from hpcvirt.core.engine.seat import lease
from hpcvirt.core.engine.wishes import Wishes
from hpcvirt.core.errors import NodeHeld
from hpcvirt.core.lease import RunnerIdentity
from hpcvirt.core.model import Node
from hpcvirt.core.process import ProcessIdentity, start_ticks
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.writer import Writer
from tests.core.factories import DEAD, campaign, new_database, process
from tests.remote.test_node_lock import begin_sleeper, end_sleeper, let_lapse, lock
from tests.support.shells import LocalNode, new_seat

HERE = Path("/home/op/original.db")
DIED = process(pid=DEAD)
LIVES = process(pid=1, pid_start=start_ticks(1) or 0)
ELSEWHERE = process(host="login2.example.org", boot_id="0a1b-2c")

TWIN = process(machine="ab", boot_id="0a1b-2c")
"""Of a host that has this one's name."""
CONTAINER = process(pid_namespace="1", pid=DEAD)


class Shell:
    """Stands for the connection to a node."""

    was_in = True

    def __init__(self, place: LocalNode) -> None:
        self.node = Node("node1", "localhost", scratch=str(place.scratch))
        self._place = place

    async def connect(self) -> None:
        """It is."""

    async def run(self, script: jobs.Script, limit_s: float) -> bytes:
        """What the node answers."""
        return self._place.run(script)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Writer]:
    new_database(tmp_path / "x.db")[0].close()
    writer = await Writer.open(lambda: Database(tmp_path / "x.db"))
    yield writer
    await writer.close()


def held_by(folder: Path, who: ProcessIdentity) -> LocalNode:
    """A node that this process holds for the campaign."""
    seat = new_seat()
    line = RunnerIdentity(who, seat.nonce, "1:2", str(HERE)).line
    place = LocalNode(folder, seat=dataclasses.replace(seat, runner=line))
    place.look()
    return place


def of(place: LocalNode) -> LocalNode:
    """The same campaign's next runner: on the same database, or on a copy of it."""
    return LocalNode(place.folder, seat=dataclasses.replace(place.seat, nonce="0123456789abcdef", runner=""))


async def take(store: Writer, place: LocalNode) -> None:
    link = cast("Any", Shell(place))
    channel = NodeChannel(campaign(), store, Wishes(store), link)
    await lease(lambda script: channel.again(lambda: link.run(script, SHORT_S)), store, link.node, place.seat)


async def test_the_place_of_a_runner_that_is_proved_dead_is_taken_at_once(tmp_path: Path, store: Writer) -> None:
    later = of(held_by(tmp_path, DIED))
    await take(store, later)
    assert lock(later).name.endswith(".0123456789abcdef")


@pytest.mark.parametrize("who", [LIVES, ELSEWHERE, TWIN, CONTAINER])
async def test_a_runner_that_may_live_is_named_with_its_host_and_database(
    tmp_path: Path, store: Writer, who: ProcessIdentity
) -> None:
    first = held_by(tmp_path, who)
    with pytest.raises(NodeHeld) as refused:
        await take(store, of(first))
    assert f"held by process {who.pid} on {who.host}, which works on this campaign in {HERE}" in refused.value.message
    assert f"Resume in {HERE}" in refused.value.hint
    assert lock(first).name.endswith(first.seat.nonce)


async def test_of_a_runner_elsewhere_the_place_is_free_when_its_lock_has_expired(tmp_path: Path, store: Writer) -> None:
    first = held_by(tmp_path, ELSEWHERE)
    let_lapse(first)
    await take(store, of(first))


async def test_another_campaign_s_lock_names_its_operator_and_is_never_taken(tmp_path: Path, store: Writer) -> None:
    held_by(tmp_path, DIED)
    with pytest.raises(NodeHeld, match="node1 is held by node1's operator"):
        await take(store, LocalNode(tmp_path))


@pytest.mark.parametrize("is_lapsed", [False, True])
async def test_a_database_that_lacks_what_runs_is_refused_and_leaves_it_alone(
    tmp_path: Path, store: Writer, is_lapsed: bool
) -> None:
    first = held_by(tmp_path, DIED)
    one, launch = begin_sleeper(first)
    if is_lapsed:
        let_lapse(first)
    with pytest.raises(NodeHeld, match="that this database does not have, begun by process"):
        await take(store, of(first))
    assert launch.poll() is None
    assert first.held == [first.seat.name]
    assert end_sleeper(first, one, launch) is jobs.JobState.ENDED


async def test_a_database_that_knows_what_runs_gets_the_node(tmp_path: Path, store: Writer) -> None:
    first = held_by(tmp_path, DIED)
    one, launch = begin_sleeper(first)
    await store.do(lambda database: database.begin_attempt(one.attempt, 1))
    later = of(first)
    await take(store, later)
    assert launch.poll() is None
    assert end_sleeper(later, one, launch) is jobs.JobState.ENDED
