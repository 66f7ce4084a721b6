"""One node's walk through the plan: boot after boot, run after run, one at a time."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import groupby

from hpcvirt.core import boot_method as methods
from hpcvirt.core.benchmark import Command, load
from hpcvirt.core.engine.artifacts import frozen_files, is_harmless, make_same
from hpcvirt.core.engine.channel import SHORT_S, NodeChannel, unanswering
from hpcvirt.core.engine.judge import judge
from hpcvirt.core.engine.readiness import (
    Check,
    Place,
    cache_warning,
    check_programs,
    differences,
    prepare,
    refuse_differences,
)
from hpcvirt.core.engine.reboots import Reboots, expect_of
from hpcvirt.core.engine.retry import PROVED_AGAIN, is_used_up
from hpcvirt.core.engine.settling import settle
from hpcvirt.core.engine.spools import Spools
from hpcvirt.core.engine.wishes import Interrupted, Wishes
from hpcvirt.core.errors import (
    BenchmarkBroken,
    ConnectionLost,
    HpcvirtError,
    NodeHeld,
    NodeUnreachable,
    NodeUnusable,
    OutputUnparsable,
    WrongKernel,
)
from hpcvirt.core.model import Benchmark, Boot, Campaign, Expect, Kernel, Node, Run, Status
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.connection import NodeConnection
from hpcvirt.core.remote.identity import mismatches, storage_mismatch
from hpcvirt.core.store import bringups
from hpcvirt.core.store.bringups import Consent
from hpcvirt.core.store.database import Database, Ended, OpenAttempt, RunHistory
from hpcvirt.core.store.writer import Writer

END_S = 60.0
LEAVE_S = 20.0
LOCK_RENEWED_S = jobs.LEASE_S / 3
PAUSE_S = 1.0
"""Between two tries to collect over a connection that is lost again and again."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What all walkers share."""

    campaign: Campaign
    store: Writer
    wishes: Wishes
    places: asyncio.Semaphore
    """One for each node that may run a benchmark at the same time."""
    artifacts: Mapping[str, Sequence[tuple[str, str, bytes]]]
    """By benchmark label: name, SHA-256, content."""
    consent: Consent | None = None
    """None: no node may be rebooted."""
    running: set[str] = field(default_factory=set)
    """Names of the nodes on which a run is under way."""

    digests: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By benchmark label: what its first run in this life of the runner computed, and where."""

    def kernel(self, name: str) -> Kernel:
        """The campaign's kernel of this name."""
        return next(kernel for kernel in self.campaign.kernels if kernel.name == name)


