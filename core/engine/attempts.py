"""Attempts on one node: begun in the store, launched, collected after a lost connection, ended, judged and filed."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from hpcvirt.core.benchmark import Command, load
from hpcvirt.core.engine.artifacts import FrozenFiles, is_harmless
from hpcvirt.core.engine.channel import SHORT_S, NodeChannel
from hpcvirt.core.engine.company import Company, OnNode
from hpcvirt.core.engine.ground import Ground, told
from hpcvirt.core.engine.judge import Launched, judge
from hpcvirt.core.engine.spools import Spools
from hpcvirt.core.engine.wishes import Interrupted
from hpcvirt.core.errors import (
    BenchmarkBroken,
    HpcvirtError,
    NodeHeld,
    NodeUnusable,
)
from hpcvirt.core.launcher import SCRIPT, Launch, Place, launch, spread, take_ranks
from hpcvirt.core.model import Expect, Kernel, Run, Status
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.connection import NodeConnection
from hpcvirt.core.store.database import Database, Ended, OpenAttempt
from hpcvirt.core.store.reparses import parser_of

END_S = 60.0
LEAVE_S = 20.0
LOCK_RENEWED_S = jobs.LEASE_S / 3
STOOD_STILL_S = 5.0
"""Whoever sees so much later that a limit is over cannot say for how long a run was under way."""


@dataclass(frozen=True, slots=True)
class Order:
    """One run, and what must be known to execute and to judge it."""

    run: Run
    expect: Expect
    """Of the kernel on the node that executes it, for this boot."""
    proved: str | None
    """The boot_id with which that was proved; None: not in this life of the runner."""
    company: Company | None = None
    """All nodes, if it occupies them."""


class Attempts:
    """Of one node. Only one is under way at a time."""

    def __init__(
        self,
        ground: Ground,
        channel: NodeChannel,
        link: NodeConnection,
        seat: jobs.Seat,
        frozen: Mapping[str, FrozenFiles],
    ) -> None:
        self._ground = ground
        self._store = ground.store
        self._channel = channel
        self._link = link
        self._node = link.node
        self._frozen = frozen
        self._spools = Spools()
        self._claimed: list[str] = []
        """Attempts that never started: as long as their spool is there, a launch still on its way does nothing."""
        self.losses = 0
        """Attempts in a row that this node lost."""
        self._last_loss = ""
        self.seat = seat
        self.under_way: str | None = None
        """The attempt whose end is not filed yet."""

    async def make(self, order: Order) -> Status:
        """One more attempt of a run: how it ended. Raises what the node cannot be blamed less for."""
        run, attempt = order.run, self._spools.draw()
        command = command_of(run)
        job, launched = self._job(order, command, attempt), self._launch(order, command, attempt)
        if launched is not None:
            job = replace(job, argv=(f"./{SCRIPT}",), fresh=True, scripts=launched.scripts)
        self._mark(order, attempt)
        before = order.company.before if order.company else {}
        begin = partial(Database.begin_attempt, attempt=attempt, run=run.id, nodes_before=before)
        begin = partial(begin, launched=launched.line if launched else _called(job))
        if not await self._store.do(partial(_begun, run=run.id, begin=begin)):
            return await self._done_by_reparse(order, attempt)
        started = time.monotonic()
        past, forget = self._spools.past, self._spools.due
        script = jobs.launch(
            self._node.scratch,
            self.seat,
            job,
            run.benchmark.timeout_s,
            past=past,
            forget=forget,
            ahead=self._spools.ahead,
        )
        try:
            work = self._exchange(script, run.benchmark.timeout_s)
            reply = await self._ground.wishes.unless_unwanted(run.id, work)
        except TimeoutError:
            if time.monotonic() - started > run.benchmark.timeout_s + STOOD_STILL_S:
                # Perhaps it is only about to begin.
                await self._channel.event("warning", "this machine stood still; the run is looked for and collected")
                return await self._collect(order, attempt, run.benchmark.timeout_s)
            why = f"longer than {run.benchmark.timeout_s:g} s"
            return await self._end(order, attempt, Status.TIMEOUT, why, started)
        except Interrupted:
            return await self._end_unwanted(order, attempt, started)
        except (NodeHeld, NodeUnusable) as error:
            ended = Ended(Status.LOST, f"not started: {error.message}")
            await self._store.do(partial(Database.end_attempt, attempt=attempt, ended=ended))
            await self._note_end(order, attempt, ended)
            if not self._channel.may_pass(error):
                raise
            # The node is looked at again, which waits.
            return Status.LOST
        except HpcvirtError as error:
            if not self._channel.may_pass(error):
                raise
            await self._channel.event("warning", f"{error.message}; the run goes on there and will be collected")
            left_s = max(run.benchmark.timeout_s - (time.monotonic() - started), 1.0)
            return await self._collect(order, attempt, left_s)
        # Not within: what filing raises is about the node, and the attempt has its end by then.
        elapsed_s = time.monotonic() - started
        self._spools.done(past, forget)
        return await self._file(order, attempt, reply, elapsed_s)

    async def reach(self) -> None:
        """Be connected to a node on which an attempt may be under way, with the patience that collecting it has."""
        connect, wishes = self._link.connect, self._ground.wishes
        await self._channel.insist(lambda: wishes.unless_aborted(connect()), is_abortable=True)

    async def collect(self, order: Order, attempt: OpenAttempt) -> Status:
        """What an earlier life of the runner left under way."""
        await self._channel.event("info", f"{told(order.run)}: begun by an earlier runner, and now collected")
        status = await self._collect(order, attempt.id, order.run.benchmark.timeout_s - _passed_s(attempt))
        for each in self._occupied(order):
            # Lost with the runner, not by a node.
            each.losses = 0
        return status

    def refuse_losses(self) -> None:
        """Raises NodeUnreachable when the node lost too many attempts in a row."""
        self._channel.refuse_too_many(self.losses, "attempts", self._last_loss)

    def note_end(self, ended: Ended, leader: str) -> None:
        """An attempt that occupied the node, and was led by that one, has ended."""
        if ended.status is not Status.LOST:
            self.losses = 0
        elif self.name in (ended.blamed or (leader,)):
            self.losses += 1
            self._last_loss = ended.reason

    async def note_filed(self, node: str) -> None:
        """Spools that an earlier life left: those of attempts of ``node`` whose end is in the database may go."""
        filed = set(await self._store.do(lambda database: database.ended_attempts(node)))
        if filed:
            script = jobs.look(self._node.scratch)
            for left in sorted(jobs.parse_look(script, await self._channel.run(script)).spools & filed):
                self._spools.add(left)

    async def make_ready(self, kernel: Kernel, limit_s: float) -> jobs.Witness:
        """For a run that occupies this node too, wherever it is led: locked, clean, and what it is now."""
        past, probe = self._spools.past, _probe(kernel)
        script = jobs.make_ready(self._node.scratch, self.seat, kernel.wrap, kernel.env, probe, limit_s, past)
        witness = jobs.parse_witness(script, await self._channel.run(script))
        self._spools.done(past, ())
        await self._tell_cleaned(witness.cleaned, "earlier runs")
        return witness

    async def clear(self, kernel: Kernel, attempt: str) -> jobs.Witness:
        """After such a run. Raises what the connection raises, and NodeUnusable when processes cannot be ended."""
        script = jobs.clear(self._node.scratch, attempt, self.seat, kernel.wrap, kernel.env, _probe(kernel))

        async def cleared() -> jobs.Witness:
            return jobs.parse_witness(script, await self._link.run(script, END_S))

        witness = await self._channel.insist(cleared, self._patience_s)
        await self._tell_cleaned(witness.cleaned, "the run")
        if witness.left:
            raise _unkillable(self._node.name)
        return witness

    async def hold(self) -> None:
        """Put off the end of the node's lock, while nothing runs: a launch does so by itself."""
        if self.under_way is None:
            with suppress(HpcvirtError, TimeoutError):
                await self._link.run(jobs.hold(self._node.scratch, self.seat), SHORT_S)

    async def keep_held(self) -> None:
        """Hold it for as long as this is awaited."""
        while True:
            await asyncio.sleep(LOCK_RENEWED_S)
            await self.hold()

    async def leave(self) -> None:
        """Give the node free, unless a run of ours is still there: then its lock ends some time after it."""
        if self.under_way is None:
            with suppress(HpcvirtError, TimeoutError):
                spools = (*self._spools.filed, *self._claimed)
                script = jobs.forget(self._node.scratch, spools, seat=self.seat)
                if left := jobs.parse_done(script, await self._link.run(script, LEAVE_S)):
                    told = f"processes of the campaign cannot be ended: {left.removeprefix('left ')}; reboot the node"
                    await self._channel.event("error", told)

    def place(self, boot_id: str, kernel: str, ranks: int) -> Place:
        """This node for a launcher."""
        return Place(self._node.name, self._node.called_by_others(kernel), self.seat.name, boot_id, ranks)

    @property
    def times_connected(self) -> int:
        """Another number later says that the connection was lost in between."""
        return self._link.times_made

    @property
    def name(self) -> str:
        """The node's."""
        return self._node.name

    @property
    def _patience_s(self) -> float:
        return END_S if self._ground.wishes.aborting.is_set() else self._ground.campaign.connecting.patience_s

    # -- one attempt

    def _occupied(self, order: Order) -> Sequence[OnNode]:
        return order.company.members if order.company else (self,)

    def _mark(self, order: Order, attempt: str | None) -> None:
        for each in self._occupied(order):
            each.under_way = attempt
            if attempt is None:
                self._ground.running.discard(each.name)
            else:
                self._ground.running.add(each.name)

    async def _exchange(self, script: jobs.Script, limit_s: float) -> jobs.Reply:
        return jobs.parse_reply(script, await self._link.run(script, limit_s))

    def _places(self, order: Order, ranks: int, proved: str) -> list[Place]:
        """Where its processes are to be. ``proved``: the boot_id of the only node, where it is not one of all."""
        run = order.run
        if order.company is not None:
            boot_ids = [(each, order.company.boot_id(each.name)) for each in order.company.members]
        else:
            boot_ids = [(self, proved)]
        spreaded = spread(ranks, len(boot_ids), run.benchmark.ranks_per_node)
        return [
            each.place(boot_id, run.boot.kernel, count)
            for (each, boot_id), count in zip(boot_ids, spreaded, strict=True)
        ]

    def _job(self, order: Order, command: Command, attempt: str) -> jobs.Job:
        kernel = self._ground.kernel(order.run.boot.kernel)
        job = jobs.Job(
            attempt=attempt,
            folder=self._frozen[order.run.benchmark.label].folder,
            argv=command.argv,
            env={**kernel.env, **command.env},
            wrap=kernel.wrap,
            probe=_probe(kernel),
            fresh=command.fresh,
            files=command.files,
            fetch=command.fetch,
        )
        if order.company is None:
            return job
        # Identity is read apart, on every node; of a launcher only what it starts is within the wrap.
        return replace(job, wrap=() if command.ranks else kernel.wrap, probe=None)

    def _launch(self, order: Order, command: Command, attempt: str) -> Launch | None:
        """None: it is started as it is. What runs on this node alone is within the wrap, launcher and all."""
        if not command.ranks:
            return None
        kernel = self._ground.kernel(order.run.boot.kernel)
        wrap, env = (kernel.wrap, kernel.env) if order.company else ((), {})
        places = self._places(order, command.ranks, order.proved or "")
        return launch(self._ground.campaign.launcher, places, command, wrap, env, attempt)

    async def _collect(self, order: Order, attempt: str, limit_s: float) -> Status:
        """Find out what became of an attempt whose connection is gone, waiting for it if it still runs."""
        run = order.run
        self._mark(order, attempt)
        await self._channel.state("collecting", run.benchmark.label)
        script = jobs.collect(self._node.scratch, attempt, self.seat)
        wishes, give_up_at = self._ground.wishes, time.monotonic() + limit_s

        async def collected() -> jobs.Reply | None:
            """None: too late, or unwanted by now. However often the connection is lost, what runs there is not."""
            await wishes.unless_aborted(self._link.connect())
            with suppress(TimeoutError, Interrupted):
                work = self._exchange(script, max(give_up_at - time.monotonic(), 1.0))
                return await wishes.unless_unwanted(run.id, work)
            return None

        reply = await self._channel.insist(collected, is_abortable=True)
        if reply is not None:
            return await self._file(order, attempt, reply, None)
        if wishes.aborting.is_set() or wishes.is_skipped(run.id):
            return await self._end_unwanted(order, attempt, None)
        return await self._end(order, attempt, Status.TIMEOUT, f"longer than {run.benchmark.timeout_s:g} s", None)

    async def _end_unwanted(self, order: Order, attempt: str, started: float | None) -> Status:
        """End an attempt that the operator aborted or skipped. Raises Interrupted when all shall end."""
        is_abort = self._ground.wishes.aborting.is_set()
        why = "the operator aborted it" if is_abort else "the operator skipped it"
        status = await self._end(order, attempt, Status.ABORTED, why, started)
        if is_abort:
            raise Interrupted
        return status

    async def _end(self, order: Order, attempt: str, status: Status, why: str, started: float | None) -> Status:
        """End an attempt's processes; it is filed only when the node has said what became of it."""
        await self._channel.state("ending", order.run.benchmark.label)
        patience_s = END_S if status is Status.ABORTED else self._ground.campaign.connecting.patience_s
        reply = await self._ended(attempt, patience_s)
        elapsed = None if started is None else time.monotonic() - started
        filed = await self._file(order, attempt, reply, elapsed, unfinished=status, why=why)
        if reply.state is jobs.JobState.STUCK:
            raise _unkillable(self._node.name)
        return filed

    async def _ended(self, attempt: str, patience_s: float) -> jobs.Reply:
        """What the node says of an attempt that it was told to end; asked again while it does not answer."""
        script = jobs.end(self._node.scratch, attempt, self.seat)
        return await self._channel.insist(lambda: self._exchange(script, END_S), patience_s)

    async def _file(
        self,
        order: Order,
        attempt: str,
        reply: jobs.Reply,
        elapsed: float | None,
        *,
        unfinished: Status = Status.LOST,
        why: str = "",
    ) -> Status:
        run = order.run
        reply, launched = self._launched(order, attempt, reply)
        members = await order.company.cleared(attempt) if order.company else ()
        judged = partial(
            judge,
            elapsed=elapsed,
            unfinished=unfinished,
            why=why,
            proved=order.proved,
            limit_s=run.benchmark.timeout_s,
            members=members,
            launched=launched,
        )
        # Of a run on all nodes identity was read apart; here only the life that it was in is of interest.
        expect = Expect() if order.company else order.expect
        await self._tell_cleaned(reply.cleaned, "earlier runs")
        was_started = reply.state is not jobs.JobState.NEVER
        while True:
            parser = await self._store.do(partial(parser_of, benchmark=run.benchmark.label))
            parameters = parser.parameters or run.benchmark.parameters
            # A parser may take its time over megabytes: not on the loop that keeps connections alive.
            ended = await asyncio.to_thread(judged, reply, expect, load(run.benchmark.plugin), parameters)
            filing = partial(Database.end_attempt, attempt=attempt, ended=ended, reparse=parser.amendment)
            if await self._store.do(filing):
                break
        await self._note_end(order, attempt, ended, _size_bytes(reply), was_started=was_started)
        await self._compare_digest(run, ended.digest)
        return ended.status

    def _launched(self, order: Order, attempt: str, reply: jobs.Reply) -> tuple[jobs.Reply, Launched | None]:
        ranks = command_of(order.run).ranks
        # What an earlier runner began was proved by it; the run itself read in which life of the node it was.
        boot_id = order.proved or (reply.before[0].boot_id if reply.before else "")
        if not ranks or not (order.company or boot_id):
            return reply, None
        stderr, found = take_ranks(reply.stderr, attempt)
        return replace(reply, stderr=stderr), Launched(self._places(order, ranks, boot_id or ""), found)

    async def _tell_cleaned(self, count: int, of: str) -> None:
        if count:
            await self._channel.event("warning", f"{count} processes of {of} were still there, and were ended")

    async def _compare_digest(self, run: Run, digest: str) -> None:
        """Two kernels that compute different numbers are a finding of its own."""
        if not digest:
            return
        where = f"{self._node.name} under {run.boot.kernel}"
        first, there = self._ground.digests.setdefault(run.benchmark.label, (digest, where))
        if first != digest:
            await self._channel.event(
                "warning", f"{told(run)} computed {digest}, and {there} computed {first}: not the same to the bit"
            )

    async def _done_by_reparse(self, order: Order, attempt: str) -> Status:
        """Nothing is started: the run has a result since an earlier attempt was parsed again."""
        self._spools.add(attempt)
        self._mark(order, None)
        self._ground.note(order.run, Status.OK)
        await self._channel.event("info", f"{told(order.run)}: done, for a reparse made an earlier attempt ok")
        return Status.OK

    async def _note_end(
        self, order: Order, attempt: str, ended: Ended, size_bytes: int = 0, *, was_started: bool = True
    ) -> None:
        """What follows once the end is filed."""
        if was_started:
            self._spools.add(attempt, size_bytes)
        else:
            self._claimed.append(attempt)
        self._mark(order, None)
        self._ground.note(order.run, ended.status)
        if ended.status is not Status.OK:
            await self._channel.event("warning", f"{told(order.run)}: {ended.status}: {ended.reason}")
        for each in self._occupied(order):
            each.note_end(ended, leader=self.name)


