"""Numbers in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.tui.words import duration

UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (0.4, "0 s"),
        (45, "45 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (70, "1 min 10 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h"),
        (7500, "2 h 5 min"),
        (86399, "23 h 59 min"),
        (86400, "1 d"),
        (33 * 3600, "1 d 9 h"),
        (1e9, "11574 d 1 h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@given(st.floats(0, 1e8))
def test_words_mean_what_they_say(seconds: float) -> None:
    parts = duration(seconds).split()
    told = sum(int(number) * UNITS[unit] for number, unit in zip(parts[::2], parts[1::2], strict=True))
    assert len(parts) in {2, 4}
    assert abs(told - seconds) <= 0.5 + (UNITS[parts[-1]] if len(parts) == 4 else UNITS[parts[1]])
    assert told <= seconds + 0.5
