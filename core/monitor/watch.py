"""Watching nodes while a campaign runs: asks each for a sample at its time, and files what they say once a second.

It has a connection of its own to each node. What the runs go over has its channels counted by the node's sshd
(MaxSessions), and is lost and made again as boots want it; nothing here may touch that. Nothing here ends a campaign
either: a node that cannot be watched is one without telemetry.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache, partial
from importlib.resources import files
from shlex import quote

from hpcvirt.core.errors import ConnectionLost, HpcvirtError, StoreUnusable
from hpcvirt.core.model import Telemetry
from hpcvirt.core.monitor.counters import Counters, Greeting, parse_counters, parse_greeting
from hpcvirt.core.monitor.rates import make_sample
from hpcvirt.core.remote.connection import NodeConnection
from hpcvirt.core.remote.dialogue import Dialogue
from hpcvirt.core.remote.job import Script
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.samples import Sample
from hpcvirt.core.store.writer import Writer
from hpcvirt.core.text import clean_line

FILED_EVERY_S = 1.0
SAMPLES_IN_A_ROW = 60
"""More pack better; the growing row is written again with each filing."""

SELDOM_S = 30.0
"""How often a node is asked for temperature, clock and logins."""

ROWS_KEPT = 100
"""Of each node, while the database cannot be written."""

ANSWER_LIMIT_S = 60.0
"""A node that swaps answers late; one that says nothing for longer is dialled anew."""

AGAIN_S = 5.0
LONGEST_AGAIN_S = 60.0
"""Pauses between two tries to watch a node."""


def monitor_script(proc: str = "/proc", sys: str = "/sys") -> Script:
    """The loop that answers. ``proc`` and ``sys``: where the node's kernel says what it says."""
    nonce = secrets.token_hex(16)
    text = f"hv_nonce={nonce}\nhv_proc={quote(proc)}\nhv_sys={quote(sys)}\n{_loop()}"
    return Script(text.encode(), nonce)


@cache
def _loop() -> str:
    lines = files("hpcvirt.core.monitor").joinpath("loop.sh").read_text(encoding="ascii").splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("#")) + "\n"


