"""What watching a node costs: the loop's CPU time over real sshd, and STREAM watched against not watched.

Goals, at one sample in two seconds: the loop at most 0.2 % of a core; STREAM equivalent within 0.5 %, by our own
statistics. Runs alternate quickly, and two pairs go there and back (watched, alone, alone, watched, or the other way
round, as drawn), so that neither the machine's moods nor a drift meet one more than the other. The watching connection
is there all the time: what differs is only whether it is asked. STREAM keeps to one CPU.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import shutil
import statistics
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from scipy.stats import binom

from hpcvirt.core.benchmark import Output, load
from hpcvirt.core.model import Better, Node
from hpcvirt.core.monitor.counters import Counters, parse_counters, parse_greeting
from hpcvirt.core.monitor.watch import SELDOM_S, monitor_script
from hpcvirt.core.remote.connection import NodeConnection
from hpcvirt.core.remote.dialogue import Dialogue
from hpcvirt.core.remote.job import Script
from hpcvirt.core.stats import Comparison, Series, Settings, Unit, compare
from tests.bench.remote import at_login
from tests.clusters.netns import NetnsCluster
from tests.clusters.netns.needs import missing

INTERVAL_S = 2.0
SAMPLES = 600
PAIRS = int(os.environ.get("HPCVIRT_PAIRS", "60"))
DELTA = 0.005
GOAL = 0.002
PARAMETERS = {"array_size": 5_000_000, "ntimes": 60, "threads": 1}


def main() -> None:
    """Print both."""
    reason = missing()
    if reason:
        print(f"not measured: {reason}")
        return
    with NetnsCluster(1) as cluster, tempfile.TemporaryDirectory(prefix="hpcvirt-bench-") as folder:
        at_login(cluster, _cost(cluster))
        at_login(cluster, _stream(cluster, Path(folder)))


async def _cost(cluster: NetnsCluster) -> None:
    """Asked as quickly as it answers, with the seldom questions as seldom as they are: the cost of one sample."""
    every = round(SELDOM_S / INTERVAL_S)
    async with NodeConnection(Node("node1", "node1")) as link, link.dialogue(monitor_script(), 30) as dialogue:
        ticks_per_s = parse_greeting(await dialogue.greeting()).ticks_per_s
        before = parse_counters(await dialogue.ask("all"))
        for number in range(SAMPLES):
            answer = await dialogue.ask("" if number % every else "all")
        after = parse_counters(answer)
    for what, spent in _spent(before, after).items():
        if spent is None:
            print(f"{what}: the node does not say")
            continue
        sample_s = spent / ticks_per_s / SAMPLES
        share = sample_s / INTERVAL_S
        goal = f" (goal: at most {100 * GOAL:g} %)" if what == "loop" else ""
        print(f"{what}: {1000 * sample_s:.2f} ms CPU a sample, {100 * share:.3f} % of a core at one in 2 s{goal}")


def _spent(before: Counters, after: Counters) -> dict[str, int | None]:
    pairs = {"loop": (before.loop_ticks, after.loop_ticks), "its sshd": (before.sshd_ticks, after.sshd_ticks)}
    return {what: None if None in pair else (pair[1] or 0) - (pair[0] or 0) for what, pair in pairs.items()}


async def _stream(cluster: NetnsCluster, folder: Path) -> None:
    plugin = load("stream")
    (artifact,) = plugin.build(PARAMETERS, folder)
    shutil.copy(artifact.path, cluster.shared / "stream")
    (cluster.shared / "stream").chmod(0o755)
    drawn = random.Random(8)
    values: dict[str, list[float]] = {"watched": [], "alone": []}
    async with NodeConnection(Node("node1", "node1")) as link, _watcher() as is_watched:
        await _triad(link)  # warms up
        for _ in range(PAIRS // 2):
            there = drawn.sample(sorted(values), 2)
            for name in [*there, *reversed(there)]:
                is_watched.set() if name == "watched" else is_watched.clear()
                values[name].append(await _triad(link))
    series = [
        Series.of(
            name, "stream", "triad", found, unit="MB/s", better=Better.HIGHER,
            block=range(len(found)), boot=range(place * PAIRS, place * PAIRS + len(found)),
        )
        for place, (name, found) in enumerate(values.items())
    ]  # fmt: skip
    (row,) = compare(series, Settings(baseline="alone", delta=DELTA, unit=Unit.BLOCK))
    print(_told(row))
    print(_middle(values["watched"], values["alone"]))


def _middle(watched: list[float], alone: list[float]) -> str:
    """The median of the pairs' ratios, which no single disturbed pair moves; its interval is the sign test's."""
    changes = sorted(100 * (one / other - 1) for one, other in zip(watched, alone, strict=True))
    low = int(binom.ppf(0.025, len(changes), 0.5))
    return (
        f"median of the pairs: {statistics.median(changes):+.2f} %, "
        f"95 % CI {changes[low]:+.2f} ... {changes[-1 - low]:+.2f} %"
    )


def _told(row: Comparison) -> str:
    low, high = (None if end is None else 100 * (end - 1) for end in (row.ci_low, row.ci_high))
    interval = "no interval" if low is None or high is None else f"95 % CI {low:+.2f} ... {high:+.2f} %"
    change = "–" if row.difference_pct is None else f"{row.difference_pct:+.2f} %"
    return (
        f"STREAM triad watched against alone, {PAIRS} pairs: {change}, {interval}: {row.verdict} "
        f"(goal: equivalent within {100 * DELTA:g} %)"
    )


async def _triad(link: NodeConnection) -> float:
    """One run, by the plugin's own parser."""
    command = load("stream").command(PARAMETERS)
    words = " ".join([f"{name}={value}" for name, value in command.env.items()])
    bind = f"taskset -c {max(os.sched_getaffinity(0))} " if shutil.which("taskset") else ""
    script = Script(f"exec env {words} {bind}/shared/stream\n".encode(), secrets.token_hex(8))
    report = load("stream").parse(Output(await link.run(script, 300), b"", 0, False), PARAMETERS)
    return report.readings["triad"].normalised


@contextlib.asynccontextmanager
async def _watcher() -> AsyncIterator[asyncio.Event]:
    """As the monitor does it, on a connection of its own; asks while the event is set."""
    is_watched = asyncio.Event()

    async def ask(dialogue: Dialogue) -> None:
        while True:
            await is_watched.wait()
            await dialogue.ask("")
            await asyncio.sleep(INTERVAL_S)

    async with NodeConnection(Node("node1", "node1")) as link, link.dialogue(monitor_script(), 30) as dialogue:
        await dialogue.greeting()
        asking = asyncio.create_task(ask(dialogue))
        try:
            yield is_watched
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
