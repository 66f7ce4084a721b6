"""What a campaign would cost and could show, said before anything runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hpcvirt.core import boot_method
from hpcvirt.core.benchmark import kept_metrics, load
from hpcvirt.core.confounds import pairs
from hpcvirt.core.experience import Experience
from hpcvirt.core.model import Benchmark, Campaign, Order, Scope
from hpcvirt.core.plan import phases, runs_in_block, unit_of
from hpcvirt.core.stats.model import Correction, Method, Unit
from hpcvirt.core.stats.power import Layout, Spread, smallest_difference


@dataclass(frozen=True, slots=True)
class Power:
    """What can be shown in benchmarks that are replicated alike."""

    benchmarks: tuple[str, ...]
    """Labels."""
    scope: Scope
    unit: Unit
    detectable: float | None
    """The smallest difference found with 80 % power as verdicts are given, a fraction; None: none can be.

    Where nodes move together and what their boots have in common is not known: if all of the variation is common.
    """
    at_best: float | None
    """The same if nodes that move together have nothing in common. None: it is known, or makes no difference."""
    with_one_block_more: float | None
    apart: float | None
    """What it were if its nodes did not move together with a benchmark of all of them. None: they do not, or must."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """One campaign, looked at from before its start."""

    boots: int
    """Visits of a kernel to a node."""
    reboots: int
    """Those that boot a machine."""
    runs: int
    """Those that are analysed."""
    warmups: int
    seconds: float
    """Nodes side by side as far as the design lets them; boots as far as their time is known."""
    measured: int
    """Of how many benchmarks the time of a run comes from earlier databases, and not from the plugin's estimate."""
    are_boots_counted: bool
    """Whether the time of all reboots is known and in ``seconds``."""
    unit: Unit
    family: int
    """Primary metrics x pairs of kernels."""
    correction: Correction
    """By which verdicts are given: ``none`` also for method ``paper``, whose verdicts go by raw p."""
    spread: Spread
    powers: tuple[Power, ...]
    seconds_of_one_block_more: float

    @property
    def detectable(self) -> float | None:
        """The smallest difference that is found in every benchmark."""
        found = [power.detectable for power in self.powers if power.detectable is not None]
        return max(found) if found and len(found) == len(self.powers) else None

    @property
    def at_best(self) -> float | None:
        """The same if nodes that move together have nothing in common. None: it is known, or makes no difference."""
        if self.detectable is None or all(power.at_best is None for power in self.powers):
            return None
        found = (power.detectable if power.at_best is None else power.at_best for power in self.powers)
        return max(one for one in found if one is not None)

    @property
    def detectable_with_one_block_more(self) -> float | None:
        """The same with one block more."""
        found = [power.with_one_block_more for power in self.powers if power.with_one_block_more is not None]
        return max(found) if found and len(found) == len(self.powers) else None


