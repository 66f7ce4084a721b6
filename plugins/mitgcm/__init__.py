"""MITgcm: a global ocean and atmosphere model; the paper ran its experiment exp2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files

from hpcvirt.core.benchmark import BenchmarkPlugin, Category, Command, Metric, Output, Parameter, Report
from hpcvirt.core.model import Better, Scope, Value
from hpcvirt.core.requirements import Requirements
from hpcvirt.plugins import timing
from hpcvirt.plugins.mitgcm.namelist import NamelistWrong, overrides
from hpcvirt.plugins.mitgcm.report import MPI_OUTPUT, judge
from hpcvirt.plugins.mitgcm.written import WRITTEN

__all__ = ["Mitgcm"]

GUESSED_S = 60.0
STEP_S = 0.02
OUTPUT_BYTES = 100 * 2**20


class Mitgcm(BenchmarkPlugin):
    """An experiment's folder and its executable, both made by the operator on every node."""

    name = "mitgcm"
    title = "MIT General Circulation Model"
    category = Category.APPLICATION
    scope = Scope.NODE
    parameters = (
        Parameter("experiment", "", "absolute path on the nodes of the folder with the input files (data, eedata ...)"),
        Parameter("program", "", "absolute path of the executable; empty: mitgcmuv in the experiment's folder"),
        Parameter("steps", 0, "time steps; 0: as the experiment has it (exp2 as shipped: 26, half a second)", 0),
        Parameter("overrides", "", "further settings of the file data: GROUP.NAME=VALUE, several by blanks"),
    )
    metrics = (
        Metric("user_time", "s", Better.LOWER, primary=True, help="processor time in the model, by its own timers"),
        Metric("system_time", "s", Better.LOWER, primary=True, help="processor time in the kernel, by its own timers"),
        Metric("wall_time", "s", Better.LOWER, primary=True, help="elapsed time, by its own timers"),
        *(metric for metric in timing.METRICS if metric.name != "max_rss"),
    )
    default_timeout_s = 3600.0

    def estimate_s(self, parameters: Mapping[str, Value]) -> float:
        """A guess: only the experiment knows what a step costs."""
        return float(parameters["steps"]) * STEP_S or GUESSED_S

    def faults(self, parameters: Mapping[str, Value]) -> Sequence[str]:
        """Paths that are not absolute, and overrides that are none."""
        found = [
            f"{name}: {parameters[name]!r} is no absolute path"
            for name in ("experiment", "program")
            if not str(parameters[name]).startswith("/") and (name == "experiment" or parameters[name])
        ]
        try:
            overrides(str(parameters["overrides"]))
        except NamelistWrong as error:
            found.append(f"overrides: {error}")
        return found

    def requires(self, parameters: Mapping[str, Value]) -> Requirements:
        """The executable and its input; no distribution has them."""
        folder = str(parameters["experiment"])
        return Requirements((_program(parameters),), (folder, f"{folder}/data"), disk_bytes=OUTPUT_BYTES)

    def command(self, parameters: Mapping[str, Value]) -> Command:
        """A script of ours links the input into the run's folder, changes ``data``, and lists what was written."""
        folder = files("hpcvirt.plugins.mitgcm")
        scripts = {name: folder.joinpath(name).read_text(encoding="ascii") for name in ("run.sh", "namelist.awk")}
        steps = int(parameters["steps"])
        changes = [f"PARM03.nTimeSteps={steps}"] if steps else []
        changes += overrides(str(parameters["overrides"]))
        argv = ("/bin/sh", "run.sh", str(parameters["experiment"]), _program(parameters), *changes)
        return Command(argv, fresh=True, files=scripts, fetch=(MPI_OUTPUT, WRITTEN))

    def parse(self, output: Output, parameters: Mapping[str, Value] | None = None) -> Report:
        """Read the report of any MITgcm. Several in one text: without ``parameters`` the last counts."""
        return judge(output, parameters)


def _program(parameters: Mapping[str, Value]) -> str:
    return str(parameters["program"]) or f"{parameters['experiment']}/mitgcmuv"
