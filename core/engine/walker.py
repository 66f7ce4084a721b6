"""One node's walk through the plan: visit after visit, run after run, one at a time; alone, or with all the others."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from hpcvirt.core import boot_method as methods
from hpcvirt.core.benchmark import load
from hpcvirt.core.engine.artifacts import frozen_files, make_same
from hpcvirt.core.engine.attempts import LEAVE_S, Attempts, Order
from hpcvirt.core.engine.channel import SHORT_S, NodeChannel, unanswering
from hpcvirt.core.engine.company import Company, filed
from hpcvirt.core.engine.crew import Crew
from hpcvirt.core.engine.ground import Ground, told
from hpcvirt.core.engine.readiness import (
    Check,
    Place,
    Rebooted,
    cache_warning,
    check_programs,
    differences,
    end_preparations,
    prepare,
    refuse_differences,
    remove_benchmarks,
)
from hpcvirt.core.engine.reboots import Reboots, expect_of
from hpcvirt.core.engine.retry import PROVED_AGAIN, is_used_up
from hpcvirt.core.engine.seat import lease
from hpcvirt.core.engine.settling import settle
from hpcvirt.core.engine.visits import Part, Visit, aims, benchmarks_of
from hpcvirt.core.engine.wishes import Interrupted
from hpcvirt.core.errors import HpcvirtError, NodeHeld, NodeUnreachable, WrongKernel
from hpcvirt.core.launcher import requirements_of
from hpcvirt.core.model import ALL_NODES, Benchmark, Boot, Expect, Kernel, Node, Run, Status
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.connection import NodeConnection
from hpcvirt.core.remote.identity import Identity, mismatches, storage_mismatch
from hpcvirt.core.remote.patience import Standing
from hpcvirt.core.store import bringups
from hpcvirt.core.store.database import Database, OpenAttempt

T = TypeVar("T")


class _Blamed(Exception):
    """A node of the crew could not be made ready, and was told so."""


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
        self._frozen = frozen_files(ground.campaign, ground.artifacts, seat.campaign, node.name)
        self.attempts = Attempts(ground, self._channel, connection, seat, self._frozen)
        self._prepared: dict[str, tuple[str | None, str]] = {}
        """By label of a benchmark: boot_id and kernel for which it was made ready last."""
        self._ready: set[tuple[str, str]] = set()
        """Kernels and benchmarks for which the node was ready once."""
        self._warned: set[tuple[str | None, str, str]] = set()
        """Boot_id, kernel and benchmark of what was warned of."""
        self._was_looked_at = False
        self._is_leased = False
        self._is_refused = False
        """Another runner has the node, and what it has changed there is not ours to put back."""
        self._proved: str | None = None
        """The boot_id with which its kernel was proved."""
        self._is_in_doubt = False
        """Kernel and artifacts must be looked at again before the next attempt."""
        self._unready = 0
        """How often in a row it was not in its kernel any more when all were to begin, though proved just before."""
        self._crew: Crew[bool] = Crew([node.name])
        self._fellows: tuple[NodeWalker, ...] = (self,)
        """All of the crew, in its order."""
        self._own_boots: dict[int, Boot] = {}
        """In which boot the node is while all nodes are in that one, by its id."""

    @property
    def name(self) -> str:
        """The node's."""
        return self._node.name

    def join(self, crew: Crew[bool], fellows: Sequence[NodeWalker]) -> None:
        """Walk with these, this one among them, where the plan has runs of all nodes."""
        self._crew, self._fellows = crew, tuple(fellows)

    async def walk(self, visits: Sequence[Visit], leftovers: Mapping[str, Sequence[OpenAttempt]]) -> bool:
        """Do every run that is still to be done. False: the node was set aside, or the operator stopped.

        ``leftovers``: attempts that an earlier life of the runner left under way, by node.
        """
        self._own_boots = {part.boot.id: visit.boot for visit in visits for part in visit.parts if part.is_shared}
        keeping = asyncio.create_task(self.attempts.keep_held())
        try:
            is_whole = await self._walk(visits, leftovers)
            await self._channel.state("done" if is_whole else "stopped")
        except Interrupted:
            is_whole = False
            await self._channel.state("stopped")
        except HpcvirtError as error:
            is_whole = False
            self._is_refused = self._is_refused or isinstance(error, NodeHeld)
            await self._set_aside(error)
        except TimeoutError:
            is_whole = False
            await self._set_aside(unanswering(self._node))
        finally:
            keeping.cancel()
            await self._crew.leave(self.name)
        await self._give_back()
        return is_whole

    async def _walk(self, visits: Sequence[Visit], leftovers: Mapping[str, Sequence[OpenAttempt]]) -> bool:
        await self._channel.state("connecting")
        await self._channel.recall()
        await self._reboots.await_under_way()
        if leftovers.get(self.name) or leftovers.get(ALL_NODES):
            await self.attempts.reach()
        await self._lease(self._asked)
        await self._collect_leftovers(visits, leftovers)
        is_whole = True
        for visit in visits:
            done = await self._visit(visit)
            if done is None:
                return False
            is_whole = is_whole and done
        # What attempts have left goes when the node is given free.
        await end_preparations(self._channel, self._node, self._seat)
        await remove_benchmarks(self._channel, self._node, {one.folder for one in self._frozen.values()})
        return is_whole

    async def _visit(self, visit: Visit) -> bool | None:
        """One kernel. False: runs of all nodes are left, for somebody is missing; None: stopped."""
        shared = visit.shared
        is_together = bool(shared) and await self._together(shared[0].boot.id, partial(self._is_left, shared))
        left = [run for run in visit.own if not self._ground.is_closed(run)]
        if not left and not is_together:
            return not await self._is_left(shared)
        if not await self._ground.wishes.may_go_on():
            return None
        boot = visit.boot
        await self._store.do(lambda database: database.boot_started(boot.id))
        found = await self._prove(boot, benchmarks_of([*left, *(shared if is_together else ())]))
        await settle(self._ground.campaign, self._ground.kernel(boot.kernel), self._channel, self._link)
        for part in visit.parts:
            if part.is_shared and not is_together:
                # All were told so. Whoever has nothing else to do here has gone on, and is not to be waited for.
                continue
            if not await self._part(boot, part, found):
                return None
        await self._store.do(lambda database: database.boot_ended(boot.id))
        return not await self._is_left(shared)

    async def _part(self, boot: Boot, part: Part, found: jobs.Look) -> bool:
        """Runs of one benchmark. False: stopped before the last one."""
        if part.is_shared:
            await self._together((part.boot.id, part.runs[0].benchmark.label), partial(self._lead, part, found))
            return not self._ground.wishes.stopping.is_set()
        for run in part.runs:
            if not await self._run(run, partial(self.be_right, boot, run.benchmark), partial(self._attempt, boot, run)):
                return False
        return True

    async def _is_left(self, runs: Iterable[Run]) -> bool:
        return not all(map(self._ground.is_closed, runs))

    # -- a kernel

    async def _prove(self, boot: Boot, uses: Sequence[Benchmark], *, is_wrong: bool = False) -> jobs.Look:
        """Bring the node into the kernel, and prove it. ``is_wrong``: it was proved, and is not there any more."""
        kernel = self._ground.kernel(boot.kernel)
        await self._channel.state("proving", kernel.name)
        prove = partial(self._verify, boot, uses)
        self._expected = None
        self._note_aims(boot, uses)
        if methods.load(kernel.boot).reboots:
            bring_up = partial(self._reboots.bring_up, boot, kernel, prove, is_wrong=is_wrong)
            found = await self._channel.wait_for(bring_up)
        else:
            await self._channel.connect()
            found = await prove(kernel.expect)
        await self._file_proof(boot, found)
        return found

    async def _file_proof(self, boot: Boot, found: jobs.Look) -> None:
        rebooted = methods.load(self._ground.kernel(boot.kernel).boot).reboots
        proved = partial(Database.boot_proved, identity=filed(found.identity), environment=found.environment)
        await self._store.do(partial(proved, boot=boot.id, rebooted=rebooted))

    async def _prove_again(self, boot: Boot, use: Benchmark) -> None:
        """After an attempt that leaves the node in doubt: it is brought up anew only if it is in the wrong kernel."""
        await self._channel.state("proving", boot.kernel)
        kernel, was = self._ground.kernel(boot.kernel), self._proved
        try:
            await self._verify(boot, [use], await self._expect(boot))
        except WrongKernel:
            if not methods.load(kernel.boot).reboots:
                raise
            await self._prove(boot, [use], is_wrong=True)
        if self._proved != was:
            # It is just up again, by our order or by itself.
            await settle(self._ground.campaign, kernel, self._channel, self._link)

    async def _expect(self, boot: Boot) -> Expect:
        """What the kernel's ``expect`` says, and what this boot's own order added to it."""
        if self._expected is None or self._expected[0] != boot.id:
            tried = await self._store.do(partial(bringups.last, boot=boot.id))
            self._expected = boot.id, expect_of(self._ground.kernel(boot.kernel), tried)
        return self._expected[1]

    async def _verify(self, boot: Boot, uses: Sequence[Benchmark], expect: Expect) -> jobs.Look:
        """Lock the node, prove that it is in the kernel, and see that the artifacts are the frozen ones."""
        self._note_aims(boot, uses)
        return await self._channel.wait_for(partial(self._verified_in_place, boot, uses, expect))

    def _note_aims(self, boot: Boot, uses: Sequence[Benchmark]) -> None:
        """What was right here in this kernel before can be wrong for a while; what never was is wrong."""
        if self._ready:
            self._channel.note_standing(Standing.READY if aims(boot, uses) <= self._ready else Standing.PROVED)

    async def _verified_in_place(self, boot: Boot, uses: Sequence[Benchmark], expect: Expect) -> jobs.Look:
        """Looking at a node, and copying to it, would disturb those that share a machine or storage with it."""
        async with self._ground.places:
            for _ in range(self._ground.campaign.design.losses):
                with suppress(Rebooted):
                    return await self._verified(boot, uses, expect)
                await self._channel.event("warning", "it rebooted while it was made ready, and is looked at again")
        raise NodeUnreachable(
            f"{self.name} rebooted {self._ground.campaign.design.losses} times while it was made ready",
            hint="look at its console, then `run` again",
        )

    async def _verified(self, boot: Boot, uses: Sequence[Benchmark], expect: Expect) -> jobs.Look:
        kernel = self._ground.kernel(boot.kernel)
        self._proved = None
        if not self._was_looked_at:
            # Those of an earlier life of the runner: nothing that runs from now on was prepared by them.
            await end_preparations(self._channel, self._node, self._seat)
            self._was_looked_at = True
        frozen = {use.label: self._frozen[use.label] for use in uses}
        found = await self._look(kernel, [path for one in frozen.values() for path in one.paths])
        if found.identity.boot_id is None and found.wrap_status:
            raise WrongKernel(
                f"{self.name}: the wrap of kernel {kernel.name} did not start: {found.wrap_words}",
                hint=f"is {kernel.wrap[0]} installed there, and may this user run it?",
            )
        wrong = (*mismatches(expect, found.identity), *storage_mismatch(expect, found.environment))
        if wrong:
            raise WrongKernel(
                f"{self.name} is not in kernel {kernel.name}: {'; '.join(wrong)}",
                hint="boot the node into that kernel, or mend the kernel's `expect`",
            )
        for use in uses:
            checks = await make_same(self._channel, self._node, use.label, frozen[use.label], found.artifacts)
            await self._make_ready(boot, kernel, use, found, checks)
        self._is_in_doubt = False
        self._proved = found.identity.boot_id
        self._ready |= aims(boot, uses)
        self._channel.note_standing(Standing.READY)
        return found

    async def _make_ready(
        self, boot: Boot, kernel: Kernel, use: Benchmark, found: jobs.Look, copied: Sequence[Check]
    ) -> None:
        """The benchmark's programs and libraries are there and as elsewhere; what it wants done once per boot is.

        ``copied``: what was found of the artifacts.
        """
        place, frozen, plugin = Place(self._channel, self._node, kernel), self._frozen[use.label], load(use.plugin)
        needs = requirements_of(self._ground.campaign, use)
        checks = await check_programs(place, use.label, needs, frozen)
        artifacts = {name for name, _, _ in frozen.files}

        def compare(database: Database) -> list[str]:
            """At once with filing: nodes are made ready side by side, and one of two that differ must see the other."""
            elsewhere = database.other_artifacts(boot=boot.id, benchmark=use.label)
            programs = {name: sha256 for name, sha256 in elsewhere.items() if name not in artifacts}
            differing = differences(checks.found, programs)
            if use.may_differ or not differing:
                database.artifacts_checked(boot.id, use.label, [*copied, *checks.found])
            return differing

        warnings = [refuse_differences(self._node, kernel, use, await self._store.do(compare))]
        life = found.identity.boot_id, kernel.name
        if (*life, use.label) not in self._warned:
            self._warned.add((*life, use.label))
            warnings += [checks.warning, cache_warning(use.label, needs, found.environment)]
        if self._prepared.get(use.label) != life:
            # Within a wrap there may be another machine's boot_id, or none.
            await prepare(place, self._seat, None if kernel.wrap else life[0], plugin, use, frozen)
            self._prepared[use.label] = life
        for warning in filter(None, warnings):
            await self._channel.event("warning", warning)

    async def _look(self, kernel: Kernel, paths: Sequence[str]) -> jobs.Look:
        probe = kernel.expect.probe.command if kernel.expect.probe else None
        script = jobs.look(self._node.scratch, kernel.wrap, kernel.env, probe, paths, seat=self._seat, environment=True)
        found = jobs.parse_look(script, await self._channel.run(script))
        if not found.lock:
            await self._channel.event("warning", "it has no folder for a lock: nothing keeps other campaigns off it")
        return found

    # -- one run

    async def _run(
        self, run: Run, be_right: Callable[[], Awaitable[bool]], attempt: Callable[[], Awaitable[None]]
    ) -> bool:
        """Attempts until one is ok or the retries are used up. False: stopped before that."""
        while not self._ground.is_closed(run):
            if is_used_up(self._ground.history(run).statuses, self._ground.campaign.design.retries):
                await self._ground.give_up(run)
                await self._channel.event("error", f"{told(run)}: given up (run {run.id})")
                break
            # Not in a place of its own: a reboot would keep others from theirs.
            if not await be_right():
                return False
            async with self._ground.places:
                # Asked within: the wish may have come while this node waited for its turn.
                if not await self._ground.wishes.may_go_on():
                    return False
                await attempt()
        return True

    async def be_right(self, boot: Boot, use: Benchmark) -> bool:
        """Connected, and in its kernel as far as is known. False: stopped before that."""
        await self._channel.connect()
        # After a reboot within a visit each benchmark is made ready when its turn comes.
        if self._is_in_doubt or self._prepared.get(use.label) != (self._proved, boot.kernel):
            if not await self._ground.wishes.may_go_on():
                return False
            await self._prove_again(boot, use)
        return True

    async def _attempt(self, boot: Boot, run: Run) -> None:
        order = Order(run, await self._expect(boot), self._proved)
        self.note(await self.attempts.make(order))
        self.attempts.refuse_losses()

    def note(self, status: Status) -> None:
        """How an attempt on this node ended."""
        self._is_in_doubt = status in PROVED_AGAIN

    # -- runs of all nodes

    async def _together(self, place: Hashable, work: Callable[[], Awaitable[bool | None]]) -> bool:
        """Wait for all, have the leader do it. False: not done, for somebody is missing; or there is nothing to do."""
        await self._channel.state("waiting", "for the other nodes")
        outcome = await self._crew.together(self.name, place, work)
        if outcome is None and not self._ground.wishes.stopping.is_set() and self._crew.is_first_told():
            gone = ", ".join(self._crew.missing) or "a node"
            message = f"runs of all nodes wait: {gone} is not there; `run` again when it is"
            await self._store.do(lambda database: database.event("warning", message))
        return bool(outcome)

    async def _lead(self, part: Part, found: jobs.Look) -> bool | None:
        """The runs of one benchmark on all nodes. None: one of them could not be made ready."""
        boot = part.boot
        await self._store.do(lambda database: database.boot_started(boot.id))
        await self._file_proof(boot, found)
        try:
            for run in part.runs:
                if not await self._run(run, partial(self._all_right, run), partial(self._attempt_on_all, run)):
                    return False
        except _Blamed:
            return None
        await self._store.do(lambda database: database.boot_ended(boot.id))
        return True

    async def _all_right(self, run: Run) -> bool:
        return all(await self._of_each(lambda each: each.be_right(each.boot_of(run), run.benchmark)))

    async def _attempt_on_all(self, run: Run) -> None:
        """Nothing is begun where a node is not as it was proved: then it is looked at again."""
        ready = await self._of_each(lambda each: each.make_ready(run))
        before = {name: filed(identity) for name, identity in ready if identity is not None}
        if len(before) == len(ready):
            await self._note_all(await self.attempts.make(await self._shared(run, before)))
            await self._of_each(NodeWalker.bear_losses)

    async def _shared(self, run: Run, before: Mapping[str, Mapping[str, Any]]) -> Order:
        expects = dict(await self._of_each(lambda each: each.expect_for(run)))
        kernel = self._ground.kernel(run.boot.kernel)
        company = Company([each.attempts for each in self._fellows], kernel, expects, before)
        return Order(run, Expect(), self._proved, company)

    async def _note_all(self, status: Status) -> None:
        for each in self._fellows:
            each.note(status)

    def boot_of(self, run: Run) -> Boot:
        """In which boot the node is for a run of all nodes."""
        return self._own_boots[run.boot.id]

    async def expect_for(self, run: Run) -> tuple[str, Expect]:
        """What its identity must show for a run of all nodes."""
        return self.name, await self._expect(self.boot_of(run))

    async def make_ready(self, run: Run) -> tuple[str, Identity | None]:
        """Locked, clean, and in the kernel in which it was proved. None: it is not, and must be looked at again."""
        kernel = self._ground.kernel(run.boot.kernel)
        identity = (await self.attempts.make_ready(kernel, run.benchmark.timeout_s)).identity
        wrong = mismatches(await self._expect(self.boot_of(run)), identity)
        self._is_in_doubt = bool(wrong) or identity.boot_id != self._proved
        self._unready = self._unready + 1 if self._is_in_doubt else 0
        if self._unready >= self._ground.campaign.design.losses:
            found = "; ".join(wrong) or "it has rebooted"
            raise WrongKernel(
                f"{self.name} was proved {self._unready} times, and not in {kernel.name} when a run began: {found}",
                hint="does its probe always say the same?",
            )
        return self.name, None if self._is_in_doubt else identity

    async def bear_losses(self) -> None:
        """Raises NodeUnreachable when this node lost too many attempts in a row, of all nodes or its own."""
        self.attempts.refuse_losses()

    async def _of_each(self, work: Callable[[NodeWalker], Coroutine[Any, Any, T]]) -> list[T]:
        """On all nodes side by side. Raises _Blamed when another one failed, which finds its error where it waits."""
        found = await asyncio.gather(*(work(each) for each in self._fellows), return_exceptions=True)
        failed = [(each, one) for each, one in zip(self._fellows, found, strict=True) if isinstance(one, BaseException)]
        for each, error in failed:
            if each is self or not isinstance(error, HpcvirtError | TimeoutError):
                raise error
        for each, error in failed:
            if isinstance(error, HpcvirtError | TimeoutError):
                await self._crew.blame(each.name, error)
        if failed:
            raise _Blamed
        return [one for one in found if not isinstance(one, BaseException)]

    # -- the begin and the end of a walk

    async def _lease(self, ask: Callable[[jobs.Script], Awaitable[bytes]]) -> None:
        """Before anything of this campaign is read, collected or ended there."""
        try:
            await lease(ask, self._store, self._node, self._seat)
        except NodeHeld:
            self._is_refused = True
            raise
        self._is_leased = True

    async def _asked(self, script: jobs.Script) -> bytes:
        """A script's answer, also the one that somebody else has the node: who that is, is in it."""
        return await self._channel.again(lambda: self._link.run(script, SHORT_S))

    async def _give_back(self) -> None:
        """Put back what was changed on the node and give it free, unless it is another runner's."""
        if not self._is_leased and not self._is_refused:
            with suppress(HpcvirtError, TimeoutError):
                await self._lease(lambda script: self._link.run(script, LEAVE_S))
        if not self._is_refused:
            await self._reboots.restore()
        if self._is_leased:
            await self.attempts.leave()

    async def _collect_leftovers(self, visits: Sequence[Visit], leftovers: Mapping[str, Sequence[OpenAttempt]]) -> None:
        """What an earlier life of the runner left under way; and spools whose attempts are filed."""
        runs = {run.id: run for visit in visits for run in visit.runs}
        for attempt in leftovers.get(self.name, ()):
            run = runs[attempt.run]
            self.note(await self.attempts.collect(Order(run, await self._expect(run.boot), None), attempt))
        shared = [(runs[attempt.run], attempt) for attempt in leftovers.get(ALL_NODES, ())]
        is_leader = self.name == self._crew.leader
        if shared:
            # While it may still run nobody begins anything else.
            work = partial(self._collect_shared, shared)
            if not await self._crew.together(self.name, "leftovers", work) and is_leader:
                await work()
        for node in (self.name, ALL_NODES) if is_leader else (self.name,):
            await self.attempts.note_filed(node)

    async def _collect_shared(self, shared: Sequence[tuple[Run, OpenAttempt]]) -> bool:
        for run, attempt in shared:
            order = dataclasses.replace(await self._shared(run, attempt.nodes_before), proved=None)
            await self._note_all(await self.attempts.collect(order, attempt))
        return True

    async def _set_aside(self, error: HpcvirtError) -> None:
        await self._channel.state("set aside", error.message)
        await self._channel.event("error", f"set aside: {error.message}. {error.hint}")
