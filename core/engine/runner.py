"""The runner: the one process that works on a database, from its lock to its last checkpoint."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from hpcvirt.core.config import CampaignFile
from hpcvirt.core.engine.crew import Crew
from hpcvirt.core.engine.database_guard import DatabaseGuard
from hpcvirt.core.engine.ground import Ground
from hpcvirt.core.engine.lock import runner_lock
from hpcvirt.core.engine.reboots import refuse_unconfirmed
from hpcvirt.core.engine.seat import refuse_twins, seat_of
from hpcvirt.core.engine.visits import visits_of
from hpcvirt.core.engine.walker import NodeWalker
from hpcvirt.core.engine.wishes import Interrupted, Wishes
from hpcvirt.core.errors import HpcvirtError, LabFailed
from hpcvirt.core.lab import RunningLab, start_lab
from hpcvirt.core.model import Campaign, Node, Plan
from hpcvirt.core.monitor.watch import watching
from hpcvirt.core.plan import make_plan
from hpcvirt.core.process import operator, this_process
from hpcvirt.core.remote.connection import Credentials, Handshakes, NodeConnection
from hpcvirt.core.remote.job import Seat
from hpcvirt.core.store import bringups
from hpcvirt.core.store.bringups import read_consent
from hpcvirt.core.store.database import Database, RunHistory
from hpcvirt.core.store.queries import read_frozen, read_totals
from hpcvirt.core.store.reparses import last_reparse
from hpcvirt.core.store.writer import Writer


class Ending(StrEnum):
    """How a runner's life ended, as filed."""

    DONE = "done"
    STOPPED = "stopped"
    ABORTED = "aborted"
    FAILED = "failed"


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What a runner reached."""

    ending: Ending
    given_up: int
    """Runs that got no ok attempt."""
    left: int
    """Runs not done."""
    database: Path
    """Where it is now: it may have been moved, or deleted and saved elsewhere."""
    unrestored: tuple[str, ...] = ()
    """Nodes whose default boot entry is still to be put back."""

    @property
    def exit_code(self) -> int:
        """As DESIGN.md's command line has it."""
        if self.ending is Ending.ABORTED:
            return 130
        if self.ending is Ending.STOPPED:
            return 3
        if self.ending is Ending.FAILED or self.unrestored:
            return 4
        return 1 if self.given_up else 0


def _silent(_: str) -> None:
    """For whoever has nobody to warn."""


def run_campaign(file: CampaignFile, database: Path, warn: Callable[[str], None] = _silent) -> Outcome:
    """Work on an existing database until it is done or the operator stops it.

    ``warn``: what the operator must hear of that may not be found in the database.

    SIGINT, SIGTERM and SIGHUP stop it after the runs under way; a second one aborts those.

    Raises RebootsUnconfirmed, StoreLocked, StoreUnusable, LabFailed.
    """
    refuse_unconfirmed(file.campaign, read_consent(database, operator()))
    with runner_lock(database) as take_lock:
        return asyncio.run(_live(file.campaign, database, take_lock, warn))


async def _live(
    campaign: Campaign, path: Path, take_lock: Callable[[Path], None], warn: Callable[[str], None]
) -> Outcome:
    store = await Writer.open(lambda: Database(path))
    ending = Ending.FAILED
    nonce = secrets.token_hex(8)
    try:
        runner = await store.do(lambda database: database.register_runner(this_process(), nonce))
    except BaseException:
        await store.close()
        raise
    wishes = Wishes(store)
    guard = DatabaseGuard(store, wishes, runner, take_lock, warn)
    try:
        ending = await _work(campaign, path, store, wishes, guard, nonce)
    except HpcvirtError as error:
        message = error.message
        await store.do(lambda database: database.event("error", message))
        raise
    finally:
        await store.do(lambda database: database.runner_ended(runner, ending))
        await guard.reported()
        planned, ok, given_up = await asyncio.to_thread(read_totals, store.path)
        is_finished = ok + given_up >= planned
        await store.close()
    if is_finished and campaign.lab:
        # Nothing is left there to be collected by a later life.
        await asyncio.to_thread(shutil.rmtree, lab_folder(path), ignore_errors=True)
    unrestored = (await asyncio.to_thread(read_frozen, store.path)).unrestored
    return Outcome(Ending.DONE if is_finished else ending, given_up, planned - ok - given_up, store.path, unrestored)


async def _work(
    campaign: Campaign, path: Path, store: Writer, wishes: Wishes, guard: DatabaseGuard, nonce: str
) -> Ending:
    await wishes.begin()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_signals(wishes))
        lab = await _lab(stack, campaign, path, store)
        walk = _walk_all(campaign, *nodes_and_credentials(campaign, lab), store, wishes, nonce)
        companions = [wishes.watch(), guard.watch(), *([] if lab is None else [_need(lab)])]
        is_whole = await _alongside(walk, *companions)
    if wishes.aborting.is_set():
        return Ending.ABORTED
    if guard.is_moved:
        return Ending.FAILED
    if wishes.stopping.is_set():
        return Ending.STOPPED
    return Ending.DONE if is_whole else Ending.FAILED


