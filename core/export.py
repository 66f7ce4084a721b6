"""CSV for others' tools."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, fields
from pathlib import Path
from typing import TextIO

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.store.queries import read_measurements
from hpcvirt.core.store.records import Measurement
from hpcvirt.core.store.samples import Sample, moment
from hpcvirt.core.store.telemetry import attempt_at, read_attempt_times, read_samples

COLUMNS = tuple(field.name for field in fields(Measurement))


def write_measurements_csv(database: Path, target: Path) -> int:
    """Write one row per measurement; the number of rows. The file appears whole or not at all.

    Raises StoreUnusable.
    """
    rows = read_measurements(database)
    with whole_file(target) as file:
        write_rows(file, rows)
    return len(rows)


def write_telemetry_csv(database: Path, target: Path) -> int:
    """Write one row per sample, as ``write_measurements_csv`` does."""
    with whole_file(target) as file:
        return write_samples(file, database)


@contextmanager
def whole_file(target: Path) -> Iterator[TextIO]:
    """A file that takes its place when everything is in it, or never. Raises StoreUnusable."""
    try:
        # Whoever may not read the database may not read this either, until its owner says so.
        descriptor, draft = tempfile.mkstemp(prefix=".hpcvirt-", dir=target.parent)
        try:
            with open(descriptor, "w", newline="", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
                yield file
            Path(draft).replace(target)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreUnusable(f"{target}: {error.strerror}", hint="name another file with --output") from error


def write_samples(file: TextIO, database: Path) -> int:
    """The header and a line per sample, with the attempt it was taken in; the number of samples.

    Raises StoreUnusable.
    """
    names = [field.name for field in fields(Sample) if field.name != "at_ms"]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["node", "at", "kernel", "benchmark", "run", "attempt", *names])
    count = 0
    attempts = read_attempt_times(database)
    for node, samples in read_samples(database):
        for sample in samples:
            place = attempt_at(attempts.get(node, ()), sample.at_ms)
            told = ["", "", "", ""] if place is None else [place.kernel, place.benchmark, place.run, place.number]
            at = moment(sample.at_ms)
            writer.writerow(plain_cells([node, at, *told, *(getattr(sample, name) for name in names)]))
            count += 1
    return count


def write_rows(file: TextIO, rows: Iterable[Measurement]) -> None:
    """The header and a line per measurement; floats are written so that they read back the same."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(_cells, rows))


def _cells(row: Measurement) -> Sequence[object]:
    return plain_cells(astuple(row))


def plain_cells(values: Iterable[object]) -> list[object]:
    """Values as CSV has them: no formula, and floats that read back the same."""
    return [
        harmless(value) if isinstance(value, str) else repr(value) if isinstance(value, float) else value
        for value in values
    ]


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
