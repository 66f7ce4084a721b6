"""All that the screen knows, as one frozen value: threads bring news, the app makes the next value, panes draw it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpcvirt.core.store.runner_state import RunnerState

if TYPE_CHECKING:
    from hpcvirt.core.charts import Charts
    from hpcvirt.core.preflight import Finding
    from hpcvirt.core.stats import ResultTable
    from hpcvirt.core.store.attempts import AttemptPage
    from hpcvirt.core.store.records import Snapshot
    from hpcvirt.tui.draft import Draft
    from hpcvirt.tui.shelf import Entry
    from hpcvirt.tui.watcher import View

STEERABLE = frozenset({RunnerState.RUNNING, RunnerState.PAUSED})
"""Somebody is there to obey a wish."""

RESTARTABLE = frozenset({RunnerState.NOT_STARTED, RunnerState.STOPPED, RunnerState.FAILED, RunnerState.CRASHED})
"""Nobody is, and the plan is not done."""


@dataclass(frozen=True, slots=True)
class State:
    """What is known now."""

    shelf: tuple[Entry, ...] = ()
    """What can be opened."""
    campaign_path: Path | None = None
    database: Path | None = None
    view: View | None = None
    draft: Draft | None = None
    faults: tuple[str, ...] = ()
    notice: str = ""
    is_starting: bool = False
    is_checking: bool = False
    findings: tuple[Finding, ...] = ()
    """Of the last check of this campaign."""
    method: str = ""
    """By which the comparisons are wanted; empty: as frozen."""
    is_as_if_final: bool = False
    """Verdicts of an unfinished campaign are wanted; each time they are worked out is recorded as a look."""
    table: ResultTable | None = None
    table_ok: int = -1
    """Ok runs that were in when the table was computed."""
    table_problem: str = ""
    is_computing: bool = False
    attempts: AttemptPage | None = None
    attempts_problem: str = ""
    charts: Charts | None = None
    charts_ok: int = -1
    """Ok runs that were in when the charts were read."""
    charts_problem: str = ""
    is_charting: bool = False

    @property
    def snapshot(self) -> Snapshot | None:
        """Of the attached database, if it could ever be read."""
        return self.view.snapshot if self.view else None

    @property
    def runner(self) -> RunnerState | None:
        """Of the attached database."""
        return self.snapshot.runner.state if self.snapshot else None

    @property
    def name(self) -> str:
        """Of the campaign, as far as known."""
        if self.snapshot is not None:
            return self.snapshot.campaign.name
        return self.draft.name if self.draft else ""

    @property
    def is_comparable(self) -> bool:
        """Some benchmark has two ok runs under each of two kernels."""
        cells = self.snapshot.cells if self.snapshot else ()
        ready = [cell.benchmark for cell in cells if cell.ok >= 2]
        return len(ready) > len(set(ready))
