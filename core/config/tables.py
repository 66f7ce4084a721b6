"""What can stand in a campaign file: one model for each table.

The docstrings under the keys are what editors show: ``campaigns/campaign.schema.json`` is written from them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hpcvirt.core.model import Value

NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]*"

Name = Annotated[str, Field(pattern=f"^{NAME}$", max_length=64)]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Seconds = Annotated[float, Field(gt=0, le=31_536_000)]
Percent = Annotated[float, Field(ge=-100, le=1_000_000)]


class Table(BaseModel):
    """What is not known is refused, and nothing is taken for what it is not."""

    model_config = ConfigDict(extra="forbid", strict=True)


class CampaignTable(Table):
    """What the campaign is called. Title and notes can be mended after the start."""

    name: Name
    """Its databases are called after it."""
    title: str = ""
    """One line for screens and reports."""
    notes: str = ""
    """What a reader of the results must know: confounds, deviations, who and why."""


class DesignTable(Table):
    """How the experiment is laid out."""

    order: Literal["randomized-blocks", "sequential"] = "randomized-blocks"
    """randomized-blocks: every kernel once in each block, in a drawn order. sequential: one kernel after another."""
    runs: Count = 50
    """Ok runs wanted per kernel, benchmark and node, over all blocks."""
    blocks: Count | None = None
    """How many blocks the runs are spread over: 10 if not said, or 1 where the order is sequential."""
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    """The same seed gives the same plan on any machine."""
    warmup: Annotated[int, Field(ge=0, le=1000)] = 0
    """Runs of each benchmark at the begin of each boot that are kept and marked, and not analysed."""
    settle: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    """Seconds that a proved kernel is left alone before the first run of a boot."""
    timeout: Seconds | None = None
    """Seconds that one run may take, for benchmarks that do not say it themselves."""
    retries: Annotated[int, Field(ge=0, le=100)] = 2
    """How many more attempts a run gets after one that the benchmark or the proof of kernel spoilt."""
    losses: Annotated[int, Field(ge=1, le=100)] = 3
    """After how many lost attempts in a row a node is set aside."""
    at_once: Count | None = None
    """How many nodes run a benchmark at the same time: all if not said. 1 for shared machines or shared storage."""
    phases: list[Annotated[list[Text], Field(min_length=1)]] = []
    """Benchmarks (plugin names or labels) that share boots, phase after phase; all share them if not said."""


class AnalysisTable(Table):
    """What will be tested, said before the data."""

    baseline: str | None = None
    """The kernel that others are compared with: the first one if not said."""
    contrasts: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = []
    """Further planned pairs: [kernel, the one it is compared with]."""
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Level of the tests."""
    delta: Annotated[float, Field(gt=0, lt=1)] = 0.02
    """Half-width of the band of equivalence, as a fraction: 0.02 is 2 %."""
    method: Literal["paper", "blocked"] | None = None
    """paper: a t-test on runs. blocked: boots compared within blocks. If not said: blocked from two blocks on."""
    correction: Literal["holm", "bh", "none"] = "holm"
    """How p-values of the family are adjusted."""


class LabTable(Table):
    """The embedded cluster on this machine, instead of [[node]] tables."""

    nodes: Annotated[int, Field(ge=1, le=64)] = 4
    """How many."""


class NodeTable(Table):
    """One machine reached over SSH, or a range of them: node[01-16]."""

    name: Annotated[str, Field(min_length=1, max_length=256)]
    """Its name in results. A range makes as many nodes: node[1-4], node[01-16], node[1,3,5-7]."""
    host: str | None = None
    """What is dialled: the name if not said. A range has as many members as the name's."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """As the SSH configuration says, else 22."""
    user: str | None = None
    """As the SSH configuration says."""
    identity_file: str | None = None
    """A private key."""
    jump: Annotated[str, Field(pattern=r"^[A-Za-z0-9._@:,\[\]%-]+$")] | None = None
    """[user@]host[:port], several by comma; none: no jump whatever the SSH configuration says."""
    scratch: Annotated[str, Field(pattern="^/[A-Za-z0-9._/@+-]*$")] = "/var/tmp"  # noqa: S108 - see model.Node
    """Folder on the node in which benchmarks run, in a folder of the program's own."""
    own_machine: bool = True
    """false: known to share its machine with other nodes of the campaign."""
    legacy: bool = False
    """Offer the algorithms of an sshd of 2005 too."""
    address: dict[str, Text] = {}
    """By kernel: what the others' MPI calls it while that one runs, if not `host`: a guest's. Ranges as in host."""
    inner_host: Annotated[str, Field(pattern=r"^[A-Za-z0-9\[][A-Za-z0-9._:,\[\]-]*$")] | None = None
    """What the other nodes call it, for MPI: as it is dialled from here if not said. Ranges as in host."""


