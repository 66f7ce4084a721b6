"""Runs on a disturbed node are flagged, and those on a quiet one are not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hpcvirt.core.disturbance import Disturbance, disturbance_flags, disturbances
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.samples import Sample, moment
from tests.core.factories import campaign, ended, new_database

START = 1_750_000_000_000
RUN_MS = 60_000


def filled(
    path: Path,
    *,
    lab: bool = False,
    own_cores: float = 1.0,
    uncounted: float = 0.0,
    others: dict[int, float] | None = None,
    logins: dict[int, int] | None = None,
    run_ms: int = RUN_MS,
) -> Path:
    """Eight runs on node1, one after another; ``others`` and ``logins`` by the place of the run."""
    told = replace(campaign(nodes=["node1"]), lab=lab)
    database, plan = new_database(path, told)
    for place, run in enumerate(plan.runs):
        start = START + 2 * run_ms * place
        seconds = run_ms / 1000
        database.begin_attempt(f"a{place}", run.id)
        end = ended(duration_s=seconds, elapsed_s=seconds, user_s=own_cores * seconds, system_s=0.0)
        database.end_attempt(f"a{place}", end)
        _set_times(database, f"a{place}", start, start + run_ms)
        busy = (own_cores + uncounted + (others or {}).get(place, 0.0)) / 4
        samples = list(_samples(start, run_ms, busy, (logins or {}).get(place, 0)))
        database.file_samples([("node1", samples)])
    database.close()
    return path


def _set_times(database: Database, attempt: str, start: int, end: int) -> None:
    values = (moment(start), moment(end), attempt)
    database._db.conn.execute("UPDATE attempts SET started_at = ?, ended_at = ? WHERE id = ?", values)


def _samples(start: int, run_ms: int, busy: float, logins: int) -> Iterator[Sample]:
    """From before the run to its end; a quiet node uses a little for itself."""
    drawn = random.Random(start)
    for number, at in enumerate(range(start - 100, start + run_ms, 2000)):
        share = busy + drawn.uniform(0, 0.005)
        yield Sample(at, 2.0, 4, share, 0.0, logins=logins if number % 15 == 0 else None)


def found(path: Path, **told: object) -> list[Disturbance]:
    return disturbances(filled(path / "small.db", **told))  # type: ignore[arg-type]


def test_a_quiet_node(tmp_path: Path) -> None:
    assert found(tmp_path) == []


def test_what_others_use_beside_a_run(tmp_path: Path) -> None:
    (one,) = found(tmp_path, others={3: 0.5})
    assert one.attempt.id == "a3"
    assert one.others_cores == pytest.approx(0.5, abs=0.05)
    assert one.words == "others used 0.5 cores"


def test_processes_that_are_not_counted_as_the_runs_own_are_not_others(tmp_path: Path) -> None:
    assert found(tmp_path, uncounted=2.0) == []


def test_somebody_is_logged_in(tmp_path: Path) -> None:
    one, other = found(tmp_path, logins={2: 1, 5: 3})
    assert (one.attempt.id, one.words) == ("a2", "1 user was logged in")
    assert (other.attempt.id, other.logins) == ("a5", 3)


def test_a_short_run_has_the_logins_of_just_before(tmp_path: Path) -> None:
    (one,) = found(tmp_path, run_ms=400, logins={4: 1})
    assert one.attempt.id == "a4"


def test_a_lab_is_exempt(tmp_path: Path) -> None:
    assert found(tmp_path, lab=True, others={3: 2.0}, logins={2: 1}) == []


def test_one_line_for_each_kernel_and_node(tmp_path: Path) -> None:
    path = filled(tmp_path / "small.db", others=dict.fromkeys(range(2), 1.5), logins={0: 2})
    lines = disturbance_flags(path)
    assert 1 <= len(lines) <= 2
    assert "others used 1.5 cores" in lines[0]
    assert lines[0].startswith("node1 under ")
    assert "which count all the same" in lines[0]


def test_without_telemetry_nothing_is_said(tmp_path: Path) -> None:
    database, _ = new_database(tmp_path / "small.db")
    database.begin_attempt("a", 1)
    database.end_attempt("a", ended(user_s=9.0))
    database.close()
    assert disturbance_flags(tmp_path / "small.db") == ()
