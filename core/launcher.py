"""How the processes of an MPI program get onto their nodes, and how each of them tells where it came up.

The launcher is called on the first node of a run and reaches the others by ssh, through an agent of ours that gives
its daemons the marks of the run. Between the launcher and the program stands a line of shell that says on which boot
of which machine the process is: placement is what was read there, not what was asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from shlex import join, quote

from hpcvirt.core import boot_method as methods
from hpcvirt.core.benchmark import Command, load
from hpcvirt.core.model import Benchmark, Campaign, Launcher, LauncherKind, Node, Scope
from hpcvirt.core.preflight import Need
from hpcvirt.core.requirements import Requirements, asked

AGENT = "ssh"
"""In the run's folder, which is the first in the launcher's PATH: so whatever launcher finds it, and says it to no
daemon of its own, which would look for it in vain."""

SCRIPT = "hpcvirt-launch"
"""In the run's folder: what is executed there."""


@dataclass(frozen=True, slots=True)
class Place:
    """One node of a run, and how many processes it is to have."""

    node: str
    host: str
    """What the first node calls it."""
    seat: str
    """HPCVIRT_SEAT of its processes."""
    boot_id: str
    """Of the life in which its kernel was proved."""
    ranks: int


def ranks_of(use: Benchmark) -> int:
    """How many processes a launcher is to start for a benchmark; 0: it needs none, or cannot say."""
    try:
        return load(use.plugin).command(use.parameters).ranks
    except Exception:  # noqa: BLE001 - a third party's plugin may raise anything; it is told when it is to run
        return 0


def requirements_of(campaign: Campaign, use: Benchmark) -> Requirements:
    """What a benchmark must find on every node: what its plugin says, and the launcher; others' are on some only."""
    needs = load(use.plugin).requires(use.parameters)
    if campaign.launcher.kind is LauncherKind.OWN or not ranks_of(use):
        return needs
    return replace(needs, programs=(*needs.programs, campaign.launcher.program))


def needs_of(campaign: Campaign, node: Node) -> tuple[Need, ...]:
    """What ``check`` asks of a node before MPI programs are run."""
    uses = [use for use in campaign.benchmarks if ranks_of(use)]
    launcher = campaign.launcher
    if not uses or (launcher.kind is LauncherKind.OWN and node != campaign.nodes[0]):
        return ()
    needs = list(asked("launcher", Requirements((launcher.program,))))
    if re.fullmatch(r"[A-Za-z0-9._-]+", launcher.interface):
        told = f"there is no network interface {launcher.interface}"
        needs.append(
            Need(f"[ -e /sys/class/net/{launcher.interface} ]", told, "see `ip link`; then [launcher] interface")
        )
    if node == campaign.nodes[0] and launcher.kind is not LauncherKind.OWN:
        others = campaign.nodes[1:] if any(use.scope is Scope.CLUSTER for use in uses) else ()
        needs += [_reaches(_called(campaign, others))] if others else []
    return tuple(needs)


def _called(campaign: Campaign, others: Sequence[Node]) -> Sequence[str]:
    """As a run calls them. Under kernels that are still to be booted nobody can be asked."""
    now = [kernel.name for kernel in campaign.kernels if not methods.load(kernel.boot).reboots]
    return list(dict.fromkeys(other.called_by_others(kernel) for kernel in now or [""] for other in others))


def _reaches(called: Sequence[str]) -> Need:
    """All at once: there may be many, and some of them may not answer."""
    hosts = " ".join(map(quote, called))
    ask = "ssh -o BatchMode=yes -o ConnectTimeout=10"
    return Need(
        f'x=$(for h in {hosts}; do {{ s=$({ask} "$h" true 2>&1 </dev/null) || echo "$h: $s"; }} & done; wait); '
        '[ -z "$x" ] || { echo $x; exit 1; }',
        "cannot reach all others by ssh, as MPI launchers do",
        "there, give this user a key without passphrase that the others accept, and their host keys; or say "
        "inner_host, if they are called otherwise there",
    )


def spread(ranks: int, nodes: int, per_node: int) -> tuple[int, ...]:
    """Processes by node: evenly, the first nodes taking the rest; or ``per_node``, node after node.

    Empty: they do not fit.
    """
    if per_node:
        found = tuple(max(min(per_node, ranks - at * per_node), 0) for at in range(nodes))
    else:
        share, rest = divmod(ranks, nodes)
        found = tuple(share + (at < rest) for at in range(nodes))
    return found if sum(found) == ranks else ()


@dataclass(frozen=True, slots=True)
class Launch:
    """How an MPI program is started in a run's folder."""

    scripts: Mapping[str, str]
    """To be written into it, by name; ``SCRIPT`` starts it all."""
    line: str
    """The launcher's call, for people."""


