"""Node ranges, as hostlist writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.core.config.ranges import LARGEST_RANGE, expand


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("node1", ["node1"]),
        ("node[1-4]", ["node1", "node2", "node3", "node4"]),
        ("node[08-11]", ["node08", "node09", "node10", "node11"]),
        ("node[1,3,5-7]", ["node1", "node3", "node5", "node6", "node7"]),
        ("node[1, 3]", ["node1", "node3"]),
        ("node[9-11]", ["node9", "node10", "node11"]),
        ("r[1-2]n[01-02].x", ["r1n01.x", "r1n02.x", "r2n01.x", "r2n02.x"]),
        ("[1-2]", ["1", "2"]),
        ("10.0.0.[7]", ["10.0.0.7"]),
        ("node[0-1]", ["node0", "node1"]),
    ],
)
def test_a_range_stands_for_its_names(text: str, names: list[str]) -> None:
    assert list(expand(text)) == names


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("node[1-4", "brackets"),
        ("node1-4]", "brackets"),
        ("node[[1-4]]", "brackets"),
        ("node[]", "is no number or range"),
        ("node[1-]", "'1-' is no number"),
        ("node[-4]", "'-4' is no number"),
        ("node[a-c]", "'a-c' is no number"),
        ("node[1-2-3]", "'1-2-3' is no number"),
        ("node[4-1]", "4-1 runs backwards"),
        ("node[01-100]", "padded on one side"),
        ("node[1,1]", "twice"),
        ("node[1-3,2]", "twice"),
        ("node[1-999999999]", f"more than {LARGEST_RANGE} names"),
        ("a[1-1000]b[1-1000]", f"more than {LARGEST_RANGE} names"),
        ("a[1-4000,5000-9000]", f"more than {LARGEST_RANGE} names"),
    ],
)
def test_a_bad_range_is_told(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault.replace("[", r"\[")):
        expand(text)


@given(st.integers(0, 9999), st.integers(0, 200), st.integers(1, 6))
def test_a_padded_range_counts_as_people_do(first: int, more: int, width: int) -> None:
    low, high = f"{first:0{width}}", f"{first + more:0{width}}"
    if len(low) == len(high):
        assert expand(f"n[{low}-{high}]") == tuple(f"n{number:0{width}}" for number in range(first, first + more + 1))
