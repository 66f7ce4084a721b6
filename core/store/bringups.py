"""Reboots on their way, step by step, and what must be put back afterwards. The writing side; see ``writer``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.model import ALL_NODES
from hpcvirt.core.plan import canonical_json
from hpcvirt.core.store.creation import now
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.queries import PATIENCE_S, reading


class Step(StrEnum):
    """How far a try has come; each names its column."""

    ORDERED = "ordered"
    ACCEPTED = "accepted"
    GONE = "gone"
    BACK = "back"
    PROVED = "proved"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Bringup:
    """One try to bring a node into the kernel of a boot."""

    id: int
    boot: int
    number: int
    old_boot_id: str
    nonce: str
    step: Step
    """The furthest that was reached."""
    new_boot_id: str | None = None
    kernel: str = ""
    block: int = 0

    @property
    def is_open(self) -> bool:
        """It has no end yet."""
        return self.step not in {Step.PROVED, Step.FAILED}


def order(database: Database, boot: int, old_boot_id: str, nonce: str) -> Bringup:
    """File a try before anything of it is sent to the node."""
    with database.transaction():
        number = database.connection.execute(
            "SELECT coalesce(max(number), 0) + 1 FROM bringups WHERE boot = ?", (boot,)
        ).fetchone()[0]
        made = database.connection.execute(
            "INSERT INTO bringups (boot, number, old_boot_id, nonce, ordered_at) VALUES (?, ?, ?, ?, ?)",
            (boot, number, old_boot_id, nonce, now()),
        )
        row = database.connection.execute(f"{_TRIES} WHERE bringups.id = ?", (made.lastrowid,)).fetchone()
    return _bringup(row)


def reach(database: Database, bringup: int, step: Step, told: str = "") -> None:
    """File that a try has come so far. ``told``: the new boot_id of ``BACK``, the reason of ``FAILED``."""
    sql = {
        Step.ACCEPTED: "UPDATE bringups SET accepted_at = coalesce(accepted_at, :at) WHERE id = :id",
        Step.GONE: "UPDATE bringups SET gone_at = coalesce(gone_at, :at) WHERE id = :id",
        Step.BACK: "UPDATE bringups SET back_at = :at, new_boot_id = :told WHERE id = :id",
        Step.PROVED: "UPDATE bringups SET proved_at = :at WHERE id = :id",
        Step.FAILED: "UPDATE bringups SET failed_at = :at, failure = :told WHERE id = :id",
    }[step]
    database.connection.execute(sql, {"at": now(), "id": bringup, "told": told})


_TRIES = """
    SELECT bringups.id, bringups.boot, bringups.number, old_boot_id, nonce,
           CASE WHEN failed_at IS NOT NULL THEN 'failed' WHEN bringups.proved_at IS NOT NULL THEN 'proved'
                WHEN back_at IS NOT NULL THEN 'back' WHEN gone_at IS NOT NULL THEN 'gone'
                WHEN accepted_at IS NOT NULL THEN 'accepted' ELSE 'ordered' END, new_boot_id, boots.kernel,
           boots.block
    FROM bringups JOIN boots ON boots.id = bringups.boot
