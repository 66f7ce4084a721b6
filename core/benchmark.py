"""The protocol that benchmark plugins implement.

A plugin knows how to build, call and read one benchmark, and when not to believe it. It opens no
connection and touches no database: the engine gives it parameters and output, it gives back data.
Plugins are found through the entry-point group ``hpcvirt.benchmarks``; listing them imports none.
"""

from __future__ import annotations

import difflib
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from hpcvirt.core.errors import BenchmarkBroken, BenchmarkUnknown
from hpcvirt.core.model import Benchmark, Better, Scope, Status, Value
from hpcvirt.core.preflight import Need
from hpcvirt.core.requirements import Requirements, asked

GROUP = "hpcvirt.benchmarks"


class Category(StrEnum):
    """The paper's Table 1: what a benchmark stands for."""

    MICRO = "micro"
    MACRO = "macro"
    APPLICATION = "application"


@dataclass(frozen=True, slots=True)
class Metric:
    """One number that a benchmark yields."""

    name: str
    unit: str
    """Unit in the database and the statistics."""
    better: Better
    primary: bool = False
    """Primary metrics form the family that is corrected for multiplicity."""
    help: str = ""
    exact: bool = False
    """Its values have no error, as counts and bytes: where they do not vary, a difference needs no test."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One setting of a benchmark. The type of ``default`` is the type of the parameter."""

    name: str
    default: Value
    help: str
    minimum: float | None = None
    maximum: float | None = None
    is_parser_only: bool = False
    """Only ``parse`` uses it, so that it can be corrected after the runs: see ``hpcvirt-tui reparse``."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that must be on every node, the same to the bit."""

    name: str
    """File name in the benchmark's folder on the node."""
    path: Path
    """Where it is on this machine."""
    sha256: str

    @classmethod
    def of(cls, path: Path, name: str | None = None) -> Artifact:
        """The file at ``path``, hashed now."""
        return cls(name or path.name, path, hashlib.sha256(path.read_bytes()).hexdigest())


@dataclass(frozen=True, slots=True)
class Command:
    """What to execute on the node, in the folder that holds the benchmark's artifacts."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    fresh: bool = False
    """In a folder of its own instead, made for this one run and removed behind it. The artifacts are linked into it."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Text files to write into that folder beforehand, by name. Only with ``fresh``."""
    fetch: tuple[str, ...] = ()
    """Files in the working folder to bring back, if they are there: see ``Output.files``."""
    ranks: int = 0
    """Of an MPI program: how many processes, to be started by a launcher. 0: it is started as it is."""


@dataclass(frozen=True, slots=True)
class Output:
    """What one execution left behind."""

    stdout: bytes
    stderr: bytes
    exit_status: int
    """As the shell gives it: 128 + n after signal n."""
    truncated: bool = False
    """The middle of stdout or stderr is missing."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Files that the execution wrote and that were fetched, by name. One that is missing is not in it."""
    elapsed_s: float | None = None
    """Measured on the node around the execution, as are the next two. None: not known."""
    user_s: float | None = None
    system_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One value read from an output."""

    value: float
    unit: str
    """As printed."""
    normalised: float
    normalised_unit: str
    """What the database and the statistics use."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a plugin makes of an output."""

    status: Status
    """``OK``, ``FAILED``, ``UNVERIFIED`` or ``UNPARSABLE``."""
    reason: str = ""
    """Why it is not ok, in words for the operator."""
    readings: Mapping[str, Reading] = field(default_factory=dict)
    """By metric name. With a status that is not ok they are what was printed, and count for nothing."""
    not_measured: tuple[str, ...] = ()
    """Primary metrics that the output names and gives no value for: blank, ``+++++``, -1, inf."""
    notes: tuple[str, ...] = ()
    """What is to be known about a result that counts, in words: ``cached``."""
    digest: str = ""
    """Of what was computed, where that should be the same in every run. Another one elsewhere is a warning."""
    runs: tuple[Report, ...] = ()
    """Where one text holds several reports: each by itself, in order; this one is judged by the last."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Notes and digest, in words."""
        return (*self.notes, f"computed {self.digest}") if self.digest else self.notes


