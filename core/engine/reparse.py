"""Stored output parsed again: by another version of a plugin, or with corrected parameters of its parser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hpcvirt.core.benchmark import BenchmarkPlugin, complete, load, package
from hpcvirt.core.engine.judge import parse, reason_of
from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.model import Benchmark, Status, Value
from hpcvirt.core.store.queries import read_campaign_record
from hpcvirt.core.store.records import BenchmarkRecord
from hpcvirt.core.store.reparses import (
    PARSERS,
    Filed,
    Parsed,
    Reparse,
    Stored,
    Verdict,
    file_reparses,
    read_parser,
    read_stored,
    verdict_of,
)
from hpcvirt.core.store.runners import refuse_upgrade

Parameters = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Reparsed:
    """What became of one benchmark's attempts."""

    benchmark: str
    """Its label."""
    package: str
    """Name and version of the package whose parser it was."""
    filed: Filed


def reparse(
    database: Path,
    origin: str,
    *,
    benchmark: str | None = None,
    corrections: Parameters | None = None,
    uses: Sequence[Benchmark] | None = None,
) -> list[Reparsed]:
    """Parse the stored output of every attempt again, and file what differs; ``origin`` says who did it.

    ``benchmark``: only those with this label or plugin. ``corrections``: parameters of the parser, of one benchmark.
    ``uses``: the benchmarks of a corrected campaign, from which the parser's parameters are taken. A runner may
    work on the database meanwhile. Nothing is filed when anything is wrong with one of them.

    Raises UsageWrong, BenchmarkUnknown, BenchmarkBroken, StoreUnusable; StoreLocked where a runner of an earlier
    version of the program works on the database.
    """
    refuse_upgrade(database)
    records = _wanted(database, benchmark)
    if corrections and len(records) > 1:
        labels = "; ".join(record.label for record in records)
        raise UsageWrong(
            f"{database}: parameters are of one benchmark, and there are {labels}", hint="--benchmark NAME"
        )
    works = [_Work.of(database, record, _corrections(record, corrections or {}, uses)) for record in records]
    parsed = [work.parsed(origin) for work in works]
    filed = file_reparses(database, parsed)
    return [
        Reparsed(work.record.label, one.reparse.package, done)
        for work, one, done in zip(works, parsed, filed, strict=True)
    ]


def _wanted(database: Path, name: str | None) -> list[BenchmarkRecord]:
    _, records = read_campaign_record(database)
    found = [record for record in records if name is None or name in {record.label, record.plugin}]
    if not found:
        labels = "; ".join(record.label for record in records)
        raise UsageWrong(f"{database}: no benchmark {name!r}", hint=f"it has {labels}")
    return found


def _corrections(record: BenchmarkRecord, given: Parameters, uses: Sequence[Benchmark] | None) -> Parameters:
    """Those given, or those that the corrected campaign has for the same benchmark."""
    if uses is None:
        return given
    plugin = load(record.plugin)
    same = [use for use in uses if _executed(plugin, use) == _executed(plugin, record)]
    if len(same) != 1:
        what = "no benchmark" if not same else f"{len(same)} benchmarks"
        raise UsageWrong(
            f"the campaign file has {what} that executes what {record.label} does",
            hint="correct only parameters of the parser, or give them with --benchmark and --param",
        )
    return {name: same[0].parameters[name] for name in _parser_only(plugin)}


def _executed(plugin: BenchmarkPlugin, use: Benchmark | BenchmarkRecord) -> tuple[str, dict[str, Value]]:
    apart = _parser_only(plugin)
    return use.plugin, {name: value for name, value in use.parameters.items() if name not in apart}


def _parser_only(plugin: BenchmarkPlugin) -> list[str]:
    return [parameter.name for parameter in plugin.parameters if parameter.is_parser_only]


@dataclass(frozen=True, slots=True)
class _Work:
    """One benchmark that is parsed again."""

    database: Path
    record: BenchmarkRecord
    plugin: BenchmarkPlugin
    parameters: Parameters
    before: int
    """The last reparse of it."""

    @classmethod
    def of(cls, database: Path, record: BenchmarkRecord, corrections: Parameters) -> _Work:
        """Raises UsageWrong when its parser cannot be used with these corrections."""
        plugin = load(record.plugin)
        _refuse_others(plugin, corrections)
        last = read_parser(database, record.label)
        parameters, faults = complete(plugin, {**record.parameters, **(last.parameters or {}), **corrections})
        faults = faults or _metrics_missing(plugin, record, parameters)
        if faults:
            raise UsageWrong(f"{record.label}: {'; '.join(faults)}", hint="see `hpcvirt-tui reparse --help`")
        return cls(database, record, plugin, parameters, last.amendment)

    def parsed(self, origin: str) -> Parsed:
        """Its attempts, parsed; nothing is filed yet."""
        statuses = self._statuses()
        order = Reparse(self.record.id, package(self.record.plugin), self.parameters, origin, self.before, statuses)
        parsed = Parsed(order, self._verdict)
        parsed.add(read_stored(self.database, self.record.id, statuses))
        return parsed

    def _statuses(self) -> tuple[Status, ...]:
        """That processes of an MPI program were not where they belonged is no parser's finding, and fails as well."""
        is_mpi = self.plugin.command(self.parameters).ranks > 0
        return tuple(status for status in PARSERS if not (is_mpi and status is Status.FAILED))

    def _verdict(self, stored: Stored) -> Verdict:
        report = parse(stored.output, self.plugin, self.parameters)
        kept = [metric.name for metric in self.record.metrics]
        return verdict_of(report.status, reason_of(report), report.readings, kept)


def _refuse_others(plugin: BenchmarkPlugin, corrections: Parameters) -> None:
    can = _parser_only(plugin)
    wrong = [name for name in corrections if name not in can]
    if wrong:
        raise UsageWrong(
            f"{', '.join(wrong)}: not a parameter that only the parser of {plugin.name} uses",
            hint=f"it has {', '.join(can) or 'none'}; what was executed cannot be changed afterwards",
        )


def _metrics_missing(plugin: BenchmarkPlugin, record: BenchmarkRecord, parameters: Parameters) -> list[str]:
    """The metrics of a campaign are frozen: each must still be there, in its unit and direction."""
    found = {metric.name: (metric.unit, metric.better) for metric in plugin.metrics_of(parameters)}
    return [
        f"metric {metric.name} ({metric.unit}, {metric.better}) is planned, and cannot be renamed or changed"
        for metric in record.metrics
        if found.get(metric.name) != (metric.unit, metric.better)
    ]
