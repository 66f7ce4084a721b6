"""The writing side of a campaign's database. Its methods run in one thread: see ``writer``."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
import zlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlite_utils

from hpcvirt.core.benchmark import Reading
from hpcvirt.core.errors import StoreLocked, StoreUnusable
from hpcvirt.core.lease import RunnerIdentity, file_id
from hpcvirt.core.model import ALL_NODES, Plan, Status
from hpcvirt.core.plan import canonical_json
from hpcvirt.core.process import ProcessIdentity
from hpcvirt.core.store import runners, schema
from hpcvirt.core.store.creation import Frozen, fill, now, planned_rows
from hpcvirt.core.store.filesystem import is_on_network
from hpcvirt.core.store.samples import Sample, moment, pack

BUSY_LIMIT_S = 60.0
"""How long a write waits for another program's lock on the file."""

LEAVE_NAME_LIMIT_S = 0.5
"""How long a moved file is waited for while somebody reads it, before it is tried again later."""

LEAVE_WAL_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended, ready to be filed."""

    status: Status
    reason: str = ""
    duration_s: float | None = None
    elapsed_s: float | None = None
    user_s: float | None = None
    system_s: float | None = None
    clock_before_s: float | None = None
    clock_after_s: float | None = None
    uptime_before_s: float | None = None
    uptime_after_s: float | None = None
    exit_status: int | None = None
    boot_id: str | None = None
    identity_before: Mapping[str, Any] | None = None
    identity_after: Mapping[str, Any] | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    truncated: bool = False
    files: Mapping[str, bytes] = field(default_factory=dict)
    """What the benchmark wrote and was fetched, by name."""
    digest: str = ""
    """Of what an ok attempt computed; it stands in ``reason``."""
    readings: Mapping[str, Reading] = field(default_factory=dict)
    nodes_after: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of an attempt on all nodes: what each was after it, as far as it answered."""
    blamed: tuple[str, ...] = ()
    """Of a run on all nodes that was lost: who lost it; empty: the one that led it. Not filed: the reason says it."""


_AS_THEY_ARE = (
    "duration_s",
    "elapsed_s",
    "user_s",
    "system_s",
    "clock_before_s",
    "clock_after_s",
    "uptime_before_s",
    "uptime_after_s",
    "exit_status",
    "boot_id",
)


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt that was begun and whose end is not filed yet."""

    id: str
    run: int
    started_at: str
    nodes_before: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of an attempt on all nodes: what each was before it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Something an operator asked for."""

    id: int
    kind: str
    run: int | None
    """None: it is about the whole campaign."""
    origin: str
    """Who asked."""


@dataclass(frozen=True, slots=True)
class RunHistory:
    """What is known of a run: whether it is done with, and how its attempts ended."""

    is_closed: bool = False
    """An ok attempt, or given up."""
    statuses: tuple[Status, ...] = ()
    """Since it was last requeued."""


class _Store(sqlite_utils.Database):
    """Transactions ask for the write lock before they read.

    SQLite makes nobody wait who reads first and writes then: another program's lock of a moment, a screen's
    wish say, would end the runner's transaction at once.
    """

    @contextmanager
    def atomic(self) -> Generator[sqlite_utils.Database, None, None]:
        if not self.conn.in_transaction:
            self.conn.execute("BEGIN IMMEDIATE")
            try:
                yield self
                self.conn.execute("COMMIT")
            except BaseException:
                self.rollback()
                raise
        else:
            with super().atomic():
                yield self


