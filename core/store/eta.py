"""When a campaign will be done, from the history of each of its benchmarks."""

from __future__ import annotations

import json
import sqlite3
from statistics import median

from hpcvirt.core.model import ALL_NODES
from hpcvirt.core.store.tally import Tally


def remaining_s(connection: sqlite3.Connection, tally: Tally) -> float | None:
    """Seconds of work left, or None until every benchmark that is still to run has run once.

    A run costs what its benchmark's ended attempts cost on average, from the begin of one to the begin
    of the next on the same node when that is known to be gapless: measured as elapsed time plus filing.
    Nodes work side by side as far as the design lets them; what brings them into a kernel is known when one of
    them was brought into it, and is done on all at once.
    """
    working, booting = _working_s(tally), _booting_s(connection)
    if working is None or booting is None:
        return None
    together = working.pop(ALL_NODES, 0.0)
    nodes = {*working, *booting}
    if not nodes:
        return together
    longest = max(working.get(node, 0.0) + booting.get(node, 0.0) for node in nodes)
    return together + max(longest, sum(working.values()) / _side_by_side(connection))


def _working_s(tally: Tally) -> dict[str, float] | None:
    """By node: what its runs will take."""
    costs = tally.seconds_of_a_run()
    left: dict[str, float] = {}
    for place in tally.planned:
        runs = tally.left(place)
        if runs and place.benchmark not in costs:
            return None
        if runs:
            left[place.node] = left.get(place.node, 0.0) + runs * costs[place.benchmark]
    return left


def _booting_s(connection: sqlite3.Connection) -> dict[str, float] | None:
    """By node: what its reboots will take, from the first order to the first run; settling is a part of it."""
    boots_left = connection.execute(_BOOTS_LEFT).fetchall()
    costs: dict[str, float] = {}
    for kernel in {kernel for _, kernel, _ in boots_left}:
        took = [seconds for (seconds,) in connection.execute(_BOOTED, (kernel,))]
        if not took:
            return None
        # Not the mean: what a runner's death or a night's pause did to one of them is not to be expected.
        costs[kernel] = median(took)
    left: dict[str, float] = {}
    for node, kernel, boots in boots_left:
        left[node] = left.get(node, 0.0) + boots * costs[kernel]
    return left


def _side_by_side(connection: sqlite3.Connection) -> int:
    design = json.loads(connection.execute("SELECT frozen FROM campaign").fetchone()[0])["design"]
    nodes = int(connection.execute("SELECT count(*) FROM nodes").fetchone()[0])
    return min(design.get("at_once") or nodes, nodes)


# The first attempt of the run that was planned first, of those that have any, stands for the boot's first one: to look
# at all attempts is too much to ask of a screen that looks every second. Only where that run was requeued, having been
# skipped before, is that wrong; the median leaves it out.
_BOOTED = """
    SELECT max(0.0, (julianday(done) - julianday(ordered)) * 86400.0)
    FROM (
        SELECT coalesce((SELECT min(ordered_at) FROM bringups WHERE boot = boots.id), proved_at) AS ordered,
               coalesce((SELECT started_at FROM runs CROSS JOIN attempts ON attempts.run = runs.id
                         WHERE runs.boot = boots.id ORDER BY runs.id, attempts.number LIMIT 1), proved_at) AS done
        FROM boots WHERE kernel = ? AND proved_at IS NOT NULL AND node <> '*')
"""

_BOOTS_LEFT = """
    SELECT boots.node, boots.kernel, count(*) FROM boots JOIN kernels ON kernels.name = boots.kernel
    WHERE kernels.boot <> 'none' AND boots.proved_at IS NULL AND boots.node <> '*'
      AND EXISTS (SELECT 1 FROM runs WHERE runs.boot = boots.id AND runs.given_up_at IS NULL)
    GROUP BY boots.node, boots.kernel
"""
