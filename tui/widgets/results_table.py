"""The significance table: columns that give way to the width, rows that sort and filter, one row in full words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets.option_list import Option

from hpcvirt.tui.kernel_styles import UNKNOWN, KernelStyle, kernel_style
from hpcvirt.tui.phrases import LONGEST_TEXT, count, cut_middle, number, probability, safe, short_labels, signed
from hpcvirt.tui.signs import CARE, MUTED, Sign, verdict_sign
from hpcvirt.tui.widgets.choices import Choices
from hpcvirt.tui.widgets.lines import Lines, fitted

if TYPE_CHECKING:
    from hpcvirt.core.stats import Comparison

Draw = Callable[["Row"], Content]
LEAST_CHART = 15
WIDEST_CHART = 61


@dataclass(frozen=True, slots=True)
class Row:
    """A comparison and what is worked out for drawing it."""

    place: int
    """In the order of the campaign."""
    label: str
    """The benchmark, without what all share."""
    what: Comparison
    is_veiled: bool = False
    """Not final, and nobody asked for a look: means are shown, no interval, no p and no verdict."""
    is_contrast: bool = False
    """Compared with another kernel than the baseline."""
    style: KernelStyle = UNKNOWN
    """Of the kernel."""
    style_baseline: KernelStyle = UNKNOWN
    """Of what it is compared with."""

    @property
    def kernels(self) -> str:
        """The kernel, and where it is not the baseline what it is compared with."""
        return f"{self.what.kernel}:{self.what.baseline}" if self.is_contrast else self.what.kernel

    @property
    def interval_pct(self) -> tuple[float, float] | None:
        """The confidence interval in percent of the baseline."""
        low, high = self.what.ci_low, self.what.ci_high
        if self.is_veiled or low is None or high is None or low != low or high != high:
            return None
        return 100 * (low - 1), 100 * (high - 1)

    @property
    def is_interim(self) -> bool:
        """The campaign was not finished, whether verdicts are shown or not."""
        return self.is_veiled or self.what.interim

    @property
    def verdict(self) -> str:
        """The verdict, or why there is none."""
        if not (self.what.runs and self.what.runs_baseline):
            return "not measured"
        return self.what.verdict or "–"

    @property
    def sign(self) -> Sign:
        """Of the verdict; a metric that is not primary is in no family, so it has no mark and no colour."""
        verdict = self.what.verdict
        is_marked = self.what.primary and self.what.runs and self.what.runs_baseline
        return verdict_sign(verdict) if is_marked and verdict is not None else Sign(" ", MUTED)


@dataclass(frozen=True, slots=True)
class Column:
    """One column, drawn."""

    heading: str
    width: int
    cells: Sequence[Content]
    """One per row."""
    is_right: bool = True


@dataclass(frozen=True, slots=True)
class Sorting:
    """An order of the rows that the operator can ask for."""

    word: str
    key: Callable[[Row], tuple[object, ...]]
    heading: str = ""
    """Of the column it sorts by."""


def rows_of(
    comparisons: Sequence[Comparison], baseline: str = "", kernels: Sequence[str] = (), *, is_veiled: bool = False
) -> list[Row]:
    """Comparisons ready to be drawn. ``baseline`` and ``kernels``: the campaign's."""
    labels = short_labels(list(dict.fromkeys(what.benchmark for what in comparisons)))
    return [
        Row(
            place, labels[what.benchmark], what, is_veiled, bool(baseline) and what.baseline != baseline,
            kernel_style(what.kernel, kernels), kernel_style(what.baseline, kernels),
        )
        for place, what in enumerate(comparisons)
    ]  # fmt: skip


def _number_key(value: float | None) -> tuple[object, ...]:
    return (value is None or value != value, 0.0 if value is None else value)


_ORDER = ("slower", "faster", "trivial", "inconclusive", "equivalent")

SORTINGS = (
    Sorting("campaign order", lambda row: (row.place,)),
    Sorting("kernel", lambda row: (row.what.kernel, row.place), "kernel"),
    Sorting("difference", lambda row: (*_number_key(row.what.difference_pct), row.place), "diff%"),
    Sorting("p", lambda row: (*_number_key(row.what.p), row.place), "p"),
    Sorting(
        "verdict",
        lambda row: (_ORDER.index(row.what.verdict) if row.what.verdict in _ORDER else -1, row.place),
        "verdict",
    ),
)
VEILED_SORTINGS = SORTINGS[:3]
"""An order by p or verdict would tell them."""


