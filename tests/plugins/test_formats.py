"""Formats that were not recorded: other versions, layouts and units, and what must be refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcvirt.core.benchmark import Output, Report, complete, load
from hpcvirt.core.model import Scope, Status, Value
from hpcvirt.plugins import timing

HEAD_1_03 = b"""\
Version  1.03       ------Sequential Output------ --Sequential Input- --Random-
                    -Per Chr- --Block-- -Rewrite- -Per Chr- --Block-- --Seeks--
Machine        Size K/sec %CP K/sec %CP K/sec %CP K/sec %CP K/sec %CP  /sec %CP
"""
HEAD_1_97 = HEAD_1_03.replace(b"Version  1.03 ", b"Version  1.97 ").replace(
    b"                    -Per", b"Concurrency   1     -Per"
)
PATTERNS = ("seq_out_char", "seq_out_block", "seq_rewrite", "seq_in_char", "seq_in_block", "rand_seeks")


def parse(plugin: str, stdout: bytes, stderr: bytes = b"", **given: Value) -> Report:
    return load(plugin).parse(Output(stdout, stderr, 0), given or None)


def values(report: Report) -> dict[str, float]:
    return {name: reading.value for name, reading in report.readings.items() if not name.endswith("_cpu")}


# --- bonnie++


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            b"host,2G,100,90,200,91,300,92,400,93,500,94,60.5,1,16,1,2,3,4,5,6,7,8,9,10,11,12\n",
            (100, 200, 300, 400, 500, 60.5),
        ),
        (b",300M,100,90,200,91,300,92,400,93,500,94,60.5,1" + b"," * 13 + b"\n", (100, 200, 300, 400, 500, 60.5)),
        (
            b"1.97,1.97,h,1,123,8G,,100,90,200,91,300,92,400,93,500,94,+++++,+++,16" + b"," * 28 + b"\n",
            (100, 200, 300, 400, 500, None),
        ),
        (
            b"1.96,1.96,h,1,123,8G,,,,200,91,300,92,,,500,94,60.5,100,16" + b"," * 28 + b"\n",
            (None, 200, 300, None, 500, 60.5),
        ),
    ],
)
def test_csv_of_every_version(line: bytes, expected: tuple[float | None, ...]) -> None:
    report = parse("bonnie", line)
    assert report.status is Status.OK, report.reason
    assert values(report) == {n: v for n, v in zip(PATTERNS, expected, strict=True) if v is not None}
    assert report.not_measured == tuple(n for n, v in zip(PATTERNS, expected, strict=True) if v is None)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"1.99,2.01,h,1,123,8G,,8192,5,100,90,200,91,300,92,400,93,500,94,6,1\n", Status.UNPARSABLE),
        (b"1.98,2.00a,h,1,123,8G,,8192,5,100,90,200,91,300,92\n", Status.FAILED),
        (b"1.97,1.97,a,b,1,123,8G,,100,90,200,91,300,92,400,93,500,94,60,1,16" + b"," * 28 + b"\n", Status.UNPARSABLE),
        (b"1.97,1.97,h,1,123,8G,,1O0,90,200,91,300,92,400,93,500,94,60,1,16" + b"," * 28 + b"\n", Status.UNPARSABLE),
        (b"1.97,1.97,h,1,123,8G,,0,0,+++++,+++,,,,,,,+++++,+++,16" + b"," * 28 + b"\n", Status.UNVERIFIED),
    ],
)
def test_csv_that_is_no_result(line: bytes, status: Status) -> None:
    assert parse("bonnie", line).status is status


@pytest.mark.parametrize(
    ("head", "row", "status", "expected"),
    [
        (
            HEAD_1_97,
            b"nas02.local 261368M   139  99 775132  99 589190  99   383  99 1638929  99 12930 2046\n",
            Status.OK,
            (139, 775132, 589190, 383, 1638929, 12930),
        ),
        (
            HEAD_1_97,
            b"USB3_4TB        80G           28503  12 32134  16           159847  32 130.7 474\n",
            Status.OK,
            (None, 28503, 32134, None, 159847, 130.7),
        ),
        (
            HEAD_1_03,
            b"jsowoc-deskto 7400M 68668  96 90968  13 46149   8 72292  93 110127   5 259.0   0\n",
            Status.OK,
            (68668, 90968, 46149, 72292, 110127, 259.0),
        ),
        (
            # The CSV that should follow has 1187.5.
            HEAD_1_03,
            b"raid0            2G 83720  95 813061  95 1185231 100 84567  97 2828489  97  1187   0\n",
            Status.UNVERIFIED,
            (83720, 813061, 1185231, 84567, 2828489, 1187),
        ),
    ],
)
def test_a_table_without_csv(head: bytes, row: bytes, status: Status, expected: tuple[float | None, ...]) -> None:
    report = parse("bonnie", head + row)
    assert (report.status, values(report)) == (
        status,
        {n: v for n, v in zip(PATTERNS, expected, strict=True) if v is not None},
    ), report.reason


VERSIONED = b"%s,%s,h,1,123,8G,,100,90,200,91,300,92,400,93,500,94,60.5,1,16" + b"," * 28 + b"\n"


@pytest.mark.parametrize("version", [b"1.93c", b"1.93d", b"1.94", b"1.95", b"1.96", b"1.97"])
def test_csv_from_1_93_on(version: bytes) -> None:
    report = parse("bonnie", VERSIONED % (version, version))
    assert (report.status, list(values(report).values())) == (Status.OK, [100, 200, 300, 400, 500, 60.5])
    assert parse("bonnie", VERSIONED.replace(b",,,", b",,") % (version, version)).status is Status.FAILED


ROWS = (
    b"old              2G   331  98 27139  10 17554   4  1156  99 65858   7 371.8   5\n",
    b"new           1000M:64k   335  98 54977  23 27923   7  1075  99 61596   6 342.9   4\n",
    b"skipped          2G           54977  23 27923   7           61596   6 342.9   4\n",
    b"                 2G   335  98 54977  23 27923   7  1075  99 61596   6 343.9   4\n",
)
LATENCY = b"Latency               104ms   41538ms     804ms   19824us   46554us     631ms\n"


@pytest.mark.parametrize("head", [HEAD_1_03, HEAD_1_97])
@pytest.mark.parametrize("between", [b"", LATENCY])
def test_of_several_rows_under_one_head_the_last_counts(head: bytes, between: bytes) -> None:
    report = parse("bonnie", head + between.join(ROWS))
    assert report.status is Status.OK, report.reason
    assert [one.readings["rand_seeks"].value for one in report.runs] == [371.8, 342.9, 342.9, 343.9]
    assert values(report) == values(report.runs[-1])
    assert report.runs[2].not_measured == ("seq_out_char", "seq_in_char")
    assert parse("bonnie", head + between.join(ROWS), size_mib=2048).status is Status.FAILED


@pytest.mark.parametrize(
    "line",
    [
        b" 1  0      0 243452  35524 985012    0    0    12    34   56   78  2  1 97  0  0\n",
        b"sda 1.00 2.00 3.00 4.00 5.00 6.00 7.00 8.00 9.00 10.00 11.00 12.00 13.00\n",
        LATENCY,
    ],
)
def test_numbers_of_others_under_a_row_are_no_second_one(line: bytes) -> None:
    report = parse("bonnie", HEAD_1_97 + ROWS[0] + line)
    assert (report.status, report.runs, values(report)["rand_seeks"]) == (Status.OK, (), 371.8)


def test_a_table_of_2_00_alone_rounds() -> None:
    head = HEAD_1_03.replace(b"Machine        Size K/sec %CP K/sec", b"Name:Size etc        /sec %CP  /sec")
    head = head.replace(b"K/sec", b" /sec").replace(b"Version  1.03 ", b"Version 2.00a ")
    row = b"big01         4000M 3458k  92  549m  81  1.9g  56 4925k  93  5.7g  99  7694  39\n"
    report = parse("bonnie", head + row)
    assert report.status is Status.UNVERIFIED
    assert report.readings["seq_rewrite"].normalised == pytest.approx(1.9 * 2**30 / 1e6)
    assert report.readings["seq_out_block"].unit == "M/s"


CLASSIC = b"""\
              -------Sequential Output-------- ---Sequential Input-- --Random--
              -Per Char- --Block--- -Rewrite-- -Per Char- --Block--- --Seeks---
