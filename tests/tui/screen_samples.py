"""Sample data for the screen: a campaign at any moment, and a backend that touches no file."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from hpcvirt.core.charts import Charts, Spot, charts_of_cell
from hpcvirt.core.errors import HpcvirtError
from hpcvirt.core.model import Better, Telemetry, Value
from hpcvirt.core.preflight import Finding
from hpcvirt.core.process import ProcessIdentity, this_process
from hpcvirt.core.stats import Comparison, Unit
from hpcvirt.core.stats.model import Estimate
from hpcvirt.core.store.attempts import PAGE_ROWS, AttemptDetail, AttemptPage, AttemptRow
from hpcvirt.core.store.cells import CellDetail, CellValue
from hpcvirt.core.store.output import PAGE_BYTES, OutputPage
from hpcvirt.core.store.records import (
    BenchmarkRecord,
    CampaignRecord,
    Cell,
    Event,
    MetricRecord,
    NodeCard,
    RunnerRecord,
    Snapshot,
)
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.core.store.samples import Sample
from hpcvirt.core.store.telemetry import Around
from hpcvirt.tui.draft import Draft, DraftBenchmark, DraftKernel, DraftParameter, Forecast, Pick
from hpcvirt.tui.memory import Memory
from hpcvirt.tui.plots.model import Picture
from hpcvirt.tui.shelf import Entry

DATABASE = Path("/data/local-lab-20250101T120000Z.db")
CAMPAIGN = Path("/campaigns/local-lab.toml")
STREAM = "stream array_size=2000000 ntimes=10 threads=1"
PAPER = tuple(f"npb class=C problem={problem}" for problem in ("mg", "lu", "is", "ep", "cg"))
KERNELS = ("native", "native-again")
PAPER_KERNELS = ("chaos", "rhel4-2.6.9", "rhel4-2.6.12", "xen-3.0.1")
ELSEWHERE = ProcessIdentity("login2.example.org", "other-boot", 4711, 1)

HOSTILE = (
    "[/]",
    "[red]blood[/red]",
    "\x1b]52;c;aGFybQ==\x07clip",
    "\x9b31mc1",
    "\u202egnorw",
    "tab\there\nnewline",
    "x" * 1_000_000,
)


def ago(seconds: float) -> str:
    """A moment as it stands in the database."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make_card(name: str = "node1", **changes: object) -> NodeCard:
    card = NodeCard(
        name=name,
        state="running",
        detail=STREAM,
        since=ago(12),
        kernel="native-again",
        is_proved=True,
        release="6.8.0-45-generic",
        boot=3,
        boots=20,
        block=2,
        benchmark=STREAM,
        run=7,
        runs=50,
        ok=37,
        planned=100,
        last_metric="triad",
        last_value=12345.67,
        mean_value=12307.1,
        unit="MB/s",
    )
    return replace(card, **changes)  # type: ignore[arg-type]


def make_samples(count: int = 40, *, age_s: float = 1.0, seed: int = 1, **changes: object) -> tuple[Sample, ...]:
    """A node at work, sampled every two seconds; the newest is ``age_s`` old."""
    drawn = random.Random(seed)
    last = round(1000 * (time.time() - age_s))
    return tuple(
        replace(
            Sample(
                last - 2000 * (count - 1 - place), 2.0, 4, 0.4 + drawn.random() / 2, 0.02 + drawn.random() / 20,
                0.01, 0.0, 2.0 + drawn.random(), 24105, 1900 + drawn.randrange(200), 0, drawn.randrange(900),
                drawn.randrange(90), drawn.randrange(50), drawn.randrange(4000), drawn.random() / 10,
                logins=0, monitor_s=0.001, sshd_s=0.001,
            ),
            **changes,  # type: ignore[arg-type]
        )
        for place in range(count)
    )  # fmt: skip


