"""``plan``: what a campaign would do, cost and show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import click

from hpcvirt.core.config import Choice
from hpcvirt.core.confounds import Confound, confounds
from hpcvirt.core.experience import Experience, learn
from hpcvirt.core.model import Boot, Campaign, Scope
from hpcvirt.core.plan import make_plan
from hpcvirt.core.prospect import Power, Prospect, has_one_block, prospect, run_seconds
from hpcvirt.core.stats.model import Correction, Unit
from hpcvirt.core.stats.power import Spread
from hpcvirt.tui.launch import chosen, experienced
from hpcvirt.tui.phrases import count, listing, short_labels
from hpcvirt.tui.words import duration

LONGEST_LIST = 60
MOST_BENCHMARKS = 20


def print_plan(
    path: Path, choice: Choice, boot_sd: float | None, run_sd: float | None, shared: float | None = None
) -> None:
    """Print it; ``boot_sd``, ``run_sd`` and ``shared``: fractions, None: as measured. Raises CampaignInvalid."""
    file, left_out = chosen(path, choice)
    campaign = file.campaign
    known = learn(experienced(path), campaign)
    spread = known.spread or Spread()
    spread = replace(
        spread,
        boot=spread.boot if boot_sd is None else boot_sd,
        run=spread.run if run_sd is None else run_sd,
        shared=spread.shared if shared is None else shared,
    )
    told = prospect(campaign, spread, known)
    whence = _whence(known.spread is not None, boot_sd, run_sd)
    click.echo("\n".join([*summary(campaign, told, known, whence), *left_out, "", *schedule(campaign)]))


def _whence(is_measured: bool, boot_sd: float | None, run_sd: float | None) -> str:
    if boot_sd is not None and run_sd is not None:
        return "as stated"
    found = "measured before" if is_measured else "assumed: --boot-sd, --run-sd"
    return found if boot_sd is None and run_sd is None else f"{found}, and as stated"


def summary(campaign: Campaign, told: Prospect, known: Experience, whence: str) -> list[str]:
    """What it does, costs and shows, and what must be said about it."""
    kernels = ", ".join(kernel.name for kernel in campaign.kernels)
    reboots = f"{told.reboots} of them reboots" if told.reboots else "nothing is rebooted"
    warmups = f" and {count(told.warmups, 'warm-up run')}" if told.warmups else ""
    nodes = listing([node.name for node in campaign.nodes], LONGEST_LIST)
    units = " or ".join(dict.fromkeys(power.unit for power in told.powers))
    claims = len({claim.number for claim in campaign.claims})
    return [
        f"{campaign.name}: {count(told.boots, 'boot')} ({reboots}), {count(told.runs, 'run')}{warmups}",
        f"on {count(len(campaign.nodes), 'node')} ({nodes}) under {kernels}",
        *_time(campaign, told, known),
        f"compared per {units}, family of {count(told.family, 'test')}",
        *_powers(campaign, told, whence),
        *([f"{count(claims, 'claim')} written down before the data"] if claims else []),
        *_confounds(confounds(campaign, known.setups)),
    ]


def _time(campaign: Campaign, told: Prospect, known: Experience) -> Iterator[str]:
    all_uses = len(campaign.benchmarks)
    if told.measured == all_uses:
        by = f"as measured in {listing([path.name for path in known.databases], LONGEST_LIST)}"
    elif told.measured:
        by = (
            f"{told.measured} of {count(all_uses, 'benchmark')} as measured before, the rest estimated by their plugins"
        )
    else:
        by = "estimated by the plugins, nothing measured yet"
    boots = "" if told.are_boots_counted else "; reboots not counted: none was timed yet"
    yield f"about {duration(told.seconds)}, {by}{boots}"
    names = short_labels([use.label for use in campaign.benchmarks])
    for use in campaign.benchmarks[:MOST_BENCHMARKS]:
        how = "measured" if use.label in known.run_s else "estimated"
        yield f"  a run of {names[use.label]}: {_brief(run_seconds(use, known))} ({how})"
    if all_uses > MOST_BENCHMARKS:
        yield f"  and {all_uses - MOST_BENCHMARKS} more"


def _brief(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 10 else duration(seconds)


def _powers(campaign: Campaign, told: Prospect, whence: str) -> Iterator[str]:
    if told.family == 0:
        yield "nothing to compare"
        return
    spread = f"boots vary by {_percent(told.spread.boot)} and runs by {_percent(told.spread.run)} ({whence})"
    after = AFTER[told.correction]
    names = short_labels([use.label for use in campaign.benchmarks])
    for power in told.powers:
        about = listing([names[label] for label in power.benchmarks], LONGEST_LIST)
        if power.detectable is None:
            yield f"{about}: too few {'runs' if power.unit is Unit.RUN else 'blocks'} to ever show a difference"
            continue
        yield f"{about}: finds a difference of {_range(power)} with 80 % power {after}, if {spread}"
        yield from _in_common(campaign, power, told.spread.shared)
        yield from _together(power)
    yield from _more(campaign, told)


AFTER = {
    Correction.HOLM: "after Holm",
    Correction.BH: "after Benjamini-Hochberg, nothing else being different",
    Correction.NONE: "on raw p",
}


def _range(power: Power) -> str:
    at_most = _percent(power.detectable or 0.0)
    return at_most if power.at_best is None else f"{_percent(power.at_best)} to {at_most}"


def _in_common(campaign: Campaign, power: Power, shared: float | None) -> Iterator[str]:
    if power.unit is not Unit.BLOCK or power.scope is Scope.CLUSTER or len(campaign.nodes) == 1:
        return
    if shared is None:
        yield (
            "  the first if boots of nodes that move together have nothing in common, the second if all of their "
            "variation is common: not measured yet (--shared)"
        )
    else:
        yield f"  {100 * shared:.0f} % of the variance between boots is common to nodes that move together"


def _together(power: Power) -> Iterator[str]:
    if power.apart is not None and power.detectable is not None:
        yield (
            f"warning: these nodes move together, for a benchmark of all of them; in a phase of its own "
            f"it would find {_percent(power.apart)}: see `phases`"
        )


def _more(campaign: Campaign, told: Prospect) -> Iterator[str]:
    if has_one_block(campaign):
        yield "warning: one boot per kernel: what the boot did and what the kernel does cannot be told apart"
    elif told.detectable_with_one_block_more is not None:
        more = _percent(told.detectable_with_one_block_more)
        yield f"one more block: finds {more}, for about {duration(told.seconds_of_one_block_more)} more"


def _confounds(found: Sequence[Confound]) -> Iterator[str]:
    for one in found:
        how = "seen on the nodes" if one.is_seen else "declared"
        yield f"differs: {one.kernel} against {one.versus}: {one.what} {one.value}, not {one.other} ({how})"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2g} %"


def schedule(campaign: Campaign) -> list[str]:
    """The order of kernels, a line for each block and node; one for all where they move together."""
    boots = make_plan(campaign).boots
    together = {(boot.phase, boot.block) for boot in boots if boot.node == "*"}
    shown = [boot for boot in boots if boot.node == "*" or (boot.phase, boot.block) not in together]
    visits = groupby(shown, key=lambda boot: (boot.phase, boot.block, boot.node))
    many = len(campaign.design.phases) > 1
    return [_visits(phase if many else 0, block, node, list(members)) for (phase, block, node), members in visits]


def _visits(phase: int, block: int, node: str, boots: Sequence[Boot]) -> str:
    where = f"phase {phase} " if phase else ""
    who = "all nodes" if node == "*" else node
    return f"{where}block {block} {who}: {' -> '.join(boot.kernel for boot in boots)}"
