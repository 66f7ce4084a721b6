"""STREAM: reading every layout, refusing everything that is no whole result, building our own program."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcvirt.core.benchmark import Output, Report, complete, load
from hpcvirt.core.errors import BuildFailed, CompilerMissing
from hpcvirt.core.model import Better, Scope, Status, Value
from hpcvirt.plugins.stream import Stream, build

RECORDED = Path(__file__).parent / "outputs" / "stream"
CASES = sorted(path.name.removesuffix(".expected.json") for path in RECORDED.glob("*.expected.json"))
KERNELS = ("copy", "scale", "add", "triad")
SMALL: dict[str, Value] = {"array_size": 20_000, "ntimes": 3, "threads": 1, "cpus": "", "program": ""}
PAPER: dict[str, Value] = {"array_size": 2_000_000, "ntimes": 10, "threads": 1, "cpus": "", "program": ""}
GOOD = (RECORDED / "ser_2M_run2.out").read_bytes()
GOOD_RATES = {"copy": 30161.3, "scale": 25560.4, "add": 27776.8, "triad": 27085.5}

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")


def parse(
    stdout: bytes, parameters: Mapping[str, Value] | None = None, *, rc: int = 0, truncated: bool = False
) -> Report:
    return Stream().parse(Output(stdout, b"", rc, truncated), parameters)


def rates(report: Report) -> dict[str, float]:
    return {name: reading.value for name, reading in report.readings.items()}


def table(header: str, *rows: str, end: str = "Solution Validates\n") -> bytes:
    return ("\n".join([header, *rows]) + "\n" + end).encode()


RMS = "Function      Rate (MB/s)   RMS time     Min time     Max time"
AVG = "Function      Rate (MB/s)   Avg time     Min time     Max time"
OLD_ROWS = (
    "Copy:         220.6927       0.1457       0.1450       0.1466",
    "Scale:        215.8473       0.1485       0.1483       0.1488",
    "Add:          266.8000       0.1805       0.1799       0.1813",
    "Triad:        243.0946       0.1978       0.1975       0.1983",
)
OLD_RATES = {"copy": 220.6927, "scale": 215.8473, "add": 266.8, "triad": 243.0946}


# --- recorded outputs


def recorded(case: str) -> tuple[Output, dict[str, Any]]:
    stdout, stderr = ((RECORDED / f"{case}.{end}").read_bytes() for end in ("out", "err"))
    rc = int((RECORDED / f"{case}.rc").read_text())
    return Output(stdout, stderr, rc), json.loads((RECORDED / f"{case}.expected.json").read_text())


def test_there_are_recorded_cases() -> None:
    assert len(CASES) >= 24


@pytest.mark.parametrize("case", CASES)
def test_recorded(case: str) -> None:
    output, expected = recorded(case)
    report = Stream().parse(output)
    assert report.status == expected["status"], report.reason
    assert bool(report.reason) == (report.status is not Status.OK)
    got = {name: {"value": reading.value, "unit": reading.unit} for name, reading in report.readings.items()}
    assert got == expected["metrics"]
    assert {report.readings[name].normalised_unit for name in report.readings.keys() & set(KERNELS)} <= {"MB/s"}


@pytest.mark.parametrize("case", ["ser_2M_run2", "omp_10M_t2", "fortran_stream_f", "fail_validation_20k_verbose"])
def test_a_cut_output_is_no_result_or_the_whole_one(case: str) -> None:
    whole, expected = recorded(case)
    wanted = {name: value["value"] for name, value in expected["metrics"].items()}
    for end in range(len(whole.stdout)):
        report = parse(whole.stdout[:end])
        assert report.status is not Status.OK or rates(report) == wanted
        assert rates(report).items() <= wanted.items()


def test_a_shown_signal_and_what_stderr_said_are_in_the_reason() -> None:
    report = Stream().parse(Output(b"", b"x\n\x1b[31mslurmstepd: error: oom\n", 137))
    assert report.reason == "exit status 137 (SIGKILL): \ufffd[31mslurmstepd: error: oom"


# --- layouts


def test_the_oldest_layout_has_no_validation() -> None:
    report = parse(table(RMS, *OLD_ROWS, end=""))
    assert (report.status, rates(report)) == (Status.UNVERIFIED, OLD_RATES)


def test_stream_5_8_validates() -> None:
    report = parse(table(AVG, *OLD_ROWS))
    assert (report.status, rates(report)) == (Status.OK, OLD_RATES)


def test_the_words_of_the_first_versions() -> None:
    words = ("Assignment:", "Scaling   :", "Summing   :", "SAXPYing  :")
    rows = [word + row.partition(":")[2] for word, row in zip(words, OLD_ROWS, strict=True)]
    assert rates(parse(table(RMS, *rows))) == OLD_RATES


def test_gigabytes_are_read_as_such() -> None:
    report = parse(table(AVG.replace("MB/s", "GB/s"), *OLD_ROWS))
    triad = report.readings["triad"]
    assert report.status is Status.OK
    assert (triad.value, triad.unit, triad.normalised_unit) == (243.0946, "GB/s", "MB/s")
    assert triad.normalised == pytest.approx(243_094.6)


@pytest.mark.parametrize("unit", ["Mb/s", "Furlongs/s", "mB/s"])
def test_an_unknown_unit_is_not_guessed(unit: str) -> None:
    report = parse(table(AVG.replace("MB/s", unit), *OLD_ROWS))
    assert (report.status, report.readings) == (Status.UNPARSABLE, {})


def test_rates_without_a_header_have_no_unit() -> None:
    report = parse(table("", *OLD_ROWS))
    assert (report.status, report.readings) == (Status.UNPARSABLE, {})


@pytest.mark.parametrize("rate", ["243,0946", "1.2.3", "0x1p3", "243.0946MB", "1_000", "٣"])
def test_a_number_that_is_none_is_not_read(rate: str) -> None:
    report = parse(table(AVG, *OLD_ROWS[:3], OLD_ROWS[3].replace("243.0946", rate)))
    assert (report.status, "triad" in report.readings) == (Status.UNPARSABLE, False)


@pytest.mark.parametrize("rate", ["inf", "Infinity", "nan", "********", "0.0", "-1.0", "1e999"])
def test_what_was_too_fast_for_the_clock_is_not_measured(rate: str) -> None:
    report = parse(table(AVG, *(row.replace(row.split()[1], rate) for row in OLD_ROWS)))
    assert (report.status, report.readings) == (Status.UNVERIFIED, {})
    partly = parse(table(AVG, *OLD_ROWS[:3], OLD_ROWS[3].replace("243.0946", rate)))
    assert (partly.status, set(partly.readings)) == (Status.UNVERIFIED, {"copy", "scale", "add"})


SIZE = "Array size = 2000000, Offset = 0\n"
DOUBLE = "This system uses 8 bytes per DOUBLE PRECISION word.\n"
DOUBLE_F = " Assuming 8 bytes per DOUBLE PRECISION word\n"


@pytest.mark.parametrize("told", ["", DOUBLE, DOUBLE_F])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("MB/s", "GB/s"),
        ("MB/s", "KB/s"),
        ("2000000", "2000001"),
        ("2000000", "20000000"),
        ("220.6927", "22.0692"),
        ("220.6927", "210.4690"),
        ("Avg time     Min time", "Min time     Avg time"),
    ],
)
def test_a_rate_that_contradicts_time_and_bytes(told: str, old: str, new: str) -> None:
    text = (told + SIZE).encode() + table(AVG, *OLD_ROWS)
    assert (parse(text).status, rates(parse(text))) == (Status.OK, OLD_RATES)
    report = parse(text.replace(old.encode(), new.encode()))
    if new == "2000001":  # within what four digits can tell
        assert report.status is Status.OK
    else:
        assert (report.status, "copy" in report.readings) == (Status.UNPARSABLE, False)
        assert "bytes" in report.reason


@pytest.mark.parametrize(("width", "status"), [(4, Status.OK), (8, Status.UNPARSABLE), (None, Status.OK)])
def test_elements_of_single_precision(width: int | None, status: Status) -> None:
    told = "" if width is None else f"This system uses {width} bytes per array element.\n"
    assert parse((told + "Array size = 4000000\n").encode() + table(AVG, *OLD_ROWS)).status is status


def test_digits_are_the_tolerance_and_no_more() -> None:
    """0.001061 s may be 0.0010605 to 0.0010615 s: of 32 MB that is 30146.0 to 30174.4 MB/s."""
    for rate, status in {
        "30161.3": Status.OK,
        "30174.4": Status.OK,
        "30174.6": Status.UNPARSABLE,
        "30145.9": Status.UNPARSABLE,
    }.items():
        assert parse(GOOD.replace(b"30161.3", rate.encode())).status is status, rate


def test_each_report_is_compared_with_its_own_size() -> None:
    fortran = (RECORDED / "fortran_stream_f.out").read_bytes()
    report = parse(GOOD + fortran + GOOD)
    assert [one.status for one in report.runs] == [Status.OK] * 3
    wrong = parse(GOOD + fortran.replace(b"13220.9", b"1322.09") + GOOD)
    assert [one.status for one in wrong.runs] == [Status.OK, Status.UNPARSABLE, Status.OK]


def test_exponents_of_fortran() -> None:
    rows = [*OLD_ROWS[:3], OLD_ROWS[3].replace("243.0946", "0.243D+03")]
    assert rates(parse(table(AVG, *rows)))["triad"] == 243.0
    assert parse(SIZE.encode() + table(AVG, *rows)).status is Status.OK
    assert parse(SIZE.encode() + table(AVG, *rows).replace(b"D+03", b"D+02")).status is Status.UNPARSABLE


def test_a_row_cut_after_its_rate_makes_no_result() -> None:
    report = parse(table(AVG, *OLD_ROWS[:3], OLD_ROWS[3].rpartition(" ")[0]))
    assert (report.status, rates(report)) == (Status.UNVERIFIED, OLD_RATES)
    alone = parse(table(AVG, *OLD_ROWS[:3], "Triad: 243"))
    assert (alone.status, "triad" in alone.readings) == (Status.UNPARSABLE, False)


def test_a_kernel_that_is_missing_is_a_failure() -> None:
    assert parse(table(AVG, *OLD_ROWS[:3])).status is Status.FAILED


def test_a_failed_validation_keeps_what_was_printed() -> None:
    report = parse(table(AVG, *OLD_ROWS, end="Failed Validation on array a[]\n        Expected  : 1.0\n"))
    assert (report.status, rates(report)) == (Status.FAILED, OLD_RATES)
    assert (
        parse(table(AVG, *OLD_ROWS, end="Failed Validation on array c[]\nSolution Validates\n")).status is Status.FAILED
    )


def test_nothing_counts_after_a_bad_exit_or_with_a_hole() -> None:
    assert parse(GOOD, rc=1).status is Status.FAILED
    hole = parse(GOOD, truncated=True)
    assert (hole.status, hole.readings) == (Status.FAILED, {})


# --- noise

NOISE = [
    b"mpirun noticed nothing unusual",
    "srun : étape créée — Avertissement: 12,5 %".encode(),
    b"Warning: Permanently added '10.0.0.1' (ED25519) to the list of known hosts.",
    b"\x1b[2K\x1b]0;title\x07",
    b"",
    b"progress 10%\rprogress 100%",
    b"\xff\xfe\x00",
    b"Triad was here: 99999.9",
]


@pytest.mark.parametrize("noise", NOISE)
def test_lines_of_others_between(noise: bytes) -> None:
    stdout = b"".join(line + noise + b"\n" for line in GOOD.splitlines(keepends=True))
    assert (report := parse(stdout, PAPER)).status is Status.OK, report.reason
    assert rates(report) == GOOD_RATES


@pytest.mark.parametrize(
    "prefix",
    [b"[1,0]<stdout>:", b"Fri Nov 22 23:08:00 2024<stdout>:", b"0: ", b"node1: ", b"2.2.14\t", b"\x1b[32m", b"   "],
)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\x1b[0m\r\n"])
def test_words_before_each_line(prefix: bytes, newline: bytes) -> None:
    stdout = b"".join(prefix + line + newline for line in GOOD.splitlines())
    assert (report := parse(stdout, PAPER)).status is Status.OK, report.reason
    assert rates(report) == GOOD_RATES


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_rubbish_is_never_ok_and_never_raises(rubbish: bytes) -> None:
    assert parse(rubbish).status is not Status.OK
    assert parse(rubbish, PAPER).status is not Status.OK


@settings(deadline=None)
@given(st.data())
def test_a_damaged_output_never_raises(data: st.DataObject) -> None:
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(GOOD))] * 2)))
    stdout = GOOD[:start] + data.draw(st.binary(max_size=40)) + GOOD[end:]
    report = parse(stdout, data.draw(st.sampled_from([None, PAPER, {}])))
    assert report.status in {Status.OK, Status.FAILED, Status.UNVERIFIED, Status.UNPARSABLE}
    assert report.status is not Status.OK or set(report.readings) == set(KERNELS)


@settings(deadline=None)
@given(st.text("0123456789.,-+*:eEdDinfa \n\r", max_size=200))
def test_rubbish_in_the_table_never_raises(text: str) -> None:
    parse(f"Array size = {text}\n{AVG}\nCopy: {text}\nScale: {text}\n".encode(), PAPER)


def test_a_large_output_of_something_else_is_quickly_refused() -> None:
    stdout = b"Function Rate " * 200_000 + b"\n" + b"Copy:" * 200_000 + b"\n"
    begun = time.perf_counter()
    assert parse(stdout).status is not Status.OK
    assert time.perf_counter() - begun < 5


# --- several reports, and the problem that was asked for


def test_of_several_reports_the_last_counts_offline_and_none_in_a_campaign() -> None:
    stdout = (RECORDED / "ser_2M_run3.out").read_bytes() + GOOD
    assert (parse(stdout).status, rates(parse(stdout))) == (Status.OK, GOOD_RATES)
    assert parse(stdout, PAPER).status is Status.FAILED


@pytest.mark.parametrize("end", [400, 1000, 1400, 1500])
def test_an_old_result_before_a_run_that_was_cut(end: int) -> None:
    assert parse(GOOD + GOOD[:end]).status is not Status.OK
    assert parse(GOOD + GOOD[:end], PAPER).status is Status.FAILED


def test_reports_of_two_ranks_mixed_line_by_line_are_not_read() -> None:
    other = (RECORDED / "ser_2M_run3.out").read_bytes().splitlines(keepends=True)
    stdout = b"".join(a + b for a, b in zip(GOOD.splitlines(keepends=True), other, strict=True))
    assert (parse(stdout).status, parse(stdout).readings) == (Status.UNVERIFIED, {})
    assert parse(stdout, PAPER).status is Status.FAILED


@pytest.mark.parametrize("change", [{"array_size": 2_000_001}, {"ntimes": 20}, {"threads": 2}])
def test_another_problem_than_the_one_asked_for(change: dict[str, Value]) -> None:
    report = parse(GOOD, {**PAPER, **change})
    assert report.status is Status.FAILED
    assert str(next(iter(change.values()))) in report.reason


@pytest.mark.parametrize(
    ("case", "parameters"),
    [
        ("ser_2M_ntimes20_offset100", {"array_size": 2_000_000, "ntimes": 20, "threads": 1}),
        ("omp_2M_t4", {"array_size": 2_000_000, "ntimes": 10, "threads": 4}),
        ("fortran_stream_f", {"array_size": 20_000_000, "ntimes": 10}),
    ],
)
def test_the_problem_asked_for(case: str, parameters: dict[str, Value]) -> None:
    assert Stream().parse(recorded(case)[0], parameters).status is Status.OK


def test_an_output_that_does_not_say_its_problem_is_not_verified() -> None:
    assert parse(table(AVG, *OLD_ROWS), PAPER).status is Status.UNVERIFIED


# --- the plugin


def test_it_is_found_by_its_name() -> None:
    plugin = load("stream")
    assert isinstance(plugin, Stream)
    assert plugin.scope is Scope.NODE
    assert [metric.name for metric in plugin.metrics] == list(KERNELS)
    assert all(m.primary and m.better is Better.HIGHER and m.unit == "MB/s" for m in plugin.metrics)


def test_parameters() -> None:
    assert complete(Stream(), {}) == (PAPER, [])
    assert len(complete(Stream(), {"array_size": 10, "ntimes": 1, "threads": 0})[1]) == 3


def test_command_and_estimate() -> None:
    command = Stream().command({**PAPER, "threads": 4})
    assert (command.argv, dict(command.env)) == (("./stream",), {"OMP_NUM_THREADS": "4"})
    assert 0.05 < Stream().estimate_s(PAPER) < 5


# --- building and running our own program


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    (artifact,) = Stream().build(SMALL, tmp_path_factory.mktemp("stream"))
    assert artifact.name == "stream"
    return artifact.path


def run(path: Path, stdout: int = subprocess.PIPE, env: Mapping[str, str] | None = None) -> Output:
    done = subprocess.run([path], stdout=stdout, stderr=subprocess.PIPE, env={**os.environ, **(env or {})}, check=False)
    return Output(done.stdout or b"", done.stderr, done.returncode)


def test_our_program_is_read(program: Path) -> None:
    output = run(program)
    report = Stream().parse(output, SMALL)
    assert (report.status, output.stderr) == (Status.OK, b""), report.reason
    assert set(report.readings) == set(KERNELS)
    assert b"not the STREAM source" in output.stdout
    assert Stream().parse(output, PAPER).status is Status.FAILED
    for end in range(len(output.stdout)):
        cut = parse(output.stdout[:end], SMALL)
        assert cut.status is not Status.OK or rates(cut) == rates(report)


def test_our_rates_are_bytes_over_the_best_time(tmp_path: Path) -> None:
    path = tmp_path / "stream"
    build.compile_to(path, build.SOURCE, build.flags(1_000_000, 3, 1))
    for name, size in zip(KERNELS, (16, 16, 24, 24), strict=True):
        row = next(line for line in run(path).stdout.decode().splitlines() if line.lower().startswith(name))
        rate, average, least, most = map(float, row.split()[1:])
        assert rate == pytest.approx(size * 1_000_000 / least / 1e6, rel=0.01)
        assert least <= average <= most


def test_a_full_disk_is_a_failure(program: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with Path("/dev/full").open("wb") as full:
        output = run(program, full.fileno())
    report = Stream().parse(output, SMALL)
    assert (output.exit_status, report.status) == (2, Status.FAILED)
    assert "No space left" in report.reason


@needs_cc
def test_a_wrong_result_is_found_by_the_program_itself(tmp_path: Path) -> None:
    source, path = tmp_path / "spoilt.c", tmp_path / "spoilt"
    right, wrong = "a[j] = b[j] + SCALAR * c[j];", "a[j] = b[j] + (j == 7 ? 0.5 : SCALAR) * c[j];"
    assert right in build.SOURCE.read_text()
    source.write_text(build.SOURCE.read_text().replace(right, wrong))
    build.compile_to(path, source, build.flags(20_000, 3, 1))
    output = run(path)
    report = Stream().parse(output, SMALL)
    assert (output.exit_status, report.status, set(report.readings)) == (1, Status.FAILED, set(KERNELS))
    assert "Failed Validation on array a[]" in report.reason


@needs_cc
def test_the_source_gives_no_warning(tmp_path: Path) -> None:
    for words in (["-std=gnu99"], ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wpedantic"], ["-DNTIMES=261"]):
        build.compile_to(tmp_path / "x", build.SOURCE, ["-O3", "-Wall", "-Wextra", "-Werror", *words])


@needs_cc
def test_as_many_iterations_as_a_double_can_hold(tmp_path: Path) -> None:
    parameters: dict[str, Value] = {"array_size": 1000, "ntimes": 261, "threads": 1}
    (artifact,) = Stream().build(parameters, tmp_path)
    assert Stream().parse(run(artifact.path), parameters).status is Status.OK


@needs_cc
def test_threads(tmp_path: Path) -> None:
    parameters = {**SMALL, "threads": 2}
    try:
        (artifact,) = Stream().build(parameters, tmp_path)
    except BuildFailed as error:
        pytest.skip(error.hint)
    output = run(artifact.path, env=Stream().command(parameters).env)
    assert Stream().parse(output, parameters).status is Status.OK
    assert Stream().parse(output, SMALL).status is Status.FAILED
    assert artifact.path != tmp_path / "stream-20000-3"


def test_a_second_build_compiles_nothing(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = program.stat()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CC", "no-such-compiler")
    (artifact,) = Stream().build(SMALL, program.parent)
    assert artifact.path == program
    assert (program.stat().st_ino, program.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert list(program.parent.iterdir()) == [program]


def test_two_builds_are_the_same_to_the_bit(program: Path, tmp_path: Path) -> None:
    (artifact,) = Stream().build(SMALL, tmp_path / "deeper" / "still")
    assert artifact.path.read_bytes() == program.read_bytes()
    assert artifact.path.stat().st_mode & 0o777 == 0o755


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CC", raising=False)
    return folder


def test_no_compiler(empty_path: Path, tmp_path: Path) -> None:
    with pytest.raises(CompilerMissing) as caught:
        Stream().build(SMALL, tmp_path)
    assert all(word in caught.value.hint for word in ("apt install", "dnf install", "module load"))


@pytest.mark.parametrize("cc", ["no-such-compiler -O0", "'unbalanced"])
def test_a_cc_that_cannot_be_used_is_not_replaced(cc: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", cc)
    with pytest.raises(CompilerMissing, match="CC"):
        Stream().build(SMALL, tmp_path)


def fake_compiler(folder: Path, script: str) -> None:
    path = folder / "gcc"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("end", ["exit 1", "kill -9 $$"])
def test_a_compiler_that_dies_leaves_no_half_binary(end: str, empty_path: Path, tmp_path: Path) -> None:
    fake_compiler(
        empty_path, f'for word; do last=$out; out=$word; done; echo half >"$last"; echo "\033[1mboom" >&2; {end}'
    )
    with pytest.raises(BuildFailed, match="boom") as caught:
        Stream().build(SMALL, tmp_path / "made")
    assert "\033" not in caught.value.message
    assert list((tmp_path / "made").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("cannot find -lgomp", "threads = 1"),
        ("fatal error: stdio.h: No such file or directory", "libc6-dev"),
        ("size of array is too large", "array_size"),
    ],
)
def test_the_hint_fits_the_failure(words: str, advice: str, empty_path: Path, tmp_path: Path) -> None:
    fake_compiler(empty_path, f"echo '{words}'; exit 1")
    with pytest.raises(BuildFailed) as caught:
        Stream().build(SMALL, tmp_path)
    assert advice in caught.value.hint


def test_a_compiler_that_is_no_program(empty_path: Path, tmp_path: Path) -> None:
    (empty_path / "cc").write_bytes(b"\x00")
    (empty_path / "cc").chmod(0o755)
    with pytest.raises(BuildFailed, match="cannot be started"):
        Stream().build(SMALL, tmp_path)


@needs_cc
def test_too_many_iterations_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="NTIMES must be at most 261"):
        Stream().build({**SMALL, "ntimes": 262}, tmp_path)


def test_large_arrays_get_another_code_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert "-mcmodel=medium" in build.flags(100_000_000, 10, 1)
    assert "-mcmodel=medium" not in build.flags(80_000_000, 10, 1)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert "-mcmodel=medium" not in build.flags(100_000_000, 10, 1)


@needs_cc
def test_arrays_above_two_gigabytes_link(tmp_path: Path) -> None:
    (artifact,) = Stream().build({"array_size": 200_000_000, "ntimes": 2, "threads": 1}, tmp_path)
    assert artifact.path.stat().st_size < 1_000_000
