"""One round of `true` on four OpenSSH nodes, side by side; and 64 embedded nodes from one runner."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

from hpcvirt.core.benchmark import load
from hpcvirt.core.config import CampaignFile, parse_campaign
from hpcvirt.core.engine.begin import begin
from hpcvirt.core.engine.judge import judge
from hpcvirt.core.engine.spools import Spools
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.connection import NodeConnection
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.writer import Writer
from tests.clusters.netns import NetnsCluster
from tests.clusters.netns.needs import missing

ROUNDS = 40
NODES = 4
LAB_NODES = 64
GOAL_MS = 15.0

CAMPAIGN = """
[campaign]
name = "bench"
[design]
runs = {runs}
blocks = 1
[analysis]
baseline = "native"
{nodes}
[[kernel]]
name = "native"
expect = {{ release = "*" }}
[[benchmark]]
plugin = "nothing"
"""

PLUGIN = """
from hpcvirt.core.benchmark import BenchmarkPlugin, Category, Command, Metric, Reading, Report
from hpcvirt.core.model import Better, Status

class Nothing(BenchmarkPlugin):
    name = "nothing"
    title = "true"
    category = Category.MICRO
    parameters = ()
    metrics = (Metric("value", "u", Better.HIGHER, primary=True),)

    def estimate_s(self, parameters):
        return 0.01

    def command(self, parameters):
        return Command(("true",))

    def parse(self, output, parameters=None):
        return Report(Status.OK, readings={"value": Reading(1.0, "u", 1.0, "u")})
