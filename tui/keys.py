"""The keys: one table, from which bindings, palette, footer and help are made."""

from __future__ import annotations

from dataclasses import dataclass

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
    is_shown: bool = True
    """In the footer; the strip already shows the panes."""

    @property
    def id(self) -> str:
        """By which it can be given another key."""
        return self.action.replace("('", ".").replace("')", "")

    @property
    def shown_key(self) -> str:
        """As it is written."""
        return SHOWN.get(self.key, self.key)

    def binding(self) -> Binding:
        """For Textual."""
        return Binding(
            self.key,
            self.action,
            self.label,
            id=self.id,
            tooltip=self.tooltip,
            show=self.is_shown,
            key_display=self.shown_key,
        )


SHOWN = {"question_mark": "?", "slash": "/", "left_square_bracket": "[", "right_square_bracket": "]"}

KEYS = (
    Key("1", "pane('setup')", "Setup", "Pane", "Setup", "Kernels, benchmarks, runs: what the campaign is", False),
    Key("2", "pane('live')", "Live", "Pane", "Live", "Nodes, progress and events as they are now", False),
    Key("3", "pane('results')", "Results", "Pane", "Results", "What differs, by how much, and how sure that is", False),
    Key(
        "4",
        "pane('plots')",
        "Plots",
        "Pane",
        "Plots",
        "The same numbers drawn: ratios, means, spread, run order",
        False,
    ),
    Key("6", "pane('runs')", "Runs", "Pane", "Runs", "Every attempt: how it ended, what it wrote, where it ran", False),
    Key("s", "start", "Start", "Campaign", "Start", "Start what is picked; asks once"),
    Key("c", "check", "Check", "Campaign", "Check", "Look at every node and at this machine; changes nothing"),
    Key("p", "pause", "Pause", "Campaign", "Pause", "Start no new run; those under way end first"),
    Key("p", "resume", "Resume", "Campaign", "Resume", "Go on where it was left"),
    Key("x", "stop", "Stop", "Campaign", "Stop", "Stop after the runs under way; p goes on later"),
    Key("X", "abort", "Abort", "Campaign", "Abort", "End the runs under way now, as aborted; asks"),
    Key("slash", "filter", "Filter", "Results", "Filter", "Show only rows that contain some words"),
    Key("o", "sort", "Sort", "Results", "Sort", "Order the rows by the next column"),
    Key("O", "reverse", "Reverse", "Results", "Reverse", "Turn the order of the rows round", False),
    Key("R", "requeue", "Requeue", "Runs", "Requeue", "Try the run under the cursor anew, its retries not counted"),
    Key("K", "skip", "Skip", "Runs", "Skip", "Give the run under the cursor up; asks"),
    Key("right_square_bracket", "older", "Older", "Runs", "Older", "Older attempts", False),
    Key("left_square_bracket", "newer", "Newer", "Runs", "Newer", "Newer attempts", False),
    Key("v", "next_plot", "View", "Plots", "View", "The next kind of plot"),
    Key("V", "last_plot", "View back", "Plots", "View back", "The kind of plot before", False),
    Key("m", "next_metric", "Metric", "Plots", "Metric", "The next metrics"),
    Key("c", "choose", "Choose", "Plots", "Choose", "Which kernels and metrics are drawn"),
    Key("w", "save", "Save", "Plots", "Save", "Write the plot as SVG, text and CSV beside the database"),
    Key("e", "export", "Export", "Results", "Export", "Write measurements.csv beside the database"),
    Key("question_mark", "help", "Help", "Screen", "Help", "All keys, and what the signs mean"),
    Key("q", "leave", "Quit", "Screen", "Quit", "Close the screen; a running campaign goes on without it"),
)

BINDINGS = [key.binding() for key in KEYS]


def help_text() -> Content:
    """Keys by group, then the signs."""
    lines: list[Content] = []
    for group in dict.fromkeys(key.group for key in KEYS):
        lines.append(Content.styled(group, "bold $primary"))
        lines += [_help_line(key.shown_key, key.title, key.tooltip) for key in KEYS if key.group == group]
        if group == "Screen":
            lines.append(_help_line("ctrl+p", "Palette", "Everything that can be done now, by name; themes"))
            lines.append(_help_line("tab", "Next", "The next field; arrows and page keys scroll"))
        lines.append(Content(""))
    return Content("\n").join([*lines, *_sign_lines()])


def _help_line(key: str, title: str, tooltip: str) -> Content:
    return Content.assemble(("  " + key.ljust(8), "bold"), title.ljust(9), (tooltip, MUTED))


def _sign_lines() -> list[Content]:
    nodes = Content("  ").join(
        [Content.styled(f"{sign.mark} {word}", sign.style) for word, sign in signs.NODE.items() if word != "booting"]
    )
    verdicts = [
        ("faster", "different by more than delta, in the good direction"),
        ("slower", "different by more than delta, in the bad direction"),
        ("trivial", "different, but within delta"),
        ("equivalent", "within delta, and no difference shown"),
        ("inconclusive", "neither shown: the data cannot tell"),
    ]
    lines = [Content.styled("Nodes", "bold $primary"), Content.assemble("  ", nodes), Content("")]
    lines += [
        Content.styled("Progress", "bold $primary"),
        Content.assemble("  ", ("✗2", signs.BAD), " two runs given up, all retries used   ", ("!3", signs.CARE)),
        Content("  … three attempts that were not ok: kept and counted, never in the statistics"),
        Content(""),
        Content.styled("Verdicts", "bold $primary"),
    ]
    for word, meaning in verdicts:
        sign = signs.verdict_sign(word)
        lines.append(Content.assemble((f"  {sign.mark} {word.ljust(14)}", sign.style), (meaning, MUTED)))
    return lines