def make_events(count: int = 12) -> tuple[Event, ...]:
    told = [
        ("info", None, "embedded lab started (pid 4242)"),
        ("info", None, "400 runs planned in 80 boots, 0 done"),
        ("warning", "node2", "stream run 3 under native: failed: the result is not valid"),
        ("error", "node4", "set aside: node4 was lost 3 times in a row. look at its console, then `run` again"),
        ("info", None, "pause: as the operator wished"),
        ("info", None, "resume: as the operator wished"),
    ]
    return tuple(
        Event(number, ago(10 * (count - number)), level, node, message)
        for number, (level, node, message) in enumerate((told[n % len(told)] for n in range(count)), 1)
    )


def make_benchmarks(labels: Sequence[str] = (STREAM,)) -> tuple[BenchmarkRecord, ...]:
    metrics = tuple(MetricRecord(name, "MB/s", Better.HIGHER, True) for name in ("copy", "scale", "add", "triad"))
    return tuple(BenchmarkRecord(n, label, label.split()[0], {}, metrics) for n, label in enumerate(labels, 1))


def make_snapshot(
    state: RunnerState = RunnerState.RUNNING,
    *,
    ok: int = 148,
    planned: int = 400,
    given_up: int = 0,
    statuses: dict[str, int] | None = None,
    eta_s: float | None = 72.0,
    kernels: Sequence[str] = KERNELS,
    benchmarks: Sequence[str] = (STREAM,),
    nodes: Sequence[NodeCard] | None = None,
    events: Sequence[Event] | None = None,
    spoilt: int = 0,
    process: ProcessIdentity | None = None,
    path: Path = DATABASE,
    telemetry: Mapping[str, tuple[Sample, ...]] | None = None,
    settings: Telemetry | None = None,
) -> Snapshot:
    """A campaign in the middle of its life, unless told otherwise."""
    each = ok // (len(kernels) * len(benchmarks))
    cells = tuple(
        Cell(kernel, label, planned // (len(kernels) * len(benchmarks)), each, given_up, spoilt)
        for label in benchmarks
        for kernel in kernels
    )
    cards = tuple(nodes) if nodes is not None else tuple(make_card(f"node{n}") for n in range(1, 5))
    if process is None and state is not RunnerState.NOT_STARTED:
        process = this_process()
    return Snapshot(
        path=path,
        campaign=CampaignRecord(
            name="local-lab",
            title="STREAM on the embedded lab, one kernel under two names",
            source=str(CAMPAIGN),
            plan_sha256="0" * 64,
            design="randomized-blocks",
            runs=50,
            blocks=10,
            seed=2006,
            replication_unit="node-block",
            baseline=kernels[0],
            alpha=0.05,
            delta=0.02,
            method=None,
            correction="holm",
            created_at=ago(600),
            kernels=tuple(kernels),
            nodes=tuple(card.name for card in cards),
            contrasts=(),
            same_kernels=(tuple(kernels[:2]),) if len(kernels) == 2 else (),
            is_rebooted=False,
            telemetry=settings or Telemetry(),
        ),
        benchmarks=make_benchmarks(benchmarks),
        runner=RunnerRecord(state, process, ago(300), None),
        nodes=cards,
        cells=cells,
        events=make_events() if events is None else tuple(events),
        planned=planned,
        ok=ok,
        given_up=given_up,
        statuses=statuses or {"ok": ok},
        eta_s=eta_s,
        telemetry=telemetry or {},
    )


def finished(**changes: object) -> Snapshot:
    cards = [make_card(f"node{n}", state="done", detail="", boot=20, block=10, run=50, ok=100) for n in range(1, 5)]
    told: dict[str, object] = {"ok": 400, "eta_s": 0.0, "nodes": cards}
    return make_snapshot(RunnerState.FINISHED, **(told | changes))  # type: ignore[arg-type]


PARAMETERS = (
    DraftParameter("array_size", 2_000_000, 50_000_000, "elements of each array", 1000, 1e9),
    DraftParameter("ntimes", 10, 10, "passes", 2),
    DraftParameter("program", "", "", "a STREAM of your own [/]"),
    DraftParameter("threads", 1, 1, "OpenMP threads"),
)


def sample_check(values: Mapping[str, Value]) -> list[str]:
    """As a plugin checks: types, a limit, and something that is about two parameters."""
    faults = [f"{name}: {value!r} is not of type int" for name, value in values.items()
              if name != "program" and not isinstance(value, int)]  # fmt: skip
    if not faults and int(values["array_size"]) < 1000:
        faults.append(f"array_size: {values['array_size']} is below 1000")
    if not faults and values["threads"] == 3:
        faults.append("three threads never: [/]")
    return faults


def make_draft(**changes: object) -> Draft:
    draft = Draft(
        path=CAMPAIGN,
        name="local-lab",
        title="STREAM on the embedded lab, one kernel under two names",
        is_lab=True,
        is_sequential=False,
        nodes=("node1", "node2", "node3", "node4"),
        kernels=(DraftKernel("native", "none", ""), DraftKernel("native-again", "none", "")),
        benchmarks=(DraftBenchmark(STREAM, "STREAM", 0.3, plugin="stream", parameters=PARAMETERS, check=sample_check),),
        baseline="native",
        runs=50,
        blocks=10,
        seed=2006,
        at_once=1,
        alpha=0.05,
        delta=0.02,
    )
    told = replace(draft, **changes)  # type: ignore[arg-type]
    return told if "forecast" in changes else replace(told, forecast=partial(make_forecast, told))


def make_forecast(draft: Draft, pick: Pick) -> Forecast:
    """Of one phase on each node alone, without settling; it says nothing of what can be found."""
    visits, runs = len(draft.nodes) * (pick.blocks or 0), len(draft.nodes) * len(pick.kernels) * (pick.runs or 0)
    takes = sum(one.estimate_s for one in draft.benchmarks if one.label in pick.benchmarks)
    return Forecast(
        boots=visits * len(pick.kernels),
        reboots=visits * sum(kernel.reboots for kernel in draft.kernels if kernel.name in pick.kernels),
        runs=runs * len(pick.benchmarks),
        warmups=0,
        phases=1,
        seconds=runs * takes / (1 if draft.at_once else len(draft.nodes)),
        are_boots_counted=True,
        detectable=None,
        with_one_block_more=None,
        seconds_of_one_block_more=0.0,
        boot_sd=0.01,
        run_sd=0.01,
        is_measured=False,
    )


def paper_draft() -> Draft:
    return make_draft(
        name="llnl-2006",
        title="CHAOS, RHEL4 and a Xen guest, as in the paper",
        is_lab=False,
        at_once=None,
        kernels=tuple(DraftKernel(name, "grub", "", reboots=True) for name in PAPER_KERNELS),
        benchmarks=tuple(DraftBenchmark(label, label, 600.0) for label in (STREAM, *PAPER)),
        baseline="chaos",
    )


@dataclass(frozen=True, slots=True)
class SampleFlag:
    code: str = "outliers"
    text: str = "3 outliers of native-again by MAD: look at the runs"
    kernel: str | None = None


@dataclass(frozen=True, slots=True)
class SampleComparison:
    benchmark: str = STREAM
    metric: str = "triad"
    unit: str = "MB/s"
    better: str = "higher"
    kernel: str = "native-again"
    baseline: str = "native"
    n: int = 40
    n_baseline: int = 40
    mean: float | None = 12388.2
    mean_baseline: float | None = 12345.67
    difference_pct: float | None = 0.34
    p: float | None = 0.4321
    p_adjusted: float | None = 0.99
    ci_low: float | None = 0.9949
    ci_high: float | None = 1.0123
    ci_low_decision: float | None = 0.9921
    ci_high_decision: float | None = 1.0151
    ci_level_decision: float | None = 0.9875
    verdict: str = "equivalent"
    more: int | None = None
    more_unit: str | None = None
    flags: Sequence[SampleFlag] = ()
    primary: bool = True
    runs: int = 40
    runs_baseline: int = 40
    ratio_of_means: float | None = 1.0031
    method: str = "blocked"
    interim: bool = False


@dataclass(frozen=True, slots=True)
class SampleTable:
    rows: Sequence[SampleComparison]
    footer: Sequence[str] = (
        "method blocked, unit node-block, alpha 0.05, delta 2 %, family of 4 (Holm); intervals are not adjusted",
        "no node was rebooted: boot-to-boot variance was not sampled",
    )


def make_table(count: int = 4) -> SampleTable:
    return SampleTable(
        [
            SampleComparison(metric="copy", difference_pct=0.02, ci_low=0.9965, ci_high=1.0041, p=0.91),
            SampleComparison(
                metric="scale", difference_pct=-3.41, ci_low=0.951, ci_high=0.981, p=2e-7, p_adjusted=8e-7,
                verdict="slower", mean=11924.6, flags=(SampleFlag(),),
            ),
            SampleComparison(
                metric="add", difference_pct=5.02, ci_low=1.031, ci_high=1.069, p=1e-5, p_adjusted=3e-5,
                verdict="faster", mean=12965.4,
            ),
            SampleComparison(verdict="inconclusive", ci_low=0.96, ci_high=1.047, p=0.2, more=12, more_unit="block"),
        ][:count]
    )  # fmt: skip


def paper_table() -> SampleTable:
    verdicts = ("equivalent", "slower", "trivial", "inconclusive", "faster")
    rows = []
    for place, label in enumerate((STREAM, *PAPER)):
        for other, kernel in enumerate(PAPER_KERNELS[1:]):
            change = -0.7 * other * place + 0.2
            rows.append(
                SampleComparison(
                    benchmark=label,
                    metric="triad" if place == 0 else "mops",
                    unit="MB/s" if place == 0 else "Mop/s",
                    kernel=kernel,
                    baseline="chaos",
                    difference_pct=change,
                    ci_low=1 + (change - 0.9 - place / 5) / 100,
                    ci_high=1 + (change + 0.9 + place / 5) / 100,
                    mean_baseline=237.12 * (place + 1),
                    mean=237.12 * (place + 1) * (1 + change / 100),
                    p=0.001 * (1 + place + other) ** 3 % 1,
                    verdict=verdicts[(place + other) % 5],
                )
            )
    return SampleTable(rows)


def make_charts(
    kernels: Sequence[str] = KERNELS,
    metrics: Sequence[str] = ("copy", "triad"),
    label: str = STREAM,
    unit: str = "MB/s",
) -> Charts:
    """One benchmark: forty runs in ten boots under each kernel, each kernel one per cent slower than the one before."""
    drawn = random.Random(3)
    spots, rows = [], []
    for metric in metrics:
        for number, kernel in enumerate(kernels):
            mean = 12000 * (1 - 0.01 * number)
            values = tuple(drawn.gauss(mean, 60) for _ in range(40))
            estimate = Estimate(mean, mean - 25, mean + 25, 10, Unit.BOOT)
            spots.append(Spot(label, metric, unit, kernel, values, tuple(n // 4 for n in range(40)), estimate))
            if number:
                rows.append(
                    SampleComparison(
                        label, metric, unit, kernel=kernel, baseline=kernels[0], difference_pct=-1.0 * number,
                        ci_low=0.996 - 0.01 * number, ci_high=1.004 - 0.01 * number,
                    )
                )  # fmt: skip
    samples = make_samples(30)
    around = Around("a", "node1", kernels[0], label, 7, samples[8].at_ms, samples[20].at_ms, samples)
    return Charts(tuple(kernels), kernels[0], 0.05, 0.02, tuple(spots), tuple(rows), around)  # type: ignore[arg-type]


def make_row(number: int = 1, **changes: object) -> AttemptRow:
    row = AttemptRow(
        f"a{number}", 100 + number, ago(10 * number), f"node{number % 4 + 1}", KERNELS[number % 2], 1, STREAM,
        number, 1, "ok", "", 0, 0.31,
    )  # fmt: skip
    return replace(row, **changes)  # type: ignore[arg-type]


def make_rows(count: int = 8) -> list[AttemptRow]:
    odd = {2: {"status": "failed", "reason": "the result is not valid", "exit_status": 1}, 0: {"status": "under way"}}
    return [make_row(number, **odd.get(number, {})) for number in range(count)]


def make_detail(row: AttemptRow, **changes: object) -> AttemptDetail:
    identity = {"boot_id": "b-1", "release": "6.8.0-45-generic", "hostname": row.node}
    detail = AttemptDetail(
        row, ago(1), 0.4, 0.3, 0.01, "b-1", False, identity, identity, (("triad", 12345.6, "MB/s"),), make_samples(5)
    )
    return replace(detail, **changes)  # type: ignore[arg-type]


def make_cell(kernels: tuple[str, str] = KERNELS, nodes: Sequence[str] = ("node1", "node2")) -> CellDetail:
    """Two blocks of three runs on each node; the second kernel is a tenth slower on the last node."""
    values, attempts = [], []
    for block in (1, 2):
        for node in nodes:
            for kernel in kernels:
                for run in (1, 2, 3):
                    number = len(values)
                    slow = 0.9 if (kernel, node) == (kernels[-1], nodes[-1]) else 1.0
                    value = slow * (1000 + block + run)
                    at = ago(900 - number)
                    values.append(CellValue(kernel, node, block, number // 3, run, f"a{number}", at, value))
                    attempts.append(make_row(number, kernel=kernel, node=node))
    return CellDetail(STREAM, "scale", "MB/s", kernels, tuple(values), tuple(attempts), len(attempts))


@dataclass
class SampleBackend:
    """Answers from what it was given, and remembers what it was asked."""

    draft: Draft | HpcvirtError = field(default_factory=make_draft)
    snapshots: dict[Path, Snapshot | Exception] = field(default_factory=dict)
    table: SampleTable | Exception = field(default_factory=make_table)
    chart: Charts | Exception = field(default_factory=lambda: make_charts())
    rows: Sequence[AttemptRow] | Exception = field(default_factory=lambda: make_rows())
    written: dict[str, bytes] = field(default_factory=lambda: {"stdout": b"Triad: 1.0\n", "stderr": b""})
    run_wishes: list[tuple[str, int]] = field(default_factory=list)
    saved: list[tuple[Picture, Path]] = field(default_factory=list)
    start_fails: HpcvirtError | None = None
    findings: tuple[Finding, ...] | HpcvirtError = ()
    export_fails: HpcvirtError | None = None
    wishes: list[tuple[Path, str]] = field(default_factory=list)
    started: list[tuple[Draft, Pick]] = field(default_factory=list)
    resumed: list[Path] = field(default_factory=list)
    exported: list[tuple[Path, Path]] = field(default_factory=list)
    cells: CellDetail | Exception = field(default_factory=lambda: make_cell())
    texts: list[tuple[str, Path]] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    plan: tuple[str, ...] | HpcvirtError = ("block 1 node1: native -> native-again",)
    there: tuple[Path, ...] = ()
    campaigns: list[tuple[Pick, Path]] = field(default_factory=list)
    shelves: Sequence[tuple[Entry, ...]] = ()
    remembered: list[Memory] = field(default_factory=list)
    compared: int = 0
    looks: int = 0
    reads: int = 0

    def shelf(self, known: Sequence[Entry], recent: Sequence[Path]) -> Iterator[tuple[Entry, ...]]:
        yield from self.shelves

    def remember(self, memory: Memory) -> None:
        self.remembered.append(memory)

    def load_draft(self, path: Path) -> Draft:
        if isinstance(self.draft, HpcvirtError):
            raise self.draft
        return self.draft

    def databases(self, campaign: Path) -> list[Path]:
        return list(self.snapshots)

    def check(self, draft: Draft, pick: Pick) -> tuple[Finding, ...]:
        if isinstance(self.findings, HpcvirtError):
            raise self.findings
        return self.findings

    def schedule(self, draft: Draft, pick: Pick) -> tuple[str, ...]:
        if isinstance(self.plan, HpcvirtError):
            raise self.plan
        return self.plan

    def save_campaign(self, draft: Draft, pick: Pick, target: Path, *, over: bool) -> bool:
        if self.export_fails:
            raise self.export_fails
        if target in self.there and not over:
            return False
        self.campaigns.append((pick, target))
        return True

    def start(self, draft: Draft, pick: Pick) -> Path:
        if self.start_fails:
            raise self.start_fails
        self.started.append((draft, pick))
        self.snapshots[DATABASE] = make_snapshot(ok=0, eta_s=None)
        return DATABASE

    def resume(self, snapshot: Snapshot) -> None:
        if self.start_fails:
            raise self.start_fails
        self.resumed.append(snapshot.path)
        self.snapshots[snapshot.path] = make_snapshot()

    def fingerprint(self, database: Path) -> object:
        return id(self.snapshots.get(database))

    def pulse(self, database: Path) -> object:
        found = self.snapshots.get(database)
        return replace(found, telemetry={}) if isinstance(found, Snapshot) else id(found)

    def telemetry(self, database: Path) -> Mapping[str, tuple[Sample, ...]]:
        found = self.snapshots[database]
        assert isinstance(found, Snapshot)
        return found.telemetry

    def read_snapshot(self, database: Path) -> Snapshot:
        self.reads += 1
        found = self.snapshots.get(database, FileNotFoundError(f"{database}: no such file"))
        if isinstance(found, Exception):
            raise found
        return found

    def write_wish(self, database: Path, kind: str) -> None:
        self.wishes.append((database, kind))

    def cell(self, database: Path, row: Comparison) -> tuple[CellDetail, Charts]:
        if isinstance(self.cells, Exception):
            raise self.cells
        return self.cells, charts_of_cell(self.cells)

    def table_text(self, rows: Sequence[Comparison], form: str, notes: Sequence[str]) -> str:
        return "\n".join([form, *(f"{row.metric} {row.kernel}" for row in rows)])

    def save_text(self, text: str, target: Path) -> None:
        if self.export_fails:
            raise self.export_fails
        self.texts.append((text, target))

    def compare(self, database: Path, method: str = "", *, as_if_final: bool = False) -> SampleTable:
        self.compared += 1
        self.looks += as_if_final
        self.methods.append(method)
        if isinstance(self.table, Exception):
            raise self.table
        return self.table

    def attempts(self, database: Path, words: str, offset: int) -> AttemptPage:
        if isinstance(self.rows, Exception):
            raise self.rows
        found = [
            row for row in self.rows if all(word in f"{row.node} {row.status} {row.reason}" for word in words.split())
        ]
        return AttemptPage(tuple(found[offset : offset + PAGE_ROWS]), len(found), offset)

    def attempt(self, database: Path, attempt: str) -> tuple[AttemptDetail, str]:
        assert not isinstance(self.rows, Exception)
        row = next(row for row in self.rows if row.id == attempt)
        stream = "stderr" if self.written["stderr"] else "stdout"
        last = (stream, self.written[stream][-4096:]) if row.status not in {"ok", "under way"} else ("", b"")
        detail = make_detail(row, command=f"OMP_NUM_THREADS=1 ./stream {row.reason}", last_output=last)
        return detail, "2 users were logged in"

    def output(self, database: Path, attempt: str, stream: str, page: int) -> OutputPage:
        whole = self.written[stream]
        pages = max(1, -(-len(whole) // PAGE_BYTES))
        page = min(max(0, page), pages - 1)
        return OutputPage(whole[page * PAGE_BYTES : (page + 1) * PAGE_BYTES], page, pages, len(whole))

    def wish_run(self, database: Path, kind: str, run: int) -> str:
        if self.start_fails:
            raise self.start_fails
        self.run_wishes.append((kind, run))
        return f"asked the runner to {kind} 1 run"

    def charts(self, database: Path, *, as_if_final: bool = False) -> Charts:
        self.looks += as_if_final
        if isinstance(self.chart, Exception):
            raise self.chart
        return self.chart

    def save_plot(self, picture: Picture, stem: Path) -> tuple[Path, ...]:
        if self.export_fails:
            raise self.export_fails
        self.saved.append((picture, stem))
        return (stem,)

    def close(self) -> None:
        """Nothing works for the screen."""

    def export(self, database: Path, target: Path) -> int:
        if self.export_fails:
            raise self.export_fails
        self.exported.append((database, target))
        return 1600


def watched(snapshot: Snapshot | Exception, **changes: object) -> SampleBackend:
    """A backend with one database."""
    return SampleBackend(snapshots={DATABASE: snapshot}, **changes)  # type: ignore[arg-type]


HERE = socket.gethostname()
