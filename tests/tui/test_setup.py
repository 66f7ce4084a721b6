from __future__ import annotations

from pathlib import Path

import pytest

from hpcvirt.core.errors import CampaignInvalid, CompilerMissing
from hpcvirt.core.store.records import RunnerState
from hpcvirt.tui.draft import Draft
from tests.tui.screen_samples import (
    DATABASE,
    ELSEWHERE,
    PAPER,
    STREAM,
    SampleBackend,
    finished,
    make_draft,
    make_snapshot,
    paper_draft,
)
from tests.tui.seeing import SIZES, at_campaign, looking


@pytest.mark.parametrize("size", SIZES)
async def test_says_what_will_happen(size: tuple[int, int]) -> None:
    async with at_campaign(size=size) as eye:
        text = await eye.until("What will happen", "starts it", "s Start")
        for word in ("[■] native", "baseline", "[x] native-again", "[x] stream", "Runs", "50", "Blocks", "10"):
            assert word in text
        assert "80 boots" in text
        assert "400 runs" in text
        assert "no node is rebooted" in text
        assert "about 2 min" in text
        assert "s Start" in eye.lines[-1]


async def test_picking_changes_the_outlook() -> None:
    async with at_campaign() as eye:
        await eye.until("400 runs")
        await eye.press("down", "space")
        text = await eye.until("200 runs", "[ ] native-again")
        assert "compared with nothing" in text


async def test_the_baseline_cannot_be_unpicked() -> None:
    async with at_campaign() as eye:
        await eye.until("400 runs")
        await eye.press("space")
        await eye.until("native is the baseline and stays picked.")
        assert "[■] native" in eye.text


async def test_no_benchmark_is_a_fault_in_words() -> None:
    async with at_campaign() as eye:
        await eye.until("400 runs")
        await eye.press("tab", "space")
        await eye.until("Cannot start", "pick at least one")
        assert "s Start" not in eye.lines[-1]
        await eye.press("s")
        assert not eye.backend.started


async def test_numbers_are_checked_while_typing() -> None:
    async with at_campaign() as eye:
        await eye.until("400 runs")
        await eye.press("tab", "tab", "2", "0")
        await eye.until("160 runs", "2 in each boot")
        await eye.press("tab", "6", "0")
        await eye.until("60 blocks need at least as many runs, not 20")
        await eye.press("backspace", "backspace")
        await eye.until("blocks: give a number")


async def test_letters_reach_the_keys_from_a_number_field() -> None:
    async with at_campaign() as eye:
        await eye.until("400 runs")
        await eye.press("tab", "tab", "3", "0", "s")
        text = await eye.until("Start local-lab?")
        assert "30 per kernel" in text


async def test_starts_after_asking_once() -> None:
    async with at_campaign() as eye:
        await eye.until("400 runs")
        await eye.press("down", "space", "s")
        text = await eye.until("Start local-lab?", "y", "n")
        assert "200 runs" in text
        assert not eye.backend.started
        await eye.press("y")
        await eye.until("▶ running", "ETA unknown")
        [(draft, pick)] = eye.backend.started
        assert draft.name == "local-lab"
        assert pick.kernels == ("native",)
        assert pick.benchmarks == (STREAM,)
        assert eye.app.state.database == DATABASE


@pytest.mark.parametrize("key", ["n", "escape"])
async def test_no_is_no(key: str) -> None:
    async with at_campaign() as eye:
        await eye.until("400 runs")
        await eye.press("s")
        await eye.until("Start local-lab?")
        await eye.press(key)
        await eye.until("What will happen", gone=("Start local-lab?",))
        assert not eye.backend.started


async def test_a_start_that_fails_stays_said() -> None:
    failing = SampleBackend(start_fails=CompilerMissing("no C compiler on this machine", hint="apt-get install gcc"))
    async with at_campaign(failing) as eye:
        await eye.until("400 runs")
        await eye.press("s", "y")
        text = await eye.until("It did not start", "no C compiler on this machine", "apt-get install gcc")
        assert "s Start" in text


async def test_faults_of_a_campaign_are_a_list_with_remedies() -> None:
    faults = [
        "lab.toml: design.runs: should be greater than 0, not [/]",
        "lab.toml: kernel[2].boots: did you mean 'boot'?",
    ]
    async with at_campaign(SampleBackend(draft=CampaignInvalid(faults, hint="see docs/campaign.md"))) as eye:
        text = await eye.until("Faults")
        assert "✗  lab.toml: design.runs: should be greater than 0, not [/]" in text
        assert "did you mean 'boot'?" in text
        assert "see docs/campaign.md" in text
        await eye.press("s")
        assert not eye.backend.started


async def test_a_plugin_that_raises_anything_is_said() -> None:
    class Broken(SampleBackend):
        def load_draft(self, path: Path) -> Draft:
            raise ZeroDivisionError("[/] in a plugin")

    async with at_campaign(Broken()) as eye:
        await eye.until("Faults", "ZeroDivisionError: [/] in a plugin")


async def test_attaches_to_a_campaign_that_runs() -> None:
    backend = SampleBackend(snapshots={Path("/old.db"): finished(), DATABASE: make_snapshot()})
    async with at_campaign(backend) as eye:
        await eye.until("148/400 runs", "▶ running")
        assert eye.app.state.database == DATABASE
        await eye.press("1")
        await eye.until("Frozen when it started", "nothing of it can be changed")


@pytest.mark.parametrize("state", [RunnerState.STOPPED, RunnerState.FAILED, RunnerState.CRASHED])
async def test_tells_of_an_unfinished_campaign(state: RunnerState) -> None:
    async with at_campaign(SampleBackend(snapshots={DATABASE: make_snapshot(state)})) as eye:
        text = await eye.until("400 runs", "An unfinished campaign of this name")
        assert str(state) in text
        assert eye.app.state.database is None


async def test_tells_of_a_runner_on_another_host() -> None:
    away = make_snapshot(RunnerState.ELSEWHERE, process=ELSEWHERE)
    async with at_campaign(SampleBackend(snapshots={DATABASE: away})) as eye:
        await eye.until("login2.example.org")


async def test_a_database_that_cannot_be_read_is_no_obstacle() -> None:
    from hpcvirt.core.errors import StoreUnusable

    backend = SampleBackend(snapshots={Path("/bad.db"): StoreUnusable("bad"), DATABASE: make_snapshot()})
    async with at_campaign(backend) as eye:
        await eye.until("148/400 runs")


async def test_many_benchmarks_and_a_sequential_design() -> None:
    draft = paper_draft()
    async with at_campaign(SampleBackend(draft=draft)) as eye:
        text = await eye.until("What will happen")
        assert all(f"npb {label[-2:]}" in text for label in PAPER)
        assert "160 boots" in text
    async with at_campaign(SampleBackend(draft=make_draft(is_sequential=True, blocks=1))) as eye:
        await eye.until("8 boots")


async def test_a_finished_campaign_can_be_started_again_from_its_file() -> None:
    from tests.tui.screen_samples import CAMPAIGN

    backend = SampleBackend(snapshots={DATABASE: finished()})
    async with looking(backend, campaign=CAMPAIGN, database=DATABASE) as eye:
        await eye.until("verdict")
        await eye.press("1")
        await eye.until("What will happen", "starts it")