"""


def last(database: Database, boot: int) -> Bringup | None:
    """The latest try of a boot."""
    row = database.connection.execute(
        f"{_TRIES} WHERE bringups.boot = ? ORDER BY bringups.number DESC LIMIT 1", (boot,)
    ).fetchone()
    return None if row is None else _bringup(row)


def open_of(database: Database, node: str) -> Bringup | None:
    """The try that an earlier life of the runner left without an end, if there is one."""
    row = database.connection.execute(
        f"""{_TRIES} WHERE boots.node = ? AND failed_at IS NULL AND bringups.proved_at IS NULL
            ORDER BY bringups.id DESC LIMIT 1""",
        (node,),
    ).fetchone()
    return None if row is None else _bringup(row)


def _bringup(row: tuple[Any, ...]) -> Bringup:
    number, boot, tried, old_boot_id, nonce, step, new_boot_id, kernel, block = row
    return Bringup(number, boot, tried, old_boot_id, nonce, Step(step), new_boot_id, kernel, block)


def is_under_way(database: Database, node: str) -> bool:
    """Whether a reboot of the node was ordered and nobody has seen its end."""
    sql = """SELECT 1 FROM bringups JOIN boots ON boots.id = bringups.boot
             WHERE boots.node = ? AND back_at IS NULL AND failed_at IS NULL"""
    return database.connection.execute(sql, (node,)).fetchone() is not None


def was_proved(database: Database, node: str) -> bool:
    """Whether the node was proved in a kernel of the campaign, in whichever life of the runner."""
    sql = """SELECT EXISTS (SELECT 1 FROM boots WHERE node = :node AND proved_at IS NOT NULL)
                 OR EXISTS (SELECT 1 FROM attempts JOIN runs ON runs.id = run JOIN boots ON boots.id = boot
                            WHERE boots.node IN (:node, :all))"""
    return bool(database.connection.execute(sql, {"node": node, "all": ALL_NODES}).fetchone()[0])


def was_ordered(database: Database, node: str) -> bool:
    """Whether a reboot of the node was ever ordered, for which it had to say in which life it was."""
    sql = "SELECT 1 FROM bringups JOIN boots ON boots.id = bringups.boot WHERE boots.node = ?"
    return database.connection.execute(sql, (node,)).fetchone() is not None


def remember_default(database: Database, node: str, method: str, values: Mapping[str, str]) -> None:
    """File what a node boots by default. What is recorded and not yet put back stays as it is."""
    with database.transaction():
        database.connection.execute(
            "DELETE FROM boot_defaults WHERE node = ? AND method = ? AND restored_at IS NOT NULL", (node, method)
        )
        database.connection.execute(
            "INSERT OR IGNORE INTO boot_defaults (node, method, remembered, recorded_at) VALUES (?, ?, ?, ?)",
            (node, method, canonical_json(values), now()),
        )


def defaults_to_restore(database: Database, node: str) -> dict[str, dict[str, str]]:
    """By method: what was recorded and not yet put back."""
    rows = database.connection.execute(
        "SELECT method, remembered FROM boot_defaults WHERE node = ? AND restored_at IS NULL", (node,)
    )
    return {str(method): json.loads(remembered) for method, remembered in rows}


def default_restored(database: Database, node: str, method: str) -> None:
    """File that it is as it was."""
    database.connection.execute(
        "UPDATE boot_defaults SET restored_at = ? WHERE node = ? AND method = ?", (now(), node, method)
    )


@dataclass(frozen=True, slots=True)
class Consent:
    """The operator's word that nodes may be rebooted."""

    origin: str
    """Who gave it: nobody else's runner lives on it."""
    is_forced: bool = False
    """Also where other people work."""
    plan: str = ""
    """Digest of the plan that was shown before it was given. Empty: it is about what the database holds."""


def record_consent(path: Path, given: Consent) -> None:
    """File it; it holds for later lives of the runner, until blocks are added. Raises StoreUnusable."""
    with reading(path):
        pass
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)) as connection:
            _file_consent(connection, given)
    except sqlite3.Error as error:
        raise StoreUnusable(
            f"{path}: {error}", hint="only who may write the database can let it reboot nodes"
        ) from error


def take_consent(database: Database, origin: str) -> Consent | None:
    """The latest of this user, for one life of the runner: force is not there for the next one."""
    found = _consent(database.connection, origin)
    if found is not None and found.is_forced:
        _file_consent(database.connection, Consent(origin, plan=found.plan))
    return found


def read_consent(path: Path, origin: str) -> Consent | None:
    """The same without writing. Raises StoreUnusable."""
    with reading(path) as connection:
        return _consent(connection, origin)


def read_void_consent(path: Path, origin: str) -> str:
    """Why the latest word does not count for this user, in words; empty where there is none. Raises StoreUnusable."""
    with reading(path) as connection:
        row = connection.execute("SELECT at, origin FROM consents ORDER BY id DESC LIMIT 1").fetchone()
    if row is None:
        return ""
    if row["origin"] != origin:
        return f"the yes of {row['at']} is {row['origin']}'s, and you are {origin}"
    return f"the yes of {row['at']} was for a plan to which blocks were added since"


def _file_consent(connection: sqlite3.Connection, given: Consent) -> None:
    connection.execute(
        f"INSERT INTO consents (at, origin, plan_sha256, forced) VALUES (?, ?, coalesce(nullif(?, ''), {_PLAN}), ?)",  # noqa: S608 - a constant
        (now(), given.origin, given.plan, int(given.is_forced)),
    )


def _consent(connection: sqlite3.Connection, origin: str) -> Consent | None:
    sql = f"""SELECT origin, forced, plan_sha256 FROM consents
              WHERE origin = ? AND plan_sha256 = {_PLAN} ORDER BY id DESC LIMIT 1"""  # noqa: S608 - a constant
    row = connection.execute(sql, (origin,)).fetchone()
    return None if row is None else Consent(str(row[0]), bool(row[1]), str(row[2]))


_PLAN = (
    """(SELECT coalesce((SELECT plan_sha256 FROM amendments ORDER BY id DESC LIMIT 1), plan_sha256) FROM campaign)"""
)
"""Digest of the plan as it is now."""
