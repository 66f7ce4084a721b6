from __future__ import annotations

from dataclasses import replace

import pytest

from hpcvirt.core.errors import StoreUnusable
from tests.tui.screen_samples import (
    DATABASE,
    PAPER_KERNELS,
    SampleComparison,
    SampleFlag,
    SampleTable,
    finished,
    make_snapshot,
    make_table,
    paper_table,
    watched,
)
from tests.tui.seeing import SIZES, at_database

HEADINGS = ("bench", "metric", "kernel", "base", "mean", "diff%", "95 % CI", " p ", "verdict")


def withheld() -> SampleTable:
    """The table as it is before the planned end."""
    nothing = {"verdict": None, "p": None, "p_adjusted": None, "ci_low": None, "ci_high": None, "interim": True}
    return SampleTable([replace(row, **nothing) for row in make_table().rows])  # type: ignore[arg-type]


def verdicts(text: str) -> list[str]:
    words = ("equivalent", "slower", "faster", "inconclusive", "trivial")
    rows = [
        line
        for line in text.splitlines()
        if line.lstrip().startswith(("stream ", "npb ")) and "=" not in line.split()[1]
    ]
    return [word for line in rows for word in words if word in line]


@pytest.mark.parametrize("size", SIZES)
async def test_every_heading_and_verdict_is_in_sight(size: tuple[int, int]) -> None:
    async with at_database(watched(finished()), size) as eye:
        text = await eye.until("inconclusive", "not sampled")
        heading = eye.line("verdict")
        assert all(word in f"{heading} " for word in HEADINGS), heading
        for word in (
            "= equivalent",
            "▼ slower",
            "▲ faster",
            "? inconclusive",
            "native-again",
            "−3.41",
            "−4.90",
            "<.001",
        ):
            assert word in text
        assert "4 comparisons against native" in text
        assert "INTERIM" not in text


async def test_the_row_under_the_cursor_is_told_in_full() -> None:
    async with at_database(watched(finished())) as eye:
        await eye.until("copy higher is better", "n=40")
        await eye.press("down")
        text = await eye.until("▼ slower  ○ native-again against ● native: −3.41 %, CI −4.90 … −1.90 %")
        assert "12346 (n=40) → 11925 (n=40) MB/s, p <.001 (<.001 adjusted)" in text
        assert "! 3 outliers of native-again" in text
        await eye.press("down", "down")
        await eye.until("12 blocks more would decide it")


async def test_long_names_are_cut_before_a_column_is() -> None:
    table = paper_table()
    async with at_database(watched(make_snapshot(kernels=PAPER_KERNELS), table=table)) as eye:
        await eye.until("148/400 runs")
        await eye.press("3")
        await eye.until("INTERIM")
        await eye.press("P")
        await eye.until("Show as if final?")
        await eye.press("y")
        text = await eye.until("inconclusive", "INTERIM, as if final: a recorded look at 148 of 400 runs")
        assert all(word in f"{eye.line('verdict')} " for word in HEADINGS)
        assert "xen-3.0.1" in text


@pytest.mark.parametrize("size", SIZES)
async def test_interim_results_are_means_and_differences(size: tuple[int, int]) -> None:
    async with at_database(watched(make_snapshot()), size) as eye:
        await eye.press("3")
        text = await eye.until("INTERIM: 148 of 400 runs are in.", "11925", "−3.41", "… not final")
        telling = ("<.001", "slower", " verdict ", "blocks more", ", p ", " CI", "├", "┤", "−4.90")
        assert not [word for word in telling if word in text]
        await eye.press("o", "o")
        await eye.until("by difference")
        await eye.press("o")
        await eye.until("by campaign order")
        await eye.press("slash", *"slower")
        await eye.until("No row contains “slower”")
        await eye.press("escape")
        await eye.until("4 comparisons")
        assert eye.backend.looks == 0


async def test_verdicts_before_the_end_are_asked_about_and_recorded() -> None:
    backend = watched(make_snapshot())
    async with at_database(backend) as eye:
        await eye.press("3")
        await eye.until("INTERIM: 148 of 400 runs are in.")
        await eye.press("P")
        await eye.until("Show as if final?", "recorded in the")
        await eye.press("n")
        await eye.until("INTERIM: 148", gone=("Show as if final?",))
        assert backend.looks == 0
        await eye.press("P")
        await eye.until("Show as if final?")
        await eye.press("y")
        await eye.until("INTERIM, as if final: a recorded look at 148 of 400 runs", "equivalent", "▼ slower")
        assert backend.looks == 1
        reads = backend.reads
        backend.snapshots[DATABASE] = make_snapshot(ok=160)
        await eye.until("40 %")
        assert backend.reads >= reads
        await eye.until("a recorded look at 148 of 400 runs")
        assert backend.looks == 1
        await eye.press("P")
        await eye.until("INTERIM: 160 of 400", gone=("▼ slower", "Show as if final?"))
        assert backend.looks == 1


