"""Python's search for circular garbage, done while nobody types."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

REST_S = 1.5
"""Without a key or the mouse: whoever reads what came does not notice a tenth of a second."""
NEVER = 1_000_000_000
DUE = 10
"""Collections of the middle generation since the last full one: as many as Python waits for."""
OVERDUE = 600
"""Somebody has typed for very long: memory is worth one late key."""


@contextmanager
def no_collection() -> Iterator[None]:
    """For a command that makes a million of objects and ends: to look through them for circles takes a tenth of it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class IdleCollector:
    """Full collections when the operator rests.

    The screen is some 80,000 objects that know each other; each time Python looks through all of them, a key waits
    80 to 110 ms, and every drawn line makes that due sooner.
    """

    def __init__(self) -> None:
        self._input_at = time.monotonic()
        self._is_settled = False
        self._before = gc.get_threshold()

    def take_over(self) -> None:
        """From now on no full collection happens by itself in this process."""
        self._before = gc.get_threshold()
        gc.set_threshold(*self._before[:2], NEVER)

    def give_back(self) -> None:
        """As it was before."""
        gc.set_threshold(*self._before)
        gc.unfreeze()
        self._is_settled = False

    def input_came(self) -> None:
        """A key, or the mouse."""
        self._input_at = time.monotonic()

    def collect_if_resting(self) -> bool:
        """To be called every second or so; whether it collected."""
        waiting = gc.get_count()[2]
        is_resting = time.monotonic() - self._input_at >= REST_S
        if waiting < DUE or not (is_resting or waiting >= OVERDUE):
            return False
        gc.collect()
        if not self._is_settled:
            # What is there now need not be looked through again: nearly all of it is what the screen is made of. A pane
            # that is dropped later stays too, but that is once and not each time.
            self._is_settled = True
            gc.freeze()
        return True
