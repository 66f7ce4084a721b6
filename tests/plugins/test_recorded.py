"""Every recorded output is read right, cut anywhere it is no other result, and noise changes nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcvirt.core.benchmark import Output, Report, load
from hpcvirt.core.model import Status
from tests.plugins.recordings import PLUGINS, Case, cases, parse, printed, report_text, with_report

GOOD = [case for case in cases() if case.is_good]
STATUSES = {Status.OK, Status.FAILED, Status.UNVERIFIED, Status.UNPARSABLE}
MORE_THAN_EXPECTED = {f"{name}_cpu" for name in ("seq_out_char", "seq_out_block", "seq_rewrite", "seq_in_char")}
MORE_THAN_EXPECTED |= {"seq_in_block_cpu", "rand_seeks_cpu", "RandomlyOrderedRingLatency_usec"}
"""Metrics that the expected files leave out."""

NOISE = [
    b"mpirun noticed nothing unusual",
    "srun : étape créée — Avertissement: 12,5 %".encode(),
    b"Warning: Permanently added '10.0.0.1' (ED25519) to the list of known hosts.",
    b"\x1b[2K\x1b]0;title\x07",
    b"",
    b"--------------------------------------------------------------------------",
    b"[node01:12345] 3 more processes have sent help message help-mpi-btl-base.txt / btl:no-nics",
    b"progress 10%\rprogress 100%",
    b"\xff\xfe\x00",
    b"1,2,3,4,5,6,7,8,9,10,11,12,13,14",
]


def told(case: Case) -> str:
    return f"{case.folder}/{case.name}"


def test_all_are_there() -> None:
    assert len(cases()) == 282
    assert {case.folder for case in cases()} == PLUGINS.keys()


def expected_of(report: Report) -> dict[str, dict[str, object]]:
    return {name: value for name, value in printed(report).items() if name not in MORE_THAN_EXPECTED}


@pytest.mark.parametrize("case", cases(), ids=told)
def test_recorded(case: Case) -> None:
    report, expected = parse(case), case.expected
    assert report.status == expected["status"], report.reason
    assert bool(report.reason) == (report.status is not Status.OK)
    assert expected_of(report) == expected["metrics"]
    assert set(report.not_measured) == set(expected.get("not_measured", ()))
    runs = [(one.status, expected_of(one), set(one.not_measured)) for one in report.runs]
    assert runs == [(x["status"], x["metrics"], set(x.get("not_measured", ()))) for x in expected.get("runs", ())]


@pytest.mark.parametrize("case", cases(), ids=told)
def test_units_are_those_of_the_metrics(case: Case) -> None:
    plugin, report = load(case.plugin), parse(case)
    units = {metric.name: metric.unit for metric in plugin.metrics}
    assert {n: r.normalised_unit for n, r in report.readings.items() if n in units}.items() <= units.items()
    if plugin.metrics and report.status is Status.OK:
        primary = {metric.name for metric in plugin.metrics if metric.primary}
        assert primary <= report.readings.keys() | set(report.not_measured)


def ends(text: bytes) -> Iterator[int]:
    """Where to cut: everywhere in a short text; in a long one at every line's end, near it, and at random."""
    if len(text) <= 3000:
        yield from range(len(text))
        return
    newlines = [i for i, byte in enumerate(text) if byte == 10][-60:]
    yield from sorted({max(at + off, 0) for at in newlines for off in (-1, 0, 1)} - {len(text)})
    yield from range(len(text) - 300, len(text))
    yield from random.Random(len(text)).choices(range(len(text)), k=40)


def shortest() -> list[Case]:
    """Of each folder the shorter good ones: longer ones of one kind are alike."""
    by_folder = {folder: [case for case in GOOD if case.folder == folder] for folder in PLUGINS}
    short = [sorted(some, key=lambda case: len(report_text(case.output())))[:8] for some in by_folder.values()]
    merged = [
        case
        for case in GOOD
        if case.name in {"big_4000M_human_run1", "timerflag_mpi34_mg.W", "warn_btl_missing_component"}
    ]
    return [case for some in short for case in some if case.name != "exp2_merged_time_p"] + merged


@pytest.mark.parametrize("case", shortest(), ids=told)
def test_a_cut_output_is_no_result_or_the_whole_one(case: Case) -> None:
    output = case.output()
    text, whole = report_text(output), printed(parse(case))
    for end in ends(text):
        report = parse(case, with_report(output, text[:end]))
        assert report.status is not Status.OK or printed(report) == whole, text[:end][-200:]


