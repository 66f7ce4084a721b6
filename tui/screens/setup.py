"""Setup: what to run, and what that means in nodes, boots, runs and time."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Label

from hpcvirt.core.store.records import RunnerState, Snapshot
from hpcvirt.tui.draft import Draft, DraftBenchmark, Outlook, Pick, faults, outlook, whole
from hpcvirt.tui.messages import StartAsked
from hpcvirt.tui.phrases import brief_duration, count, safe, short_labels
from hpcvirt.tui.screens.dialogs import ConfirmDialog
from hpcvirt.tui.signs import BAD, CARE, LIVELY, MUTED
from hpcvirt.tui.state import State
from hpcvirt.tui.widgets.checklist import Checklist, Item
from hpcvirt.tui.widgets.lines import EMPTY
from hpcvirt.tui.widgets.number_field import NumberField
from hpcvirt.tui.widgets.pane import Pane
from hpcvirt.tui.widgets.told import Told


class SetupPane(Pane):
    """The checklists and what they come to."""

    DEFAULT_FOCUS = "#kernels"

    def __init__(self) -> None:
        super().__init__(id="setup")
        self._state = State()
        self._shown: Draft | None = None

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
                yield Label("runs per kernel, benchmark and node", markup=False, classes="note")
        with VerticalScroll(id="setup-below", can_focus=False):
            yield Told(id="setup-outlook")
            yield Told(id="setup-notice")

    def can(self, action: str) -> bool:
        """Whether ``s`` would do something."""
        if action != "start" or self._form is None or self._state.is_starting:
            return False
        return not faults(self._form, self.pick)

    def perform(self, action: str) -> None:
        """Hand the pick on; the app asks once before anything happens."""
        if self._form is not None and self.can(action):
            self.post_message(StartAsked(self._form, self.pick))

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
        )

    def show(self, state: State) -> None:
        """Draw this state."""
        self._state = state
        form = self._form
        self.query_one("#setup-form").display = form is not None
        if form is not None and form is not self._shown:
            self._fill(form)
            self._shown = form
        if form is None and self.has_focus_within:
            self.screen.set_focus(None)
        self._retell()

    @on(Checklist.Changed)
    @on(Input.Changed)
    def _picked(self) -> None:
        self._retell()
        self.screen.refresh_bindings()

    def _fill(self, draft: Draft) -> None:
        self.query_one("#kernels", Checklist).fill([_kernel_item(draft, kernel.name) for kernel in draft.kernels])
        short = short_labels([b.label for b in draft.benchmarks])
        items = [Item(b.label, _estimate(b), shown=short[b.label]) for b in draft.benchmarks]
        self.query_one("#benchmarks", Checklist).fill(items)
        pick = whole(draft)
        with self.prevent(Input.Changed):
            self.query_one("#runs", NumberField).value = str(pick.runs)
            self.query_one("#blocks", NumberField).value = str(pick.blocks)
        self.query_one("#blocks", NumberField).disabled = draft.is_sequential

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


def _kernel_item(draft: Draft, name: str) -> Item:
    kernel = next(kernel for kernel in draft.kernels if kernel.name == name)
    if name == draft.baseline:
        return Item(name, "baseline", is_fixed=True)
    return Item(name, "" if kernel.boot == "none" else f"boots by {kernel.boot}")


def _estimate(benchmark: DraftBenchmark) -> str:
    """What one run takes, and the parameters, as far as there is room."""
    takes = f"~{brief_duration(benchmark.estimate_s)}" if benchmark.estimate_s >= 1 else "<1 s"
    return f"{takes} a run · {benchmark.label.partition(' ')[2]}".removesuffix(" · ")


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
        **{f"+ {count(one.blocks, 'block')}": f"added {one.at} by {one.origin}" for one in snapshot.amendments},
        "verdict": f"alpha {campaign.alpha:g}; within ±{campaign.delta * 100:g} % is equivalent",
        "campaign file": campaign.source,
        "database": str(snapshot.path),
    }
    return [(Content.styled(head, "bold"), Content(safe(text))) for head, text in told.items()]


def _notice(state: State, can_start: bool) -> list[tuple[Content, Content]]:
    """What can be done now."""
    lines = [(Content.styled("!", f"bold {CARE}"), Content(safe(state.notice)))] if state.notice else []
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
        how = "starts it (asks once) · space picks and unpicks · tab goes on"
        lines.append((Content.styled("s", "bold $primary"), Content.styled(how, MUTED)))
    return lines


def _frozen_words(snapshot: Snapshot) -> str:
    if snapshot.runner.state is RunnerState.FINISHED:
        return "It is finished. To run it again: hpcvirt-tui with the campaign file."
    return "It has started, so nothing of it can be changed any more; 2 shows how far it is."


def start_dialog(draft: Draft, pick: Pick) -> ConfirmDialog:
    """Says once more what will happen, and asks."""
    told = [Outlook("kernels", ", ".join(pick.kernels)), Outlook("benchmarks", "; ".join(pick.benchmarks))]
    told += outlook(draft, pick, 60)
    return ConfirmDialog(
        f"Start {safe(draft.name)}?", [_outlook_line(line) for line in told], yes="start", no="not yet"
    )
