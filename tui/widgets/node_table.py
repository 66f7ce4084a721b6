"""Many nodes: a line each, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.content import Content

from hpcvirt.core.store.records import NodeCard
from hpcvirt.tui.phrases import brief_duration, cut_middle, safe, seconds_since
from hpcvirt.tui.signs import CARE, GOOD, MUTED, is_at_rest, is_trouble, node_sign
from hpcvirt.tui.widgets.lines import fitted
from hpcvirt.tui.widgets.vitals import Vitals, freshness, percent, rate, spark

TABLE_HEADING = 2
"""Lines above the nodes."""

WITH_WIDE_GAPS = 100

Told = tuple[NodeCard, str, Vitals]
"""A node, the short label of its benchmark, its telemetry."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column, and from which width of the table on it is shown."""

    heading: str
    width: int
    draw: Callable[[Told], Content]
    least: int = 0
    is_right: bool = False


def node_table(nodes: Sequence[Told], width: int) -> list[Content]:
    """A count by state, the headings, and a line for each node."""
    columns = [column for column in COLUMNS if width >= column.least]
    gap = Content("  " if width >= WITH_WIDE_GAPS else " ")
    heading = gap.join([Content.styled(_padded(c.heading, c), f"bold {MUTED}") for c in columns])
    rows = [
        gap.join([_aligned(column.draw(told), column) for column in columns]) for told in sorted(nodes, key=badness)
    ]
    return [fitted(Content.assemble(" ", line), width) for line in (_counts(nodes), heading, *rows)]


def badness(told: Told) -> tuple[int, str]:
    """Trouble first, then news that is stale, then nodes somebody is logged in on, then the others by name."""
    card, _, vitals = told
    if is_trouble(card.state):
        return 0, card.name
    if vitals.is_stale:
        return 1, card.name
    return (2 if vitals.known("logins") else 3), card.name


def _counts(nodes: Sequence[Told]) -> Content:
    states = Counter(card.state for card, _, _ in nodes).most_common()
    stale = sum(vitals.is_stale for _, _, vitals in nodes)
    parts = [Content.styled(f"{node_sign(s).mark} {many} {safe(s, 20)}", node_sign(s).style) for s, many in states]
    return Content("  ").join([*parts, *([Content.styled(f"! {stale} stale", CARE)] if stale else [])])


def _aligned(content: Content, column: Column) -> Content:
    content = content.truncate(column.width, ellipsis=True)
    room = column.width - content.cell_length
    return content.pad_left(room) if column.is_right else content.pad_right(room)


def _padded(heading: str, column: Column) -> str:
    return heading.rjust(column.width) if column.is_right else heading.ljust(column.width)


def _state(told: Told) -> Content:
    card, _, vitals = told
    sign = node_sign(card.state)
    if vitals.now is None and not is_at_rest(card.state):
        return Content.styled(f"• was {safe(card.state, 12)}", MUTED)
    age = None if vitals.now is None else seconds_since(card.since, vitals.now)
    tail = "" if age is None else f" {brief_duration(age)}"
    return Content.assemble((f"{sign.mark} {safe(card.state, 14)}", sign.style), (tail, MUTED))


def _kernel(told: Told) -> Content:
    card = told[0]
    if card.kernel is None:
        return Content.styled("–", MUTED)
    return Content.assemble(("✓ ", GOOD) if card.is_proved else ("? ", CARE), cut_middle(safe(card.kernel, 64), 12))


def _run(told: Told) -> Content:
    card, label, _ = told
    return Content(f"{card.run}/{card.runs} {safe(label, 40)}") if label else Content.styled("–", MUTED)


def _memory(told: Told) -> Content:
    used, whole = told[2].known("memory_used_mib"), told[2].known("memory_mib")
    return Content(percent(None if used is None or not whole else used / whole))


def _load(told: Told) -> Content:
    load = told[2].known("load")
    return Content("–" if load is None else f"{load:.2f}")


def _of(name: str, words: Callable[[float | None], str]) -> Callable[[Told], Content]:
    def draw(told: Told) -> Content:
        last = told[2].last
        return Content(words(None if last is None else getattr(last, name)))

    return draw


COLUMNS = (
    Column("node", 10, lambda told: Content.styled(safe(told[0].name, 24), "bold")),
    Column("state", 16, _state),
    Column("kernel", 14, _kernel),
    Column("boot", 7, lambda told: Content(f"{told[0].boot or '–'}/{told[0].boots}"), 150),
    Column("run", 24, _run, 120),
    Column("runs", 9, lambda told: Content(f"{told[0].ok}/{told[0].planned}"), 100, is_right=True),
    Column("cpu", 5, _of("busy", percent), is_right=True),
    Column("", 20, lambda told: Content(spark([s.busy for s in told[2].samples], 20, 1.0)), 180),
    Column("steal", 5, _of("steal", percent), 90, is_right=True),
    Column("mem", 5, _memory, is_right=True),
    Column("load", 6, _load, is_right=True),
    Column("received", 9, _of("received_kb_s", rate), 170, is_right=True),
    Column("sent", 9, _of("sent_kb_s", rate), 170, is_right=True),
    Column("disk", 5, _of("disk_busy", percent), 140, is_right=True),
    Column("age", 16, lambda told: freshness(told[2], is_brief=True)),
)
