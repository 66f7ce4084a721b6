"""What a well-formed campaign can still get wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain

from hpcvirt.core import alike
from hpcvirt.core import boot_method as methods
from hpcvirt.core.config.faults import doubles, nearest
from hpcvirt.core.errors import HpcvirtError
from hpcvirt.core.launcher import ranks_of, spread
from hpcvirt.core.model import Campaign, Expect, Kernel, LauncherKind, Order, Scope

LARGEST_PLAN_RUNS = 5_000_000


def faults(campaign: Campaign) -> Iterator[str]:
    """Every one, with its key path."""
    yield from _kernel_faults(campaign)
    yield from _node_faults(campaign)
    yield from doubles("benchmark", [use.label for use in campaign.benchmarks])
    yield from _launcher_faults(campaign)
    yield from _analysis_faults(campaign)
    yield from _design_faults(campaign)
    yield from _phase_faults(campaign)


def _kernel_faults(campaign: Campaign) -> Iterator[str]:
    yield from doubles("kernel", [kernel.name for kernel in campaign.kernels])
    for index, kernel in enumerate(campaign.kernels, 1):
        bounds = kernel.expect.memory_mib
        if bounds is not None and bounds[0] > bounds[1]:
            yield f"kernel[{index}].expect.memory_mib: {list(bounds)}: the lowest stands first"
        probe = kernel.expect.probe.command if kernel.expect.probe else ""
        texts = (*kernel.wrap, *kernel.command, *kernel.env.values(), probe)
        if any("\0" in text for text in texts):
            yield f"kernel[{index}]: a NUL character cannot be given to a node"
        if kernel.optional and not campaign.lab:
            yield f"kernel[{index}].optional: only the embedded lab can leave a kernel out; on nodes pick with --kernel"
        yield from (f"kernel[{index}].{fault}" for fault in _boot_faults(kernel, is_lab=campaign.lab))
        yield from (f"kernel[{index}].{fault}" for fault in _alike_faults(kernel, campaign.kernels[: index - 1]))


def _boot_faults(kernel: Kernel, *, is_lab: bool) -> Iterator[str]:
    try:
        method = methods.load(kernel.boot)
        yield from method.faults(kernel)
    except HpcvirtError as error:
        yield f"boot: {error.message}; {error.hint}"
    except Exception as error:  # noqa: BLE001 - a third party's method may raise anything
        yield f"boot: method {kernel.boot} cannot judge its settings: {type(error).__name__}: {error}"
    else:
        if method.reboots and alike.asked(kernel.expect) == Expect():
            yield f"expect: a node is booted into {kernel.name}, and nothing says how that is proved: give its release"
        if is_lab and method.reboots:
            yield f"boot: the nodes of the embedded lab cannot be rebooted, so not by {kernel.boot}"


def _alike_faults(kernel: Kernel, before: Sequence[Kernel]) -> Iterator[str]:
    """What GRUB can tell apart on a node is known there alone: see `check`."""
    with suppress(HpcvirtError):  # of a method that is not there, which is told
        others = [one for one in before if alike.are_alike(one, kernel)]
        blind = [one.name for one in others if not (alike.may_mark(one) and alike.may_mark(kernel))]
        if blind and alike.asked(kernel.expect) != Expect():
            yield f"expect: {alike.fault(kernel, blind)}; {alike.HINT}"


def _node_faults(campaign: Campaign) -> Iterator[str]:
    yield from doubles("node", [node.name for node in campaign.nodes])
    shared = [f"node[{index}]" for index, node in enumerate(campaign.nodes, 1) if not node.own_machine]
    if shared and not campaign.lab:
        yield from (
            f"{shared[0]}.own_machine: {kernel.name} reboots nodes, and this one shares its machine with others; "
            "boot that machine once, as one node"
            for kernel in campaign.kernels
            if _reboots(kernel)
        )
    wide = [use.plugin for use in campaign.benchmarks if use.scope is Scope.CLUSTER]
    if wide and len(campaign.nodes) < 2:
        yield f"benchmark: {wide[0]} runs over all nodes, and there is one; name more nodes, or set scope = 'node'"


def _reboots(kernel: Kernel) -> bool:
    with suppress(HpcvirtError):
        return methods.load(kernel.boot).reboots
    return False


def _launcher_faults(campaign: Campaign) -> Iterator[str]:
    launcher = campaign.launcher
    if launcher.kind is LauncherKind.OWN and not launcher.argv:
        yield 'launcher.argv: kind "own" is called by words of yours; write them, or take openmpi or mpich'
    if launcher.kind is not LauncherKind.OWN and launcher.argv:
        yield f'launcher.argv: {launcher.kind} is called by words of ours; add yours in arguments, or set kind = "own"'
    if any("\0" in word for word in (*launcher.arguments, *launcher.argv)):
        yield "launcher: a NUL character cannot be given to a node"
    for use in campaign.benchmarks:
        ranks, wide = ranks_of(use), use.scope is Scope.CLUSTER
        if not ranks:
            continue
        if campaign.lab and wide:
            yield f"benchmark: {use.label}: nodes of the embedded lab start nothing on each other; leave its ranks out"
        if not spread(ranks, len(campaign.nodes) if wide else 1, use.ranks_per_node):
            yield f"benchmark: {use.label}: {ranks} ranks do not fit {use.ranks_per_node} on each node"


def _analysis_faults(campaign: Campaign) -> Iterator[str]:
    names = [kernel.name for kernel in campaign.kernels]
    if campaign.analysis.baseline not in names:
        meant = nearest(campaign.analysis.baseline, names)
        yield f"analysis.baseline: {campaign.analysis.baseline!r} is not among the kernels{meant}"
    for index, pair in enumerate(campaign.analysis.contrasts, 1):
        unknown = [name for name in pair if name not in names]
        yield from (
            f"analysis.contrasts[{index}]: {name!r} is not among the kernels{nearest(name, names)}" for name in unknown
        )
        if pair[0] == pair[1]:
            yield f"analysis.contrasts[{index}]: {pair[0]!r} is compared with itself"


def _design_faults(campaign: Campaign) -> Iterator[str]:
    design = campaign.design
    if min(design.runs, design.blocks) < 1:
        yield "design: runs and blocks are at least 1"
        return
    if design.blocks > design.runs:
        yield f"design.blocks: {design.blocks} blocks need at least as many runs, not {design.runs}"
    each = design.runs + design.warmup * design.blocks
    total = each * len(campaign.kernels) * len(campaign.nodes) * len(campaign.benchmarks)
    if total > LARGEST_PLAN_RUNS:
        yield f"design.runs: {total} runs in all; {LARGEST_PLAN_RUNS} is the most this program plans"
    if design.order is Order.SEQUENTIAL and design.blocks != 1:
        yield "design.blocks: a sequential campaign visits each kernel once; leave blocks out or use randomized-blocks"


def _phase_faults(campaign: Campaign) -> Iterator[str]:
    """Each benchmark has its boots once: in one phase, or in the only one there is."""
    if not campaign.design.phases:
        return
    count = Counter(chain.from_iterable(campaign.design.phases))
    for use in campaign.benchmarks:
        if count[use.label] != 1:
            where = "in no phase" if not count[use.label] else "in more than one phase"
            yield f"design.phases: {use.label} stands {where}"