def prospect(campaign: Campaign, spread: Spread | None = None, known: Experience | None = None) -> Prospect:
    """Look at a campaign with what is known from before.

    ``spread`` between and within boots: as measured, and 1 % each where nothing is known.
    """
    known = known or Experience()
    spread = spread or known.spread or Spread()
    design = campaign.design
    visits = len(campaign.nodes) * len(campaign.kernels) * len(phases(campaign))
    rebooting = [kernel.name for kernel in campaign.kernels if boot_method.load(kernel.boot).reboots]
    each = len(campaign.nodes) * len(phases(campaign)) * design.blocks
    places = sum(1 if use.scope is Scope.CLUSTER else len(campaign.nodes) for use in campaign.benchmarks)
    return Prospect(
        boots=visits * design.blocks,
        reboots=len(rebooting) * each,
        runs=places * len(campaign.kernels) * design.runs,
        warmups=places * len(campaign.kernels) * design.warmup * design.blocks,
        seconds=_seconds(campaign, known, design.runs, design.blocks),
        measured=sum(use.label in known.run_s for use in campaign.benchmarks),
        are_boots_counted=all(name in known.boot_s for name in rebooting),
        unit=_unit(campaign, campaign.benchmarks),
        family=family(campaign),
        correction=correction_of(campaign),
        spread=spread,
        powers=tuple(_powers(campaign, spread)),
        seconds_of_one_block_more=_seconds(campaign, known, design.runs // design.blocks, 1),
    )


def family(campaign: Campaign) -> int:
    """How many tests are made: primary metrics x (kernels against the baseline, and contrasts), each pair once."""
    return len(pairs(campaign)) * sum(metric.primary for use in campaign.benchmarks for metric in kept_metrics(use))


def correction_of(campaign: Campaign) -> Correction:
    """How verdicts are corrected: by an explicit method ``paper`` they go by raw p."""
    is_raw = campaign.analysis.method == Method.PAPER
    return Correction.NONE if is_raw else Correction(campaign.analysis.correction)


def _unit(campaign: Campaign, uses: Sequence[Benchmark]) -> Unit:
    by_runs = has_one_block(campaign) or campaign.analysis.method == Method.PAPER
    return Unit.RUN if by_runs else Unit(unit_of(uses))


def has_one_block(campaign: Campaign) -> bool:
    """One boot per kernel and node, in whatever order: the analysis falls back to method ``paper``."""
    design = campaign.design
    return design.order is Order.SEQUENTIAL or design.blocks + design.added_blocks == 1


def _powers(campaign: Campaign, spread: Spread) -> list[Power]:
    found = []
    # two ends where it is not known what nodes have in common
    best = replace(spread, shared=0.0) if spread.shared is None else None
    for uses in phases(campaign):
        unit = _unit(campaign, uses)
        for scope in Scope:
            labels = tuple(use.label for use in uses if use.scope is scope)
            if labels:
                free = Unit.NODE_BLOCK if unit is Unit.BLOCK and scope is Scope.NODE else None
                more = None if has_one_block(campaign) else _detectable(campaign, scope, unit, spread, 1)
                now = _detectable(campaign, scope, unit, spread)
                is_open = best is not None and unit is Unit.BLOCK and scope is Scope.NODE and len(campaign.nodes) > 1
                at_best = _detectable(campaign, scope, unit, best) if best is not None and is_open else None
                apart = None if free is None else _detectable(campaign, scope, free, spread)
                found.append(Power(labels, scope, unit, now, at_best, more, apart))
    return found


def _detectable(campaign: Campaign, scope: Scope, unit: Unit, spread: Spread, more: int = 0) -> float | None:
    if family(campaign) == 0:
        return None
    tests = 1 if correction_of(campaign) is Correction.NONE else family(campaign)
    design = campaign.design
    each = runs_in_block(design, design.blocks)
    # All runs of a kernel where runs are what is compared.
    in_all = design.runs + more * each
    layout = Layout(
        blocks=design.blocks + more,
        nodes=1 if scope is Scope.CLUSTER else len(campaign.nodes),
        runs_per_boot=in_all if unit is Unit.RUN else each,
        unit=unit,
    )
    found = smallest_difference(layout, spread, alpha=campaign.analysis.alpha, family=tests)
    return found if math.isfinite(found) else None


def _seconds(campaign: Campaign, known: Experience, runs: int, blocks: int) -> float:
    """Of so many runs per kernel, benchmark and node in so many blocks."""
    design = campaign.design
    turns = rounds(campaign)
    each = sum(run_seconds(use, known) * (1 if use.scope is Scope.CLUSTER else turns) for use in campaign.benchmarks)
    working = each * (runs + design.warmup * blocks) * len(campaign.kernels)
    # Nodes boot side by side, whatever at_once says of benchmarks.
    booting = sum(known.boot_s.get(kernel.name, 0.0) for kernel in campaign.kernels if kernel.boot != "none")
    # The longer of the two is what the engine waits.
    settling = sum(max(design.settle_s, kernel.settle.seconds) for kernel in campaign.kernels)
    return working + (booting + settling) * blocks * len(phases(campaign))


def run_seconds(use: Benchmark, known: Experience) -> float:
    """Of one run: as measured, else as the plugin guesses."""
    return known.run_s[use.label] if use.label in known.run_s else load(use.plugin).estimate_s(use.parameters)


def rounds(campaign: Campaign) -> int:
    """How often the nodes must take turns."""
    nodes = len(campaign.nodes)
    return math.ceil(nodes / min(campaign.design.at_once or nodes, nodes))
