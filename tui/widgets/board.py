"""The nodes: a card each, a few lines each where there is little room, a line each where there are many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from functools import partial

from textual.content import Content

from hpcvirt.core.model import Telemetry
from hpcvirt.core.store.records import NodeCard, Snapshot
from hpcvirt.core.store.samples import Sample
from hpcvirt.tui.phrases import brief_duration, cut_middle, number, safe, seconds_since, short_labels, signed
from hpcvirt.tui.signs import BAD, CARE, GOOD, LIVELY, MUTED, is_at_rest, is_trouble, node_sign
from hpcvirt.tui.widgets.lines import EMPTY, Lines, bar, fitted, spread
from hpcvirt.tui.widgets.node_table import TABLE_HEADING, node_table
from hpcvirt.tui.widgets.vitals import VITAL_LINES, Vitals, cost_words, freshness, vital_line, vital_lines

NARROWEST_CARD = 38
WIDE_CARD = 58
CARD_LINES = 4
FRAME = "$foreground 30%"


def columns_for(nodes: int, width: int) -> int:
    """How many cards stand side by side: even rows look calmer than full ones."""
    fitting = max(1, min(nodes, width // NARROWEST_CARD))
    rows = -(-nodes // fitting)
    return -(-nodes // rows) if nodes else 1


def compact_lines(card_width: int) -> int:
    """Lines of a card without a frame."""
    return 3 if card_width >= WIDE_CARD else 4


class Look(Enum):
    """How nodes are drawn."""

    CARDS = "cards"
    SHORT_CARDS = "short cards"
    """Telemetry in a single line."""
    COMPACT = "compact"
    TABLE = "table"


def board_height(nodes: int, width: int, look: Look) -> int:
    """Lines that ``NodeBoard`` takes."""
    if look is Look.TABLE:
        return nodes + TABLE_HEADING
    columns = columns_for(nodes, width)
    lines = {
        Look.CARDS: CARD_LINES + VITAL_LINES + 2,
        Look.SHORT_CARDS: CARD_LINES + 1 + 2,
        Look.COMPACT: compact_lines(width // columns),
    }
    return lines[look] * -(-nodes // columns)


class NodeBoard(Lines):
    """All nodes at once."""

    def __init__(self) -> None:
        super().__init__(id="board")
        self._cards: tuple[NodeCard, ...] = ()
        self._look = Look.CARDS
        self._is_live = True
        self._telemetry: Mapping[str, tuple[Sample, ...]] = {}
        self._settings = Telemetry()

    def show(self, snapshot: Snapshot, look: Look, *, is_live: bool) -> None:
        """Draw these cards; ``is_live`` is whether times go on."""
        self._cards, self._look, self._is_live = snapshot.nodes, look, is_live
        self._telemetry, self._settings = snapshot.telemetry, snapshot.campaign.telemetry
        self.renew()

    def build(self, width: int) -> Sequence[Content]:
        """Row after row of cards."""
        if not self._cards:
            return []
        now = datetime.now(UTC) if self._is_live else None
        labels = short_labels([card.benchmark for card in self._cards if card.benchmark])
        told = [(card, labels.get(card.benchmark, ""), self._vitals(card, now)) for card in self._cards]
        if self._look is Look.TABLE:
            return node_table(told, width)
        draw = DRAWN[self._look]
        columns = columns_for(len(self._cards), width)
        widths = [width // columns + (column < width % columns) for column in range(columns)]
        lines: list[Content] = []
        for start in range(0, len(self._cards), columns):
            row = told[start : start + columns]
            drawn = [draw(card, label, vitals, w) for (card, label, vitals), w in zip(row, widths, strict=False)]
            lines += [Content.assemble(*parts) for parts in zip(*drawn, strict=True)]
        return lines

    def _vitals(self, card: NodeCard, now: datetime | None) -> Vitals:
        is_held = card.state == "running" and not self._settings.during_runs
        return Vitals(self._telemetry.get(card.name, ()), self._settings, now, is_held)


def framed_card(card: NodeCard, label: str, vitals: Vitals, width: int, *, is_short: bool = False) -> list[Content]:
    """A node in a frame whose colour shows trouble, as its words do. Its lower edge says how old the telemetry is."""
    inner, now = width - 4, vitals.now
    frame = BAD if is_trouble(card.state) else FRAME
    title = Content.assemble(" ", _name(card), " ", _state(card, now), " ").truncate(width - 4, ellipsis=True)
    top = Content.assemble(("╭─", frame), title, ("─" * (width - 3 - title.cell_length) + "╮", frame))
    body = [_kernel(card, inner), _boot(card, inner), _run(card, label, inner), _value(card, inner)]
    body += [vital_line(vitals, inner)] if is_short else vital_lines(vitals, inner)
    framed = [Content.assemble(("│ ", frame), fitted(line, inner), (" │", frame)) for line in body]
    lower = Content.styled("╰" + "─" * (width - 2) + "╯", frame) if is_short else _lower_edge(vitals, width, frame)
    return [top, *framed, lower]


def _lower_edge(vitals: Vitals, width: int, frame: str) -> Content:
    age, cost = freshness(vitals), cost_words(vitals)
    left = Content.styled(f" {cost} " if cost and width >= WIDE_CARD else "", MUTED)
    right = Content.assemble(" ", age, " ").truncate(width - 4, ellipsis=True) if age.cell_length else EMPTY
    line = "─" * (width - 4 - left.cell_length - right.cell_length)
    return Content.assemble(("╰─", frame), left, (line, frame), right, ("─╯", frame))


def compact_card(card: NodeCard, label: str, vitals: Vitals, width: int) -> list[Content]:
    """The same in three or four lines without a frame."""
    inner, now = width - 4, vitals.now
    title = Content.assemble(_name(card), " ", _state(card, now))
    visit = Content.styled(f"boot {card.boot or '–'}/{card.boots}", MUTED)
    is_failed = card.detail and is_trouble(card.state)
    last = _value(card, inner) if is_failed else spread(inner, _benchmark(card, label), _reading(card))
    seen = vital_line(vitals, inner)
    if compact_lines(width) == 3:
        line = (
            last if is_failed else spread(inner, Content.assemble(visit, "  ", _benchmark(card, label)), _reading(card))
        )
        return _indented(width, spread(inner + 2, title, _kernel_name(card)), line, seen)
    room = inner - title.cell_length
    release = Content.styled(cut_middle(safe(card.release, 100), max(0, room)), MUTED)
    return _indented(width, spread(inner + 2, title, release), spread(inner, _kernel_name(card), visit), last, seen)


def _indented(width: int, first: Content, *rest: Content) -> list[Content]:
    lines = [Content.assemble(" ", first), *(Content.assemble("   ", line) for line in rest)]
    return [fitted(line, width) for line in lines]


def _name(card: NodeCard) -> Content:
    return Content.styled(safe(card.name, 24), "bold")


def _state(card: NodeCard, now: datetime | None) -> Content:
    sign = node_sign(card.state)
    if now is None and not is_at_rest(card.state):
        return Content.styled(f"• was {safe(card.state, 20)}", MUTED)
    age = None if now is None else seconds_since(card.since, now)
    return Content.assemble(
        (f"{sign.mark} {safe(card.state, 20)}", sign.style),
        (f" {brief_duration(age)}" if age is not None else "", MUTED),
    )


def _kernel_name(card: NodeCard) -> Content:
    if card.kernel is None:
        return Content.styled("no kernel yet", MUTED)
    proof = ("✓ proved", GOOD) if card.is_proved else ("? not proved", CARE)
    is_other = not card.is_proved and card.proved_kernel not in {None, card.kernel}
    before = (f", was {safe(card.proved_kernel or '', 64)}", MUTED) if is_other else ("", MUTED)
    return Content.assemble(safe(card.kernel, 64), " ", proof, before)


def _kernel(card: NodeCard, width: int) -> Content:
    return spread(width, _kernel_name(card), Content.styled(f"{card.ok}/{card.planned} runs", MUTED))


def _place(card: NodeCard) -> Content:
    if not card.boot:
        return Content.styled(f"boot –/{card.boots}", MUTED)
    return Content.assemble("boot ", (f"{card.boot}/{card.boots}", "bold"), (f" · block {card.block}", MUTED))


def _boot(card: NodeCard, width: int) -> Content:
    room = width - _place(card).cell_length - 1
    return spread(width, _place(card), Content.styled(cut_middle(safe(card.release, 100), max(8, room)), MUTED))


def _benchmark(card: NodeCard, label: str) -> Content:
    if not label:
        return Content.styled("nothing has run yet", MUTED)
    return Content.assemble(safe(label, 40), " run ", (f"{card.run}/{card.runs}", "bold"))


def _run(card: NodeCard, label: str, width: int) -> Content:
    return spread(
        width, _benchmark(card, label), bar(max(8, width // 4), card.run / card.runs, LIVELY) if card.runs else EMPTY
    )


def _value(card: NodeCard, width: int) -> Content:
    """What went wrong where something did, else the last value against its running mean."""
    if card.detail and (is_trouble(card.state) or card.last_value is None):
        return fitted(Content.styled(safe(card.detail), BAD if is_trouble(card.state) else MUTED), width)
    return spread(width, _reading(card), _deviation(card, width))


def _reading(card: NodeCard) -> Content:
    if card.last_value is None:
        return Content.styled("no value yet", MUTED)
    metric = (f"{safe(card.last_metric, 16)} ", MUTED)
    return Content.assemble(metric, (number(card.last_value), "bold"), (f" {safe(card.unit, 12)}", MUTED))


def _deviation(card: NodeCard, width: int) -> Content:
    if card.last_value is None or not card.mean_value:
        return EMPTY
    percent = signed(100 * (card.last_value / card.mean_value - 1), 1)
    tail = f" of mean {number(card.mean_value)}" if width >= 50 else " of mean"
    return Content.assemble((f"{percent} %", ""), (tail, MUTED))


DRAWN: dict[Look, Callable[[NodeCard, str, Vitals, int], list[Content]]] = {
    Look.CARDS: framed_card,
    Look.SHORT_CARDS: partial(framed_card, is_short=True),
    Look.COMPACT: compact_card,
}
