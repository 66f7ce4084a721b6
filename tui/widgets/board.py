"""The nodes: a card each, or three lines each where there is little room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from textual.content import Content

from hpcvirt.core.store.records import NodeCard
from hpcvirt.tui.phrases import brief_duration, cut_middle, number, safe, seconds_since, short_labels, signed
from hpcvirt.tui.signs import BAD, CARE, GOOD, LIVELY, MUTED, is_at_rest, is_trouble, node_sign
from hpcvirt.tui.widgets.lines import EMPTY, Lines, bar, fitted, spread

NARROWEST_CARD = 38
WIDE_CARD = 58
CARD_LINES = 4
FRAME = "$foreground 30%"


def columns_for(nodes: int, width: int) -> int:
    """How many cards stand side by side: even rows look calmer than full ones."""
    fitting = max(1, min(nodes, width // NARROWEST_CARD))
    rows = -(-nodes // fitting)
    return -(-nodes // rows)


def compact_lines(card_width: int) -> int:
    """Lines of a card without a frame."""
    return 2 if card_width >= WIDE_CARD else 3


def board_height(nodes: int, width: int, *, is_compact: bool) -> int:
    """Lines that ``NodeBoard`` takes."""
    rows = -(-nodes // columns_for(nodes, width)) if nodes else 0
    return rows * (compact_lines(width // columns_for(nodes, width)) if is_compact else CARD_LINES + 2)


class NodeBoard(Lines):
    """All nodes at once."""

    def __init__(self) -> None:
        super().__init__(id="board")
        self._cards: tuple[NodeCard, ...] = ()
        self._is_compact = False
        self._is_live = True

    def show(self, cards: tuple[NodeCard, ...], *, is_compact: bool, is_live: bool) -> None:
        """Draw these cards; ``is_live`` is whether times go on."""
        self._cards, self._is_compact, self._is_live = cards, is_compact, is_live
        self.renew()

    def build(self, width: int) -> Sequence[Content]:
        """Row after row of cards."""
        if not self._cards:
            return []
        now = datetime.now(UTC) if self._is_live else None
        draw = compact_card if self._is_compact else framed_card
        labels = short_labels([card.benchmark for card in self._cards if card.benchmark])
        columns = columns_for(len(self._cards), width)
        widths = [width // columns + (column < width % columns) for column in range(columns)]
        lines: list[Content] = []
        for start in range(0, len(self._cards), columns):
            row = self._cards[start : start + columns]
            drawn = [draw(card, labels.get(card.benchmark, ""), w, now) for card, w in zip(row, widths, strict=False)]
            lines += [Content.assemble(*parts) for parts in zip(*drawn, strict=True)]
        return lines


def framed_card(card: NodeCard, label: str, width: int, now: datetime | None) -> list[Content]:
    """A node in a frame whose colour shows trouble, as its words do."""
    inner = width - 4
    frame = BAD if is_trouble(card.state) else FRAME
    title = Content.assemble(" ", _name(card), " ", _state(card, now), " ").truncate(width - 4, ellipsis=True)
    top = Content.assemble(("╭─", frame), title, ("─" * (width - 3 - title.cell_length) + "╮", frame))
    body = [_kernel(card, inner), _boot(card, inner), _run(card, label, inner), _value(card, inner)]
    framed = [Content.assemble(("│ ", frame), fitted(line, inner), (" │", frame)) for line in body]
    return [top, *framed, Content.styled("╰" + "─" * (width - 2) + "╯", frame)]


def compact_card(card: NodeCard, label: str, width: int, now: datetime | None) -> list[Content]:
    """The same in two or three lines without a frame."""
    inner = width - 4
    title = Content.assemble(_name(card), " ", _state(card, now))
    visit = Content.styled(f"boot {card.boot or '–'}/{card.boots}", MUTED)
    is_failed = card.detail and is_trouble(card.state)
    last = _value(card, inner) if is_failed else spread(inner, _benchmark(card, label), _reading(card))
    if compact_lines(width) == 2:
        line = (
            last if is_failed else spread(inner, Content.assemble(visit, "  ", _benchmark(card, label)), _reading(card))
        )
        return _indented(width, spread(inner + 2, title, _kernel_name(card)), line)
    room = inner - title.cell_length
    release = Content.styled(cut_middle(safe(card.release, 100), max(0, room)), MUTED)
    return _indented(width, spread(inner + 2, title, release), spread(inner, _kernel_name(card), visit), last)


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
    return Content.assemble(safe(card.kernel, 64), " ", proof)


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
