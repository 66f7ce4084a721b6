"""Setup: what to run, and what that means in nodes, boots, runs and time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Label

from hpcvirt.core.model import Value
from hpcvirt.core.preflight import Finding, Level
from hpcvirt.core.store.records import Snapshot
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.tui.draft import (
    Draft,
    DraftBenchmark,
    DraftKernel,
    Outlook,
    Pick,
    availability,
    faults,
    outlook,
    shown_label,
)
from hpcvirt.tui.kernel_styles import kernel_style
from hpcvirt.tui.messages import CheckAsked, SaveFileAsked, ScheduleAsked, StartAsked
from hpcvirt.tui.phrases import brief_duration, count, safe, short_labels
from hpcvirt.tui.screens.dialogs import ConfirmDialog, HelpDialog
from hpcvirt.tui.screens.parameters import ParametersDialog, Values
from hpcvirt.tui.screens.save import SaveDialog
from hpcvirt.tui.signs import BAD, CARE, GOOD, LIVELY, MUTED
from hpcvirt.tui.state import State
from hpcvirt.tui.widgets.checklist import Checklist, Item
from hpcvirt.tui.widgets.lines import EMPTY
from hpcvirt.tui.widgets.number_field import DecimalField, NumberField
from hpcvirt.tui.widgets.pane import Pane
from hpcvirt.tui.widgets.told import Told


class SetupPane(Pane):
    """The checklists and what they come to."""

    DEFAULT_FOCUS = "#kernels"

    def __init__(self) -> None:
        super().__init__(id="setup")
        self._state = State()
        self._shown: Draft | None = None
        self._edits: dict[str, tuple[tuple[str, Value], ...]] = {}
        """Changed parameters by label."""

    def compose(self) -> ComposeResult:
        """Title, form, outlook."""
        yield Told(id="setup-title")
        with Vertical(id="setup-form"):
            with Horizontal(id="setup-lists"):
                yield Checklist("Kernels", id="kernels")
                yield Checklist("Benchmarks", id="benchmarks")
            with Horizontal(id="setup-numbers"):
                yield Label("Runs", markup=False)
                yield NumberField(id="runs")
                yield Label("Blocks", markup=False)
                yield NumberField(id="blocks")
                yield Label("alpha", markup=False)
                yield DecimalField(id="alpha")
                yield Label("delta", markup=False)
                yield DecimalField(id="delta")
        with VerticalScroll(id="setup-below", can_focus=False):
            yield Told(id="setup-outlook")
            yield Told(id="setup-notice")

    def can(self, action: str) -> bool:
        """Whether a key would do something with what is picked."""
        if self._form is None:
            return False
        if action == "edit":
            return self._under_cursor is not None
        busy = {
            "start": self._state.is_starting,
            "check": self._state.is_checking,
            "schedule": False,
            "save_file": False,
        }
        return not busy.get(action, True) and not faults(self._form, self.pick)

    def perform(self, action: str) -> None:
        """Hand the pick on; the app asks once before anything happens."""
        if self._form is None or not self.can(action):
            return
        if action == "edit":
            self._edit()
        elif action == "save_file":
            self._ask_name(self._form, self.pick)
        else:
            asked = {"start": StartAsked, "check": CheckAsked, "schedule": ScheduleAsked}[action]
            self.post_message(asked(self._form, self.pick))

    @property
    def _under_cursor(self) -> DraftBenchmark | None:
        """The benchmark whose parameters would be edited."""
        form, item = self._form, self.query_one("#benchmarks", Checklist).item
        found = (one for one in (form.benchmarks if form else ()) if item is not None and one.label == item.name)
        return next((one for one in found if one.parameters), None)

    def _edit(self) -> None:
        benchmark = self._under_cursor
        if benchmark is None:
            return
        before = {one.name: one.value for one in benchmark.parameters}
        now = before | dict(self._edits.get(benchmark.label, ()))

        def answered(values: Values | None) -> None:
            if values is None:
                return
            edits = tuple((name, value) for name, value in values.items() if value != before[name])
            self._edits = {label: told for label, told in self._edits.items() if label != benchmark.label}
            if edits:
                self._edits[benchmark.label] = edits
            self._picked()

        dialog = ParametersDialog(benchmark.plugin, benchmark.parameters, now, benchmark.check)
        self.app.push_screen(dialog, answered)

    def _ask_name(self, form: Draft, pick: Pick) -> None:
        def answered(name: str | None) -> None:
            if name is not None:
                self.post_message(SaveFileAsked(form, pick, name))

        name = f"{safe(form.name, 60)}.toml"
        self.app.push_screen(SaveDialog("Save as a campaign file", name, safe(str(Path.cwd()), 300)), answered)

    @property
    def _form(self) -> Draft | None:
        state = self._state
        return None if state.faults or frozen(state) else state.draft

    @property
    def pick(self) -> Pick:
        """What is picked now."""
        return Pick(
            kernels=self.query_one("#kernels", Checklist).picked,
            benchmarks=self.query_one("#benchmarks", Checklist).picked,
            runs=self.query_one("#runs", NumberField).number,
            blocks=self.query_one("#blocks", NumberField).number,
            alpha=self.query_one("#alpha", DecimalField).fraction,
            delta=self.query_one("#delta", DecimalField).fraction,
            parameters=tuple(self._edits.items()),
        )

    def show(self, state: State) -> None:
        """Draw this state."""
        self._state = state
        form = self._form
        self.query_one("#setup-form").display = form is not None
        if form is not None and form is not self._shown:
            self._fill(form)
            self._shown = form
        elif form is not None:
            self._tell_lists()
        if form is None and self.has_focus_within:
            self.screen.set_focus(None)
        self._retell()

    @on(Checklist.Changed)
    @on(Input.Changed)
    def _picked(self) -> None:
        self._tell_lists()
        self._retell()
        self.screen.refresh_bindings()

    def _fill(self, draft: Draft) -> None:
        self._edits = {}
        kernels, benchmarks = self._items(draft)
        self.query_one("#kernels", Checklist).fill(kernels)
        self.query_one("#benchmarks", Checklist).fill(benchmarks)
        told = {"runs": draft.runs, "blocks": draft.blocks, "alpha": draft.alpha, "delta": draft.delta}
        with self.prevent(Input.Changed):
            for name, value in told.items():
                self.query_one(f"#{name}", NumberField).value = f"{value}"
        self.query_one("#blocks", NumberField).disabled = draft.is_sequential

    def _tell_lists(self) -> None:
        if self._form is not None:
            kernels, benchmarks = self._items(self._form)
            self.query_one("#kernels", Checklist).tell(kernels)
            self.query_one("#benchmarks", Checklist).tell(benchmarks)

    def _items(self, draft: Draft) -> tuple[list[Item], list[Item]]:
        """What the lists say: with parameters as edited, and where each could run, if that was looked at."""
        found = availability(draft, self._state.findings) if self._state.findings else {}
        edited = Pick((), (), None, None, parameters=tuple(self._edits.items()))
        labels = {one.label: shown_label(one, edited) for one in draft.benchmarks}
        short = short_labels(list(labels.values()))
        kernels = [_kernel_item(draft, kernel, found.get(kernel.name, "")) for kernel in draft.kernels]
        benchmarks = [
            Item(one.label, _estimate(one, labels[one.label], found.get(one.label, "")), shown=short[labels[one.label]])
            for one in draft.benchmarks
        ]
        return kernels, benchmarks

    def _retell(self) -> None:
        state, form = self._state, self._form
        self.query_one("#setup-title", Told).tell(_title(state), indent=0)
        told = self.query_one("#setup-outlook", Told)
        if state.faults:
            told.tell(_fault_lines(state.faults), title="Faults", indent=3)
        elif (campaign := frozen(state)) is not None:
            told.tell(frozen_lines(campaign), title="Frozen when it started", indent=16)
        elif form is not None:
            lines = [_outlook_line(line) for line in outlook(form, self.pick)]
            told.tell(lines, title="What will happen", indent=16)
        else:
            told.tell([])
        self.query_one("#setup-notice", Told).tell(_notice(state, self.can("start")), indent=3)


def _kernel_item(draft: Draft, kernel: DraftKernel, where: str) -> Item:
    is_baseline = kernel.name == draft.baseline
    told = ["baseline"] if is_baseline else [] if kernel.boot == "none" else [f"boots by {kernel.boot}"]
    style = kernel_style(kernel.name, [each.name for each in draft.kernels])
    return Item(kernel.name, " · ".join([*told, *([where] if where else [])]), is_fixed=is_baseline, style=style)


def _estimate(benchmark: DraftBenchmark, label: str, where: str) -> str:
    """Where it could run, what one run takes, and the parameters, as far as there is room."""
    is_edited = label != benchmark.label
    guessed = "" if benchmark.is_measured and not is_edited else "~"
    takes = f"{guessed}{brief_duration(benchmark.estimate_s)}" if benchmark.estimate_s >= 1 else "<1 s"
    parts = [where, "edited" if is_edited else f"{takes} a run", label.partition(" ")[2]]
    return " · ".join(part for part in parts if part)


def _title(state: State) -> list[tuple[Content, Content]]:
    campaign = frozen(state)
    if campaign is not None:
        name, title = campaign.campaign.name, campaign.campaign.title
    elif state.draft is not None:
        name, title = state.draft.name, state.draft.title
    else:
        return []
    return [(EMPTY, Content.assemble((safe(name, 64), "bold"), (f"  {safe(title, 160)}", MUTED)))]


def _fault_lines(found: Sequence[str]) -> list[tuple[Content, Content]]:
    return [(Content.styled("✗", f"bold {BAD}"), Content(safe(fault))) for fault in found]


def _outlook_line(line: Outlook) -> tuple[Content, Content]:
    style = BAD if line.is_fault else "bold"
    head = f"✗ {line.what}" if line.is_fault else line.what
    return Content.styled(head, style), Content.styled(safe(line.how), BAD if line.is_fault else "")


def frozen(state: State) -> Snapshot | None:
    """The campaign of the attached database, unless it is done and the file could start another one."""
    if state.snapshot is None or (state.draft is not None and state.snapshot.is_finished):
        return None
    return state.snapshot


def frozen_lines(snapshot: Snapshot) -> list[tuple[Content, Content]]:
    """The campaign of a database in words."""
    campaign = snapshot.campaign
    kernels = ", ".join(f"{k} (baseline)" if k == campaign.baseline else k for k in campaign.kernels)
    kernels += "".join(f"; {one} and {other} are the same: a control" for one, other in campaign.same_kernels)
    unit = f"the unit of replication is the {campaign.replication_unit}"
    told = {
        count(len(campaign.nodes), "node"): ", ".join(campaign.nodes),
        count(len(campaign.kernels), "kernel"): kernels,
        count(len(snapshot.benchmarks), "benchmark"): "; ".join(b.label for b in snapshot.benchmarks),
        count(snapshot.planned, "run"): f"{campaign.runs} per kernel, benchmark and node",
        count(campaign.blocks, "block"): f"{campaign.design}, seed {campaign.seed}; {unit}",
        **{
            f"+ {count(one.blocks, 'block')}": f"added {one.at} by {one.origin}"
            for one in snapshot.amendments
            if one.blocks
        },
        "verdict": f"alpha {campaign.alpha:g}; within ±{campaign.delta * 100:g} % is equivalent",
        "campaign file": campaign.source,
        "database": str(snapshot.path),
    }
    return [(Content.styled(head, "bold"), Content(safe(text))) for head, text in told.items()]


def _notice(state: State, can_start: bool) -> list[tuple[Content, Content]]:
    """What can be done now."""
    lines = [(Content.styled("!", f"bold {CARE}"), Content(safe(state.notice)))] if state.notice else []
    if state.is_checking:
        lines.append((Content.styled("◌", LIVELY), Content("Looking at the nodes …")))
    if state.is_starting:
        lines.append((Content.styled("◌", LIVELY), Content("Starting the runner …")))
    elif state.faults:
        lines.append((EMPTY, Content.styled("Mend the file and open it again.", MUTED)))
    elif (campaign := frozen(state)) is not None:
        lines.append((EMPTY, Content.styled(_frozen_words(campaign), MUTED)))
    elif state.draft is None:
        words = "Reading …" if state.campaign_path or state.database else "No campaign file is open."
        lines.append((Content.styled("◌", LIVELY), Content.styled(words, MUTED)))
    elif can_start:
        how = "starts it (asks once) · c checks the nodes · space picks and unpicks · e edits parameters · w saves"
        lines.append((Content.styled("s", "bold $primary"), Content.styled(how, MUTED)))
    return lines


def _frozen_words(snapshot: Snapshot) -> str:
    if snapshot.runner.state is RunnerState.FINISHED:
        return "It is finished. To run it again: hpcvirt-tui with the campaign file."
    return "It has started, so nothing of it can be changed any more; 2 shows how far it is."


def check_dialog(name: str, findings: Sequence[Finding]) -> HelpDialog:
    """Every finding, what mends it below, the faults first."""
    order = [Level.FAILURE, Level.WARNING, Level.PASS]
    lines: list[Content] = []
    for finding in sorted(findings, key=lambda one: order.index(one.level)):
        where = "" if finding.message.startswith(finding.where) else f"{finding.where}: "
        mark, style = FINDINGS[finding.level]
        told = safe(where + finding.message)
        lines.append(Content.assemble((f"{mark} {finding.level:8}", f"bold {style}"), told))
        if finding.remedy:
            lines.append(Content.assemble(("           -> ", MUTED), safe(finding.remedy)))
    is_usable = not any(finding.level is Level.FAILURE for finding in findings)
    end = "It could begin. Nothing was changed." if is_usable else "It could not begin. Nothing was changed."
    return HelpDialog(f"Check of {safe(name, 64)}", Content("\n").join([*lines, Content(""), Content(end)]))


FINDINGS = {Level.FAILURE: ("✗", BAD), Level.WARNING: ("!", CARE), Level.PASS: ("✓", GOOD)}


def _labels(draft: Draft, pick: Pick) -> list[str]:
    return [shown_label(one, pick) for one in draft.benchmarks if one.label in pick.benchmarks]


def schedule_dialog(name: str, lines: Sequence[str]) -> HelpDialog:
    """The order of kernels, block by block."""
    return HelpDialog(f"Schedule of {safe(name, 64)}", Content("\n").join([Content(safe(line)) for line in lines]))


def start_dialog(draft: Draft, pick: Pick) -> ConfirmDialog:
    """Says once more what will happen, and asks."""
    told = [Outlook("kernels", ", ".join(pick.kernels)), Outlook("benchmarks", "; ".join(_labels(draft, pick)))]
    told += outlook(draft, pick, 60)
    return ConfirmDialog(
        f"Start {safe(draft.name)}?", [_outlook_line(line) for line in told], yes="start", no="not yet"
    )