async def test_a_metric_that_is_not_primary_has_no_sign_and_what_was_not_measured_says_so() -> None:
    rows = [
        SampleComparison(metric="copy", verdict="slower", primary=False),
        SampleComparison(metric="scale", verdict="inconclusive", runs=0, mean=None, difference_pct=None),
        SampleComparison(metric="add", verdict="faster"),
    ]
    async with at_database(watched(finished(), table=SampleTable(rows))) as eye:
        await eye.until("3 comparisons", "▲ faster")
        assert "slower" in eye.line("copy  ")
        assert "▼" not in eye.text
        assert "not measured" in eye.line("scale ")
        assert "?" not in eye.line("scale ")


async def test_sorting() -> None:
    async with at_database(watched(finished()), (120, 40)) as eye:
        await eye.until("inconclusive")
        assert verdicts(eye.text)[:4] == ["equivalent", "slower", "faster", "inconclusive"]
        await eye.press("o", "o")
        await eye.until("by difference", "diff%↓")
        assert verdicts(eye.text)[:4] == ["slower", "equivalent", "inconclusive", "faster"]
        await eye.press("O")
        await eye.until("by difference, reversed", "diff%↑")
        assert verdicts(eye.text)[:4] == ["faster", "inconclusive", "equivalent", "slower"]
        await eye.press("o")
        await eye.until("by p", "p↓")
        await eye.press("o")
        await eye.until("verdict↓")
        assert verdicts(eye.text)[:4] == ["slower", "faster", "inconclusive", "equivalent"]
        await eye.press("o")
        await eye.until("by campaign order")


async def test_filter() -> None:
    async with at_database(watched(finished())) as eye:
        await eye.until("inconclusive")
        await eye.press("slash", *"SCALE")
        await eye.until("1 of 4 comparisons with “SCALE”", gone=("stream copy", "stream add"))
        await eye.press("enter", "o")
        await eye.until("by kernel", "1 of 4")
        await eye.press("slash", *"zz")
        await eye.until("No row contains “zz”", "Escape")
        await eye.press("escape")
        await eye.until("4 comparisons", "stream copy", gone=("No row",))


async def test_keys_typed_into_the_filter_are_words() -> None:
    async with at_database(watched(finished())) as eye:
        await eye.until("inconclusive")
        await eye.press("slash", *"q1sx")
        await eye.until("No row contains “q1sx”")
        assert eye.app.is_running


async def test_the_cursor_stays_on_its_row() -> None:
    async with at_database(watched(finished())) as eye:
        await eye.until("inconclusive")
        await eye.press("down", "o", "o")
        await eye.until("by difference")
        await eye.until("▼ slower  ○ native-again against ● native")


async def test_results_are_computed_only_for_somebody_who_looks() -> None:
    backend = watched(make_snapshot())
    async with at_database(backend) as eye:
        await eye.until("148/400 runs")
        assert backend.compared == 0
        await eye.press("3")
        await eye.until("INTERIM")
        assert backend.compared == 1


async def test_when_the_last_run_is_in_the_results_are_final() -> None:
    backend = watched(make_snapshot())
    async with at_database(backend) as eye:
        await eye.press("3")
        await eye.until("INTERIM")
        backend.snapshots[DATABASE] = finished()
        await eye.until("✓ finished", "▼ slower", gone=("INTERIM",))
        await eye.wait(lambda: backend.compared == 2)


async def test_when_the_last_run_is_given_up_the_results_are_final() -> None:
    """No further run is ok then: what was worked out before says nothing of verdicts all the same."""
    backend = watched(make_snapshot(ok=399), table=withheld())
    async with at_database(backend) as eye:
        await eye.press("3")
        await eye.until("INTERIM: 399 of 400")
        backend.table = make_table()
        backend.snapshots[DATABASE] = finished(ok=399, given_up=1)
        await eye.until("✓ finished", "▼ slower", gone=("INTERIM",))
        assert backend.compared == 2


