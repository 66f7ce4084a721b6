"""Other people's files: read, or refused with the line and the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hpcvirt.core.model import Better
from hpcvirt.core.stats import Method, Series, Settings, Unit, compare, compare_summaries
from hpcvirt.core.stats.foreign import FileInvalid, read

HEAD = "kernel,benchmark,metric,value"


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "runs.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def faults(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(FileInvalid) as caught:
        read(write(folder, text))
    assert caught.value.exit_code == 2
    return [line.replace(f"{folder / 'runs.csv'}: ", "") for line in caught.value.message.splitlines()]


def test_the_least_a_file_needs(tmp_path: Path) -> None:
    found = read(write(tmp_path, f"{HEAD}\nA,x,t,1.5\nB,x,t,2\nA,x,t,2.5\n"))
    a, b = found.series
    assert (a.kernel, a.benchmark, a.metric, a.values.tolist()) == ("A", "x", "t", [1.5, 2.5])
    assert (b.better, b.primary, b.has_boots) == (Better.LOWER, True, False)
    assert found.notes == ("no column better: lower is taken for better in every metric",)


def test_every_column_in_any_order_with_others_beside(tmp_path: Path) -> None:
    head = "run,Boot,comment,block,node,primary,better,unit,value,metric,benchmark,KERNEL"
    rows = [
        "1,b1,hi,7,n1,no,higher,MB/s,10,rate,x,A",
        "2,b1,,7,n2,no,higher,MB/s,11,rate,x,A",
        "1,b2,,8,n1,no,higher,MB/s,12,rate,x,A",
    ]
    (one,) = read(write(tmp_path, "\n".join([head, *rows]))).series
    assert (one.unit, one.better, one.primary, one.has_boots) == ("MB/s", Better.HIGHER, False, True)
    assert one.node.tolist() == [0, 1, 0]
    assert one.block.tolist() == [0, 0, 1]
    assert one.boot.tolist() == [0, 0, 1]


def test_byte_order_mark_crlf_quotes_and_empty_lines(tmp_path: Path) -> None:
    text = f'\ufeff{HEAD}\r\n\r\n"A","x, ""y""",t, 1e3 \r\n,,,\r\nA,"x, ""y""",t,2\r\n'
    (one,) = read(write(tmp_path, text)).series
    assert one.benchmark == 'x, "y"'
    assert one.values.tolist() == [1000, 2]


def test_escape_codes_are_cleaned_away(tmp_path: Path) -> None:
    (one,) = read(write(tmp_path, f"{HEAD}\n\x1b[31mA\x1b[0m,x,t,1\n\x1b[31mA\x1b[0m,x,t,2\n")).series
    assert "\x1b" not in one.kernel


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("A,x,t,fast", "line 2: value 'fast' is not a number"),
        ("A,x,t,", "line 2: value '' is not a number"),
        ("A,x,t,nan", "line 2: value 'nan' is not a finite number"),
        ("A,x,t,-inf", "line 2: value '-inf' is not a finite number"),
        ("A,x,t,1e999", "line 2: value '1e999' is not a finite number"),
        ("A,x,t,1_000", "line 2: value '1_000' is not a number"),
        ('A,x,t,"1,5"', "line 2: value '1,5' is not a number"),
        (",x,t,1", "line 2: no kernel"),
        ("A,,t,1", "line 2: no benchmark"),
        ("A,x,,1", "line 2: no metric"),
        ("A,x,t,1,2", "line 2: 5 cells under 4 columns"),
        ("A,x,t", "line 2: 3 cells under 4 columns"),
    ],
)
def test_faults_of_a_line(tmp_path: Path, row: str, reason: str) -> None:
    assert faults(tmp_path, f"{HEAD}\n{row}\n") == [reason]


@pytest.mark.parametrize(
    ("column", "rows", "reason"),
    [
        ("better", ["faster"], "line 2: better is 'faster'; it must be higher or lower"),
        ("primary", ["maybe"], "line 2: primary is 'maybe'; it must be true or false"),
        ("unit", ["s", "ms"], "line 3: unit of x t is ms, but s in line 2"),
        ("primary", ["yes", "no"], "line 3: primary of x t is False, but True in line 2"),
        ("node", ["n1", ""], "line 2: A x t: 1 of 2 lines name no node"),
        ("run", ["4", "4"], "line 3: the same run as in line 2"),
    ],
)
def test_faults_of_further_columns(tmp_path: Path, column: str, rows: list[str], reason: str) -> None:
    text = "\n".join([f"{HEAD},{column}", *(f"A,x,t,1,{row}" for row in rows)])
    assert faults(tmp_path, text) == [reason]


