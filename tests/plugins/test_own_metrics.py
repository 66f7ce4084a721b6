"""Numbers of an operator's own program: none is taken where it may be another one."""

from __future__ import annotations

import pytest

from hpcvirt.core.benchmark import Output, Report, complete, load
from hpcvirt.core.model import Status


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
