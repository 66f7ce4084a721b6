"""Python's search for circular garbage, done while nobody types."""

from __future__ import annotations

import gc
import time

REST_S = 1.5
"""Without a key or the mouse: whoever reads what came does not notice a tenth of a second."""
YOUNG, MIDDLE = 700, 10
"""Python's own thresholds of the two generations that cost nothing to speak of."""
NEVER = 1_000_000_000
DUE = 10
"""Collections of the middle generation since the last full one; Python's own threshold."""
OVERDUE = 600
"""Somebody has typed for very long: memory is worth one late key."""


class IdleCollector:
    """Full collections when the operator rests.

    The screen is some 80,000 objects that know each other; each time Python looks through all of them, a key waits
    80 to 110 ms, and every drawn line makes that due sooner.
    """

    def __init__(self) -> None:
        self._input_at = time.monotonic()
        self._is_settled = False

    def take_over(self) -> None:
        """From now on no full collection happens by itself in this process."""
        gc.set_threshold(YOUNG, MIDDLE, NEVER)

    def give_back(self) -> None:
        """As Python does it by itself."""
        gc.set_threshold(YOUNG, MIDDLE, DUE)
        gc.unfreeze()

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
            # What the screen is made of stays until the end: it need not be looked through again.
            self._is_settled = True
            gc.freeze()
        return True
