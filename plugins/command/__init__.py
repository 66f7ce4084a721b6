"""Any program of the operator's, without a line of Python."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from hpcvirt.core.benchmark import BenchmarkPlugin, Category, Command, Metric, Output, Parameter, Report
from hpcvirt.core.model import Better, Scope, Value
from hpcvirt.core.requirements import Requirements
from hpcvirt.plugins import timing
from hpcvirt.plugins.command.metrics import DECIMALS, MetricWrong, wanted
from hpcvirt.plugins.command.report import judge, patterns

__all__ = ["OwnCommand"]

GUESSED_S = 10.0
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_HARMLESS_NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._/+-]{0,200}")


class OwnCommand(BenchmarkPlugin):
    """Metrics are told in the campaign file; without any, the elapsed time is the result."""

    name = "command"
    title = "A program of your own"
    category = Category.APPLICATION
    scope = Scope.NODE
    parameters = (
        Parameter("argv", "", "program and arguments; quotes as in a shell, but no shell reads it"),
        Parameter("fresh", True, "run in a new folder, removed behind it"),
        Parameter("fetch", "", "files in that folder to bring back, several by blanks"),
        Parameter(
            "metrics",
            "",
            "one a line: NAME UNIT higher|lower regex|json|csv FILE WHAT [reduce=HOW] [exact]; FILE is stdout, stderr "
            "or one of `fetch`, WHAT a pattern with one group, a path such as results.0.rate or results.*.rate, or a "
            "column's name or number; HOW makes one number of several: last (default), first, max, min, mean or sum; "
            "exact: counts and bytes, whose values have no error",
            is_parser_only=True,
        ),
        Parameter(
            "decimal",
            "",
            "sign before decimals, . or , (the other parts thousands); empty: not read if it may be both",
            is_parser_only=True,
        ),
        Parameter(
            "expect",
            "",
            "patterns that must be found in its output, one a line; else it counts as unverified",
            is_parser_only=True,
        ),
        Parameter("prepare", "", "program and arguments to execute once per boot before the first run; as in argv"),
        Parameter("ranks", 0, "processes of an MPI program, over all nodes; 0: started as it is, on each node", 0),
    )
    metrics = timing.METRICS

    def estimate_s(self, parameters: Mapping[str, Value]) -> float:
        """Nothing is known of it."""
        del parameters
        return GUESSED_S

    def faults(self, parameters: Mapping[str, Value]) -> Sequence[str]:
        """A program there must be; metrics, patterns and names must be readable."""
        return list(_faults(parameters))

    def metrics_of(self, parameters: Mapping[str, Value]) -> Sequence[Metric]:
        """Those that were asked for; the times are primary only where nothing else is."""
        own = [one.metric for one in wanted(str(parameters["metrics"]))]
        real = Metric("real", "s", Better.LOWER, primary=not own, help="elapsed time of the program")
        names = {metric.name for metric in own}
        return [*own, *(one for one in (real, *timing.METRICS[1:]) if one.name not in names)]

    def scope_of(self, parameters: Mapping[str, Value]) -> Scope:
        """Without MPI each node runs it alone."""
        return Scope.CLUSTER if parameters["ranks"] else Scope.NODE

    def requires(self, parameters: Mapping[str, Value]) -> Requirements:
        """The program; and what it starts, where it is one like ``time`` or an interpreter."""
        words = tuple(shlex.split(str(parameters["argv"])))
        return Requirements(words[:1], arguments=words[1:])

    def prepare(self, parameters: Mapping[str, Value]) -> Sequence[Command]:
        """The words as they are, if there are any."""
        words = tuple(shlex.split(str(parameters["prepare"])))
        return (Command(words),) if words else ()

    def command(self, parameters: Mapping[str, Value]) -> Command:
        """The words as they are."""
        return Command(
            tuple(shlex.split(str(parameters["argv"]))),
            fresh=bool(parameters["fresh"]),
            fetch=tuple(shlex.split(str(parameters["fetch"]))),
            ranks=int(parameters["ranks"]),
        )

    def parse(self, output: Output, parameters: Mapping[str, Value] | None = None) -> Report:
        """Find the metrics that were asked for; and what bash, POSIX or GNU ``time`` printed."""
        return judge(output, parameters)


def _faults(parameters: Mapping[str, Value]) -> Iterator[str]:
    for name in ("argv", "fetch", "prepare"):
        try:
            words = shlex.split(str(parameters[name]))
        except ValueError as error:  # an unbalanced quote
            yield f"{name}: {error}"
            continue
        if name == "argv" and not words:
            yield "argv: which program?"
        if name == "fetch":
            yield from (f"fetch: {w!r} is no name in its folder" for w in words if not _HARMLESS_NAME.fullmatch(w))
    yield from _escape_faults(parameters)
    if parameters["fetch"] and not parameters["fresh"]:
        yield "fetch: only with `fresh`: in a folder that stays, an earlier run's file would be taken for this one's"
    if (decimal := str(parameters["decimal"])) and decimal not in DECIMALS:
        yield f"decimal: {decimal!r} is neither . nor ,"
    try:
        wanted(str(parameters["metrics"]))
    except MetricWrong as error:
        yield f"metrics: {error}"
    try:
        patterns(str(parameters["expect"]))
    except re.error as error:
        yield f"expect: {error}"


def _escape_faults(parameters: Mapping[str, Value]) -> Iterator[str]:
    r"""Yield a fault where TOML made another character of a pattern's backslash: a backspace of \b, say."""
    for name in ("metrics", "expect"):
        if found := _CONTROL.search(str(parameters[name])):
            yield f"{name}: contains the control character {found[0]!r}: use '''...''', where a backslash is no escape"
