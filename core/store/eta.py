"""When a campaign will be done, from the history of each of its benchmarks."""

from __future__ import annotations

import json
import sqlite3

from hpcvirt.core.model import ALL_NODES
from hpcvirt.core.store.tally import Tally


def remaining_s(connection: sqlite3.Connection, tally: Tally) -> float | None:
    """Seconds of work left, or None until every benchmark that is still to run has run once.

    A run costs what its benchmark's ended attempts cost on average, from the begin of one to the begin
    of the next on the same node when that is known to be gapless: measured as elapsed time plus filing.
    Nodes work side by side as far as the design lets them.
    """
    costs = tally.seconds_of_a_run()
    left: dict[str, float] = {}
    for place in tally.planned:
        runs = tally.left(place)
        if runs and place.benchmark not in costs:
            return None
        if runs:
            left[place.node] = left.get(place.node, 0.0) + runs * costs[place.benchmark]
    together = left.pop(ALL_NODES, 0.0)
    if not left:
        return together
    return together + max(max(left.values()), sum(left.values()) / _side_by_side(connection))


def _side_by_side(connection: sqlite3.Connection) -> int:
    design = json.loads(connection.execute("SELECT frozen FROM campaign").fetchone()[0])["design"]
    nodes = int(connection.execute("SELECT count(*) FROM nodes").fetchone()[0])
    return min(design.get("at_once") or nodes, nodes)
