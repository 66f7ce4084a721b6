"""Runs: the list of attempts, and one of them with everything it wrote."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpcvirt.core.errors import StoreUnusable, UsageWrong
from tests.tui.screen_samples import DATABASE, HOSTILE, make_row, make_rows, make_snapshot, watched
from tests.tui.seeing import SIZES, Eye, at_database
from tests.tui.test_hostile import assert_harmless


async def at_runs(eye: Eye) -> None:
    await eye.until("148/400 runs")
    await eye.press("6")
    await eye.until("begun")


@pytest.mark.parametrize("size", SIZES)
async def test_every_attempt_has_a_line(size: tuple[int, int]) -> None:
    async with at_database(watched(make_snapshot()), size) as eye:
        await at_runs(eye)
        await eye.until("8 attempts", "✓ ok", "✗ failed", "▶ under way", "native-again", "node3", "0.31")
        for heading in ("begun", "status", "node", "kernel", "benchmark", "run", "seconds"):
            assert heading in eye.line("begun")
        if size[0] > 80:
            assert "the result is not valid" in eye.text


async def test_words_are_looked_for_in_the_database() -> None:
    async with at_database(watched(make_snapshot())) as eye:
        await at_runs(eye)
        await eye.press("slash", *"failed")
        await eye.until("1 attempt ", gone=("✓ ok",))
        await eye.press("x")
        await eye.until("No attempt contains “failedx”")
        await eye.press("escape")
        await eye.until("8 attempts")


async def test_many_are_paged() -> None:
    async with at_database(watched(make_snapshot(), rows=make_rows(700))) as eye:
        await at_runs(eye)
        await eye.until("1 … 300 of 700 attempts")
        await eye.press("right_square_bracket")
        await eye.until("301 … 600 of 700 attempts")
        await eye.press("right_square_bracket", "right_square_bracket")
        await eye.until("601 … 700 of 700 attempts")
        await eye.press("left_square_bracket")
        await eye.until("301 … 600")


async def test_a_new_attempt_appears() -> None:
    backend = watched(make_snapshot())
    async with at_database(backend) as eye:
        await at_runs(eye)
        await eye.until("8 attempts")
        backend.rows = make_rows(9)
        backend.snapshots[DATABASE] = make_snapshot(ok=149)
        await eye.until("9 attempts")


async def test_one_in_full() -> None:
    async with at_database(watched(make_snapshot()), (120, 40)) as eye:
        await at_runs(eye)
        await eye.press("down", "enter")
        await eye.until(
            "triad", "12346 MB/s", "6.8.0-45-generic", "2 users were logged in", "Telemetry while it ran", "cpu"
        )
        await eye.press("right")
        await eye.until("Triad: 1.0", "page 1 of 1")
        await eye.press("right")
        await eye.until("nothing was written")
        await eye.press("left", "left")
        await eye.until("Identity, read before and after")
        await eye.press("escape")
        await eye.until("8 attempts")


async def test_enter_twice_opens_an_attempt_once() -> None:
    async with at_database(watched(make_snapshot()), (120, 40)) as eye:
        await at_runs(eye)
        await eye.hammer("down", "enter", "enter")
        await eye.until("12346 MB/s", "Identity, read before and after")
        assert len(eye.app.screen_stack) == 2


async def test_a_failure_is_shown_with_its_command_and_its_last_lines() -> None:
    written = {"stdout": b"Triad: 1.0\n", "stderr": b"".join(b"line %d\n" % n for n in range(9))}
    async with at_database(watched(make_snapshot(), written=written), (80, 40)) as eye:
        await at_runs(eye)
        await eye.press("down", "down", "enter")
        text = await eye.until("✗ failed", "on node3", "OMP_NUM_THREADS=1 ./stream", "line 8")
        assert "exit status          1" in text
        assert "end of stderr        line 4" in text
        assert "line 3" not in text
        await eye.press("escape", "down", "enter")
        await eye.until("✓ ok", "command", gone=("end of stderr",))


async def test_a_long_output_is_read_page_by_page() -> None:
    whole = b"".join(b"line %d\n" % n for n in range(60_000))
    backend = watched(make_snapshot(), written={"stdout": whole, "stderr": b""})
    async with at_database(backend) as eye:
        await at_runs(eye)
        await eye.press("enter")
        await eye.until("Identity")
        await eye.press("right")
        await eye.until("line 0", "page 1 of")
        await eye.press("greater_than_sign", "end")
        await eye.until("line 59999")
        await eye.press("less_than_sign", "right_square_bracket")
        await eye.until("page 2 of")


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
async def test_hostile_output_is_not_obeyed(text: str) -> None:
    row = make_row(1, node=text, kernel=text, benchmark=text or "b", status=text, reason=text)
    backend = watched(make_snapshot(), rows=[row], written={"stdout": text.encode(), "stderr": text.encode()})
    async with at_database(backend) as eye:
        await at_runs(eye)
        await eye.until("1 attempt")
        assert_harmless(eye.app)
        await eye.press("enter")
        await eye.until("12346 MB/s")
        assert_harmless(eye.app)
        await eye.press("right")
        await eye.until("page 1 of")
        assert_harmless(eye.app)


async def test_requeue_and_skip() -> None:
    backend = watched(make_snapshot())
    async with at_database(backend) as eye:
        await at_runs(eye)
        await eye.until("8 attempts")
        await eye.press("R")
        await eye.until("asked the runner to requeue")
        await eye.press("down", "K")
        await eye.until("Skip this run?", "Run 101")
        await eye.press("n")
        await eye.until(gone=("Skip this run?",))
        assert backend.run_wishes == [("requeue", 100)]
        await eye.press("K", "y")
        await eye.until("asked the runner to skip")
        assert backend.run_wishes == [("requeue", 100), ("skip", 101)]
        backend.start_fails = UsageWrong("run 101 is ok: its result stays")
        await eye.press("R")
        await eye.until("its result stays")


async def test_nothing_yet_and_nothing_readable() -> None:
    async with at_database(watched(make_snapshot(ok=0), rows=[])) as eye:
        await eye.until("0/400 runs")
        await eye.press("6")
        await eye.until("No run has begun yet")
        await eye.press("enter", "R", "K", "slash")
    async with at_database(watched(make_snapshot(), rows=StoreUnusable("[/] broken"))) as eye:
        await eye.until("148/400 runs")
        await eye.press("6")
        await eye.until("cannot be read: [/] broken")


async def test_the_cursor_stays_on_its_attempt() -> None:
    backend = watched(make_snapshot())
    async with at_database(backend) as eye:
        await at_runs(eye)
        await eye.until("8 attempts")
        await eye.press("down", "down")
        new = replace(make_row(50), id="new")
        backend.rows = [new, *make_rows()]
        backend.snapshots[DATABASE] = make_snapshot(ok=149)
        await eye.until("9 attempts")
        await eye.press("R")
        await eye.until("requeue")
        assert backend.run_wishes == [("requeue", 102)]
