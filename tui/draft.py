"""A campaign before it starts: what can be picked, and what a pick means in nodes, boots, runs and time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpcvirt.core.model import Value, label_of
from hpcvirt.core.preflight import Finding, Level
from hpcvirt.tui.phrases import count, listing
from hpcvirt.tui.words import duration


@dataclass(frozen=True, slots=True)
class DraftKernel:
    """A kernel that can be picked."""

    name: str
    boot: str
    """Boot method."""
    wrap: str
    """Prefix of every command; empty where there is none."""
    reboots: bool = False
    """Whether nodes are rebooted into it."""


@dataclass(frozen=True, slots=True)
class DraftParameter:
    """A setting of a benchmark that can be changed."""

    name: str
    value: Value
    """As the file has it."""
    default: Value
    """Of the plugin: its type is the parameter's."""
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class DraftBenchmark:
    """A benchmark that can be picked."""

    label: str
    title: str
    estimate_s: float
    """Of one run."""
    is_measured: bool = False
    """From earlier databases; else the plugin guesses."""
    is_wide: bool = False
    """Whether a run is one over all nodes."""
    plugin: str = ""
    parameters: tuple[DraftParameter, ...] = ()
    check: Callable[[Mapping[str, Value]], Sequence[str]] = field(default=lambda _: (), compare=False)
    """What is wrong with parameters, a line each, those of one parameter beginning with its name."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A campaign file, as far as the screen shows it."""

    path: Path
    name: str
    title: str
    is_lab: bool
    is_sequential: bool
    nodes: tuple[str, ...]
    kernels: tuple[DraftKernel, ...]
    benchmarks: tuple[DraftBenchmark, ...]
    baseline: str
    runs: int
    blocks: int
    seed: int
    at_once: int | None
    alpha: float
    delta: float
    left_out: tuple[str, ...] = ()
    """Kernels of the file that this machine does not allow, a sentence each."""
    forecast: Callable[[Pick], Forecast | None] = field(default=lambda _: None, compare=False)
    """What a faultless pick costs and can show; None: the campaign does not allow it."""
    digest: Callable[[Pick], str] = field(default=lambda _: "", compare=False)
    """Of the plan of a faultless pick: what the operator says yes to."""