@asynccontextmanager
async def watching(
    links: Sequence[NodeConnection], telemetry: Telemetry, store: Writer, running: Collection[str]
) -> AsyncIterator[None]:
    """Watch these nodes until this is left; then the connections are closed, and so the loops have ended.

    ``running``: names of the nodes on which a benchmark runs, as it changes.
    """
    watches = [NodeWatch(link, telemetry, store, running) for link in links]
    pace_s = telemetry.interval_s / max(1, len(watches))
    # One after another: all answers at once would be a jolt to this machine, on which a screen may be.
    tasks = [asyncio.create_task(watch.watch(pace_s * place)) for place, watch in enumerate(watches)]
    tasks.append(asyncio.create_task(_file_again_and_again(store, watches)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(link.close() for link in links))
        await _file(store, watches)


async def _file_again_and_again(store: Writer, watches: Sequence[NodeWatch]) -> None:
    while True:
        await asyncio.sleep(FILED_EVERY_S)
        await _file(store, watches)


async def _file(store: Writer, watches: Sequence[NodeWatch]) -> None:
    taken = [(watch, watch.rows.take()) for watch in watches]
    rows = [(watch.node, row) for watch, told in taken for row in told]
    if not rows:
        return
    try:
        await store.do(partial(Database.file_samples, rows=rows))
    except StoreUnusable:
        # A disk that is full is for those to tell who file results.
        for watch, told in taken:
            watch.rows.give_back(told)


class Rows:
    """Samples on their way into the database: full rows that wait, and one that grows."""

    def __init__(self) -> None:
        self._full: list[tuple[Sample, ...]] = []
        self._growing: list[Sample] = []
        self._has_grown = False

    @property
    def last_ms(self) -> int:
        """When the last sample was taken."""
        return self._growing[-1].at_ms if self._growing else 0

    def add(self, sample: Sample) -> None:
        """Put a sample to the others."""
        if len(self._growing) >= SAMPLES_IN_A_ROW:
            if self._has_grown:
                self._full.append(tuple(self._growing))
            self._growing = []
        self._growing.append(sample)
        self._has_grown = True

    def take(self) -> list[tuple[Sample, ...]]:
        """Rows to be filed: what is new, and what it has grown from."""
        taken = [*self._full, *([tuple(self._growing)] if self._has_grown else [])]
        self._full, self._has_grown = [], False
        return taken

    def give_back(self, rows: Sequence[tuple[Sample, ...]]) -> None:
        """They could not be filed; of very many the newest are kept."""
        self._full = [*rows, *self._full][-ROWS_KEPT:]


class NodeWatch:
    """Watches one node: over reboots, and over connections that are lost."""

    def __init__(self, link: NodeConnection, telemetry: Telemetry, store: Writer, running: Collection[str]) -> None:
        self.node = link.node.name
        self.rows = Rows()
        self._link = link
        self._telemetry = telemetry
        self._store = store
        self._running = running
        self._boot_id = ""
        self._before: Counters | None = None
        self._told: set[str] = set()

    async def watch(self, delay_s: float = 0.0) -> None:
        """Sample the node until cancelled."""
        await asyncio.sleep(delay_s)
        pause_s = AGAIN_S
        while True:
            # Whether the node can be reached is the runner's to say.
            with suppress(HpcvirtError):
                await self._link.connect()
                pause_s = AGAIN_S
                await self._watch_once()
            await self._link.close()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_AGAIN_S)

    async def _watch_once(self) -> None:
        """Until the connection is lost."""
        greeting = None
        try:
            async with self._link.dialogue(monitor_script(), ANSWER_LIMIT_S) as dialogue:
                async with asyncio.timeout(ANSWER_LIMIT_S):
                    greeting = parse_greeting(await dialogue.greeting())
                await self._sample_until_lost(dialogue, greeting)
        except TimeoutError:
            await self._tell(f"no answer within {ANSWER_LIMIT_S:g} s")
        except ConnectionLost as error:
            if greeting is None:
                await self._tell(error.message)
        except HpcvirtError as error:
            await self._tell(error.message)
        except Exception as error:  # noqa: BLE001 - whatever a node can bring about here must not end the watching
            await self._tell(f"{type(error).__name__}: {error}")

    async def _tell(self, why: str) -> None:
        """In the log, each reason once."""
        if why not in self._told:
            self._told.add(why)
            words = f"telemetry: {clean_line(why)}"
            await self._store.do(lambda database: database.event("warning", words, self.node))

    async def _sample_until_lost(self, dialogue: Dialogue, greeting: Greeting) -> None:
        if not greeting.boot_id or greeting.boot_id != self._boot_id:
            self._boot_id, self._before = greeting.boot_id, None
        loop = asyncio.get_running_loop()
        seldom_at = due_at = loop.time()
        while True:
            if self._telemetry.during_runs or self.node not in self._running:
                is_seldom = loop.time() >= seldom_at
                if is_seldom:
                    seldom_at = loop.time() + SELDOM_S
                await self._sample(dialogue, greeting, "all" if is_seldom else "")
            # A late answer puts the next sample off; those that were missed are not made up for.
            due_at = max(due_at + self._telemetry.interval_s, loop.time())
            await asyncio.sleep(due_at - loop.time())

    async def _sample(self, dialogue: Dialogue, greeting: Greeting, word: str) -> None:
        async with asyncio.timeout(ANSWER_LIMIT_S):
            now = parse_counters(await dialogue.ask(word))
        # This machine's clock may be set back: samples of a node stay in order all the same.
        at_ms = max(time.time_ns() // 1_000_000, self.rows.last_ms + 1)
        self.rows.add(make_sample(at_ms, now, self._before, greeting.ticks_per_s))
        self._before = now
