"""The reading side of a campaign's database: read-only, short, with the standard library alone.

Each function opens the file, reads in one transaction and closes it again, so that no reader keeps
the runner from leaving WAL at the end.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from urllib.parse import quote

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.model import Better, Telemetry
from hpcvirt.core.process import ProcessIdentity, is_alive, is_proved_dead
from hpcvirt.core.store import schema
from hpcvirt.core.store.cards import read_cards
from hpcvirt.core.store.eta import remaining_s
from hpcvirt.core.store.presence import rescued
from hpcvirt.core.store.records import (
    Amendment,
    BenchmarkRecord,
    CampaignRecord,
    Cell,
    Event,
    FrozenRecord,
    Measurement,
    MetricRecord,
    Reparsed,
    RunnerRecord,
    Snapshot,
)
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.core.store.samples import Sample, latest
from hpcvirt.core.store.tally import Place, Tally, TallyReader

EVENTS_SHOWN = 200
SAMPLES_SHOWN = 60
PATIENCE_S = 5.0


def fingerprint(path: Path) -> object:
    """Something that differs after every write to the database. Costs two stat calls."""
    return tuple(_stamp(part) for part in (path, path.with_name(path.name + "-wal")))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection in one transaction.

    Raises StoreUnusable when the file is missing, no database of this program, or unreadable.
    """
    if not path.is_file():
        saved = rescued(path)
        hint = (
            f"it was deleted, and its content saved in {saved}: open that"
            if saved
            else "name a results database (*.db)"
        )
        raise StoreUnusable(f"{path}: no such file", hint=hint)
    try:
        with closing(_connect(path)) as connection:
            _check(connection, path)
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as error:
        raise StoreUnusable(
            f"{path}: {error}", hint="is it a results database of this program, and readable?"
        ) from error


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=PATIENCE_S, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != schema.APPLICATION_ID:
        raise StoreUnusable(f"{path}: not a results database of hpcvirt-tui")
    if not schema.OLDEST_VERSION <= found <= schema.USER_VERSION:
        raise StoreUnusable(
            f"{path}: schema version {found}, this program reads version {schema.USER_VERSION}",
            hint="use the program version that made it",
        )


def read_snapshot(path: Path) -> Snapshot:
    """Where the campaign is now. Raises StoreUnusable."""
    return SnapshotReader(path).read()


class SnapshotReader:
    """Reads where a campaign is, again and again: what was counted once is not counted again. For any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tally = TallyReader()
        self._lock = threading.Lock()

    def read(self) -> Snapshot:
        """Where the campaign is now. Raises StoreUnusable."""
        with self._lock, reading(self.path) as connection:
            return _snapshot(connection, self.path, self._tally.read(connection))


def _snapshot(connection: sqlite3.Connection, path: Path, tally: Tally) -> Snapshot:
    planned, ok, given_up = sum(tally.planned.values()), tally.ok(tally.planned), tally.given_up_for_good
    return Snapshot(
        path=path,
        campaign=_campaign(connection),
        benchmarks=_benchmarks(connection),
        runner=_runner(connection, is_finished=ok + given_up >= planned),
        nodes=read_cards(connection, tally),
        cells=_cells(connection, tally),
        events=_events(connection),
        planned=planned,
        ok=ok,
        given_up=given_up,
        statuses=tally.statuses(),
        eta_s=remaining_s(connection, tally),
        amendments=_amendments(connection),
        unrestored=_unrestored(connection),
        telemetry=_telemetry(connection),
    )


def read_pulse(path: Path) -> tuple[object, ...]:
    """Something that differs after every write but those of telemetry, which come every second. Raises StoreUnusable.

    Costs next to nothing, whereas a snapshot of very many runs takes its time. That a run is given up or requeued
    shows in the event that tells of it.
    """
    with reading(path) as connection:
        return tuple(connection.execute(_PULSE).fetchone())


def read_telemetry(path: Path) -> dict[str, tuple[Sample, ...]]:
    """The last samples of each node, as a snapshot has them. Raises StoreUnusable."""
    with reading(path) as connection:
        return _telemetry(connection)


def _telemetry(connection: sqlite3.Connection) -> dict[str, tuple[Sample, ...]]:
    names = _column(connection, "SELECT name FROM nodes ORDER BY position")
    return {name: latest(connection, name, SAMPLES_SHOWN) for name in names}


_PULSE = """
    SELECT (SELECT max(rowid) FROM attempts), (SELECT count(*) FROM attempts WHERE status IS NULL),
           (SELECT max(id) FROM events), (SELECT max(id) || ' ' || count(obeyed_at) FROM wishes),
           (SELECT group_concat(name || ' ' || state || ' ' || detail || ' ' || coalesce(since, '')) FROM nodes),
           (SELECT max(id) || ' ' || count(ended_at) FROM runners), (SELECT max(id) FROM amendments),
           (SELECT count(started_at) || ' ' || count(proved_at) || ' ' || count(ended_at) FROM boots)
