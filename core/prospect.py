"""What a campaign would cost and could show, said before anything runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hpcvirt.core.benchmark import load
from hpcvirt.core.model import Campaign, Order, Scope
from hpcvirt.core.plan import replication_unit
from hpcvirt.core.stats.model import Unit
from hpcvirt.core.stats.power import Layout, Spread, smallest_difference


@dataclass(frozen=True, slots=True)
class Prospect:
    """One campaign, looked at from before its start."""

    boots: int
    runs: int
    seconds: float
    """By the plugins' own estimates, nodes side by side as far as the design lets them."""
    unit: Unit
    family: int
    """Primary metrics x pairs of kernels."""
    detectable: float | None
    """The smallest difference found with 80 % power after Holm, a fraction. None: there is nothing to compare."""
    detectable_with_one_block_more: float | None
    seconds_of_one_block_more: float


def prospect(campaign: Campaign, spread: Spread | None = None) -> Prospect:
    """Look at a campaign. ``spread`` between and within boots: assumed to be 1 % each where nothing is known."""
    spread = spread or Spread()
    design = campaign.design
    visits = len(campaign.nodes) * len(campaign.kernels)
    seconds = _seconds(campaign)
    unit = Unit.RUN if design.order is Order.SEQUENTIAL else Unit(replication_unit(campaign))
    longer = replace(design, blocks=design.blocks + 1)
    return Prospect(
        boots=visits * design.blocks,
        runs=visits * len(campaign.benchmarks) * design.runs,
        seconds=seconds,
        unit=unit,
        family=family(campaign),
        detectable=_detectable(campaign, unit, spread),
        detectable_with_one_block_more=None
        if unit is Unit.RUN
        else _detectable(replace(campaign, design=longer), unit, spread, runs_per_boot=design.runs // design.blocks),
        seconds_of_one_block_more=seconds / design.blocks,
    )


def family(campaign: Campaign) -> int:
    """How many tests are made: primary metrics x (kernels against the baseline, and contrasts)."""
    pairs = len(campaign.kernels) - 1 + len(campaign.analysis.contrasts)
    return pairs * sum(
        metric.primary for use in campaign.benchmarks for metric in load(use.plugin).metrics_of(use.parameters)
    )


def _detectable(campaign: Campaign, unit: Unit, spread: Spread, runs_per_boot: int | None = None) -> float | None:
    tests = family(campaign)
    if tests == 0:
        return None
    design = campaign.design
    is_wide = any(use.scope is Scope.CLUSTER for use in campaign.benchmarks)
    layout = Layout(
        blocks=design.blocks,
        nodes=1 if is_wide else len(campaign.nodes),
        runs_per_boot=max(runs_per_boot or design.runs // design.blocks, 1),
        unit=unit,
    )
    found = smallest_difference(layout, spread, alpha=campaign.analysis.alpha, family=tests)
    return found if math.isfinite(found) else None


def _seconds(campaign: Campaign) -> float:
    estimates = [load(use.plugin).estimate_s(use.parameters) for use in campaign.benchmarks]
    return rounds(campaign) * sum(estimates) * len(campaign.kernels) * campaign.design.runs


def rounds(campaign: Campaign) -> int:
    """How often the nodes must take turns."""
    nodes = len(campaign.nodes)
    return math.ceil(nodes / min(campaign.design.at_once or nodes, nodes))
