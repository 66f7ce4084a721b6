"""One sign per verdict, wherever it is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hpcvirt.core.stats import Series, Settings, Verdict, compare
from hpcvirt.core.stats.report import table_cells, to_markdown
from hpcvirt.tui.keys import help_text
from hpcvirt.tui.signs import verdict_sign

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"


@pytest.mark.parametrize("verdict", Verdict)
def test_screen_help_and_guide_draw_the_same_sign(verdict: Verdict) -> None:
    assert verdict_sign(verdict).mark == verdict.sign
    assert f"{verdict.sign} {verdict}" in help_text("results", {}).plain
    assert f"`{verdict.sign}` {verdict}" in GUIDE.read_text()


def test_text_and_markdown_draw_it_too() -> None:
    """Half a per cent more, surely: trivial, whose sign once differed."""
    rng = np.random.default_rng(1)
    (one,) = compare(
        [Series.of(k, "x", "t", rng.normal(m, 0.1, 50)) for k, m in (("A", 100), ("B", 100.5))], Settings()
    )
    assert one.verdict is Verdict.TRIVIAL
    assert f"{Verdict.TRIVIAL.sign} trivial" in table_cells([one])[0]
    assert f"| {Verdict.TRIVIAL.sign} trivial |" in to_markdown([one])


def test_signs_differ() -> None:
    assert len({verdict.sign for verdict in Verdict}) == len(Verdict)