Machine    MB K/sec %CPU K/sec %CPU K/sec %CPU K/sec %CPU K/sec %CPU  /sec %CPU
"""


@pytest.mark.parametrize(
    "row",
    [
        b"host      100  7197 27.4  8557 12.0  4273  7.3  8049 40.6  9049  8.0 111.5  1.3\n",
        b"          100  7197 27.4  8557 12.0  4273  7.3  8049 40.6  9049  8.0 111.5  1.3\n",
        b"2.6.9 x   100  7197 27.4  8557 12.0  4273  7.3  8049 40.6  9049  8.0 111.5  1.3\n",
        b"ZC> 42    100  7197 27.4  8557 12.0  4273  7.3  8049 40.6  9049  8.0 111.5  1.3\n",
    ],
)
def test_the_label_of_the_classic_report_may_be_anything(row: bytes) -> None:
    report = parse("bonnie", CLASSIC + row, size_mib=100)
    assert report.status is Status.OK, report.reason
    assert list(values(report).values()) == [7197, 8557, 4273, 8049, 9049, 111.5]
    assert report.readings["rand_seeks_cpu"].value == 1.3


def test_a_classic_row_that_is_not_made_of_numbers() -> None:
    row = b"host 100  7197 27.4  8557 12.0  4273  7.3  8049 40.6  9049  8.0 111.5  1,3\n"
    assert parse("bonnie", CLASSIC + row).status is Status.UNPARSABLE
    assert parse("bonnie", CLASSIC + row[:40] + b"\n").status is Status.FAILED


def test_another_size_of_bonnie_64() -> None:
    """It counts in 1024 * 1024 * 1000 bytes, and prints 0 for what is smaller: that tells no size."""
    head = CLASSIC.replace(b"MB K/sec", b"GB M/sec").replace(b"K/sec", b"M/sec")
    row = b"host %6d 100.0 27.4 200.0 12.0 300.0  7.3 400.0 40.6 500.0  8.0 111.5  1.3\n"
    assert parse("bonnie", head + row % 4, size_mib=4000).status is Status.OK
    assert parse("bonnie", head + row % 4, size_mib=1000).status is Status.FAILED
    assert parse("bonnie", head + row % 0, size_mib=100).status is Status.OK


# --- MITgcm


MODEL = b"""\
(PID.TID 0000.0001) //                      MITgcm UV
(PID.TID 0000.0001) // MITgcmUV version:  %s
(PID.TID 0000.0001)   Seconds in section "ALL                    [THE_MODEL_MAIN]":
(PID.TID 0000.0001)           User time:  0.5
(PID.TID 0000.0001)         System time:  0.25
(PID.TID 0000.0001)     Wall clock time:  0.75
"""
OLD_MODEL = MODEL % b"checkpoint61n"


@pytest.mark.parametrize("stop", [b"STOP NORMAL END\n", b"NORMAL END\n", b"[1,0]<stderr>:STOP NORMAL END\n"])
def test_a_normal_end_on_stderr_alone(stop: bytes) -> None:
    report = parse("mitgcm", OLD_MODEL, b"Note: The following ...\n" + stop)
    assert (report.status, values(report)["wall_time"]) == (Status.OK, 0.75), report.reason
    assert parse("mitgcm", OLD_MODEL[:-1], stop).status is Status.FAILED
    assert parse("mitgcm", OLD_MODEL, stop[:-4]).status is Status.UNVERIFIED
    assert [one.status for one in parse("mitgcm", OLD_MODEL * 2, stop * 2).runs] == [Status.OK] * 2


@pytest.mark.parametrize(
    ("stops", "ends"),
    [
        (0, [Status.UNVERIFIED] * 3),
        (1, [Status.OK, Status.UNVERIFIED, Status.UNVERIFIED]),
        (2, [Status.OK, Status.OK, Status.UNVERIFIED]),
        (3, [Status.OK] * 3),
    ],
)
@pytest.mark.parametrize("processes", [1, 4])
def test_so_many_runs_are_proved_as_normal_ends_are_on_stderr(processes: int, stops: int, ends: list[Status]) -> None:
    grid = b" nPx =    %d ; /* No. processes in X */\n nPy =    %d ; /* No. processes in Y */\n"
    first, times = OLD_MODEL.split(b"(PID.TID 0000.0001)   Seconds", 1)
    model = first + grid % ((2, 2) if processes == 4 else (1, 1)) + b"(PID.TID 0000.0001)   Seconds" + times
    report = parse("mitgcm", model * 3, b"STOP NORMAL END\n" * (stops * processes))
    assert [one.status for one in report.runs] == ends
    assert report.status is ends[-1]


def test_of_a_run_that_was_cut_off_no_normal_end_is_taken() -> None:
    cut = b"".join(OLD_MODEL.splitlines(keepends=True)[:2])
    report = parse("mitgcm", cut + OLD_MODEL, b"STOP NORMAL END\n")
    assert [one.status for one in report.runs] == [Status.FAILED, Status.OK]


def test_a_normal_end_mixed_into_stdout_ends_only_a_model_that_has_no_other() -> None:
    assert parse("mitgcm", OLD_MODEL + b"STOP NORMAL END\n").status is Status.OK
    assert parse("mitgcm", MODEL % b"checkpoint64q" + b"STOP NORMAL END\n").status is Status.UNVERIFIED
    assert parse("mitgcm", b"STOP NORMAL END\n").status is Status.FAILED


@pytest.mark.parametrize("said", [b"ABNORMAL END: S/R INI_PARMS\n", b"STOP ABNORMAL END: S/R X\n", b"ABNORMAL END\n"])
@pytest.mark.parametrize("end", [b"", b"PROGRAM MAIN: Execution ended Normally\n"])
def test_an_abnormal_end_of_any_compiler(said: bytes, end: bytes) -> None:
    for report in (parse("mitgcm", OLD_MODEL + end, said), parse("mitgcm", OLD_MODEL + said + end, b"NORMAL END\n")):
        assert (report.status, "ABNORMAL END" in report.reason) == (Status.FAILED, True)


# --- NPB


SUMMARY = """\
 {code} Benchmark Completed{stop}
 Class           =                        C
 Size            =            480x  320x 28
 Iterations      =                      200
 Time in seconds =                     7.82
 Total processes =                       36
 Total threads   =                       72
 Mop/s total     =                310414.25
 Mop/s/thread    =                  4311.31
 Operation type  =           floating point
 Verification    =               {said}
 Version         =                    3.4.3
