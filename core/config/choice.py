"""What an operator picks from a campaign before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hpcvirt.core.config.faults import nearest
from hpcvirt.core.config.meaning import faults as faults_of
from hpcvirt.core.errors import CampaignInvalid
from hpcvirt.core.model import Campaign


@dataclass(frozen=True, slots=True)
class Choice:
    """What is picked. None: as the file says."""

    kernels: tuple[str, ...] | None = None
    benchmarks: tuple[str, ...] | None = None
    """Labels or plugin names."""
    runs: int | None = None
    blocks: int | None = None
    seed: int | None = None


def choose(campaign: Campaign, choice: Choice) -> Campaign:
    """The campaign reduced to what was picked: contrasts, phases and claims with it.

    Raises CampaignInvalid when nothing, or something unknown, was picked.
    """
    faults: list[str] = []
    kernels = _picked(campaign.kernels, choice.kernels, lambda kernel: {kernel.name}, "kernel", faults)
    picked = _picked(campaign.benchmarks, choice.benchmarks, lambda use: {use.label, use.plugin}, "benchmark", faults)
    names, labels = {kernel.name for kernel in kernels}, {use.label for use in picked}
    phases = (tuple(label for label in phase if label in labels) for phase in campaign.design.phases)
    design = replace(
        campaign.design,
        runs=campaign.design.runs if choice.runs is None else choice.runs,
        blocks=choice.blocks or min(campaign.design.blocks, choice.runs or campaign.design.runs),
        seed=campaign.design.seed if choice.seed is None else choice.seed,
        phases=tuple(phase for phase in phases if phase),
    )
    contrasts = tuple(pair for pair in campaign.analysis.contrasts if names.issuperset(pair))
    chosen = replace(
        campaign,
        kernels=tuple(kernels),
        benchmarks=tuple(picked),
        design=design,
        analysis=replace(campaign.analysis, contrasts=contrasts),
        claims=tuple(c for c in campaign.claims if {c.kernel, c.versus} <= names and c.benchmark in labels),
    )
    faults += list(faults_of(chosen))
    if faults:
        raise CampaignInvalid(faults, hint="choose among what the campaign file has")
    return chosen


def _picked(items: Sequence[Any], names: tuple[str, ...] | None, known: Any, what: str, faults: list[str]) -> list[Any]:
    if names is None:
        return list(items)
    every = set().union(*(known(item) for item in items))
    faults += [f"{what}: no {name!r} in this campaign{nearest(name, every)}" for name in names if name not in every]
    if not names:
        faults.append(f"{what}: none picked")
    return [item for item in items if known(item) & set(names)]