class ConnectionTable(Table):
    """How nodes are reached. Times in seconds."""

    host_keys: Literal["strict", "accept-new"] = "strict"
    """accept-new: the first key that a node shows is taken for its own. A changed one is always refused."""
    known_hosts: str | None = None
    """A further file of known hosts; accepted keys go there."""
    keepalive: Annotated[float, Field(ge=0.1, le=600)] = 5.0
    """A connection on which nothing came for this long is asked for a sign of life."""
    keepalives_missed: Annotated[int, Field(ge=1, le=100)] = 3
    """After so many questions without an answer it is lost."""
    handshakes: Annotated[int, Field(ge=1, le=1000)] = 8
    """How many connections are made at the same time."""
    login_limit: Annotated[float, Field(ge=1, le=600)] = 15.0
    """For making one connection, each jump host included."""
    patience: Annotated[float, Field(ge=1)] = 600.0
    """How long what keeps a node from being reached or used is waited for, before the node is set aside. One that was
    never reached is waited for a minute at most."""


class ProbeTable(Table):
    """A command whose first line of output tells one kernel from another."""

    command: Text
    """For /bin/sh on the node, within the wrap."""
    matches: str
    """Shell pattern for the whole line."""


class ExpectTable(Table):
    """What must be read on a node for it to be in a kernel. What is not said is not asked."""

    release: str | None = None
    """Shell pattern for uname -r."""
    version: str | None = None
    """Shell pattern for uname -v."""
    role: str | None = None
    """none, xen-dom0, xen-guest, or what /sys/hypervisor/type says."""
    cmdline: str | None = None
    """Shell pattern for /proc/cmdline."""
    cpus: Count | None = None
    """How many CPUs are online."""
    memory_mib: Annotated[list[int], Field(min_length=2, max_length=2)] | None = None
    """Lowest and highest MemTotal, in MiB."""
    storage: str | None = None
    """Shell pattern for what the scratch folder is on: filesystem and device, as ext4 /dev/sda2."""
    probe: ProbeTable | None = None
    """A command of one's own, where the rest cannot tell the kernels apart."""


class SettleTable(Table):
    """What a node must be like, once its kernel is proved, before the first run of a boot."""

    seconds: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    """Waited in any case."""
    load: Annotated[float, Field(gt=0)] | None = None
    """The load average of one minute is waited for to fall below this."""
    limit: Annotated[float, Field(ge=1, le=86_400)] = 600.0
    """A node that is busier for so many seconds is set aside."""


