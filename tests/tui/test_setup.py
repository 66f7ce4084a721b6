from __future__ import annotations

from pathlib import Path

import pytest

from hpcvirt.core.errors import CampaignInvalid, CompilerMissing
from hpcvirt.core.preflight import Finding, Level
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.tui.draft import Draft
from hpcvirt.tui.screens.save import SaveDialog
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
from tests.tui.seeing import SIZES, at_campaign, hit, looking


@pytest.mark.parametrize("size", SIZES)
async def test_says_what_will_happen(size: tuple[int, int]) -> None:
    async with at_campaign(size=size) as eye:
        text = await eye.until("What will happen", "starts it", "s Start")
        for word in ("[■] ● native", "baseline", "[x] ○ native-again", "[x] stream", "Runs", "50", "Blocks", "10"):
            assert word in text
        assert "80 boots" in text
        assert "400 runs" in text
        assert "no node is rebooted" in text
        assert "about 2 min" in text
        assert "s Start" in eye.lines[-1]


async def test_s_twice_asks_once_and_starts_once() -> None:
    async with at_campaign() as eye:
        await eye.until("400 runs", "s Start")
        await eye.hammer("s", "s")
        await eye.until("Start local-lab?")
        assert len(eye.app.screen_stack) == 2
        await eye.press("y")
        await eye.until("▶ running")
        assert len(eye.backend.started) == 1


async def test_a_key_that_comes_before_a_dialog_is_drawn_is_its_first() -> None:
    answers: list[str | None] = []
    async with at_campaign() as eye:
        await eye.until("400 runs", "s Start")
        hit(eye.app, "enter")
        eye.app.push_screen(SaveDialog("Save", "mine", "here"), answers.append)
        await eye.wait(lambda: answers == ["mine.toml"])


async def test_picking_changes_the_outlook() -> None:
    async with at_campaign() as eye:
        await eye.until("400 runs")
        await eye.press("down", "space")
        text = await eye.until("200 runs", "[ ] ○ native-again")
        assert "compared with nothing" in text


async def test_the_baseline_cannot_be_unpicked() -> None:
    async with at_campaign() as eye:
        await eye.until("400 runs")
        await eye.press("space")
        await eye.until("native is the baseline and stays picked.")
        assert "[■] ● native" in eye.text


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


async def test_a_check_shows_every_finding_and_what_mends_it() -> None:
    findings = (
        Finding(Level.PASS, "node1", "login shell quiet"),
        Finding(Level.WARNING, "node2", "something runs there: load 3.5 [/]", "ssh node2 top"),
        Finding(Level.FAILURE, "node3", "node3 (node3): no answer within 15 s", "is it up? ping node3"),
    )
    async with at_campaign(SampleBackend(findings=findings)) as eye:
        await eye.until("400 runs", "c checks the nodes")
        await eye.press("c")
        text = await eye.until("Check of local-lab", "It could not begin", "✓ ok", "node1: login shell quiet")
        assert "✗ fault" in text
        assert "node3: node3" not in text
        assert "node2: something runs there: load 3.5 [/]" in text
        assert "-> ssh node2 top" in text
        assert text.index("no answer") < text.index("something runs") < text.index("quiet")
        await eye.press("escape")
        await eye.until("What will happen", gone=("Check of local-lab",))


async def test_a_check_that_cannot_be_made_is_said() -> None:
    failing = SampleBackend(findings=CompilerMissing("the lab did not start", hint="why?"))
    async with at_campaign(failing) as eye:
        await eye.until("400 runs")
        await eye.press("c")
        await eye.until("The nodes could not be checked", "the lab did not start")


# -- changed in place