@dataclass(frozen=True, slots=True)
class Pick:
    """What the operator chose of a draft."""

    kernels: tuple[str, ...]
    benchmarks: tuple[str, ...]
    runs: int | None
    """None: what stands in the field is no number."""
    blocks: int | None
    alpha: float | None = None
    """None: as the file says; what is no number is not between 0 and 1."""
    delta: float | None = None
    parameters: tuple[tuple[str, tuple[tuple[str, Value], ...]], ...] = ()
    """By label: names and values that are not as the file says."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a pick costs and can show, as ``plan`` says it. Differences and variation are fractions."""

    boots: int
    """Visits of a kernel to a node."""
    reboots: int
    """Those that boot a machine: what the operator consents to."""
    runs: int
    """Those that are analysed."""
    warmups: int
    phases: int
    """How many groups of benchmarks have boots of their own."""
    seconds: float
    """Of everything: reboots as far as they were timed before."""
    are_boots_counted: bool
    detectable: float | None
    """The smallest difference found with 80 % power as verdicts are given; None: none, or nothing to compare."""
    with_one_block_more: float | None
    seconds_of_one_block_more: float
    boot_sd: float
    run_sd: float
    is_measured: bool
    """Whether the variation comes from earlier databases."""
    at_best: float | None = None
    """What is found if nodes that move together have nothing in common; None: that is known, or makes no difference."""
    after: str = "after Holm"
    """How verdicts are corrected."""
    warnings: tuple[str, ...] = ()
    """In what else than names the kernels differ; what moving together costs. A sentence each."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """One line of what will happen."""

    what: str
    how: str
    is_fault: bool = False


def shown_label(benchmark: DraftBenchmark, pick: Pick) -> str:
    """The label, with parameters as they were changed."""
    edits = dict(dict(pick.parameters).get(benchmark.label, ()))
    if not edits:
        return benchmark.label
    values = {one.name: edits.get(one.name, one.value) for one in benchmark.parameters}
    return label_of(benchmark.plugin, values)


def whole(draft: Draft) -> Pick:
    """Everything the file has."""
    return Pick(
        kernels=tuple(kernel.name for kernel in draft.kernels),
        benchmarks=tuple(benchmark.label for benchmark in draft.benchmarks),
        runs=draft.runs,
        blocks=draft.blocks,
    )


def faults(draft: Draft, pick: Pick) -> list[str]:
    """Why this pick cannot start, each with what to do."""
    found = []
    if not pick.benchmarks:
        found.append("no benchmark is picked: pick at least one")
    if pick.runs is None or pick.runs < 1:
        found.append("runs: give a number from 1 to 1 000 000")
    if pick.blocks is None or pick.blocks < 1:
        found.append("blocks: give a number from 1 up to the number of runs")
    elif pick.runs and pick.blocks > pick.runs:
        found.append(f"blocks: {count(pick.blocks, 'block')} need at least as many runs, not {pick.runs}")
    elif draft.is_sequential and pick.blocks != 1:
        found.append("blocks: a sequential campaign visits each kernel once; 1 is its only number")
    for name, level in (("alpha", pick.alpha), ("delta", pick.delta)):
        if level is not None and not 0 < level < 1:
            found.append(f"{name}: give a number between 0 and 1, as 0.05")
    return found


def outlook(draft: Draft, pick: Pick, width: int = 70) -> list[Outlook]:
    """What will happen, in words; or what is in the way."""
    found = faults(draft, pick)
    if found:
        return [Outlook("Cannot start", fault, is_fault=True) for fault in found]
    runs, blocks = pick.runs or 0, pick.blocks or 0  # faults() named every other case
    forecast = draft.forecast(pick)
    if forecast is None:
        # Numbers of our own would be others than those of the plan.
        return [Outlook("Cannot start", "the campaign does not allow this pick: a check says why", is_fault=True)]
    return [
        Outlook(count(len(draft.nodes), "node"), _nodes(draft, width)),
        _boots(pick, blocks, forecast),
        *_reboots(draft, pick, forecast, width),
        *_runs(draft, pick, runs, blocks, forecast),
        Outlook(f"about {duration(forecast.seconds)}", _pace(draft, pick, forecast)),
        Outlook("verdict", _verdict(draft, pick)),
        *_shows(forecast),
        *(Outlook("left out", words) for words in draft.left_out),
    ]


def _shows(told: Forecast) -> list[Outlook]:
    lines = []
    if told.detectable is not None:
        whence = "as before" if told.is_measured else "assumed"
        varies = f"boots vary by {_percent(told.boot_sd)}, runs by {_percent(told.run_sd)} ({whence})"
        found = _percent(told.detectable)
        if told.at_best is not None:
            found = f"{100 * told.at_best:.2g}–{found}"
            varies += "; more the more nodes that move together have in common"
        lines.append(Outlook(f"finds {found}", f"at 80 % power {told.after}, if {varies}"))
    if told.with_one_block_more is not None:
        price = f"for about {duration(told.seconds_of_one_block_more)} more"
        lines.append(Outlook("one more block", f"finds {_percent(told.with_one_block_more)}, {price}"))
    return lines + [Outlook("mind", words) for words in told.warnings]


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2g} %"


def _nodes(draft: Draft, width: int) -> str:
    suffix = " (embedded lab on this machine)" if draft.is_lab else ""
    return listing(draft.nodes, width - len(suffix)) + suffix


def _boots(pick: Pick, blocks: int, told: Forecast) -> Outlook:
    phases = f" × {count(told.phases, 'phase')}" if told.phases > 1 else ""
    what = f"{count(len(pick.kernels), 'kernel')} × {count(blocks, 'block')}{phases} on each node"
    what += "" if told.reboots else "; no node is rebooted, kernels are proved"
    return Outlook(count(told.boots, "boot"), what)


def _rebooting(draft: Draft, pick: Pick) -> list[str]:
    return [kernel.name for kernel in draft.kernels if kernel.name in pick.kernels and kernel.reboots]


def _reboots(draft: Draft, pick: Pick, told: Forecast, width: int) -> list[Outlook]:
    if not told.reboots:
        return []
    where = f"{listing(draft.nodes, width // 2)} into {listing(_rebooting(draft, pick), width // 2)}"
    each = count(told.reboots // len(draft.nodes), "time")
    return [Outlook(count(told.reboots, "reboot"), f"{where}, {each} each; not where others work")]


def _runs(draft: Draft, pick: Pick, runs: int, blocks: int, told: Forecast) -> list[Outlook]:
    low, rest = divmod(runs, blocks)
    share = f"{low}–{low + 1}" if rest else f"{low}"
    lines = [Outlook(count(told.runs, "run"), f"{runs} per kernel, {_places(draft, pick)}; {share} in each boot")]
    if told.warmups:
        lines.append(Outlook(count(told.warmups, "warm-up run"), "kept and marked, not analysed"))
    return lines


def _places(draft: Draft, pick: Pick) -> str:
    """What has runs of its own: a benchmark of all nodes runs once for all of them."""
    wide = {one.is_wide for one in draft.benchmarks if one.label in pick.benchmarks}
    if wide == {True}:
        return "benchmark, over all nodes"
    return "benchmark, on each node or over all" if True in wide else "benchmark and node"


def _pace(draft: Draft, pick: Pick, forecast: Forecast) -> str:
    nodes = len(draft.nodes)
    at_once = min(draft.at_once or nodes, nodes)
    pace = "all nodes at the same time" if at_once == nodes else f"{count(at_once, 'node')} at a time"
    guessed = [one.label for one in draft.benchmarks if one.label in pick.benchmarks and not one.is_measured]
    by = "a guess of the plugins until runs are in" if guessed else "as measured before"
    boots = "" if forecast.are_boots_counted else "; reboots not counted"
    return f"{pace}; {by}{boots}"


def _verdict(draft: Draft, pick: Pick) -> str:
    if len(pick.kernels) < 2:
        return f"none: {draft.baseline} alone is compared with nothing"
    alpha, delta = pick.alpha or draft.alpha, pick.delta or draft.delta
    return f"against {draft.baseline}, alpha {alpha:g}; within ±{delta * 100:g} % is equivalent"


@dataclass(frozen=True, slots=True)
class Changed:
    """A pick as fields of the core's ``Choice``: None where it is what the file says."""

    kernels: tuple[str, ...] | None
    benchmarks: tuple[str, ...] | None
    runs: int | None
    blocks: int | None
    alpha: float | None
    delta: float | None
    parameters: tuple[tuple[str, tuple[tuple[str, Value], ...]], ...] | None