async def test_a_finished_campaign_that_is_extended_has_no_verdicts_any_more() -> None:
    backend = watched(finished())
    async with at_database(backend) as eye:
        await eye.until("▼ slower")
        backend.table = withheld()
        backend.snapshots[DATABASE] = make_snapshot(ok=400, planned=480)
        await eye.until("INTERIM: 400 of 480", "4 comparisons", gone=("slower",))
        table = eye.app.state.table
        assert table is not None
        assert [row.verdict for row in table.rows] == [None] * 4
        assert backend.looks == 0


async def test_a_look_does_not_outlast_the_end_of_its_campaign() -> None:
    """Whoever extends the campaign afterwards is asked again before a look."""
    backend = watched(make_snapshot())
    async with at_database(backend) as eye:
        await eye.press("3")
        await eye.until("INTERIM: 148 of 400 runs are in.")
        await eye.press("P")
        await eye.until("Show as if final?")
        await eye.press("y")
        await eye.until("a recorded look at 148 of 400 runs")
        backend.snapshots[DATABASE] = finished()
        await eye.until("✓ finished", "▼ slower", gone=("INTERIM",))
        looks = backend.looks
        backend.snapshots[DATABASE] = make_snapshot(ok=400, planned=480)
        await eye.until("INTERIM: 400 of 480", gone=("slower", "as if final"))
        assert backend.looks == looks


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        (make_snapshot(ok=0), ("No result yet: 0 of 400 runs", "two ok runs under each of two kernels")),
        (make_snapshot(kernels=("native",)), ("Only one kernel was picked",)),
    ],
)
async def test_empty_states_say_what_to_do(snapshot, words: tuple[str, ...]) -> None:
    async with at_database(watched(snapshot)) as eye:
        await eye.until("runs")
        await eye.press("3")
        await eye.until(*words)
        await eye.press("slash", "o", "O")
        assert "Filter" not in eye.lines[-1]


async def test_without_a_database() -> None:
    from tests.tui.seeing import at_campaign

    async with at_campaign() as eye:
        await eye.until("400 runs")
        await eye.press("3")
        await eye.until("No campaign is open yet", "0 lists what can be opened")
        await eye.press("2")
        await eye.until("No campaign is running yet", "1 goes to Setup")


@pytest.mark.parametrize("error", [StoreUnusable("no such file [/]", hint="look"), ZeroDivisionError("n = [red]")])
async def test_statistics_that_fail_are_said(error: Exception) -> None:
    async with at_database(watched(finished(), table=error)) as eye:
        await eye.until("✗ The results cannot be computed", str(error)[:5])


async def test_what_could_not_be_computed_is_a_dash() -> None:
    nothing = SampleComparison(
        mean=None, difference_pct=None, p=None, p_adjusted=None, ci_low=None, ci_high=None, verdict="inconclusive",
        flags=(SampleFlag("too-few", "too few values"),),
    )  # fmt: skip
    odd = SampleComparison(
        metric="odd", difference_pct=float("nan"), ci_low=float("nan"), ci_high=float("inf"), verdict=""
    )
    huge = SampleComparison(
        metric="huge", mean=1e300, mean_baseline=1e-300, difference_pct=9e9, ci_low=-1e9, ci_high=1e300
    )
    for size in SIZES:
        async with at_database(watched(finished(), table=SampleTable([nothing, odd, huge])), size) as eye:
            text = await eye.until("– ", "too few values", "huge")
            assert "nan" not in text


@pytest.mark.parametrize("size", [(100, 30), (200, 60)])
async def test_rows_say_how_many_flags_they_have(size: tuple[int, int]) -> None:
    async with at_database(watched(finished()), size) as eye:
        await eye.until("inconclusive")
        assert "!1" in eye.line("scale")
        assert "!" not in eye.line(" add ")
    async with at_database(watched(finished(), table=SampleTable([SampleComparison()])), size) as eye:
        await eye.until("equivalent")
        assert "verdict  !" not in eye.text


async def test_a_changed_number_of_rows() -> None:
    backend = watched(finished(), table=make_table(2))
    async with at_database(backend) as eye:
        await eye.until("2 comparisons")
        await eye.press("down")
        backend.table = make_table(1)
        backend.snapshots[DATABASE] = finished(ok=399, given_up=1)
        await eye.until("1 comparison ")


async def test_thousands_of_rows() -> None:
    backend = watched(finished(), table=SampleTable([SampleComparison(metric=f"m{n}") for n in range(2500)]))
    async with at_database(backend) as eye:
        await eye.until("2 500 comparisons")
        await eye.press("end")
        await eye.until("m2499")
        await eye.press("slash", *"m1234")
        await eye.until("1 of 2 500")


