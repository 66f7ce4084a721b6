"""`command`: a metric that is declared exact."""

from __future__ import annotations

import pytest

from hpcvirt.plugins.command.metrics import MetricWrong, wanted


def test_the_word_behind_a_line() -> None:
    lines = "calls 1 lower regex stdout 'n: ([0-9]+)' exact\ntime s lower json stdout exact"
    assert [(one.metric.name, one.metric.exact, one.selector) for one in wanted(lines)] == [
        ("calls", True, "n: ([0-9]+)"),
        ("time", False, "exact"),
    ]
    with pytest.raises(MetricWrong):
        wanted("calls 1 lower json stdout n exactly")
