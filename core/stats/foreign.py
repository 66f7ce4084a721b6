"""Other people's measurements: a CSV file with one line per run, or one per published summary."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path

from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.model import Better, Status, label_of
from hpcvirt.core.stats.model import Series, Summary
from hpcvirt.core.text import clean_line

RUN_COLUMNS = ("kernel", "benchmark", "metric", "value")
SUMMARY_COLUMNS = ("kernel", "benchmark", "metric", "mean", "sd", "n")
OPTIONAL_COLUMNS = ("unit", "better", "primary", "exact", "node", "block", "boot", "run", "status", "interim")

Facts = tuple[str, Better, bool, bool]
"""Unit, better, primary, exact."""

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_SHOWN = 20


class FileInvalid(UsageWrong):
    """A file of measurements has faults; each is listed with its line number."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """What a file holds: runs or summaries, never both."""

    series: tuple[Series, ...] = ()
    summaries: tuple[Summary, ...] = ()
    notes: tuple[str, ...] = ()
    """What the file did not say and was assumed."""
    interim: bool | None = None
    """Whether some line says that the campaign was not finished. None: the file has no such column."""


@dataclass(slots=True)
class _Gathering:
    """One metric under one kernel, while the file is read."""

    first_line: int
    facts: Facts
    values: list[float] = field(default_factory=list)
    node: list[str] = field(default_factory=list)
    block: list[str] = field(default_factory=list)
    boot: list[str] = field(default_factory=list)
    attempts: Counter[str] = field(default_factory=Counter)
    """By status; empty where the file has no such column."""
    failed_at: set[tuple[str, str]] = field(default_factory=set)
    """Node and block of attempts without a value."""

    @property
    def lost_visits(self) -> int:
        """Visits to a node in a block without any value."""
        return len(self.failed_at - set(zip(self.node, self.block, strict=True)))

    def add(self, row: Mapping[str, str], status: str | None, value: float | None) -> None:
        """Take in one line: its value, or that it has none."""
        if status is not None:
            self.attempts[status] += 1
        if value is None:
            self.failed_at.add((row.get("node", ""), row.get("block", "")))
            return
        self.values.append(value)
        self.node.append(row.get("node", ""))
        self.block.append(row.get("block", ""))
        self.boot.append(row.get("boot", ""))


def read(path: Path) -> Foreign:
    """Read a file of runs (``RUN_COLUMNS``) or of summaries (``SUMMARY_COLUMNS``), both with further columns.

    The order of lines is the run order; columns may stand in any order and unknown ones are left alone. A line whose
    ``status`` is not ok is an attempt without a value. Raises FileInvalid with every fault, each with its line number
    and reason.
    """
    faults: list[str] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            kind = _kind(header)
            interim: set[bool] = set()
            rows = _noting_interim(_rows(reader, header, faults), interim, faults)
            found = _runs(rows, header, faults) if kind == "runs" else _summaries(rows, header, faults)
    except UnicodeDecodeError as error:
        raise FileInvalid(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from error
    except csv.Error as error:
        raise FileInvalid(f"{path}: line {reader.line_num}: {error}") from error
    except OSError as error:
        raise FileInvalid(f"{path}: {error.strerror}") from error
    if not faults and not found.series and not found.summaries:
        faults.append("line 1: there is nothing after the header")
    if faults:
        more = [f"... and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        raise FileInvalid("\n".join(f"{path}: {fault}" for fault in faults[:_SHOWN] + more))
    return replace(found, interim=any(interim)) if "interim" in header else found


def _kind(header: list[str]) -> str:
    doubled = sorted({name for name in header if name and header.count(name) > 1})
    if doubled:
        raise FileInvalid(f"line 1: column {doubled[0]} is there twice")
    if set(RUN_COLUMNS) <= set(header):
        return "runs"
    if set(SUMMARY_COLUMNS) <= set(header):
        return "summaries"
    missing = [name for name in RUN_COLUMNS if name not in header]
    raise FileInvalid(
        f"line 1: no column {', '.join(missing)}",
        hint=f"needed: {', '.join(RUN_COLUMNS)} (or mean, sd and n in place of value); "
        f"possible: {', '.join(OPTIONAL_COLUMNS)}",
    )


def _rows(reader: Iterator[list[str]], header: list[str], faults: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    for cells in reader:
        line: int = reader.line_num  # type: ignore[attr-defined]
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            faults.append(f"line {line}: {len(cells)} cells under {len(header)} columns")
            continue
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        yield line, row | {"benchmark": _label(row)}


def _noting_interim(
    rows: Iterator[tuple[int, dict[str, str]]], interim: set[bool], faults: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield every line, after noting whether it says that the campaign was not finished."""
    for line, row in rows:
        try:
            interim.add(_boolean(row, "interim", default=False))
        except ValueError as error:
            faults.append(f"line {line}: {error}")
        yield line, row


