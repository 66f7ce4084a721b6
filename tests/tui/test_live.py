from __future__ import annotations

from dataclasses import replace

import pytest

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.store.records import Event
from hpcvirt.core.store.runner_state import RunnerState
from tests.tui.screen_samples import (
    DATABASE,
    ELSEWHERE,
    PAPER,
    PAPER_KERNELS,
    STREAM,
    ago,
    finished,
    make_card,
    make_snapshot,
    watched,
)
from tests.tui.seeing import SIZES, at_database


@pytest.mark.parametrize("size", [*SIZES, (60, 18)])
async def test_everything_essential_is_in_sight(size: tuple[int, int]) -> None:
    async with at_database(watched(make_snapshot()), size) as eye:
        await eye.until("148/400 runs", "p Pause", "q Quit")
        await eye.until("node1", "node2", "node3", "node4", "▶ running", "native-again", "proved", "3/20", "run 7/50")
        await eye.until("ETA", "triad", "12346", "native", "74/200", "resume: as the operator wished", "37 %")


async def test_a_card_says_what_a_node_does() -> None:
    async with at_database(watched(make_snapshot())) as eye:
        text = await eye.until("148/400 runs")
        assert "native-again ✓ proved" in text
        assert "6.8.0-45-generic" in text
        assert "block 2" in text
        assert "+0.3 % of mean" in text


async def test_a_card_without_a_history() -> None:
    fresh = make_card(
        state="proving", kernel="native", is_proved=False, release="", boot=1, block=1,
        benchmark="", run=0, runs=0, ok=0, last_metric="", last_value=None, mean_value=None, unit="",
        detail="", since=None,
    )  # fmt: skip
    idle = replace(fresh, name="node2", state="waiting", kernel=None, boot=0)
    async with at_database(watched(make_snapshot(nodes=[fresh, idle], ok=0, eta_s=None, events=()))) as eye:
        text = await eye.until("◌ proving")
        for word in ("native ? not proved", "nothing has run yet", "no value yet", "no kernel yet", "boot –/20"):
            assert word in text
        assert "ETA unknown" in text
        assert "nothing has happened yet" in text


async def test_a_card_of_a_node_that_reboots_says_what_is_wanted_and_what_was_proved() -> None:
    rebooting = make_card(
        state="booting", kernel="rt", is_proved=False, proved_kernel="stock", detail="rt: gone down", last_value=None
    )
    async with at_database(watched(make_snapshot(nodes=[rebooting]))) as eye:
        text = await eye.until("↻ booting")
        assert "rt ? not proved, was stock" in text
        assert "rt: gone down" in text


async def test_trouble_is_said_in_words() -> None:
    lost = make_card("node2", state="set aside", detail="node2 was lost 3 times in a row [/]")
    snapshot = make_snapshot(
        nodes=[make_card(), lost], given_up=2, statuses={"failed": 3, "timeout": 2, "ok": 1}, spoilt=4
    )
    async with at_database(watched(snapshot)) as eye:
        text = await eye.until("✗ set aside")
        assert "node2 was lost 3 times in a row" in text
        assert "✗ 2 given up" in text
        assert "! 5 spoilt" in text
        assert "✗2 !4" in text


async def test_the_paper_fits_at_80x24() -> None:
    snapshot = make_snapshot(
        kernels=PAPER_KERNELS, benchmarks=(STREAM, *PAPER, "bonnie", "mitgcm"), planned=6400, ok=1480
    )
    async with at_database(watched(snapshot)) as eye:
        text = await eye.until("1480/6400 runs")
        for word in (*PAPER_KERNELS, "npb mg", "npb cg", "bonnie", "mitgcm", "node1", "node4", "Events"):
            assert word in text, text
        assert text.count("46/200") == 32