"""


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("SUCCESSFUL", Status.OK),
        ("UNSUCCESSFUL", Status.FAILED),
        ("NOT PERFORMED", Status.UNVERIFIED),
        ("SUCCE", Status.UNVERIFIED),
        ("", Status.UNVERIFIED),
    ],
)
@pytest.mark.parametrize(("code", "stop"), [("BT-MZ", "."), ("IS", ""), ("UA", ".")])
def test_npb_verification(code: str, stop: str, said: str, status: Status) -> None:
    report = parse("npb", SUMMARY.format(code=code, stop=stop, said=said).encode())
    assert report.status is status, report.reason
    assert values(report) == {"time": 7.82, "mops_total": 310414.25}


def test_npb_threads_are_those_of_each_process() -> None:
    text = SUMMARY.format(code="BT-MZ", stop=".", said="SUCCESSFUL").encode()
    asked: dict[str, Value] = {"code": "bt-mz", "class": "C", "ranks": 36, "threads": 2}
    assert parse("npb", text, **asked).status is Status.OK
    for name, other in {"code": "sp-mz", "class": "B", "ranks": 18, "threads": 4}.items():
        assert parse("npb", text, **(asked | {name: other})).status is Status.FAILED


def test_npb_in_an_unknown_layout() -> None:
    text = SUMMARY.format(code="EP", stop=".", said="SUCCESSFUL").replace("Mop/s total ", "Gop/s total ").encode()
    assert parse("npb", text).status is Status.UNPARSABLE


def test_npb_runs_over_all_nodes_only_with_ranks() -> None:
    npb = load("npb")
    values, _ = complete(npb, {"code": "lu", "class": "B", "threads": 2, "program": "/opt/{code}.{class}"})
    assert (npb.scope_of(values), npb.command(values).argv) == (Scope.NODE, ("/opt/lu.B",))
    assert npb.command(values).env == {"OMP_NUM_THREADS": "2"}
    values, _ = complete(npb, {"ranks": 4})
    assert (npb.scope_of(values), npb.command(values).ranks) == (Scope.CLUSTER, 4)
    assert len(complete(npb, {"code": "xx", "class": "AB"})[1]) == 2


# --- HPC Challenge


def test_hpcc_input_and_command() -> None:
    hpcc = load("hpcc")
    given, faults = complete(hpcc, {"n": 600, "nb": 40, "p": 1, "q": 2})
    assert faults == []
    command = hpcc.command(given)
    lines = command.files["hpccinf.txt"].splitlines()
    assert [lines[at - 1].split()[0] for at in (6, 8, 11, 12)] == ["600", "40", "1", "2"]
    assert lines[31].startswith("##### This line (no. 32)")
    assert (command.fresh, command.fetch, command.ranks) == (True, ("hpccoutf.txt",), 2)
    assert complete(hpcc, {"p": 2, "q": 2, "ranks": 3})[1] == ["ranks: 3 processes cannot fill a grid of 4"]


# --- time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\nreal\t62m1.5s\nuser\t0m0.25s\nsys\t0m0.125s\n", (3721.5, 0.25, 0.125)),
        ("real\t0m 1.25s\nuser\t0m 0.50s\nsys\t0m 0.75s\n", (1.25, 0.5, 0.75)),
        ("real    0m1,250s\nuser    0m0,500s\nsys     0m0,750s\n", (1.25, 0.5, 0.75)),
        ("real 1.25\nuser 0.50\nsys 0.75\n", (1.25, 0.5, 0.75)),
        ("0.50user 0.75system 1:02:03.25elapsed 39%CPU (0avgtext+0avgdata 1maxresident)k\n", (3723.25, 0.5, 0.75)),
        ("./x  0.50s user 0.75s system 96% cpu 1:01.25 total\n", (61.25, 0.5, 0.75)),
    ],
)
def test_every_time(text: str, expected: tuple[float, float, float]) -> None:
    report = parse("command", b"", text.encode())
    assert report.status is Status.OK, report.reason
    assert tuple(values(report)[name] for name in ("real", "user", "sys")) == expected


@pytest.mark.parametrize(
    "text",
    ["real 1.25\nuser 0.5\n", "user 1.25\nsys 1\n", "real 1.25.3\nuser 1\nsys 1\n", "real time 3\n", "1 2 3 4 0\n", ""],
)
def test_what_is_no_time(text: str) -> None:
    assert parse("command", b"", text.encode()).status is Status.FAILED


def test_gnu_time_tells_of_a_death_that_no_exit_status_does() -> None:
    text = b"Command terminated by signal 9\n0.50user 0.75system 0:01.25elapsed 39%CPU (1maxresident)k\n"
    report = parse("command", b"", text)
    assert (report.status, "signal 9" in report.reason) == (Status.FAILED, True)
    assert values(report)["real"] == 1.25


# --- the operator's own


def own(metrics: str, stdout: bytes = b"", **files: bytes) -> Report:
    named = {name.replace("_", "."): content for name, content in files.items()}
    return load("command").parse(Output(stdout, b"", 0, files=named), {"argv": "x", "metrics": metrics})


@pytest.mark.parametrize(
    ("line", "stdout", "expected"),
    [
        ("m u higher regex stdout 'v=(\\S+)'", b"v=1\nv=2.5e3\n", 2500.0),
        ("m u higher regex stdout '^v (\\S+)$'", b"a v 1\r\nv 2,5\r\n", 2.5),
        ("m u higher json stdout a.0.b", b'{"a": [{"b": "3.5"}]}', 3.5),
        ("m u higher csv stdout 2", b"1,2\n3,4\n", 4.0),
        ("m u higher csv stdout b", b"a,b\n3,4\n5,6\n", 6.0),
        ("m u higher regex stdout 'v=(\\S+)'", b"v=1\nbye", 1.0),
        ("m u higher regex stdout 'v=(\\S+)'", b"v=-3.5\n", -3.5),
        ("m u higher regex stdout 'in 2006-([0-9]+)'", b"in 2006-03\n", 3.0),
    ],
)
def test_a_metric_of_ones_own(line: str, stdout: bytes, expected: float) -> None:
    report = own(line, stdout)
    assert (report.status, values(report)) == (Status.OK, {"m": expected}), report.reason


@pytest.mark.parametrize(
    ("line", "stdout"),
    [
        ("m u higher regex stdout 'v=(\\S+)'", b"v=1\nv=2"),
        ("m u higher csv stdout b", b"a,b\n3,4\n5,6"),
    ],
)
def test_a_last_line_without_an_end_is_not_passed_over_for_the_one_before(line: str, stdout: bytes) -> None:
    report = own(line, stdout)
    assert report.status is Status.UNPARSABLE
    assert "its last line has no end" in report.reason


@pytest.mark.parametrize("said", ["diff -3.5 %", "diff \u22123.5 %", "1'234.5", "1\u2019234", "1\u00a0234", "12_345"])
def test_a_sign_or_digits_beyond_the_group_make_it_a_part(said: str) -> None:
    report = own("m u higher regex stdout '([0-9.]+)'", f"{said}\n".encode())
    assert report.status is Status.UNPARSABLE
    assert "part of a longer number" in report.reason


@pytest.mark.parametrize(
    ("line", "stdout"),
    [
        ("m u higher regex stdout 'v=(\\S+)'", b"v=fast\n"),
        ("m u higher regex stdout 'v=(\\S+)'", b"v=nan\n"),
        ("m u higher regex stdout '(x)?v'", b"v\n"),
        ("m u higher json stdout a.b", b'{"a": [1]}'),
        ("m u higher json stdout a", b'{"a": true}'),
        ("m u higher json stdout a", b'{"a": 1e999}'),
        ("m u higher json stdout a", b'{"a": 1' + b"0" * 400 + b"}"),
        ("m u higher json stdout a", b"[" * 5000),
        ("m u higher csv stdout 9", b"1,2\n"),
        ("m u higher csv stdout c", b"a,b\n1,2\n"),
    ],
)
def test_a_metric_that_is_not_there(line: str, stdout: bytes) -> None:
    report = own(line, stdout)
    assert (report.status, "no number for m" in report.reason) == (Status.UNPARSABLE, True)


def test_a_file_that_was_not_written() -> None:
    assert own("m u higher csv t.csv 1").status is Status.FAILED
    assert values(own("m u higher csv t.csv 1", t_csv=b"7\n")) == {"m": 7.0}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "which program"),
        ({"argv": "'x"}, "argv"),
        ({"argv": "x", "prepare": "'x"}, "prepare"),
        ({"argv": "x", "fetch": "a.json", "fresh": False}, "only with `fresh`"),
        ({"argv": "x", "fetch": "../up"}, "no name"),
        ({"argv": "x", "fetch": "/etc/passwd"}, "no name"),
        ({"argv": "x", "metrics": "m u higher"}, "not NAME UNIT"),
        ({"argv": "x", "metrics": "m u upper regex stdout (x)"}, "not higher or lower"),
        ({"argv": "x", "metrics": "m u higher regex stdout x"}, "no group"),
        ({"argv": "x", "metrics": "m u higher regex stdout (("}, "no regular expression"),
        ({"argv": "x", "metrics": "m u higher csv a 1\nm u lower csv a 2"}, "more than once"),
        ({"argv": "x", "expect": "(("}, "expect"),
    ],
)
def test_what_a_command_cannot_be(given: dict[str, Value], words: str) -> None:
    _, faults = complete(load("command"), given)
    assert any(words in fault for fault in faults), faults


def test_times_are_primary_only_where_nothing_else_is() -> None:
    command = load("command")
    alone, _ = complete(command, {"argv": "x"})
    asked, _ = complete(command, {"argv": "x", "metrics": "user u higher csv stdout 1"})
    assert next((m.name, m.primary) for m in command.metrics_of(alone)) == ("real", True)
    assert [(m.name, m.primary) for m in command.metrics_of(asked)] == [
        ("user", True),
        ("real", False),
        ("sys", False),
        ("max_rss", False),
    ]


@settings(deadline=None)
@given(st.text("realusys 0123456789.,:mhs\telapd%()CPU\n", max_size=200))
def test_times_of_anything(text: str) -> None:
    for one in timing.texts(text.encode()):
        assert not one.is_whole or {"real", "user", "sys"} <= one.values.keys()
