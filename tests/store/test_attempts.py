"""Attempts as they are looked at: searched, paged, and their output page by page."""

from __future__ import annotations

import os
import random
import sqlite3
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.model import Status
from hpcvirt.core.store import output
from hpcvirt.core.store.attempts import read_attempt, read_attempts
from hpcvirt.core.store.output import OutputReader
from tests.core.factories import do_run, ended, new_database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "small.db"
    database, _ = new_database(path)
    identity = {"release": "6.1", "boot_id": "b-1"}
    do_run(database, 1, "a", ended(identity_before=identity, stdout=b"hello\n", user_s=0.5))
    do_run(database, 2, "b", ended(Status.FAILED, reason="The disk is 100% full", stderr=b"x"))
    do_run(database, 3, "c", None)
    database.close()
    return path


def test_the_newest_first(path: Path) -> None:
    page = read_attempts(path)
    assert sorted(row.id for row in page.rows) == ["a", "b", "c"]
    assert [row.started_at for row in page.rows] == sorted((row.started_at for row in page.rows), reverse=True)
    assert (page.total, page.offset) == (3, 0)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("failed", "b"),
        ("UNDER way", "c"),
        ("disk 100%", "b"),
        ("stream ok", "a"),
        ("%", "b"),
        ("' OR 1", ""),
        ("_", "abc"),
    ],
)
def test_every_word_must_be_there(path: Path, words: str, found: str) -> None:
    assert sorted(row.id for row in read_attempts(path, words).rows) == sorted(found)


def test_a_page_behind_the_last_is_empty(path: Path) -> None:
    page = read_attempts(path, "", 300)
    assert (page.rows, page.total) == ((), 3)


def test_one_in_full(path: Path) -> None:
    found = read_attempt(path, "a")
    assert (found.row.status, found.user_s, found.before["release"], found.after) == ("ok", 0.5, "6.1", {})
    assert [name for name, _, _ in found.values] == ["copy", "scale", "add", "triad"]
    assert read_attempt(path, "c").ended_at is None
    with pytest.raises(StoreUnusable, match="no attempt"):
        read_attempt(path, "none")


def test_the_end_of_what_a_failure_wrote(path: Path) -> None:
    whole = b"".join(b"%d\n" % number for number in range(20_000))

    def end(status: str, stdout: bytes | None, stderr: bytes | None) -> tuple[str, bytes]:
        packed = [None if told is None else zlib.compress(told) for told in (stdout, stderr)]
        with sqlite3.connect(path) as connection:
            connection.execute(
                "UPDATE attempts SET status = ?, stdout = ?, stderr = ? WHERE id = 'a'", (status, *packed)
            )
        connection.close()
        return read_attempt(path, "a").last_output

    assert end("failed", b"said", b"wrong") == ("stderr", b"wrong")
    assert end("failed", whole, b"") == ("stdout", whole[-4096:])
    # The last page has one byte.
    assert end("timeout", (whole * 2)[: output.PAGE_BYTES + 1], None)[1] == whole[: output.PAGE_BYTES + 1][-4096:]
    assert end("lost", None, None) == ("", b"")
    assert end("ok", b"said", b"wrong") == ("", b"")
    put(path, b"no zlib at all")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE attempts SET status = 'failed', stderr = NULL WHERE id = 'a'")
    connection.close()
    assert read_attempt(path, "a").last_output == ("", b"")


def test_output_of_one_that_has_none(path: Path) -> None:
    assert OutputReader(path, "c", "stdout").page(5).content == b""
    assert OutputReader(path, "a", "stdout").page(0).content == b"hello\n"
    with pytest.raises(StoreUnusable, match="no attempt"):
        OutputReader(path, "none", "stdout").page(0)


def put(path: Path, content: bytes) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE attempts SET stdout = ? WHERE id = 'a'", (content,))
    connection.close()


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 300_000), st.integers(0, 9), st.lists(st.integers(-2, 12), max_size=6))
def test_pages_together_are_the_whole(path: Path, size: int, seed: int, asked: list[int]) -> None:
    whole = random.Random(seed).randbytes(size // 2) + b"line\n" * (size // 10)
    put(path, zlib.compress(whole))
    reader = OutputReader(path, "a", "stdout")
    for number in asked:
        page = reader.page(number)
        at = page.page * output.PAGE_BYTES
        assert page.content == whole[at : at + output.PAGE_BYTES]
    pages = [reader.page(number) for number in range(reader.page(0).pages)]
    assert b"".join(page.content for page in pages) == whole
    assert {page.size for page in pages} == {len(whole)}


def test_a_hundred_megabytes_are_never_whole_in_memory(path: Path) -> None:
    machine = zlib.compressobj(1)
    block = os.urandom(1 << 15) + b"0123456789abcde\n" * 2048
    put(path, b"".join([*(machine.compress(block) for _ in range(1600)), machine.flush()]))
    size = 1600 * len(block)
    tracemalloc.start()
    try:
        reader = OutputReader(path, "a", "stdout")
        last = reader.page(1 << 30)
        assert last.size == size
        assert last.content == (block * 2)[-len(last.content) :]
        middle = reader.page(last.pages // 2)
        at = middle.page * output.PAGE_BYTES % len(block)
        assert middle.content == (block * 3)[at : at + output.PAGE_BYTES]
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()


def test_damaged_output_is_said(path: Path) -> None:
    put(path, b"no zlib at all")
    with pytest.raises(StoreUnusable, match="damaged"):
        OutputReader(path, "a", "stdout").page(0)