def _label(row: Mapping[str, str]) -> str:
    """A benchmark with its parameters, which our own ``measurements.csv`` has in a column of their own, as JSON."""
    name = row.get("benchmark", "")
    try:
        parameters = json.loads(row.get("parameters", ""))
    except ValueError:
        return name
    return label_of(name, parameters) if isinstance(parameters, dict) else name


def _runs(rows: Iterator[tuple[int, dict[str, str]]], header: list[str], faults: list[str]) -> Foreign:
    found: dict[tuple[str, str, str], _Gathering] = {}
    facts: dict[tuple[str, str], tuple[int, Facts]] = {}
    seen: dict[tuple[str, ...], int] = {}
    failures: list[dict[str, str]] = []
    kernels: dict[str, int] = {}
    for line, row in rows:
        kernels.setdefault(clean_line(row["kernel"]), line)
        try:
            status = _status(row)
            value = _number(row, "value") if status in {None, Status.OK} else None
            if value is None and not row["metric"]:
                _key(row | {"metric": "any"})
                failures.append(row)
                continue
            key, said = _key(row), _facts(row)
            _same(facts, key[1:], line, said)
            if value is not None:
                _once(seen, row, line)
        except ValueError as error:
            faults.append(f"line {line}: {error}")
            continue
        found.setdefault(key, _Gathering(line, said)).add(row, status, value)
    _add_failures(found, facts, failures)
    if failures:
        # kernels in the order of their lines, whether or not a line has a metric: the first one is the baseline
        found = dict(sorted(found.items(), key=lambda item: kernels[item[0][0]]))
    for key, one in found.items():
        faults += [f"line {one.first_line}: {fault}" for fault in _gaps(key, one)]
    if found and not any(one.values for one in found.values()):
        faults.append(f"no line has the status {Status.OK}, so there is no value")
    return Foreign(series=_series(found), notes=(*_assumed(header), *_absent(found)))


def _summaries(rows: Iterator[tuple[int, dict[str, str]]], header: list[str], faults: list[str]) -> Foreign:
    found: dict[tuple[str, str, str], Summary] = {}
    facts: dict[tuple[str, str], tuple[int, Facts]] = {}
    for line, row in rows:
        try:
            key = _key(row)
            unit, better, primary, exact = said = _facts(row)
            one = Summary(*key, _number(row, "mean"), _spread(row), _count(row), unit, better, primary, exact)
            _same(facts, key[1:], line, said)
            _new(key, found)
        except ValueError as error:
            faults.append(f"line {line}: {error}")
            continue
        found[key] = one
    return Foreign(summaries=tuple(found.values()), notes=(*_assumed(header), *_absent(found)))


def _new(key: tuple[str, str, str], found: Mapping[tuple[str, str, str], Summary]) -> None:
    if key in found:
        raise ValueError(f"{' '.join(key)}: there is a summary of it already")


def _add_failures(
    found: dict[tuple[str, str, str], _Gathering],
    facts: Mapping[tuple[str, str], tuple[int, Facts]],
    failures: Iterable[Mapping[str, str]],
) -> None:
    """Count attempts that failed before they had a metric in every metric of their benchmark."""
    for row in failures:
        kernel, benchmark, _ = _key({**row, "metric": "any"})
        for name, metric in facts:
            if name == benchmark:
                one = found.setdefault((kernel, name, metric), _Gathering(0, facts[name, metric][1]))
                one.add(row, _status(row), None)


def _key(row: Mapping[str, str]) -> tuple[str, str, str]:
    kernel, benchmark, metric = (clean_line(row[name]) for name in ("kernel", "benchmark", "metric"))
    for name, text in (("kernel", kernel), ("benchmark", benchmark), ("metric", metric)):
        if not text:
            raise ValueError(f"no {name}")
    return kernel, benchmark, metric


