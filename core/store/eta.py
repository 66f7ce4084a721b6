"""When a campaign will be done, from the history of each of its benchmarks."""

from __future__ import annotations

import json
import sqlite3

from hpcvirt.core.model import ALL_NODES


def remaining_s(connection: sqlite3.Connection) -> float | None:
    """Seconds of work left, or None until every benchmark that is still to run has run once.

    A run costs what its benchmark's ended attempts cost on average, from the begin of one to the begin
    of the next on the same node when that is known to be gapless: measured as elapsed time plus filing.
    Nodes work side by side as far as the design lets them.
    """
    costs = dict(connection.execute(_COST).fetchall())
    left: dict[str, float] = {}
    for node, benchmark, runs in connection.execute(_LEFT):
        if benchmark not in costs:
            return None
        left[node] = left.get(node, 0.0) + runs * costs[benchmark]
    together = left.pop(ALL_NODES, 0.0)
    if not left:
        return together
    return together + max(max(left.values()), sum(left.values()) / _side_by_side(connection))


def _side_by_side(connection: sqlite3.Connection) -> int:
    design = json.loads(connection.execute("SELECT frozen FROM campaign").fetchone()[0])["design"]
    nodes = int(connection.execute("SELECT count(*) FROM nodes").fetchone()[0])
    return min(design.get("at_once") or nodes, nodes)


_COST = """
    SELECT runs.benchmark, avg((julianday(ended_at) - julianday(attempts.started_at)) * 86400.0)
    FROM attempts JOIN runs ON runs.id = attempts.run
    WHERE status IN ('ok', 'failed', 'unverified', 'unparsable', 'timeout') AND elapsed_s IS NOT NULL
    GROUP BY runs.benchmark
"""

_LEFT = """
    SELECT boots.node, runs.benchmark, count(*) FROM runs JOIN boots ON boots.id = runs.boot
    WHERE runs.given_up_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.run = runs.id AND attempts.status = 'ok')
    GROUP BY boots.node, runs.benchmark
"""