def matching(rows: Sequence[Row], words: str) -> list[Row]:
    """Rows in which every word occurs, in benchmark, metric, kernel, verdict or flags."""
    wanted = words.casefold().split()
    return [row for row in rows if all(word in _haystack(row) for word in wanted)]


def _haystack(row: Row) -> str:
    what = row.what
    flags = " ".join(flag.code for flag in what.flags)
    verdict = "" if row.is_veiled else row.verdict
    return f"{what.benchmark} {what.metric} {row.kernels} {verdict} {flags}".casefold()


def columns_for(rows: Sequence[Row], width: int, delta: float, alpha: float = 0.05) -> list[Column]:
    """The columns that a width has room for; names are cut before a column is given up."""
    gap = gap_for(width)
    columns = _number_columns(rows, width, alpha)
    taken = 1 + sum(column.width + gap for column in columns)
    names = _name_columns(rows, width - taken, gap, with_unit=width >= 124)
    spare = width - taken - sum(column.width + gap for column in names)
    if spare >= LEAST_CHART + gap:
        chart = (min(WIDEST_CHART, spare - gap) - 1) // 2 * 2 + 1
        is_veiled = any(row.is_veiled for row in rows)
        long, short = ("difference", "±delta") if is_veiled else ("difference, CI", "CI and ±delta")
        heading = f"{long}, ±{100 * delta:g} %" if chart >= 25 else short
        draw = _chart(rows, chart, delta)
        columns.append(Column(heading, chart, [draw(row) for row in rows], is_right=False))
    return [*names, *columns]


def _number_columns(rows: Sequence[Row], width: int, alpha: float) -> list[Column]:
    told: list[tuple[str, Draw, int]] = [
        ("n", lambda row: Content.styled(f"{row.what.n_baseline}/{row.what.n}", MUTED), 124),
        ("base", lambda row: Content(number(row.what.mean_baseline)), 78),
        ("mean", lambda row: Content(number(row.what.mean)), 78),
        ("diff%", lambda row: Content.styled(signed(row.what.difference_pct), "bold"), 0),
    ]
    if not any(row.is_veiled for row in rows):
        told += [
            (f"{100 * (1 - alpha):g} % CI", _interval, 0),
            ("p", lambda row: Content(probability(row.what.p)), 0),
            ("p adj", lambda row: Content(probability(row.what.p_adjusted)), 108),
            ("verdict", _verdict, 0),
        ]
    if any(row.what.flags for row in rows):
        told.append(("!", _flags, 90))
    return [_natural(heading, [draw(row) for row in rows]) for heading, draw, least in told if width >= least]


def _natural(heading: str, cells: Sequence[Content]) -> Column:
    """As wide as its widest cell, and one more than a heading that may get an arrow."""
    arrow = any(sorting.heading == heading for sorting in SORTINGS)
    width = max([len(heading) + arrow, *(cell.cell_length for cell in cells)])
    return Column(heading, width, cells, is_right=heading != "verdict")


def _name_columns(rows: Sequence[Row], room: int, gap: int, *, with_unit: bool) -> list[Column]:
    """Benchmark, metric, kernel: as wide as their longest name, or cut where ``room`` is too small."""
    blank = " " if gap > 1 else ""
    told = {
        "bench": [safe(row.label, 200) for row in rows],
        "metric": [safe(row.what.metric, 200) for row in rows],
        **({"unit": [safe(row.what.unit, 200) for row in rows]} if with_unit else {}),
        "kernel": [f"{row.style.sign}{blank}{safe(row.kernels, 200)}" for row in rows],
    }
    widths = [max([len(heading), *(min(40, len(name)) for name in names)]) for heading, names in told.items()]
    while sum(widths) + gap * len(widths) > room and max(widths) > 5:
        widths[widths.index(max(widths))] -= 1
    columns = [
        Column(heading, width, [Content(cut_middle(name, width)) for name in names], is_right=False)
        for (heading, names), width in zip(told.items(), widths, strict=True)
    ]
    signed_kernels = [cell.stylize(row.style.variable, 0, 1) for row, cell in zip(rows, columns[-1].cells, strict=True)]
    return [*columns[:-1], replace(columns[-1], cells=signed_kernels)]