class NodeWalker:
    """Walks one node through its part of the plan."""

    def __init__(self, ground: Ground, node: Node, seat: jobs.Seat, connection: NodeConnection) -> None:
        self._ground = ground
        self._store = ground.store
        self._node = node
        self._seat = seat
        self._link = connection
        self._channel = NodeChannel(ground.campaign, ground.store, ground.wishes, connection)
        self._reboots = Reboots(
            ground.campaign, ground.store, ground.wishes, self._channel, connection, seat, ground.consent
        )
        self._expected: tuple[int, Expect] | None = None
        """Of the boot that was asked for last."""
        self._frozen = frozen_files(ground.campaign, ground.artifacts, f"{seat.campaign} {node.name}")
        self._histories: dict[int, RunHistory] = {}
        self._spools = Spools()
        self._claimed: list[str] = []
        """Attempts that never started: as long as their spool is there, a launch still on its way does nothing."""
        self._under_way: str | None = None
        """The attempt whose end is not filed yet."""
        self._losses = 0
        """Lost attempts in a row."""
        self._prepared: set[tuple[str | None, str, str]] = set()
        """Boot_id, kernel and benchmark of what was made ready."""
        self._proved: str | None = None
        """The boot_id with which its kernel was proved."""
        self._is_in_doubt = False
        """Kernel and artifacts must be looked at again before the next attempt."""

    async def walk(
        self, runs: Sequence[Run], histories: Mapping[int, RunHistory], open_attempts: Sequence[OpenAttempt]
    ) -> bool:
        """Do every run that is still to be done. False: the node was set aside, or the operator stopped."""
        self._histories = dict(histories)
        keeping = asyncio.create_task(self._keep_lock())
        try:
            is_whole = await self._walk(runs, open_attempts)
            await self._channel.state("done" if is_whole else "stopped")
        except Interrupted:
            is_whole = False
            await self._channel.state("stopped")
        except HpcvirtError as error:
            is_whole = False
            await self._set_aside(error)
        except TimeoutError:
            is_whole = False
            await self._set_aside(unanswering(self._node))
        finally:
            keeping.cancel()
        await self._leave()
        return is_whole

    async def _walk(self, runs: Sequence[Run], open_attempts: Sequence[OpenAttempt]) -> bool:
        await self._channel.state("connecting")
        await self._reboots.await_under_way()
        await self._collect_leftovers(open_attempts, {run.id: run for run in runs})
        for boot, members in groupby(runs, key=lambda run: run.boot):
            if not await self._boot(boot, list(members)):
                return False
        await self._clean_up()
        return True

    async def _boot(self, boot: Boot, runs: Sequence[Run]) -> bool:
        """One visit of one kernel. False: stopped before its last run."""
        left = [run for run in runs if not self._is_closed(run)]
        if not left:
            return True
        if not await self._ground.wishes.may_go_on():
            return False
        await self._store.do(lambda database: database.boot_started(boot.id))
        await self._prove(boot, left)
        await settle(self._ground.campaign, self._ground.kernel(boot.kernel), self._channel, self._link)
        for run in left:
            if not await self._run(run):
                return False
        await self._store.do(lambda database: database.boot_ended(boot.id))
        return True

    async def _prove(self, boot: Boot, runs: Sequence[Run], *, is_wrong: bool = False) -> None:
        """Bring the node into the kernel, and prove it. ``is_wrong``: it was proved, and is not there any more."""
        kernel = self._ground.kernel(boot.kernel)
        method = methods.load(kernel.boot)
        await self._channel.state("proving", kernel.name)
        prove = partial(self._verify, boot, runs)
        self._expected = None
        if method.reboots:
            found = await self._reboots.bring_up(boot, kernel, prove, is_wrong=is_wrong)
        else:
            await self._channel.connect()
            found = await prove(kernel.expect)
        identity, rebooted = dataclasses.asdict(found.identity), method.reboots
        proved = partial(Database.boot_proved, identity=identity, environment=found.environment, rebooted=rebooted)
        await self._store.do(partial(proved, boot=boot.id))

    async def _prove_again(self, run: Run) -> None:
        """After an attempt that leaves the node in doubt: it is brought up anew only if it is in the wrong kernel."""
        await self._channel.state("proving", run.boot.kernel)
        kernel, was = self._ground.kernel(run.boot.kernel), self._proved
        try:
            await self._verify(run.boot, [run], await self._expect(run.boot))
        except WrongKernel:
            if not methods.load(kernel.boot).reboots:
                raise
            await self._prove(run.boot, [run], is_wrong=True)
        if self._proved != was:
            # It is just up again, by our order or by itself.
            await settle(self._ground.campaign, kernel, self._channel, self._link)

    async def _expect(self, boot: Boot) -> Expect:
        """What the kernel's ``expect`` says, and what this boot's own order added to it."""
        if self._expected is None or self._expected[0] != boot.id:
            tried = await self._store.do(partial(bringups.last, boot=boot.id))
            self._expected = boot.id, expect_of(self._ground.kernel(boot.kernel), tried)
        return self._expected[1]

    async def _verify(self, boot: Boot, runs: Sequence[Run], expect: Expect) -> jobs.Look:
        """Lock the node, prove that it is in the kernel, and see that the artifacts are the frozen ones.

        Looking at a node, and copying to it, would disturb those that share a machine or storage with it.
        """
        async with self._ground.places:
            return await self._verified(boot, runs, expect)

    async def _verified(self, boot: Boot, runs: Sequence[Run], expect: Expect) -> jobs.Look:
        kernel = self._ground.kernel(boot.kernel)
        self._proved = None
        frozen = {run.benchmark.label: self._frozen[run.benchmark.label] for run in runs}
        found = await self._look(kernel, [path for one in frozen.values() for path in one.paths])
        if found.identity.boot_id is None and found.wrap_status:
            raise WrongKernel(
                f"{self._node.name}: the wrap of kernel {kernel.name} did not start: {found.wrap_words}",
                hint=f"is {kernel.wrap[0]} installed there, and may this user run it?",
            )
        wrong = (*mismatches(expect, found.identity), *storage_mismatch(expect, found.environment))
        if wrong:
            raise WrongKernel(
                f"{self._node.name} is not in kernel {kernel.name}: {'; '.join(wrong)}",
                hint="boot the node into that kernel, or mend the kernel's `expect`",
            )
        for label, one in frozen.items():
            checks = await make_same(self._channel, self._node, label, one, found.artifacts)
            use = next(run.benchmark for run in runs if run.benchmark.label == label)
            checks += await self._make_ready(boot, kernel, use, found)
            await self._store.do(partial(Database.artifacts_checked, boot=boot.id, benchmark=label, checks=checks))
        self._is_in_doubt = False
        self._proved = found.identity.boot_id
        return found

    async def _make_ready(self, boot: Boot, kernel: Kernel, use: Benchmark, found: jobs.Look) -> list[Check]:
        """The benchmark's programs and libraries are there and as elsewhere; what it wants done once per boot is."""
        place, frozen, plugin = Place(self._channel, self._node, kernel), self._frozen[use.label], load(use.plugin)
        needs = plugin.requires(use.parameters)
        checks = await check_programs(place, use.label, needs, frozen)
        elsewhere = await self._store.do(partial(Database.other_artifacts, boot=boot.id, benchmark=use.label))
        artifacts = {name for name, _, _ in frozen.files}
        programs = {name: sha256 for name, sha256 in elsewhere.items() if name not in artifacts}
        warnings = [refuse_differences(self._node, kernel, use, differences(checks, programs))]
        done = (found.identity.boot_id, kernel.name, use.label)
        if done not in self._prepared:
            warnings.append(cache_warning(use.label, needs, found.environment))
            await prepare(place, plugin, use, frozen)
            self._prepared.add(done)
        for warning in filter(None, warnings):
            await self._channel.event("warning", warning)
        return checks

    async def _look(self, kernel: Kernel, paths: Sequence[str]) -> jobs.Look:
        probe = kernel.expect.probe.command if kernel.expect.probe else None
        script = jobs.look(self._node.scratch, kernel.wrap, kernel.env, probe, paths, seat=self._seat, environment=True)
        found = jobs.parse_look(script, await self._channel.run(script))
        if not found.lock:
            await self._channel.event("warning", "it has no folder for a lock: nothing keeps other campaigns off it")
        return found

    async def _note_loss(self, is_lost: bool) -> None:
        self._losses = self._losses + 1 if is_lost else 0
        self._channel.refuse_too_many(self._losses, "attempts")

    async def _run(self, run: Run) -> bool:
        """Attempts until one is ok or the retries are used up. False: stopped before that."""
        while not self._is_closed(run):
            if is_used_up(self._history(run).statuses, self._ground.campaign.design.retries):
                await self._give_up(run)
                break
            await self._channel.connect()
            if self._is_in_doubt:
                # Not in a place of its own: a reboot would keep others from theirs.
                if not await self._ground.wishes.may_go_on():
                    return False
                await self._prove_again(run)
            async with self._ground.places:
                # Asked within: the wish may have come while this node waited for its turn.
                if not await self._ground.wishes.may_go_on():
                    return False
                await self._attempt(run)
        return True

    async def _attempt(self, run: Run) -> None:
        attempt = self._spools.draw()
        job = self._job(run, attempt)
        self._ground.running.add(self._node.name)
        await self._store.do(lambda database: database.begin_attempt(attempt, run.id))
        self._under_way = attempt
        started = time.monotonic()
        past, forget = self._spools.past, self._spools.due
        script = jobs.launch(
            self._node.scratch,
            self._seat,
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
            await self._end(run, attempt, Status.TIMEOUT, f"longer than {run.benchmark.timeout_s:g} s", started)
        except Interrupted:
            await self._end_unwanted(run, attempt, started)
        except (NodeHeld, NodeUnusable) as error:
            await self._file_end(run, attempt, Ended(Status.LOST, f"not started: {error.message}"))
            raise
        except (ConnectionLost, NodeUnreachable, OutputUnparsable) as error:
            await self._channel.event("warning", f"{error.message}; the run goes on there and will be collected")
            left_s = max(run.benchmark.timeout_s - (time.monotonic() - started), 1.0)
            await self._collect(run, attempt, left_s)
        else:
            # Not within: what filing raises is about the node, and the attempt has its end by then.
            elapsed_s = time.monotonic() - started
            self._spools.done(past, forget)
            await self._file(run, attempt, reply, elapsed_s)

    async def _exchange(self, script: jobs.Script, limit_s: float) -> jobs.Reply:
        return jobs.parse_reply(script, await self._link.run(script, limit_s))

    def _job(self, run: Run, attempt: str) -> jobs.Job:
        kernel = self._ground.kernel(run.boot.kernel)
        command = _command(run)
        return jobs.Job(
            attempt=attempt,
            folder=self._frozen[run.benchmark.label].folder,
            argv=command.argv,
            env={**kernel.env, **command.env},
            wrap=kernel.wrap,
            probe=kernel.expect.probe.command if kernel.expect.probe else None,
            fresh=command.fresh,
            files=command.files,
            fetch=command.fetch,
        )

    async def _collect(self, run: Run, attempt: str, limit_s: float) -> None:
        """Find out what became of an attempt whose connection is gone, waiting for it if it still runs."""
        self._under_way = attempt
        self._ground.running.add(self._node.name)
        started = time.monotonic()
        while True:
            await self._channel.state("collecting", run.benchmark.label)
            patience_s = self._ground.campaign.connecting.patience_s
            await self._ground.wishes.unless_aborted(self._link.connect_again(patience_s))
            script = jobs.collect(self._node.scratch, attempt)
            left_s = limit_s - (time.monotonic() - started)
            try:
                work = self._exchange(script, max(left_s, 1.0))
                reply = await self._ground.wishes.unless_unwanted(run.id, work)
            except TimeoutError:
                return await self._end(run, attempt, Status.TIMEOUT, f"longer than {run.benchmark.timeout_s:g} s", None)
            except Interrupted:
                return await self._end_unwanted(run, attempt, None)
            except (ConnectionLost, NodeUnreachable, OutputUnparsable) as error:
                # However often: what runs there is not lost, and its time limit holds.
                if left_s <= 0:
                    why = f"longer than {run.benchmark.timeout_s:g} s, and not collected: {error.message}"
                    return await self._end(run, attempt, Status.TIMEOUT, why, None)
                await self._channel.event("warning", f"not collected yet: {error.message}")
                await asyncio.sleep(PAUSE_S)
            else:
                return await self._file(run, attempt, reply, None)

    async def _end_unwanted(self, run: Run, attempt: str, started: float | None) -> None:
        """End an attempt that the operator aborted or skipped. Raises Interrupted when all shall end."""
        is_abort = self._ground.wishes.aborting.is_set()
        why = "the operator aborted it" if is_abort else "the operator skipped it"
        await self._end(run, attempt, Status.ABORTED, why, started)
        if is_abort:
            raise Interrupted

    async def _end(self, run: Run, attempt: str, status: Status, why: str, started: float | None) -> None:
        """End an attempt's processes; it is filed only when the node has said what became of it."""
        await self._channel.state("ending", run.benchmark.label)
        patience_s = END_S if status is Status.ABORTED else self._ground.campaign.connecting.patience_s
        reply = await self._ended(attempt, patience_s)
        elapsed = None if started is None else time.monotonic() - started
        await self._file(run, attempt, reply, elapsed, unfinished=status, why=why)
        if reply.state is jobs.JobState.STUCK:
            raise NodeUnusable(
                f"{self._node.name}: processes of an ended run cannot be killed",
                hint="reboot the node, then `run` again",
            )

    async def _ended(self, attempt: str, patience_s: float) -> jobs.Reply:
        """What the node says of an attempt that it was told to end; asked again when the connection is lost."""
        cuts = 0
        while True:
            script = jobs.end(self._node.scratch, attempt)
            await self._link.connect_again(patience_s)
            try:
                return await self._exchange(script, END_S)
            except (ConnectionLost, NodeUnreachable, OutputUnparsable) as error:
                cuts += 1
                self._channel.refuse_too_many(cuts, "answers")
                await self._channel.event("warning", f"not ended yet: {error.message}")
                await asyncio.sleep(PAUSE_S)

    async def _file(
        self,
        run: Run,
        attempt: str,
        reply: jobs.Reply,
        elapsed: float | None,
        *,
        unfinished: Status = Status.LOST,
        why: str = "",
    ) -> None:
        expect = await self._expect(run.boot)
        plugin = load(run.benchmark.plugin)
        judged = partial(
            judge,
            elapsed=elapsed,
            unfinished=unfinished,
            why=why,
            proved=self._proved,
            limit_s=run.benchmark.timeout_s,
        )
        # A parser may take its time over megabytes: not on the loop that keeps connections alive.
        ended = await asyncio.to_thread(judged, reply, expect, plugin, run.benchmark.parameters)
        if reply.cleaned:
            await self._channel.event(
                "warning", f"{reply.cleaned} processes of earlier runs were still there, and were ended"
            )
        was_started = reply.state is not jobs.JobState.NEVER
        await self._file_end(run, attempt, ended, _size_bytes(reply), was_started=was_started)
        await self._compare_digest(run, ended.digest)

    async def _compare_digest(self, run: Run, digest: str) -> None:
        """Two kernels that compute different numbers are a finding of its own."""
        if not digest:
            return
        where = f"{self._node.name} under {run.boot.kernel}"
        first, there = self._ground.digests.setdefault(run.benchmark.label, (digest, where))
        if first != digest:
            await self._channel.event(
                "warning", f"{_told(run)} computed {digest}, and {there} computed {first}: not the same to the bit"
            )

    async def _file_end(
        self, run: Run, attempt: str, ended: Ended, size_bytes: int = 0, *, was_started: bool = True
    ) -> None:
        await self._store.do(lambda database: database.end_attempt(attempt, ended))
        if was_started:
            self._spools.add(attempt, size_bytes)
        else:
            self._claimed.append(attempt)
        self._under_way = None
        self._ground.running.discard(self._node.name)
        history = self._history(run)
        is_closed = history.is_closed or ended.status is Status.OK
        self._histories[run.id] = RunHistory(is_closed, (*history.statuses, ended.status))
        self._is_in_doubt = ended.status in PROVED_AGAIN
        if ended.status is not Status.OK:
            await self._channel.event("warning", f"{_told(run)}: {ended.status}: {ended.reason}")
        await self._note_loss(ended.status is Status.LOST)

    async def _collect_leftovers(self, attempts: Sequence[OpenAttempt], runs: Mapping[int, Run]) -> None:
        """What an earlier life of the runner left under way; and spools whose attempts are filed."""
        for attempt in attempts:
            run = runs[attempt.run]
            await self._channel.event("info", f"{_told(run)}: begun by an earlier runner, and now collected")
            await self._collect(run, attempt.id, run.benchmark.timeout_s - _passed_s(attempt))
            # Lost with the runner, not by the node.
            self._losses = 0
        filed = set(await self._store.do(lambda database: database.ended_attempts(self._node.name)))
        if filed:
            script = jobs.look(self._node.scratch)
            for left in sorted(jobs.parse_look(script, await self._channel.run(script)).spools & filed):
                self._spools.add(left)

    async def _clean_up(self) -> None:
        """Remove the benchmarks from the node; what attempts have left goes when it is given free."""
        folders = {one.folder for one in self._frozen.values()}
        for folder in sorted(folders) or [""]:
            script = jobs.forget(self._node.scratch, (), folder)
            jobs.parse_done(script, await self._channel.run(script))

    async def _keep_lock(self) -> None:
        """While nothing runs: a launch puts off the lock's end by itself."""
        while True:
            await asyncio.sleep(LOCK_RENEWED_S)
            if self._under_way is None:
                with suppress(HpcvirtError, TimeoutError):
                    await self._link.run(jobs.hold(self._node.scratch, self._seat), SHORT_S)

    async def _leave(self) -> None:
        """Put back what it boots by default, and give the node free.

        Unless a run of ours is still there: then its lock ends some time after it.
        """
        await self._reboots.restore()
        if self._under_way is None:
            with suppress(HpcvirtError, TimeoutError):
                spools = (*self._spools.filed, *self._claimed)
                await self._link.run(jobs.forget(self._node.scratch, spools, seat=self._seat), LEAVE_S)

    async def _give_up(self, run: Run) -> None:
        self._histories[run.id] = dataclasses.replace(self._history(run), is_closed=True)
        await self._store.do(lambda database: database.give_up(run.id, "the retries are used up"))
        await self._channel.event("error", f"{_told(run)}: given up (run {run.id})")

    async def _set_aside(self, error: HpcvirtError) -> None:
        await self._channel.state("set aside", error.message)
        await self._channel.event("error", f"set aside: {error.message}. {error.hint}")

    def _is_closed(self, run: Run) -> bool:
        return self._history(run).is_closed or self._ground.wishes.is_skipped(run.id)

    def _history(self, run: Run) -> RunHistory:
        return self._histories.get(run.id, RunHistory())


def _passed_s(attempt: OpenAttempt) -> float:
    """Since it was begun, by the login node's clock."""
    return max((datetime.now(UTC) - datetime.fromisoformat(attempt.started_at)).total_seconds(), 0.0)


def _size_bytes(reply: jobs.Reply) -> int:
    """What an attempt left on the node, as far as it was sent."""
    return sum(map(len, (reply.stdout, reply.stderr, *reply.files.values())))


def _command(run: Run) -> Command:
    """Before anything of an attempt is filed: what a plugin does wrong here is no attempt's end."""
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


def _told(run: Run) -> str:
    kind = "warm-up run" if run.is_warmup else "run"
    return f"{run.benchmark.label} {kind} {run.number} under {run.boot.kernel}"
