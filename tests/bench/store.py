"""Reading where a campaign of 50,000 runs is: goals 300 ms for the first look, 100 ms for those after it."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from hpcvirt.core.store.attempts import read_attempts
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.queries import SnapshotReader
from tests.bench.large import make_database
from tests.bench.plans import median_s

ROUNDS = 7


def main() -> None:
    """Print medians over a database of four nodes and one of 64."""
    with tempfile.TemporaryDirectory() as folder:
        for nodes in (4, 64):
            path = Path(folder) / f"{nodes}.db"
            runs = make_database(path, nodes=nodes)
            print(f"{runs} runs on {nodes} nodes:")
            _look(path)


def _look(path: Path) -> None:
    first = median_s(lambda: SnapshotReader(path).read())
    print(f"  first look {1000 * first:.0f} ms (goal: under 300)")
    reader, times = SnapshotReader(path), []
    reader.read()
    database = Database(path)
    for run in range(1, ROUNDS + 1):
        database.begin_attempt(f"bench{run}", run)
        started = time.perf_counter()
        reader.read()
        times.append(time.perf_counter() - started)
    database.close()
    print(f"  a look after each run that begins {1000 * statistics.median(times):.0f} ms (goal: under 100)")
    for words in ("", "node1 failed"):
        took = median_s(lambda words=words: read_attempts(path, words))
        print(f"  page of attempts{f' with {words}' if words else ''} {1000 * took:.0f} ms")
