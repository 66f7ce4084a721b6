"""What is shown of a campaign before its planned end: means and differences, marked interim.

An interval or a p-value that is seen early invites to stop when it looks good, and error rates hold for the planned end
only. So everything that tells them is withheld here, before any view has it, unless somebody asks for it as if the
campaign were finished; that is recorded in the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hpcvirt.core.store.looks import read_looks, record_look
from hpcvirt.core.store.queries import read_totals
from hpcvirt.core.store.runs import read_skipped

if TYPE_CHECKING:
    # commands that compare nothing need none of the statistics, whose import takes its time
    from hpcvirt.core.stats.model import Comparison

SHOWN = frozenset({
    "benchmark", "metric", "unit", "better", "primary", "kernel", "baseline", "method", "replication_unit",
    "n", "n_baseline", "runs", "runs_baseline", "nodes", "mean", "mean_baseline", "mean_kind", "mean_harmonic",
    "mean_harmonic_baseline", "difference_pct", "ratio", "ratio_of_means", "adjusted", "family", "correction", "alpha",
    "delta", "flags", "interim",
})  # fmt: skip
"""Fields of an interim comparison. What is not named here is withheld, standard deviations too: they give p."""

WITHHELD_FLAGS = frozenset({"few-units", "unequal-spread", "exact-varies"})
"""Flags whose texts hold a p-value of the comparison."""


@dataclass(frozen=True, slots=True)
class LookRequest:
    """A request to show an unfinished campaign as if it were finished."""

    origin: str
    """Who asks: user@host."""
    view: str
    """The command or the screen."""


@dataclass(frozen=True, slots=True)
class Interim:
    """The state of an unfinished campaign when its data were read."""

    ok: int
    planned: int
    is_withheld: bool
    """Whether intervals, p-values and verdicts are withheld; else a look was recorded."""

    @property
    def progress(self) -> str:
        """How many of the planned runs are in."""
        return f"{self.ok} of {self.planned} runs"

    @property
    def note(self) -> str:
        """What must be said beside the numbers."""
        if self.is_withheld:
            return (
                f"INTERIM: {self.progress} are in. Means and differences only: intervals, p-values and verdicts follow "
                "at the planned end (--as-if-final shows them now and records the look)"
            )
        return (
            f"INTERIM, shown as if final: {self.progress} are in. The error rates hold for the planned end only; "
            "this look is recorded in the database"
        )


@dataclass(frozen=True, slots=True)
class FileInterim:
    """The state of a CSV file that was exported from an unfinished campaign. It has no place for looks."""

    is_withheld: bool
    """Whether intervals, p-values and verdicts are withheld."""

    @property
    def note(self) -> str:
        """What must be said beside the numbers."""
        if self.is_withheld:
            return (
                "INTERIM: the file says that its campaign was not finished. Means and differences only: intervals, "
                "p-values and verdicts follow at the planned end (--as-if-final shows them now; a look at a CSV file "
                "is recorded nowhere)"
            )
        return (
            "INTERIM, shown as if final: the file says that its campaign was not finished. The error rates hold for "
            "the planned end only; a look at a CSV file is recorded nowhere"
        )


def interim(path: Path) -> Interim | None:
    """Return the state of an unfinished campaign, with everything withheld; None for a finished one.

    To be called before the values are read: what is finished then stays finished. Raises StoreUnusable.
    """
    planned, ok, given_up = read_totals(path)
    return None if ok + given_up >= planned else Interim(ok, planned, is_withheld=True)


def looked_at(path: Path, state: Interim | None, look: LookRequest | None, shown: str) -> Interim | None:
    """Record ``look`` at an unfinished campaign and return the state in which nothing is withheld.

    To be called between computing and showing: a request that is refused is no look, and a look that cannot be
    recorded shows nothing. Raises StoreUnusable.
    """
    if state is None or look is None:
        return state
    record_look(path, look.origin, look.view, shown, (state.ok, state.planned))
    return replace(state, is_withheld=False)


def marked(rows: Iterable[Comparison], state: Interim | FileInterim | None) -> tuple[Comparison, ...]:
    """Return the comparisons as they may be shown: marked interim, and without what is withheld."""
    if state is None:
        return tuple(rows)
    if not state.is_withheld:
        return tuple(replace(row, interim=True) for row in rows)
    return tuple(_withheld(row) for row in rows)


def _withheld(row: Comparison) -> Comparison:
    nothing = {field.name: None for field in fields(row) if field.name not in SHOWN}
    flags = tuple(flag for flag in row.flags if flag.code not in WITHHELD_FLAGS)
    return replace(row, **nothing, flags=flags, interim=True)  # type: ignore[arg-type]


def looks_note(path: Path) -> tuple[str, ...]:
    """Return a line on the looks before the planned end, if there were any. Raises StoreUnusable."""
    looks = read_looks(path)
    if not looks:
        return ()
    times = "once" if len(looks) == 1 else f"{len(looks)} times"
    first = looks[0]
    return (
        f"verdicts were looked at {times} before the planned end, first by {first.origin} at {first.ok} of "
        f"{first.planned} runs: see the table `looks`",
    )


def skipped_note(path: Path, state: Interim | None) -> tuple[str, ...]:
    """Return a line on runs that operators skipped before their first attempt, if there are any.

    ``state``: None for a campaign that is over, which such runs ended before its plan. Raises StoreUnusable.
    """
    skipped, planned = read_skipped(path)
    if not skipped:
        return ()
    line = f"{skipped} of {planned} planned runs were skipped by an operator before their first attempt"
    if state is None:
        line += ": the campaign ended before its plan, and its error rates hold for the planned runs only"
    return (line,)
