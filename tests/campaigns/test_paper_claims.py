"""What the paper says of one kernel against another: the claims of llnl-2006 are as wide as that, and no wider."""

from __future__ import annotations

from itertools import product

from hpcvirt.campaigns import bundled
from hpcvirt.core.config import read_campaign
from hpcvirt.core.model import Claim, Expected

XEN, CHAOS, OLD, NEW = "xen-3.0.1", "chaos", "rhel4-2.6.9", "rhel4-2.6.12"
XEN_TO_EACH = [(XEN, CHAOS), (XEN, OLD), (XEN, NEW)]
CHAOS_TO_EACH = [(CHAOS, OLD), (CHAOS, NEW), (CHAOS, XEN)]
ALL_SIX = [*XEN_TO_EACH, (OLD, CHAOS), (NEW, CHAOS), (NEW, OLD)]
FASTER, SLOWER, SAME, NO_OVERHEAD = Expected.FASTER, Expected.SLOWER, Expected.NOT_SIGNIFICANT, Expected.NO_OVERHEAD

OPERATIONS = "copy scale add triad"
SEQUENTIAL = "seq_out_char seq_out_block seq_rewrite seq_in_char seq_in_block"
NPB = "time mops_total"
ALL = ""

FINDINGS = [
    # 4.1
    ("stream", ALL, OPERATIONS, CHAOS_TO_EACH, FASTER, None),
    ("stream", ALL, OPERATIONS, [(XEN, NEW)], FASTER, (1, 2)),
    ("stream", ALL, OPERATIONS, [(XEN, OLD)], Expected.SMALLER, None),
    # 4.2
    ("bonnie", "100 500 1000", "seq_out_char seq_out_block seq_rewrite", [(XEN, CHAOS)], FASTER, None),
    ("bonnie", "1000", "seq_rewrite rand_seeks", [(XEN, CHAOS)], SLOWER, None),
    ("bonnie", "100 500 1000", "seq_out_char seq_in_char", ALL_SIX, SAME, None),
    ("bonnie", "100 500 1000", "seq_in_block", XEN_TO_EACH, SLOWER, (-17, -11)),
    # 5.1
    ("npb", "ep is mg", NPB, ALL_SIX, SAME, None),
    ("npb", "ep is mg", NPB, XEN_TO_EACH, NO_OVERHEAD, None),
    ("npb", "lu", "time", [(NEW, CHAOS)], SLOWER, (4, 6)),
    ("npb", "lu", "mops_total", [(NEW, CHAOS)], SLOWER, (-6, -4)),
    ("npb", "lu", NPB, [(OLD, CHAOS), (XEN, CHAOS)], SAME, None),
    ("npb", "lu", NPB, [(XEN, NEW)], FASTER, None),
    ("npb", "cg", "time", CHAOS_TO_EACH, SAME, (4, 6)),
    ("npb", "cg", "mops_total", CHAOS_TO_EACH, SAME, (-6, -4)),
    ("npb", "ep is mg lu cg", NPB, XEN_TO_EACH, SAME, None),
    # 5.2
    ("mitgcm", ALL, "real", [(XEN, CHAOS)], FASTER, None),
    ("mitgcm", ALL, "real", XEN_TO_EACH, SAME, None),
    ("mitgcm", ALL, "real", [(XEN, OLD), (XEN, NEW)], Expected.EQUIVALENT, None),
    ("mitgcm", ALL, "user sys", XEN_TO_EACH, Expected.DIFFERENT, None),
    # 1 and 7
    ("stream", ALL, OPERATIONS, XEN_TO_EACH, NO_OVERHEAD, None),
    ("bonnie", "100 500 1000", SEQUENTIAL, XEN_TO_EACH, NO_OVERHEAD, None),
    ("npb", "lu cg", NPB, XEN_TO_EACH, NO_OVERHEAD, None),
]
"""Benchmark, sizes or codes, metrics, pairs, what is expected, and by how many %."""


def problem(label: str) -> str:
    """The size or the code in a benchmark's label; nothing where there is but one."""
    told = dict(word.partition("=")[::2] for word in label.split()[1:])
    return told.get("size_mib", told.get("code", ALL))


def row(claim: Claim) -> tuple[object, ...]:
    plugin, what = claim.benchmark.split()[0], problem(claim.benchmark)
    return plugin, what, claim.metric, claim.kernel, claim.versus, claim.expect, claim.between


def test_the_claims_are_what_the_paper_says_and_no_more() -> None:
    said = {
        (plugin, what, metric, *pair, expect, band)
        for plugin, problems, metrics, pairs, expect, band in FINDINGS
        for what, metric, pair in product(problems.split() or [ALL], metrics.split(), pairs)
    }
    claimed = {row(claim) for claim in read_campaign(bundled()["llnl-2006"]).campaign.claims}
    assert claimed == said


def test_the_gain_over_one_kernel_is_compared_with_that_over_another() -> None:
    claims = read_campaign(bundled()["llnl-2006"]).campaign.claims
    assert {claim.reference for claim in claims if claim.expect is Expected.SMALLER} == {NEW}
    assert {claim.reference for claim in claims if claim.expect is not Expected.SMALLER} == {None}


def test_contradictions_of_the_paper_say_so() -> None:
    """Both statements are claims, and one of the two names the other."""
    claims = read_campaign(bundled()["llnl-2006"]).campaign.claims
    by_cell: dict[tuple[str, ...], set[Expected]] = {}
    titles: dict[tuple[str, ...], str] = {}
    for claim in claims:
        cell = claim.benchmark, claim.metric, claim.kernel, claim.versus
        by_cell.setdefault(cell, set()).add(claim.expect)
        titles[cell] = titles.get(cell, "") + claim.title
    contrary = [{FASTER, SLOWER}, {FASTER, SAME}, {SLOWER, SAME}, {SLOWER, NO_OVERHEAD}]
    cells = [cell for cell, told in by_cell.items() if any(two <= told for two in contrary)]
    assert {cell[0].split()[0] for cell in cells} == {"bonnie", "npb", "mitgcm"}
    assert [cell for cell in cells if "contradict" not in titles[cell]] == []
