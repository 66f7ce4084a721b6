"""The NAS Parallel Benchmarks, built by the operator: serial, OpenMP or MPI, 2.x to 3.x."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hpcvirt.core.benchmark import BenchmarkPlugin, Category, Command, Metric, Output, Parameter, Report
from hpcvirt.core.model import Better, Scope, Value
from hpcvirt.core.requirements import Requirements
from hpcvirt.plugins.npb.report import RATE, TIME, judge

__all__ = ["Npb"]

CODES = ("bt", "cg", "dc", "ep", "ft", "is", "lu", "mg", "sp", "ua", "bt-mz", "lu-mz", "sp-mz")
GUESSED_S = {"S": 1, "W": 5, "A": 30, "B": 120, "C": 600, "D": 10_000, "E": 150_000, "F": 2_000_000}
"""Of one run on a few processors, by class."""


class Npb(BenchmarkPlugin):
    """Reads the report with which all of them end; the time and the rate are one quantity."""

    name = "npb"
    title = "NAS Parallel Benchmarks"
    category = Category.MACRO
    scope = Scope.CLUSTER
    parameters = (
        Parameter("code", "ep", f"which of them: {', '.join(CODES)}"),
        Parameter("class", "S", "size of the problem: S, W, A, B, C, D, E or F; the paper has C"),
        Parameter(
            "ranks", 0, "MPI processes over all nodes; 0: a serial or OpenMP program, run on each node by itself", 0
        ),
        Parameter("threads", 0, "OpenMP threads of each process; 0: a program without OpenMP", 0),
        Parameter(
            "program",
            "",
            "absolute path on the nodes, or a name in PATH; {code}, {class} and {ranks} are filled in. Empty: "
            "{code}.{class}.x",
        ),
    )
    metrics = (
        Metric(RATE, "Mop/s", Better.HIGHER, primary=True, help="operations per second, of all processes together"),
        Metric(TIME, "s", Better.LOWER, help="as printed, with two decimals: useless below about a second"),
    )
    default_timeout_s = 3600.0

    def estimate_s(self, parameters: Mapping[str, Value]) -> float:
        """By class only."""
        return float(GUESSED_S.get(str(parameters["class"]), GUESSED_S["C"]))

    def faults(self, parameters: Mapping[str, Value]) -> Sequence[str]:
        """Codes and classes that there are not."""
        code, of_class = str(parameters["code"]), str(parameters["class"])
        wrong = [] if code in CODES else [f"code: {code!r} is not one of {', '.join(CODES)}"]
        return wrong + ([] if of_class in GUESSED_S else [f"class: {of_class!r} is not one of {', '.join(GUESSED_S)}"])

    def scope_of(self, parameters: Mapping[str, Value]) -> Scope:
        """Without MPI each node runs it alone."""
        return Scope.CLUSTER if parameters["ranks"] else Scope.NODE

    def requires(self, parameters: Mapping[str, Value]) -> Requirements:
        """The program; no distribution has it."""
        return Requirements((_program(parameters),))

    def command(self, parameters: Mapping[str, Value]) -> Command:
        """In a folder of its own: a file ``timer.flag`` or ``ep.input`` would change the run."""
        threads, ranks = int(parameters["threads"]), int(parameters["ranks"])
        env = {"OMP_NUM_THREADS": str(threads or 1)}
        return Command((_program(parameters),), env, fresh=True, ranks=ranks)

    def parse(self, output: Output, parameters: Mapping[str, Value] | None = None) -> Report:
        """Read the report of any of them. Several in one text: without ``parameters`` the last counts."""
        return judge(output, parameters)


def _program(parameters: Mapping[str, Value]) -> str:
    template = str(parameters["program"]) or "{code}.{class}.x"
    for name in ("code", "class", "ranks"):
        template = template.replace(f"{{{name}}}", str(parameters[name]))
    return template
