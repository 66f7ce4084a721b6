"""What an operator picks from a campaign before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hpcvirt.core.benchmark import complete, load
from hpcvirt.core.config.faults import nearest
from hpcvirt.core.config.meaning import faults as faults_of
from hpcvirt.core.errors import CampaignInvalid
from hpcvirt.core.model import Benchmark, Campaign, Claim, Value


@dataclass(frozen=True, slots=True)
class Choice:
    """What is picked. None: as the file says."""

    kernels: tuple[str, ...] | None = None
    benchmarks: tuple[str, ...] | None = None
    """Labels or plugin names."""
    runs: int | None = None
    blocks: int | None = None
    seed: int | None = None
    alpha: float | None = None
    delta: float | None = None
    parameters: Sequence[tuple[str, Sequence[tuple[str, Value]]]] | None = None
    """By label, as the file has it: names and values of parameters that are otherwise."""


def choose(campaign: Campaign, choice: Choice) -> Campaign:
    """The campaign reduced to what was picked: contrasts, phases and claims with it.

    A claim about a benchmark whose parameters were changed is left out: it was made about another problem.

    Raises CampaignInvalid when nothing, or something unknown or impossible, was picked.
    """
    faults: list[str] = []
    kernels = _picked(campaign.kernels, choice.kernels, lambda kernel: {kernel.name}, "kernel", faults)
    picked = _picked(campaign.benchmarks, choice.benchmarks, lambda use: {use.label, use.plugin}, "benchmark", faults)
    names, labels = {kernel.name for kernel in kernels}, {use.label for use in picked}
    changed = {use.label: _changed(use, dict(choice.parameters or ()).get(use.label), faults) for use in picked}
    unchanged = {label for label, use in changed.items() if use.label == label}
    phases = (tuple(changed[label].label for label in phase if label in labels) for phase in campaign.design.phases)
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
        benchmarks=tuple(changed.values()),
        design=design,
        analysis=replace(
            campaign.analysis,
            contrasts=contrasts,
            alpha=campaign.analysis.alpha if choice.alpha is None else choice.alpha,
            delta=campaign.analysis.delta if choice.delta is None else choice.delta,
        ),
        claims=tuple(c for c in campaign.claims if _is_chosen(c, names) and c.benchmark in unchanged),
    )
    faults += _level_faults(chosen)
    faults += list(faults_of(chosen))
    if faults:
        raise CampaignInvalid(faults, hint="choose among what the campaign file has")
    return chosen


def _is_chosen(claim: Claim, kernels: set[str]) -> bool:
    return {claim.kernel, claim.versus, claim.reference or claim.kernel} <= kernels


def _level_faults(campaign: Campaign) -> list[str]:
    told = {"alpha": campaign.analysis.alpha, "delta": campaign.analysis.delta}
    return [f"analysis.{name}: {value:g} is not between 0 and 1" for name, value in told.items() if not 0 < value < 1]


def _changed(use: Benchmark, given: Sequence[tuple[str, Value]] | None, faults: list[str]) -> Benchmark:
    """The benchmark with other parameters, its scope with them where the plugin decides that."""
    if not given:
        return use
    plugin = load(use.plugin)
    values, wrong = complete(plugin, {**use.parameters, **dict(given)})
    faults += [f"{use.label}: {fault}" for fault in wrong]
    if wrong:
        return use
    is_own = use.scope is plugin.scope_of(use.parameters)
    return replace(use, parameters=values, scope=plugin.scope_of(values) if is_own else use.scope)


def _picked(items: Sequence[Any], names: tuple[str, ...] | None, known: Any, what: str, faults: list[str]) -> list[Any]:
    if names is None:
        return list(items)
    every = set().union(*(known(item) for item in items))
    faults += [f"{what}: no {name!r} in this campaign{nearest(name, every)}" for name in names if name not in every]
    if not names:
        faults.append(f"{what}: none picked")
    return [item for item in items if known(item) & set(names)]