def launch(
    launcher: Launcher, places: Sequence[Place], command: Command, wrap: Sequence[str], env: Mapping[str, str], run: str
) -> Launch:
    """``wrap`` stands before every process, ``env`` is its environment. ``run``: HPCVIRT_RUN."""
    words = ("env", *(f"{name}={value}" for name, value in {**env, **command.env}.items()))
    program = join((*(words if len(words) > 1 else ()), *command.argv))
    called = join(_call(launcher, [place for place in places if place.ranks]))
    rank = join((*wrap, "/bin/sh", "-c", _rank_text(places, run), "hpcvirt-rank"))
    # The run's folder is on the first node only, so the processes begin at the root, and go there if they can.
    text = f'#!/bin/sh\nhv_work=$PWD\nPATH=$hv_work:$PATH\nexport PATH\nexec {called} {rank} "$hv_work" {program}\n'
    line = " ".join(filter(None, (called, join(wrap), program)))
    return Launch({SCRIPT: text, AGENT: _agent_text(places, run)}, line)


def _call(launcher: Launcher, places: Sequence[Place]) -> list[str]:
    ranks = sum(place.ranks for place in places)
    slots = ",".join(f"{place.host}:{place.ranks}" for place in places)
    if launcher.kind is LauncherKind.OPEN_MPI:
        return _open_mpi(launcher, ranks, slots)
    if launcher.kind is LauncherKind.MPICH:
        network = ["-iface", launcher.interface] if launcher.interface else []
        words = [launcher.program, "-launcher", "ssh", "-hosts", slots, *network, "-wdir", "/", *launcher.arguments]
        return [*words, "-n", str(ranks)]
    hosts = ",".join(place.host for place in places)
    told = {"ranks": str(ranks), "nodes": str(len(places)), "hosts": hosts, "slots": slots}
    return [re.sub(r"\{(\w+)\}", lambda hit: told.get(hit[1], hit[0]), word) for word in launcher.argv]


def _open_mpi(launcher: Launcher, ranks: int, slots: str) -> list[str]:
    """Every daemon is started from the first node: the agent is nowhere else."""
    # Who logs in to his nodes as root has been asked already.
    root = ["env", "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"]
    words = [*root, launcher.program, "-np", str(ranks), "--host", slots, "--mca", "plm_rsh_no_tree_spawn", "1"]
    if launcher.interface:
        for layer in ("btl_tcp_if_include", "oob_tcp_if_include"):
            words += ["--mca", layer, launcher.interface]
    if "--map-by" not in launcher.arguments:
        words += ["--map-by", "slot"]
    return [*words, "--wdir", "/", *launcher.arguments]


def _rank_text(places: Sequence[Place], run: str) -> str:
    """In one line: some launchers take no other. What a wrap has cleared is put on again."""
    seats = " ".join(f"{place.boot_id}) s={quote(place.seat)} ;;" for place in places if place.ranks)
    return (
        "IFS= read -r b </proc/sys/kernel/random/boot_id; IFS= read -r h </proc/sys/kernel/hostname; "
        f'echo "@hpcvirt-rank {run} $b $h" >&2; '
        f'case $b in {seats} *) echo "hpcvirt: $h is none of the nodes of this run" >&2; exit 126 ;; esac; '
        f"export HPCVIRT_RUN={quote(run)} HPCVIRT_SEAT=$s; "
        'cd "$1" 2>/dev/null || cd "${TMPDIR:-/tmp}" || exit 126; shift; exec "$@"'
    )


def _agent_text(places: Sequence[Place], run: str) -> str:
    seats = "\n".join(f"{quote(place.host)}) hv_seat={quote(place.seat)} ;;" for place in places)
    return _agent_script().replace("@SEATS@", seats).replace("@RUN@", quote(run))


@cache
def _agent_script() -> str:
    return files("hpcvirt.core").joinpath("agent.sh").read_text(encoding="ascii")


def take_ranks(stderr: bytes, run: str) -> tuple[bytes, Counter[str]]:
    """Stderr without the lines in which processes say where they are, and how many of them are on each boot_id."""
    line = re.compile(rb"@hpcvirt-rank " + re.escape(run.encode()) + rb" ([0-9a-f-]{1,64})[^\n]{0,300}\n")
    return line.sub(b"", stderr), Counter(hit[1].decode() for hit in line.finditer(stderr))


def misplaced(places: Sequence[Place], found: Counter[str]) -> str:
    """In what processes are not where they were asked for; empty if they are."""
    here = {place.node: found[place.boot_id] for place in places}
    strange = sum(found.values()) - sum(here.values())
    wrong = [
        f"{here[place.node]} on {place.node}, not {place.ranks}" for place in places if here[place.node] != place.ranks
    ]
    wrong += [f"{strange} on a machine that is none of its nodes"] if strange else []
    return f"processes of the run were {', '.join(wrong)}" if wrong else ""
