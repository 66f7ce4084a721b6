"""All that the screen asks of the rest of the program: one object, which tests replace.

Every method may block for seconds: it is called in threads only. What is heavy is imported inside,
so that the first paint waits for none of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hpcvirt.tui import shelf as shelves
from hpcvirt.tui.calculator import Calculator
from hpcvirt.tui.memory import Memory, memory_path
from hpcvirt.tui.memory import remember as keep
from hpcvirt.tui.shelf import Entry

if TYPE_CHECKING:
    from hpcvirt.core.charts import Charts
    from hpcvirt.core.interim import LookRequest
    from hpcvirt.core.preflight import Finding
    from hpcvirt.core.stats import Comparison, ResultTable
    from hpcvirt.core.store.attempts import AttemptDetail, AttemptPage
    from hpcvirt.core.store.cells import CellDetail
    from hpcvirt.core.store.output import OutputPage, OutputReader
    from hpcvirt.core.store.queries import SnapshotReader
    from hpcvirt.core.store.records import Snapshot
    from hpcvirt.core.store.samples import Sample
    from hpcvirt.tui.draft import Draft, Pick
    from hpcvirt.tui.plots.model import Picture


class Backend(Protocol):
    """What the screen needs. Every method raises HpcvirtError where something is not as it should be."""

    def close(self) -> None:
        """The screen is going: whatever still works for it may end."""

    def shelf(self, known: Sequence[Entry], recent: Sequence[Path]) -> Iterator[tuple[Entry, ...]]:
        """What can be opened, several times: ever more of it is read."""

    def remember(self, memory: Memory) -> None:
        """Keep it for the next time."""

    def load_draft(self, path: Path) -> Draft:
        """A campaign file. Raises CampaignInvalid with all faults."""

    def databases(self, campaign: Path) -> list[Path]:
        """Databases of a campaign file, the newest first."""

    def check(self, draft: Draft, pick: Pick) -> tuple[Finding, ...]:
        """What stands in the way of this pick, on the nodes and here; nothing is changed."""

    def schedule(self, draft: Draft, pick: Pick) -> tuple[str, ...]:
        """In which order kernels are visited, a line for each block and node."""

    def save_campaign(self, draft: Draft, pick: Pick, target: Path, *, over: bool) -> bool:
        """Write what is picked as a campaign file; False, and nothing is written, where one is there already."""

    def start(self, draft: Draft, pick: Pick) -> Path:
        """Start the runner, detached; the database it works on."""

    def resume(self, snapshot: Snapshot) -> None:
        """Start a runner again on a database whose runner is gone."""

    def fingerprint(self, database: Path) -> object:
        """Something cheap that differs after every write."""

    def read_snapshot(self, database: Path) -> Snapshot:
        """Where the campaign is now."""

    def pulse(self, database: Path) -> object:
        """Something that differs after every write but those of telemetry."""

    def telemetry(self, database: Path) -> Mapping[str, tuple[Sample, ...]]:
        """The last samples of each node."""

    def write_wish(self, database: Path, kind: str) -> None:
        """Ask the runner for pause, resume, stop or abort."""

    def compare(self, database: Path, method: str = "", *, as_if_final: bool = False) -> ResultTable:
        """The comparisons as they stand now. ``method``: by another test than was frozen.

        ``as_if_final``: with verdicts of an unfinished campaign too, which is recorded.
        """

    def cell(self, database: Path, row: Comparison) -> tuple[CellDetail, Charts]:
        """What a comparison is made of, and the same to be drawn."""

    def table_text(self, rows: Sequence[Comparison], form: str, notes: Sequence[str]) -> str:
        """Comparisons as ``csv`` or ``markdown``."""

    def save_text(self, text: str, target: Path) -> None:
        """Write a file, whole or not at all."""

    def attempts(self, database: Path, words: str, offset: int) -> AttemptPage:
        """Attempts in which every word occurs, the newest first."""

    def attempt(self, database: Path, attempt: str) -> tuple[AttemptDetail, str]:
        """One attempt, and what disturbed its node."""

    def output(self, database: Path, attempt: str, stream: str, page: int) -> OutputPage:
        """A page of what an attempt wrote."""

    def wish_run(self, database: Path, kind: str, run: int) -> str:
        """Skip or requeue a run; what to tell the operator."""

    def charts(self, database: Path, *, as_if_final: bool = False) -> Charts:
        """What plots show, as it stands now. ``as_if_final``: as ``compare`` takes it."""

    def save_plot(self, picture: Picture, stem: Path) -> tuple[Path, ...]:
        """Write a plot as SVG, text and CSV beside the database; the files."""

    def export(self, database: Path, target: Path) -> int:
        """Write measurements.csv; the number of rows."""


class LocalBackend:
    """The real one: files and processes of this machine."""

    def __init__(self) -> None:
        self._reader: OutputReader | None = None
        self._watched: SnapshotReader | None = None
        self._calculator = Calculator()

    def close(self) -> None:
        """End the other process."""
        self._calculator.close()

    def shelf(self, known: Sequence[Entry], recent: Sequence[Path]) -> Iterator[tuple[Entry, ...]]:
        """Look where campaigns and databases are."""
        return shelves.shelf(known, recent)

    def remember(self, memory: Memory) -> None:
        """In the state folder."""
        keep(memory_path(), memory)

    def load_draft(self, path: Path) -> Draft:
        """Read a campaign file with pydantic, and what earlier databases or its plugins tell of times."""
        from hpcvirt.tui.drafting import load_draft

        return load_draft(path)

    def databases(self, campaign: Path) -> list[Path]:
        """Look where runs go."""
        from hpcvirt.tui import launch

        return launch.databases(campaign)

    def check(self, draft: Draft, pick: Pick) -> tuple[Finding, ...]:
        """Look at all nodes side by side."""
        from hpcvirt.core.engine.check import check_campaign
        from hpcvirt.tui import launch
        from hpcvirt.tui.drafting import choice_of

        file, _ = launch.chosen(draft.path, choice_of(draft, pick))
        return check_campaign(file.campaign, launch.results_folder(draft.path)).findings

    def start(self, draft: Draft, pick: Pick) -> Path:
        """Launch the runner's process."""
        from hpcvirt.tui import launch
        from hpcvirt.tui.drafting import choice_of

        # The dialog has said what will be rebooted, and was answered with yes: to that, and to nothing else.
        return launch.start(draft.path, choice_of(draft, pick), given=launch.consent(plan=draft.digest(pick)))

    def schedule(self, draft: Draft, pick: Pick) -> tuple[str, ...]:
        """As ``plan`` tells it."""
        from hpcvirt.tui import launch
        from hpcvirt.tui.drafting import choice_of
        from hpcvirt.tui.plan import schedule

        return tuple(schedule(launch.chosen(draft.path, choice_of(draft, pick))[0].campaign))

    def save_campaign(self, draft: Draft, pick: Pick, target: Path, *, over: bool) -> bool:
        """Whole or not at all."""
        from hpcvirt.core.config import campaign_text, read_campaign
        from hpcvirt.tui.drafting import choice_of

        if target.exists() and not over:
            return False
        remark = f"From {draft.path.name}, as it was picked on the screen."
        self.save_text(campaign_text(read_campaign(draft.path).text, choice_of(draft, pick), remark=remark), target)
        return True

    def resume(self, snapshot: Snapshot) -> None:
        """Launch the runner's process on a database that is there."""
        from hpcvirt.core.config import Choice
        from hpcvirt.tui import launch

        launch.start(snapshot.path, Choice())

    def fingerprint(self, database: Path) -> object:
        """Two stat calls."""
        from hpcvirt.core.store import queries

        return queries.fingerprint(database)

    def read_snapshot(self, database: Path) -> Snapshot:
        """One read-only transaction. The last reader is kept: it has counted what will not change."""
        from hpcvirt.core.store.queries import SnapshotReader

        reader = self._watched
        if reader is None or reader.path != database:
            reader = self._watched = SnapshotReader(database)
        return reader.read()

    def pulse(self, database: Path) -> object:
        """One short query."""
        from hpcvirt.core.store import queries

        return queries.read_pulse(database)

    def telemetry(self, database: Path) -> Mapping[str, tuple[Sample, ...]]:
        """A row or two of each node."""
        from hpcvirt.core.store import queries

        return queries.read_telemetry(database)

    def write_wish(self, database: Path, kind: str) -> None:
        """One row in the control table, in the name of this process."""
        from hpcvirt.core.process import this_process
        from hpcvirt.core.store import queries

        who = this_process()
        queries.write_wish(database, kind, f"screen on {who.host}, pid {who.pid}")

    def compare(self, database: Path, method: str = "", *, as_if_final: bool = False) -> ResultTable:
        """In the other process."""
        from hpcvirt.core.stats import Method, Wanted

        wanted = Wanted(method=Method(method) if method else None)
        look = _look("screen: Results") if as_if_final else None
        table: ResultTable = self._calculator.ask("hpcvirt.core.analysis:compare_database", database, wanted, look)
        return table

    def cell(self, database: Path, row: Comparison) -> tuple[CellDetail, Charts]:
        """One query for the values and one for the attempts."""
        import hpcvirt.tui.plots.drawing  # noqa: F401 - so that the first plot does not wait for it
        from hpcvirt.core.charts import charts_of_cell
        from hpcvirt.core.store.cells import read_cell

        cell = read_cell(database, row.benchmark, row.metric, (row.baseline, row.kernel))
        return cell, charts_of_cell(cell)

    def table_text(self, rows: Sequence[Comparison], form: str, notes: Sequence[str]) -> str:
        """As ``analyze --format`` does it."""
        from hpcvirt.core.stats.report import to_csv, to_markdown

        return to_csv(rows) if form == "csv" else to_markdown(rows, notes)

    def save_text(self, text: str, target: Path) -> None:
        """Write it."""
        from hpcvirt.core.export import whole_file

        with whole_file(target) as file:
            file.write(text)

    def attempts(self, database: Path, words: str, offset: int) -> AttemptPage:
        """Searched by SQLite."""
        from hpcvirt.core.store.attempts import read_attempts

        return read_attempts(database, words, offset)

    def attempt(self, database: Path, attempt: str) -> tuple[AttemptDetail, str]:
        """Whether its node was disturbed is asked of all attempts: what is usual is not known of one."""
        from hpcvirt.core.disturbance import disturbances
        from hpcvirt.core.store.attempts import read_attempt

        words = (found.words for found in disturbances(database) if found.attempt.id == attempt)
        return read_attempt(database, attempt), next(words, "")

    def output(self, database: Path, attempt: str, stream: str, page: int) -> OutputPage:
        """The last reader is kept: it knows its way."""
        from hpcvirt.core.store.output import OutputReader

        reader = self._reader
        if reader is None or reader.key != (database, attempt, stream):
            reader = self._reader = OutputReader(database, attempt, stream)
        return reader.page(page)

    def wish_run(self, database: Path, kind: str, run: int) -> str:
        """As the command line does it."""
        from hpcvirt.tui.steer import wish_runs

        return wish_runs(database, kind, [run])

    def charts(self, database: Path, *, as_if_final: bool = False) -> Charts:
        """In the other process; plotext is imported here."""
        import hpcvirt.tui.plots.drawing  # noqa: F401 - so that the first plot does not wait for it

        look = _look("screen: Plots") if as_if_final else None
        charts: Charts = self._calculator.ask("hpcvirt.core.charting:read_charts", database, None, look)
        return charts

    def save_plot(self, picture: Picture, stem: Path) -> tuple[Path, ...]:
        """Three files of one name."""
        from hpcvirt.tui.plots.saving import save

        return save(picture, stem)

    def export(self, database: Path, target: Path) -> int:
        """Write the CSV file."""
        from hpcvirt.core.export import write_measurements_csv

        return write_measurements_csv(database, target)


def _look(view: str) -> LookRequest:
    from hpcvirt.core.interim import LookRequest
    from hpcvirt.core.process import operator

    return LookRequest(operator(), view)
