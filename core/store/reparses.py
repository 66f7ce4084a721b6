"""Stored output that is parsed again: what is read for it, and how it is filed."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from hpcvirt.core.benchmark import Output, Reading
from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.model import Status, Value
from hpcvirt.core.plan import canonical_json
from hpcvirt.core.store import schema
from hpcvirt.core.store.creation import now
from hpcvirt.core.store.database import BUSY_LIMIT_S, Database
from hpcvirt.core.store.queries import reading
from hpcvirt.core.store.runners import upgrade

PAGE_ROWS = 50
"""Attempts that are read at once: a reader must not keep the runner from writing."""

PARSERS = (Status.OK, Status.FAILED, Status.UNVERIFIED, Status.UNPARSABLE)
"""Only a parser says these; every other status stays, whatever the output is."""

MeasurementRow = tuple[str, float, float, str]
"""Metric, value, printed value, printed unit."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a parser says of an attempt."""

    status: Status
    reason: str
    measurements: frozenset[MeasurementRow]
    """Of the metrics that the campaign keeps; empty unless the attempt is ok."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An attempt whose output can be parsed again."""

    id: str
    run: int
    row: int
    """In the order of begin."""
    filed: Verdict
    """As it is in the database."""
    output: Output


@dataclass(frozen=True, slots=True)
class Parser:
    """With what a benchmark's output is parsed."""

    amendment: int = 0
    """The last reparse of the benchmark; 0: none."""
    parameters: Mapping[str, Value] | None = None
    """None: those that were planned."""


@dataclass(frozen=True, slots=True)
class Reparse:
    """A reparse that is to be filed."""

    benchmark: int
    package: str
    """Name and version of the package whose parser it is."""
    parameters: Mapping[str, Value]
    origin: str
    """Who does it."""
    before: int
    """The benchmark's last reparse when this one began."""
    statuses: tuple[Status, ...] = PARSERS
    """Of the attempts that it may change."""


@dataclass(slots=True)
class Filed:
    """What a reparse changed."""

    amendment: int = 0
    attempts: int = 0
    """How many were parsed."""
    changed: int = 0
    transitions: dict[tuple[Status, Status], int] = field(default_factory=dict)
    """Attempts by status before and after; of the changed ones."""
    surplus: int = 0
    """Attempts that could be ok, and stay what they are: their run has a result, or another attempt under way."""
    reopened: int = 0
    """Runs that have no ok attempt any more."""


def parser_of(database: Database, benchmark: str) -> Parser:
    """With what the runner parses the output of a benchmark, given by its label, from now on."""
    return _parser(database.connection, benchmark)


def read_parser(path: Path, benchmark: str) -> Parser:
    """The same without writing. Raises StoreUnusable."""
    with reading(path) as connection:
        return Parser() if schema.is_older(connection) else _parser(connection, benchmark)


def _parser(connection: sqlite3.Connection, benchmark: str) -> Parser:
    row = connection.execute(
        """SELECT amendment, reparses.parameters FROM reparses JOIN benchmarks ON benchmarks.id = reparses.benchmark
           WHERE label = ? ORDER BY amendment DESC LIMIT 1""",
        (benchmark,),
    ).fetchone()
    return Parser() if row is None else Parser(int(row[0]), json.loads(row[1]))


def last_reparse(database: Database) -> int:
    """Number of the last reparse of any benchmark; 0: there is none."""
    return int(database.connection.execute("SELECT coalesce(max(amendment), 0) FROM reparses").fetchone()[0])


def read_stored(path: Path, benchmark: int, statuses: Sequence[Status]) -> Iterator[Stored]:
    """Every ended attempt of a benchmark with one of these statuses, in pages. Raises StoreUnusable."""
    last = 0
    while True:
        with reading(path) as connection:
            page = list(_stored(connection, benchmark, statuses, last))
        yield from page
        if len(page) < PAGE_ROWS:
            return
        last = page[-1].row


def _stored(
    connection: sqlite3.Connection, benchmark: int, statuses: Sequence[Status], after: int, rows: int = PAGE_ROWS
) -> Iterator[Stored]:
    sql = f"""SELECT attempts.rowid AS row, attempts.* FROM attempts JOIN runs ON runs.id = attempts.run
              WHERE runs.benchmark = ? AND attempts.rowid > ? AND status IN ({_marks(statuses)})
              ORDER BY attempts.rowid LIMIT ?"""  # noqa: S608 - question marks
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    for row in cursor.execute(sql, (benchmark, after, *statuses, rows)).fetchall():
        measured = _measurements(connection, row["id"])
        filed = Verdict(Status(row["status"]), row["reason"], measured)
        yield Stored(row["id"], row["run"], row["row"], filed, _output(connection, row))


