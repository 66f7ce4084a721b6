"""All that the screen knows, as one frozen value: threads bring news, the app makes the next value, panes draw it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hpcvirt.core.store.runner_state import RunnerState

if TYPE_CHECKING:
    from hpcvirt.core.charts import Charts
    from hpcvirt.core.preflight import Finding
    from hpcvirt.core.stats import ResultTable
    from hpcvirt.core.store.attempts import AttemptPage
    from hpcvirt.core.store.records import Progress, Snapshot
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
    table_at: Progress | None = None
    """How far the campaign was when the table was computed. None: it is to be computed."""
    table_problem: str = ""
    is_computing: bool = False
    attempts: AttemptPage | None = None
    attempts_problem: str = ""
    charts: Charts | None = None
    charts_at: Progress | None = None
    """How far the campaign was when the charts were read. None: they are to be read."""
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

    def is_current(self, at: Progress | None) -> bool:
        """Whether what was worked out ``at`` this progress may stay: nothing has changed, or it is a recorded look.

        A look at an unfinished campaign stays what was recorded, whatever comes in meanwhile.
        """
        if self.snapshot is None or at is None:
            return False
        return at == self.snapshot.progress or (self.is_as_if_final and not self.snapshot.is_finished)

    def seeing(self, view: View) -> State:
        """The state with a new view of the database; where the campaign was extended, without what was final before."""
        seen = replace(self, view=view)
        ends = [at.is_finished for at in (self.table_at, self.charts_at) if at is not None]
        is_extended = any(ends) and seen.snapshot is not None and not seen.snapshot.is_finished
        return seen.without_results() if is_extended else seen

    def without_results(self, *, is_as_if_final: bool = False) -> State:
        """The state without tables and charts, which are to be worked out as is wanted from now on."""
        return replace(
            self, is_as_if_final=is_as_if_final, table=None, table_at=None, table_problem="",
            charts=None, charts_at=None, charts_problem="",
        )  # fmt: skip

    def may_show(self, at: Progress) -> bool:
        """Whether what was worked out ``at`` this progress may be shown now: nothing final of an extended campaign."""
        return self.snapshot is None or self.snapshot.is_finished or not at.is_finished

    @property
    def is_comparable(self) -> bool:
        """Some benchmark has two ok runs under each of two kernels."""
        cells = self.snapshot.cells if self.snapshot else ()
        ready = [cell.benchmark for cell in cells if cell.ok >= 2]
        return len(ready) > len(set(ready))