"""


def read_runner(path: Path) -> RunnerRecord:
    """The runner that worked on the database last. Raises StoreUnusable."""
    with reading(path) as connection:
        planned, ok, given_up = _totals(connection)
        return _runner(connection, is_finished=ok + given_up >= planned)


def read_totals(path: Path) -> tuple[int, int, int]:
    """Runs planned, ok, and given up. Raises StoreUnusable."""
    with reading(path) as connection:
        return _totals(connection)


def read_frozen(path: Path) -> FrozenRecord:
    """What was fixed when the campaign started. Raises StoreUnusable."""
    with reading(path) as connection:
        row = connection.execute("SELECT source, file, choice, frozen, plan_sha256 FROM campaign").fetchone()
        ended = connection.execute("SELECT ended_at IS NOT NULL FROM runners ORDER BY id DESC LIMIT 1").fetchone()
        planned, ok, given_up = _totals(connection)
        return FrozenRecord(
            source=row["source"],
            text=row["file"],
            choice=json.loads(row["choice"]),
            campaign=json.loads(row["frozen"]),
            digest=row["plan_sha256"],
            amendments=_amendments(connection),
            # A runner that was killed after its last run has not tidied up.
            is_finished=ok + given_up >= planned and ended is not None and bool(ended[0]),
            unrestored=_unrestored(connection),
        )


def read_campaign_record(path: Path) -> tuple[CampaignRecord, tuple[BenchmarkRecord, ...]]:
    """The frozen campaign and its benchmarks. Raises StoreUnusable."""
    with reading(path) as connection:
        return _campaign(connection), _benchmarks(connection)


def read_measurements(path: Path) -> list[Measurement]:
    """Every measurement, in the order of time. Raises StoreUnusable."""
    with reading(path) as connection:
        rows = connection.execute("SELECT * FROM results")
        return [Measurement(**{**row, "better": Better(row["better"])}) for row in map(dict, rows)]


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one metric under one kernel, in run order; nodes, blocks and boots as numbers that tell them apart."""

    value: array[float] = field(default_factory=lambda: array("d"))
    node: array[int] = field(default_factory=lambda: array("q"))
    block: array[int] = field(default_factory=lambda: array("q"))
    boot: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.value)