"""

T = TypeVar("T")
Round = Callable[[], Awaitable[None]]


def main() -> None:
    """Print what a round costs each way, and what 64 nodes cost the runner."""
    with tempfile.TemporaryDirectory(prefix="hpcvirt-bench-") as folder:
        site = _install(Path(folder))
        sys.path.insert(0, str(site))
        reason = missing()
        if reason:
            print(f"rounds over OpenSSH: not measured, {reason}")
        else:
            _rounds(Path(folder))
        _many(Path(folder), site)


def _install(folder: Path) -> Path:
    site = folder / "site"
    metadata = site / "hpcvirt_nothing-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "hpcvirt_nothing.py").write_text(PLUGIN)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: hpcvirt-nothing\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[hpcvirt.benchmarks]\nnothing = hpcvirt_nothing:Nothing\n")
    return site


def _rounds(folder: Path) -> None:
    with NetnsCluster(NODES) as cluster:
        times = at_login(cluster, _measured(cluster, folder))
    medians = {name: 1000 * statistics.median(found) for name, found in times.items()}
    for name, median in medians.items():
        found = sorted(times[name])
        print(f"{name:34} {median:7.1f} ms a round (p90 {1000 * found[int(0.9 * len(found))]:.1f})")
    over = medians["ours, identity and filing"] - medians["bare asyncssh"]
    print(f"ours over bare asyncssh: {over:.1f} ms (goal: at most {GOAL_MS:g}, and ahead of ControlMaster)")


def at_login(cluster: NetnsCluster, work: Coroutine[Any, Any, T]) -> T:
    """On the login node. asyncssh and our own store look into HOME, and that is a thread of this process."""
    home, os.environ["HOME"] = os.environ.get("HOME", "/"), str(cluster.client.home)
    try:
        return cluster.in_login(asyncio.run, work)
    finally:
        os.environ["HOME"] = home


async def _measured(cluster: NetnsCluster, folder: Path) -> dict[str, list[float]]:
    """Every way in turn, round by round, so that the machine's moods meet all alike."""
    times: dict[str, list[float]] = {}
    async with contextlib.AsyncExitStack() as stack:
        ways = [
            ("bare asyncssh", await _bare(stack, cluster), ROUNDS),
            ("ours, identity and filing", await _ours(stack, cluster, folder), ROUNDS),
            ("ssh with ControlMaster", await _master(stack, cluster, folder), ROUNDS),
            ("new ssh", _new(cluster), ROUNDS // 4),
        ]
        if shutil.which("clush"):
            ways.append(("clush", _clush(cluster), ROUNDS // 4))
        else:
            print("clush: not installed (apt-get install clustershell)")
        for number in range(ROUNDS + 2):
            for name, way, rounds in ways:
                if number >= rounds + 2:
                    continue
                started = time.perf_counter()
                await way()
                # The first two warm up.
                times.setdefault(name, []).extend([time.perf_counter() - started] * (number >= 2))
    return times


async def _bare(stack: contextlib.AsyncExitStack, cluster: NetnsCluster) -> Round:
    options = {"username": "root", "client_keys": [str(cluster.client.key)], "config": None, "agent_path": None}
    links = [
        await stack.enter_async_context(
            asyncssh.connect(node.name, known_hosts=str(cluster.client.known_hosts), **options)
        )
        for node in cluster.nodes
    ]

    async def way() -> None:
        await asyncio.gather(*(link.run("true", check=True) for link in links))

    return way


async def _ours(stack: contextlib.AsyncExitStack, cluster: NetnsCluster, folder: Path) -> Round:
    """What the walker does for one run: begin filed, launched, judged, its end filed and flushed."""
    tables = "".join(f'[[node]]\nname = "{node.name}"\n' for node in cluster.nodes)
    text = CAMPAIGN.format(runs=ROUNDS + 2, nodes=tables)
    told = parse_campaign(text)
    path = begin(CampaignFile("bench", text, told), folder)
    campaign = uuid.uuid4().hex
    store = await Writer.open(lambda: Database(path))
    links = [await stack.enter_async_context(NodeConnection(node)) for node in told.nodes]
    plugin = load("nothing")
    spools = {node.name: Spools() for node in told.nodes}
    runs = {node.name: iter(range(index, 10**6, NODES)) for index, node in enumerate(told.nodes)}
    ids = _run_ids(path)

    async def close() -> None:
        await store.close()

    stack.push_async_callback(close)
    for link in links:
        script = jobs.make_folder(link.node.scratch, "bench/nothing")
        await link.run(script, 10)

    async def one(link: NodeConnection) -> None:
        name = link.node.name
        mine = spools[name]
        attempt, run = mine.draw(), ids[name][next(runs[name]) // NODES]
        await store.do(lambda database: database.begin_attempt(attempt, run))
        job = jobs.Job(attempt, "bench/nothing", ("true",))
        seat = jobs.Seat(campaign, name, "make bench")
        past, forget = mine.past, mine.due
        script = jobs.launch(link.node.scratch, seat, job, 30, past=past, forget=forget, ahead=mine.ahead)
        started = time.monotonic()
        reply = jobs.parse_reply(script, await link.run(script, 30))
        ended = judge(reply, told.kernels[0].expect, plugin, {}, elapsed=time.monotonic() - started)
        assert (ended.status, ended.exit_status) == ("ok", 0), ended.reason
        await store.do(lambda database: database.end_attempt(attempt, ended))
        mine.done(past, forget)
        mine.add(attempt)

    async def way() -> None:
        await asyncio.gather(*(one(link) for link in links))

    return way


def _run_ids(path: Path) -> dict[str, list[int]]:
    import sqlite3

    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT node, runs.id FROM runs JOIN boots ON boots.id = boot ORDER BY runs.id")
        found: dict[str, list[int]] = {}
        for node, run in rows:
            found.setdefault(node, []).append(run)
    return found


async def _master(stack: contextlib.AsyncExitStack, cluster: NetnsCluster, folder: Path) -> Round:
    options = ["-o", f"ControlPath={folder}/%n", "-o", "ControlMaster=auto", "-o", "ControlPersist=600"]
    words = [["ssh", *options, node.name] for node in cluster.nodes]

    async def way() -> None:
        await asyncio.gather(*(_program([*one, "true"], cluster) for one in words))

    async def close() -> None:
        await asyncio.gather(*(_program([*one[:-1], "-O", "exit", one[-1]], cluster) for one in words))

    await way()
    stack.push_async_callback(close)
    return way


def _new(cluster: NetnsCluster) -> Round:
    async def way() -> None:
        await asyncio.gather(*(_program(["ssh", node.name, "true"], cluster) for node in cluster.nodes))

    return way


def _clush(cluster: NetnsCluster) -> Round:
    names = ",".join(node.name for node in cluster.nodes)

    async def way() -> None:
        await _program(["clush", "-w", names, "true"], cluster)

    return way


async def _program(words: list[str], cluster: NetnsCluster) -> None:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=cluster.client_env,
    )
    assert await process.wait() == 0, words


def _many(folder: Path, site: Path) -> None:
    """A campaign on 64 embedded nodes; CPU and memory of the runner alone, the lab is another process."""
    work = folder / "many"
    work.mkdir()
    runs = 20
    (work / "many.toml").write_text(CAMPAIGN.format(runs=runs, nodes=f"[lab]\nnodes = {LAB_NODES}"))
    env = os.environ | {"PYTHONPATH": str(site)}
    words = [sys.executable, "-P", "-m", "hpcvirt.tui", "run", "many.toml"]
    started = time.perf_counter()
    process = subprocess.Popen(words, cwd=work, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = cpu_s = 0.0
    while process.poll() is None:
        with contextlib.suppress(OSError, TypeError, IndexError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            most = max(most, int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024)  # type: ignore[index]
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            cpu_s = max(cpu_s, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
        time.sleep(0.05)
    took = time.perf_counter() - started
    count = LAB_NODES * runs
    print(
        f"{LAB_NODES} embedded nodes, {count} runs of `true`: exit {process.returncode}, {took:.1f} s, "
        f"runner {cpu_s:.1f} s CPU ({1000 * cpu_s / count:.1f} ms a run), {most:.0f} MiB at most"
    )