def _facts(row: Mapping[str, str]) -> Facts:
    better = row.get("better", "").lower()
    if better not in {"", *Better}:
        raise ValueError(f"better is {clean_line(better, 40)!r}; it must be higher or lower")
    primary, exact = _boolean(row, "primary", default=True), _boolean(row, "exact", default=False)
    return clean_line(row.get("unit", "")), Better(better or Better.LOWER), primary, exact


def _boolean(row: Mapping[str, str], name: str, *, default: bool) -> bool:
    word = row.get(name, "").lower()
    if word not in {"", *_WORDS}:
        raise ValueError(f"{name} is {clean_line(word, 40)!r}; it must be true or false")
    return _WORDS.get(word, default)


def _status(row: Mapping[str, str]) -> str | None:
    """How the attempt of a line ended, in small letters; None: the file does not say."""
    if "status" not in row:
        return None
    if status := clean_line(row["status"], 40).casefold():
        return status
    raise ValueError("no status")


def _number(row: Mapping[str, str], name: str) -> float:
    text = row[name]
    try:
        # float() would take 1_000, which no other program writes or means
        value = float("" if "_" in text else text)
    except ValueError:
        raise ValueError(f"{name} {clean_line(text, 40)!r} is not a number") from None
    if not isfinite(value):
        raise ValueError(f"{name} {clean_line(text, 40)!r} is not a finite number")
    return value


def _spread(row: Mapping[str, str]) -> float:
    if (sd := _number(row, "sd")) < 0:
        raise ValueError(f"sd is {sd:g}; it cannot be negative")
    return sd


def _count(row: Mapping[str, str]) -> int:
    if (n := _number(row, "n")) < 1 or n != int(n):
        raise ValueError(f"n is {n:g}; it must be a whole number from 1 on")
    return int(n)


def _same(
    facts: dict[tuple[str, str], tuple[int, Facts]],
    group: tuple[str, ...],
    line: int,
    said: Facts,
) -> None:
    first, before = facts.setdefault((group[0], group[1]), (line, said))
    for name, old, new in zip(("unit", "better", "primary", "exact"), before, said, strict=True):
        if old != new:
            raise ValueError(f"{name} of {group[0]} {group[1]} is {new!s}, but {old!s} in line {first}")


def _once(seen: dict[tuple[str, ...], int], row: Mapping[str, str], line: int) -> None:
    if not row.get("run"):
        return
    names = ("kernel", "benchmark", "metric", "node", "block", "boot", "run")
    if (first := seen.setdefault(tuple(row.get(name, "") for name in names), line)) != line:
        raise ValueError(f"the same run as in line {first}")


def _gaps(key: tuple[str, str, str], one: _Gathering) -> Iterator[str]:
    for name, labels in (("node", one.node), ("block", one.block), ("boot", one.boot)):
        if any(labels) and not all(labels):
            yield f"{' '.join(key)}: {labels.count('')} of {len(labels)} lines name no {name}"


def _series(found: Mapping[tuple[str, str, str], _Gathering]) -> tuple[Series, ...]:
    node, block, boot = _coder(), _coder(), _coder()
    return tuple(
        Series.of(
            *key,
            one.values,
            unit=one.facts[0],
            better=one.facts[1],
            primary=one.facts[2],
            exact=one.facts[3],
            node=map(node, one.node),
            block=map(block, one.block),
            boot=map(boot, one.boot) if any(one.boot) else None,
            attempts=one.attempts,
            lost_visits=one.lost_visits,
        )
        for key, one in found.items()
    )


def _coder() -> Callable[[str], int]:
    codes: dict[str, int] = {}
    return lambda label: codes.setdefault(label, len(codes))


def _assumed(header: list[str]) -> tuple[str, ...]:
    return () if "better" in header else ("no column better: lower is taken for better in every metric",)


def _absent(found: Collection[tuple[str, str, str]]) -> tuple[str, ...]:
    kernels = {kernel for kernel, _, _ in found}
    metrics = {(benchmark, metric) for _, benchmark, metric in found}
    if not (missing := len(kernels) * len(metrics) - len(found)):
        return ()
    return (
        f"{missing} of {len(kernels) * len(metrics)} combinations of kernel and metric have no line: not compared, "
        "and not counted in the family",
    )