def test_all_faults_at_once_but_not_a_flood(tmp_path: Path) -> None:
    found = faults(tmp_path, "\n".join([HEAD, *(["A,x,t,no"] * 50)]))
    assert len(found) == 21
    assert found[:2] == ["line 2: value 'no' is not a number", "line 3: value 'no' is not a number"]
    assert found[-1] == "... and 30 more"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: no column kernel, benchmark, metric, value"),
        ("kernel,benchmark,value\n", "line 1: no column metric"),
        (f"{HEAD},value\n", "line 1: column value is there twice"),
        (f"{HEAD}\n", "line 1: there is nothing after the header"),
        (HEAD.encode() + b"\nA,x,t\xff,1\n", "not UTF-8 text"),
        (f'{HEAD}\nA,x,t,"1\n', "line 2: "),
    ],
)
def test_faults_of_the_file(tmp_path: Path, text: str | bytes, reason: str) -> None:
    (found,) = faults(tmp_path, text)
    assert found.startswith(reason)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match="No such file"):
        read(tmp_path / "nowhere.csv")


def test_a_status_column_carries_attempts_without_a_value(tmp_path: Path) -> None:
    rows = [
        "A,x,t,1.5,ok",
        "A,x,t,2.5,OK",
        "A,x,t,,failed",
        "B,x,t,300,timeout",
        "B,x,t,2,ok",
        "B,x,t,not a number,Killed",
    ]
    a, b = read(write(tmp_path, "\n".join([f"{HEAD},status", *rows]))).series
    assert (a.values.tolist(), dict(a.attempts)) == ([1.5, 2.5], {"ok": 2, "failed": 1})
    assert (b.values.tolist(), dict(b.attempts)) == ([2], {"timeout": 1, "ok": 1, "killed": 1})


def test_an_attempt_that_failed_before_it_had_a_metric_counts_in_all_of_its_benchmark(tmp_path: Path) -> None:
    rows = ["A,x,t,1,ok", "A,x,u,1,ok", "A,y,t,1,ok", "B,x,t,2,ok", "B,x,,,failed", "C,x,,,failed", "C,x,,,failed"]
    found = read(write(tmp_path, "\n".join([f"{HEAD},status", *rows]))).series
    told = {(one.kernel, one.benchmark, one.metric): dict(one.attempts) for one in found}
    assert told["B", "x", "t"] == {"ok": 1, "failed": 1}
    assert told["B", "x", "u"] == {"failed": 1}
    assert told["C", "x", "t"] == told["C", "x", "u"] == {"failed": 2}
    assert told["A", "x", "t"] == {"ok": 1}
    assert ("C", "y", "t") not in told


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["A,x,t,1,ok", "A,x,t,1,"], "line 3: no status"),
        (["A,x,t,fast,ok"], "line 2: value 'fast' is not a number"),
        (["A,x,,1,ok"], "line 2: no metric"),
        ([",x,,,failed"], "line 2: no kernel"),
        (["A,x,t,1,success"], "no line has the status ok, so there is no value"),
    ],
)
def test_faults_of_a_status(tmp_path: Path, rows: list[str], reason: str) -> None:
    assert faults(tmp_path, "\n".join([f"{HEAD},status", *rows])) == [reason]


def test_attempts_of_a_run_are_no_runs_given_twice(tmp_path: Path) -> None:
    rows = ["A,x,t,,lost,1", "A,x,t,,failed,1", "A,x,t,3,ok,1"]
    (one,) = read(write(tmp_path, "\n".join([f"{HEAD},status,run", *rows]))).series
    assert one.values.tolist() == [3]


def test_visits_without_any_value_are_lost(tmp_path: Path) -> None:
    rows = ["A,x,t,1,ok,n1,1", "A,x,t,,failed,n1,1", "A,x,t,,failed,n1,2", "A,x,t,,failed,n1,2", "A,x,t,,failed,n2,2"]
    (one,) = read(write(tmp_path, "\n".join([f"{HEAD},status,node,block", *rows]))).series
    assert one.lost_visits == 2


def test_slow_runs_that_time_out_do_not_make_a_kernel_faster_in_silence(tmp_path: Path) -> None:
    """No difference; of kernel B the slowest 10 % are cut off."""
    rng = np.random.default_rng(3)
    silent = 0
    for _ in range(40):
        a, b = rng.lognormal(0, 0.5, (2, 100))
        limit = np.sort(b)[90]
        rows = [f"A,x,t,{v!r},ok" for v in a.tolist()]
        rows += [f"B,x,t,{v!r},ok" if v < limit else "B,x,t,,timeout" for v in b.tolist()]
        (one,) = compare(read(write(tmp_path, "\n".join([f"{HEAD},status", *rows]))).series, Settings())
        assert (one.n, one.n_baseline) == (90, 100)
        silent += "asymmetric-loss" not in {flag.code for flag in one.flags}
    assert silent == 0


def test_what_nobody_measured_is_not_compared_and_a_note_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    measured = [("A", "x"), ("B", "x"), ("A", "y"), ("C", "y"), ("B", "z"), ("C", "z")]
    rows = [f"{kernel},{benchmark},t,{v!r}" for kernel, benchmark in measured for v in rng.normal(9, 1, 5).tolist()]
    found = read(write(tmp_path, "\n".join([HEAD, *rows])))
    done = compare(found.series, Settings(contrasts=(("B", "C"), ("C", "B"))))
    assert [(one.benchmark, one.kernel, one.baseline) for one in done] == [
        ("x", "B", "A"),
        ("y", "C", "A"),
        ("z", "B", "C"),
    ]
    assert {one.family for one in done} == {3}
    assert found.notes[-1].startswith("3 of 9 combinations of kernel and metric have no line")


