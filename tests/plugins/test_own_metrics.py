"""Numbers of an operator's own program: none is taken where it may be another one."""

from __future__ import annotations

import json

import pytest

from hpcvirt.core.benchmark import Output, Report, complete, load
from hpcvirt.core.model import Status
from tests.plugins.recordings import FOLDER


def values(report: Report) -> dict[str, float]:
    return {name: found.value for name, found in report.readings.items()}


def own(line: str, stdout: bytes, decimal: str = "") -> Report:
    given = {"argv": "x", "metrics": line, "decimal": decimal}
    return load("command").parse(Output(stdout, b"", 0), given)


RATE = "m u higher regex stdout 'rate: ([0-9.]+)'"
WORD = "m u higher regex stdout 'rate: (.+)'"


@pytest.mark.parametrize(
    ("line", "stdout"),
    [
        (WORD, b"rate: 1,234\n"),
        (WORD, b"rate: -12,345\n"),
        ("m u higher json stdout a", b'{"a": "1,234"}'),
        ("m u higher csv stdout a", b'a,b\n"1,234",2\n'),
    ],
)
def test_a_comma_that_may_part_thousands_or_decimals(line: str, stdout: bytes) -> None:
    report = own(line, stdout)
    assert (report.status, values(report)) == (Status.UNPARSABLE, {})
    assert "decimal" in report.reason


@pytest.mark.parametrize(
    ("said", "decimal", "expected"),
    [
        ("1,234", ",", 1.234),
        ("1,234", ".", 1234.0),
        ("1,234,567.5", ".", 1234567.5),
        ("-1.234,5", ",", -1234.5),
        ("1.234", ",", 1234.0),
        ("1.5", ".", 1.5),
        ("1,5e3", ",", 1500.0),
        ("0,032", "", 0.032),
        ("12,5", "", 12.5),
        ("1234,567", "", 1234.567),
    ],
)
def test_an_operator_may_say_how_decimals_are_written(said: str, decimal: str, expected: float) -> None:
    report = own(WORD, f"rate: {said}\n".encode(), decimal)
    assert (report.status, values(report)) == (Status.OK, {"m": expected}), report.reason


@pytest.mark.parametrize(("said", "decimal"), [("1.5", ","), ("1,5", "."), ("1,23,456", "."), ("1,2345", ".")])
def test_decimals_that_are_not_written_as_the_operator_said(said: str, decimal: str) -> None:
    assert own(WORD, f"rate: {said}\n".encode(), decimal).status is Status.UNPARSABLE


def test_only_two_signs_part_decimals() -> None:
    assert complete(load("command"), {"argv": "x", "decimal": ";"})[1] == ["decimal: ';' is neither . nor ,"]


@pytest.mark.parametrize("said", ["5.2e3", "5.2E+3", "5.2d3", "12,5", "1,234.5", "5.2e-3", "1.2.3,4"])
def test_a_number_that_goes_on_behind_the_pattern(said: str) -> None:
    report = own(RATE, f"rate: {said} MB/s\n".encode())
    assert (report.status, values(report)) == (Status.UNPARSABLE, {})


@pytest.mark.parametrize("said", ["12.5", "125", "5e12"])
def test_a_number_that_has_begun_before_the_group(said: str) -> None:
    report = own("m u higher regex stdout 'rate: .*([0-9]+)'", f"rate: {said}\n".encode())
    assert (report.status, values(report)) == (Status.UNPARSABLE, {})


@pytest.mark.parametrize("behind", ["", " MB/s", "MB/s", ", done", ".", "%", "e", "eggs", ", 3", "-7", "x2"])
def test_what_may_follow_a_number(behind: str) -> None:
    pattern = "m u higher regex stdout 'rate: ([0-9]+)'"
    report = own(pattern, f"rate: 12{behind}\n".encode())
    assert (report.status, values(report)) == (Status.OK, {"m": 12.0}), report.reason


@pytest.mark.parametrize(
    ("column", "stdout"),
    [
        ("b", b"a,b\n1,2\nDone, 17\n"),
        ("2", b"1,2\n3,4\nDone, 17\n"),
        ("b", b"a,b\n1,2\n3,4,5\n"),
        ("b", b"a,b,c\n1,2\n"),
        ("2", b"1,2,3\n4,5\n"),
    ],
)
def test_a_last_row_that_is_none(column: str, stdout: bytes) -> None:
    report = own(f"m u higher csv stdout {column}", stdout)
    assert (report.status, values(report)) == (Status.UNPARSABLE, {})
    assert "last row" in report.reason


