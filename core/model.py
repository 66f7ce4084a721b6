"""The words of the project as frozen data: what a campaign is and what its plan is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

Name = TypeVar("Name")

Value = str | int | float | bool
"""What a benchmark parameter can be."""

ALL_NODES = "*"
"""Stands for the node of a boot, run or measurement that is of all nodes together."""


class Status(StrEnum):
    """How an attempt ended. Only ``OK`` enters the statistics."""

    OK = "ok"
    FAILED = "failed"
    """The benchmark said so, or its output is not a whole result."""
    UNVERIFIED = "unverified"
    """Numbers without the benchmark's own verification."""
    UNPARSABLE = "unparsable"
    """A complete output in a layout the plugin does not know."""
    TIMEOUT = "timeout"
    LOST = "lost"
    """The node or the connection went away and the result with it."""
    VOID = "void"
    """It ran, but not provably under the kernel it was planned for."""
    ABORTED = "aborted"
    """Ended because the operator said so."""


class Order(StrEnum):
    """In which order kernels are visited."""

    RANDOMIZED_BLOCKS = "randomized-blocks"
    SEQUENTIAL = "sequential"


class Scope(StrEnum):
    """What one run of a benchmark occupies."""

    NODE = "node"
    CLUSTER = "cluster"


class Expected(StrEnum):
    """What a claim says of one kernel against another."""

    FASTER = "faster"
    SLOWER = "slower"
    DIFFERENT = "different"
    """Either way."""
    EQUIVALENT = "equivalent"
    """The difference is shown to be small."""
    NOT_SIGNIFICANT = "no-significant-difference"
    """No difference is shown, which is less than equivalence."""
    NO_OVERHEAD = "no-significant-overhead"
    """It is not shown to be slower; it may be faster."""
    SMALLER = "smaller-difference"
    """Its difference is smaller than that from a third kernel, shown or not."""


class HostKeys(StrEnum):
    """What is done about a host key that nobody knows yet. A changed one is always refused."""

    STRICT = "strict"
    ACCEPT_NEW = "accept-new"
    """The first key a node shows is taken for its own and written down."""


class Where(StrEnum):
    """Where an operator's own boot command is run."""

    LOGIN = "login"
    NODE = "node"


class LauncherKind(StrEnum):
    """Whose words a launcher of MPI programs understands."""

    OPEN_MPI = "openmpi"
    MPICH = "mpich"
    """Hydra."""
    OWN = "own"
    """Another one, called by the operator's own words."""


class Better(StrEnum):
    """Which direction of a metric is good."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Node:
    """A machine reached over SSH."""

    name: str
    host: str
    port: int | None = None
    """None: what the SSH configuration says, else 22."""
    user: str | None = None
    identity_file: str | None = None
    scratch: str = "/var/tmp"  # noqa: S108 - the launcher makes a folder of its own in it, 0700 and checked for its owner
    """Folder on the node under which the program keeps a folder of its own."""
    own_machine: bool = True
    """False: known to share its machine with other nodes. Then ``scratch`` is what is locked, and not compared."""
    jump: str | None = None
    """``[user@]host[:port]``, several by comma, as ProxyJump has it; ``none``: no jump whatever the SSH
    configuration says; None: what it says."""
    legacy: bool = False
    """Offer the algorithms of an sshd of 2005 too."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """By kernel name: what the other nodes' MPI calls it while that one runs, where it is not ``host``: a guest's."""
    inner_host: str | None = None
    """What other nodes call it. None: as it is dialled from here."""

    def called_by_others(self, kernel: str) -> str:
        """Where other nodes find it while that kernel runs."""
        return self.addresses.get(kernel) or self.inner_host or self.host


@dataclass(frozen=True, slots=True)
class Connecting:
    """How nodes are reached and how soon a silent one counts as lost. The same for all nodes."""

    host_keys: HostKeys = HostKeys.STRICT
    known_hosts: str | None = None
    """A further file of known hosts; accepted keys go there. None: only those of the SSH configuration."""
    keepalive_s: float = 5.0
    """A connection on which nothing came for this long is asked for a sign of life."""
    keepalives_missed: int = 3
    """After so many questions without an answer it is lost."""
    handshakes: int = 8
    """How many connections are made at the same time, over all nodes."""
    login_limit_s: float = 15.0
    """For making one connection, each jump host included."""
    patience_s: float = 600.0
    """How long what keeps a node from being reached or used is waited for: see ``core.remote.patience``."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A command whose first line of output tells one kernel from another."""

    command: str
    matches: str
    """Shell pattern for the whole line."""


