"""HPC Challenge, as Debian packages it: seven benchmarks in one program."""

from __future__ import annotations

from collections.abc import Mapping

from hpcvirt.core.benchmark import BenchmarkPlugin, Category, Command, Metric, Output, Parameter, Report
from hpcvirt.core.model import Better, Scope, Value
from hpcvirt.core.requirements import Requirements
from hpcvirt.plugins.hpcc.input import INPUT, input_file
from hpcvirt.plugins.hpcc.report import LATENCY, PRIMARY, RESULTS, UNITS, judge

__all__ = ["Hpcc"]

HELP = {
    "HPL_Tflops": "solving a dense system of equations",
    "PTRANS_GBs": "transposing a matrix over all processes",
    "MPIRandomAccess_GUPs": "updates of memory at random, over all processes",
    "MPIFFT_Gflops": "a Fourier transform over all processes",
    "StarSTREAM_Triad": "memory bandwidth of one process while all run",
    "SingleSTREAM_Triad": "memory bandwidth of one process alone",
    "RandomlyOrderedRingBandwidth_GBytes": "of one process, all sending in a ring at random",
    LATENCY: "of the same ring",
}
GUESSED_FLOP_S = 2e9
STARTUP_S = 60.0


class Hpcc(BenchmarkPlugin):
    """Its input file is made from the parameters; its results are those of hpccoutf.txt."""

    name = "hpcc"
    title = "HPC Challenge"
    category = Category.MACRO
    scope = Scope.CLUSTER
    parameters = (
        Parameter("n", 1000, "order of HPL's matrix; its n * n * 8 bytes are spread over all nodes", 10),
        Parameter("nb", 80, "HPL's block size", 1),
        Parameter("p", 1, "rows of HPL's grid of processes", 1),
        Parameter("q", 1, "its columns", 1),
        Parameter("ranks", 0, "MPI processes; 0: p * q", 0),
        Parameter("program", "hpcc", "name or absolute path on the nodes"),
    )
    metrics = tuple(
        Metric(
            name,
            normalised_unit,
            Better.LOWER if name == LATENCY else Better.HIGHER,
            primary=name in PRIMARY,
            help=HELP[name],
        )
        for name, (_, _, normalised_unit) in UNITS.items()
    )
    default_timeout_s = 3600.0

    def estimate_s(self, parameters: Mapping[str, Value]) -> float:
        """HPL's 2/3 n^3 operations, and about a minute for the rest."""
        return STARTUP_S + 2 / 3 * float(parameters["n"]) ** 3 / (GUESSED_FLOP_S * _ranks(parameters))

    def faults(self, parameters: Mapping[str, Value]) -> tuple[str, ...]:
        """With too few processes hpcc runs another problem, and says nothing."""
        grid = int(parameters["p"]) * int(parameters["q"])
        if _ranks(parameters) < grid:
            return (f"ranks: {parameters['ranks']} processes cannot fill a grid of {grid}",)
        return ()

    def requires(self, parameters: Mapping[str, Value]) -> Requirements:
        """The program. The memory is that of all nodes together, so that of one is not known here."""
        return Requirements((str(parameters["program"]),), packages={"debian": ("hpcc",)})

    def command(self, parameters: Mapping[str, Value]) -> Command:
        """In a folder of its own: to an old file of results hpcc would append."""
        numbers = (int(parameters[name]) for name in ("n", "nb", "p", "q"))
        return Command(
            (str(parameters["program"]),),
            fresh=True,
            files={INPUT: input_file(*numbers)},
            fetch=(RESULTS,),
            ranks=_ranks(parameters),
        )

    def parse(self, output: Output, parameters: Mapping[str, Value] | None = None) -> Report:
        """Read hpccoutf.txt; without that file it is looked for in stdout."""
        if parameters and parameters.get("p") and parameters.get("q"):
            parameters = {**parameters, "ranks": _ranks(parameters)}
        return judge(output, parameters)


def _ranks(parameters: Mapping[str, Value]) -> int:
    return int(parameters.get("ranks", 0)) or int(parameters["p"]) * int(parameters["q"])
