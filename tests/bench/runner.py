"""Writes into a large database as a runner does: ``python -m tests.bench.runner DB`` until it is ended.

A run ends every second, somewhere; each node's telemetry is filed once a second.
"""

from __future__ import annotations

import sys
import time
import uuid
from pathlib import Path

from hpcvirt.core.benchmark import Reading
from hpcvirt.core.model import Status
from hpcvirt.core.process import this_process
from hpcvirt.core.store.database import Database, Ended
from hpcvirt.core.store.queries import read_snapshot
from hpcvirt.core.store.samples import Sample
from tests.bench.large import METRICS, OUTPUT
from tests.tui.screen_samples import make_samples

RUN_S = 1.0
ROW = 60


def work(path: Path) -> None:
    """Until the process is ended, or all is done."""
    nodes = [card.name for card in read_snapshot(path).nodes]
    database = Database(path)
    database.register_runner(this_process())
    histories = database.histories()
    left = [run for run in range(1, read_snapshot(path).planned + 1) if run not in histories]
    print("works", flush=True)
    rows: dict[str, list[Sample]] = {node: [] for node in nodes}
    for second, run in enumerate(left):
        attempt = str(uuid.uuid4())
        database.begin_attempt(attempt, run)
        for row in rows.values():
            row[:] = [*(row if len(row) < ROW else []), *make_samples(1, age_s=0, seed=second)]
        database.file_samples(list(rows.items()))
        time.sleep(RUN_S)
        readings = {name: Reading(12000.0 + second % 100, "MB/s", 12000.0, "MB/s") for name in METRICS}
        database.end_attempt(attempt, Ended(Status.OK, elapsed_s=RUN_S, stdout=OUTPUT, readings=readings))


if __name__ == "__main__":
    work(Path(sys.argv[1]))