class Database:
    """An open campaign database. Belongs to the thread that opened it."""

    def __init__(self, path: Path) -> None:
        """Open an existing database for writing.

        Raises StoreUnusable, and StoreLocked where it is of an earlier version and a runner of that one works on it.
        """
        self.path = path
        try:
            uri = f"file:{quote(str(path.absolute()))}?mode=rw"
            self._db = _Store(sqlite3.connect(uri, uri=True, timeout=BUSY_LIMIT_S, isolation_level=None))
            self._check()
            if not is_on_network(path):
                # WAL shares memory between processes, which no network file system does.
                self._db.enable_wal()
            # A finished run is on the disk before its spool on the node is removed.
            self._db.conn.execute("PRAGMA synchronous = FULL")
            self._db.conn.execute("PRAGMA foreign_keys = ON")
        except sqlite3.Error as error:
            raise StoreUnusable(
                f"{path}: {error}", hint="is it a results database of this program, and writable?"
            ) from error

    def _check(self) -> None:
        if self._db.conn.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
            raise StoreUnusable(f"{self.path}: not a results database of hpcvirt-tui")
        found = self._db.conn.execute("PRAGMA user_version").fetchone()[0]
        if not schema.OLDEST_VERSION <= found <= schema.USER_VERSION:
            raise StoreUnusable(
                f"{self.path}: schema version {found}, this program writes version {schema.USER_VERSION}",
                hint="use the program version that made it",
            )
        if found < schema.USER_VERSION:
            with self._db.atomic():
                # Whoever opens it to work on it has watched for a runner elsewhere.
                runners.upgrade(self._db.conn, self.path, was_watched=True)

    @classmethod
    def create(cls, path: Path, frozen: Frozen) -> Database:
        """Make a new database with the frozen campaign in it, readable by its owner only.

        It appears under its name only when it is whole. Raises StoreUnusable when the name is taken.
        """
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            fill(draft, frozen)
            os.link(draft, path)
        except (OSError, sqlite3.Error) as error:
            raise StoreUnusable(
                f"{path}: {error}", hint="name another file with --db, in a folder you can write"
            ) from error
        finally:
            draft.unlink(missing_ok=True)
        return cls(path)

    def close(self) -> None:
        """Close, and leave WAL, so that the file can be copied and read by anyone.

        A reader that stays (Datasette, say) keeps the file in WAL: its content is whole all the same.
        """
        self._leave_wal()
        self._db.conn.close()

    def _leave_wal(self) -> None:
        give_up_at = time.monotonic() + LEAVE_WAL_LIMIT_S
        while True:
            try:
                # SQLite asks for the file alone and does not wait for it: screens look for milliseconds only.
                self._db.conn.execute("PRAGMA journal_mode = DELETE")
                return
            except sqlite3.OperationalError:
                if time.monotonic() > give_up_at:
                    return
                time.sleep(0.02)

    def copy_to(self, path: Path) -> None:
        """Save the whole content in a new file, readable by its owner only: also of a database that has lost its name.

        It appears under its name only when it is whole. Raises StoreUnusable.
        """
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
                self._db.conn.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
            os.link(draft, path)
        except (OSError, sqlite3.Error) as error:
            raise StoreUnusable(f"{path}: {error}", hint="is there room for it?") from error
        finally:
            draft.unlink(missing_ok=True)

    def leave_name(self) -> None:
        """Close a database whose name is gone, or another file's now: nothing by that name is touched.

        Raises StoreUnusable when not all of its content could be brought into the file itself.
        """
        # Screens look for milliseconds; for whoever stays the campaign does not wait.
        self._db.conn.execute(f"PRAGMA busy_timeout = {LEAVE_NAME_LIMIT_S * 1000:.0f}")
        is_busy, *_ = self._db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self._db.conn.execute(f"PRAGMA busy_timeout = {BUSY_LIMIT_S * 1000:.0f}")
        if is_busy:
            raise StoreUnusable(f"{self.path}: somebody reads it", hint="it is tried again")
        self._db.conn.close()

    @contextmanager
    def transaction(self) -> Generator[None, None, None]:
        """What is done within is done wholly or not at all; within another it is a part of that one."""
        with self._db.atomic():
            yield

    @property
    def connection(self) -> sqlite3.Connection:
        """For the parts of the store that are modules of their own."""
        return self._db.conn

    @property
    def is_in_transaction(self) -> bool:
        """Whether one is open."""
        return bool(self._db.conn.in_transaction)

    # -- the runner's life

    def register_runner(self, process: ProcessIdentity, nonce: str = "") -> int:
        """File who works on the database from now on.

        Wishes that were left open were for an earlier one, unless they are about runs. Raises StoreLocked when another
        one lives.
        """
        with self._db.atomic():
            return runners.register(self._db.conn, self.identity_of(process, nonce), self.path)

    def identity_of(self, process: ProcessIdentity, nonce: str) -> RunnerIdentity:
        """A runner with the file that it works on."""
        return RunnerIdentity(process, nonce, file_id(self.path), str(self.path.absolute()))

    def beat(self, runner: int) -> None:
        """File a sign of life. Raises StoreLocked when a later runner has taken its place."""
        with self._db.atomic():
            runners.beat(self._db.conn, runner, self.path)

    def runner_ended(self, runner: int, ending: str) -> None:
        """File that the runner ended by itself, and how."""
        self._db.table("runners").update(runner, {"ended_at": now(), "ending": ending})

    def uuid(self) -> str:
        """Names this database."""
        return str(self._db.conn.execute("SELECT uuid FROM campaign").fetchone()[0])

    def paused(self) -> None:
        """File that the runner has paused by itself: only a wish makes it go on."""
        sql = "INSERT INTO wishes (at, kind, origin, obeyed_at) VALUES (?1, 'pause', 'the runner', ?1)"
        self._insert(sql, (now(),))

    def open_wishes(self) -> list[Wish]:
        """Wishes not obeyed yet, oldest first."""
        rows = self._db.conn.execute("SELECT id, kind, run, origin FROM wishes WHERE obeyed_at IS NULL ORDER BY id")
        return [Wish(*row) for row in rows]

    def obey(self, wish: int) -> None:
        """File that a wish was obeyed."""
        self._db.table("wishes").update(wish, {"obeyed_at": now()})

    def event(self, level: str, message: str, node: str | None = None) -> None:
        """Add a line to the log."""
        self._db.table("events").insert({"at": now(), "level": level, "node": node, "message": message})

    def amend(self, plan: Plan, blocks: int, origin: str) -> tuple[int, int]:
        """Add what a longer plan has beyond the one that is here; how many boots and runs that is.

        Raises StoreUnusable when what is here is not the longer plan's beginning.
        """
        with self._db.atomic():
            boots, runs = (self._db.table(name).count for name in ("boots", "runs"))
            last = self._db.conn.execute("SELECT node, kernel, block, phase FROM boots ORDER BY id DESC LIMIT 1")
            end = plan.boots[boots - 1]
            if tuple(last.fetchone()) != (end.node, end.kernel, end.block, end.phase) or runs >= len(plan.runs):
                raise StoreUnusable(f"{self.path}: its plan is not the one that is extended", hint="was it extended?")
            ids = {str(label): int(key) for key, label in self._db.conn.execute("SELECT id, label FROM benchmarks")}
            for table, rows in planned_rows(plan.boots[boots:], plan.runs[runs:], ids):
                self._db.table(table).insert_all(rows)
            added = len(plan.boots) - boots, len(plan.runs) - runs
            row = {"at": now(), "origin": origin, "blocks": blocks, "runs": added[1], "plan_sha256": plan.digest}
            self._db.table("amendments").insert(row)
        return added

    # -- nodes, boots, artifacts

    def node_state(self, node: str, state: str, detail: str = "") -> None:
        """File what the runner does with a node now; ``*``: with all nodes."""
        self._node_state(node, state, detail, now())

    def boot_started(self, boot: int) -> None:
        """File that the visit of a kernel begins, or goes on in another life of the runner."""
        self._db.conn.execute("UPDATE boots SET started_at = coalesce(started_at, ?) WHERE id = ?", (now(), boot))

    def boot_proved(
        self, boot: int, identity: Mapping[str, Any], environment: Mapping[str, str], *, rebooted: bool
    ) -> None:
        """File the identity that proved the kernel, and what the node was like then."""
        with self._db.atomic():
            fields = {
                "identity": self._once("identities", identity),
                "environment": self._once("environments", environment or None),
                "boot_id": identity.get("boot_id"),
                "proved_at": now(),
                "rebooted": int(rebooted),
            }
            self._db.table("boots").update(boot, fields)
            # It has its kernel; its first run starts when it is its turn.
            (node,) = self._db.conn.execute("SELECT node FROM boots WHERE id = ?", (boot,)).fetchone()
            self._node_state(node, "waiting", "", now())

    def boot_ended(self, boot: int) -> None:
        """File that no run of the boot is left."""
        self._db.table("boots").update(boot, {"ended_at": now()})

    def artifacts(self) -> dict[str, list[tuple[str, str, bytes]]]:
        """Every frozen artifact by its benchmark's label: name, SHA-256 and content."""
        rows = self._db.conn.execute(
            "SELECT label, name, sha256, content FROM artifacts JOIN benchmarks ON benchmarks.id = benchmark"
        )
        found: dict[str, list[tuple[str, str, bytes]]] = {}
        for label, name, sha256, content in rows:
            found.setdefault(label, []).append((name, sha256, zlib.decompress(content)))
        return found

    def artifacts_checked(self, boot: int, benchmark: str, checks: Iterable[tuple[str, str, str]]) -> None:
        """File what was found of a benchmark's artifacts on the node: name, SHA-256, and how it was hashed."""
        same = {"boot": boot, "benchmark": self._benchmark(benchmark), "checked_at": now()}
        rows = [same | {"name": name, "sha256": sha256, "method": method} for name, sha256, method in checks]
        with self._db.atomic():
            self._db.table("artifact_checks").insert_all(rows)

    def other_artifacts(self, boot: int, benchmark: str) -> dict[str, str]:
        """What the first boot but this one had: SHA-256 by name. Empty before there is one."""
        rows = self._db.conn.execute(
            """SELECT name, sha256 FROM artifact_checks WHERE benchmark = ?1 AND boot = (
                   SELECT boot FROM artifact_checks WHERE benchmark = ?1 AND boot <> ?2 ORDER BY rowid LIMIT 1)
               ORDER BY rowid DESC""",
            (self._benchmark(benchmark), boot),
        )
        return {str(name): str(sha256) for name, sha256 in rows}

    # -- attempts

    def begin_attempt(
        self,
        attempt: str,
        run: int,
        *,
        nodes_before: Mapping[str, Mapping[str, Any]] | None = None,
        launched: str | None = None,
    ) -> None:
        """File an attempt before the node is told to start it, and that the node runs it.

        ``nodes_before``: of an attempt on all nodes, what each is. ``launched``: what is executed, as a shell takes it.
        """
        at = now()
        node, label = self._db.conn.execute(
            """SELECT boots.node, benchmarks.label FROM runs JOIN boots ON boots.id = runs.boot
               JOIN benchmarks ON benchmarks.id = runs.benchmark WHERE runs.id = ?""",
            (run,),
        ).fetchone()
        with self._db.atomic():
            # Plain SQL, here and below: for every run the library would ask the schema again and again.
            self._insert(
                """INSERT INTO attempts (id, run, number, started_at, launched)
                   SELECT ?1, ?2, count(*) + 1, ?3, ?4 FROM attempts WHERE run = ?2""",
                (attempt, run, at, launched),
            )
            for name, identity in (nodes_before or {}).items():
                self._insert(
                    "INSERT INTO attempt_nodes (attempt, node, identity_before) VALUES (?, ?, ?)",
                    (attempt, name, self._once("identities", identity)),
                )
            self._node_state(node, "running", label, at)

    def is_ok(self, run: int) -> bool:
        """Whether a run has a result."""
        sql = f"SELECT {_IS_OK} FROM runs WHERE id = ?"  # noqa: S608 - a constant
        return bool(self._db.conn.execute(sql, (run,)).fetchone()[0])

    def end_attempt(self, attempt: str, ended: Ended, reparse: int | None = None) -> bool:
        """File the end of an attempt and its measurements in one transaction. A second end is refused.

        ``reparse``: the last one that its parser knew of, where that matters. False, and nothing is filed: there has
        been another one since.
        """
        row = {
            "status": ended.status.value,
            "reason": ended.reason,
            "ended_at": now(),
            **{name: getattr(ended, name) for name in _AS_THEY_ARE},
            "stdout": zlib.compress(ended.stdout),
            "stderr": zlib.compress(ended.stderr),
            "truncated": int(ended.truncated),
        }
        with self._db.atomic():
            self._refuse_second_end(attempt)
            if reparse is not None and reparse != self._last_reparse_of(attempt):
                return False
            row["identity_before"] = self._once("identities", ended.identity_before)
            row["identity_after"] = self._once("identities", ended.identity_after)
            assigned = ", ".join(f"{name} = :{name}" for name in row)
            self._db.conn.execute(f"UPDATE attempts SET {assigned} WHERE id = :id", {**row, "id": attempt})  # noqa: S608 - names of ours
            for name, identity in ended.nodes_after.items():
                self._db.conn.execute(
                    "UPDATE attempt_nodes SET identity_after = ? WHERE attempt = ? AND node = ?",
                    (self._once("identities", identity), attempt, name),
                )
            fetched = [(attempt, name, zlib.compress(content)) for name, content in ended.files.items()]
            self._db.conn.executemany("INSERT INTO fetched (attempt, name, content) VALUES (?, ?, ?)", fetched)
            if ended.status is Status.OK:
                kept = self._kept_metrics(attempt)
                readings = {metric: reading for metric, reading in ended.readings.items() if metric in kept}
                self._db.conn.executemany(_INSERT_MEASUREMENT, _measurement_rows(attempt, readings))
        return True

    def _refuse_second_end(self, attempt: str) -> None:
        found = self._db.conn.execute("SELECT status FROM attempts WHERE id = ?", (attempt,)).fetchone()
        if found is None:
            raise StoreUnusable(f"{self.path}: attempt {attempt} was never begun", hint="was the file replaced?")
        if found[0] is not None:
            raise StoreLocked(
                f"{self.path}: another runner has filed the end of attempt {attempt} already: {found[0]}",
                hint=f"two runners work on it; see `hpcvirt-tui status {self.path}` for the one that stays",
            )

    def open_attempts(self) -> dict[str, list[OpenAttempt]]:
        """Attempts begun by an earlier life whose end was not filed, by node."""
        rows = self._db.conn.execute(
            """SELECT boots.node, attempts.id, attempts.run, attempts.started_at FROM attempts
               JOIN runs ON runs.id = attempts.run JOIN boots ON boots.id = runs.boot
               WHERE attempts.status IS NULL ORDER BY attempts.started_at"""
        )
        found: dict[str, list[OpenAttempt]] = {}
        for node, attempt, run, started_at in rows:
            told = OpenAttempt(str(attempt), int(run), str(started_at), self._nodes_before(attempt))
            found.setdefault(str(node), []).append(told)
        return found

    def unknown_attempts(self, attempts: Iterable[str]) -> list[str]:
        """Those of them that were not begun by a runner of this database."""
        sql = "SELECT 1 FROM attempts WHERE id = ?"
        return [one for one in attempts if self._db.conn.execute(sql, (one,)).fetchone() is None]

    def _nodes_before(self, attempt: str) -> dict[str, dict[str, Any]]:
        rows = self._db.conn.execute(
            """SELECT node, content FROM attempt_nodes JOIN identities ON identities.id = identity_before
               WHERE attempt = ?""",
            (attempt,),
        )
        return {str(node): json.loads(content) for node, content in rows}

    def ended_attempts(self, node: str) -> list[str]:
        """Every attempt on a node whose end is filed: their spools may go."""
        rows = self._db.conn.execute(
            """SELECT attempts.id FROM attempts JOIN runs ON runs.id = attempts.run JOIN boots ON boots.id = runs.boot
               WHERE boots.node = ? AND attempts.status IS NOT NULL""",
            (node,),
        )
        return [str(attempt) for (attempt,) in rows]

    def give_up(self, run: int, why: str) -> None:
        """File that a run gets no more attempts, unless it is done with already."""
        self._db.conn.execute(
            f"UPDATE runs SET given_up_at = ?, given_up_why = ? WHERE id = ? AND given_up_at IS NULL AND NOT {_IS_OK}",  # noqa: S608
            (now(), why, run),
        )

    def requeue(self, run: int) -> None:
        """File that a run without a result is to be tried anew: its attempts so far use up no retry."""
        self._db.conn.execute(
            f"""UPDATE runs SET given_up_at = NULL, given_up_why = NULL, forgiven =
                (SELECT count(*) FROM attempts WHERE attempts.run = runs.id AND attempts.status IS NOT NULL)
                WHERE id = ? AND NOT {_IS_OK}""",  # noqa: S608 - a constant
            (run,),
        )

    def histories(self) -> dict[int, RunHistory]:
        """Every run that is done with or has attempts, by run id."""
        rows = self._db.conn.execute(
            """SELECT runs.id, given_up_at IS NOT NULL, forgiven, attempts.status FROM runs
               LEFT JOIN attempts ON attempts.run = runs.id
               WHERE given_up_at IS NOT NULL OR attempts.id IS NOT NULL ORDER BY runs.id, attempts.number"""
        )
        found: dict[int, RunHistory] = {}
        for run, members in groupby(rows, key=itemgetter(0)):
            _, given_up, forgiven, statuses = zip(*members, strict=True)
            ended = [Status(status) for status in statuses if status is not None]
            found[int(run)] = RunHistory(bool(given_up[0]) or Status.OK in ended, tuple(ended[forgiven[0] :]))
        return found

    # -- telemetry

    def file_samples(self, rows: Iterable[tuple[str, Sequence[Sample]]]) -> None:
        """File rows of samples, by node and time. A row that has grown takes the place of what it was."""
        values = [(node, moment(told[0].at_ms), moment(told[-1].at_ms), pack(told)) for node, told in rows]
        with self._db.atomic():
            # In its old place: what is deleted and put to the end leaves holes.
            self._db.conn.executemany(
                """INSERT INTO samples VALUES (?, ?, ?, ?) ON CONFLICT (node, started_at)
                   DO UPDATE SET ended_at = excluded.ended_at, content = excluded.content""",
                values,
            )

    # -- within a transaction

    def _once(self, table: str, told: Mapping[str, Any] | None) -> str | None:
        """Key of what is stored once by content."""
        if told is None:
            return None
        content = canonical_json(told)
        key = hashlib.sha256(content.encode()).hexdigest()
        self._insert(f"INSERT OR IGNORE INTO {table} (id, content) VALUES (?, ?)", (key, content))  # noqa: S608 - of ours
        return key

    def _insert(self, sql: str, values: Sequence[object]) -> int:
        return int(self._db.conn.execute(sql, values).lastrowid or 0)

    def _node_state(self, node: str, state: str, detail: str, since: str) -> None:
        self._db.conn.execute(
            "UPDATE nodes SET state = ?, detail = ?, since = ? WHERE name = ? OR ? = ?",
            (state, detail, since, node, node, ALL_NODES),
        )

    def _kept_metrics(self, attempt: str) -> set[str]:
        rows = self._db.conn.execute(
            """SELECT metrics.name FROM attempts JOIN runs ON runs.id = attempts.run
               JOIN metrics ON metrics.benchmark = runs.benchmark WHERE attempts.id = ?""",
            (attempt,),
        )
        return {str(name) for (name,) in rows}

    def _last_reparse_of(self, attempt: str) -> int:
        """Of its benchmark; 0: there is none."""
        sql = """SELECT coalesce(max(amendment), 0) FROM reparses
                 WHERE benchmark = (SELECT benchmark FROM runs JOIN attempts ON run = runs.id WHERE attempts.id = ?)"""
        return int(self._db.conn.execute(sql, (attempt,)).fetchone()[0])

    def _benchmark(self, label: str) -> int:
        return int(self._db.conn.execute("SELECT id FROM benchmarks WHERE label = ?", (label,)).fetchone()[0])


_IS_OK = "EXISTS (SELECT 1 FROM attempts WHERE attempts.run = runs.id AND attempts.status = 'ok')"


_INSERT_MEASUREMENT = """
    INSERT INTO measurements (attempt, metric, value, printed_value, printed_unit) VALUES (?, ?, ?, ?, ?)"""


def _measurement_rows(attempt: str, readings: Mapping[str, Reading]) -> list[tuple[str, str, float, float, str]]:
    return [(attempt, metric, reading.normalised, reading.value, reading.unit) for metric, reading in readings.items()]