@pytest.mark.parametrize("size", SIZES)
async def test_many_notes_leave_room_for_rows(size: tuple[int, int]) -> None:
    notes = tuple(f"note {n}" for n in range(60))
    async with at_database(watched(finished(), table=SampleTable(make_table().rows, notes)), size) as eye:
        text = await eye.until("note 0", "more lines of notes")
        assert len(verdicts(text)) >= 4
    async with at_database(watched(finished(), table=SampleTable(make_table().rows, notes[:3])), size) as eye:
        await eye.until("note 2", gone=("more lines",))


# -- looked at otherwise


async def test_the_method_is_toggled_in_place() -> None:
    backend = watched(finished())
    async with at_database(backend) as eye:
        await eye.until("4 comparisons")
        await eye.press("m")
        await eye.until("method paper")
        await eye.wait(lambda: backend.methods == ["", "paper"])
        await eye.press("m")
        await eye.until("4 comparisons", gone=("method paper  ",))


async def test_contrasts_are_shown_with_what_they_are_compared_with() -> None:
    rows = [SampleComparison(kernel="b", baseline="native"), SampleComparison(kernel="b", baseline="c")]
    async with at_database(watched(finished(), table=SampleTable(rows)), (120, 40)) as eye:
        await eye.until("2 comparisons", "all planned pairs", "b:c")
        await eye.press("b")
        await eye.until("1 comparison ", "pairs with the baseline", gone=("b:c",))
        await eye.press("b")
        await eye.until("1 comparison ", "contrasts", "b:c")
        await eye.press("b")
        await eye.until("2 comparisons")


async def test_without_contrasts_there_is_no_key_for_them() -> None:
    async with at_database(watched(finished()), (120, 40)) as eye:
        await eye.until("4 comparisons")
        assert "Pairs" not in eye.lines[-1]


# -- copied and written


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ("1", "csv\nscale native-again"),
        ("2", "markdown\nscale native-again"),
        ("3", "csv\ncopy native-again\nscale native-again\nadd native-again\ntriad native-again"),
        ("4", "markdown\ncopy native-again\nscale native-again\nadd native-again\ntriad native-again"),
    ],
)
async def test_row_and_table_are_copied(choice: str, text: str) -> None:
    async with at_database(watched(finished())) as eye:
        await eye.until("inconclusive")
        await eye.press("down", "y")
        await eye.until("Copy into the clipboard", "the row under the cursor, as CSV", "(4 rows), as Markdown")
        await eye.press(choice)
        await eye.until("Copied: ")
        assert eye.app.clipboard == text


async def test_enter_twice_copies_once_and_ends_nothing() -> None:
    async with at_database(watched(finished())) as eye:
        await eye.until("inconclusive")
        await eye.press("y")
        await eye.until("Copy into the clipboard")
        await eye.hammer("enter", "enter")
        await eye.until("Copied: ", "inconclusive")
        assert eye.text.count("Copied: ") == 1
        assert len(eye.app.screen_stack) == 1


async def test_the_values_of_a_cell_are_written_beside_the_database() -> None:
    async with at_database(watched(finished())) as eye:
        await eye.until("inconclusive")
        await eye.press("down", "w")
        await eye.until("Write into a file")
        await eye.press("5")
        await eye.until("written: ")
        [(text, target)] = eye.backend.texts
        assert target == DATABASE.with_name(f"{DATABASE.stem}-stream-scale-native-again-values.csv")
        lines = text.splitlines()
        assert lines[0] == "benchmark,metric,unit,kernel,node,block,run,started_at,value"
        assert len(lines) == 25
        assert lines[1].startswith("stream array_size=2000000 ntimes=10 threads=1,scale,MB/s,native,node1,1,1,")


async def test_a_file_that_cannot_be_written_is_said() -> None:
    failing = watched(finished(), export_fails=StoreUnusable("no room [/]"))
    async with at_database(failing) as eye:
        await eye.until("inconclusive")
        await eye.press("w", "1")
        await eye.until("Nothing was copied", "no room [/]")


async def test_only_rows_that_pass_the_filter_are_the_table() -> None:
    async with at_database(watched(finished())) as eye:
        await eye.until("inconclusive")
        await eye.press("slash", *"add", "enter", "y")
        await eye.until("the table as shown (1 row)")
        await eye.press("3")
        await eye.wait(lambda: eye.app.clipboard == "csv\nadd native-again")
