"""``parse``: what a plugin makes of an output that somebody has."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hpcvirt.core.benchmark import BenchmarkPlugin, Output, Reading, Report, load
from hpcvirt.core.errors import BenchmarkBroken, UsageWrong
from hpcvirt.core.model import Value
from hpcvirt.core.text import clean, clean_line

TRUE, FALSE = {"true", "yes", "1"}, {"false", "no", "0"}


def print_report(
    name: str,
    stdout: Path,
    stderr: Path | None,
    exit_status: int,
    files: Sequence[str],
    parameters: Sequence[str],
    *,
    as_json: bool,
) -> None:
    """Parse and print. Raises BenchmarkUnknown, BenchmarkBroken or UsageWrong."""
    plugin = load(name)
    given = _parameters(plugin, parameters)
    named = {name: _read(Path(path)) for name, path in map(_pair, files)}
    output = Output(_read(stdout), b"" if stderr is None else _read(stderr), exit_status, files=named)
    report = _parsed(plugin, output, given)
    print(json.dumps(_content(report), indent=2)) if as_json else _print(report)


def _read(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise UsageWrong(f"{path}: {error.strerror}", hint="name a file that can be read, or -") from error


def _pair(word: str) -> tuple[str, str]:
    name, found, value = word.partition("=")
    if not found or not name:
        raise UsageWrong(f"{word!r} is not NAME=VALUE", hint="see `hpcvirt-tui parse --help`")
    return name, value


def typed_parameters(plugin: BenchmarkPlugin, words: Sequence[str]) -> dict[str, Value]:
    """Parameters given as NAME=VALUE. Raises UsageWrong."""
    known = {one.name: one for one in plugin.parameters}
    found: dict[str, Value] = {}
    for name, text in map(_pair, words):
        if name not in known:
            raise UsageWrong(f"{plugin.name} has no parameter {name!r}", hint=f"it has {', '.join(known) or 'none'}")
        found[name] = _typed(name, text, known[name].default)
    return found


def _parameters(plugin: BenchmarkPlugin, words: Sequence[str]) -> dict[str, Value]:
    found = typed_parameters(plugin, words)
    if wrong := _faults(plugin, found):
        raise UsageWrong("; ".join(map(clean_line, wrong)), hint="see `hpcvirt-tui plugins`")
    return found


def _faults(plugin: BenchmarkPlugin, given: Mapping[str, Value]) -> list[str]:
    """What these bring with them: what is lacking for a run (a program, a folder) is no fault of an output."""
    defaults = {one.name: one.default for one in plugin.parameters}
    try:
        lacking = set(plugin.faults(defaults))
        return [fault for fault in plugin.faults({**defaults, **given}) if fault not in lacking]
    except Exception as error:  # a third party's plugin may raise anything
        raise _broken(plugin, error) from error


def _typed(name: str, text: str, default: Value) -> Value:
    """Of the type that the parameter has."""
    if isinstance(default, bool):
        if text.lower() in TRUE | FALSE:
            return text.lower() in TRUE
        raise UsageWrong(f"{name}: {text!r} is neither true nor false")
    try:
        return type(default)(text)
    except ValueError as error:
        kind = type(default).__name__
        raise UsageWrong(f"{name}: {text!r} is not of type {kind}", hint="see `hpcvirt-tui plugins`") from error


def _parsed(plugin: BenchmarkPlugin, output: Output, parameters: Mapping[str, Value]) -> Report:
    try:
        return plugin.parse(output, parameters or None)
    except Exception as error:  # a third party's parser may raise anything
        raise _broken(plugin, error) from error


def _broken(plugin: BenchmarkPlugin, error: Exception) -> BenchmarkBroken:
    return BenchmarkBroken(
        f"plugin {plugin.name} raised {type(error).__name__}: {clean_line(str(error))}",
        hint="report this to whoever made the plugin",
    )


def _content(report: Report) -> dict[str, Any]:
    return {
        "status": report.status.value,
        "reason": clean(report.reason),
        "metrics": {name: _metric(reading) for name, reading in report.readings.items()},
        "not_measured": list(report.not_measured),
        "notes": [clean(note) for note in report.remarks],
        "runs": [_content(one) for one in report.runs],
    }


def _metric(reading: Reading) -> dict[str, object]:
    return {
        "value": reading.value,
        "unit": clean(reading.unit),
        "normalised": reading.normalised,
        "normalised_unit": clean(reading.normalised_unit),
    }


def _print(report: Report) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(f"{report.status}: {clean_line(report.reason, 1000)}" if report.reason else str(report.status)))
    if report.readings:
        console.print(_table(report))
    for note in report.remarks:
        console.print(Text(f"note: {clean_line(note, 1000)}"))
    if report.not_measured:
        console.print(Text(f"not measured: {', '.join(report.not_measured)}"))
    if report.runs:
        statuses = ", ".join(str(one.status) for one in report.runs)
        console.print(Text(f"{len(report.runs)} reports in one text, of which the last is shown: {statuses}"))


def _table(report: Report) -> Table:
    table = Table("metric", "as printed", "normalised", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, one in report.readings.items():
        normalised = f"{one.normalised:.6g} {one.normalised_unit}"
        table.add_row(
            Text(clean_line(name)), Text(clean_line(f"{one.value:.10g} {one.unit}")), Text(clean_line(normalised))
        )
    return table
