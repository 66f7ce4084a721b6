"""Which spools are made and removed together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.core.engine.spools import AHEAD, ENOUGH_BYTES, Spools


def test_attempts_are_drawn_in_the_order_in_which_their_spools_are_made() -> None:
    spools = Spools()
    first = spools.draw()
    ahead = spools.ahead
    assert len(ahead) == AHEAD - 1
    assert [spools.draw() for _ in ahead] == list(ahead)
    assert spools.ahead == ()
    assert len({first, *ahead, spools.draw()}) == AHEAD + 1


@given(st.lists(st.tuples(st.integers(0, ENOUGH_BYTES // 4), st.booleans()), max_size=100))
def test_every_attempt_is_proved_once_and_its_spool_goes_once(steps: list[tuple[int, bool]]) -> None:
    spools, proved, gone, all_of_them = Spools(), [], [], []
    for size, arrives in steps:
        past, due = spools.past, spools.due
        if arrives:
            spools.done(past, due)
            proved += past
            gone += due
        attempt = spools.draw()
        spools.add(attempt, size)
        all_of_them.append(attempt)
        assert set(due) <= set(all_of_them)
    assert proved + list(spools.past) == all_of_them
    assert gone + list(spools.filed) == all_of_them


def test_much_output_does_not_stay_on_the_node() -> None:
    spools = Spools()
    spools.add("a", ENOUGH_BYTES)
    assert spools.due == ()
    spools.add("b", 1)
    assert spools.due == ("a", "b")
    spools.done(("a", "b"), ("a", "b"))
    spools.add("c")
    assert (spools.past, spools.filed, spools.due) == (("c",), ("c",), ())


def test_spools_that_are_left_by_an_earlier_runner_go_with_the_others() -> None:
    spools = Spools()
    for number in range(AHEAD):
        assert spools.due == ()
        spools.add(str(number))
    assert spools.due == tuple(map(str, range(AHEAD)))