async def test_events_have_levels_and_the_newest_is_in_sight() -> None:
    events = [Event(n, ago(100 - n), "info", None, f"line {n}") for n in range(90)]
    events.append(Event(90, ago(1), "error", "node3", "the disk is full"))
    events.append(Event(91, ago(1), "warning", "node3", "slow"))
    async with at_database(watched(make_snapshot(events=events))) as eye:
        await eye.until("✗ node3 error: the disk is full", "! node3 warning: slow")
        assert "line 0" not in eye.text
        await eye.press("home")
        await eye.until("line 0")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (RunnerState.PAUSED, ("‖ paused", "p resumes", "of work left", "p Resume")),
        (RunnerState.STOPPED, ("■ stopped", "148 runs are safe", "hpcvirt-tui run", "--db", "p Resume")),
        (RunnerState.FAILED, ("! failed", "148 runs are safe", "the log says which", "p Resume")),
        (RunnerState.CRASHED, ("✗ crashed", "gone without a word", "hpcvirt-tui run", "was running")),
        (RunnerState.NOT_STARTED, ("○ not started", "p starts one")),
    ],
)
async def test_a_runner_that_does_not_run(state: RunnerState, words: tuple[str, ...]) -> None:
    async with at_database(watched(make_snapshot(state)), (120, 40)) as eye:
        await eye.until(*words)
        assert "ETA" not in eye.text


async def test_a_runner_on_another_host() -> None:
    async with at_database(watched(make_snapshot(RunnerState.ELSEWHERE, process=ELSEWHERE))) as eye:
        text = await eye.until("↗ on another host", "login2.example.org", "4711")
        assert "p Pause" not in text
        await eye.press("p", "x", "X")
        assert not eye.backend.wishes


async def test_eta_after_a_resume_is_that_of_the_database() -> None:
    async with at_database(watched(make_snapshot(eta_s=990.0))) as eye:
        await eye.until("ETA 16 min")


async def test_news_are_shown() -> None:
    backend = watched(make_snapshot())
    async with at_database(backend) as eye:
        await eye.until("148/400 runs")
        backend.snapshots[DATABASE] = make_snapshot(ok=200)
        await eye.until("200/400 runs", "50 %")


async def test_an_unchanged_database_is_not_read_again() -> None:
    backend = watched(make_snapshot())
    async with at_database(backend) as eye:
        await eye.until("148/400 runs")
        reads = backend.reads
        await eye.pilot.pause(1.6)
        assert backend.reads == reads


async def test_a_database_that_vanishes_is_said_and_found_again() -> None:
    backend = watched(make_snapshot())
    async with at_database(backend) as eye:
        await eye.until("148/400 runs")
        backend.snapshots[DATABASE] = StoreUnusable("/data/x.db: no such file", hint="name a results database (*.db)")
        await eye.until("✗ stale", "The database cannot be read: /data/x.db: no such file", "148/400 runs")
        backend.snapshots[DATABASE] = make_snapshot(ok=149)
        await eye.until("149/400 runs", gone=("cannot be read",))


@pytest.mark.parametrize(
    "error", [StoreUnusable("not a database"), KeyError("[/]"), ValueError("bad JSON"), OSError("io")]
)
async def test_a_database_that_was_never_readable(error: Exception) -> None:
    async with at_database(watched(error)) as eye:
        await eye.until("✗ no database", "The database cannot be read")
        await eye.press("1", "3", "2", "p", "e")
        assert not eye.backend.wishes


async def test_many_nodes_scroll() -> None:
    cards = [make_card(f"node{n:02}") for n in range(1, 65)]
    async with at_database(watched(make_snapshot(nodes=cards))) as eye:
        text = await eye.until("148/400 runs", "node01")
        assert "74/200" in text
        assert "Events" in text


async def test_a_finished_campaign_opens_on_its_results() -> None:
    async with at_database(watched(finished())) as eye:
        await eye.until("✓ finished", "verdict")
        await eye.press("2")
        await eye.until("400/400 runs", "all done", "✓ done", "200/200 ✓")
        assert "p Pause" not in eye.text


@pytest.mark.parametrize("size", [(110, 30), (110, 32), (110, 36), (120, 40)])
async def test_cards_are_never_cut(size: tuple[int, int]) -> None:
    async with at_database(watched(make_snapshot()), size) as eye:
        # What is seen first may be of a layout on its way.
        await eye.until("148/400 runs", "Events")
        await eye.wait(lambda: eye.text.count("╭") == eye.text.count("╰") == 4, "four whole cards")
        await eye.wait(
            lambda: len([line for line in eye.lines if " · " in line and ":" in line[:6]]) >= 2, "room for the log"
        )
