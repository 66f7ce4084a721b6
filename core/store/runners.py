"""The runners of a database: who may begin to work on it, and who does."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from hpcvirt.core.errors import StoreLocked
from hpcvirt.core.lease import RunnerIdentity, file_id
from hpcvirt.core.process import ProcessIdentity, is_alive, is_proved_dead, this_process
from hpcvirt.core.store import schema
from hpcvirt.core.store.instants import now
from hpcvirt.core.store.queries import reading

HEARTBEAT_S = 5.0
"""Between two signs of life of a runner."""

WATCH_S = 12.0
"""How long a runner on another host is watched for one. No clocks are compared: they may differ."""


@dataclass(frozen=True, slots=True)
class OpenRunner:
    """A runner whose end is not filed."""

    id: int
    process: ProcessIdentity
    started_at: str
    nonce: str
    """Empty, as what follows: it was one of an earlier version of the program."""
    path: str
    file: str
    heartbeat_at: str

    @property
    def told(self) -> str:
        """Which process it is."""
        return f"process {self.process.pid} on {self.process.host}, since {self.started_at}"


def refuse_second_runner(path: Path, watch_s: float = WATCH_S) -> None:
    """See that nobody works on a database, by its own records: locks of files may be removed, or hold on one host only.

    Raises StoreLocked when a runner is alive, on this host or by its signs of life; StoreUnusable.
    """
    with reading(path) as connection:
        _refuse_living(connection, path)
        elsewhere = _last_elsewhere(connection)
    give_up_at = time.monotonic() + watch_s
    while elsewhere is not None and elsewhere.heartbeat_at and time.monotonic() < give_up_at:
        time.sleep(min(1.0, watch_s / 4))
        with reading(path) as connection:
            later = _last_elsewhere(connection)
        if later is not None and later != elsewhere:
            raise _locked(path, later)
        elsewhere = later


def register(connection: sqlite3.Connection, runner: RunnerIdentity, path: Path) -> int:
    """File who works on the database from now on, within the caller's transaction.

    Raises StoreLocked when another runner has come before. What operators wished of an earlier one is void, unless it
    is about runs.
    """
    _refuse_living(connection, path)
    connection.execute("UPDATE wishes SET obeyed_at = ? WHERE obeyed_at IS NULL AND run IS NULL", (now(),))
    schema.add_columns(connection, {"runners"})
    number = connection.execute(
        """INSERT INTO runners (host, boot_id, pid, pid_start, machine, pid_namespace, started_at)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (*astuple(runner.process), now()),
    ).lastrowid
    if not _has_leases(connection):
        connection.execute(next(one for one in schema.statements() if one.startswith("CREATE TABLE leases ")))
    values = (number, runner.nonce, runner.path, runner.file, now())
    connection.execute("INSERT INTO leases VALUES (?, ?, ?, ?, ?)", values)
    return int(number or 0)


def beat(connection: sqlite3.Connection, number: int, path: Path) -> None:
    """A sign of life, and where the database is now. Raises StoreLocked when a later runner has taken its place."""
    (last,) = connection.execute("SELECT max(id) FROM runners").fetchone()
    if last != number:
        raise StoreLocked(
            f"{path}: another runner has taken this one's place, which gave no sign of life",
            hint=f"the campaign goes on there; see `hpcvirt-tui status {path}`",
        )
    values = (now(), str(path.absolute()), file_id(path), number)
    connection.execute("UPDATE leases SET heartbeat_at = ?, path = ?, file = ? WHERE runner = ?", values)


def upgrade(connection: sqlite3.Connection, path: Path, *, was_watched: bool = False) -> None:
    """Upgrade a database of an earlier version, within the caller's transaction; any other one stays as it is.

    A runner of that version could not go on with it. ``was_watched``: one elsewhere gave no sign of life. Raises
    StoreLocked where one lives, or may live elsewhere.
    """
    if schema.is_older(connection):
        _refuse_runner_of_earlier_version(connection, path, was_watched=was_watched)
        schema.upgrade(connection)


def refuse_upgrade(path: Path) -> None:
    """See beforehand that ``upgrade`` is not refused. Raises StoreLocked, StoreUnusable."""
    with reading(path) as connection:
        if schema.is_older(connection):
            _refuse_runner_of_earlier_version(connection, path)


def _refuse_runner_of_earlier_version(connection: sqlite3.Connection, path: Path, *, was_watched: bool = False) -> None:
    found = [one for one in _open_runners(connection) if is_alive(one.process)]
    elsewhere = None if was_watched else _last_elsewhere(connection)
    for runner in (*found, *([elsewhere] if elsewhere else [])):
        raise StoreLocked(
            f"{path}: a runner of an earlier version of the program works on it, and would end: {runner.told}",
            hint=f"wait for its end, or stop it with `hpcvirt-tui stop {path}` and `hpcvirt-tui run {path}` with this "
            "version",
        )


def read_copied_from(path: Path) -> str:
    """The database that this one is a copy of, made while a runner worked on it that lives; empty: it is none.

    Raises StoreUnusable.
    """
    with reading(path) as connection:
        living = [one for one in _open_runners(connection) if is_alive(one.process)]
    return living[-1].path if living and _is_copy(living[-1], path) else ""


def _is_copy(runner: OpenRunner, path: Path) -> bool:
    return bool(runner.file) and runner.file != file_id(path)


def _refuse_living(connection: sqlite3.Connection, path: Path) -> None:
    for one in _open_runners(connection):
        if is_alive(one.process) and one.process != this_process():
            raise _copied(path, one) if _is_copy(one, path) else _locked(path, one)


def _locked(path: Path, runner: OpenRunner) -> StoreLocked:
    return StoreLocked(
        f"{path}: another runner works on it: {runner.told}",
        hint=f"watch it with `hpcvirt-tui {path}` or `hpcvirt-tui status {path}`",
    )


def _copied(path: Path, runner: OpenRunner) -> StoreLocked:
    return StoreLocked(
        f"{path} is a copy of {runner.path}, made while a runner worked on that: {runner.told}",
        hint=f"the campaign goes on in {runner.path}: runs under way on its nodes are filed there. To resume in the "
        f"copy, end that runner first: `hpcvirt-tui stop {runner.path}`",
    )


def _last_elsewhere(connection: sqlite3.Connection) -> OpenRunner | None:
    """The last runner, if it is not known to have ended and cannot be seen from here."""
    (last,) = connection.execute("SELECT max(id) FROM runners").fetchone()
    found = [one for one in _open_runners(connection) if one.id == last]
    return found[0] if found and not is_proved_dead(found[0].process) else None


def _open_runners(connection: sqlite3.Connection) -> list[OpenRunner]:
    lease = "nonce, path, file, heartbeat_at" if _has_leases(connection) else "NULL, NULL, NULL, NULL"
    joined = "LEFT JOIN leases ON leases.runner = runners.id" if _has_leases(connection) else ""
    place = "machine, pid_namespace" if "machine" in schema.columns_of(connection, "runners") else "'', ''"
    rows = connection.execute(
        f"""SELECT id, started_at, host, boot_id, pid, pid_start, {place}, {lease} FROM runners {joined}
            WHERE ended_at IS NULL ORDER BY id"""  # noqa: S608 - constants
    )
    return [
        OpenRunner(number, ProcessIdentity(*process), at, *(told or "" for told in more))
        for number, at, process, more in ((row[0], row[1], row[2:8], row[8:]) for row in map(tuple, rows))
    ]


def _has_leases(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'leases'").fetchone() is not None
