"""CSV for others' tools."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import TextIO

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.store.records import Measurement
from hpcvirt.core.store.results import Results, reading_results
from hpcvirt.core.store.samples import Sample, moment
from hpcvirt.core.store.telemetry import attempt_at, read_attempt_times, read_samples

COLUMNS = tuple(field.name for field in fields(Measurement))
MOST_REMEMBERED = 10_000
LINES_AT_ONCE = 1000


def write_measurements_csv(database: Path, target: Path) -> int:
    """Write one row per measurement; the number of rows. The file appears whole or not at all.

    Raises StoreUnusable.
    """
    with whole_file(target) as file:
        return write_measurements(file, database)


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


def print_measurements(file: TextIO, database: Path) -> None:
    """The same as ``write_measurements`` for a reader who may take his time."""
    _print(file, lambda spool: write_measurements(spool, database))


def print_samples(file: TextIO, database: Path) -> None:
    """The same as ``write_samples`` for a reader who may take his time."""
    _print(file, lambda spool: write_samples(spool, database))


def _print(file: TextIO, write: Callable[[TextIO], int]) -> None:
    """By a temporary file: whoever has a database open for long keeps others from writing, or its log from ending.

    Raises StoreUnusable.
    """
    with ExitStack() as stack:
        try:
            spool = stack.enter_context(tempfile.TemporaryFile("w+", newline="", encoding="utf-8"))
            write(spool)
            spool.seek(0)
        except OSError as error:
            raise StoreUnusable(
                f"a temporary file in {tempfile.gettempdir()}: {error.strerror}",
                hint="name another folder with TMPDIR, or the file to write with --output",
            ) from error
        shutil.copyfileobj(spool, file)


def write_measurements(file: TextIO, database: Path) -> int:
    """The header and a line per measurement; the number of measurements. Raises StoreUnusable.

    It is a stream: neither here nor in SQLite are all of them in memory.
    """
    with reading_results(database) as results:
        file.write(f"{joined(COLUMNS)}\n")
        count, lines = 0, _lines(results)
        while some := list(islice(lines, LINES_AT_ONCE)):
            file.write("".join(some))
            count += len(some)
        return count


def _lines(results: Results) -> Iterator[str]:
    """What many lines share is made text of once."""
    boots = {boot: joined((results.campaign, *cells)) for boot, cells in results.boots.items()}
    benchmarks = {benchmark: joined(cells) for benchmark, cells in results.benchmarks.items()}
    metrics = {key: (joined(key[1:]), joined((*cells, results.interim))) for key, cells in results.metrics.items()}
    texts = _Texts()
    for boot, benchmark, boot_id, run, attempt, started_at, duration_s, name, value in results.rows:
        metric, unit = metrics[benchmark, name]
        began = f"{texts[started_at]},{'' if duration_s is None else repr(duration_s)}"
        place = f"{boots[boot]},{texts[boot_id]},{benchmarks[benchmark]}"
        yield f"{place},{run},{attempt},ok,{began},{metric},{value!r},{unit}\n"


class _Texts(dict[object, str]):
    """Values as they stand in a line of CSV. Only so many are remembered."""

    def __missing__(self, value: object) -> str:
        if len(self) > MOST_REMEMBERED:
            self.clear()
        self[value] = joined((value,))
        return self[value]


def joined(values: Iterable[object]) -> str:
    """Values as a line of CSV or a part of one, without its end; floats are written so that they read back the same."""
    text = io.StringIO()
    # A line of nothing but an empty cell would be quoted.
    csv.writer(text, lineterminator="\n").writerow([*plain_cells(values), ""])
    return text.getvalue().removesuffix(",\n")


def plain_cells(values: Iterable[object]) -> list[object]:
    """Values as CSV has them: no formula, and floats that read back the same."""
    return [
        harmless(value) if isinstance(value, str) else repr(value) if isinstance(value, float) else value
        for value in values
    ]


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
