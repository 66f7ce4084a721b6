"""Claims: one statement for each metric, benchmark and pair, checked before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from hpcvirt.core import plan
from hpcvirt.core.config import Choice, campaign_text, choose, parse_campaign
from hpcvirt.core.errors import CampaignInvalid
from hpcvirt.core.model import Claim, Expected, Published
from tests.core.factories import TOML

MATRIX = TOML + "parameters = { array_size = [1000, 2000], ntimes = 2 }\n"
CLAIM = """
[[claim]]
claim = "the other is slower"
benchmark = "stream"
parameters = { array_size = 2000 }
metric = "triad"
kernel = "other"
versus = "native"
expect = "slower"
between = [-17, -11.5]
source = "4.2"
published = { mean = 237.0, sd = 12, n = 50 }
"""


def faults_of(text: str) -> tuple[str, ...]:
    with pytest.raises(CampaignInvalid) as caught:
        parse_campaign(text, "f.toml")
    return tuple(fault.removeprefix("f.toml: ") for fault in caught.value.faults)


def test_everything_of_a_claim_arrives() -> None:
    assert parse_campaign(MATRIX + CLAIM).claims == (
        Claim(
            number=1,
            title="the other is slower",
            benchmark="stream array_size=2000 ntimes=2 threads=1",
            metric="triad",
            kernel="other",
            versus="native",
            expect=Expected.SLOWER,
            between=(-17.0, -11.5),
            source="4.2",
            published=Published(237.0, 12.0, 50),
        ),
    )


def test_lists_and_all_fitting_uses_make_a_claim_each() -> None:
    text = CLAIM.replace("parameters = { array_size = 2000 }\n", "").replace('"triad"', '["copy", "add"]')
    claims = parse_campaign(MATRIX + text).claims
    assert len(claims) == 2 * 2
    assert {claim.number for claim in claims} == {1}
    wide = CLAIM.replace("array_size = 2000", "array_size = [1000, 2000]")
    assert len(parse_campaign(MATRIX + wide).claims) == 2


AMONG = """
[[claim]]
claim = "no two differ"
benchmark = "stream"
parameters = { array_size = 2000 }
metric = "triad"
among = ["native", "other", "third"]
expect = "no-significant-difference"
"""
THREE = MATRIX.replace("[[kernel]]", '[[kernel]]\nname = "third"\n\n[[kernel]]', 1)


def test_each_two_of_several_kernels_once() -> None:
    claims = parse_campaign(THREE + AMONG).claims
    assert [(claim.kernel, claim.versus) for claim in claims] == [
        ("other", "native"),
        ("third", "native"),
        ("third", "other"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"third"]', '"thrid"]', "claim[1].among: 'thrid' is not among the kernels; did you mean 'third'?"),
        ('"third"]', '"other"]', "claim[1].among: 'other' stands there twice"),
        ('["native", "other", "third"]', '["native"]', "claim[1].among: "),
        ("expect", 'kernel = "other"\nexpect', "claim[1].among: it stands in place of kernel and versus"),
        ("expect", "between = [-1, 1]\nexpect", "claim[1].among: between and published are of one kernel"),
        ("no-significant-difference", "no-significant-overhead", "claim[1].among: no-significant-overhead says which"),
        ("no-significant-difference", "faster", "claim[1].among: faster says which of two"),
        ('among = ["native", "other", "third"]', 'versus = "other"', "claim[1].kernel: field required"),
        ('among = ["native", "other", "third"]', 'kernel = "other"', "claim[1].versus: field required"),
    ],
)
def test_a_fault_of_a_claim_among_several(old: str, new: str, fault: str) -> None:
    assert old in AMONG
    found = faults_of(THREE + AMONG.replace(old, new, 1))
    assert any(one.startswith(fault) for one in found), found


SMALLER = CLAIM.replace('"slower"', '"smaller-difference"\nreference = "third"').replace("[-17, -11.5]", "[-1, 0]")


def test_a_difference_is_compared_with_that_from_a_third_kernel() -> None:
    (claim,) = parse_campaign(THREE + SMALLER).claims
    assert (claim.kernel, claim.versus, claim.reference, claim.expect) == ("other", "native", "third", Expected.SMALLER)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"third"', '"thrid"', "claim[1].reference: 'thrid' is not among the kernels; did you mean 'third'?"),
        ('"third"', '"native"', "claim[1].reference: 'native' is kernel or versus already"),
        ('"third"', '"other"', "claim[1].reference: 'other' is kernel or versus already"),
        ('reference = "third"\n', "", "claim[1].reference: it goes with smaller-difference"),
        ("smaller-difference", "slower", "claim[1].reference: it goes with smaller-difference"),
    ],
)
def test_a_fault_of_a_reference(old: str, new: str, fault: str) -> None:
    found = faults_of(THREE + SMALLER.replace(old, new, 1))
    assert any(one.startswith(fault) for one in found), found


def test_a_claim_goes_with_its_reference() -> None:
    told = parse_campaign(THREE + SMALLER)
    assert choose(told, Choice(kernels=("native", "other"))).claims == ()
    assert choose(told, Choice(kernels=("native", "other", "third"))).claims == told.claims


def test_of_kernels_among_themselves_those_that_are_chosen_stay() -> None:
    choice = Choice(kernels=("third", "native"))
    told = choose(parse_campaign(THREE + AMONG), choice)
    assert [(claim.kernel, claim.versus) for claim in told.claims] == [("third", "native")]
    assert parse_campaign(campaign_text(THREE + AMONG, choice)).claims == told.claims


def test_a_claim_without_a_reference_leaves_the_plan_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Campaigns that were begun before there were references go on."""
    told: list[Any] = []
    monkeypatch.setattr(plan, "canonical_json", lambda value: told.append(value) or "")
    for text in (CLAIM, SMALLER):
        plan.make_plan(parse_campaign(THREE + text))
    assert ["reference" in claim for campaign, _ in told for claim in campaign["claims"]] == [False, True]


