"""Text from nodes loses what a terminal could obey, and nothing else."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.core.text import clean, clean_line

ANY = st.one_of(st.binary(), st.text(st.characters(codec=None)))


@given(ANY)
def test_no_control_character_survives(raw: bytes | str) -> None:
    for character in clean(raw):
        assert character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
        assert unicodedata.bidirectional(character) not in {
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        }


@given(ANY)
def test_what_is_clean_stays(raw: bytes | str) -> None:
    assert clean(clean(raw)) == clean(raw)
    clean(raw).encode()


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_harmless_text_is_unchanged(text: str) -> None:
    assert clean(text) == text
    assert clean(text.encode()) == text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a\r\nb", "a\nb"),
        (b"10%\r20%", "10%\ufffd20%"),
        (b"\x1b]52;c;aGk=\x07", "\ufffd]52;c;aGk=\ufffd"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("a\u202eb\u2066c", "a\ufffdb\ufffdc"),
        ("\x9b31m", "\ufffd31m"),
        ("a\tb\n", "a\tb\n"),
        ("[/]", "[/]"),
    ],
)
def test_of_each_kind(raw: bytes | str, expected: str) -> None:
    assert clean(raw) == expected


@given(ANY, st.integers(1, 300))
def test_a_line_is_one_line_and_no_longer_than_asked(raw: bytes | str, width: int) -> None:
    line = clean_line(raw, width)
    assert len(line) <= width
    assert line.split() == line.split(" ") or line == ""


def test_a_cut_line_shows_that_it_was_cut() -> None:
    assert clean_line("abcdef", 4) == "abc…"
    assert clean_line("abcd", 4) == "abcd"
