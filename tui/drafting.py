"""From a campaign file to a draft of it. It reckons with the plan, so that scipy is loaded when the first draft is,
and not while somebody picks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from hpcvirt.core import benchmark as plugins
from hpcvirt.core import boot_method as methods
from hpcvirt.core.config import Choice, choose
from hpcvirt.core.confounds import confounds
from hpcvirt.core.errors import HpcvirtError
from hpcvirt.core.experience import Experience, learn
from hpcvirt.core.model import Benchmark, Campaign, Order, Scope, Value
from hpcvirt.core.plan import make_plan, phases
from hpcvirt.core.prospect import has_one_block, prospect, run_seconds
from hpcvirt.tui import launch
from hpcvirt.tui.draft import Draft, DraftBenchmark, DraftKernel, DraftParameter, Forecast, Pick, changed
from hpcvirt.tui.plan import AFTER


def load_draft(path: Path) -> Draft:
    """Read a campaign file, and what earlier databases or its plugins tell of times.

    Raises CampaignInvalid, and UsageWrong when something that cannot be had here was picked.
    """
    file, left_out = launch.chosen(path, Choice())
    campaign = file.campaign
    known = learn(launch.experienced(path), campaign)
    benchmarks = [
        DraftBenchmark(
            use.label,
            plugins.load(use.plugin).title,
            run_seconds(use, known),
            is_measured=use.label in known.run_s,
            is_wide=use.scope is Scope.CLUSTER,
            plugin=use.plugin,
            parameters=_parameters(use),
            check=partial(_parameter_faults, use.plugin),
        )
        for use in campaign.benchmarks
    ]
    return Draft(
        path=path,
        name=campaign.name,
        title=campaign.title,
        is_lab=campaign.lab,
        is_sequential=campaign.design.order is Order.SEQUENTIAL,
        nodes=tuple(node.name for node in campaign.nodes),
        kernels=tuple(
            DraftKernel(k.name, k.boot, " ".join(k.wrap), methods.load(k.boot).reboots) for k in campaign.kernels
        ),
        benchmarks=tuple(benchmarks),
        baseline=campaign.analysis.baseline,
        runs=campaign.design.runs,
        blocks=campaign.design.blocks,
        seed=campaign.design.seed,
        at_once=campaign.design.at_once,
        alpha=campaign.analysis.alpha,
        delta=campaign.analysis.delta,
        left_out=tuple(left_out),
        forecast=partial(_forecast, campaign, known),
        digest=partial(_digest, campaign),
    )


def choice_of(draft: Draft, pick: Pick) -> Choice:
    """What of the pick is not as the file says."""
    told = changed(draft, pick)
    return Choice(
        told.kernels,
        told.benchmarks,
        told.runs,
        told.blocks,
        alpha=told.alpha,
        delta=told.delta,
        parameters=told.parameters,
    )


def _forecast(campaign: Campaign, known: Experience, pick: Pick) -> Forecast | None:
    """What a pick could show; the statistics were imported when the draft was loaded, so this takes milliseconds."""
    try:
        picked = _picked(campaign, pick)
        told = prospect(picked, known=known)
    except HpcvirtError:
        return None
    return Forecast(
        boots=told.boots,
        reboots=told.reboots,
        runs=told.runs,
        warmups=told.warmups,
        phases=len(phases(picked)),
        seconds=told.seconds,
        are_boots_counted=told.are_boots_counted,
        detectable=told.detectable,
        at_best=told.at_best,
        after=AFTER[told.correction],
        with_one_block_more=told.detectable_with_one_block_more,
        seconds_of_one_block_more=told.seconds_of_one_block_more,
        boot_sd=told.spread.boot,
        run_sd=told.spread.run,
        is_measured=known.spread is not None,
        warnings=(
            *(
                ["one boot per kernel: what the boot did and what the kernel does cannot be told apart"]
                if has_one_block(picked) and told.family
                else []
            ),
            *(
                f"{one.kernel} and {one.versus} differ in {one.what} too: {one.value}, {one.other}"
                for one in confounds(picked, known.setups)
            ),
            *(
                "nodes move together, for a benchmark of all of them: `phases` would let the others find "
                f"{100 * one.apart:.2g} %"
                for one in told.powers
                if one.apart is not None
            ),
        ),
    )


def _parameters(use: Benchmark) -> tuple[DraftParameter, ...]:
    return tuple(
        DraftParameter(one.name, use.parameters[one.name], one.default, one.help, one.minimum, one.maximum)
        for one in plugins.load(use.plugin).parameters
    )


def _parameter_faults(plugin: str, values: Mapping[str, Value]) -> Sequence[str]:
    try:
        return plugins.complete(plugins.load(plugin), values)[1]
    except Exception as error:  # noqa: BLE001 - a third party's plugin may raise anything, and asks while somebody types
        return [f"{type(error).__name__}: {error}"]


def _digest(campaign: Campaign, pick: Pick) -> str:
    """Of the file as it was read, whatever it is now."""
    return make_plan(_picked(campaign, pick)).digest


def _picked(campaign: Campaign, pick: Pick) -> Campaign:
    choice = Choice(
        pick.kernels,
        pick.benchmarks,
        pick.runs,
        pick.blocks,
        alpha=pick.alpha,
        delta=pick.delta,
        parameters=pick.parameters or None,
    )
    return choose(campaign, choice)