@dataclass(frozen=True, slots=True)
class Expect:
    """What identity must show for a node to be in a kernel. None: not asked."""

    release: str | None = None
    """Shell pattern for ``uname -r``."""
    version: str | None = None
    """Shell pattern for ``uname -v``."""
    role: str | None = None
    """``none``, ``xen-dom0``, ``xen-guest`` or what /sys/hypervisor/type says."""
    cmdline: str | None = None
    """Shell pattern for /proc/cmdline."""
    cpus: int | None = None
    memory_mib: tuple[int, int] | None = None
    """Lowest and highest MemTotal, in MiB."""
    storage: str | None = None
    """Shell pattern for what the scratch folder is on: ``filesystem device``, as ``ext4 /dev/sda2``."""
    probe: Probe | None = None
    nonce: str | None = None
    """A word that /proc/cmdline must hold. Drawn for one boot by the engine; a campaign has none."""


@dataclass(frozen=True, slots=True)
class Settle:
    """What a node must be like before the first run of a boot."""

    seconds: float = 0.0
    """Waited in any case."""
    load: float | None = None
    """The load average of a minute is below this."""
    limit_s: float = 600.0
    """A node that is busier for longer is set aside."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A treatment: how to bring a node into it, an optional wrap, and how to prove it."""

    name: str
    boot: str = "none"
    """Boot method. ``none``: whatever runs; it is only proved."""
    entry: str = ""
    """Of the boot menu, as the operator sees it there; submenus by `` > ``."""
    arguments: str = ""
    """Further words for the kernel's command line."""
    command: tuple[str, ...] = ()
    """The operator's own, for method ``command``."""
    where: Where = Where.LOGIN
    """Where ``command`` is run."""
    options: Mapping[str, Value] = field(default_factory=dict)
    """For a third party's boot method."""
    boot_limit_s: float = 900.0
    """From the order to the first answer of the new life."""
    boot_retries: int = 1
    """How many more orders a node gets that came up wrong, or not at all, before it is set aside."""
    settle: Settle = Settle()
    expect: Expect = Expect()
    wrap: tuple[str, ...] = ()
    """Prefix for every command of a run, identity included."""
    env: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False
    """Left out, and said so, where this machine does not allow its wrap. For the embedded lab only."""


def label_of(plugin: str, parameters: Mapping[str, object]) -> str:
    """A benchmark in one line: ``stream array_size=2000000 ntimes=10 threads=1``. Empty parameters are left out."""
    words = [f"{name}={value}" for name, value in sorted(parameters.items()) if value != ""]
    return " ".join(" ".join([plugin, *words]).split())


