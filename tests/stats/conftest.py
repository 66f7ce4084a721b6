"""Seeds that differ in every run, and the marker of tests that need R."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import settings

# a machine that others share is slow at times; how long things may take is measured by the benchmarks
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

SEED = int(os.environ.get("HPCVIRT_STATS_SEED") or secrets.randbits(32))


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    if shutil.which("Rscript") is None:
        for item in items:
            if item.get_closest_marker("r"):
                item.add_marker(pytest.mark.skip(reason="needs Rscript, which is not installed (r-base-core)"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"statistics: seed {SEED} (again with HPCVIRT_STATS_SEED={SEED})")


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """New numbers in every run, other ones in every test."""
    return np.random.default_rng([SEED, *request.node.name.encode()])
