"""Full collections wait until nobody types."""

import gc
import time
import weakref
from collections.abc import Iterator

import pytest

from hpcvirt.tui import garbage
from hpcvirt.tui.app import HpcvirtApp
from hpcvirt.tui.garbage import IdleCollector


class Knot:
    """Is garbage that only a collection finds."""

    def __init__(self) -> None:
        self.me = self


def knotted() -> weakref.ref[Knot]:
    """One in the oldest generation."""
    knot = Knot()
    gc.collect()
    return weakref.ref(knot)


def age(times: int) -> None:
    """As allocations do it."""
    for _ in range(times):
        gc.collect(1)


@pytest.fixture
def collector() -> Iterator[IdleCollector]:
    found = IdleCollector()
    found.take_over()
    yield found
    found.give_back()


def test_nothing_is_looked_through_while_somebody_types(collector: IdleCollector) -> None:
    knot = knotted()
    age(garbage.DUE)
    collector.input_came()
    assert not collector.collect_if_resting()
    assert knot() is not None


def test_it_is_when_the_fingers_rest(collector: IdleCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "REST_S", 0.05)
    knot = knotted()
    age(garbage.DUE)
    collector.input_came()
    time.sleep(0.06)
    assert collector.collect_if_resting()
    assert knot() is None
    assert gc.get_freeze_count() > 10_000
    # Not again until there is something to find.
    assert not collector.collect_if_resting()
    # What is made after that is found as well, and what has settled is not looked through.
    frozen, knot = gc.get_freeze_count(), knotted()
    age(garbage.DUE)
    assert collector.collect_if_resting()
    assert knot() is None
    assert gc.get_freeze_count() <= frozen


def test_whoever_types_for_ever_gets_it_in_the_end(collector: IdleCollector) -> None:
    knot = knotted()
    age(garbage.OVERDUE)
    collector.input_came()
    assert collector.collect_if_resting()
    assert knot() is None


def test_python_does_not_look_by_itself(collector: IdleCollector) -> None:
    del collector
    knot = knotted()
    kept: list[list[int]] = [[] for _ in range(200_000)]  # far more than it takes
    assert knot() is not None
    assert len(kept) == 200_000


async def test_keys_and_the_mouse_put_it_off(collector: IdleCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(collector, "input_came", lambda: calls.append("input"))
    monkeypatch.setattr(collector, "collect_if_resting", lambda: bool(calls.append("tick")))
    async with HpcvirtApp(None, None, collector=collector).run_test() as pilot:
        calls.clear()
        await pilot.press("f1")
        assert "input" in calls
        calls.clear()
        await pilot.click()
        assert "input" in calls
        calls.clear()
        await pilot.pause(1.1)
        assert "tick" in calls
        assert "input" not in calls
