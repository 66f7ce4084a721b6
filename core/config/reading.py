"""Campaign files: TOML text in, a Campaign out, or all of its faults at once, each with its key path."""

from __future__ import annotations

import copy
import math
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hpcvirt.core import benchmark as benchmarks
from hpcvirt.core.config import faults as words
from hpcvirt.core.config.choice import Choice
from hpcvirt.core.config.claims import read_claims
from hpcvirt.core.config.faults import nearest
from hpcvirt.core.config.meaning import faults as faults_of
from hpcvirt.core.config.ranges import expand
from hpcvirt.core.config.tables import (
    NAME,
    AnalysisTable,
    BenchmarkTable,
    ConnectionTable,
    DesignTable,
    FileTable,
    KernelTable,
    LauncherTable,
    NodeTable,
)
from hpcvirt.core.errors import CampaignInvalid, HpcvirtError
from hpcvirt.core.model import (
    Analysis,
    Benchmark,
    Campaign,
    Connecting,
    Design,
    Expect,
    HostKeys,
    Kernel,
    Launcher,
    LauncherKind,
    Node,
    Order,
    Probe,
    Scope,
    Settle,
    Telemetry,
    Where,
)
from hpcvirt.core.text import clean_line

LARGEST_FILE_BYTES = 1 << 20
LARGEST_MATRIX = 1000
LONGEST_NAME = 64
LONGEST_FAULT = 500
CALLED = {"openmpi": "mpirun", "mpich": "mpiexec", "own": ""}
"""The launcher's program, if the file does not say it."""


@dataclass(frozen=True, slots=True)
class CampaignFile:
    """A campaign with the text it was read from."""

    source: str
    """Where it was read, for messages."""
    text: str
    campaign: Campaign
    choice: Choice | None = None
    """What of it was picked; None: everything."""


def read_campaign(path: Path) -> CampaignFile:
    """Read a campaign file.

    Raises CampaignInvalid with all faults, each as ``file: key.path: what``.
    """
    try:
        found = path.stat()
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):  # a pipe or a device has no end
            raise CampaignInvalid([f"{path}: not a file"], hint="name a campaign file")
        if found.st_size > LARGEST_FILE_BYTES:
            raise CampaignInvalid(
                [f"{path}: larger than 1 MiB; this is not a campaign file"], hint="name a campaign file"
            )
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CampaignInvalid([f"{path}: {error.strerror}"], hint="name a campaign file that can be read") from error
    except UnicodeDecodeError as error:
        raise CampaignInvalid([f"{path}: not UTF-8 (byte {error.start})"], hint="save it as UTF-8") from error
    return CampaignFile(str(path.absolute()), text, parse_campaign(text, str(path)))


