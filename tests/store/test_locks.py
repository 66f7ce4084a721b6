"""Where databases can lie."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hpcvirt.core.engine import begin as begin_module
from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.store import locks
from tests.engine.test_begin import file_of, names


def test_a_usual_folder_has_working_locks_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    assert locks.lock_fault(tmp_path, 60.0) == ""
    assert names(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "No such file" in locks.lock_fault(tmp_path / "none", 60.0)


def test_locks_that_hang_are_waited_for_with_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_PROBE", "import time; time.sleep(1000)")
    started = time.monotonic()
    assert "locks hang" in locks.lock_fault(tmp_path, 0.2)
    assert time.monotonic() - started < 60


def test_locks_that_hold_nobody_off_are_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_PROBE", locks._PROBE.replace("BEGIN EXCLUSIVE", "SELECT 1"))
    assert "at the same time" in locks.lock_fault(tmp_path, 60.0)


def test_no_database_is_made_where_locks_do_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(begin_module, "build", lambda told, folder: {})
    monkeypatch.setattr(begin_module, "is_on_network", lambda folder: True)
    monkeypatch.setattr(begin_module, "lock_fault", lambda folder: "locks hang: no answer within 5 s")
    with pytest.raises(StoreUnusable, match="locks hang"):
        begin_module.begin(file_of(), tmp_path)
    assert names(tmp_path) == []