def test_where_time_follows_in_the_same_text_only_its_absence_is_a_result() -> None:
    case = next(case for case in GOOD if case.name == "exp2_merged_time_p")
    text = report_text(case.output())
    at = text.index(b"real ")
    own = {name: value for name, value in printed(parse(case)).items() if name.endswith("_time")}
    for end in range(at - 60, len(text)):
        report = parse(case, Output(text[:end], b"", 0))
        if end == at:
            assert (report.status, printed(report)) == (Status.OK, own)
        else:
            assert report.status is not Status.OK, text[:end][-60:]


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("case", shortest()[::3], ids=told)
def test_lines_of_others_between(case: Case, noise: bytes) -> None:
    output = case.output()
    lines = report_text(output).splitlines(keepends=True)
    step = max(1, len(lines) // 400)
    noisy = b"".join(line + (noise + b"\n" if i % step == 0 else b"") for i, line in enumerate(lines))
    report = parse(case, with_report(output, noisy))
    assert (report.status, printed(report)) == (Status.OK, printed(parse(case))), report.reason


@pytest.mark.parametrize("newline", [b"\r\n", b"\x1b[0m\r\n", b"\x1b[0m\n"])
@pytest.mark.parametrize("prefix", [b"", b"\x1b[32m"])
@pytest.mark.parametrize("case", shortest()[::2], ids=told)
def test_terminals(case: Case, prefix: bytes, newline: bytes) -> None:
    output = case.output()
    text = b"".join(prefix + line + newline for line in report_text(output).splitlines())
    report = parse(case, with_report(output, text))
    assert (report.status, printed(report)) == (Status.OK, printed(parse(case))), report.reason


@pytest.mark.parametrize("prefix", [b"[1,0]<stdout>:", b"Sun Nov 22 13:05:23 2026<stdout>:", b"node1: ", b"0: "])
@pytest.mark.parametrize("case", [case for case in shortest()[::2] if case.folder != "time"], ids=told)
def test_words_before_each_line(case: Case, prefix: bytes) -> None:
    output = case.output()
    text = b"".join(prefix + line + b"\n" for line in report_text(output).splitlines())
    report = parse(case, with_report(output, text))
    assert (report.status, printed(report)) == (Status.OK, printed(parse(case))), report.reason


@pytest.mark.parametrize("case", [c for c in shortest() if report_text(c.output()).count(b"\n") > 12][::3], ids=told)
def test_a_second_report_that_is_cut_is_no_result(case: Case) -> None:
    output = case.output()
    text = report_text(output)
    half = text[: text.index(b"\n", len(text) // 3) + 1]
    if case.folder in {"bonniepp", "bonnie_classic"}:
        half = text[: text.index(b"\n", text.index(b"Machine" if b"Machine" in text else b"Name:Size")) + 1]
    report = parse(case, with_report(output, text + half))
    assert report.status is not Status.OK


@pytest.mark.parametrize("case", shortest()[::3], ids=told)
def test_of_two_reports_the_last_counts_offline_and_none_in_a_campaign(case: Case) -> None:
    output = case.output()
    text = report_text(output)
    twice = with_report(output, text + text)
    assert parse(case, twice).status is Status.OK
    assert len(parse(case, twice).runs) == 2
    if case.plugin != "command":
        report = load(case.plugin).parse(twice, {"nothing": 0})
        assert (report.status, "more than one report" in report.reason) == (Status.FAILED, True)


@pytest.mark.parametrize("case", shortest()[::4], ids=told)
def test_a_hole_or_a_bad_exit_is_no_result(case: Case) -> None:
    output = case.output()
    hole = Output(output.stdout, output.stderr, 0, truncated=True, files=output.files)
    killed = Output(output.stdout, output.stderr, 137, files=output.files)
    assert (parse(case, hole).status, parse(case, hole).readings) == (Status.FAILED, {})
    assert parse(case, killed).status is Status.FAILED
    assert "SIGKILL" in parse(case, killed).reason


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_damaged_output_never_raises(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(shortest()))
    output = case.output()
    text = report_text(output)[-6000:]
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    damaged = (
        text[:start]
        + data.draw(st.binary(max_size=40) | st.text("0123456789.,+-:=einfa \n").map(str.encode))
        + text[end:]
    )
    parameters = data.draw(
        st.sampled_from([None, {}, {"ranks": 2, "threads": 2, "class": "A", "size_mib": 100, "p": 1}])
    )
    report = load(case.plugin).parse(with_report(output, damaged), parameters)
    assert report.status in STATUSES


@settings(deadline=None)
@given(st.binary(max_size=400), st.sampled_from(sorted(set(PLUGINS.values()))))
def test_rubbish_is_never_ok_and_never_raises(rubbish: bytes, plugin: str) -> None:
    for parameters in (None, {"ranks": 1}):
        report = load(plugin).parse(Output(rubbish, rubbish, 0), parameters)
        assert report.status in STATUSES
        assert report.status is not Status.OK or plugin == "command"