def parse_campaign(text: str, source: str = "campaign") -> Campaign:
    """The campaign in a TOML text.

    Raises CampaignInvalid with all faults.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refused(source, [words.of_syntax(error, text)], words.remedy_of_syntax(error)) from error
    except (RecursionError, ValueError) as error:  # nested, or a number, beyond all measure
        raise _refused(source, [f"{type(error).__name__}: {error}"], "this is no campaign file") from error
    try:
        file = FileTable.model_validate(table)
    except ValidationError as error:
        raise _refused(source, [*words.of_form(error), *_faults_besides(table, error)]) from None
    campaign, faults = _campaign(file)
    faults += list(faults_of(campaign))
    if faults:
        raise _refused(source, faults)
    return campaign


def _faults_besides(table: dict[str, Any], error: ValidationError) -> list[str]:
    """What is wrong besides values that are none, found by leaving those out; nothing if they cannot be left out."""
    places = list(words.places(error))
    try:
        rest = copy.deepcopy(table)
        for path in places:
            _leave_out(rest, path)
        campaign, faults = _campaign(FileTable.model_validate(rest))
    except (ValidationError, RecursionError):
        return []
    # Of runs and blocks that were left out the defaults would be judged.
    guessed = tuple({"design" if path[0] == "design" else f"{words.key_path(path)}:" for path in places if path})
    return [fault for fault in (*faults, *faults_of(campaign)) if not fault.startswith(guessed)]


def _leave_out(table: Any, path: Sequence[int | str]) -> None:
    for part in path[:-1]:
        try:
            table = table[part]
        except (LookupError, TypeError):
            return
    if path and isinstance(table, dict):
        table.pop(path[-1], None)


def _refused(source: str, faults: Iterable[str], hint: str = "") -> CampaignInvalid:
    """A line each; what a file quotes may hold anything that a terminal obeys."""
    return CampaignInvalid([clean_line(f"{source}: {fault}", LONGEST_FAULT) for fault in faults], hint=hint)


def _campaign(file: FileTable) -> tuple[Campaign, list[str]]:
    uses, faults = _benchmarks(file)
    nodes, wrong = _nodes(file)
    phases, unknown = _phases(file.design, uses)
    kernels = tuple(_kernel(table) for table in file.kernel)
    # About benchmarks that could not be read nothing can be said.
    claims, false = ((), []) if faults else read_claims(file.claim, kernels, uses)
    return (
        Campaign(
            name=file.campaign.name,
            title=file.campaign.title,
            notes=file.campaign.notes,
            nodes=nodes,
            kernels=kernels,
            benchmarks=uses,
            design=_design(file.design, phases),
            analysis=_analysis(file.analysis, kernels),
            lab=file.lab is not None,
            connecting=_connecting(file.connection),
            telemetry=Telemetry(file.telemetry.during_runs == "on", file.telemetry.interval),
            launcher=_launcher(file.launcher),
            claims=claims,
        ),
        faults + wrong + ([] if faults else unknown) + false,
    )


def _analysis(table: AnalysisTable, kernels: tuple[Kernel, ...]) -> Analysis:
    return Analysis(
        baseline=kernels[0].name if table.baseline is None else table.baseline,
        alpha=table.alpha,
        delta=table.delta,
        contrasts=tuple((kernel, versus) for kernel, versus in table.contrasts),
        method=table.method,
        correction=table.correction,
    )


def _design(table: DesignTable, phases: tuple[tuple[str, ...], ...]) -> Design:
    blocks = table.blocks
    if blocks is None:
        blocks = 1 if table.order == "sequential" else min(10, table.runs)
    return Design(
        order=Order(table.order),
        runs=table.runs,
        blocks=blocks,
        seed=table.seed,
        at_once=table.at_once,
        retries=table.retries,
        losses=table.losses,
        warmup=table.warmup,
        settle_s=table.settle,
        phases=phases,
    )


def _phases(table: DesignTable, uses: tuple[Benchmark, ...]) -> tuple[tuple[tuple[str, ...], ...], list[str]]:
    """Labels by phase, and what names no benchmark."""
    known = {name for use in uses for name in (use.label, use.plugin)}
    faults = [
        f"design.phases[{index}]: no {name!r} in this campaign{nearest(name, known)}"
        for index, phase in enumerate(table.phases, 1)
        for name in phase
        if name not in known
    ]
    phases = (tuple(use.label for use in uses if {use.label, use.plugin} & set(phase)) for phase in table.phases)
    return tuple(phase for phase in phases if phase), faults


def _connecting(table: ConnectionTable) -> Connecting:
    return Connecting(
        host_keys=HostKeys(table.host_keys),
        known_hosts=table.known_hosts,
        keepalive_s=table.keepalive,
        keepalives_missed=table.keepalives_missed,
        handshakes=table.handshakes,
        login_limit_s=table.login_limit,
        patience_s=table.patience,
    )


def _launcher(table: LauncherTable) -> Launcher:
    program = table.program or (table.argv[0] if table.argv else CALLED[table.kind])
    return Launcher(LauncherKind(table.kind), program, table.interface, tuple(table.arguments), tuple(table.argv))


def _nodes(file: FileTable) -> tuple[tuple[Node, ...], list[str]]:
    if file.lab is not None:
        faults = ["lab: a campaign has either [lab] or [[node]] tables"] if file.node else []
        names = (f"node{number}" for number in range(1, file.lab.nodes + 1))
        return tuple(Node(name=name, host="127.0.0.1", own_machine=False) for name in names), faults
    if not file.node:
        return (), ["node: no node is named; write [[node]] tables, or [lab] for the embedded cluster"]
    nodes: list[Node] = []
    faults = []
    for index, table in enumerate(file.node, 1):
        found, wrong = _node_range(table, [kernel.name for kernel in file.kernel])
        nodes += found
        faults += [f"node[{index}].{fault}" for fault in wrong]
    return tuple(nodes), faults


def _node_range(table: NodeTable, kernels: list[str]) -> tuple[list[Node], list[str]]:
    """The nodes of one table: as many as its name stands for."""
    faults: list[str] = []
    names = _expanded("name", table.name, faults)
    faults += [f"name: {name!r} is no name; use letters, digits, . _ + -" for name in names if not _is_name(name)][:1]
    hosts = _expanded("host", table.host or table.name, faults)
    inner = _expanded("inner_host", table.inner_host, faults) if table.inner_host else ()
    addresses = {kernel: _expanded(f"address.{kernel}", text, faults) for kernel, text in table.address.items()}
    told = {f"address.{kernel}": found for kernel, found in addresses.items()}
    for key, found in {"host": hosts, "inner_host": inner, **told}.items():
        if names and found and len(found) != len(names):
            faults.append(f"{key}: {len(found)} for {len(names)} nodes; a range has as many members as the name's")
    unknown = [kernel for kernel in table.address if kernel not in kernels]
    faults += [f"address.{kernel}: {kernel!r} is not among the kernels{nearest(kernel, kernels)}" for kernel in unknown]
    if faults:
        return [], faults
    same = table.model_dump(exclude={"name", "host", "address", "inner_host"})
    return [
        Node(
            name=name,
            host=host,
            addresses={kernel: found[at] for kernel, found in addresses.items()},
            inner_host=inner[at] if inner else None,
            **same,
        )
        for at, (name, host) in enumerate(zip(names, hosts, strict=True))
    ], []


def _expanded(key: str, text: str, faults: list[str]) -> tuple[str, ...]:
    try:
        return expand(text)
    except ValueError as error:
        faults.append(f"{key}: {error}")
        return ()


def _is_name(name: str) -> bool:
    return re.fullmatch(NAME, name) is not None and len(name) <= LONGEST_NAME


def _kernel(table: KernelTable) -> Kernel:
    told = table.expect
    return Kernel(
        name=table.name,
        boot=table.boot,
        entry=table.entry,
        arguments=table.arguments,
        command=tuple(table.command),
        where=Where(table.where),
        options=table.options,
        boot_limit_s=table.boot_limit,
        boot_retries=table.boot_retries,
        settle=Settle(table.settle.seconds, table.settle.load, table.settle.limit),
        expect=Expect(
            release=told.release,
            version=told.version,
            role=told.role,
            cmdline=told.cmdline,
            cpus=told.cpus,
            memory_mib=None if told.memory_mib is None else (told.memory_mib[0], told.memory_mib[1]),
            storage=told.storage,
            probe=None if told.probe is None else Probe(told.probe.command, told.probe.matches),
        ),
        wrap=tuple(table.wrap),
        env=table.env,
        optional=table.optional,
    )


def _benchmarks(file: FileTable) -> tuple[tuple[Benchmark, ...], list[str]]:
    uses: list[Benchmark] = []
    faults: list[str] = []
    for index, table in enumerate(file.benchmark, 1):
        found, wrong = _benchmark_uses(table, file.design.timeout)
        uses += found
        faults += [f"benchmark[{index}].{fault}" for fault in wrong]
    return tuple(uses), faults


def _benchmark_uses(table: BenchmarkTable, timeout_s: float | None) -> tuple[list[Benchmark], list[str]]:
    """One use per combination of the parameters given as lists."""
    try:
        plugin = benchmarks.load(table.plugin)
    except HpcvirtError as error:
        return [], [f"plugin: {error.message}; {error.hint}"]
    faults = list(words.doubles("metrics", table.metrics))
    columns = [value if isinstance(value, list) else [value] for value in table.parameters.values()]
    empty = [name for name, column in zip(table.parameters, columns, strict=True) if not column]
    if empty:
        return [], [f"parameters.{name}: an empty list gives no benchmark" for name in empty]
    if math.prod(map(len, columns)) > LARGEST_MATRIX:
        return [], [f"parameters: more than {LARGEST_MATRIX} combinations"]
    uses = []
    for row in product(*columns):
        values, wrong = benchmarks.complete(plugin, dict(zip(table.parameters, row, strict=True)))
        faults += [f"parameters.{fault}" for fault in wrong]
        if wrong:
            continue
        faults += _metric_faults(table, plugin.name, plugin.metrics_of(values))
        uses.append(
            Benchmark(
                plugin=plugin.name,
                parameters=values,
                timeout_s=table.timeout or timeout_s or plugin.default_timeout_s,
                scope=Scope(table.scope) if table.scope else plugin.scope_of(values),
                metrics=tuple(table.metrics),
                may_differ=table.binaries == "may-differ",
                ranks_per_node=table.ranks_per_node,
            )
        )
    return ([] if faults else uses), list(dict.fromkeys(faults))


def _metric_faults(table: BenchmarkTable, plugin: str, metrics: Sequence[benchmarks.Metric]) -> Iterator[str]:
    known = [metric.name for metric in metrics]
    for name in table.metrics:
        if name not in known:
            yield f"metrics: {plugin} has no metric {name!r}{nearest(name, known)}"
