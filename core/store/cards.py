"""Where each node is: what a screen shows of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from hpcvirt.core.store.records import NodeCard
from hpcvirt.core.store.tally import HEADLINE_METRICS, Place, Tally


def read_cards(connection: sqlite3.Connection, tally: Tally) -> tuple[NodeCard, ...]:
    """A card for each node, in the order of the campaign."""
    boots = dict(connection.execute("SELECT node, count(*) FROM boots GROUP BY node").fetchall())
    current = {row["node"]: row for row in connection.execute(_CURRENT_BOOTS)}
    proved = {node: kernel for node, kernel, _ in connection.execute(_LAST_PROVED)}
    under_way = {node for (node,) in connection.execute(_UNDER_WAY)}
    places: dict[str, list[Place]] = {}
    for place in tally.planned:
        if not place.is_warmup:
            places.setdefault(place.node, []).append(place)
    last = tally.last_places()
    return tuple(
        _card(
            row,
            current.get(row["name"]),
            boots.get(row["name"], 0),
            proved.get(row["name"]),
            _work(connection, tally, places.get(row["name"], ()), last.get(row["name"])),
            is_under_way=row["name"] in under_way,
        )
        for row in connection.execute("SELECT * FROM nodes ORDER BY position").fetchall()
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """What a node has done, and of the benchmark that ran last: its runs and the values of its headline metric."""

    ok: int = 0
    planned: int = 0
    benchmark: str = ""
    run: int = 0
    runs: int = 0
    last_metric: str = ""
    last_value: float | None = None
    mean_value: float | None = None
    unit: str = ""


def _card(
    node: sqlite3.Row,
    boot: sqlite3.Row | None,
    boots: int,
    proved_kernel: str | None,
    work: _Work,
    *,
    is_under_way: bool,
) -> NodeCard:
    return NodeCard(
        name=node["name"],
        # Between two runs it waits for its turn; no write says so.
        state="waiting" if node["state"] == "running" and not is_under_way else node["state"],
        detail=node["detail"],
        since=node["since"],
        kernel=None if boot is None else boot["kernel"],
        is_proved=boot is not None and boot["proved_at"] is not None and not boot["is_in_doubt"],
        release=json.loads(boot["content"]).get("release", "") if boot is not None and boot["content"] else "",
        proved_kernel=proved_kernel,
        boot=0 if boot is None else boot["visited"],
        boots=boots,
        block=0 if boot is None else boot["block"],
        benchmark=work.benchmark,
        run=work.run,
        runs=work.runs,
        ok=work.ok,
        planned=work.planned,
        last_metric=work.last_metric,
        last_value=work.last_value,
        mean_value=work.mean_value,
        unit=work.unit,
    )


def _work(connection: sqlite3.Connection, tally: Tally, places: Sequence[Place], last: Place | None) -> _Work:
    ok, planned = tally.ok(places), sum(tally.planned[place] for place in places)
    if last is None:
        return _Work(ok, planned)
    # A warm-up run that ran last stands for those that count.
    place = last._replace(is_warmup=0)
    (label,) = connection.execute("SELECT label FROM benchmarks WHERE id = ?", (place.benchmark,)).fetchone()
    metric = connection.execute(_HEADLINE, (place.benchmark,)).fetchone()
    done = tally.ended_ok(place)
    value = connection.execute(_VALUE, (done.last_measured, metric["name"])).fetchone() if metric else None
    return _Work(
        ok,
        planned,
        label,
        done.runs,
        tally.planned[place],
        metric["name"] if metric else "",
        value[0] if value else None,
        done.mean_value,
        metric["unit"] if metric else "",
    )


# With max() the other columns are those of the row that has it.
_CURRENT_BOOTS = """
    SELECT started.node, kernel, block, proved_at, visited, identities.content, max(started.id),
           EXISTS (SELECT 1 FROM bringups AS late WHERE late.boot = started.id AND late.proved_at IS NULL
                   AND late.number = (SELECT max(number) FROM bringups WHERE boot = started.id)) AS is_in_doubt
    FROM (SELECT *, row_number() OVER (PARTITION BY node ORDER BY id) AS visited FROM boots) AS started
    LEFT JOIN identities ON identities.id = started.identity
    WHERE started_at IS NOT NULL
    GROUP BY started.node
"""

_LAST_PROVED = """
    SELECT node, kernel, max(proved_at || printf(' %012d', id)) FROM boots WHERE proved_at IS NOT NULL GROUP BY node
"""

_UNDER_WAY = """
    SELECT DISTINCT boots.node FROM attempts JOIN runs ON runs.id = attempts.run JOIN boots ON boots.id = runs.boot
    WHERE attempts.status IS NULL
"""

_HEADLINE = f"SELECT name, unit FROM ({HEADLINE_METRICS}) WHERE benchmark = ?"  # noqa: S608 - a constant

_VALUE = """
    SELECT value FROM attempts JOIN measurements ON measurements.attempt = attempts.id
    WHERE attempts.rowid = ? AND metric = ?
"""
