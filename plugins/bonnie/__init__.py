"""Bonnie and bonnie++: six patterns of access to one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files

from hpcvirt.core.benchmark import BenchmarkPlugin, Category, Command, Metric, Output, Parameter, Report
from hpcvirt.core.model import Better, Scope, Value
from hpcvirt.core.requirements import Requirements
from hpcvirt.plugins import timing
from hpcvirt.plugins.bonnie.conditions import CONDITIONS
from hpcvirt.plugins.bonnie.report import judge
from hpcvirt.plugins.bonnie.table import PATTERNS, SEEKS

__all__ = ["Bonnie"]

KINDS = ("bonnie++", "classic")
TITLES = ("written by putc", "written by blocks", "rewritten", "read by getc", "read by blocks", "random seeks")
GUESSED_BYTES_PER_S = 50e6
PASSES = 5
BYTES_PER_S_OF_CHARS = 2e6
"""bonnie++ writes and reads every single byte by a system call."""
SEEKS_S = 10.0
MIB = 2**20


class Bonnie(BenchmarkPlugin):
    """Reads the reports of bonnie++ 1.03, 1.93 to 2.00 and of the classic program in its variants."""

    name = "bonnie"
    title = "Bonnie file I/O"
    category = Category.MICRO
    scope = Scope.NODE
    parameters = (
        Parameter(
            "size_mib",
            1000,
            "of the file, in the node's scratch folder; the paper has 100, 500 and 1000. One smaller than the node's "
            "memory is labelled cached, and what is too quick for the clock is not measured",
            1,
        ),
        Parameter("kind", "bonnie++", "bonnie++, or classic for Tim Bray's"),
        Parameter("program", "", "name or absolute path on the nodes; empty: bonnie++, or bonnie for the classic one"),
    )
    metrics = (
        *(
            Metric(name, "1/s" if name == SEEKS else "MB/s", Better.HIGHER, primary=True, help=title)
            for name, title in zip(PATTERNS, TITLES, strict=True)
        ),
        *(Metric(f"{name}_cpu", "%", Better.LOWER, help="processor's share") for name in PATTERNS),
        *(metric for metric in timing.METRICS if metric.name == "real"),
    )
    default_timeout_s = 3600.0

    def estimate_s(self, parameters: Mapping[str, Value]) -> float:
        """Seconds of a slow disk; the bytes one by one cost more than all the rest."""
        size = _size_mib(parameters) * MIB
        by_bytes = 2 * size / BYTES_PER_S_OF_CHARS if parameters["kind"] == KINDS[0] else 0.0
        return SEEKS_S + by_bytes + PASSES * size / GUESSED_BYTES_PER_S

    def faults(self, parameters: Mapping[str, Value]) -> Sequence[str]:
        """Only the kind can be wrong."""
        return (
            () if parameters["kind"] in KINDS else (f"kind: {parameters['kind']!r} is not one of {', '.join(KINDS)}",)
        )

    def requires(self, parameters: Mapping[str, Value]) -> Requirements:
        """The program, and room for the file."""
        packages = {"debian": ("bonnie++",), "rhel": ("bonnie++",)} if parameters["kind"] == KINDS[0] else {}
        return Requirements((_program(parameters),), disk_bytes=_size_mib(parameters) * MIB, packages=packages)

    def command(self, parameters: Mapping[str, Value]) -> Command:
        """A script of ours calls the program: it drops caches where root allows, and notes what it found."""
        script = files("hpcvirt.plugins.bonnie").joinpath("run.sh").read_text(encoding="ascii")
        argv = ("/bin/sh", "run.sh", str(parameters["kind"]), _program(parameters), str(_size_mib(parameters)))
        return Command(argv, fresh=True, files={"run.sh": script}, fetch=(CONDITIONS,))

    def parse(self, output: Output, parameters: Mapping[str, Value] | None = None) -> Report:
        """Read the report of any Bonnie. Several in one text: without ``parameters`` the last counts."""
        return judge(output, parameters)


def _size_mib(parameters: Mapping[str, Value]) -> int:
    return int(parameters["size_mib"])


def _program(parameters: Mapping[str, Value]) -> str:
    default = "bonnie++" if parameters["kind"] == KINDS[0] else "bonnie"
    return str(parameters["program"]) or default
