"""Which attempts have a spool on a node: those to come, and those whose end is filed."""

from __future__ import annotations

import uuid
from collections import deque

AHEAD = 16
"""Spools made, and removed, at a time: a program on the node for each run would cost as much as the rest."""

ENOUGH_BYTES = 1 << 20
"""Of output that is filed already: more than this does not stay on the node until there are ``AHEAD``."""


class Spools:
    """One node's. Attempts are named before their time, so that their spools can be made together."""

    def __init__(self) -> None:
        self._names: deque[str] = deque()
        self._filed: list[str] = []
        self._unproved: list[str] = []
        self._bytes = 0

    def draw(self) -> str:
        """The name of the next attempt: 32 hexadecimal digits."""
        if not self._names:
            self._names.extend(uuid.uuid4().hex for _ in range(AHEAD))
        return self._names.popleft()

    @property
    def ahead(self) -> tuple[str, ...]:
        """Attempts that will be drawn next."""
        return tuple(self._names)

    def add(self, attempt: str, size_bytes: int = 0) -> None:
        """Its end is in the database: its spool may go, and nothing of it may run any more."""
        self._filed.append(attempt)
        self._unproved.append(attempt)
        self._bytes += size_bytes

    @property
    def filed(self) -> tuple[str, ...]:
        """Every attempt that has a spool which may go."""
        return tuple(self._filed)

    @property
    def due(self) -> tuple[str, ...]:
        """Those of them that shall go now."""
        return self.filed if len(self._filed) >= AHEAD or self._bytes > ENOUGH_BYTES else ()

    @property
    def past(self) -> tuple[str, ...]:
        """Attempts of which it is not proved yet that they left nothing behind that runs."""
        return tuple(self._unproved)

    def done(self, past: tuple[str, ...], gone: tuple[str, ...]) -> None:
        """The node was proved free of ``past``, and the spools of ``gone`` are gone."""
        self._unproved = [attempt for attempt in self._unproved if attempt not in past]
        if gone:
            self._filed = [attempt for attempt in self._filed if attempt not in gone]
            self._bytes = 0
