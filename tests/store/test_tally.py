"""What is counted little by little is what is counted at once, and what the view ``progress`` says."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hpcvirt.core.model import Status
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.queries import SnapshotReader, read_snapshot, read_totals, write_wish
from tests.core.factories import STREAM, campaign, do_run, ended, new_database

STEPS = 120
STATUSES = (*Status, Status.OK, Status.OK, Status.OK)


def cells_of_the_view(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            """SELECT progress.kernel, benchmarks.label, sum(planned), sum(ok), sum(given_up), sum(coalesce(spoilt, 0))
               FROM progress JOIN benchmarks ON benchmarks.id = progress.benchmark
               JOIN kernels ON kernels.name = progress.kernel
               GROUP BY progress.kernel, benchmarks.id ORDER BY benchmarks.id, kernels.position"""
        ).fetchall()


def values_of_the_cards(path: Path) -> list[tuple[str, float | None, float | None]]:
    """By node: the last ok value where it worked last, and the mean of all there."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            """WITH begun AS (
                   SELECT attempts.rowid AS row, boots.node, boots.kernel, measurements.value
                   FROM attempts JOIN runs ON runs.id = attempts.run JOIN boots ON boots.id = runs.boot
                   LEFT JOIN measurements ON measurements.attempt = attempts.id AND metric = 'triad' AND status = 'ok')
               SELECT name,
                      (SELECT value FROM begun WHERE node = name AND kernel = last AND value IS NOT NULL
                       ORDER BY row DESC LIMIT 1),
                      (SELECT avg(value) FROM begun WHERE node = name AND kernel = last)
               FROM (SELECT name, position,
                            (SELECT kernel FROM begun WHERE node = name ORDER BY row DESC LIMIT 1) AS last
                     FROM nodes)
               ORDER BY position"""
        ).fetchall()


class Walk:
    """Something happens to a database, as it could in a campaign."""

    def __init__(self, database: Database, runs: int, draw: random.Random) -> None:
        self.database, self.draw = database, draw
        self.left = list(range(1, runs + 1))
        self.under_way: list[tuple[str, int]] = []
        self.done = 0

    def step(self) -> None:
        if self.under_way and self.draw.random() < 0.5:
            self.end(*self.under_way.pop(self.draw.randrange(len(self.under_way))))
        elif self.draw.random() < 0.15:
            self.give_up_or_requeue()
        else:
            self.begin()

    def begin(self) -> None:
        self.done += 1
        run = self.draw.choice(self.left)
        self.database.begin_attempt(f"a{self.done}", run)
        self.under_way.append((f"a{self.done}", run))

    def end(self, attempt: str, run: int) -> None:
        status = self.draw.choice(STATUSES)
        elapsed_s = self.draw.choice([None, 1.0])
        # Numbers whose sums are exact, in whatever order.
        value = self.draw.randrange(1 << 20) / 1024
        end = ended(status, value=value, elapsed_s=elapsed_s)
        if self.draw.random() < 0.3:
            # Not every report has all metrics.
            end = replace(end, readings={name: one for name, one in end.readings.items() if name != "triad"})
        self.database.end_attempt(attempt, end)

    def give_up_or_requeue(self) -> None:
        run = self.draw.choice(self.left)
        what = self.draw.choice(["give up", "requeue", "wish"])
        if what == "give up":
            self.database.give_up(run, "why not")
        elif what == "requeue":
            self.database.requeue(run)
        else:
            write_wish(self.database.path, "requeue", "me", [run])


@pytest.mark.parametrize("round_", range(6))
def test_little_by_little_is_at_once(tmp_path: Path, round_: int) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    path = tmp_path / "small.db"
    told = campaign(kernels=("native", "other", "third"), benchmarks=(STREAM,), nodes=("node1", "node2", "node3"))
    database, plan = new_database(path, told)
    reader, walk = SnapshotReader(path), Walk(database, len(plan.runs), random.Random(seed))
    for _ in range(STEPS):
        walk.step()
        found = reader.read()
        at_once = read_snapshot(path)
        assert replace(found, eta_s=None) == replace(at_once, eta_s=None)
        # Sums of the same numbers in another order.
        assert found.eta_s == pytest.approx(at_once.eta_s)
        assert [
            (cell.kernel, cell.benchmark, cell.planned, cell.ok, cell.given_up, cell.spoilt) for cell in found.cells
        ] == cells_of_the_view(path)
        assert [(card.name, card.last_value, card.mean_value) for card in found.nodes] == values_of_the_cards(path)
        assert (found.planned, found.ok, found.given_up) == read_totals(path)
    database.close()


def test_warm_up_runs_count_in_the_whole_and_not_in_the_grid(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    told = campaign()
    database, plan = new_database(path, replace(told, design=replace(told.design, warmup=1)))
    warmups = [run for run in plan.runs if run.is_warmup]
    assert warmups
    for run in warmups:
        do_run(database, run.id, f"a{run.id}", ended())
    found = read_snapshot(path)
    assert (found.planned, found.ok) == (len(plan.runs), len(warmups))
    assert sum(cell.ok for cell in found.cells) == sum(card.ok for card in found.nodes) == 0
    assert {card.benchmark for card in found.nodes} == {STREAM.label}
    assert {card.last_value for card in found.nodes} == {None}
    database.close()
