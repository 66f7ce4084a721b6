"""CSV for others' tools."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import TextIO

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.store.queries import read_measurements
from hpcvirt.core.store.records import Measurement

COLUMNS = tuple(field.name for field in fields(Measurement))


def write_measurements_csv(database: Path, target: Path) -> int:
    """Write one row per measurement; the number of rows. The file appears whole or not at all.

    Raises StoreUnusable.
    """
    rows = read_measurements(database)
    try:
        # Whoever may not read the database may not read this either, until its owner says so.
        descriptor, draft = tempfile.mkstemp(prefix=".measurements-", dir=target.parent)
        try:
            with open(descriptor, "w", newline="", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
                write_rows(file, rows)
            Path(draft).replace(target)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreUnusable(f"{target}: {error.strerror}", hint="name another file with --output") from error
    return len(rows)


def write_rows(file: TextIO, rows: Iterable[Measurement]) -> None:
    """The header and a line per measurement; floats are written so that they read back the same."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(_cells, rows))


def _cells(row: Measurement) -> Sequence[object]:
    return [
        harmless(value) if isinstance(value, str) else repr(value) if isinstance(value, float) else value
        for value in astuple(row)
    ]


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