@pytest.mark.parametrize(
    ("column", "stdout", "expected"),
    [
        ("b", b"a,b\nx,2\ny,17\n", 17.0),
        ("b", b"a,b\nn/a,2\n1,3\n", 3.0),
        ("2", b"two columns\n1,2\n", 2.0),
        ("2", b"starting\n1,2\n3,4\n", 4.0),
    ],
)
def test_a_last_row_like_the_others(column: str, stdout: bytes, expected: float) -> None:
    report = own(f"m u higher csv stdout {column}", stdout)
    assert (report.status, values(report)) == (Status.OK, {"m": expected}), report.reason


def test_a_pattern_that_is_none_is_no_fault_of_the_plugin() -> None:
    report = load("command").parse(Output(b"x\n", b"", 0), {"argv": "x", "expect": "(("})
    assert (report.status, "expect" in report.reason) == (Status.UNPARSABLE, True)


# --- JSON


def recorded(name: str) -> bytes:
    return (FOLDER / "own" / name).read_bytes()


@pytest.mark.parametrize("name", ["fio_percentile.json", "fio_note.json"])
def test_a_key_of_json_with_a_dot_and_text_before_it(name: str) -> None:
    report = own("p99 ns lower json stdout jobs.0.read.clat_ns.percentile.99.000000", recorded(name))
    assert (report.status, values(report)) == (Status.OK, {"p99": 2544.0}), report.reason


@pytest.mark.parametrize(
    ("path", "stdout", "expected"),
    [
        ("a.b", b'{"a.b": 1}', 1.0),
        ("a.b.c", b'{"a": {"b.c": 1}, "a.b": {"d": 2}}', 1.0),
        ("a.b.0.c.d", b'{"a.b": [{"c.d": 1}]}', 1.0),
        ("a.-1", b'{"a": [1, 2]}', 2.0),
        ("0.a", b'[{"a": 1}]\n', 1.0),
        ("a", b'\xef\xbb\xbf{"a": 1}', 1.0),
        ("a", '{"a": 1}'.encode("utf-16"), 1.0),
        ("a", b'[INFO] begun\n[node1:12] 3 more\n[1] 4711\n  {\r\n "a": 1\r\n}\r\n', 1.0),
        ("a", b'caf\xe9\n{"a": 1}\nready\n', 1.0),
        ("a", b'{"a": 1}\n{"a": 2}\n{"b": 3}\n', 2.0),
    ],
)
def test_json_among_other_text(path: str, stdout: bytes, expected: float) -> None:
    report = own(f"m u higher json stdout {path}", stdout)
    assert (report.status, values(report)) == (Status.OK, {"m": expected}), report.reason


@pytest.mark.parametrize(
    ("stdout", "why"),
    [
        (b'{"a": {"b": 1}, "a.b": 2}', "can be read in 2 ways"),
        (b'[\n{"a": {"b": 1}},\n{"a":', "JSON is cut"),
        (b'{\n"x": [\n{"a": {"b": 1}},\n{"a": {"b"', "JSON is cut"),
        (b'{"a": {"b": 1}}\n{"a": {"b": 2', "JSON is cut"),
        (b'[{"a": {"b": 1}}]\n[{"a": {"b": 2', "JSON is cut"),
        (b'{"a": {"b": 1}} Killed\n', "more on the last line"),
        (b"no JSON at all\n", "no number"),
        (b"", "no number"),
    ],
)
def test_json_in_which_nobody_can_say_which_number_counts(stdout: bytes, why: str) -> None:
    report = own("m u higher json stdout a.b", stdout)
    assert (report.status, values(report), why in report.reason) == (Status.UNPARSABLE, {}, True), report.reason


def test_json_cut_anywhere_is_no_result() -> None:
    line = "m ns lower json stdout jobs.0.read.clat_ns.percentile.99.000000"
    pretty = json.dumps(json.loads(recorded("fio_percentile.json")), indent=0).encode()
    for text in (recorded("fio_note.json").rstrip(), pretty):
        assert own(line, text).status is Status.OK
        assert {own(line, text[:end]).status for end in range(len(text))} == {Status.UNPARSABLE}


