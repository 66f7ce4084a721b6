"""What was picked of a campaign, changed or not, written as a file: it reads back to the same campaign."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.campaigns import TEMPLATE, bundled
from hpcvirt.core.config import Choice, campaign_text, choose, parse_campaign
from hpcvirt.core.errors import CampaignInvalid
from hpcvirt.core.model import Campaign
from hpcvirt.core.plan import make_plan
from tests.core.factories import TOML

TEXTS = {name: path.read_text() for name, path in bundled().items()} | {"small": TOML, "template": TEMPLATE.read_text()}


def alike(campaign: Campaign) -> Campaign:
    """Where a file can only say it otherwise.

    A table that lost some of its claims becomes several, and their numbers count tables; an address is that of a
    kernel, so one of a kernel that was left out has no place.
    """
    kernels = {kernel.name for kernel in campaign.kernels}
    nodes = [
        replace(node, addresses={kernel: host for kernel, host in node.addresses.items() if kernel in kernels})
        for node in campaign.nodes
    ]
    claims = tuple(replace(claim, number=0) for claim in campaign.claims)
    return replace(campaign, claims=claims, nodes=tuple(nodes))


def assert_reads_back(text: str, choice: Choice) -> Campaign:
    wanted = choose(parse_campaign(text), choice)
    written = campaign_text(text, choice, remark="From here.\nNow.")
    found = parse_campaign(written)
    assert alike(found) == alike(wanted)
    assert written.startswith("# From here.\n# Now.\n")
    return found


@pytest.mark.parametrize("name", TEXTS)
def test_a_whole_campaign_is_the_same_plan(name: str) -> None:
    text = TEXTS[name]
    found = assert_reads_back(text, Choice())
    assert make_plan(found).digest == make_plan(parse_campaign(text)).digest


@pytest.mark.parametrize("name", TEXTS)
def test_what_was_picked_of_it(name: str) -> None:
    campaign = parse_campaign(TEXTS[name])
    kernels = tuple(kernel.name for kernel in campaign.kernels[:2])
    assert_reads_back(TEXTS[name], Choice(kernels, (campaign.benchmarks[0].label,), 1, 1, 7, 0.01, 0.005))


def test_changed_parameters_change_label_and_phases_and_leave_claims_out() -> None:
    text = TEXTS["llnl-2006"]
    campaign = parse_campaign(text)
    use = next(use for use in campaign.benchmarks if use.plugin == "stream")
    about = [claim for claim in campaign.claims if claim.benchmark == use.label]
    assert about, "a claim about STREAM: else this tests nothing"
    choice = Choice(parameters=[(use.label, [("ntimes", 12)])])
    found = assert_reads_back(text, choice)
    labels = {one.label for one in found.benchmarks}
    assert use.label not in labels
    assert next(one for one in found.benchmarks if one.plugin == "stream").parameters["ntimes"] == 12
    assert not [claim for claim in found.claims if claim.benchmark not in labels]
    assert len(found.claims) == len(campaign.claims) - len(about)
    assert {label for phase in found.design.phases for label in phase} <= labels


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(alpha=0.0), "analysis.alpha: 0 is not between 0 and 1"),
        (Choice(delta=1.0), "analysis.delta: 1 is not between 0 and 1"),
        (Choice(parameters=[("LABEL", [("ntimes", "x")])]), "is not of type int"),
        (Choice(parameters=[("LABEL", [("ntime", 3)])]), "did you mean 'ntimes'?"),
    ],
)
def test_what_cannot_be_is_refused(choice: Choice, words: str) -> None:
    label = parse_campaign(TOML).benchmarks[0].label
    if choice.parameters:
        choice = replace(choice, parameters=[(label, choice.parameters[0][1])])
    with pytest.raises(CampaignInvalid, match=re.escape(words)):
        campaign_text(TOML, choice)


@given(title=st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=40))
def test_any_text_is_written_so_that_it_reads_back(title: str) -> None:
    text = TOML.replace("[campaign]", "[campaign]\ntitle = 'PLACE'", 1)
    written = campaign_text(text, Choice()).replace('"PLACE"', _quoted(title))
    assert parse_campaign(written).title == title
    assert parse_campaign(campaign_text(written, Choice())).title == title


def _quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(char):08x}" for char in text) + '"'