NO_VALUES = Column()
_Visits = Mapping[tuple[int, str], frozenset[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Values:
    """Every ok value of a campaign in run order, and how many attempts ended how."""

    columns: Mapping[tuple[int, str, str], Column]
    """By benchmark id, metric, kernel."""
    attempts: Mapping[tuple[int, str], Mapping[str, int]]
    """By benchmark id and kernel: attempts by status."""
    visits: _Visits = field(default_factory=dict)
    """By benchmark id and kernel: node and block, by code, of visits with values, and of those that were lost."""

    def of(self, benchmark: int, metric: str, kernel: str) -> Column:
        """The values of one cell; empty when there is none."""
        return self.columns.get((benchmark, metric, kernel), NO_VALUES)


def read_values(path: Path) -> Values:
    """What the statistics are fed with. Raises StoreUnusable."""
    with reading(path) as connection:
        columns, visits = _columns(connection)
        attempts: dict[tuple[int, str], dict[str, int]] = {}
        for benchmark, kernel, status, count in connection.execute(_ATTEMPTS):
            attempts.setdefault((benchmark, kernel), {})[status] = count
        return Values(columns, attempts, visits)


def _columns(connection: sqlite3.Connection) -> tuple[dict[tuple[int, str, str], Column], _Visits]:
    """Value after value: of a million there is time for nothing else in the loop."""
    boots = {row[0]: tuple(row[1:]) for row in connection.execute("SELECT id, kernel, node, block FROM boots")}
    columns: dict[tuple[int, str, str], Column] = {}
    reached: dict[int, dict[str, tuple[Callable[[float], None], Callable[[int], None]]]] = {}
    cursor = connection.cursor()
    cursor.row_factory = None
    for place, metric, value in cursor.execute(_VALUES):
        try:
            add_value, add_boot = reached[place][metric]
        except KeyError:
            boot, benchmark = divmod(place, _BENCHMARKS)
            column = columns.setdefault((benchmark, metric, boots[boot][0]), Column())
            add_value, add_boot = column.value.append, column.boot.append
            reached.setdefault(place, {})[metric] = add_value, add_boot
        add_value(value)
        add_boot(place // _BENCHMARKS)
    over = [*(divmod(place, _BENCHMARKS) for place in reached), *cursor.execute(_LOST_VISITS)]
    places = _number(columns.values(), boots, [boot for boot, _ in over])
    visits: dict[tuple[int, str], set[tuple[int, int]]] = {}
    for boot, benchmark in over:
        visits.setdefault((benchmark, boots[boot][0]), set()).add(places[boot])
    return columns, {key: frozenset(found) for key, found in visits.items()}


def _number(
    columns: Iterable[Column], boots: Mapping[int, tuple[str, str, int]], order: Iterable[int]
) -> dict[int, tuple[int, int]]:
    """Nodes and blocks as they come, as of the exported CSV file: the order of a sum decides its last bit."""
    nodes: dict[str, int] = {}
    blocks: dict[int, int] = {}
    places = {
        boot: (nodes.setdefault(boots[boot][1], len(nodes)), blocks.setdefault(boots[boot][2], len(blocks)))
        for boot in order
    }
    for column in columns:
        column.node.extend(places[boot][0] for boot in column.boot)
        column.block.extend(places[boot][1] for boot in column.boot)
    return places


_BENCHMARKS = 1 << 20
"""More than a campaign has: boot and benchmark are read as a single number, which is faster than two."""

# Attempts are sorted, and not their values, which are several times as many: with a limit SQLite keeps the order of a
# subquery, and CROSS JOIN is carried out in the order in which it is written.
_VALUES = f"""
    SELECT ok.place, measurements.metric, measurements.value
    FROM (
        SELECT attempts.id, runs.boot * {_BENCHMARKS} + runs.benchmark AS place
        FROM attempts JOIN runs ON runs.id = attempts.run
        WHERE attempts.status = 'ok' AND NOT runs.is_warmup
        ORDER BY attempts.started_at, runs.id
        LIMIT -1
    ) AS ok
    CROSS JOIN measurements ON measurements.attempt = ok.id
"""  # noqa: S608 - a constant

_ATTEMPTS = """
    SELECT runs.benchmark, boots.kernel, attempts.status, count(*)
    FROM attempts JOIN runs ON runs.id = attempts.run JOIN boots ON boots.id = runs.boot
    WHERE attempts.status IS NOT NULL AND NOT runs.is_warmup
    GROUP BY 1, 2, 3
"""

# of which every run is over, and none is ok
_LOST_VISITS = """
    SELECT DISTINCT boot, benchmark FROM runs WHERE given_up_at IS NOT NULL AND NOT is_warmup AND NOT EXISTS (
        SELECT 1 FROM runs AS others LEFT JOIN attempts ON attempts.run = others.id AND attempts.status = 'ok'
        WHERE others.boot = runs.boot AND others.benchmark = runs.benchmark AND NOT others.is_warmup
            AND (others.given_up_at IS NULL OR attempts.id IS NOT NULL)
    ) ORDER BY 1, 2
"""


def write_wish(path: Path, kind: str, origin: str, runs: Sequence[int | None] = (None,)) -> None:
    """Ask the runner for something: the one thing that a screen writes. Raises StoreUnusable.

    ``skip`` and ``requeue`` are about runs; they are obeyed together.
    """
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    with reading(path):
        pass
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            rows = [(at, kind, run, origin) for run in runs]
            connection.executemany("INSERT INTO wishes (at, kind, run, origin) VALUES (?, ?, ?, ?)", rows)
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise StoreUnusable(f"{path}: {error}", hint="only who may write the database can steer its runner") from error


def _campaign(connection: sqlite3.Connection) -> CampaignRecord:
    row = connection.execute("SELECT * FROM campaign").fetchone()
    rebooted = connection.execute("SELECT coalesce(max(rebooted), 0) FROM boots").fetchone()[0]
    return CampaignRecord(
        **{name: row[name] for name in CampaignRecord.__dataclass_fields__ if name in row.keys()},  # noqa: SIM118 - a Row is no dict
        kernels=_column(connection, "SELECT name FROM kernels ORDER BY position"),
        nodes=_column(connection, "SELECT name FROM nodes ORDER BY position"),
        contrasts=tuple((pair[0], pair[1]) for pair in json.loads(row["frozen"])["analysis"]["contrasts"]),
        same_kernels=_same_kernels(json.loads(row["frozen"])["kernels"]),
        is_rebooted=bool(rebooted),
        added_blocks=sum(amendment.blocks for amendment in _amendments(connection)),
        telemetry=Telemetry(**json.loads(row["frozen"])["telemetry"]),
    )


def _amendments(connection: sqlite3.Connection) -> tuple[Amendment, ...]:
    reparsed = {int(row[0]): Reparsed(*row[1:]) for row in _reparses(connection)}
    rows = connection.execute("SELECT id, at, origin, blocks, runs, plan_sha256 FROM amendments ORDER BY id")
    return tuple(
        Amendment(at, origin, blocks, runs, digest, reparsed.get(number))
        for number, at, origin, blocks, runs, digest in rows
    )


def _reparses(connection: sqlite3.Connection) -> list[sqlite3.Row]:
    if schema.is_older(connection):
        return []
    return connection.execute(
        """SELECT amendment, label, reparses.package, attempts, changed
           FROM reparses JOIN benchmarks ON benchmarks.id = reparses.benchmark"""
    ).fetchall()


def _unrestored(connection: sqlite3.Connection) -> tuple[str, ...]:
    sql = "SELECT DISTINCT node FROM boot_defaults WHERE restored_at IS NULL ORDER BY node"
    return _column(connection, sql)


def _same_kernels(kernels: Sequence[Mapping[str, object]]) -> tuple[tuple[str, str], ...]:
    """Pairs that differ in nothing but their names."""
    return tuple(
        (str(one["name"]), str(other["name"]))
        for one, other in combinations(kernels, 2)
        if all(one[field] == other[field] for field in one if field != "name")
    )


def _column(connection: sqlite3.Connection, sql: str, values: Sequence[object] = ()) -> tuple[str, ...]:
    return tuple(str(row[0]) for row in connection.execute(sql, values))


def _benchmarks(connection: sqlite3.Connection) -> tuple[BenchmarkRecord, ...]:
    metrics: dict[int, list[MetricRecord]] = {}
    for row in connection.execute("SELECT * FROM metrics ORDER BY benchmark, position"):
        metrics.setdefault(row["benchmark"], []).append(_metric(row))
    return tuple(
        BenchmarkRecord(
            row["id"],
            row["label"],
            row["plugin"],
            json.loads(row["parameters"]),
            tuple(metrics.get(row["id"], ())),
            row["replication_unit"],
        )
        for row in connection.execute("SELECT * FROM benchmarks ORDER BY id")
    )


def _metric(row: sqlite3.Row) -> MetricRecord:
    # databases of version 3 do not have the column
    is_exact = "is_exact" in row.keys() and bool(row["is_exact"])  # noqa: SIM118 - a Row is no dict
    return MetricRecord(row["name"], row["unit"], Better(row["better"]), bool(row["is_primary"]), is_exact)


def _totals(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Runs planned, ok, given up. One that somebody wants requeued is not given up, also while no runner obeys."""
    planned, given_up = connection.execute(
        """SELECT count(*), sum(given_up_at IS NOT NULL AND NOT EXISTS
               (SELECT 1 FROM wishes WHERE wishes.run = runs.id AND kind = 'requeue' AND obeyed_at IS NULL))
           FROM runs"""
    ).fetchone()
    ok = connection.execute("SELECT count(DISTINCT run) FROM attempts WHERE status = 'ok'").fetchone()[0]
    return int(planned), int(ok), int(given_up or 0)


def _cells(connection: sqlite3.Connection, tally: Tally) -> tuple[Cell, ...]:
    labels = connection.execute("SELECT id, label FROM benchmarks ORDER BY id").fetchall()
    kernels = _column(connection, "SELECT name FROM kernels ORDER BY position")
    places: dict[tuple[str, int], list[Place]] = {}
    for place in tally.planned:
        if not place.is_warmup:
            places.setdefault((place.kernel, place.benchmark), []).append(place)
    return tuple(
        _cell(tally, kernel, label, places[kernel, number])
        for number, label in labels
        for kernel in kernels
        if (kernel, number) in places
    )


def _cell(tally: Tally, kernel: str, label: str, places: Sequence[Place]) -> Cell:
    return Cell(
        kernel,
        label,
        planned=sum(tally.planned[place] for place in places),
        ok=tally.ok(places),
        given_up=sum(tally.given_up[place].runs for place in places if place in tally.given_up),
        spoilt=sum(map(tally.spoilt, places)),
    )


def _events(connection: sqlite3.Connection) -> tuple[Event, ...]:
    rows = connection.execute("SELECT * FROM events ORDER BY id DESC LIMIT ?", (EVENTS_SHOWN,)).fetchall()
    return tuple(Event(**dict(row)) for row in reversed(rows))


def _runner(connection: sqlite3.Connection, *, is_finished: bool) -> RunnerRecord:
    row = connection.execute("SELECT * FROM runners ORDER BY id DESC LIMIT 1").fetchone()
    if row is None:
        return RunnerRecord(RunnerState.NOT_STARTED, None, None, None)
    place = [row[name] for name in ("machine", "pid_namespace") if name in row.keys()]  # noqa: SIM118 - of a row
    process = ProcessIdentity(row["host"], row["boot_id"], row["pid"], row["pid_start"], *place)
    state = _runner_state(connection, row, process, is_finished)
    return RunnerRecord(state, process, row["started_at"], row["ended_at"])


def _runner_state(
    connection: sqlite3.Connection, row: sqlite3.Row, process: ProcessIdentity, is_finished: bool
) -> RunnerState:
    if row["ended_at"] is not None:
        if is_finished:
            return RunnerState.FINISHED
        return RunnerState.FAILED if row["ending"] == "failed" else RunnerState.STOPPED
    if is_alive(process):
        return RunnerState.PAUSED if _is_paused(connection, row["started_at"]) else RunnerState.RUNNING
    return RunnerState.CRASHED if is_proved_dead(process) else RunnerState.ELSEWHERE


def _is_paused(connection: sqlite3.Connection, since: str) -> bool:
    row = connection.execute(
        "SELECT kind FROM wishes WHERE kind IN ('pause', 'resume') AND at >= ? ORDER BY id DESC LIMIT 1", (since,)
    ).fetchone()
    return row is not None and row[0] == "pause"