def _begun(database: Database, run: int, begin: Callable[[Database], None]) -> bool:
    """False, and nothing is filed: a reparse made an earlier attempt of the run ok."""
    with database.transaction():
        if database.is_ok(run):
            return False
        begin(database)
    return True


def _called(job: jobs.Job) -> str:
    """What is executed, as a shell takes it."""
    settings = [f"{name}={shlex.quote(value)}" for name, value in job.env.items()]
    return " ".join([*settings, shlex.join([*job.wrap, *job.argv])])


def command_of(run: Run) -> Command:
    """Before anything of an attempt is filed: what a plugin does wrong here is no attempt's end.

    Raises BenchmarkBroken.
    """
    try:
        command = load(run.benchmark.plugin).command(run.benchmark.parameters)
        harmful = [name for name in (*command.files, *command.fetch) if not is_harmless(name)]
    except Exception as error:  # a third party's code may raise anything
        raise BenchmarkBroken(
            f"plugin {run.benchmark.plugin} gives no command: {type(error).__name__}: {error}",
            hint="mend or remove the plugin",
        ) from error
    if harmful:
        raise BenchmarkBroken(
            f"plugin {run.benchmark.plugin}: {harmful[0]!r} is no name of a file in a run's folder",
            hint="letters, digits, . _ + - and / within the folder; mend the plugin",
        )
    return command


def _probe(kernel: Kernel) -> str | None:
    return kernel.expect.probe.command if kernel.expect.probe else None


def _unkillable(node: str) -> NodeUnusable:
    return NodeUnusable(f"{node}: processes of an ended run cannot be killed", hint="reboot the node, then `run` again")


def _passed_s(attempt: OpenAttempt) -> float:
    """Since it was begun, by the login node's clock."""
    return max((datetime.now(UTC) - datetime.fromisoformat(attempt.started_at)).total_seconds(), 0.0)


def _size_bytes(reply: jobs.Reply) -> int:
    """What an attempt left on the node, as far as it was sent."""
    return sum(map(len, (reply.stdout, reply.stderr, *reply.files.values())))
