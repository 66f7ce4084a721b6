"""What a campaign could show, before it starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hpcvirt.campaigns import bundled
from hpcvirt.core.config import parse_campaign, read_campaign
from hpcvirt.core.confounds import confounds
from hpcvirt.core.experience import Experience, learn
from hpcvirt.core.model import Expect, Order, Scope, Settle
from hpcvirt.core.prospect import family, prospect
from hpcvirt.core.stats.comparing import planned_pairs
from hpcvirt.core.stats.model import Settings, Unit
from hpcvirt.core.stats.power import Spread
from hpcvirt.core.store.setups import Setup
from tests.core.factories import STREAM, campaign, do_run, ended, new_database

TEXT = """
[campaign]
name = "small"
[design]
runs = 50
[analysis]
baseline = "a"
contrasts = [["c", "b"]]
[lab]
nodes = 4
[[kernel]]
name = "a"
[[kernel]]
name = "b"
[[kernel]]
name = "c"
[[benchmark]]
plugin = "stream"
"""
CAMPAIGN = parse_campaign(TEXT)


def test_the_family_is_primary_metrics_times_pairs() -> None:
    assert family(CAMPAIGN) == 4 * 3


@pytest.mark.parametrize(
    ("contrasts", "distinct"),
    [
        ((("c", "b"), ("c", "b")), 3),
        ((("b", "a"), ("c", "b")), 3),
        ((("b", "a"),), 2),
        # The other way round it is the same test.
        ((("a", "b"),), 2),
        ((("c", "b"), ("b", "c")), 3),
    ],
)
def test_a_pair_that_is_named_twice_is_tested_once(contrasts: tuple[tuple[str, str], ...], distinct: int) -> None:
    analysis = replace(CAMPAIGN.analysis, contrasts=contrasts)
    assert family(replace(CAMPAIGN, analysis=analysis)) == 4 * distinct
    settings = Settings(baseline=analysis.baseline, contrasts=contrasts)
    assert len(planned_pairs([kernel.name for kernel in CAMPAIGN.kernels], settings)) == distinct


def test_boots_runs_and_time() -> None:
    told = prospect(CAMPAIGN)
    assert (told.boots, told.runs) == (4 * 3 * 10, 4 * 3 * 50)
    alone = prospect(replace(CAMPAIGN, design=replace(CAMPAIGN.design, at_once=1)))
    assert alone.seconds == pytest.approx(4 * told.seconds)
    for at_once, waves in ((3, 2), (4, 1), (9, 1)):
        some = prospect(replace(CAMPAIGN, design=replace(CAMPAIGN.design, at_once=at_once)))
        assert some.seconds == pytest.approx(waves * told.seconds)


def test_more_blocks_show_smaller_differences() -> None:
    told = prospect(CAMPAIGN)
    assert told.detectable is not None
    assert told.detectable_with_one_block_more is not None
    assert 0 < told.detectable_with_one_block_more < told.detectable
    wilder = prospect(CAMPAIGN, Spread(boot=0.03, run=0.01))
    assert wilder.detectable is not None
    assert wilder.detectable > 2 * told.detectable


def test_one_boot_a_kernel_is_said_to_be_that() -> None:
    told = prospect(replace(CAMPAIGN, design=replace(CAMPAIGN.design, order=Order.SEQUENTIAL, blocks=1)))
    assert told.unit is Unit.RUN
    assert told.detectable_with_one_block_more is None


def test_one_kernel_alone_shows_nothing() -> None:
    alone = replace(CAMPAIGN, kernels=CAMPAIGN.kernels[:1], analysis=replace(CAMPAIGN.analysis, contrasts=()))
    assert prospect(alone).detectable is None


def test_one_block_is_compared_by_runs_as_the_analysis_does() -> None:
    told = prospect(replace(CAMPAIGN, design=replace(CAMPAIGN.design, blocks=1)))
    assert (told.unit, {power.unit for power in told.powers}) == (Unit.RUN, {Unit.RUN})
    sequential = prospect(replace(CAMPAIGN, design=replace(CAMPAIGN.design, order=Order.SEQUENTIAL, blocks=1)))
    assert told.detectable is not None
    assert told.detectable == sequential.detectable
    assert told.detectable_with_one_block_more is None


def test_one_block_that_got_another_is_compared_by_blocks() -> None:
    extended = replace(CAMPAIGN, design=replace(CAMPAIGN.design, blocks=1, added_blocks=1))
    assert prospect(extended).unit is Unit.NODE_BLOCK


# -- what earlier databases teach


def known(**changes: object) -> Experience:
    return replace(Experience(), **changes)  # type: ignore[arg-type]


def test_times_are_those_measured_before_and_marked_so() -> None:
    label = CAMPAIGN.benchmarks[0].label
    told = prospect(CAMPAIGN, known=known(run_s={label: 2.0}))
    assert (told.seconds, told.measured) == (pytest.approx(2.0 * 50 * 3), 1)
    assert told.seconds_of_one_block_more == pytest.approx(2.0 * 5 * 3)
    assert prospect(CAMPAIGN).measured == 0


def test_warm_up_and_settling_cost_time_and_show_nothing() -> None:
    label = CAMPAIGN.benchmarks[0].label
    longer = replace(CAMPAIGN, design=replace(CAMPAIGN.design, warmup=2, settle_s=10.0))
    told = prospect(longer, known=known(run_s={label: 1.0}))
    assert told.seconds == pytest.approx((50 + 2 * 10) * 3 + 10 * 3 * 10)
    assert (told.runs, told.warmups) == (4 * 3 * 50, 4 * 3 * 20)
    assert told.detectable == prospect(CAMPAIGN).detectable


def test_a_kernel_that_settles_longer_than_the_design_costs_its_own_time() -> None:
    design = replace(CAMPAIGN.design, settle_s=10.0)
    first, second, third = CAMPAIGN.kernels
    kernels = (replace(first, settle=Settle(seconds=30.0)), replace(second, settle=Settle(seconds=5.0)), third)
    told = prospect(replace(CAMPAIGN, design=design, kernels=kernels))
    before = prospect(CAMPAIGN)
    assert told.seconds - before.seconds == pytest.approx((30 + 10 + 10) * 10)
    assert told.seconds_of_one_block_more - before.seconds_of_one_block_more == pytest.approx(30 + 10 + 10)


def test_reboots_are_counted_once_they_were_timed() -> None:
    booted = replace(CAMPAIGN, kernels=tuple(replace(kernel, boot="grub") for kernel in CAMPAIGN.kernels))
    assert not prospect(booted).are_boots_counted
    assert prospect(booted).reboots == 4 * 3 * 10
    timed = known(boot_s={"a": 60.0, "b": 60.0, "c": 120.0})
    told = prospect(booted, known=timed)
    assert told.are_boots_counted
    assert told.seconds == pytest.approx(prospect(booted).seconds + 10 * 240)


def test_the_variation_is_that_measured_before() -> None:
    told = prospect(CAMPAIGN, known=known(spread=Spread(boot=0.03, run=0.01)))
    assert told.spread.boot == 0.03
    assert told.detectable == prospect(CAMPAIGN, Spread(boot=0.03, run=0.01)).detectable


def test_metrics_that_are_not_kept_are_in_no_family() -> None:
    one = replace(CAMPAIGN, benchmarks=(replace(CAMPAIGN.benchmarks[0], metrics=("copy",)),))
    assert family(one) == 3


def test_moving_together_costs_what_runs_on_each_node_alone() -> None:
    wide = replace(
        CAMPAIGN.benchmarks[0], parameters={"array_size": 1000, "ntimes": 2, "threads": 1}, scope=Scope.CLUSTER
    )
    both = replace(CAMPAIGN, benchmarks=(CAMPAIGN.benchmarks[0], wide))
    alone, together = prospect(both).powers
    assert (alone.scope, alone.unit, together.scope, together.unit) == (
        Scope.NODE,
        Unit.BLOCK,
        Scope.CLUSTER,
        Unit.BLOCK,
    )
    assert alone.detectable is not None
    assert alone.apart is not None
    assert alone.apart < alone.detectable
    assert together.apart is None
    phased = replace(both, design=replace(both.design, phases=tuple((use.label,) for use in both.benchmarks)))
    first, _ = prospect(phased).powers
    assert (first.unit, first.detectable, first.apart) == (Unit.NODE_BLOCK, alone.apart, None)
    assert prospect(phased).boots == 2 * prospect(both).boots
    assert prospect(both).runs == (4 + 1) * 3 * 50


def test_a_database_of_these_nodes_teaches_times_and_variation(tmp_path: Path) -> None:
    told = campaign(nodes=("node1",), runs=8, blocks=4)
    database, plan = new_database(tmp_path / "small.db", told)
    for run in plan.runs:
        value = 100.0 + run.boot.id + 0.1 * (run.number % 2)
        do_run(database, run.id, f"a{run.id}", ended(value=value, elapsed_s=1.0))
    database.close()
    found = learn([tmp_path / "none.db", tmp_path / "small.db"], told)
    assert set(found.run_s) == {told.benchmarks[0].label}
    assert found.databases == (tmp_path / "small.db",)
    assert found.spread is not None
    assert found.spread.boot > 5 * found.spread.run > 0
    elsewhere = replace(told, nodes=(replace(told.nodes[0], host="other"),))
    assert learn([tmp_path / "small.db"], elsewhere) == Experience()


# -- in what else kernels differ

GUEST = Expect(release="2.6.12-xen*", cpus=4, memory_mib=(1900, 2048), storage="ext3 /dev/xvda*")
HOST = Expect(release="2.6.12*", cpus=4, memory_mib=(3800, 4096), storage="ext3 /dev/sda*")


def test_differences_that_are_declared_are_named_by_themselves() -> None:
    kernels = (
        replace(CAMPAIGN.kernels[0], expect=HOST),
        replace(CAMPAIGN.kernels[1], expect=GUEST),
        CAMPAIGN.kernels[2],
    )
    found = confounds(replace(CAMPAIGN, kernels=kernels))
    assert [(one.kernel, one.versus, one.what) for one in found] == [
        ("b", "a", "memory"),
        ("b", "a", "version"),
        ("b", "a", "storage"),
    ]
    assert (found[0].value, found[0].other, found[0].is_seen) == ("1900-2048 MiB", "3800-4096 MiB", False)


def test_differences_that_were_seen_count_more() -> None:
    def setup(kernel: str, cpus: int, memory_kib: int) -> Setup:
        return Setup(kernel, "node1", {"identity.cpus": str(cpus), "identity.memory_kib": str(memory_kib)})

    kernels = tuple(replace(kernel, expect=replace(HOST, release=None)) for kernel in CAMPAIGN.kernels)
    seen = [setup("a", 4, 4_000_000), setup("b", 2, 4_010_000), setup("c", 4, 2_000_000)]
    found = confounds(replace(CAMPAIGN, kernels=kernels), seen)
    assert [(one.kernel, one.versus, one.what, one.value, one.is_seen) for one in found] == [
        ("b", "a", "CPUs", "2", True),
        ("c", "a", "memory", "1953 MiB", True),
        ("c", "b", "CPUs", "4", True),
        ("c", "b", "memory", "1953 MiB", True),
    ]


def test_one_block_more_is_worth_something_by_the_papers_method_too() -> None:
    told = campaign()
    told = replace(told, analysis=replace(told.analysis, method="paper"))
    found = prospect(told)
    assert found.unit is Unit.RUN
    assert found.detectable is not None
    assert found.detectable_with_one_block_more is not None
    assert found.detectable_with_one_block_more < found.detectable


# -- as verdicts are given


@pytest.mark.parametrize(
    ("method", "correction", "corrected"),
    [
        (None, "holm", True),
        (None, "bh", True),
        (None, "none", False),
        ("paper", "holm", False),
        ("blocked", "holm", True),
    ],
)
def test_the_level_is_the_one_that_verdicts_go_by(method: str | None, correction: str, corrected: bool) -> None:
    analysis = replace(CAMPAIGN.analysis, method=method, correction=correction)
    told = prospect(replace(CAMPAIGN, analysis=analysis))
    assert told.correction == (correction if corrected else "none")
    alone = replace(analysis, contrasts=(), correction="none", alpha=0.05 / 12 if corrected else 0.05)
    assert told.detectable == prospect(replace(CAMPAIGN, analysis=alone)).detectable


def test_the_papers_plan_is_not_given_a_correction_that_it_does_not_make() -> None:
    paper = read_campaign(bundled()["llnl-2006"]).campaign
    told = prospect(paper)
    assert (paper.analysis.method, paper.analysis.correction, told.correction) == ("paper", "none", "none")
    alone = next(power for power in told.powers if power.scope is Scope.NODE)
    assert alone.detectable == pytest.approx(0.00281, abs=0.00001)


def test_what_nodes_have_in_common_gives_two_ends_until_it_is_known() -> None:
    use = CAMPAIGN.benchmarks[0]
    both = replace(
        CAMPAIGN, benchmarks=(use, replace(use, parameters={**use.parameters, "ntimes": 5}, scope=Scope.CLUSTER))
    )
    unknown, wide = prospect(both).powers
    ends = [prospect(both, Spread(shared=shared)).powers[0].detectable for shared in (0.0, 1.0)]
    assert [unknown.at_best, unknown.detectable] == ends
    assert prospect(both).at_best == prospect(both, Spread(shared=0.0)).detectable
    assert wide.at_best is None
    measured = prospect(both, Spread(shared=0.4))
    assert measured.at_best is None
    assert ends[0] is not None
    assert ends[1] is not None
    assert ends[0] < (measured.powers[0].detectable or 0.0) < ends[1]
    assert prospect(CAMPAIGN).at_best is None


def test_what_nodes_have_in_common_is_learnt_where_they_moved_together(tmp_path: Path) -> None:
    other = replace(STREAM, parameters={**STREAM.parameters, "ntimes": 3})
    for shared, scope in ((1.0, Scope.CLUSTER), (None, Scope.NODE)):
        path = tmp_path / f"{scope}.db"
        told = campaign(benchmarks=(STREAM, replace(other, scope=scope)), runs=12, blocks=6)
        database, plan = new_database(path, told)
        for run in plan.runs:
            # what a boot draws is the same on both nodes; runs differ a little
            boot = 100 + (7 * run.boot.block + 3 * len(run.boot.kernel)) % 5
            do_run(database, run.id, f"a{run.id}", ended(value=boot + 0.001 * (run.id % 3)))
        database.close()
        found = learn([path], told).spread
        assert found is not None
        assert found.shared == (None if shared is None else pytest.approx(shared, abs=0.01))
