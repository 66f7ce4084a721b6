"""Judging what the operator's own program left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from hpcvirt.core.benchmark import Output, Reading, Report
from hpcvirt.core.model import Status, Value
from hpcvirt.plugins import timing
from hpcvirt.plugins.command.metrics import MetricWrong, NoNumber, Wanted, content_of, value, wanted
from hpcvirt.plugins.reading import TRUNCATED, Objection, ending, first, whole_lines
from hpcvirt.plugins.timing import Timed


def judge(output: Output, parameters: Mapping[str, Value] | None = None) -> Report:
    """The metrics asked for, and the times; without ``parameters`` what ``time`` printed is all there is to find."""
    asked = parameters or {}
    try:
        metrics = wanted(str(asked.get("metrics", "")))
    except MetricWrong as error:
        return Report(Status.UNPARSABLE, f"metrics: {error}")
    values, missing = _values(metrics, output, str(asked.get("decimal", "")))
    timed = [one for text in (output.stdout, output.stderr) for one in timing.texts(text)]
    status, reason = first(_objections(output, timed, metrics, missing, asked))
    if output.truncated:
        return Report(status, reason)
    of_time = timing.readings(output) if parameters is None else timing.measured(output)
    own = {one.metric.name: _reading(one, values[one.metric.name]) for one in metrics if one.metric.name in values}
    whole = [one for one in timed if one.is_whole]
    runs = tuple(map(_alone, whole)) if len(whole) > 1 and not metrics else ()
    return Report(status, reason, of_time | own, runs=runs)


def _values(metrics: Sequence[Wanted], output: Output, decimal: str) -> tuple[dict[str, float], dict[str, str]]:
    """By name; and of those that are missing what is known of it."""
    values: dict[str, float] = {}
    missing: dict[str, str] = {}
    for one in metrics:
        try:
            values[one.metric.name] = value(one, output, decimal)
        except NoNumber as error:
            missing[one.metric.name] = str(error)
    return values, missing


def _reading(one: Wanted, found: float) -> Reading:
    return Reading(found, one.metric.unit, found, one.metric.unit)


def _alone(timed: Timed) -> Report:
    return Report(Status.FAILED if timed.death else Status.OK, timed.death, timed.readings)


def _objections(
    output: Output,
    timed: Sequence[Timed],
    metrics: Sequence[Wanted],
    missing: Mapping[str, str],
    asked: Mapping[str, Value],
) -> Iterator[Objection]:
    """Everything that speaks against the output, what weighs most first."""
    last = timed[-1] if timed else Timed()
    if output.exit_status:
        yield Status.FAILED, ending(output, last.death)
    if output.truncated:
        yield Status.FAILED, TRUNCATED
    if last.death:
        yield Status.FAILED, f"`time` says: {last.death}"
    absent = [one for one in metrics if content_of(one.file, output) is None]
    yield from ((Status.FAILED, f"no file {one.file}, from which {one.metric.name} is read") for one in absent)
    yield from _unsaid(str(asked.get("expect", "")), output)
    if missing:
        told = "; ".join(filter(None, dict.fromkeys(missing.values())))
        yield Status.UNPARSABLE, f"no number for {', '.join(missing)}" + (f": {told}" if told else "")
    yield from _faults_of_time(last if timed else None, is_asked=bool(asked))


def _faults_of_time(last: Timed | None, *, is_asked: bool) -> Iterator[Objection]:
    if last is not None and not last.is_whole:
        yield Status.FAILED, "what `time` says is not whole"
    if last is None and not is_asked:
        yield Status.FAILED, "nothing that `time` prints in stdout or stderr"


def _unsaid(expect: str, output: Output) -> Iterator[Objection]:
    try:
        wrong = [pattern for pattern in patterns(expect) if not _is_said(pattern, output)]
    except re.error as error:
        yield Status.UNPARSABLE, f"expect: {error}"
        return
    yield from ((Status.UNVERIFIED, f"nowhere in its output: {pattern.pattern}") for pattern in wrong)


def _is_said(pattern: re.Pattern[str], output: Output) -> bool:
    return any(pattern.search(line) for text in (output.stdout, output.stderr) for line in whole_lines(text))


def patterns(text: str) -> list[re.Pattern[str]]:
    """One for each line of ``expect``. Raises re.error."""
    return [re.compile(line) for line in text.splitlines() if line.strip()]