class KernelTable(Table):
    """A treatment: how to bring a node into it, and how to prove that it is there."""

    name: Name
    """Its name in results."""
    boot: str = "none"
    """Boot method. none: whatever runs, which is only proved. grub: an entry of the boot menu, for one boot. command:
    a script of your own. Further ones are packages with an entry point in hpcvirt.kernels."""
    entry: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=500)] = ""
    """For grub: the entry as the boot menu shows it; one in a submenu may be written "Submenu > Entry"."""
    arguments: Annotated[str, Field(pattern=r"^[A-Za-z0-9._,:=/+@% -]*$", max_length=900)] = ""
    """For grub: further words for the kernel's command line, for this boot only."""
    command: list[str] = []
    """For command: program and arguments; HPCVIRT_NODE, HPCVIRT_KERNEL and HPCVIRT_CAMPAIGN are in its environment."""
    where: Literal["login", "node"] = "login"
    """For command: where it is run."""
    options: dict[Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")], Value] = {}
    """For a boot method of somebody else's; for command: HPCVIRT_OPTION_NAME in its environment."""
    boot_limit: Annotated[float, Field(ge=1, le=86_400)] = 900.0
    """Seconds from the order until the node answers from another life."""
    boot_retries: Annotated[int, Field(ge=0, le=20)] = 1
    """How many more orders a node gets that came up wrong, or not at all, before it is set aside."""
    settle: SettleTable = SettleTable()
    """What is waited for between the proof and the first run of a boot."""
    expect: ExpectTable = ExpectTable()
    """How it is proved, before and after every run."""
    wrap: list[str] = []
    """Prefix of every command, identity included: ["unshare", "--net"]."""
    env: dict[Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")], str] = {}
    """Environment variables of every run."""
    optional: bool = False
    """In the embedded lab: left out, and said so, where this machine does not allow its wrap."""


class BenchmarkTable(Table):
    """A plugin plus parameters; parameters given as lists expand into a matrix."""

    plugin: str
    """See hpcvirt-tui plugins."""
    parameters: dict[str, Value | list[Value]] = {}
    """What is not said is the plugin's default. A list makes a benchmark of each of its members."""
    scope: Literal["node", "cluster"] | None = None
    """node: each node alone. cluster: one run over all nodes. The plugin's own if not said."""
    timeout: Seconds | None = None
    """Seconds that one run may take: the design's if not said, else the plugin's."""
    binaries: Literal["same", "may-differ"] = "same"
    """Programs and shared libraries that differ between nodes or kernels: a fault, or a warning only."""
    metrics: list[Text] = []
    """Those that are kept: all if not said. The raw output is always kept."""
    ranks_per_node: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Of an MPI program: nodes are filled one after the other. 0: its processes are spread evenly over all."""


class PublishedTable(Table):
    """What the source prints of the claim's kernel, in the metric's unit."""

    mean: Annotated[float, Field(allow_inf_nan=False)]
    """Arithmetic mean."""
    sd: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Standard deviation."""
    n: Count | None = None
    """How many runs."""


class ClaimTable(Table):
    """A statement about an effect, written down before the data. Lists make a claim of each member."""

    claim: str = ""
    """What it says, in words."""
    benchmark: str
    """A plugin of this campaign."""
    parameters: dict[str, Value | list[Value]] = {}
    """Which of its uses: every one that has these values."""
    metric: Text | Annotated[list[Text], Field(min_length=1)]
    """Names of metrics."""
    kernel: Text | None = None
    """The kernel that it is about."""
    versus: Text | Annotated[list[Text], Field(min_length=1)] | None = None
    """What it is compared with."""
    among: Annotated[list[Text], Field(min_length=2)] | None = None
    """In place of kernel and versus: each two of these kernels, of which neither is better."""
    expect: Literal[
        "faster",
        "slower",
        "different",
        "equivalent",
        "no-significant-difference",
        "no-significant-overhead",
        "smaller-difference",
    ]
    """What the data should say. faster: higher in a rate, lower in a time. no-significant-overhead: not shown to be
    slower. smaller-difference: than the difference from reference."""
    reference: Text | None = None
    """For smaller-difference: a third kernel; kernel differs from it more than from versus."""
    between: Annotated[list[Percent], Field(min_length=2, max_length=2)] | None = None
    """The metric's difference from versus in %, lowest and highest: [-17, -11]."""
    source: str = ""
    """Where it is said: a section, a figure, a person."""
    published: PublishedTable | None = None
    """Numbers of the source, of the kernel."""


class TelemetryTable(Table):
    """How nodes are watched."""

    during_runs: Literal["on", "off"] = "on"
    """off: readings are taken between runs only."""
    interval: Annotated[float, Field(ge=0.2, le=3600)] = 2.0
    """Seconds from one reading to the next."""


class LauncherTable(Table):
    """What starts the processes of MPI programs; it is called on the first node, and reaches the others by ssh."""

    kind: Literal["openmpi", "mpich", "own"] = "openmpi"
    """Whose words it understands. own: those of argv."""
    program: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/@+-]+$")] | None = None
    """Name or absolute path on the nodes: mpirun (openmpi) or mpiexec (mpich) if not said."""
    interface: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:,/-]*$")] = ""
    """Network interface through which the processes talk; for openmpi also a network as 10.0.0.0/24."""
    arguments: list[str] = []
    """Further ones: ["--bind-to", "core"]."""
    argv: list[Text] = []
    """For own: the whole call; {ranks}, {nodes}, {hosts} (a,b) and {slots} (a:2,b:2) are filled in."""


class FileTable(Table):
    """A campaign file."""

    campaign: CampaignTable
    design: DesignTable = DesignTable()
    analysis: AnalysisTable = AnalysisTable()
    connection: ConnectionTable = ConnectionTable()
    telemetry: TelemetryTable = TelemetryTable()
    launcher: LauncherTable = LauncherTable()
    lab: LabTable | None = None
    node: list[NodeTable] = []
    kernel: Annotated[list[KernelTable], Field(min_length=1)]
    benchmark: Annotated[list[BenchmarkTable], Field(min_length=1)]
    claim: list[ClaimTable] = []
