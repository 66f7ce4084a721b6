"""The opened row: the interval at the level that decided, where it is not the usual one."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from hpcvirt.core.stats import Comparison
from hpcvirt.tui.widgets.results_table import Row, row_in_words
from tests.tui.screen_samples import SampleComparison


def _words(sample: SampleComparison, *, is_veiled: bool = False) -> str:
    return "\n".join(line.plain for line in row_in_words(Row(0, "", cast("Comparison", sample), is_veiled)))


def test_the_deciding_interval_stands_in_the_opened_row() -> None:
    sample = SampleComparison()
    assert "+1.51 % at 98.8 %, the level that decided" in _words(sample)
    assert "the level that decided" not in _words(sample, is_veiled=True)
    same = replace(sample, ci_low_decision=sample.ci_low, ci_high_decision=sample.ci_high)
    assert "the level that decided" not in _words(same)
    assert "the level that decided" not in _words(replace(sample, ci_level_decision=None))
