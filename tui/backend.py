"""All that the screen asks of the rest of the program: one object, which tests replace.

Every method may block for seconds: it is called in threads only. What is heavy is imported inside,
so that the first paint waits for none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hpcvirt.core.errors import HpcvirtError
from hpcvirt.core.model import Campaign
from hpcvirt.core.preflight import Finding
from hpcvirt.core.store.records import Snapshot
from hpcvirt.core.store.samples import Sample
from hpcvirt.tui.comparison import ResultTable
from hpcvirt.tui.draft import Draft, DraftBenchmark, DraftKernel, Forecast, Pick, changed

if TYPE_CHECKING:
    from hpcvirt.core.experience import Experience

if TYPE_CHECKING:
    from hpcvirt.core.charts import Charts
    from hpcvirt.core.store.attempts import AttemptDetail, AttemptPage
    from hpcvirt.core.store.output import OutputPage, OutputReader
    from hpcvirt.core.store.queries import SnapshotReader
    from hpcvirt.tui.plots.model import Picture


class Backend(Protocol):
    """What the screen needs. Every method raises HpcvirtError where something is not as it should be."""

    def load_draft(self, path: Path) -> Draft:
        """A campaign file. Raises CampaignInvalid with all faults."""

    def databases(self, campaign: Path) -> list[Path]:
        """Databases of a campaign file, the newest first."""

    def check(self, draft: Draft, pick: Pick) -> tuple[Finding, ...]:
        """What stands in the way of this pick, on the nodes and here; nothing is changed."""

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

    def compare(self, database: Path) -> ResultTable:
        """The comparisons as they stand now."""

    def attempts(self, database: Path, words: str, offset: int) -> AttemptPage:
        """Attempts in which every word occurs, the newest first."""

    def attempt(self, database: Path, attempt: str) -> tuple[AttemptDetail, str]:
        """One attempt, and what disturbed its node."""

    def output(self, database: Path, attempt: str, stream: str, page: int) -> OutputPage:
        """A page of what an attempt wrote."""

    def wish_run(self, database: Path, kind: str, run: int) -> str:
        """Skip or requeue a run; what to tell the operator."""

    def charts(self, database: Path) -> Charts:
        """What plots show, as it stands now."""

    def save_plot(self, picture: Picture, stem: Path) -> tuple[Path, ...]:
        """Write a plot as SVG, text and CSV beside the database; the files."""

    def export(self, database: Path, target: Path) -> int:
        """Write measurements.csv; the number of rows."""


def _forecast(campaign: Campaign, known: Experience, pick: Pick) -> Forecast | None:
    """What a pick could show; the statistics were imported when the draft was loaded, so this takes milliseconds."""
    from hpcvirt.core.config import Choice, choose
    from hpcvirt.core.confounds import confounds
    from hpcvirt.core.plan import phases
    from hpcvirt.core.prospect import has_one_block, prospect

    try:
        picked = choose(campaign, Choice(pick.kernels, pick.benchmarks, pick.runs, pick.blocks))
        told = prospect(picked, known=known)
    except HpcvirtError:
        return None
    return Forecast(
        boots=told.boots,
        reboots=told.reboots,
        runs=told.runs,
        warmups=told.warmups,
        phases=len(phases(picked)),
        seconds=told.seconds,
        are_boots_counted=told.are_boots_counted,
        detectable=told.detectable,
        with_one_block_more=told.detectable_with_one_block_more,
        seconds_of_one_block_more=told.seconds_of_one_block_more,
        boot_sd=told.spread.boot,
        run_sd=told.spread.run,
        is_measured=known.spread is not None,
        warnings=(
            *(
                ["one boot per kernel: what the boot did and what the kernel does cannot be told apart"]
                if has_one_block(picked) and told.family
                else []
            ),
            *(
                f"{one.kernel} and {one.versus} differ in {one.what} too: {one.value}, {one.other}"
                for one in confounds(picked, known.setups)
            ),
            *(
                "nodes move together, for a benchmark of all of them: `phases` would let the others find "
                f"{100 * one.apart:.2g} %"
                for one in told.powers
                if one.apart is not None
            ),
        ),
    )


class LocalBackend:
    """The real one: files and processes of this machine."""

    def __init__(self) -> None:
        self._reader: OutputReader | None = None
        self._watched: SnapshotReader | None = None

    def load_draft(self, path: Path) -> Draft:
        """Read a campaign file with pydantic, and what earlier databases or its plugins tell of times."""
        # In this thread, so that the first pick does not wait for scipy.
        from hpcvirt.core import benchmark as plugins
        from hpcvirt.core import boot_method as methods
        from hpcvirt.core.config import Choice
        from hpcvirt.core.experience import learn
        from hpcvirt.core.model import Order, Scope
        from hpcvirt.core.prospect import run_seconds
        from hpcvirt.tui import launch

        file, left_out = launch.chosen(path, Choice())
        campaign = file.campaign
        known = learn(launch.experienced(path), campaign)
        benchmarks = [
            DraftBenchmark(
                use.label,
                plugins.load(use.plugin).title,
                run_seconds(use, known),
                is_measured=use.label in known.run_s,
                is_wide=use.scope is Scope.CLUSTER,
            )
            for use in campaign.benchmarks
        ]
        return Draft(
            path=path,
            name=campaign.name,
            title=campaign.title,
            is_lab=campaign.lab,
            is_sequential=campaign.design.order is Order.SEQUENTIAL,
            nodes=tuple(node.name for node in campaign.nodes),
            kernels=tuple(
                DraftKernel(k.name, k.boot, " ".join(k.wrap), methods.load(k.boot).reboots) for k in campaign.kernels
            ),
            benchmarks=tuple(benchmarks),
            baseline=campaign.analysis.baseline,
            runs=campaign.design.runs,
            blocks=campaign.design.blocks,
            seed=campaign.design.seed,
            at_once=campaign.design.at_once,
            alpha=campaign.analysis.alpha,
            delta=campaign.analysis.delta,
            left_out=tuple(left_out),
            forecast=partial(_forecast, campaign, known),
        )

    def databases(self, campaign: Path) -> list[Path]:
        """Look where runs go."""
        from hpcvirt.tui import launch

        return launch.databases(campaign)

    def check(self, draft: Draft, pick: Pick) -> tuple[Finding, ...]:
        """Look at all nodes side by side."""
        from hpcvirt.core.config import Choice
        from hpcvirt.core.engine.check import check_campaign
        from hpcvirt.tui import launch

        told = changed(draft, pick)
        file, _ = launch.chosen(draft.path, Choice(told.kernels, told.benchmarks, told.runs, told.blocks))
        return check_campaign(file.campaign, launch.results_folder(draft.path)).findings

    def start(self, draft: Draft, pick: Pick) -> Path:
        """Launch the runner's process."""
        from hpcvirt.core.config import Choice
        from hpcvirt.tui import launch

        told = changed(draft, pick)
        # The dialog has said what will be rebooted, and was answered with yes.
        choice = Choice(told.kernels, told.benchmarks, told.runs, told.blocks)
        return launch.start(draft.path, choice, given=launch.consent())

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

    def compare(self, database: Path) -> ResultTable:
        """Import the statistics (a second, the first time) and use them."""
        from hpcvirt.core.analysis import compare_database

        return compare_database(database)

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

    def charts(self, database: Path) -> Charts:
        """Import the statistics and plotext here, in a thread, and use the former."""
        import hpcvirt.tui.plots.drawing  # noqa: F401 - so that the first plot does not wait for it
        from hpcvirt.core.charts import read_charts

        return read_charts(database)

    def save_plot(self, picture: Picture, stem: Path) -> tuple[Path, ...]:
        """Three files of one name."""
        from hpcvirt.tui.plots.saving import save

        return save(picture, stem)

    def export(self, database: Path, target: Path) -> int:
        """Write the CSV file."""
        from hpcvirt.core.export import write_measurements_csv

        return write_measurements_csv(database, target)
