"""What a pick means, before anything runs."""

from __future__ import annotations

from dataclasses import replace

from hpcvirt.core.preflight import Finding, Level
from hpcvirt.tui.draft import Forecast, availability, changed, faults, outlook, shown_label, whole
from tests.tui.screen_samples import STREAM, make_draft, paper_draft


def words(draft, pick) -> str:
    return "\n".join(f"{line.what}: {line.how}" for line in outlook(draft, pick))


def test_the_whole_local_lab() -> None:
    draft = make_draft()
    told = words(draft, whole(draft))
    assert "4 nodes: node1, node2, node3, node4 (embedded lab on this machine)" in told
    assert "80 boots: 2 kernels × 10 blocks on each node; no node is rebooted" in told
    assert "400 runs: 50 per kernel, benchmark and node; 5 in each boot" in told
    assert "about 2 min: 1 node at a time" in told
    assert "against native, alpha 0.05; within ±2 % is equivalent" in told


def test_rebooting_kernels_are_named() -> None:
    draft = paper_draft()
    assert "into chaos, rhel4-2.6.9" in words(draft, whole(draft))
    assert "all nodes at the same time" in words(draft, whole(draft))


def test_runs_that_do_not_divide() -> None:
    draft = make_draft()
    assert "4–5 in each boot" in words(draft, replace(whole(draft), runs=42))


def test_one_kernel_is_compared_with_nothing() -> None:
    draft = make_draft()
    assert "native alone is compared with nothing" in words(draft, replace(whole(draft), kernels=("native",)))


def test_faults_say_what_to_do() -> None:
    draft = make_draft()
    pick = whole(draft)
    assert not faults(draft, pick)
    assert "pick at least one" in faults(draft, replace(pick, benchmarks=()))[0]
    assert "runs: give a number" in faults(draft, replace(pick, runs=None))[0]
    assert "blocks: give a number" in faults(draft, replace(pick, blocks=0))[0]
    assert "60 blocks need at least as many runs, not 50" in faults(draft, replace(pick, blocks=60))[0]
    assert "sequential" in faults(replace(draft, is_sequential=True), pick)[0]


def test_only_what_was_changed_is_handed_on() -> None:
    draft = make_draft()
    pick = whole(draft)
    assert changed(draft, pick).runs is None
    told = changed(draft, replace(pick, kernels=("native",), runs=20))
    assert (told.kernels, told.benchmarks, told.runs, told.blocks) == (("native",), None, 20, None)
    assert changed(draft, replace(pick, benchmarks=(STREAM,))).benchmarks is None


def test_levels_and_parameters_are_handed_on_as_far_as_they_were_changed() -> None:
    draft = make_draft()
    pick = replace(whole(draft), alpha=0.05, delta=0.01, parameters=((STREAM, (("ntimes", 5),)),))
    told = changed(draft, pick)
    assert (told.alpha, told.delta, told.parameters) == (None, 0.01, ((STREAM, (("ntimes", 5),)),))
    assert shown_label(draft.benchmarks[0], pick) == "stream array_size=2000000 ntimes=5 threads=1"
    assert "within ±1 %" in words(draft, pick)
    assert "alpha: give a number between 0 and 1" in faults(draft, replace(pick, alpha=1.0))[0]


def test_where_each_could_run() -> None:
    draft = make_draft(nodes=("a", "b"))
    passed = [Finding(Level.PASS, node, "quiet") for node in ("a", "b")]
    assert set(availability(draft, passed).values()) == {"✓ on 2 nodes"}
    lacking = Finding(Level.FAILURE, "b", "there is no gcc", about="benchmark stream")
    assert availability(draft, [*passed, lacking])[STREAM] == "✗ not on b"
    assert availability(draft, passed[:1])["native"] == "? b"
    only_warned = Finding(Level.WARNING, "b", "small", about="benchmark stream")
    assert availability(draft, [*passed, only_warned])[STREAM] == "✓ on 2 nodes"


FORECAST = Forecast(
    boots=160,
    reboots=80,
    runs=250,
    warmups=120,
    phases=2,
    seconds=7200.0,
    are_boots_counted=False,
    detectable=0.0123,
    with_one_block_more=0.011,
    seconds_of_one_block_more=720.0,
    boot_sd=0.02,
    run_sd=0.005,
    is_measured=False,
    warnings=("xen and chaos differ in memory too: 2048 MiB, 4096 MiB",),
)


def test_what_it_can_show_and_what_one_more_block_buys() -> None:
    draft = make_draft(forecast=lambda pick: FORECAST)
    told = words(draft, whole(draft))
    assert "about 2 h" in told
    assert "reboots not counted" in told
    assert "finds 1.2 %: at 80 % power after Holm, if boots vary by 2 %, runs by 0.5 % (assumed)" in told
    assert "one more block: finds 1.1 %, for about 12 min" in told
    assert "mind: xen and chaos differ in memory too: 2048 MiB, 4096 MiB" in told


def test_both_ends_are_shown_where_it_is_not_known_what_nodes_have_in_common() -> None:
    draft = make_draft(forecast=lambda pick: replace(FORECAST, at_best=0.0061, after="on raw p"))
    told = words(draft, whole(draft))
    assert "finds 0.61–1.2 %: at 80 % power on raw p, if boots vary by 2 %, runs by 0.5 % (assumed); more the" in told


def test_counts_are_those_of_the_forecast() -> None:
    wide = replace(make_draft().benchmarks[0], label="wide", is_wide=True)
    draft = make_draft(
        forecast=lambda pick: FORECAST,
        benchmarks=(*make_draft().benchmarks, wide),
        kernels=(make_draft().kernels[0], replace(make_draft().kernels[1], boot="grub", reboots=True)),
    )
    told = words(draft, whole(draft))
    assert "160 boots: 2 kernels × 10 blocks × 2 phases on each node\n" in told
    assert "80 reboots: node1, node2, node3, node4 into native-again, 20 times each" in told
    assert "250 runs: 50 per kernel, benchmark, on each node or over all; 5 in each boot" in told
    assert "120 warm-up runs: kept and marked, not analysed" in told
    assert "50 per kernel, benchmark, over all nodes" in words(draft, replace(whole(draft), benchmarks=("wide",)))


def test_a_pick_that_has_no_forecast_gets_no_numbers() -> None:
    draft = make_draft(forecast=lambda pick: None)
    [line] = outlook(draft, whole(draft))
    assert line.is_fault
    assert "a check says why" in line.how


def test_what_was_measured_before_is_marked() -> None:
    measured = tuple(replace(one, is_measured=True) for one in make_draft().benchmarks)
    forecast = replace(FORECAST, are_boots_counted=True, is_measured=True)
    draft = make_draft(benchmarks=measured, forecast=lambda pick: forecast)
    told = words(draft, whole(draft))
    assert "1 node at a time; as measured before\n" in told
    assert "(as before)" in told