class BenchmarkPlugin(ABC):
    """One benchmark."""

    name: str
    title: str
    category: Category
    scope: Scope = Scope.NODE
    parameters: Sequence[Parameter] = ()
    metrics: Sequence[Metric] = ()
    default_timeout_s: float = 600.0

    @abstractmethod
    def estimate_s(self, parameters: Mapping[str, Value]) -> float:
        """Roughly how long one run takes, for plans made before there is a history."""

    def build(self, parameters: Mapping[str, Value], folder: Path) -> tuple[Artifact, ...]:
        """Make what must be on the nodes, in ``folder`` on this machine. Called once per campaign.

        A second call with the same parameters and folder returns the same files, to the bit.

        Raises CompilerMissing or BuildFailed.
        """
        del parameters, folder
        return ()

    def faults(self, parameters: Mapping[str, Value]) -> Sequence[str]:
        """What is wrong with parameters that are complete and of their types, a line each."""
        del parameters
        return ()

    def scope_of(self, parameters: Mapping[str, Value]) -> Scope:
        """What one run with these parameters occupies."""
        del parameters
        return self.scope

    def metrics_of(self, parameters: Mapping[str, Value]) -> Sequence[Metric]:
        """What a run with these parameters yields."""
        del parameters
        return self.metrics

    def requires(self, parameters: Mapping[str, Value]) -> Requirements:
        """What must be on a node, artifacts left aside."""
        del parameters
        return Requirements()

    def needs(self, parameters: Mapping[str, Value]) -> Sequence[Need]:
        """What ``check`` asks of every node before a campaign: by default, all that is required."""
        return asked(self.name, self.requires(parameters))

    def prepare(self, parameters: Mapping[str, Value]) -> Sequence[Command]:
        """What to execute once per boot before the first run, in the artifacts' folder.

        Each must do no harm when it is executed again; one that exits with another status than 0 sets the node aside.
        """
        del parameters
        return ()

    @abstractmethod
    def command(self, parameters: Mapping[str, Value]) -> Command:
        """What to execute for one run. Relative paths are relative to the working folder.

        A list of words: no shell reads what is in parameters.
        """

    @abstractmethod
    def parse(self, output: Output, parameters: Mapping[str, Value] | None = None) -> Report:
        """Read an output and judge it. Raises nothing: what cannot be read is a status.

        With ``parameters`` the output must also be of the problem that was asked for.
        """


def _meant(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else f" (it has {', '.join(known) or 'none'})"


def complete(plugin: BenchmarkPlugin, given: Mapping[str, Value]) -> tuple[dict[str, Value], list[str]]:
    """Parameters with defaults filled in, and the faults of those given, one line each."""
    known = {parameter.name: parameter for parameter in plugin.parameters}
    faults = [
        f"{name}: {plugin.name} has no such parameter{_meant(name, known)}" for name in given if name not in known
    ]
    values: dict[str, Value] = {name: parameter.default for name, parameter in known.items()}
    for name, value in given.items():
        if name not in known:
            continue
        kind, minimum, maximum = type(known[name].default), known[name].minimum, known[name].maximum
        if type(value) is not kind and not (kind is float and type(value) is int):
            faults.append(f"{name}: {value!r} is not of type {kind.__name__}")
        elif minimum is not None and not isinstance(value, str) and value < minimum:
            faults.append(f"{name}: {value} is below {minimum:g}")
        elif maximum is not None and not isinstance(value, str) and value > maximum:
            faults.append(f"{name}: {value} is above {maximum:g}")
        else:
            values[name] = value
    return values, faults or list(plugin.faults(values))


def kept_metrics(use: Benchmark) -> tuple[Metric, ...]:
    """The metrics of a benchmark that its campaign keeps. Raises as ``load``."""
    known = load(use.plugin).metrics_of(use.parameters)
    return tuple(metric for metric in known if not use.metrics or metric.name in use.metrics)


@cache
def _entry_points() -> Mapping[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def installed() -> tuple[str, ...]:
    """Names of the installed plugins, none imported."""
    return tuple(sorted(_entry_points()))


def package(name: str) -> str:
    """Name and version of the package that a plugin comes from; empty where its installation does not tell."""
    found = _entry_points()[name].dist
    return "" if found is None else f"{found.name} {found.version}"


@cache
def load(name: str) -> BenchmarkPlugin:
    """The plugin of this name.

    Raises BenchmarkUnknown, or BenchmarkBroken when its module does not import.
    """
    entry = _entry_points().get(name)
    if entry is None:
        raise BenchmarkUnknown(
            f"no benchmark plugin is called {name!r}",
            hint=f"installed: {', '.join(installed()) or 'none'}; a plugin is a package with an entry point in {GROUP}",
        )
    try:
        plugin = entry.load()()
    except Exception as error:  # a third party's module may raise anything at import
        raise BenchmarkBroken(
            f"benchmark plugin {name!r} ({entry.value}) cannot be used: {type(error).__name__}: {error}",
            hint="reinstall or remove the package it comes from",
        ) from error
    if not isinstance(plugin, BenchmarkPlugin):
        raise BenchmarkBroken(f"benchmark plugin {name!r} ({entry.value}) is not a BenchmarkPlugin")
    return plugin
