"""More blocks for a campaign that has started: the plan goes on where it ended, and nothing of it changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hpcvirt.core.engine.begin import thawed
from hpcvirt.core.engine.lock import runner_lock
from hpcvirt.core.engine.reboots import rebooting
from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.model import Order
from hpcvirt.core.plan import make_plan
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.queries import read_frozen

MOST_BLOCKS = 10_000


@dataclass(frozen=True, slots=True)
class Extended:
    """What was added."""

    blocks: int
    boots: int
    runs: int
    reboots: bool
    """Whether they reboot nodes: then the operator is asked anew."""


def extend(database: Path, blocks: int, origin: str) -> Extended:
    """Add blocks to the plan of a database, finished or not; ``origin`` says who did it.

    Each gets as many runs per boot as the smallest of the planned blocks has. An earlier word that nodes may be
    rebooted does not hold for the longer plan. Raises UsageWrong for a sequential
    campaign, StoreLocked while a runner works on it, PlanChanged when this version plans otherwise, StoreUnusable.
    """
    frozen = read_frozen(database)
    campaign = thawed(database, frozen).campaign
    if campaign.design.order is Order.SEQUENTIAL:
        raise UsageWrong(
            f"{database}: its campaign is sequential, one boot per kernel: there are no blocks to add",
            hint="plan the next one with order = 'randomized-blocks'",
        )
    added = campaign.design.added_blocks + blocks
    if added > MOST_BLOCKS:
        raise UsageWrong(f"{database}: {added} added blocks; {MOST_BLOCKS} is the most", hint="add fewer")
    plan = make_plan(replace(campaign, design=replace(campaign.design, added_blocks=added)))
    with runner_lock(database):
        store = Database(database)
        try:
            boots, runs = store.amend(plan, blocks, origin)
        finally:
            store.close()
    return Extended(blocks, boots, runs, bool(rebooting(campaign)))