def _interval(row: Row) -> Content:
    interval = row.interval_pct
    if interval is None:
        return Content("–")
    return Content(" ".join(f"{signed(end):>5}" for end in interval))


def _verdict(row: Row) -> Content:
    return Content.styled(f"{row.sign.mark} {safe(row.verdict, 14)}", row.sign.style)


def _flags(row: Row) -> Content:
    """How many; they are told below for the row under the cursor."""
    return Content.styled(f"!{len(row.what.flags)}" if row.what.flags else "", CARE)


def _chart(rows: Sequence[Row], width: int, delta: float) -> Draw:
    """The interval as a small drawing on one scale for all rows, zero in the middle."""
    ends = [abs(end) for row in rows for end in row.interval_pct or (row.what.difference_pct or 0.0,)]
    reach = max([150 * delta, *(end for end in ends if end < 1000)])
    half = width // 2

    def place(percent: float) -> int:
        return half + round(half * max(-1.0, min(1.0, percent / reach)))

    def draw(row: Row) -> Content:
        low_band, high_band = place(-100 * delta), place(100 * delta)
        cells = [("·", MUTED) if low_band <= x <= high_band else (" ", "") for x in range(width)]
        cells[half] = ("│", MUTED)
        style = "$secondary" if row.is_veiled else row.sign.style
        if row.interval_pct is not None:
            low, high = map(place, row.interval_pct)
            for x in range(low, high + 1):
                cells[x] = ("─", style)
            cells[low], cells[high] = ("├", style), ("┤", style)
        if row.what.difference_pct is not None and abs(row.what.difference_pct) < float("inf"):
            cells[place(row.what.difference_pct)] = (row.style.sign, f"bold {style}")
        return Content.assemble(*cells)

    return draw


class Heading(Lines):
    """Names of the columns, the sorted one marked."""

    def __init__(self) -> None:
        super().__init__(id="results-heading")
        self._columns: list[Column] = []
        self._sorting = SORTINGS[0]
        self._is_reversed = False

    def show(self, columns: list[Column], sorting: Sorting, *, is_reversed: bool) -> None:
        """Draw these headings."""
        self._columns, self._sorting, self._is_reversed = columns, sorting, is_reversed
        self.renew()

    def build(self, width: int) -> Sequence[Content]:
        """One line."""
        gap = " " * gap_for(width)
        parts = [_aligned(self._heading(column), column) for column in self._columns]
        return [fitted(Content.assemble(" ", Content(gap).join(parts)), width)]

    def _heading(self, column: Column) -> Content:
        if column.heading != self._sorting.heading:
            return Content.styled(column.heading, f"bold {MUTED}")
        arrow = "↑" if self._is_reversed else "↓"
        return Content.styled(f"{column.heading}{arrow}"[-column.width :], "bold $primary")


def gap_for(width: int) -> int:
    """Blanks between columns."""
    return 2 if width >= 100 else 1


def _aligned(content: Content, column: Column) -> Content:
    content = content.truncate(column.width, ellipsis=True)
    room = column.width - content.cell_length
    return content.pad_left(room) if column.is_right else content.pad_right(room)


class ResultRows(Choices):
    """The rows; the cursor picks the one that is told in full words below."""

    def __init__(self) -> None:
        super().__init__(id="results-rows")
        self._rows: list[Row] = []

    def show(self, rows: list[Row], columns: list[Column], width: int) -> None:
        """Draw these rows, the cursor on the same comparison as before."""
        chosen = self.row
        self._rows = rows
        blanks = Content(" " * gap_for(width))
        drawn = (blanks.join([_aligned(c.cells[place], c) for c in columns]) for place in range(len(rows)))
        prompts = [row.truncate(width - 1) for row in drawn]
        if len(prompts) == self.option_count:
            for index, prompt in enumerate(prompts):
                self.replace_option_prompt_at_index(index, prompt)
        else:
            self.clear_options()
            self.add_options([Option(prompt) for prompt in prompts])
        places = [row.place for row in rows]
        at = places.index(chosen.place) if chosen is not None and chosen.place in places else 0
        self.highlighted = at if rows else None

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        at = self.highlighted
        return self._rows[at] if at is not None and at < len(self._rows) else None