# --- several matches


MAXIMUM = "worst us lower regex stdout 'Max: +([0-9]+)'"
REDUCED = {"last": 22.0, "first": 41.0, "max": 187.0, "min": 22.0, "mean": 250 / 3, "sum": 250.0}


@pytest.mark.parametrize(("how", "expected"), REDUCED.items())
def test_one_number_of_several_threads(how: str, expected: float) -> None:
    report = own(f"{MAXIMUM} reduce={how}", recorded("cyclictest.out"))
    assert (report.status, values(report)) == (Status.OK, {"worst": expected}), report.reason


@pytest.mark.parametrize(("how", "expected"), {"last": 2, "first": 4, "max": 4, "min": 2, "mean": 3, "sum": 9}.items())
@pytest.mark.parametrize(
    ("where", "stdout"),
    [
        ("csv stdout b", b"a,b\nx,4\ny,3\nz,2\n"),
        ("csv stdout 2", b"begun\n1,4\n2,3\n3,2\n"),
        ("json stdout a.*", b'{"a": [4, "3", 2]}'),
        ("json stdout jobs.*.b", b'{"jobs": {"x": {"b": 4}, "y": {"b": 3}, "z": {"b": 2}, "t": {"c": 9}}}'),
        ("json stdout b", b'{"b": 4}\n{"b": 3}\n{"b": 2}\n'),
    ],
)
def test_one_number_of_rows_and_members(where: str, stdout: bytes, how: str, expected: float) -> None:
    report = own(f"m u higher {where} reduce={how}", stdout)
    assert (report.status, values(report)) == (Status.OK, {"m": expected}), report.reason


def test_of_several_the_last_counts_where_nothing_is_said() -> None:
    assert values(own(MAXIMUM, recorded("cyclictest.out"))) == {"worst": 22.0}


@pytest.mark.parametrize("how", ["max", "min", "mean", "sum"])
@pytest.mark.parametrize(
    ("where", "stdout"),
    [
        ("regex stdout 'v=(\\S+)'", b"v=1\nv=fast\nv=3\n"),
        ("regex stdout 'v=([0-9.]+)'", b"v=1\nv=5.2e3\nv=3\n"),
        ("regex stdout 'v=([0-9.]+)'", b"v=1\nv=2\nv"),
        ("csv stdout b", b"a,b\n1,2\n1,n/a\n1,3\n"),
        ("csv stdout 2", b"1,2\n1,2,3\n1,3\n"),
        ("json stdout a.*", b'{"a": [1, null, 2]}'),
    ],
)
def test_none_is_left_out_of_several(where: str, stdout: bytes, how: str) -> None:
    report = own(f"m u higher {where} reduce={how}", stdout)
    assert (report.status, values(report)) == (Status.UNPARSABLE, {})


def test_a_sum_beyond_all_numbers_is_none() -> None:
    assert own("m u higher regex stdout 'v=(\\S+)' reduce=mean", b"v=1e308\nv=1e308\nv=1e308\n").status is not Status.OK


@pytest.mark.parametrize("end", ["reduce=median", "reduce=", "max", "reduce=max reduce=min"])
def test_a_reduction_that_is_none(end: str) -> None:
    faults = complete(load("command"), {"argv": "x", "metrics": f"{MAXIMUM} {end}"})[1]
    assert ["reduce" in fault for fault in faults] == [True], faults


@pytest.mark.parametrize("name", ["metrics", "expect"])
def test_what_toml_made_of_a_backslash(name: str) -> None:
    given = {"argv": "x", name: "m u higher regex stdout '\bv=(.+)'"}
    (fault,) = complete(load("command"), given)[1]
    assert fault.startswith(f"{name}: ")
    assert "'''" in fault


@pytest.mark.parametrize(("how", "expected"), {"sum": 60, "last": 30, "min": 10}.items())
@pytest.mark.parametrize("pattern", [r"^(\d+)$", r"^\s*(\d+)", r"(\d+)\n"])
def test_a_number_on_the_line_before_is_another_one(pattern: str, how: str, expected: int) -> None:
    report = own(f"m u higher regex stdout '{pattern}' reduce={how}", b"10\n20\n30\n")
    assert (report.status, values(report)) == (Status.OK, {"m": expected}), report.reason
