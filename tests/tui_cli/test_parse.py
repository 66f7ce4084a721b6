"""``parse``: an answer exits with 0 whatever it is, a question that cannot be answered with 2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hpcvirt.core.errors import BenchmarkUnknown, UsageWrong
from hpcvirt.tui.commands import app
from tests.plugins.recordings import FOLDER, Case, cases

ONE_OF_EACH = {case.folder: case for case in cases() if case.expected["status"] == "ok"}
RUNS = [case for case in cases() if "runs" in case.expected]


def call(*words: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["parse", *map(str, words)], input=stdin, catch_exceptions=True)


def words_for(case: Case) -> list[str]:
    base = FOLDER / case.folder / case.name
    rc = Path(f"{base}.rc").read_text().strip() or "0"
    words = [case.plugin, f"{base}.out", "--stderr", f"{base}.err", "--exit-status", rc]
    results = Path(f"{base}.hpccoutf.txt")
    return [*words, *(["--file", f"hpccoutf.txt={results}"] if results.exists() else [])]


def answer(*words: str | Path, stdin: bytes | None = None) -> dict[str, Any]:
    done = call(*words, "--json", stdin=stdin)
    assert (done.exit_code, done.exception) == (0, None), done.output
    found: dict[str, Any] = json.loads(done.output)
    return found


@pytest.mark.parametrize(
    "case", [c for c in [*ONE_OF_EACH.values(), *RUNS] if c.folder != "mitgcm"], ids=lambda c: c.name
)
def test_json(case: Case) -> None:
    found, expected = answer(*words_for(case)), case.expected
    assert (found["status"], found["reason"]) == (expected["status"], "")
    for name, value in expected["metrics"].items():
        assert {key: found["metrics"][name][key] for key in ("value", "unit")} == value
        assert found["metrics"][name].keys() == {"value", "unit", "normalised", "normalised_unit"}
    assert set(found["not_measured"]) == set(expected.get("not_measured", ()))
    assert [one["status"] for one in found["runs"]] == [one["status"] for one in expected.get("runs", ())]


def test_normalised_by_powers_of_1024() -> None:
    found = answer("bonnie", FOLDER / "bonnie_classic" / "b64_100M_run1.out")["metrics"]
    assert found["seq_out_char"] == {
        "value": 147.6,
        "unit": "M/sec",
        "normalised": pytest.approx(147.6 * 1.048576),
        "normalised_unit": "MB/s",
    }
    found = answer("bonnie", FOLDER / "bonnie_classic" / "old_100M_run2.out")["metrics"]
    assert found["seq_out_char"]["normalised"] == pytest.approx(258485 * 1024 / 1e6)
    assert found["rand_seeks"]["normalised_unit"] == "1/s"


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (("npb", "npb/mpi34_mg.W.1.out", "--exit-status", "137"), "failed", "SIGKILL"),
        (("npb", "npb/ranks_mpi34_mg.S_on_3.out", "--param", "ranks=2"), "failed", "ranks 3, not the 2"),
        (("npb", "npb/ranks_mpi34_mg.S_on_3.out", "--param", "ranks=3"), "failed", "only 2 of its 3"),
        (("npb", "npb/ser33_cg.A.out", "--param", "class=B"), "failed", "class A, not the B"),
        (("npb", "npb/ser33_cg.A.out", "--param", "code=cg", "--param", "class=A"), "ok", ""),
        (("npb", "npb/omp34_is.S.t4.out", "--param", "threads=2"), "failed", "threads 4, not the 2"),
        (("stream", "stream/ser_2M_run2.out", "--param", "array_size=10"), "failed", "array_size 2000000"),
        (("bonnie", "bonniepp/big_4000M_quiet_run2.out", "--param", "size_mib=100"), "failed", "4000 MiB, not the 100"),
        (("bonnie", "bonniepp/big_4000M_quiet_run2.out", "--param", "size_mib=4000"), "ok", ""),
        (("command", "time/gnu_o_file.out", "--param", "expect=Swaps"), "ok", ""),
        (("command", "time/gnu_o_file.out", "--param", "expect=nowhere"), "unverified", "nowhere"),
    ],
)
def test_what_was_asked_for(words: tuple[str, ...], status: str, reason: str) -> None:
    found = answer(words[0], FOLDER / words[1], *words[2:])
    assert (found["status"], reason in found["reason"]) == (status, True), found["reason"]


def test_standard_input_and_words_for_people() -> None:
    text = (FOLDER / "bonniepp" / "quiet_x3.out").read_bytes()
    assert answer("bonnie", "-", stdin=text)["status"] == "ok"
    done = call("bonnie", "-", stdin=text)
    assert done.exit_code == 0
    for words in ("ok\n", "1202 K/s", "1.23085 MB/s", "not measured: seq_out_block", "3 reports in one text"):
        assert words in done.output


def test_escape_codes_do_not_come_through() -> None:
    done = call(
        "command", "-", "--exit-status", "1", "--stderr", FOLDER / "time" / "bash_builtin.err", stdin=b"\x1b]0;x\x07"
    )
    assert done.exit_code == 0
    assert "\x1b" not in done.output


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("no-such", "-"), BenchmarkUnknown),
        (("npb", "/no/such/file"), UsageWrong),
        (("npb", "-", "--param", "class"), UsageWrong),
        (("npb", "-", "--param", "colour=red"), UsageWrong),
        (("npb", "-", "--param", "ranks=many"), UsageWrong),
        (("command", "-", "--param", "fresh=maybe"), UsageWrong),
        (("command", "-", "--param", "expect=(("), UsageWrong),
        (("command", "-", "--param", "decimal=;"), UsageWrong),
        (("npb", "-", "--param", "class=Q"), UsageWrong),
        (("npb", "-", "--file", "=x"), UsageWrong),
    ],
)
def test_questions_that_cannot_be_answered(words: tuple[str, ...], fault: type[Exception]) -> None:
    done = call(*words, stdin=b"")
    assert isinstance(done.exception, fault)
    assert done.exception.exit_code == 2