def pair(row: Row, width: int = LONGEST_TEXT) -> list[str | tuple[str, str]]:
    """The two kernels that are compared, with their signs."""
    return [
        (f"{row.style.sign} ", row.style.variable), f"{safe(row.what.kernel, width)} against ",
        (f"{row.style_baseline.sign} ", row.style_baseline.variable), safe(row.what.baseline, width),
    ]  # fmt: skip


def row_in_words(row: Row, *, with_flags: bool = True) -> list[Content]:
    """One comparison without abbreviations: what, verdict, numbers, remarks."""
    what = row.what
    interval = row.interval_pct
    ci = f", CI {signed(interval[0])} … {signed(interval[1])} %" if interval else ", no confidence interval"
    adjusted = "" if what.p_adjusted is None else f" ({probability(what.p_adjusted)} adjusted)"
    means = f"{number(what.mean_baseline)} (n={what.n_baseline}) → {number(what.mean)} (n={what.n}) {safe(what.unit)}"
    return [
        Content.assemble(
            (safe(what.benchmark), "bold"), f"  {safe(what.metric)} ", (f"{safe(what.better)} is better", MUTED)
        ),
        Content.assemble(
            ("… not final", MUTED)
            if row.is_veiled
            else (f"{row.sign.mark} {safe(row.verdict)}".lstrip(), f"bold {row.sign.style}"),
            "  ",
            *pair(row),
            ": ",
            (f"{signed(what.difference_pct)} %", "bold"),
            "" if row.is_veiled else ci,
        ),
        *([] if row.is_veiled else _deciding(what)),
        Content.styled(means if row.is_veiled else f"{means}, p {probability(what.p)}{adjusted}", MUTED),
        *([] if row.is_veiled else _more(what)),
        *(Content.styled(f"! {safe(flag.text)}", CARE) for flag in (what.flags if with_flags else ())),
    ]


def _deciding(what: Comparison) -> list[Content]:
    """The interval that agrees with the verdict, where it is not the usual one."""
    from hpcvirt.core.stats.report import confidence

    low, high, level = what.ci_low_decision, what.ci_high_decision, what.ci_level_decision
    if low is None or high is None or level is None or (low, high) == (what.ci_low, what.ci_high):
        return []
    ends = f"{signed(100 * (low - 1))} … {signed(100 * (high - 1))} %"
    return [Content.styled(f"CI {ends} at {confidence(level)}, the level that decided about a difference", MUTED)]


def _more(what: Comparison) -> list[Content]:
    if what.more is None or what.more_unit is None:
        return []
    return [
        Content.styled(f"{count(what.more, safe(what.more_unit))} more would decide it, if the spread stays.", MUTED)
    ]


class Detail(Lines):
    """The chosen row in full words."""

    def __init__(self) -> None:
        super().__init__(id="results-detail")
        self._row: Row | None = None

    def show(self, row: Row | None) -> None:
        """Tell this row."""
        self._row = row
        self.renew()

    def build(self, width: int) -> Sequence[Content]:
        """Always of the same height, so that nothing jumps while the cursor moves."""
        height = 5
        if self._row is None:
            return [Content("")] * height
        lines = [part for content in row_in_words(self._row) for part in content.wrap(max(20, width - 2))]
        lines = (lines + [Content("")] * height)[:height]
        return [Content.assemble(" ", line) for line in lines]


class Footnotes(Lines):
    """What must be said about all rows; a quarter of the terminal at most, so that rows are seen."""

    def __init__(self) -> None:
        super().__init__(id="results-notes")
        self._notes: tuple[str, ...] = ()

    def show(self, notes: Sequence[str]) -> None:
        """Say these."""
        self._notes = tuple(notes)
        self.renew()

    def build(self, width: int) -> Sequence[Content]:
        """Wrapped."""
        most = max(4, self.app.size.height // 4)
        lines = [part for note in self._notes for part in Content.styled(safe(note), MUTED).wrap(max(20, width - 2))]
        if len(lines) > most:
            left = f"… {len(lines) - most + 1} more lines of notes: `hpcvirt-tui analyze` and `status` have them all"
            lines = [*lines[: most - 1], Content.styled(left, CARE)]
        return [Content.assemble(" ", line) for line in lines]
