"""What a campaign could show, before it starts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpcvirt.core.config import parse_campaign
from hpcvirt.core.model import Order
from hpcvirt.core.prospect import family, prospect
from hpcvirt.core.stats.model import Unit
from hpcvirt.core.stats.power import Spread

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


def test_boots_runs_and_time() -> None:
    told = prospect(CAMPAIGN)
    assert (told.boots, told.runs) == (4 * 3 * 10, 4 * 3 * 50)
    alone = prospect(replace(CAMPAIGN, design=replace(CAMPAIGN.design, at_once=1)))
    assert alone.seconds == pytest.approx(4 * told.seconds)


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


def test_one_block_shows_nothing() -> None:
    assert prospect(replace(CAMPAIGN, design=replace(CAMPAIGN.design, blocks=1))).detectable is None
