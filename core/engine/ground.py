"""What everybody who works on one campaign in one life of the runner shares."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hpcvirt.core.engine.wishes import Wishes
from hpcvirt.core.model import Campaign, Kernel, Run, Status
from hpcvirt.core.store.bringups import Consent
from hpcvirt.core.store.database import RunHistory
from hpcvirt.core.store.writer import Writer


@dataclass(frozen=True, slots=True)
class Ground:
    """One for all nodes."""

    campaign: Campaign
    store: Writer
    wishes: Wishes
    places: asyncio.Semaphore
    """One for each node that may run a benchmark at the same time."""
    artifacts: Mapping[str, Sequence[tuple[str, str, bytes]]]
    """By benchmark label: name, SHA-256, content."""
    consent: Consent | None = None
    """None: no node may be rebooted."""
    running: set[str] = field(default_factory=set)
    """Names of the nodes on which a run is under way."""
    digests: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By benchmark label: what its first run in this life of the runner computed, and where."""
    histories: dict[int, RunHistory] = field(default_factory=dict)
    """By run, as far as it has one."""

    def kernel(self, name: str) -> Kernel:
        """The campaign's kernel of this name."""
        return next(kernel for kernel in self.campaign.kernels if kernel.name == name)

    def history(self, run: Run) -> RunHistory:
        """How the attempts of a run ended."""
        return self.histories.get(run.id, RunHistory())

    def is_closed(self, run: Run) -> bool:
        """Nothing more is done for this run."""
        return self.history(run).is_closed or self.wishes.is_skipped(run.id)

    def note(self, run: Run, status: Status) -> None:
        """Another attempt of the run has ended so."""
        history = self.history(run)
        is_closed = history.is_closed or status is Status.OK
        self.histories[run.id] = RunHistory(is_closed, (*history.statuses, status))

    async def give_up(self, run: Run) -> None:
        """The run gets no more attempts."""
        self.histories[run.id] = dataclasses.replace(self.history(run), is_closed=True)
        await self.store.do(lambda database: database.give_up(run.id, "the retries are used up"))


def told(run: Run) -> str:
    """A run in words."""
    kind = "warm-up run" if run.is_warmup else "run"
    return f"{run.benchmark.label} {kind} {run.number} under {run.boot.kernel}"
