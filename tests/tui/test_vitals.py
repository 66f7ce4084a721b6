"""Telemetry on the screen: what a node does, how old that is, and many nodes with the worst first."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.core.model import Telemetry
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.core.store.samples import Sample
from hpcvirt.tui.widgets.node_table import node_table
from hpcvirt.tui.widgets.vitals import Vitals, cost_words, freshness, rate, spark, vital_line, vital_lines
from tests.tui.screen_samples import DATABASE, make_card, make_samples, make_snapshot, watched
from tests.tui.seeing import SIZES, at_database

NODES = tuple(f"node{n}" for n in range(1, 5))


def vitals(*, age_s: float = 1.0, is_held: bool = False, live: bool = True, **changes: object) -> Vitals:
    samples = make_samples(age_s=age_s, **changes)  # type: ignore[arg-type]
    return Vitals(samples, Telemetry(), datetime.now(UTC) if live else None, is_held)


@pytest.mark.parametrize("size", SIZES)
async def test_every_card_says_what_its_node_does(size: tuple[int, int]) -> None:
    telemetry = {name: make_samples(seed=n, steal=0.25 if n == 2 else 0.0) for n, name in enumerate(NODES)}
    async with at_database(watched(make_snapshot(telemetry=telemetry)), size) as eye:
        await eye.until("cpu", "mem")
        assert eye.text.count("cpu ") == 4
        assert "! 25 %" in eye.text
        assert any(bar in eye.text for bar in "▃▄▅▆▇")
        if size[0] >= 120:
            for word in ("GiB", "load 2.", "↓", "↑", "sampled ", " s ago"):
                assert word in eye.text, word


async def test_news_that_is_old_is_said_to_be_stale() -> None:
    telemetry = {name: make_samples(age_s=300 if name == "node3" else 1) for name in NODES}
    async with at_database(watched(make_snapshot(telemetry=telemetry)), (120, 40)) as eye:
        await eye.until("stale: nothing since")
        assert eye.text.count("stale: nothing since") == 1


async def test_without_telemetry_the_cards_say_so() -> None:
    async with at_database(watched(make_snapshot())) as eye:
        await eye.until("no telemetry yet")


async def test_many_nodes_are_a_table_with_the_worst_first() -> None:
    cards = [make_card(f"n{n:02}") for n in range(64)]
    cards[41] = replace(cards[41], state="unreachable", detail="no answer")
    telemetry = {card.name: make_samples(3, age_s=90 if card.name == "n50" else 1) for card in cards}
    async with at_database(watched(make_snapshot(nodes=cards, telemetry=telemetry))) as eye:
        await eye.until("63 running")
        shown = [line.split()[0] for line in eye.lines if line.strip().startswith("n")]
        assert shown[:4] == ["node", "n41", "n50", "n00"]
        assert "! 1 stale" in eye.text
        for heading in ("node", "state", "kernel", "cpu", "mem", "load", "age"):
            assert heading in eye.line(" state ")


@pytest.mark.parametrize("width", [78, 118, 198])
def test_a_table_has_a_line_for_each_node_of_the_width(width: int) -> None:
    lines = node_table([(make_card(f"n{n}"), "stream", vitals()) for n in range(5)], width)
    assert len(lines) == 7
    assert {line.cell_length for line in lines} == {width}


def test_how_old_the_news_is() -> None:
    assert freshness(vitals(age_s=3)).plain == "sampled 3 s ago"
    assert freshness(vitals(age_s=30)).plain.startswith("! stale: nothing since ")
    assert freshness(vitals(age_s=30, is_held=True)).plain.startswith("not sampled during runs")
    assert freshness(vitals(age_s=30, live=False)).plain.startswith("last sampled ")
    assert freshness(Vitals((), Telemetry(), datetime.now(UTC))).plain == ""


def test_what_is_stale_depends_on_how_often_is_sampled() -> None:
    seldom = replace(vitals(age_s=30), settings=Telemetry(interval_s=60))
    assert not seldom.is_stale


def test_what_it_costs() -> None:
    assert cost_words(vitals()) == "costs 0.10 % of a core"
    assert cost_words(vitals(monitor_s=None)) == ""


def test_logins_and_steal_are_noted() -> None:
    lines = "\n".join(line.plain for line in vital_lines(vitals(logins=2, steal=0.031), 60))
    assert "! 2 logged in" in lines
    assert "! 3 %" in lines


@given(
    st.lists(st.none() | st.floats(0, 1e300), max_size=80),
    st.integers(-3, 60),
    st.none() | st.floats(1e-3, 1e9),
)
def test_a_sparkline_has_its_width(values: list[float | None], width: int, top: float | None) -> None:
    assert len(spark(values, width, top)) == max(0, width)


@given(st.floats(0, 1e15))
def test_a_rate_is_short(kb_s: float) -> None:
    assert len(rate(kb_s)) <= 11


ANYTHING = [st.none() | st.integers(0, 1 << 53)] * (len(fields(Sample)) - 1)


@given(st.builds(Sample, st.integers(0, 4_000_000_000_000), *ANYTHING), st.integers(20, 120))
def test_whatever_a_node_says_the_lines_keep_their_width(sample: Sample, width: int) -> None:
    told = Vitals((sample, sample), Telemetry(), datetime.now(UTC))
    assert {line.cell_length for line in vital_lines(told, width)} == {width}
    assert vital_line(told, width).cell_length == width


async def test_nobody_samples_when_the_runner_is_gone() -> None:
    snapshot = make_snapshot(RunnerState.STOPPED, telemetry={name: make_samples(age_s=500) for name in NODES})
    async with at_database(watched(snapshot), (120, 40)) as eye:
        await eye.until("last sampled")
        assert "stale" not in eye.text


async def test_new_samples_alone_are_read_alone() -> None:
    """A snapshot of very many runs takes its time, and samples come every second."""
    snapshot = make_snapshot(telemetry={name: make_samples(monitor_s=0.002) for name in NODES})
    backend = watched(snapshot)
    async with at_database(backend, (120, 40)) as eye:
        await eye.until("0.15 % of a core")
        reads = backend.reads
        telemetry = {name: make_samples(monitor_s=0.02) for name in NODES}
        backend.snapshots[DATABASE] = replace(snapshot, telemetry=telemetry)
        await eye.until("1.05 % of a core")
        assert backend.reads == reads
        backend.snapshots[DATABASE] = replace(snapshot, ok=149, telemetry=telemetry)
        await eye.until("149/400 runs")
        assert backend.reads == reads + 1