def _output(connection: sqlite3.Connection, row: sqlite3.Row) -> Output:
    fetched = connection.execute("SELECT name, content FROM fetched WHERE attempt = ?", (row["id"],))
    return Output(
        stdout=_unpacked(row["stdout"]),
        stderr=_unpacked(row["stderr"]),
        exit_status=-1 if row["exit_status"] is None else row["exit_status"],
        truncated=bool(row["truncated"]),
        files={str(name): _unpacked(content) for name, content in fetched},
        elapsed_s=row["duration_s"],
        user_s=row["user_s"],
        system_s=row["system_s"],
    )


def _unpacked(content: bytes | None) -> bytes:
    return b"" if content is None else zlib.decompress(content)


def _measurements(connection: sqlite3.Connection, attempt: str) -> frozenset[MeasurementRow]:
    sql = "SELECT metric, value, printed_value, printed_unit FROM measurements WHERE attempt = ?"
    return frozenset(tuple(row) for row in connection.execute(sql, (attempt,)))


def verdict_of(status: Status, reason: str, readings: Mapping[str, Reading], kept: Iterable[str]) -> Verdict:
    """What is filed of a parser's report."""
    found = {name: readings[name] for name in kept if name in readings} if status is Status.OK else {}
    rows = ((name, one.normalised, one.value, one.unit) for name, one in found.items())
    return Verdict(status, reason, frozenset(rows))


@dataclass(frozen=True, slots=True)
class Parsed:
    """A benchmark's attempts, parsed, and to be filed."""

    reparse: Reparse
    parse: Callable[[Stored], Verdict]
    verdicts: dict[str, Verdict | None] = field(default_factory=dict)
    """By attempt, what the parser says now; None: the same as before."""

    def add(self, stored: Iterable[Stored]) -> None:
        """Parse these as well."""
        for one in stored:
            verdict = self.parse(one)
            self.verdicts[one.id] = None if verdict == one.filed else verdict


def file_reparses(path: Path, works: Sequence[Parsed]) -> list[Filed]:
    """File reparses, all or none, in one transaction that a runner waits for.

    Nothing is parsed in it: attempts that a runner has ended meanwhile are parsed before the next try. Raises
    StoreUnusable, and StoreLocked where a runner of an earlier version works on the database.
    """
    while True:
        filed, since = _tried(path, works)
        if filed is not None:
            return filed
        for work, stored in zip(works, since, strict=True):
            work.add(stored)


def _tried(path: Path, works: Sequence[Parsed]) -> tuple[list[Filed] | None, list[list[Stored]]]:
    """What was filed, or the attempts that are still to be parsed, by work."""
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_LIMIT_S, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            since = [_ended_since(connection, work) for work in works]
            if any(since):
                return None, since
            upgrade(connection, path)
            filed = [_file(connection, path, work.reparse, work.verdicts) for work in works]
            connection.execute("COMMIT")
            return filed, since
    except sqlite3.Error as error:
        raise StoreUnusable(f"{path}: {error}", hint="only who may write the database can reparse it") from error


def _file(connection: sqlite3.Connection, path: Path, reparse: Reparse, parsed: Mapping[str, Verdict | None]) -> Filed:
    (last,) = connection.execute(
        "SELECT coalesce(max(amendment), 0) FROM reparses WHERE benchmark = ?", (reparse.benchmark,)
    ).fetchone()
    if last != reparse.before:
        raise StoreUnusable(f"{path}: another reparse of the benchmark ended meanwhile", hint="start this one again")
    changes = _changes(connection, reparse, parsed)
    filed = Filed(_amend(connection, reparse, len(parsed), len(changes)), len(parsed), len(changes))
    filed.surplus = sum(verdict is not None for verdict in parsed.values()) - len(changes)
    for attempt, verdict in changes.items():
        before = _supersede(connection, filed.amendment, attempt, verdict)
        pair = before, verdict.status
        filed.transitions[pair] = filed.transitions.get(pair, 0) + 1
    filed.reopened = _reopen(connection, filed.amendment)
    return filed


