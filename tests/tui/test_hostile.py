"""Nothing that comes from a node, a file or an error is obeyed as markup or by the terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpcvirt.core.errors import CampaignInvalid, StoreUnusable
from hpcvirt.core.model import Better
from hpcvirt.core.preflight import Finding, Level
from hpcvirt.core.store.records import BenchmarkRecord, Event, MetricRecord
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.tui.app import HpcvirtApp
from hpcvirt.tui.draft import DraftBenchmark, DraftKernel
from tests.tui.screen_samples import (
    DATABASE,
    ELSEWHERE,
    HOSTILE,
    SampleBackend,
    SampleComparison,
    SampleFlag,
    SampleTable,
    ago,
    finished,
    make_card,
    make_draft,
    make_snapshot,
    watched,
)
from tests.tui.seeing import at_campaign, at_database

FORBIDDEN = {
    *map(chr, range(32)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
}


def assert_harmless(app: HpcvirtApp) -> None:
    """No segment that goes to the terminal holds a control character."""
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            assert segment.control or not FORBIDDEN & set(segment.text), repr(segment.text)


def hostile_snapshot(text: str, state: RunnerState = RunnerState.RUNNING):
    card = make_card(
        text, state=text, detail=text, kernel=text, release=text, benchmark=text, last_metric=text, unit=text
    )
    snapshot = make_snapshot(state, kernels=(text, f"{text}2"), benchmarks=(text or "b",), nodes=[card, replace(card)])
    benchmark = BenchmarkRecord(1, text, text, {}, (MetricRecord(text, text, Better.HIGHER, True),))
    campaign = replace(snapshot.campaign, name=text, title=text, source=text, design=text, replication_unit=text)
    events = tuple(Event(n, text, level, text, text) for n, level in enumerate(("info", "warning", "error", text)))
    process = replace(ELSEWHERE, host=text)
    runner = replace(snapshot.runner, process=process if state is RunnerState.ELSEWHERE else snapshot.runner.process)
    return replace(snapshot, campaign=campaign, benchmarks=(benchmark,), events=events, runner=runner)


def hostile_table(text: str) -> SampleTable:
    row = SampleComparison(
        benchmark=text, metric=text, unit=text, better=text, kernel=text, baseline=text, verdict=text,
        more=3, more_unit=text, flags=(SampleFlag(text, text),),
    )  # fmt: skip
    return SampleTable([row, row], footer=(text,))


@pytest.mark.parametrize(
    ("text", "size"),
    [*((text, (80, 24)) for text in HOSTILE), *((text, (200, 60)) for text in (HOSTILE[0], HOSTILE[-1]))],
    ids=lambda given: ascii(given[:12]) if isinstance(given, str) else None,
)
async def test_live_results_and_setup(text: str, size: tuple[int, int]) -> None:
    backend = watched(hostile_snapshot(text), table=hostile_table(text))
    async with at_database(backend, size) as eye:
        await eye.until("148/400 runs", "Events")
        assert_harmless(eye.app)
        await eye.press("3")
        await eye.until("2 comparisons")
        assert_harmless(eye.app)
        await eye.press("1")
        await eye.until("Frozen when it started")
        assert_harmless(eye.app)
        await eye.press("q")
    assert not (FORBIDDEN - {"\n"}) & set(eye.app.farewell())


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
async def test_what_is_seen_is_the_text_itself(text: str) -> None:
    if not text.startswith("["):
        pytest.skip("only markup is shown as it stands")
    async with at_database(watched(hostile_snapshot(text)), (200, 60)) as eye:
        await eye.until("148/400 runs", f"{text} ✓ proved", f"error: {text}")


@pytest.mark.parametrize("text", HOSTILE[:-1], ids=lambda text: ascii(text[:12]))
async def test_a_campaign_file(text: str) -> None:
    draft = make_draft(
        name=text, title=text, nodes=(text,),
        kernels=(DraftKernel(text, text, text), DraftKernel(f"{text}2", "none", "")),
        benchmarks=(DraftBenchmark(text, text, 1.0),), baseline=text,
    )  # fmt: skip
    async with at_campaign(SampleBackend(draft=draft)) as eye:
        await eye.until("What will happen")
        await eye.press("space")
        await eye.until("stays picked")
        assert_harmless(eye.app)
        await eye.press("s")
        await eye.until("not yet")
        assert_harmless(eye.app)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
async def test_errors(text: str) -> None:
    async with at_campaign(SampleBackend(draft=CampaignInvalid([text, text], hint=text))) as eye:
        await eye.until("Faults")
        assert_harmless(eye.app)
    failing = watched(finished(), table=StoreUnusable(text, hint=text), export_fails=StoreUnusable(text, hint=text))
    async with at_database(failing) as eye:
        await eye.until("cannot be computed")
        await eye.press("e")
        await eye.until("Nothing was exported")
        assert_harmless(eye.app)
        failing.snapshots[DATABASE] = StoreUnusable(text, hint=text)
        await eye.until("stale")
        await eye.press("2")
        await eye.until("cannot be read")
        assert_harmless(eye.app)


@pytest.mark.parametrize("state", [RunnerState.STOPPED, RunnerState.CRASHED, RunnerState.ELSEWHERE, RunnerState.PAUSED])
async def test_banners(state: RunnerState) -> None:
    async with at_database(watched(hostile_snapshot("[/]\x1b[31m\u202e", state))) as eye:
        await eye.until("148/400 runs")
        assert_harmless(eye.app)


async def test_a_moment_that_is_none() -> None:
    events = [Event(1, "", "info", None, "a"), Event(2, ago(-1e9), "info", None, "b")]
    async with at_database(watched(make_snapshot(events=events, nodes=[make_card(since="never")]))) as eye:
        await eye.until("--:--:--")


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
async def test_what_a_check_found_on_a_node(text: str) -> None:
    findings = tuple(Finding(level, text, text, text) for level in Level)
    async with at_campaign(SampleBackend(findings=findings)) as eye:
        await eye.until("What will happen")
        await eye.press("c")
        await eye.wait(lambda: len(eye.app.screen_stack) > 1, "the findings")
        await eye.pilot.pause()
        assert_harmless(eye.app)