def changed(draft: Draft, pick: Pick) -> Changed:
    """What of the pick is not as the file says."""
    file = whole(draft)
    return Changed(
        kernels=None if pick.kernels == file.kernels else pick.kernels,
        benchmarks=None if pick.benchmarks == file.benchmarks else pick.benchmarks,
        runs=None if pick.runs == file.runs else pick.runs,
        blocks=None if pick.blocks == file.blocks else pick.blocks,
        alpha=None if pick.alpha == draft.alpha else pick.alpha,
        delta=None if pick.delta == draft.delta else pick.delta,
        parameters=pick.parameters or None,
    )


def availability(draft: Draft, findings: Sequence[Finding]) -> dict[str, str]:
    """On which nodes each kernel and each benchmark could run, as a check found it: by kernel name or label."""
    reached = {one.where for one in findings if one.level is Level.PASS} & set(draft.nodes)
    told = {kernel.name: f"kernel {kernel.name}" for kernel in draft.kernels}
    told |= {one.label: f"benchmark {one.plugin}" for one in draft.benchmarks}
    return {name: _available(draft, reached, about, findings) for name, about in told.items()}


def _available(draft: Draft, reached: set[str], about: str, findings: Sequence[Finding]) -> str:
    lacking = {one.where for one in findings if one.about == about and one.level is Level.FAILURE}
    unknown = [node for node in draft.nodes if node not in reached and node not in lacking]
    parts = [f"✗ not on {listing([node for node in draft.nodes if node in lacking], 24)}"] if lacking else []
    parts += [f"? {listing(unknown, 24)}"] if unknown else []
    return ", ".join(parts) or f"✓ on {count(len(draft.nodes), 'node')}"
