"""Lines of text: prose is wrapped between words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from hpcvirt.tui.widgets.lines import Item
from hpcvirt.tui.widgets.told import Told

words = st.lists(st.text("abcäß", min_size=1, max_size=12), min_size=1, max_size=40)


@given(st.text("xyz ", max_size=12), words, st.integers(30, 120))
def test_an_item_is_whole_and_within_its_width(head: str, told: list[str], width: int) -> None:
    lines = [line.plain for line in Item(Content(head), Content(" ".join(told))).wrapped(width)]
    assert all(len(line) <= width for line in lines)
    assert lines[0].startswith(head)
    assert all(line.startswith(" " * len(head)) for line in lines[1:])
    assert " ".join(line[len(head) :].strip() for line in lines).split() == told


def test_a_word_that_is_too_long_is_broken() -> None:
    lines = [line.plain for line in Item(Content("> "), Content("x" * 50)).wrapped(22)]
    assert [len(line) for line in lines] == [22, 22, 12]


def test_nothing_is_a_line() -> None:
    assert [line.plain for line in Item(Content("a"), Content("")).wrapped(20)] == ["a"]


def test_a_head_longer_than_the_indent_is_whole() -> None:
    told = Told(id="told")
    told.tell([(Content("about 23 h 59 min"), Content("a guess")), (Content("verdict"), Content("no"))], indent=16)
    assert [line.plain for line in told.build(80)] == [" about 23 h 59 min a guess", " verdict           no"]
