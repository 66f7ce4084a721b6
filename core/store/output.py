"""What an attempt wrote, page by page: a hundred megabytes are never in memory, and no page is far.

The output is one zlib stream in the database. It is read once from end to end, to know how long it is; states of the
decompression are kept on the way, so that any page is near one of them.
"""

from __future__ import annotations

import sqlite3
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.store.queries import reading

PAGE_BYTES = 1 << 16
KEPT_EVERY_BYTES = 4 << 20
CHUNK_BYTES = 1 << 18
STREAMS = ("stdout", "stderr")


@dataclass(frozen=True, slots=True)
class OutputPage:
    """A part of an attempt's output."""

    content: bytes
    """As the benchmark wrote it: not clean."""
    page: int
    """From 0."""
    pages: int
    """At least one."""
    size: int
    """Of the whole, in bytes."""


@dataclass(frozen=True, slots=True)
class _State:
    """Of a decompression: so much is out, so much was read in."""

    out: int
    read: int
    machine: Any
    """A decompression object, to be copied before it is used."""


class OutputReader:
    """Reads one stream of one attempt; remembers where it was. For any thread, one at a time."""

    def __init__(self, path: Path, attempt: str, stream: str) -> None:
        """``stream``: one of ``STREAMS``."""
        if stream not in STREAMS:
            raise ValueError(stream)
        self.key = path, attempt, stream
        self._path, self._attempt, self._stream = path, attempt, stream
        self._states: list[_State] = []
        self._size = 0
        self._lock = threading.Lock()

    def page(self, number: int) -> OutputPage:
        """A page; one before the first is the first, one behind the last is the last.

        Raises StoreUnusable, also when there is no such attempt or its output is damaged.
        """
        with self._lock, reading(self._path) as connection:
            blob = self._blob(connection)
            if blob is None:
                return OutputPage(b"", 0, 1, 0)
            try:
                with blob:
                    if not self._states:
                        self._index(blob)
                    pages = max(1, -(-self._size // PAGE_BYTES))
                    number = min(max(0, number), pages - 1)
                    return OutputPage(self._read(blob, number * PAGE_BYTES), number, pages, self._size)
            except zlib.error as error:
                raise StoreUnusable(f"{self._path}: the {self._stream} of this attempt is damaged: {error}") from error

    def _blob(self, connection: sqlite3.Connection) -> sqlite3.Blob | None:
        row = connection.execute(
            f"SELECT rowid, {self._stream} IS NULL FROM attempts WHERE id = ?",  # noqa: S608 - one of two words
            (self._attempt,),
        ).fetchone()
        if row is None:
            raise StoreUnusable(f"{self._path}: there is no attempt {self._attempt}")
        return None if row[1] else connection.blobopen("attempts", self._stream, row[0], readonly=True)

    def _index(self, blob: sqlite3.Blob) -> None:
        machine = zlib.decompressobj()
        self._states.append(_State(0, 0, machine.copy()))
        out = read = 0
        while part := blob.read(CHUNK_BYTES):
            read += len(part)
            out += len(machine.decompress(part, KEPT_EVERY_BYTES))
            while machine.unconsumed_tail:
                out += len(machine.decompress(machine.unconsumed_tail, KEPT_EVERY_BYTES))
            if out - self._states[-1].out >= KEPT_EVERY_BYTES:
                self._states.append(_State(out, read, machine.copy()))
        self._size = out

    def _read(self, blob: sqlite3.Blob, start: int) -> bytes:
        state = next(state for state in reversed(self._states) if state.out <= start)
        machine, left = state.machine.copy(), start - state.out
        blob.seek(state.read)
        found = bytearray()
        tail = b""
        while len(found) < PAGE_BYTES:
            part = tail or blob.read(CHUNK_BYTES)
            if not part:
                break
            told = machine.decompress(part, KEPT_EVERY_BYTES)
            tail = machine.unconsumed_tail
            skipped = min(left, len(told))
            left -= skipped
            found += told[skipped : skipped + PAGE_BYTES]
        return bytes(found[:PAGE_BYTES])