async def _walk_all(
    campaign: Campaign, nodes: Sequence[Node], credentials: Credentials, store: Writer, wishes: Wishes, nonce: str
) -> bool:
    """Every node side by side; a fault of one does not touch the others."""
    plan = make_plan(campaign)
    artifacts = await store.do(lambda database: database.artifacts())
    places = asyncio.Semaphore(campaign.design.at_once or len(nodes))
    consent = await store.do(partial(bringups.take_consent, origin=operator()))
    ground = Ground(campaign, store, wishes, places, artifacts, consent)
    handshakes = Handshakes(campaign.connecting.handshakes)
    uuid = await store.do(lambda database: database.uuid())
    async with AsyncExitStack() as stack:
        made = [NodeConnection(node, credentials, campaign.connecting, handshakes) for node in nodes]
        links = [await stack.enter_async_context(link) for link in made]
        try:
            await wishes.unless_stopped(refuse_twins(links))
        except Interrupted:
            return False
        runner = await store.do(lambda database: database.identity_of(this_process(), nonce))
        seats = [seat_of(campaign, uuid, node, runner) for node in nodes]
        eyes = [NodeConnection(node, credentials, campaign.connecting, handshakes) for node in nodes]
        await stack.enter_async_context(watching(eyes, campaign.telemetry, store, ground.running))
        while True:
            reparse = await store.do(last_reparse)
            is_whole = await _walk_once(ground, plan, list(zip(links, seats, strict=True)))
            # What was requeued, or lost its result by a reparse, after its node had passed by needs another round.
            is_left = wishes.take_requeued() or await store.do(last_reparse) != reparse
            if not is_left or wishes.stopping.is_set():
                return is_whole


async def _walk_once(ground: Ground, plan: Plan, places: Sequence[tuple[NodeConnection, Seat]]) -> bool:
    histories = await ground.store.do(lambda database: database.histories())
    ground.histories.clear()
    ground.histories.update(histories)
    leftovers = await ground.store.do(lambda database: database.open_attempts())
    await ground.store.do(lambda database: database.event("info", _told(plan, histories)))
    names = [link.node.name for link, _ in places]
    crew: Crew[bool] = Crew(names)
    walkers = [NodeWalker(ground, link.node, seat, link) for link, seat in places]
    for walker in walkers:
        walker.join(crew, walkers)
    visits = visits_of(plan, names)
    walks = await asyncio.gather(*(one.walk(visits[one.name], leftovers) for one in walkers), return_exceptions=True)
    for walked in walks:
        if isinstance(walked, BaseException):
            raise walked
    return all(walks)


def _told(plan: Plan, histories: dict[int, RunHistory]) -> str:
    closed = sum(history.is_closed for history in histories.values())
    return f"{len(plan.runs)} runs planned in {len(plan.boots)} boots, {closed} done"


async def _lab(stack: AsyncExitStack, campaign: Campaign, path: Path, store: Writer) -> RunningLab | None:
    """The embedded lab, if the campaign's nodes are its."""
    if not campaign.lab:
        return None
    running = await start_lab(lab_folder(path), len(campaign.nodes), keep=True)
    await stack.enter_async_context(running)
    await store.do(lambda database: database.event("info", f"embedded lab started (pid {running.lab.pid})"))
    return running


async def _alongside(walk: Coroutine[Any, Any, bool], *companions: Coroutine[Any, Any, None]) -> bool:
    """The walk's result; if a companion ends before, it is the failure that ends both."""
    walking = asyncio.ensure_future(walk)
    beside = [asyncio.ensure_future(companion) for companion in companions]
    try:
        ended, _ = await asyncio.wait({walking, *beside}, return_when=asyncio.FIRST_COMPLETED)
        for task in ended - {walking}:
            task.result()
        return walking.result()
    finally:
        for task in (walking, *beside):
            task.cancel()
        await asyncio.gather(walking, *beside, return_exceptions=True)


async def _need(lab: RunningLab) -> None:
    """Without its lab a runner would wait for nodes that cannot come back. Raises LabFailed when it ends."""
    words = await lab.ended()
    raise LabFailed(f"the embedded lab ended by itself: {words}", hint="`run` again goes on with a new one")


def nodes_and_credentials(campaign: Campaign, lab: RunningLab | None) -> tuple[Sequence[Node], Credentials]:
    """The campaign's nodes with their addresses, and what lets us in."""
    if lab is None:
        return campaign.nodes, Credentials()
    addresses = {address.name: address for address in lab.lab.nodes}
    nodes = [
        dataclasses.replace(
            node,
            host=addresses[node.name].host,
            port=addresses[node.name].port,
            user=addresses[node.name].user,
            scratch=str(lab.lab.folder / node.name / "scratch"),
        )
        for node in campaign.nodes
    ]
    return nodes, Credentials(lab.lab.client_key, lab.lab.known_hosts)


def lab_folder(database: Path) -> Path:
    """Where a campaign's embedded lab lives: beside its database, over several lives of the runner."""
    return database.with_name(database.name + ".lab")


@asynccontextmanager
async def _signals(wishes: Wishes) -> AsyncIterator[None]:
    """The first signal stops after the runs under way, the second aborts them."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    def obey() -> None:
        task = asyncio.create_task(wishes.obey("abort" if wishes.stopping.is_set() else "stop"))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    told = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in told:
        loop.add_signal_handler(number, obey)
    try:
        yield
    finally:
        for number in told:
            loop.remove_signal_handler(number)
