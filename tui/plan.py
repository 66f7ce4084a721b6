"""``plan``: what a campaign would do, cost and show."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import click

from hpcvirt.core.config import Choice, choose, read_campaign
from hpcvirt.core.model import Campaign
from hpcvirt.core.plan import make_plan
from hpcvirt.core.prospect import Prospect, prospect
from hpcvirt.core.stats.model import Unit
from hpcvirt.core.stats.power import Spread
from hpcvirt.tui.words import duration


def print_plan(path: Path, choice: Choice, boot_sd: float, run_sd: float) -> None:
    """Print it. Raises CampaignInvalid."""
    campaign = choose(read_campaign(path).campaign, choice)
    told = prospect(campaign, Spread(boot=boot_sd, run=run_sd))
    click.echo("\n".join([*_summary(campaign, told, boot_sd, run_sd), "", *_schedule(campaign)]))


def _summary(campaign: Campaign, told: Prospect, boot_sd: float, run_sd: float) -> list[str]:
    kernels = ", ".join(kernel.name for kernel in campaign.kernels)
    return [
        f"{campaign.name}: {told.boots} boots, {told.runs} runs on {len(campaign.nodes)} nodes under {kernels}",
        f"about {duration(told.seconds)} by the plugins' estimates, boots not counted",
        f"compared per {told.unit}, family of {told.family} tests",
        *_power(told, boot_sd, run_sd),
    ]


def _power(told: Prospect, boot_sd: float, run_sd: float) -> list[str]:
    if told.detectable is None:
        return ["nothing to compare, or too few blocks to ever show a difference"]
    lines = [
        f"finds a difference of {_percent(told.detectable)} with 80 % power after Holm, if boots vary by "
        f"{_percent(boot_sd)} and runs by {_percent(run_sd)} (assumed: --boot-sd, --run-sd)"
    ]
    if told.unit is Unit.RUN:
        lines.append("one boot per kernel: what the boot did and what the kernel does cannot be told apart")
    elif told.detectable_with_one_block_more is not None:
        more = _percent(told.detectable_with_one_block_more)
        lines.append(f"one more block: {more}, for about {duration(told.seconds_of_one_block_more)} more")
    return lines


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2g} %"


def _schedule(campaign: Campaign) -> list[str]:
    """The order of kernels, a line for each block and node."""
    boots = make_plan(campaign).boots
    visits = groupby(boots, key=lambda boot: (boot.block, boot.node))
    return [
        f"block {block} {node}: {' -> '.join(boot.kernel for boot in members)}" for (block, node), members in visits
    ]
