"""Campaign files: TOML text in, a Campaign out, or all of its faults at once, each with its key path."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hpcvirt.core import benchmark as benchmarks
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
    Node,
    Order,
    Probe,
    Value,
)

LARGEST_FILE_BYTES = 1 << 20
LARGEST_MATRIX = 1000
LARGEST_PLAN_RUNS = 5_000_000
NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]*"

Name = Annotated[str, Field(pattern=f"^{NAME}$", max_length=64)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Campaign(_Table):
    name: Name
    title: str = ""
    notes: str = ""


class _Design(_Table):
    order: Literal["randomized-blocks", "sequential"] = "randomized-blocks"
    runs: Count = 50
    blocks: Count | None = None
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    at_once: Count | None = None
    retries: Annotated[int, Field(ge=0, le=100)] = 2
    losses: Annotated[int, Field(ge=1, le=100)] = 3


class _Analysis(_Table):
    baseline: str
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    delta: Annotated[float, Field(gt=0, lt=1)] = 0.02
    contrasts: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = []


class _Lab(_Table):
    nodes: Annotated[int, Field(ge=1, le=64)] = 4


class _Node(_Table):
    name: Name
    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    user: str | None = None
    identity_file: str | None = None
    scratch: Annotated[str, Field(pattern="^/[A-Za-z0-9._/@+-]*$")] = "/var/tmp"  # noqa: S108 - see model.Node
    own_machine: bool = True
    jump: Annotated[str, Field(pattern=r"^[A-Za-z0-9._@:,\[\]%-]+$")] | None = None
    legacy: bool = False


class _Connection(_Table):
    host_keys: Literal["strict", "accept-new"] = "strict"
    known_hosts: str | None = None
    keepalive: Annotated[float, Field(ge=0.1, le=600)] = 5.0
    keepalives_missed: Annotated[int, Field(ge=1, le=100)] = 3
    handshakes: Annotated[int, Field(ge=1, le=1000)] = 8
    login_limit: Annotated[float, Field(ge=1, le=600)] = 15.0
    patience: Annotated[float, Field(ge=1)] = 600.0
    """Times in seconds."""


class _Probe(_Table):
    command: Annotated[str, Field(min_length=1)]
    matches: str


class _Expect(_Table):
    release: str | None = None
    version: str | None = None
    role: str | None = None
    cmdline: str | None = None
    cpus: Count | None = None
    memory_mib: Annotated[list[int], Field(min_length=2, max_length=2)] | None = None
    probe: _Probe | None = None


class _Kernel(_Table):
    name: Name
    boot: Literal["none"] = "none"
    expect: _Expect = _Expect()
    wrap: list[str] = []
    env: dict[Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")], str] = {}


class _Benchmark(_Table):
    plugin: str
    parameters: dict[str, Value | list[Value]] = {}
    timeout: Annotated[float, Field(gt=0, le=31_536_000)] | None = None
    """Seconds."""
    binaries: Literal["same", "may-differ"] = "same"


class _File(_Table):
    campaign: _Campaign
    design: _Design = _Design()
    analysis: _Analysis
    connection: _Connection = _Connection()
    lab: _Lab | None = None
    node: list[_Node] = []
    kernel: Annotated[list[_Kernel], Field(min_length=1)]
    benchmark: Annotated[list[_Benchmark], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Choice:
    """What an operator picks from a campaign before it starts. None: as the file says."""

    kernels: tuple[str, ...] | None = None
    benchmarks: tuple[str, ...] | None = None
    """Labels or plugin names."""
    runs: int | None = None
    blocks: int | None = None
    seed: int | None = None


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
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise CampaignInvalid([f"{path}: larger than 1 MiB; this is not a campaign file"])
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
        raise CampaignInvalid([f"{source}: {error}"], hint="mend the TOML syntax at that line") from error
    except (RecursionError, ValueError) as error:  # nested, or a number, beyond all measure
        raise CampaignInvalid(
            [f"{source}: {type(error).__name__}: {error}"], hint="this is no campaign file"
        ) from error
    try:
        file = _File.model_validate(table)
    except ValidationError as error:
        raise CampaignInvalid([f"{source}: {fault}" for fault in _pydantic_faults(error)]) from None
    campaign, faults = _campaign(file)
    faults += list(_semantic_faults(campaign))
    if faults:
        raise CampaignInvalid([f"{source}: {fault}" for fault in faults])
    return campaign


def choose(campaign: Campaign, choice: Choice) -> Campaign:
    """The campaign reduced to what was picked.

    Raises CampaignInvalid when nothing, or something unknown, was picked.
    """
    faults: list[str] = []
    kernels = _picked(campaign.kernels, choice.kernels, lambda kernel: {kernel.name}, "kernel", faults)
    picked = _picked(campaign.benchmarks, choice.benchmarks, lambda use: {use.label, use.plugin}, "benchmark", faults)
    blocks = choice.blocks or min(campaign.design.blocks, choice.runs or campaign.design.runs)
    design = replace(
        campaign.design,
        runs=campaign.design.runs if choice.runs is None else choice.runs,
        blocks=blocks,
        seed=campaign.design.seed if choice.seed is None else choice.seed,
    )
    left = {kernel.name for kernel in kernels}
    contrasts = tuple(pair for pair in campaign.analysis.contrasts if left.issuperset(pair))
    chosen = replace(
        campaign,
        kernels=tuple(kernels),
        benchmarks=tuple(picked),
        design=design,
        analysis=replace(campaign.analysis, contrasts=contrasts),
    )
    faults += list(_semantic_faults(chosen))
    if faults:
        raise CampaignInvalid(faults, hint="choose among what the campaign file has")
    return chosen


def _picked(items: Sequence[Any], names: tuple[str, ...] | None, known: Any, what: str, faults: list[str]) -> list[Any]:
    if names is None:
        return list(items)
    every = set().union(*(known(item) for item in items))
    faults += [f"{what}: no {name!r} in this campaign{_nearest(name, every)}" for name in names if name not in every]
    if not names:
        faults.append(f"{what}: none picked")
    return [item for item in items if known(item) & set(names)]


def _campaign(file: _File) -> tuple[Campaign, list[str]]:
    uses: list[Benchmark] = []
    faults: list[str] = []
    for index, table in enumerate(file.benchmark):
        found, wrong = _benchmark_uses(table)
        uses += found
        faults += [f"benchmark[{index + 1}].{fault}" for fault in wrong]
    return (
        Campaign(
            name=file.campaign.name,
            title=file.campaign.title,
            notes=file.campaign.notes,
            nodes=_nodes(file),
            kernels=tuple(_kernel(table) for table in file.kernel),
            benchmarks=tuple(uses),
            design=_design(file.design),
            analysis=_analysis(file.analysis),
            lab=file.lab is not None,
            connecting=_connecting(file.connection),
        ),
        faults + _node_faults(file),
    )


def _analysis(table: _Analysis) -> Analysis:
    pairs = tuple((kernel, versus) for kernel, versus in table.contrasts)
    return Analysis(baseline=table.baseline, alpha=table.alpha, delta=table.delta, contrasts=pairs)


def _design(table: _Design) -> Design:
    fields = table.model_dump() | {"order": Order(table.order)}
    if table.blocks is None:
        fields["blocks"] = 1 if table.order == "sequential" else min(10, table.runs)
    return Design(**fields)


def _connecting(table: _Connection) -> Connecting:
    return Connecting(
        host_keys=HostKeys(table.host_keys),
        known_hosts=table.known_hosts,
        keepalive_s=table.keepalive,
        keepalives_missed=table.keepalives_missed,
        handshakes=table.handshakes,
        login_limit_s=table.login_limit,
        patience_s=table.patience,
    )


def _nodes(file: _File) -> tuple[Node, ...]:
    if file.lab is not None:
        return tuple(Node(name=f"node{i}", host="127.0.0.1", own_machine=False) for i in range(1, file.lab.nodes + 1))
    return tuple(Node(**(table.model_dump() | {"host": table.host or table.name})) for table in file.node)


def _node_faults(file: _File) -> list[str]:
    if file.lab is None and not file.node:
        return ["node: no node is named; write [[node]] tables, or [lab] for the embedded cluster"]
    if file.lab is not None and file.node:
        return ["lab: a campaign has either [lab] or [[node]] tables"]
    return []


def _kernel(table: _Kernel) -> Kernel:
    told = table.expect
    return Kernel(
        name=table.name,
        boot=table.boot,
        expect=Expect(
            release=told.release,
            version=told.version,
            role=told.role,
            cmdline=told.cmdline,
            cpus=told.cpus,
            memory_mib=None if told.memory_mib is None else (told.memory_mib[0], told.memory_mib[1]),
            probe=None if told.probe is None else Probe(told.probe.command, told.probe.matches),
        ),
        wrap=tuple(table.wrap),
        env=table.env,
    )


def _benchmark_uses(table: _Benchmark) -> tuple[list[Benchmark], list[str]]:
    """One use per combination of the parameters given as lists."""
    try:
        plugin = benchmarks.load(table.plugin)
    except HpcvirtError as error:
        return [], [f"plugin: {error.message}; {error.hint}"]
    names = list(table.parameters)
    columns = [value if isinstance(value, list) else [value] for value in table.parameters.values()]
    empty = [name for name, column in zip(names, columns, strict=True) if not column]
    if empty:
        return [], [f"parameters.{name}: an empty list gives no benchmark" for name in empty]
    if math.prod(map(len, columns)) > LARGEST_MATRIX:
        return [], [f"parameters: more than {LARGEST_MATRIX} combinations"]
    uses, faults = [], []
    for row in product(*columns):
        values, wrong = benchmarks.complete(plugin, dict(zip(names, row, strict=True)))
        faults += [f"parameters.{fault}" for fault in wrong]
        if wrong:
            continue
        use = Benchmark(plugin.name, values, table.timeout or plugin.default_timeout_s, plugin.scope_of(values))
        uses.append(replace(use, may_differ=table.binaries == "may-differ"))
    return uses, list(dict.fromkeys(faults))


def _semantic_faults(campaign: Campaign) -> Iterator[str]:
    yield from _kernel_faults(campaign)
    yield from _doubles("node", [node.name for node in campaign.nodes])
    yield from _doubles("benchmark", [use.label for use in campaign.benchmarks])
    yield from _analysis_faults(campaign)
    yield from _design_faults(campaign)


def _kernel_faults(campaign: Campaign) -> Iterator[str]:
    yield from _doubles("kernel", [kernel.name for kernel in campaign.kernels])
    for index, kernel in enumerate(campaign.kernels, 1):
        bounds = kernel.expect.memory_mib
        if bounds is not None and bounds[0] > bounds[1]:
            yield f"kernel[{index}].expect.memory_mib: {list(bounds)}: the lowest stands first"
        texts = (*kernel.wrap, *kernel.env.values(), kernel.expect.probe.command if kernel.expect.probe else "")
        if any("\0" in text for text in texts):
            yield f"kernel[{index}]: a NUL character cannot be given to a node"


def _analysis_faults(campaign: Campaign) -> Iterator[str]:
    names = [kernel.name for kernel in campaign.kernels]
    if campaign.analysis.baseline not in names:
        nearest = _nearest(campaign.analysis.baseline, names)
        yield f"analysis.baseline: {campaign.analysis.baseline!r} is not among the kernels{nearest}"
    for index, pair in enumerate(campaign.analysis.contrasts, 1):
        unknown = [name for name in pair if name not in names]
        yield from (
            f"analysis.contrasts[{index}]: {name!r} is not among the kernels{_nearest(name, names)}" for name in unknown
        )
        if pair[0] == pair[1]:
            yield f"analysis.contrasts[{index}]: {pair[0]!r} is compared with itself"


def _design_faults(campaign: Campaign) -> Iterator[str]:
    design = campaign.design
    if min(design.runs, design.blocks) < 1:
        yield "design: runs and blocks are at least 1"
    if design.blocks > design.runs:
        yield f"design.blocks: {design.blocks} blocks need at least as many runs, not {design.runs}"
    total = design.runs * len(campaign.kernels) * len(campaign.nodes) * len(campaign.benchmarks)
    if total > LARGEST_PLAN_RUNS:
        yield f"design.runs: {total} runs in all; {LARGEST_PLAN_RUNS} is the most this program plans"
    if design.order is Order.SEQUENTIAL and design.blocks != 1:
        yield "design.blocks: a sequential campaign visits each kernel once; leave blocks out or use randomized-blocks"


def _doubles(what: str, names: Sequence[str]) -> Iterator[str]:
    yield from (f"{what}: {name!r} stands there twice" for name, count in sorted(Counter(names).items()) if count > 1)


def _pydantic_faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        path = [part for part in fault["loc"] if not str(part).startswith(("list[", "function-", "constrained-"))]
        if fault["type"] == "extra_forbidden":
            yield f"{_key_path(path)}: unknown key{_nearest(str(path[-1]), _keys_beside(path))}"
        else:
            yield f"{_key_path(path)}: {fault['msg'][0].lower()}{fault['msg'][1:]}{_shown(fault['input'])}"


def _shown(value: object) -> str:
    return "" if isinstance(value, dict | list) else f", not {value!r}"


def _key_path(path: Sequence[int | str]) -> str:
    """``kernel[1].boot``: tables of an array are counted from 1, as people do."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _keys_beside(path: Sequence[int | str]) -> list[str]:
    model: Any = _File
    for part in path[:-1]:
        if isinstance(part, int):
            continue
        annotation = str(model.model_fields[part].annotation)
        named = re.search(r"\b(_[A-Z]\w+)", annotation)
        if named is None:
            return []
        model = globals()[named.group(1)]
    return list(model.model_fields)


def _nearest(word: str, known: Sequence[str] | set[str]) -> str:
    close = difflib.get_close_matches(word, sorted(known), 1)
    return f"; did you mean {close[0]!r}?" if close else f" (known: {', '.join(sorted(known))})" if known else ""