def each_pair_once(pairs: Iterable[tuple[Name, Name]]) -> list[tuple[Name, Name]]:
    """Leave out pairs that repeat an earlier one, whichever way round: (b, c) and (c, b) are one test."""
    once: dict[frozenset[Name], tuple[Name, Name]] = {}
    for pair in pairs:
        once.setdefault(frozenset(pair), pair)
    return list(once.values())


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A plugin plus parameters."""

    plugin: str
    parameters: Mapping[str, Value]
    """Every parameter of the plugin, defaults filled in."""
    timeout_s: float
    scope: Scope = Scope.NODE
    metrics: tuple[str, ...] = ()
    """Names of those that are kept. Empty: all that the plugin has."""
    may_differ: bool = False
    """Programs and libraries that are not the same on all nodes and under all kernels are a warning only."""
    ranks_per_node: int = 0
    """Of an MPI program: nodes are filled one after the other. 0: its processes are spread evenly."""

    @property
    def label(self) -> str:
        """Name and parameters in one line: see ``label_of``."""
        return label_of(self.plugin, self.parameters)


@dataclass(frozen=True, slots=True)
class Design:
    """How the experiment is laid out."""

    order: Order = Order.RANDOMIZED_BLOCKS
    runs: int = 50
    """Ok runs wanted per kernel, benchmark and node, over all blocks."""
    blocks: int = 10
    seed: int = 0
    at_once: int | None = None
    """How many nodes run a benchmark at the same time. None: all."""
    retries: int = 2
    """How many more attempts a run gets after one that the benchmark or the proof of kernel spoilt."""
    losses: int = 3
    """After how many lost attempts in a row a node is set aside."""
    warmup: int = 0
    """Runs of each benchmark at the begin of each boot that are kept and marked, and not analysed."""
    settle_s: float = 0.0
    """How long a proved kernel is left alone before the first run of a boot."""
    phases: tuple[tuple[str, ...], ...] = ()
    """Labels of the benchmarks that share boots, in the order of execution. Empty: all share them."""
    added_blocks: int = 0
    """By amendments, after the campaign had started."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What will be tested, said before the data."""

    baseline: str
    alpha: float = 0.05
    delta: float = 0.02
    """Half-width of the band of equivalence, as a fraction of the baseline."""
    contrasts: tuple[tuple[str, str], ...] = ()
    """Further planned pairs: (kernel, the one it is compared with)."""
    method: str | None = None
    """``paper`` or ``blocked``. None: ``blocked`` from two blocks on."""
    correction: str = "holm"
    """How p-values of the family are adjusted: ``holm``, ``bh`` or ``none``."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """How nodes are watched."""

    during_runs: bool = True
    """Off: readings are taken between runs only, so that nothing of ours runs beside a benchmark."""
    interval_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Launcher:
    """What starts the processes of an MPI program, on the first node of a run."""

    kind: LauncherKind = LauncherKind.OPEN_MPI
    program: str = "mpirun"
    """Name or absolute path on the nodes."""
    interface: str = ""
    """Through which the processes talk: a name, or for Open MPI also a network as 10.0.0.0/24. Empty: its choice."""
    arguments: tuple[str, ...] = ()
    """Further ones of the launcher."""
    argv: tuple[str, ...] = ()
    """The whole call, for kind ``own``; {ranks}, {nodes}, {hosts} and {slots} are filled in."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a source prints of one kernel in one metric, in the metric's unit."""

    mean: float
    sd: float | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement about one effect, written down before the data."""

    number: int
    """Of its [[claim]] table, from 1: one table may make several."""
    title: str
    """What it says, in the operator's words."""
    benchmark: str
    """Label."""
    metric: str
    kernel: str
    versus: str
    expect: Expected
    between: tuple[float, float] | None = None
    """The difference of ``kernel`` from ``versus``, in % of ``versus``: lowest and highest."""
    source: str = ""
    published: Published | None = None
    """Of ``kernel``."""
    reference: str | None = None
    """The kernel from which ``kernel`` is said to differ more than from ``versus``."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """One experiment. Frozen when it starts."""

    name: str
    nodes: tuple[Node, ...]
    kernels: tuple[Kernel, ...]
    benchmarks: tuple[Benchmark, ...]
    design: Design
    analysis: Analysis
    title: str = ""
    notes: str = ""
    lab: bool = False
    """The nodes are those of the embedded lab, started by the runner."""
    connecting: Connecting = Connecting()
    telemetry: Telemetry = Telemetry()
    launcher: Launcher = Launcher()
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class Boot:
    """One planned visit of one kernel to one node in one block: the unit of replication."""

    id: int
    block: int
    """Counted from 1 within its phase."""
    position: int
    """Which visit to this node within the block, from 1."""
    kernel: str
    node: str
    """``*``: all nodes, which are in the kernel at the same time."""
    phase: int = 1


@dataclass(frozen=True, slots=True)
class Run:
    """One planned execution of one benchmark in one boot."""

    id: int
    boot: Boot
    benchmark: Benchmark
    number: int
    """From 1 to ``design.runs`` within kernel, benchmark and node; warm-up runs are counted apart."""
    is_warmup: bool = False
    """Kept and marked, and not analysed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Every boot and run of a campaign, in the order of execution on each node."""

    boots: tuple[Boot, ...]
    runs: tuple[Run, ...]
    digest: str = field(default="")
    """SHA-256 over the campaign and the expanded plan: the same campaign gives the same digest anywhere."""
