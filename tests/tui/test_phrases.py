from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from hpcvirt.tui import phrases


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (12345.67, "12346"),
        (607.123, "607.12"),
        (0.5, "0.5000"),
        (0.0, "0.0000"),
        (-3.25, "-3.2500"),
        (1e-300, "1.000e-300"),
        (1e300, "1.000e+300"),
        (2.5e-5, "2.500e-5"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_number(value: float | None, told: str) -> None:
    assert phrases.number(value) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.344, "+0.34"),
        (-1.2, "−1.20"),
        (12.345, "+12.3"),
        (-123.4, "−123"),
        (0.001, "0.00"),
        (-0.001, "0.00"),
        (None, "–"),
    ],
)
def test_signed_shows_a_sign_only_for_a_change(value: float | None, told: str) -> None:
    assert phrases.signed(value) == told


@pytest.mark.parametrize(
    ("p", "told"), [(0.0004, "<.001"), (0.05, "0.050"), (1.0, "1.000"), (None, "–"), (math.nan, "–")]
)
def test_probability_fits_five_characters(p: float | None, told: str) -> None:
    assert phrases.probability(p) == told
    assert len(told) <= 5


def test_names_that_differ_at_their_end_still_differ_when_cut() -> None:
    assert phrases.cut_middle("native-again", 9) == "nati…gain"
    assert phrases.cut_middle("native", 9) == "native"
    assert phrases.cut("日本語のカーネル", 7) == "日本語…"


def test_short_labels_leave_out_what_is_shared() -> None:
    labels = ["stream array_size=1 threads=1", "npb class=C problem=cg", "npb class=C problem=mg", "bonnie"]
    assert list(phrases.short_labels(labels).values()) == ["stream", "npb cg", "npb mg", "bonnie"]


def test_safe_keeps_nothing_that_a_terminal_obeys() -> None:
    told = phrases.safe("\x1b]52;c;aGFybQ==\x07 \x9b31m \u202e [/]" + "x" * 1_000_000)
    assert len(told) <= phrases.LONGEST_TEXT
    assert not any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 or 0x202A <= ord(letter) <= 0x202E for letter in told)
    assert "[/]" in told


def test_times() -> None:
    assert phrases.seconds_since("2025-01-01T00:00:00Z", datetime(2025, 1, 1, 0, 1, tzinfo=UTC)) == 60
    assert phrases.seconds_since("garbage", datetime(2025, 1, 1, tzinfo=UTC)) is None
    assert phrases.clock("garbage") == "--:--:--"


def test_listing_says_how_many_are_left() -> None:
    nodes = [f"node{n}" for n in range(64)]
    assert phrases.listing(nodes, 30) == "node0, node1 and 62 more"
