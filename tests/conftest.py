"""Fixtures for everyone."""

from __future__ import annotations

import os
import secrets
import signal
from pathlib import Path

import pytest

from tests.support import ledger as ledgers

# One seed for all workers of a run, printed at its end.
os.environ.setdefault("HPCVIRT_STATS_SEED", str(secrets.randbits(32)))

# What `nohup` and `&` have a test run ignore, everything that it starts would ignore, too.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Pictures of the screen are kept, and taken anew only when somebody says so."""
    parser.addoption("--update", action="store_true", help="take the pictures of tests/tui/test_pictures.py anew")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What HPCVIRT_REQUIRE names (markers, comma-separated) may not be skipped: `.ci/run` sets it."""
    required = set(filter(None, os.environ.get("HPCVIRT_REQUIRE", "").split(",")))
    for item in items:
        if required & {mark.name for mark in item.iter_markers()}:
            item.user_properties.append(("required", True))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """A required test that is skipped has failed."""
    report = yield
    if report.skipped and ("required", True) in item.user_properties:
        report.outcome = "failed"
        report.longrepr = f"required, but skipped: {report.longrepr[2]}"
    return report


@pytest.fixture(autouse=True)
def _no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's own settings and memory are neither read nor written."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def ledger(tmp_path: Path) -> ledgers.LedgerFolder:
    """A third party's plugin, installed for the programs that a test starts."""
    return ledgers.install(tmp_path / "third-party")
