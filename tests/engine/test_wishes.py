"""What the operator wishes comes before what is about to begin."""

from __future__ import annotations

from typing import cast

import pytest

from hpcvirt.core.engine.wishes import Interrupted, Wishes
from hpcvirt.core.store.writer import Writer


async def test_work_begins_unless_it_is_unwanted_before() -> None:
    wishes = Wishes(cast("Writer", None))
    begun = []

    async def work() -> int:
        begun.append("first step")
        return len(begun)

    assert await wishes.unless_unwanted(7, work()) == 1
    wishes.aborting.set()
    for guarded in (wishes.unless_unwanted(7, work()), wishes.unless_aborted(work())):
        with pytest.raises(Interrupted):
            await guarded
    assert begun == ["first step"]
