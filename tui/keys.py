"""The keys: one table, from which bindings, palette, footer and help are made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from textual.binding import Binding
from textual.content import Content

from hpcvirt.tui import signs
from hpcvirt.tui.signs import MUTED


@dataclass(frozen=True, slots=True)
class Key:
    """One thing the operator can do."""

    key: str
    action: str
    label: str
    """In the footer: a word."""
    group: str
    """In palette and help."""
    title: str
    """In the palette, behind the group."""
    tooltip: str
    """A sentence for palette, help and mouse."""
    panes: tuple[str, ...] = ()
    """Those that answer for it; empty: it works everywhere."""
    is_shown: bool = True
    """In the footer; the strip already shows the panes."""

    @property
    def id(self) -> str:
        """By which it can be given another key."""
        return self.action.replace("('", ".").replace("')", "")

    def binding(self) -> Binding:
        """For Textual."""
        return Binding(
            self.key,
            self.action,
            self.label,
            id=self.id,
            tooltip=self.tooltip,
            show=self.is_shown,
            key_display=written(self.key),
        )


SHOWN = {"question_mark": "?", "slash": "/", "left_square_bracket": "[", "right_square_bracket": "]"}


def written(key: str) -> str:
    """A key, or several by comma, as an operator knows it."""
    return " ".join(SHOWN.get(one, one) for one in key.split(","))


def _pane(key: str, name: str, title: str, tooltip: str) -> Key:
    return Key(key, f"pane('{name}')", title, "Pane", title, tooltip, is_shown=False)


_CHOOSER, _SETUP, _RESULTS, _PLOTS, _RUNS = ("chooser",), ("setup",), ("results",), ("plots",), ("runs",)

_PEEK = "Show or hide verdicts before the planned end; asks, and records the look"

KEYS = (
    _pane("0", "chooser", "Open", "Campaign files and databases, and what goes on in them: open another one"),
    _pane("1", "setup", "Setup", "Kernels, benchmarks, runs: what the campaign is"),
    _pane("2", "live", "Live", "Nodes, progress and events as they are now"),
    _pane("3", "results", "Results", "What differs, by how much, and how sure that is"),
    _pane("4", "plots", "Plots", "The same numbers drawn: ratios, means, spread, run order"),
    _pane("6", "runs", "Runs", "Every attempt: how it ended, what it wrote, where it ran"),
    Key("s", "start", "Start", "Setup", "Start", "Start what is picked; asks once", (*_SETUP, *_CHOOSER)),
    Key("c", "check", "Check", "Setup", "Check", "Look at every node and at this machine; changes nothing", _SETUP),
    Key("e", "edit", "Edit", "Setup", "Edit", "Change the parameters of the benchmark under the cursor", _SETUP),
    Key("v", "schedule", "Schedule", "Setup", "Schedule", "In which order kernels are visited, node by node", _SETUP),
    Key("w", "save_file", "Save", "Setup", "Save", "Write what is picked as a campaign file", _SETUP),
    Key("p", "pause", "Pause", "Campaign", "Pause", "Start no new run; those under way end first"),
    Key("p", "resume", "Resume", "Campaign", "Resume", "Go on where it was left"),
    Key("x", "stop", "Stop", "Campaign", "Stop", "Stop after the runs under way; p goes on later"),
    Key("X", "abort", "Abort", "Campaign", "Abort", "End the runs under way now, as aborted; asks"),
    Key("P", "peek", "As if final", "Results", "As if final", _PEEK, (*_RESULTS, *_PLOTS)),
    Key("slash", "filter", "Filter", "Results", "Filter", "Only rows that contain some words", (*_RESULTS, *_RUNS)),
    Key("o", "sort", "Sort", "Results", "Sort", "Order the rows by the next column", _RESULTS),
    Key("O", "reverse", "Reverse", "Results", "Reverse", "Turn the order of the rows round", _RESULTS, False),
    Key("m", "method", "Method", "Results", "Method", "The other test, paper's or blocked, and back", _RESULTS, False),
    Key("b", "contrasts", "Pairs", "Results", "Pairs", "All planned pairs, the baseline's, contrasts", _RESULTS, False),
    Key("y", "copy", "Copy", "Results", "Copy", "Cell, row or table into the clipboard, as CSV or Markdown", _RESULTS),
    Key("w", "write", "Write", "Results", "Write", "The same into a file beside the database", _RESULTS, False),
    Key("R", "requeue", "Requeue", "Runs", "Requeue", "Try the run under the cursor anew, with all retries", _RUNS),
    Key("K", "skip", "Skip", "Runs", "Skip", "Give the run under the cursor up; asks", _RUNS),
    Key("right_square_bracket", "older", "Older", "Runs", "Older", "Older attempts", _RUNS, False),
    Key("left_square_bracket", "newer", "Newer", "Runs", "Newer", "Newer attempts", _RUNS, False),
    Key("v", "next_plot", "View", "Plots", "View", "The next kind of plot", _PLOTS),
    Key("V", "last_plot", "View back", "Plots", "View back", "The kind of plot before", _PLOTS, False),
    Key("m", "next_metric", "Metric", "Plots", "Metric", "The next metrics", _PLOTS),
    Key("c", "choose", "Choose", "Plots", "Choose", "Which kernels and metrics are drawn", _PLOTS),
    Key("w", "save", "Save", "Plots", "Save", "Write the plot as SVG, text and CSV beside the database", _PLOTS),
    Key("e", "export", "Export", "Results", "Export", "Write measurements.csv beside the database"),
    Key("question_mark", "help", "Help", "Screen", "Help", "The keys of this pane, and what its signs mean"),
    Key("q", "leave", "Quit", "Screen", "Quit", "Close the screen; a running campaign goes on without it"),
)

BINDINGS = [key.binding() for key in KEYS]

PANE_ACTIONS = frozenset(key.action for key in KEYS if key.panes)
"""Which the pane in sight answers for."""

IDS = frozenset(key.id for key in KEYS)
"""Of everything that can be given another key."""


def keymap(wanted: Mapping[str, str]) -> dict[str, str]:
    """The keys of all actions, some of them changed.

    All: Textual would take a changed action's old key away from those that share it.
    """
    return {key.id: wanted.get(key.id, key.key) for key in KEYS} if wanted else {}


def clashes(wanted: Mapping[str, str]) -> Iterator[str]:
    """Changed keys that would do two things in one pane, a sentence each."""
    now = {key.id: frozenset(wanted.get(key.id, key.key).split(",")) for key in KEYS}
    for one, other in combinations(KEYS, 2):
        changed = next((key for key in (one, other) if key.id in wanted), None)
        together = not (one.panes and other.panes) or set(one.panes) & set(other.panes)
        # Pause and resume: never both, and Setup's `e` before the export.
        alike = {one.key} & {other.key}
        if changed and together and not alike and now[one.id] & now[other.id]:
            rest = other if changed is one else one
            yield f"{changed.id}: {wanted[changed.id]} is the key of {rest.id}: give that another one, too"


PANES = {
    "chooser": "What can be opened. Enter opens a line, s starts a campaign as it is; what runs goes on meanwhile.",
    "setup": "What the campaign will be. Space picks and unpicks, tab goes on; what it means is told below.",
    "live": "What the nodes do now. Nothing here stops anything but p, x and X.",
    "results": "Each kernel against its baseline. Enter opens a row: spread, order, nodes, flags, output.",
    "plots": "The numbers of Results, drawn.",
    "runs": "Every attempt, newest first. Enter opens one: facts, identity, telemetry and what it wrote.",
}
"""What each pane is for."""


def help_text(pane: str, changed: Mapping[str, str]) -> Content:
    """What the pane is for and its keys, the keys that work everywhere, its signs. ``changed``: keys by id."""
    lines = [Content(PANES.get(pane, "")), Content("")]
    mine = [key for key in KEYS if pane in key.panes]
    if mine:
        lines += [Content.styled("Here", "bold $primary"), *_help_lines(mine, changed), Content("")]
    everywhere = [key for key in KEYS if not key.panes]
    lines += [Content.styled("Everywhere", "bold $primary"), *_help_lines(everywhere, changed)]
    lines.append(_help_line("ctrl+p", "Palette", "Everything that can be done now, by name; themes"))
    lines.append(_help_line("tab", "Next", "The next field; arrows and page keys scroll"))
    return Content("\n").join([*lines, Content(""), *_sign_lines(pane)])


def _help_lines(told: Iterable[Key], changed: Mapping[str, str]) -> list[Content]:
    return [_help_line(written(changed.get(key.id, key.key)), key.title, key.tooltip) for key in told]


def _help_line(key: str, title: str, tooltip: str) -> Content:
    return Content.assemble(("  " + key.ljust(8), "bold"), title.ljust(10), (tooltip, MUTED))


def _sign_lines(pane: str) -> list[Content]:
    told = {"results": _verdicts, "plots": _verdicts, "live": _nodes, "chooser": _runners}.get(pane)
    return told() if told else []


def _runners() -> list[Content]:
    states = [Content.styled(f"{sign.mark} {state}", sign.style) for state, sign in signs.RUNNER.items()]
    return [Content.styled("Databases", "bold $primary"), Content.assemble("  ", Content("  ").join(states))]


def _nodes() -> list[Content]:
    nodes = Content("  ").join(
        [Content.styled(f"{sign.mark} {word}", sign.style) for word, sign in signs.NODE.items() if word != "booting"]
    )
    return [
        Content.styled("Nodes", "bold $primary"),
        Content.assemble("  ", nodes),
        Content(""),
        Content.styled("Progress", "bold $primary"),
        Content.assemble("  ", ("✗2", signs.BAD), " two runs given up, all retries used   ", ("!3", signs.CARE)),
        Content("  … three attempts that were not ok: kept and counted, never in the statistics"),
    ]


def _verdicts() -> list[Content]:
    meanings = {
        "faster": "different by more than delta, in the good direction",
        "slower": "different by more than delta, in the bad direction",
        "trivial": "different, but within delta",
        "equivalent": "within delta, and no difference shown",
        "inconclusive": "neither shown: the data cannot tell",
    }
    lines = [Content.styled("Verdicts", "bold $primary")]
    for verdict, meaning in meanings.items():
        sign = signs.verdict_sign(verdict)
        lines.append(Content.assemble((f"  {sign.mark} {verdict.ljust(14)}", sign.style), (meaning, MUTED)))
    flags = "two flags: what is to be known about a row; Enter explains them"
    return [*lines, Content.assemble((f"  {'!2'.ljust(16)}", signs.CARE), (flags, MUTED))]
