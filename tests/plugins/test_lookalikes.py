"""What looks like a result, or like its absence, and is the other: no number is taken from it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpcvirt.core.benchmark import Output, Report, complete, load
from hpcvirt.core.model import Status, Value
from hpcvirt.plugins import reading
from tests.plugins.recordings import FOLDER, cases

CASES = {f"{case.folder}/{case.name}": case for case in cases()}


def parse(plugin: str, stdout: bytes, stderr: bytes = b"", **given: Value) -> Report:
    return load(plugin).parse(Output(stdout, stderr, 0), given or None)


def recorded(name: str) -> bytes:
    return (FOLDER / f"{name}.out").read_bytes()


def values(report: Report) -> dict[str, float]:
    return {name: found.value for name, found in report.readings.items()}


# --- NPB


@pytest.mark.parametrize("asked", [{"threads": 2}, {"ranks": 4}])
def test_npb_whose_report_does_not_tell_what_was_asked(asked: dict[str, Value]) -> None:
    report = parse("npb", recorded("npb/ser33_cg.A"), code="cg", **{"class": "A"}, **asked)
    (name,) = asked
    assert (report.status, name in report.reason) == (Status.UNVERIFIED, True), report.reason


def test_npb_without_openmp_has_one_thread() -> None:
    npb = load("npb")
    assert npb.command(complete(npb, {})[0]).env == {"OMP_NUM_THREADS": "1"}


# --- bonnie

VMSTAT = b" 1  0      0 243452  35524 985012    0    0    12    34   56   78  2  1 97  0  0\n"
IOSTAT = b"sda 1.00 2.00 3.00 4.00 5.00 6.00 7.00 8.00 9.00 10.00 11.00 12.00 13.00\n"
DSTAT = b",".join(b"%d" % at for at in range(1, 28)) + b"\n"
SAR = b"node1,2048," + b",".join(b"%d.50" % at for at in range(25)) + b"\n"
LOAD = b"0.15,0.33,1,2,3,4,5,6,7,8,9,10\n"
WORDS_27 = b"host,2048," + b",".join([b"word"] * 25) + b"\n"


@pytest.mark.parametrize("line", [VMSTAT, IOSTAT, DSTAT, SAR, LOAD, WORDS_27])
@pytest.mark.parametrize("name", ["bonnie_classic/b64_100M_run1", "bonnie_classic/old_100M_run2", "bonniepp/quiet_x3"])
def test_numbers_of_others_behind_a_report_of_bonnie(name: str, line: bytes) -> None:
    whole, report = parse("bonnie", recorded(name)), parse("bonnie", recorded(name) + line)
    assert (report.status, report.readings) == (whole.status, whole.readings), report.reason
    assert len(report.runs) == len(whole.runs)


OLD = b"host,2G,100,90,200,91,300,92,400,93,500,94,60.5,1,16,1,2,3,4,5,6,7,8,9,10,11,12\n"


@pytest.mark.parametrize("prefix", [b"node1: ", b"[1,0]<stdout>:", b"Sun Nov 22 13:05:23 2026<stdout>:", b"0|"])
def test_old_csv_behind_words_of_a_launcher(prefix: bytes) -> None:
    assert values(parse("bonnie", prefix + OLD))["rand_seeks"] == 60.5


def test_old_csv_is_no_part_of_a_longer_line() -> None:
    assert parse("bonnie", b"1,2,3," + OLD).status is not Status.OK


@pytest.mark.parametrize("size", [100, 500])
def test_a_small_file_of_bonnie_64_is_cached_too(size: int) -> None:
    """It prints 0 for its size."""
    told = {"conditions": b"memory_kib 4194304\ncaches dropped\nstarted 1.00\nended 9.00\n"}
    given: dict[str, Value] = {"size_mib": size, "kind": "classic"}
    report = load("bonnie").parse(Output(recorded("bonnie_classic/b64_100M_run1"), b"", 0, files=told), given)
    assert report.status is Status.OK
    assert report.remarks == (f"cached: the file has {size} MiB, the node 4096; before the run caches were dropped",)


# --- what terminals and time put between


ODD = [
    b"\x1b(B",
    b"\x1b7\x1b8",
    b"\x1b#8",
    b"\x1bPq#0;2;0\x1b\\",
    b"\x1b%G",
    b"\x07",
    b"\x00",
    b"\x1b=",
    "\ufeff".encode(),
]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["time/bash_builtin", "stream/ser_2M_run2", "bonniepp/big_4000M_quiet_run2"])
def test_what_a_terminal_is_told_at_the_ends_of_a_line(name: str, odd: bytes) -> None:
    case = CASES[name]
    output = case.output()
    changed = replace(
        output,
        stdout=b"".join(odd + line + odd + b"\n" for line in output.stdout.splitlines()),
        stderr=b"".join(odd + line + odd + b"\n" for line in output.stderr.splitlines()),
    )
    whole, report = load(case.plugin).parse(output), load(case.plugin).parse(changed)
    assert (report.status, report.readings) == (Status.OK, whole.readings), report.reason


def test_tabs_stay() -> None:
    assert list(reading.whole_lines(b"a\tb\x08\n")) == ["a\tb"]


@pytest.mark.parametrize(
    "name", ["stream/ser_2M_run2", "npb/ser33_cg.A", "bonniepp/big_4000M_quiet_run2", "mitgcm/exp2_run1"]
)
@pytest.mark.parametrize("said", [b"\nreal\t0m1.327s\nuser\t0m1.2", b"real 1.25\nuser 1.00\n", b"real 1.2", b"rea"])
def test_a_text_of_time_that_is_cut_on_stderr(name: str, said: bytes) -> None:
    case = CASES[name]
    output = case.output()
    report = load(case.plugin).parse(replace(output, stderr=output.stderr + said))
    assert report.status is not Status.OK


# --- a second report that did not come far


def test_a_stream_that_died_in_its_banner() -> None:
    text = recorded("stream/ser_2M_run2")
    line = next(line for line in text.splitlines(keepends=True) if b"$Revision" in line)
    report = parse("stream", text + b"-" * 61 + b"\n" + line)
    assert (report.status, [run.status for run in report.runs]) == (Status.FAILED, [Status.OK, Status.FAILED])


@pytest.mark.parametrize(
    ("name", "banner"), [("npb/ser33_cg.A", b"NAS Parallel"), ("hpcc/no_input_file", b"Challenge")]
)
def test_a_report_that_died_in_its_banner_is_listed(name: str, banner: bytes) -> None:
    case = CASES[name]
    output = case.output()
    (file,) = output.files or ("",)
    text = output.files.get(file, output.stdout)
    line = next(line for line in text.splitlines(keepends=True) if banner in line)
    changed = replace(output, files={file: text + line}) if file else replace(output, stdout=text + line)
    report = load(case.plugin).parse(changed)
    assert (report.status, [run.status for run in report.runs]) == (Status.FAILED, [Status.OK, Status.FAILED])


FORTRAN = "stream/fortran_stream_f"
A_LINE = b" Printing one line per active thread....\n"


def fortran(said: bytes) -> bytes:
    text = recorded(FORTRAN)
    assert text.count(A_LINE) == 1
    return text.replace(A_LINE, said)


@pytest.mark.parametrize("said", [A_LINE * 4, b" Number of Threads =            4\n" + A_LINE * 4])
def test_threads_of_stream_f(said: bytes) -> None:
    text = fortran(said)
    facts: dict[str, Value] = {"array_size": 20_000_000, "ntimes": 10}
    asked = parse("stream", text, **facts, threads=4)
    other = parse("stream", text, **facts, threads=2)
    assert (asked.status, other.status) == (Status.OK, Status.FAILED), (asked.reason, other.reason)


# --- hpcc


@pytest.mark.parametrize("name", ["n", "nb", "p", "q", "ranks"])
def test_hpcc_ran_the_problem_asked_for(name: str) -> None:
    case = next(c for c in cases() if c.folder == "hpcc" and c.expected["status"] == "ok")
    output = case.output()
    (text,) = output.files.values()
    keys = {"n": "HPL_N", "nb": "HPL_NB", "p": "HPL_nprow", "q": "HPL_npcol", "ranks": "CommWorldProcs"}
    summary = dict(line.split("=", 1) for line in text.decode().splitlines() if line.count("=") == 1)
    asked: dict[str, Value] = {ours: int(summary[key]) for ours, key in keys.items()}
    hpcc = load("hpcc")
    assert hpcc.parse(output, asked).status is Status.OK
    report = hpcc.parse(output, asked | {name: int(asked[name]) + 1})
    assert (report.status, keys[name] in report.reason) == (Status.FAILED, True), report.reason
    silent = text.replace(f"\n{keys[name]}=".encode(), b"\nOther=")
    report = hpcc.parse(replace(output, files={"hpccoutf.txt": silent}), asked)
    assert (report.status, keys[name] in report.reason) == (Status.UNVERIFIED, True), report.reason


# --- how it ended


@pytest.mark.parametrize("plugin", ["stream", "npb", "command", "mitgcm"])
def test_a_program_killed_outright_may_have_had_too_little_memory(plugin: str) -> None:
    report = load(plugin).parse(Output(b"", b"", 137))
    assert (report.status, report.reason) == (Status.FAILED, "exit status 137 (SIGKILL): killed; out of memory?")


# --- long lines


@pytest.mark.parametrize("plugin", ["stream", "bonnie", "npb", "hpcc", "mitgcm", "command"])
@pytest.mark.parametrize(
    "words", ["NAS Parallel Benchmarks ", "<td>", "<td ", "Version 1.97 -Sequential Output-", "real ", "0.5user "]
)
@pytest.mark.timeout(60)
def test_a_very_long_line_is_read_in_time(plugin: str, words: str) -> None:
    """What takes the square of its length would take hours."""
    text = words.encode() * (3_000_000 // len(words)) + b"\n"
    assert load(plugin).parse(Output(text, b"", 0)).status is not Status.OK
