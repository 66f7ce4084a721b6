"""Bringing one node into a kernel by a reboot, step by step, each step in the store before the next is taken.

ordered (the old boot_id is read) -> gone -> back with another boot_id -> its identity is the kernel's. A new boot_id
does not prove the kernel, and one that could not be read is not another one.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import cache, partial
from importlib.resources import files
from typing import Any, TypeVar

from hpcvirt.core import alike
from hpcvirt.core import boot_method as methods
from hpcvirt.core.boot_method import NONCE, BootMethod, Remembered, Visit
from hpcvirt.core.engine.channel import SHORT_S, NodeChannel
from hpcvirt.core.engine.hearing import AWAY, Heard, failure, is_to_be_told, not_up, told_by
from hpcvirt.core.engine.wishes import Interrupted, Wishes
from hpcvirt.core.errors import (
    BootFailed,
    BootRefused,
    ConnectionLost,
    HpcvirtError,
    NodeInUse,
    NodeUnusable,
    OutputUnparsable,
    RebootsUnconfirmed,
    SshConfigWrong,
    WrongKernel,
)
from hpcvirt.core.model import ALL_NODES, Boot, Campaign, Expect, Kernel, Node
from hpcvirt.core.plan import make_plan
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.connection import NodeConnection
from hpcvirt.core.remote.patience import LOGIN
from hpcvirt.core.remote.shell import RemoteShell
from hpcvirt.core.store import bringups
from hpcvirt.core.store.bringups import Bringup, Consent, Step
from hpcvirt.core.store.writer import Writer
from hpcvirt.core.text import clean_line

POLL_LIMIT_S = 20.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
LEAVE_S = 20.0
OTHERS_SHOWN = 5

T = TypeVar("T")
Tell = Callable[[], Awaitable[Heard]]
Prove = Callable[[Expect], Awaitable[jobs.Look]]
"""Looks at the node; raises WrongKernel when it is not in the kernel."""


def rebooting(campaign: Campaign) -> tuple[Kernel, ...]:
    """The kernels that nodes are rebooted into. Raises BootMethodUnknown or BootMethodBroken."""
    return tuple(kernel for kernel in campaign.kernels if methods.load(kernel.boot).reboots)


def refuse_unconfirmed(campaign: Campaign, consent: Consent | None, why: str = "") -> None:
    """Raises RebootsUnconfirmed when the campaign reboots nodes and this operator has not said that it may.

    ``why``: what is wrong with the word that there is.
    """
    kernels = {kernel.name for kernel in rebooting(campaign)}
    if kernels and consent is None:
        nodes = ", ".join(node.name for node in campaign.nodes)
        names = ", ".join(kernel.name for kernel in campaign.kernels if kernel.name in kernels)
        visits = Counter(boot.node for boot in make_plan(campaign).boots if boot.kernel in kernels)
        times = visits[ALL_NODES] + visits[campaign.nodes[0].name]
        raise RebootsUnconfirmed(
            f"this campaign reboots {nodes} into {names}, {times} times each{why and f'; {why}'}",
            hint="if nobody else needs them: run it with --yes",
        )


class Reboots:
    """Brings one node into kernels that need a reboot, and puts back what the node boots by default."""

    def __init__(
        self,
        campaign: Campaign,
        store: Writer,
        wishes: Wishes,
        channel: NodeChannel,
        link: NodeConnection,
        seat: jobs.Seat,
        consent: Consent | None,
    ) -> None:
        self._campaign = campaign
        self._store = store
        self._wishes = wishes
        self._channel = channel
        self._link = link
        self._seat = seat
        self._consent = consent
        self._shell = RemoteShell(link)
        self._told: set[str] = set()

    @property
    def _node(self) -> Node:
        return self._link.node

    async def bring_up(self, boot: Boot, kernel: Kernel, prove: Prove, *, is_wrong: bool = False) -> jobs.Look:
        """Have the node in the kernel, proved. ``is_wrong``: it was in it and is not any more.

        What an earlier life of the runner had ordered is waited for, not ordered again. Raises WrongKernel or
        BootFailed when the retries are used up, with what was expected and what was found; NodeInUse, BootRefused,
        Interrupted, and what the proof and a connection raise.
        """
        method = methods.load(kernel.boot)
        tried = await self._store.do(partial(bringups.last, boot=boot.id))
        if tried is not None and tried.step is Step.PROVED and not is_wrong:
            with suppress(WrongKernel):
                return await prove(expect_of(kernel, tried))
        failures: list[BootFailed | WrongKernel] = []
        while True:
            if tried is None or not tried.is_open:
                if not await self._wishes.may_go_on():
                    raise Interrupted
                tried = await self._begin(boot, kernel, method, tried if failures else None)
            try:
                return await self._tried(tried, boot, kernel, method, prove)
            except (BootFailed, WrongKernel) as error:
                await self._reach(tried, Step.FAILED, error.message)
                failures.append(error)
                if len(failures) > kernel.boot_retries:
                    raise failure(failures) from error
                await self._channel.event("warning", f"{error.message}; it is ordered again")
                # Which life it came up with stands there, too.
                tried = await self._store.do(partial(bringups.last, boot=boot.id))
            except BootRefused as error:
                await self._reach(tried, Step.FAILED, error.message)
                raise

    async def await_under_way(self) -> None:
        """On resume: a node that is rebooting by our order is not unreachable but on its way."""
        tried = await self._store.do(partial(bringups.open_of, node=self._node.name))
        if tried is None or tried.step is Step.BACK:
            return
        kernel = next(one for one in self._campaign.kernels if one.name == tried.kernel)
        await self._channel.event("info", f"a reboot into {kernel.name} was ordered by an earlier runner: waiting")
        if tried.step is Step.ORDERED and await self._is_being_told(tried, kernel):
            tried = dataclasses.replace(tried, step=Step.ACCEPTED)
            await self._reach(tried, Step.ACCEPTED)
        with suppress(*AWAY):
            if tried.step is Step.ORDERED and await self._boot_id() == tried.old_boot_id:
                # Whether it was sent is not known: it is given anew, after another look at who works there.
                await self._reach(tried, Step.FAILED, "the runner ended before it was confirmed")
                return
        try:
            await self._await_new_life(tried, kernel)
        except BootFailed as error:
            await self._reach(tried, Step.FAILED, error.message)

    async def _is_being_told(self, tried: Bringup, kernel: Kernel) -> bool:
        """Whether what an earlier runner started to tell the node outlived it; it has come to its end now."""
        method = methods.load(kernel.boot)
        with suppress(*AWAY):
            earlier = self._of_method(kernel, method.await_earlier(self._shell, self._visit(tried, kernel)))
            return await self._wishes.unless_stopped(earlier)
        return False

    def _visit(self, tried: Bringup, kernel: Kernel) -> Visit:
        return Visit(self._campaign.name, kernel, tried.block, tried.old_boot_id, tried.nonce, self._seat.name)

    async def restore(self) -> None:
        """Put back what the node boots by default, if it was recorded; what cannot be is told."""
        recorded = await self._store.do(partial(bringups.defaults_to_restore, node=self._node.name))
        if not recorded:
            await self._tell_of_order()
        if not recorded or not await self._is_ours_to_restore():
            return
        for name, values in recorded.items():
            try:
                async with asyncio.timeout(LEAVE_S):
                    await methods.load(name).restore(self._shell, Remembered(values))
                await self._store.do(partial(bringups.default_restored, node=self._node.name, method=name))
            except Exception as error:  # noqa: BLE001 - a third party's method may raise anything; it is told
                words = error.message if isinstance(error, HpcvirtError) else type(error).__name__
                told = ", ".join(f"{key}={value}" for key, value in values.items())
                await self._channel.event(
                    "error", f"what it boots by default was not put back: {words}; it was {clean_line(told, 500)}"
                )

    async def _tell_of_order(self) -> None:
        """What no method can take back is waited for when the campaign goes on, and may come before that."""
        tried = await self._store.do(partial(bringups.open_of, node=self._node.name))
        if tried is not None and tried.step is not Step.BACK:
            told = f"it is given free, and may still reboot into {tried.kernel} by an order that cannot be taken back"
            await self._channel.event("warning", told)

    async def _is_ours_to_restore(self) -> bool:
        """An order that nobody awaits any more is taken back, unless the node is going down by it."""
        tried = await self._store.do(partial(bringups.open_of, node=self._node.name))
        if tried is None or tried.step is Step.BACK:
            return True
        try:
            found = await self._life_after(tried)
        except (HpcvirtError, TimeoutError) as error:
            # The order is for one boot, and that boot uses it up.
            await self._channel.event(
                "warning",
                f"it is rebooting by our order, or away ({told_by(error)}): what it boots by default is looked at when "
                "`run` goes on",
            )
            return False
        if found == tried.old_boot_id:
            why = f"it had not gone down {LEAVE_S:g} s after the runner ended: the order is taken back"
            await self._reach(tried, Step.FAILED, why)
            await self._channel.event("warning", f"{why}; it may still reboot, into what it boots by default")
        else:
            await self._reach(tried, Step.BACK, found)
        return True

    async def _life_after(self, tried: Bringup) -> str:
        """The boot_id when it has gone down, or will hardly do so any more: a shutdown answers for a while."""
        clock = asyncio.get_running_loop().time
        give_up_at = clock() + LEAVE_S
        while True:
            async with asyncio.timeout(LEAVE_S):
                found = await self._boot_id()
            if found != tried.old_boot_id or clock() > give_up_at:
                return found
            await asyncio.sleep(1.0)

    # -- one try

    async def _begin(self, boot: Boot, kernel: Kernel, method: BootMethod, before: Bringup | None) -> Bringup:
        """File a new try. The boot_id of the life that shall end is read.

        Of a node that did not come back from the try ``before`` it is known. Raises OutputUnparsable where it
        answers and cannot tell, and goes on like that.
        """
        refuse_unconfirmed(self._campaign, self._consent)
        await self._channel.state("booting", f"{kernel.name}: looking")
        try:
            old = await self._boot_id()
        except AWAY as error:
            # Who is kept from logging in knows nothing of the node: it may live, and others may work on it.
            if before is not None and not isinstance(error, (*LOGIN, OutputUnparsable)):
                # Nobody can be working there, and nothing can be read. It may be on its way by the order before.
                return await self._filed(boot, before.new_boot_id or before.old_boot_id, before.nonce)
            old = await self._channel.again(self._boot_id)
        await self._refuse_if_in_use()
        script = jobs.hold(self._node.scratch, self._seat)
        jobs.parse_done(script, await self._channel.run(script))
        await self._remember(kernel, method)
        can_mark = await self._asked(lambda: self._of_method(kernel, method.can_mark(self._shell, kernel)))
        self._refuse_alike(kernel, can_mark=can_mark)
        nonce = NONCE + secrets.token_hex(6) if can_mark else ""
        return await self._filed(boot, old, nonce)

    def _refuse_alike(self, kernel: Kernel, *, can_mark: bool) -> None:
        others = alike.proved_alike(self._campaign, kernel)
        if others and not can_mark:
            raise BootRefused(f"{self._node.name}: {alike.fault(kernel, others)}", hint=alike.HINT)

    async def _filed(self, boot: Boot, old: str, nonce: str) -> Bringup:
        return await self._store.do(partial(bringups.order, boot=boot.id, old_boot_id=old, nonce=nonce))

    async def _tried(self, tried: Bringup, boot: Boot, kernel: Kernel, method: BootMethod, prove: Prove) -> jobs.Look:
        if tried.step is not Step.BACK:
            tell = partial(self._order, tried, boot, kernel, method) if tried.step is Step.ORDERED else None
            await self._await_new_life(tried, kernel, tell)
        await self._channel.state("proving", kernel.name)
        found = await prove(expect_of(kernel, tried))
        await self._reach(tried, Step.PROVED)
        return found

    async def _order(self, tried: Bringup, boot: Boot, kernel: Kernel, method: BootMethod) -> Heard:
        """Tell the node, unless it is in another life already: an order is never given twice to two lives."""
        is_there = False
        with suppress(*AWAY):
            if await self._boot_id() != tried.old_boot_id:
                return Heard.MAYBE
            is_there = True
        if is_there:
            await self._refuse_at_last(tried)
        await self._channel.state("booting", f"{kernel.name}: ordering")
        try:
            order = method.order(self._shell, self._visit(tried, kernel))
            await self._wishes.unless_aborted(self._of_method(kernel, order))
        except (ConnectionLost, TimeoutError, OutputUnparsable) as error:
            told = f"it did not confirm the order to boot {kernel.name}: {told_by(error)}"
            await self._channel.event("info", told)
            return Heard.MAYBE
        except AWAY as error:
            await self._tell_once(f"it cannot be told to boot {kernel.name} yet: {told_by(error)}")
            return Heard.NO
        await self._reach(tried, Step.ACCEPTED)
        await self._channel.state("booting", f"{kernel.name}: ordered")
        await self._channel.event("info", f"reboot into {kernel.name} ordered (block {boot.block})")
        return Heard.YES

    async def _tell_once(self, message: str) -> None:
        """A line in the log for each cause, not for each try."""
        if message not in self._told:
            self._told.add(message)
            await self._channel.event("warning", message)

    async def _await_new_life(self, tried: Bringup, kernel: Kernel, tell: Tell | None = None) -> None:
        """Until it answers with another boot_id; who has not heard is told again.

        Raises BootFailed after the kernel's limit, Interrupted, and what ``tell`` raises.
        """
        clock = asyncio.get_running_loop().time
        heard = await tell() if tell is not None else Heard.YES
        told_at = clock()
        give_up_at = told_at + kernel.boot_limit_s
        pause_s = FIRST_PAUSE_S
        is_gone, was_connected = tried.step is Step.GONE, self._link.is_connected
        while True:
            if was_connected and not self._link.is_connected and not is_gone and heard is not Heard.NO:
                # Seen here: the next question may wait until the node is back, and never be refused.
                is_gone = await self._gone(tried, kernel)
            try:
                found = await self._wishes.unless_stopped(self._boot_id())
                seen = f"boot_id {found}, as before: it has not rebooted"
            except AWAY as error:
                found, seen = None, f"no answer: {told_by(error)}"
                await self._link.close()
                # Nobody goes down by an order that was not heard.
                is_told = heard is not Heard.NO and not isinstance(error, SshConfigWrong)
                is_gone = is_gone or (is_told and await self._gone(tried, kernel))
            if found is not None and found != tried.old_boot_id:
                return await self._back(tried, kernel, found)
            if clock() > give_up_at:
                raise not_up(self._node, kernel, tried, seen, heard)
            if tell is not None and found is not None and is_to_be_told(heard, clock() - told_at, kernel):
                heard, told_at = await tell(), clock()
                if heard is Heard.YES:
                    give_up_at = told_at + kernel.boot_limit_s
                was_connected, pause_s = self._link.is_connected, FIRST_PAUSE_S
            # All nodes come back at once: they are not asked all at once.
            await self._wishes.unless_stopped(asyncio.sleep(pause_s * random.uniform(0.5, 1.0)))  # noqa: S311 - jitter
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _gone(self, tried: Bringup, kernel: Kernel) -> bool:
        await self._reach(tried, Step.GONE)
        await self._channel.state("booting", f"{kernel.name}: gone down")
        return True

    async def _back(self, tried: Bringup, kernel: Kernel, boot_id: str) -> None:
        await self._reach(tried, Step.BACK, boot_id)
        await self._channel.state("booting", f"{kernel.name}: back")

    async def _boot_id(self) -> str:
        """What the node says. Raises OutputUnparsable when it cannot: that is nothing to compare with."""
        script = jobs.identify()
        boot_id = jobs.parse_identify(script, await self._link.run(script, POLL_LIMIT_S)).boot_id
        if boot_id is None:
            raise OutputUnparsable(
                f"{self._node.name} answers, and its boot_id cannot be read", hint="is /proc mounted there?"
            )
        return boot_id

    async def _refuse_at_last(self, tried: Bringup) -> None:
        """Of a node that did not answer before nobody has looked yet; and others may have come since."""
        try:
            await self._refuse_if_in_use()
            script = jobs.hold(self._node.scratch, self._seat)
            jobs.parse_done(script, await self._channel.run(script))
        except HpcvirtError as error:
            await self._reach(tried, Step.FAILED, error.message)
            raise

    async def _refuse_if_in_use(self) -> None:
        if self._consent is not None and self._consent.is_forced:
            return
        found = await self._asked(lambda: others(self._shell))
        if found:
            more = f" and {len(found) - OTHERS_SHOWN} more" if found[OTHERS_SHOWN:] else ""
            raise NodeInUse(
                f"{self._node.name} is not rebooted, others work on it: {'; '.join(found[:OTHERS_SHOWN])}{more}",
                hint="ask them, then `run` again; `run --force` reboots all the same",
            )

    async def _remember(self, kernel: Kernel, method: BootMethod) -> None:
        """Before the first change, and once: a later life must not take our own change for what was there."""
        recorded = await self._store.do(partial(bringups.defaults_to_restore, node=self._node.name))
        if kernel.boot in recorded:
            return
        found = await self._asked(lambda: self._of_method(kernel, method.remember(self._shell)))
        if found.values:
            filed = partial(bringups.remember_default, node=self._node.name, method=kernel.boot, values=found.values)
            await self._store.do(filed)

    async def _of_method(self, kernel: Kernel, work: Coroutine[Any, Any, T]) -> T:
        """What a boot method does. Raises BootRefused for whatever a third party's raises that is no word of ours."""
        try:
            return await work
        except (HpcvirtError, TimeoutError):
            raise
        except Exception as error:  # a third party's method may raise anything
            raise BootRefused(
                f"{self._node.name}: boot method {kernel.boot} failed: {type(error).__name__}: {error}",
                hint="mend or replace the package that it comes from",
            ) from error

    async def _asked(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Asked again when the connection is lost, as everywhere: a cut says nothing about the node."""

        async def in_time() -> T:
            async with asyncio.timeout(SHORT_S):
                return await work()

        return await self._channel.again(in_time)

    async def _reach(self, tried: Bringup, step: Step, told: str = "") -> None:
        await self._store.do(partial(bringups.reach, bringup=tried.id, step=step, told=told))


def expect_of(kernel: Kernel, tried: Bringup | None) -> Expect:
    """What a node must show after this try."""
    nonce = tried.nonce if tried is not None else ""
    return dataclasses.replace(kernel.expect, nonce=nonce or None)


async def others(shell: RemoteShell) -> list[str]:
    """Other people's sessions, and what of theirs runs on the node: a line each. Raises what a connection raises."""
    answer = await shell.ask(_others_script(), {}, SHORT_S)
    if not answer.lines("looked"):
        raise NodeUnusable(
            f"{shell.node.name} does not show who works there",
            hint="is /proc mounted with hidepid? `run --force` reboots all the same",
        )
    return [clean_line(line) for line in answer.lines("other")]


@cache
def _others_script() -> str:
    return files("hpcvirt.core.remote").joinpath("others.sh").read_text(encoding="ascii")
