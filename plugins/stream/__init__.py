"""STREAM: sustained memory bandwidth of copy, scale, add and triad."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpcvirt.core.benchmark import (
    Artifact,
    BenchmarkPlugin,
    Category,
    Command,
    Metric,
    Output,
    Parameter,
    Report,
)
from hpcvirt.core.model import Better, Scope, Value
from hpcvirt.core.requirements import Requirements
from hpcvirt.plugins.stream.build import binary
from hpcvirt.plugins.stream.report import UNIT, judge

__all__ = ["Stream"]

BYTES_PER_PASS = 16 + 16 + 24 + 24
"""Bytes that the four kernels move per element, together."""
ARRAYS = 3
ELEMENT_BYTES = 8
GUESSED_BYTES_PER_S = 5e9
STARTUP_S = 0.05
_CPUS = re.compile(r"[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*")


class Stream(BenchmarkPlugin):
    """The STREAM kernels in a program of our own; reads the reports of the original as well."""

    name = "stream"
    title = "STREAM memory bandwidth"
    category = Category.MICRO
    scope = Scope.NODE
    parameters = (
        Parameter(
            "array_size",
            2_000_000,
            "elements of 8 bytes in each of three arrays; the default is the paper's (46 MiB in all), which a large "
            "cache holds today: take four times the last level cache to measure memory",
            1000,
        ),
        Parameter("ntimes", 10, "iterations, of which the first is not counted and the best is reported", 2, 261),
        Parameter("threads", 1, "OpenMP threads; above 1 the nodes need the compiler's OpenMP library", 1),
        Parameter("cpus", "", "CPUs to bind to, as taskset has it: 0-3,8; empty: not bound"),
        Parameter(
            "program",
            "",
            "absolute path on the nodes of a STREAM of your own, built for array_size and ntimes; empty: ours",
        ),
    )
    metrics = (
        Metric("copy", UNIT, Better.HIGHER, primary=True, help="c = a"),
        Metric("scale", UNIT, Better.HIGHER, primary=True, help="b = s * c"),
        Metric("add", UNIT, Better.HIGHER, primary=True, help="c = a + b"),
        Metric("triad", UNIT, Better.HIGHER, primary=True, help="a = b + s * c"),
    )

    def estimate_s(self, parameters: Mapping[str, Value]) -> float:
        """Seconds at a guessed 5 GB/s; filling and checking the arrays cost about two iterations."""
        size, ntimes, _ = _numbers(parameters)
        return STARTUP_S + size * (ntimes + 2) * BYTES_PER_PASS / GUESSED_BYTES_PER_S

    def faults(self, parameters: Mapping[str, Value]) -> Sequence[str]:
        """CPUs in another notation, and a program that would be looked for nobody knows where."""
        cpus, program = str(parameters["cpus"]), str(parameters["program"])
        wrong = [f"cpus: {cpus!r} is no list like 0-3,8"] if cpus and not _CPUS.fullmatch(cpus) else []
        return wrong + ([f"program: {program!r} is no absolute path"] if program and program[0] != "/" else [])

    def requires(self, parameters: Mapping[str, Value]) -> Requirements:
        """Memory for the arrays, which no cache should hold."""
        size = ARRAYS * ELEMENT_BYTES * _numbers(parameters)[0]
        programs = ("taskset",) if parameters.get("cpus") else ()
        own = (str(parameters["program"]),) if parameters.get("program") else ()
        return Requirements((*programs, *own), memory_bytes=size, not_in_cache_bytes=size)

    def build(self, parameters: Mapping[str, Value], folder: Path) -> tuple[Artifact, ...]:
        """Compile our own stream.c, unless ``folder`` has it already or the nodes have another.

        Raises CompilerMissing or BuildFailed.
        """
        if parameters.get("program"):
            return ()
        return (Artifact.of(binary(*_numbers(parameters), folder), "stream"),)

    def command(self, parameters: Mapping[str, Value]) -> Command:
        """The program takes its problem at compile time; only threads and CPUs are told here."""
        threads, cpus = _numbers(parameters)[2], str(parameters.get("cpus", ""))
        env = {"OMP_NUM_THREADS": str(threads)} | ({"OMP_PROC_BIND": "true"} if cpus else {})
        bound = ("taskset", "-c", cpus) if cpus else ()
        return Command((*bound, str(parameters.get("program", "")) or "./stream"), env)

    def parse(self, output: Output, parameters: Mapping[str, Value] | None = None) -> Report:
        """Read the report of any STREAM. Several in one text: without ``parameters`` the last counts."""
        return judge(output, parameters)


def _numbers(parameters: Mapping[str, Value]) -> tuple[int, int, int]:
    """Array size, ntimes and threads; the protocol gives them complete and of their types."""
    return int(parameters["array_size"]), int(parameters["ntimes"]), int(parameters["threads"])