async def test_parameters_are_edited_and_checked_while_typing() -> None:
    async with at_campaign() as eye:
        await eye.until("400 runs")
        await eye.press("e")
        text = await eye.until("Parameters of stream", "array_size", "a whole number from 1000 to 1e+09", "program")
        assert "a STREAM of your own [/]" in text
        await eye.press("end", *["backspace"] * 7, *"5x")
        await eye.until("✗ '5x' is not of type int")
        await eye.press("enter")
        await eye.until("Parameters of stream")
        await eye.press("backspace")
        await eye.until("✗ 5 is below 1000")
        await eye.press(*"000", "down", "down", "down", "end", "backspace", "3")
        await eye.until("✗ three threads never: [/]")
        await eye.press("backspace", "2", "enter")
        await eye.until("What will happen", "edited", gone=("Parameters of stream",))
        await eye.press("s")
        await eye.until("Start local-lab?", "stream array_size=5000 ntimes=10 threads=2")
        await eye.press("y")
        await eye.until("▶ running")
        [(_, pick)] = eye.backend.started
        assert pick.parameters == ((STREAM, (("array_size", 5000), ("threads", 2))),)
        assert pick.benchmarks == (STREAM,)


async def test_parameters_set_back_are_no_change() -> None:
    async with at_campaign() as eye:
        await eye.until("400 runs")
        await eye.press("e", "down", "end", "1", "enter")
        await eye.until("edited")
        await eye.press("e")
        await eye.until("101")
        await eye.press("down", "end", "backspace", "enter")
        await eye.until("What will happen", gone=("edited", "Parameters of"))
        await eye.press("e", "end", "7", "escape")
        await eye.until("What will happen", gone=("edited", "Parameters of"))


async def test_alpha_and_delta_are_edited() -> None:
    async with at_campaign() as eye:
        await eye.until("alpha 0.05; within ±2 %")
        await eye.press("tab", "tab", "tab", "tab", *"0.01", "tab", *"0.005")
        await eye.until("alpha 0.01; within ±0.5 %")
        await eye.press(*["backspace"] * 5)
        await eye.until("Cannot start", "delta: give a number between 0 and 1")
        await eye.press("1", ".", ".")
        await eye.until("Cannot start", "delta: give a number between 0 and 1")


async def test_a_schedule_is_shown_before_anything_starts() -> None:
    async with at_campaign() as eye:
        await eye.until("400 runs")
        await eye.press("v")
        await eye.until("Schedule of local-lab", "block 1 node1: native -> native-again")
        await eye.press("escape")
        await eye.until("What will happen", gone=("Schedule of",))
    async with at_campaign(SampleBackend(plan=CompilerMissing("no plan [/]"))) as eye:
        await eye.until("400 runs")
        await eye.press("v")
        await eye.until("There is no schedule", "no plan [/]")


async def test_a_pick_is_saved_as_a_campaign_file() -> None:
    async with at_campaign() as eye:
        await eye.until("400 runs")
        await eye.press("down", "space", "w")
        await eye.until("Save as a campaign file", "local-lab.toml")
        await eye.press("end", *["backspace"] * 14, "enter")
        await eye.until("✗ a file needs a name")
        await eye.press(*"mine", "enter")
        await eye.until("written: ", "mine.toml")
        [(pick, target)] = eye.backend.campaigns
        assert pick.kernels == ("native",)
        assert target == Path.cwd() / "mine.toml"


async def test_a_file_that_is_there_is_asked_about() -> None:
    async with at_campaign(SampleBackend(there=(Path.cwd() / "local-lab.toml",))) as eye:
        await eye.until("400 runs")
        await eye.press("w", "enter")
        await eye.until("Replace it?", "local-lab.toml is there already")
        await eye.press("n")
        await eye.until("What will happen", gone=("Replace it?",))
        assert not eye.backend.campaigns
        await eye.press("w", "enter")
        await eye.until("Replace it?")
        await eye.press("y")
        await eye.wait(lambda: eye.backend.campaigns)


async def test_a_check_says_in_the_lists_where_each_could_run() -> None:
    findings = (
        *(Finding(Level.PASS, f"node{n}", "login shell quiet") for n in (1, 2, 3)),
        Finding(Level.FAILURE, "node4", "no answer"),
        Finding(Level.FAILURE, "node2", "is not in kernel native-again", "boot it", "kernel native-again"),
    )
    async with at_campaign(SampleBackend(findings=findings), (120, 40)) as eye:
        await eye.until("400 runs")
        await eye.press("c")
        await eye.until("It could not begin")
        await eye.press("escape")
        await eye.until("✗ not on node2, ? node4")
        assert "[■] ● native  baseline · ? node4" in eye.text
        assert "not on node2" in eye.line("native-again")
