"""Nodes that move together, and what becomes of the others when one leaves."""

from __future__ import annotations

import asyncio

import pytest

from hpcvirt.core.engine.crew import Crew
from hpcvirt.core.errors import NodeUnreachable

NAMES = ("a", "b", "c")


class Work:
    def __init__(self) -> None:
        self.done = 0
        self.may_end = asyncio.Event()

    async def __call__(self) -> bool:
        self.done += 1
        await self.may_end.wait()
        return True


async def come(crew: Crew[bool], work: Work, *names: str) -> list[asyncio.Task[bool | None]]:
    tasks = [asyncio.create_task(crew.together(name, "here", work)) for name in names]
    await asyncio.sleep(0.01)
    return tasks


async def test_the_first_does_it_once_when_all_have_come() -> None:
    crew: Crew[bool] = Crew(NAMES)
    work = Work()
    early = await come(crew, work, "a", "c")
    assert work.done == 0
    late = await come(crew, work, "b")
    assert work.done == 1
    assert not any(task.done() for task in (*early, *late))
    work.may_end.set()
    assert await asyncio.gather(*early, *late) == [True, True, True]
    assert work.done == 1


async def test_nobody_waits_for_one_that_has_left() -> None:
    crew: Crew[bool] = Crew(NAMES)
    work = Work()
    tasks = await come(crew, work, "a", "b")
    await crew.leave("c")
    assert await asyncio.gather(*tasks) == [None, None]
    assert (work.done, crew.missing) == (0, ("c",))
    assert [crew.is_first_told(), crew.is_first_told()] == [True, False]


async def test_one_that_leaves_in_the_midst_does_not_set_the_others_free() -> None:
    """What the leader has begun occupies their nodes until it is done."""
    crew: Crew[bool] = Crew(NAMES)
    work = Work()
    tasks = await come(crew, work, *NAMES)
    await crew.leave("c")
    await asyncio.sleep(0.01)
    assert not tasks[1].done()
    work.may_end.set()
    assert (await tasks[0], await tasks[1]) == (True, True)


async def test_without_its_leader_it_is_over() -> None:
    crew: Crew[bool] = Crew(NAMES)
    tasks = await come(crew, Work(), "b", "c")
    await crew.leave("a")
    assert await asyncio.gather(*tasks) == [None, None]


async def test_who_is_blamed_finds_the_error_where_it_waits() -> None:
    crew: Crew[bool] = Crew(NAMES)

    async def blaming() -> bool | None:
        await crew.blame("b", NodeUnreachable("gone"))
        return None

    tasks = [asyncio.create_task(crew.together(name, "here", blaming)) for name in NAMES]
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert found[0] is None
    assert isinstance(found[1], NodeUnreachable)
    assert found[2] is None


async def test_what_the_work_raises_is_the_leaders() -> None:
    crew: Crew[bool] = Crew(("a", "b"))

    async def failing() -> bool | None:
        raise NodeUnreachable("gone")

    leading = asyncio.create_task(crew.together("a", "here", failing))
    following = asyncio.create_task(crew.together("b", "here", failing))
    with pytest.raises(NodeUnreachable):
        await leading
    await crew.leave("a")
    assert await following is None
