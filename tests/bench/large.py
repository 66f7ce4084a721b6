"""A database of very many runs, as a campaign of some weeks leaves it: four nodes, four kernels, five benchmarks."""

from __future__ import annotations

import random
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hpcvirt.core.config import parse_campaign
from hpcvirt.core.model import Plan, Run
from hpcvirt.core.plan import make_plan
from hpcvirt.core.process import ProcessIdentity
from hpcvirt.core.store.creation import Frozen
from hpcvirt.core.store.database import Database

KERNELS = 4
SIZES = (1000, 2000, 3000, 4000, 5000)
METRICS = ("copy", "scale", "add", "triad")
BLOCKS = 10
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
OUTPUT = zlib.compress(b"".join(b"Function %d   Best Rate MB/s  Avg time  Min time  Max time\n" % n for n in range(40)))


def text(nodes: int, runs: int) -> str:
    """A campaign file of so many nodes and runs per kernel, benchmark and node."""
    kernels = "\n".join(f'[[kernel]]\nname = "k{number}"' for number in range(1, KERNELS + 1))
    return f"""
[campaign]
name = "large"
[design]
runs = {runs}
blocks = {BLOCKS}
[lab]
nodes = {nodes}
{kernels}
[[benchmark]]
plugin = "stream"
parameters = {{ array_size = {list(SIZES)} }}
"""


def make_database(path: Path, *, nodes: int = 4, runs: int = 50_000, done: float = 0.98) -> int:
    """Of at least so many runs, of which ``done`` are ok; how many it has."""
    told = text(nodes, -(-runs // (nodes * KERNELS * len(SIZES))))
    campaign = parse_campaign(told)
    plan = make_plan(campaign)
    Database.create(path, Frozen(campaign, plan, "large.toml", told, {})).close()
    past = plan.runs[: round(done * len(plan.runs))]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            """INSERT INTO attempts (id, run, number, status, started_at, ended_at, duration_s, elapsed_s, exit_status,
                                     boot_id, stdout, stderr)
               VALUES (?, ?, 1, 'ok', ?, ?, 29.5, 30, 0, ?, ?, ?)""",
            (_attempt(place, run) for place, run in enumerate(past)),
        )
        connection.executemany("INSERT INTO measurements VALUES (?, ?, ?, ?, 'MB/s')", _values(past))
        connection.executemany(
            "UPDATE boots SET started_at = ?, proved_at = ?, ended_at = ?, boot_id = ? WHERE id = ?", _boots(plan, past)
        )
        connection.executemany(
            "INSERT INTO events (at, level, node, message) VALUES (?, 'info', 'node1', ?)",
            ((_at(30 * place), f"event {place}") for place in range(2000)),
        )
        # On another host: a screen only looks.
        gone = ProcessIdentity("login2.example.org", "b", 4711, 1)
        connection.execute(
            "INSERT INTO runners (host, boot_id, pid, pid_start, started_at) VALUES (?, ?, ?, ?, ?)",
            (gone.host, gone.boot_id, gone.pid, gone.pid_start, _at(0)),
        )
    return len(plan.runs)


def _attempt(place: int, run: Run) -> tuple[object, ...]:
    return f"{place:032x}", run.id, _at(30 * place), _at(30 * place + 30), f"b{run.boot.id}", OUTPUT, zlib.compress(b"")


def _values(past: tuple[Run, ...]) -> Iterator[tuple[object, ...]]:
    drawn = random.Random(8)
    for place in range(len(past)):
        for metric in METRICS:
            value = drawn.gauss(12000, 100)
            yield f"{place:032x}", metric, value, value


def _boots(plan: Plan, past: tuple[Run, ...]) -> Iterator[tuple[object, ...]]:
    reached = past[-1].boot.id
    for boot in plan.boots[:reached]:
        ended = _at(30) if boot.id < reached else None
        yield _at(0), _at(10), ended, f"b{boot.id}", boot.id


def _at(seconds: float) -> str:
    return (BEGUN + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
