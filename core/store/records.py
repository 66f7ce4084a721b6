"""What is read from a campaign's database: frozen rows for screens, the command line and the statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpcvirt.core.model import Better, Telemetry, Value
from hpcvirt.core.process import ProcessIdentity
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.core.store.samples import Sample


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """The campaign as it was frozen."""

    name: str
    title: str
    source: str
    plan_sha256: str
    design: str
    runs: int
    blocks: int
    seed: int
    replication_unit: str
    baseline: str
    alpha: float
    delta: float
    method: str | None
    """None: ``blocked`` from two blocks on, else ``paper``."""
    correction: str
    created_at: str
    kernels: tuple[str, ...]
    nodes: tuple[str, ...]
    contrasts: tuple[tuple[str, str], ...]
    """Further planned pairs: (kernel, the one it is compared with)."""
    same_kernels: tuple[tuple[str, str], ...]
    """Pairs of names for what is one treatment: an A/A control."""
    is_rebooted: bool
    """Whether any boot really rebooted its node: else boot variance was not sampled."""
    added_blocks: int = 0
    """By ``extend``, beyond ``blocks``."""
    telemetry: Telemetry = field(default_factory=Telemetry)
    """How its nodes are watched."""


@dataclass(frozen=True, slots=True)
class Reparsed:
    """Stored output of a benchmark that was parsed again."""

    benchmark: str
    """Its label."""
    package: str
    """Name and version of the package whose parser it was."""
    attempts: int
    """How many were parsed."""
    changed: int


@dataclass(frozen=True, slots=True)
class Amendment:
    """Blocks that were added after the start, or a reparse."""

    at: str
    origin: str
    """Who did it."""
    blocks: int
    runs: int
    plan_sha256: str
    """Digest of the plan from then on."""
    reparsed: Reparsed | None = None


@dataclass(frozen=True, slots=True)
class FrozenRecord:
    """What was fixed when a campaign started, to go on with."""

    source: str
    """Where the campaign file was read."""
    text: str
    """The file's text."""
    choice: Mapping[str, Any]
    """Fields of ``config.Choice``."""
    campaign: Mapping[str, Any]
    digest: str
    """Of the plan as it was started."""
    amendments: tuple[Amendment, ...]
    is_finished: bool
    unrestored: tuple[str, ...] = ()
    """Nodes of which it is not known that they boot by default what they did before."""


@dataclass(frozen=True, slots=True)
class MetricRecord:
    """One metric of one benchmark."""

    name: str
    unit: str
    better: Better
    is_primary: bool
    is_exact: bool = False


@dataclass(frozen=True, slots=True)
class BenchmarkRecord:
    """One benchmark of the campaign."""

    id: int
    label: str
    plugin: str
    parameters: Mapping[str, Value]
    metrics: tuple[MetricRecord, ...]
    replication_unit: str = "node-block"


@dataclass(frozen=True, slots=True)
class NodeCard:
    """Where one node is."""

    name: str
    state: str
    """A word: waiting, connecting, proving, copying, running, unreachable, set aside, done."""
    detail: str
    since: str | None
    kernel: str | None
    """Wanted now."""
    is_proved: bool
    """The kernel was proved in the boot under way."""
    release: str
    """``uname -r`` as proved; empty before."""
    proved_kernel: str | None = field(default=None, kw_only=True)
    """The last that was proved on it, in this boot or an earlier one."""
    boot: int
    """Which of its boots is under way, from 1; 0 before the first."""
    boots: int
    block: int
    benchmark: str
    """Label of the benchmark that ran last or runs now; empty before the first."""
    run: int
    """Ok runs of this kernel and benchmark on this node so far."""
    runs: int
    ok: int
    """Ok runs on this node, all kernels and benchmarks."""
    planned: int
    last_metric: str
    last_value: float | None
    mean_value: float | None
    """Running mean of that metric under this kernel on this node."""
    unit: str


@dataclass(frozen=True, slots=True)
class Cell:
    """Progress of one benchmark under one kernel, over all nodes."""

    kernel: str
    benchmark: str
    planned: int
    ok: int
    given_up: int
    spoilt: int
    """Attempts that ended neither ok nor aborted."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log."""

    id: int
    at: str
    level: str
    node: str | None
    message: str


@dataclass(frozen=True, slots=True)
class RunnerRecord:
    """The runner that worked on the database last."""

    state: RunnerState
    process: ProcessIdentity | None
    started_at: str | None
    ended_at: str | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign is: what decides which comparisons may be shown of it, and by which values."""

    planned: int
    ok: int
    given_up: int

    @property
    def is_finished(self) -> bool:
        """Nothing is left to do."""
        return self.ok + self.given_up >= self.planned


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the screen and ``status`` show of a campaign at one moment, read in one transaction."""

    path: Path
    campaign: CampaignRecord
    benchmarks: tuple[BenchmarkRecord, ...]
    runner: RunnerRecord
    nodes: tuple[NodeCard, ...]
    cells: tuple[Cell, ...]
    events: tuple[Event, ...]
    """The newest last."""
    planned: int
    ok: int
    given_up: int
    statuses: Mapping[str, int]
    """Attempts by status, those under way left out."""
    eta_s: float | None
    """Seconds until the plan is done, from each benchmark's own history. None: not known."""
    amendments: tuple[Amendment, ...] = ()
    """In the order in which they were made."""
    unrestored: tuple[str, ...] = ()
    """Nodes whose default boot entry is still to be put back, once no runner works on them."""
    telemetry: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)
    """The last samples of each node, the newest last."""

    @property
    def progress(self) -> Progress:
        """How far the campaign is."""
        return Progress(self.planned, self.ok, self.given_up)

    @property
    def is_finished(self) -> bool:
        """Nothing is left to do."""
        return self.progress.is_finished


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row of the view ``results``, in the order of the plan."""

    campaign: str
    block: int
    kernel: str
    node: str
    boot_id: str | None
    benchmark: str
    parameters: str
    """JSON."""
    run: int
    attempt: int
    status: str
    started_at: str
    duration_s: float | None
    metric: str
    value: float
    unit: str
    better: Better
    primary: int = 1
    """1 where the metric is in the family, 0 elsewhere."""
    exact: int = 0
    """1 where values have no error, 0 elsewhere."""
    interim: int = 0
    """1 in a campaign that was not finished when this was read, 0 in a finished one."""