def test_summaries_of_some_kernels_only(tmp_path: Path) -> None:
    text = "kernel,benchmark,metric,mean,sd,n\nA,x,t,1,0.1,9\nB,x,t,2,0.1,9\nA,y,t,1,0.1,9\n"
    found = read(write(tmp_path, text))
    assert [one.family for one in compare_summaries(found.summaries, Settings())] == [1]
    assert found.notes[-1].startswith("1 of 4 combinations")


def test_summaries(tmp_path: Path) -> None:
    text = "kernel,benchmark,metric,mean,sd,n,unit\nchaos,cg,s,607,31,50,s\nxen,cg,s,576.65,31,50,s\n"
    found = read(write(tmp_path, text))
    assert found.series == ()
    assert [(one.mean, one.sd, one.n, one.unit) for one in found.summaries] == [
        (607, 31, 50, "s"),
        (576.65, 31, 50, "s"),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("A,x,t,1,-1,5", "line 2: sd is -1; it cannot be negative"),
        ("A,x,t,1,1,2.5", "line 2: n is 2.5; it must be a whole number from 1 on"),
        ("A,x,t,1,1,0", "line 2: n is 0; it must be a whole number from 1 on"),
        ("A,x,t,nan,1,5", "line 2: mean 'nan' is not a finite number"),
        ("A,x,t,1,1,5\nA,x,t,1,1,5", "line 3: A x t: there is a summary of it already"),
    ],
)
def test_faults_of_summaries(tmp_path: Path, row: str, reason: str) -> None:
    assert faults(tmp_path, f"kernel,benchmark,metric,mean,sd,n\n{row}\n") == [reason]


def test_fresh_and_reloaded_data_give_the_same_bits(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    node, block = (axis.reshape(-1) for axis in np.indices((3, 8)))
    fresh = [
        Series.of(k, "x", "t", rng.lognormal(0, 3, 24), node=node, block=block, boot=block) for k in ("A", "B", "C")
    ]
    rows = [
        f"{s.kernel},x,t,{v!r},{n},{b},{b}"
        for s in fresh
        for v, n, b in zip(s.values.tolist(), s.node.tolist(), s.block.tolist(), strict=True)
    ]
    reloaded = read(write(tmp_path, "\n".join([f"{HEAD},node,block,boot", *rows]))).series
    for settings in (Settings(), Settings(unit=Unit.NODE_BLOCK), Settings(method=Method.PAPER)):
        assert compare(reloaded, settings) == compare(fresh, settings)


def test_the_way_of_testing_follows_from_the_columns(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)

    def ways(columns: str, cells: list[str], settings: Settings) -> tuple[Method, Unit]:
        rows = [f"{k},x,t,{rng.normal(9, 1)!r}{cell}" for k in "AB" for cell in cells]
        (one,) = compare(read(write(tmp_path, "\n".join([HEAD + columns, *rows]))).series, settings)
        return one.method, one.replication_unit

    eight = [f",{i // 2}" for i in range(8)]
    assert ways("", [""] * 8, Settings()) == (Method.PAPER, Unit.RUN)
    assert ways(",block", eight, Settings()) == (Method.BLOCKED, Unit.BLOCK)
    assert ways(",block", eight, Settings(unit=Unit.NODE_BLOCK)) == (Method.BLOCKED, Unit.NODE_BLOCK)
    assert ways(",block", eight, Settings(method=Method.PAPER)) == (Method.PAPER, Unit.RUN)
    assert ways(",boot", eight, Settings()) == (Method.PAPER, Unit.BOOT)
    assert ways(",boot", eight, Settings(method=Method.BLOCKED)) == (Method.PAPER, Unit.BOOT)
    assert ways(",boot", eight, Settings(method=Method.PAPER)) == (Method.PAPER, Unit.RUN)
    assert ways(",boot", [",1"] * 8, Settings()) == (Method.PAPER, Unit.RUN)
    assert ways(",boot,block", [f"{c},1" for c in eight], Settings()) == (Method.PAPER, Unit.BOOT)


@pytest.mark.parametrize("with_values", [True, False])
def test_the_first_kernel_is_the_baseline_though_its_first_line_is_a_failure(tmp_path: Path, with_values: bool) -> None:
    rows = ["A,x,,,timeout", "B,x,t,100,ok", "B,x,t,101,ok", "C,x,t,102,ok", "B,x,u,7,ok", "C,x,t,104,ok"]
    rows += ["A,x,t,200,ok", "A,x,t,201,ok"] * with_values
    done = compare(read(write(tmp_path, "\n".join([f"{HEAD},status", *rows]))).series, Settings())
    assert {one.baseline for one in done} == {"A"}
    assert [one.kernel for one in done if one.metric == "t"] == ["B", "C"]
