"""What threads and panes tell the app. Each carries frozen data; the message itself is not frozen, because
Textual writes its own bookkeeping into it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from hpcvirt.core.charts import Charts
    from hpcvirt.core.preflight import Finding
    from hpcvirt.core.stats import ResultTable
    from hpcvirt.core.store.attempts import AttemptPage
    from hpcvirt.core.store.records import Progress, Snapshot
    from hpcvirt.tui.draft import Draft, Pick
    from hpcvirt.tui.plots.model import Picture
    from hpcvirt.tui.shelf import Entry
    from hpcvirt.tui.watcher import View


@dataclass
class DatabaseRead(Message):
    """The watcher has a new view of the database."""

    view: View


@dataclass
class ShelfRead(Message):
    """What can be opened, as far as it is known by now."""

    entries: tuple[Entry, ...]


@dataclass
class Chosen(Message):
    """The operator wants to open a file, and (a campaign file) perhaps to start it as it is."""

    path: Path
    is_database: bool
    is_to_start: bool = False


@dataclass
class CampaignOpened(Message):
    """A campaign file was read, and the databases of its name were looked at."""

    draft: Draft
    running: Path | None
    """One that a living runner works on."""
    unfinished: Snapshot | None
    """Else the newest that is not finished."""


@dataclass
class CampaignFaulty(Message):
    """A campaign file cannot be used."""

    path: Path
    faults: tuple[str, ...]
    hint: str


@dataclass
class PaneShown(Message):
    """Another pane is in sight."""

    pane: str


@dataclass
class StartAsked(Message):
    """The operator wants this pick to run."""

    draft: Draft
    pick: Pick


@dataclass
class CheckAsked(Message):
    """The operator wants to know whether this pick could begin."""

    draft: Draft
    pick: Pick


@dataclass
class ScheduleAsked(Message):
    """The operator wants to see in which order this pick would visit kernels."""

    draft: Draft
    pick: Pick


@dataclass
class Scheduled(Message):
    """A line for each block and node."""

    name: str
    """The campaign's."""
    lines: tuple[str, ...]


@dataclass
class SaveFileAsked(Message):
    """The operator wants this pick as a campaign file."""

    draft: Draft
    pick: Pick
    name: str
    """Of the file, in the current folder."""
    is_over: bool = False
    """One that is there may be replaced."""


@dataclass
class FileIsThere(Message):
    """Nothing was written: a file of that name is there."""

    asked: SaveFileAsked


@dataclass
class Looked(Message):
    """What was found of every node and of this machine."""

    name: str
    """The campaign's."""
    findings: tuple[Finding, ...]


@dataclass
class NotLooked(Message):
    """The check itself could not be made."""

    problem: str


@dataclass
class RunnerStarted(Message):
    """A runner works on this database now."""

    database: Path


@dataclass
class RunnerNotStarted(Message):
    """It does not."""

    problem: str


@dataclass
class ResultsComputed(Message):
    """The comparisons as they stood ``at`` this progress, or why there are none."""

    database: Path
    at: Progress
    table: ResultTable | None
    problem: str = ""
    method: str = ""
    """Wanted when it was computed."""
    is_look: bool = False
    """Wanted as if the campaign were finished."""


@dataclass
class MethodWanted(Message):
    """The operator wants the comparisons by another test; empty: as they were frozen."""

    method: str


@dataclass
class LookWanted(Message):
    """The operator wants an unfinished campaign shown as if it were finished, or no longer."""

    is_wanted: bool


@dataclass
class CopyAsked(Message):
    """The operator wants something in the clipboard, or in a file beside the database."""

    make: Callable[[], str]
    """Called in a thread."""
    name: str
    ending: str
    is_file: bool


@dataclass
class Copied(Message):
    """It can be put into the clipboard now."""

    text: str


@dataclass
class ChartsRead(Message):
    """What plots show, as it stood ``at`` this progress, or why there is nothing."""

    database: Path
    at: Progress
    charts: Charts | None
    problem: str = ""
    is_look: bool = False
    """Wanted as if the campaign were finished."""


@dataclass
class SaveAsked(Message):
    """The operator wants a plot in files."""

    picture: Picture


@dataclass
class AttemptsWanted(Message):
    """The operator looks for attempts."""

    words: str
    offset: int


@dataclass
class AttemptsRead(Message):
    """Those that were looked for, or why there are none."""

    database: Path
    page: AttemptPage | None
    problem: str = ""


@dataclass
class RunWished(Message):
    """``skip`` or ``requeue`` of one run."""

    kind: str
    run: int


@dataclass
class Done(Message):
    """Something the operator asked for was done."""

    words: str


@dataclass
class Failed(Message):
    """Something the operator asked for could not be done."""

    title: str
    problem: str