def _ended_since(connection: sqlite3.Connection, work: Parsed) -> list[Stored]:
    """What a runner has ended since the attempts were read, a page at most."""
    reparse = work.reparse
    sql = f"""SELECT attempts.id, attempts.rowid FROM attempts JOIN runs ON runs.id = attempts.run
              WHERE runs.benchmark = ? AND status IN ({_marks(reparse.statuses)})"""  # noqa: S608 - question marks
    rows = connection.execute(sql, (reparse.benchmark, *reparse.statuses)).fetchall()
    since = [row for attempt, row in rows if attempt not in work.verdicts][:PAGE_ROWS]
    return [one for row in since for one in _stored(connection, reparse.benchmark, reparse.statuses, row - 1, 1)]


def _changes(
    connection: sqlite3.Connection, reparse: Reparse, parsed: Mapping[str, Verdict | None]
) -> dict[str, Verdict]:
    """What is changed: a run keeps, or gets, one ok attempt; none that has another attempt under way gets one."""
    changes = {attempt: verdict for attempt, verdict in parsed.items() if verdict is not None}
    rows = connection.execute(
        """SELECT attempts.id, attempts.run, status FROM attempts JOIN runs ON runs.id = attempts.run
           WHERE runs.benchmark = ? ORDER BY attempts.run, attempts.number""",
        (reparse.benchmark,),
    ).fetchall()
    has_result = {
        run
        for attempt, run, status in rows
        if status is None or (status == Status.OK and (attempt not in changes or changes[attempt].status is Status.OK))
    }
    for attempt, run, status in rows:
        if status != Status.OK and attempt in changes and changes[attempt].status is Status.OK:
            if run in has_result:
                del changes[attempt]
            has_result.add(run)
    return changes


def _amend(connection: sqlite3.Connection, reparse: Reparse, attempts: int, changed: int) -> int:
    """The plan's digest stays: what was agreed to for that plan holds."""
    amendment = connection.execute(
        """INSERT INTO amendments (at, origin, blocks, runs, plan_sha256)
           SELECT ?, ?, 0, 0, coalesce((SELECT plan_sha256 FROM amendments ORDER BY id DESC LIMIT 1), plan_sha256)
           FROM campaign""",
        (now(), reparse.origin),
    ).lastrowid
    row = (amendment, reparse.benchmark, reparse.package, canonical_json(dict(reparse.parameters)), attempts, changed)
    connection.execute("INSERT INTO reparses VALUES (?, ?, ?, ?, ?, ?)", row)
    return int(amendment or 0)


def _supersede(connection: sqlite3.Connection, amendment: int, attempt: str, verdict: Verdict) -> Status:
    """Keep what the attempt was, and file what it is; the status before."""
    connection.execute(
        """INSERT INTO superseded_attempts
           SELECT ?, attempts.id, status, reason, given_up_at, given_up_why
           FROM attempts JOIN runs ON runs.id = attempts.run WHERE attempts.id = ?""",
        (amendment, attempt),
    )
    connection.execute(
        """INSERT INTO superseded_measurements
           SELECT ?, attempt, metric, value, printed_value, printed_unit FROM measurements WHERE attempt = ?""",
        (amendment, attempt),
    )
    (before,) = connection.execute("SELECT status FROM attempts WHERE id = ?", (attempt,)).fetchone()
    connection.execute("DELETE FROM measurements WHERE attempt = ?", (attempt,))
    connection.execute(
        "UPDATE attempts SET status = ?, reason = ? WHERE id = ?", (verdict.status, verdict.reason, attempt)
    )
    rows = [(attempt, *row) for row in verdict.measurements]
    connection.executemany("INSERT INTO measurements VALUES (?, ?, ?, ?, ?)", rows)
    if verdict.status is Status.OK:
        connection.execute(
            """UPDATE runs SET given_up_at = NULL, given_up_why = NULL
               WHERE id = (SELECT run FROM attempts WHERE id = ?)""",
            (attempt,),
        )
    return Status(before)


def _reopen(connection: sqlite3.Connection, amendment: int) -> int:
    """Runs whose ok attempt is none any more are planned again, with all their retries; how many they are."""
    return connection.execute(
        """UPDATE runs SET forgiven = (SELECT count(*) FROM attempts WHERE run = runs.id AND status IS NOT NULL)
           WHERE id IN (SELECT run FROM attempts JOIN superseded_attempts ON attempt = attempts.id
                        WHERE amendment = ? AND superseded_attempts.status = 'ok')
               AND NOT EXISTS (SELECT 1 FROM attempts WHERE run = runs.id AND status = 'ok')""",
        (amendment,),
    ).rowcount


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
