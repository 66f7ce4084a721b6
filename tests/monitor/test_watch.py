"""Watching real SSH nodes: over lost connections, beside runs or between them, into the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hpcvirt.core.engine.runner import nodes_and_credentials
from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.lab import start_lab
from hpcvirt.core.model import Campaign, Telemetry
from hpcvirt.core.monitor import watch
from hpcvirt.core.monitor.watch import Rows, watching
from hpcvirt.core.remote.connection import NodeConnection
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.samples import Sample
from hpcvirt.core.store.telemetry import read_samples
from hpcvirt.core.store.writer import Writer
from tests.core.factories import campaign, new_database

OFTEN = Telemetry(interval_s=0.2)


@asynccontextmanager
async def eyes(folder: Path) -> AsyncIterator[tuple[Campaign, list[NodeConnection], Writer, Path]]:
    """Connections to the two nodes of a lab, and a database."""
    told = replace(campaign(), lab=True)
    path = folder / "small.db"
    new_database(path, told)[0].close()
    async with await start_lab(folder / "lab", 2, keep=False) as lab:
        nodes, credentials = nodes_and_credentials(told, lab)
        links = [NodeConnection(node, credentials) for node in nodes]
        store = await Writer.open(lambda: Database(path))
        try:
            yield told, links, store, path
        finally:
            await store.close()


def filed(path: Path) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {"node1": [], "node2": []}
    for node, samples in read_samples(path):
        found[node] += samples
    return found


async def until(path: Path, what: Callable[[dict[str, list[Sample]]], bool]) -> dict[str, list[Sample]]:
    async with asyncio.timeout(60):
        while not what(found := filed(path)):
            await asyncio.sleep(0.05)
    return found


async def test_every_node_is_sampled_and_filed(tmp_path: Path) -> None:
    async with eyes(tmp_path) as (_, links, store, path):
        async with watching(links, OFTEN, store, set()):
            found = await until(path, lambda told: all(len(one) >= 4 for one in told.values()))
        for samples in found.values():
            first, second, *_ = samples
            assert (first.span_s, first.user) == (None, None)
            assert first.logins is not None
            assert second.span_s is not None
            assert second.busy is not None
            assert (second.memory_mib or 0) > 0
            assert [one.at_ms for one in samples] == sorted({one.at_ms for one in samples})


async def test_a_connection_that_is_lost_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "AGAIN_S", 0.1)
    async with eyes(tmp_path) as (_, links, store, path), watching(links, OFTEN, store, set()):
        before = await until(path, lambda told: len(told["node1"]) >= 2)
        await links[0].close()
        found = await until(path, lambda told: len(told["node1"]) >= len(before["node1"]) + 3)
        # The node has not booted: what happened while nobody looked is in the first rate after it.
        assert all(one.span_s is not None for one in found["node1"][1:])


async def test_off_asks_nothing_of_a_node_that_runs_something(tmp_path: Path) -> None:
    async with eyes(tmp_path) as (_, links, store, path):
        running = {"node1"}
        async with watching(links, replace(OFTEN, during_runs=False), store, running):
            found = await until(path, lambda told: len(told["node2"]) >= 5)
            assert found["node1"] == []
            running.clear()
            await until(path, lambda told: len(told["node1"]) >= 2)


async def test_what_was_taken_at_the_end_is_filed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FILED_EVERY_S", 3600.0)
    async with eyes(tmp_path) as (_, links, store, path):
        async with watching(links, OFTEN, store, set()):
            await asyncio.sleep(2)
            assert filed(path) == {"node1": [], "node2": []}
        assert filed(path)["node1"]


async def test_a_node_that_is_no_shell_is_told_of_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "AGAIN_S", 0.05)
    monkeypatch.setattr(watch, "LONGEST_AGAIN_S", 0.05)
    async with eyes(tmp_path) as (_, links, store, _path):
        script = watch.monitor_script()
        monkeypatch.setattr(watch, "monitor_script", lambda: replace(script, text=b"echo no; exit 1\n"))
        async with watching(links[:1], OFTEN, store, set()):
            await asyncio.sleep(3)
        events = await store.do(
            lambda database: database._db.conn.execute("SELECT node, level, message FROM events").fetchall()
        )
        assert events == [("node1", "warning", "telemetry: the channel ended before the answer did")]


def test_rows_that_could_not_be_filed_are_filed_later() -> None:
    rows = Rows()
    for at in range(70):
        rows.add(Sample(at))
    taken = rows.take()
    assert [len(row) for row in taken] == [60, 10]
    rows.give_back(taken)
    rows.add(Sample(70))
    # The row that grew is there twice; filed in this order, the longer one stays.
    assert [(row[0].at_ms, len(row)) for row in rows.take()] == [(0, 60), (60, 10), (60, 11)]
    assert rows.take() == []


async def test_a_database_that_cannot_be_written_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with eyes(tmp_path) as (_, links, store, path):
        works = store.do
        refused = 0

        async def refuse(job: object) -> None:
            nonlocal refused
            refused += 1
            raise StoreUnusable("full")

        monkeypatch.setattr(store, "do", refuse)
        async with watching(links, OFTEN, store, set()):
            async with asyncio.timeout(60):
                while refused < 2:
                    await asyncio.sleep(0.05)
            monkeypatch.setattr(store, "do", works)
            found = await until(path, lambda told: len(told["node1"]) >= 2)
        assert found["node1"][0].span_s is None