@pytest.mark.parametrize("expect", [one for one in Expected if one is not Expected.SMALLER])
def test_each_thing_that_can_be_claimed(expect: Expected) -> None:
    text = CLAIM.replace('"slower"', f'"{expect}"').replace("between = [-17, -11.5]\n", "")
    (claim,) = parse_campaign(MATRIX + text).claims
    assert (claim.expect, claim.between) == (expect, None)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('benchmark = "stream"', 'benchmark = "strem"', "claim[1].benchmark: 'strem' is not among the benchmarks; did"),
        ("array_size = 2000", "array_sise = 2000", "claim[1].parameters.array_sise: stream has no such parameter; did"),
        ("array_size = 2000", "array_size = 3000", "claim[1].parameters: no stream of this campaign has these values"),
        ('metric = "triad"', 'metric = "traid"', "claim[1].metric: stream keeps no 'traid'; did you mean 'triad'?"),
        ('metric = "triad"', "metric = []", "claim[1].metric: "),
        ('kernel = "other"', 'kernel = "othr"', "claim[1].kernel: 'othr' is not among the kernels; did you mean"),
        ('versus = "native"', 'versus = "other"', "claim[1].versus: 'other' is compared with itself"),
        ('versus = "native"', 'versus = ["native", "x"]', "claim[1].versus: 'x' is not among the kernels"),
        ('expect = "slower"', 'expect = "slow"', "claim[1].expect: "),
        ('expect = "slower"', 'expect = "faster"', "claim[1].between: [-17.0, -11.5] is not faster: of triad"),
        ("[-17, -11.5]", "[-11, -17]", "claim[1].between: [-11.0, -17.0]: the lowest stands first"),
        ("[-17, -11.5]", "[-17]", "claim[1].between: "),
        ("[-17, -11.5]", "[-170, 0]", "claim[1].between[1]: "),
        ("sd = 12", "sd = -1", "claim[1].published.sd: "),
        ("n = 50", "n = 0", "claim[1].published.n: "),
        ("source", "sorce", "claim[1].sorce: unknown key; did you mean 'source'?"),
        ("sd = 12", "ds = 12", "claim[1].published.ds: unknown key"),
    ],
)
def test_a_fault_of_a_claim(old: str, new: str, fault: str) -> None:
    assert old in CLAIM
    found = faults_of(MATRIX + CLAIM.replace(old, new, 1))
    assert any(one.startswith(fault) for one in found), found


def test_a_claim_about_a_metric_that_is_not_kept() -> None:
    found = faults_of(MATRIX + 'metrics = ["copy"]\n' + CLAIM)
    assert found == ("claim[1].metric: stream keeps no 'triad' (known: copy)",)


def test_claims_about_what_is_not_chosen_are_left_out() -> None:
    told = parse_campaign(MATRIX + CLAIM)
    assert choose(told, Choice(kernels=("native",))).claims == ()
    assert choose(told, Choice(benchmarks=(told.benchmarks[0].label,))).claims == ()
    assert choose(told, Choice(benchmarks=(told.benchmarks[1].label,))).claims == told.claims
