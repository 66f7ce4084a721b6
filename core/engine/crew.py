"""Nodes that move together: all come to a place, the first of them does what is of all, and all go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from hpcvirt.core.errors import HpcvirtError

T = TypeVar("T")


class Crew(Generic[T]):
    """One round through the plan. Who leaves it does not come back in this round."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._news = asyncio.Condition()
        self._gone: set[str] = set()
        self._blamed: dict[str, HpcvirtError | TimeoutError] = {}
        self._came: dict[Hashable, set[str]] = {}
        self._outcomes: dict[Hashable, T | None] = {}
        self._is_told = False

    @property
    def leader(self) -> str:
        """Who does what is of all."""
        return self._names[0]

    @property
    def missing(self) -> tuple[str, ...]:
        """Who has left."""
        return tuple(name for name in self._names if name in self._gone)

    def is_first_told(self) -> bool:
        """True once: what is to be said of a broken crew is said by one of it."""
        was, self._is_told = self._is_told, True
        return not was

    async def leave(self, name: str) -> None:
        """Nobody waits for this node any more."""
        async with self._news:
            self._gone.add(name)
            self._news.notify_all()

    async def blame(self, name: str, error: HpcvirtError | TimeoutError) -> None:
        """It is this node's fault that nothing comes of it: it finds the error where it waits."""
        async with self._news:
            self._blamed[name] = error
            self._news.notify_all()

    async def together(self, name: str, place: Hashable, work: Callable[[], Awaitable[T | None]]) -> T | None:
        """What the leader's ``work`` gave, once all have come to ``place``. None: somebody has left, or it gave none.

        No place is come to twice. Raises what the leader blames this node for; the leader, what ``work`` raises.
        """
        async with self._news:
            self._came.setdefault(place, set()).add(name)
            self._news.notify_all()
            if name != self.leader:
                return await self._outcome(name, place)
            await self._news.wait_for(lambda: self._gone or len(self._came[place]) == len(self._names))
        outcome = None if self._gone else await work()
        async with self._news:
            self._outcomes[place] = outcome
            self._news.notify_all()
        return outcome

    async def _outcome(self, name: str, place: Hashable) -> T | None:
        """Also when somebody else has left: what the leader began it brings to its end."""
        await self._news.wait_for(lambda: place in self._outcomes or self.leader in self._gone or name in self._blamed)
        if name in self._blamed:
            raise self._blamed[name]
        return self._outcomes.get(place)
