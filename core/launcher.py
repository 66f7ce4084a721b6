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

from hpcvirt.core.benchmark import Command, load
from hpcvirt.core.model import Benchmark, Campaign, Launcher, LauncherKind, Node
from hpcvirt.core.requirements import Requirements

AGENT = "hpcvirt-agent"
SCRIPT = "hpcvirt-launch"
"""Names of what is written into the run's folder."""


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


def requirements_of(campaign: Campaign, use: Benchmark, node: Node) -> Requirements:
    """What a benchmark must find on a node: what its plugin says, and the launcher."""
    needs = load(use.plugin).requires(use.parameters)
    # Others' launchers may be on the node only that calls them.
    is_called = campaign.launcher.kind is not LauncherKind.OWN or node == campaign.nodes[0]
    if not is_called or not ranks_of(use):
        return needs
    return replace(needs, programs=(*needs.programs, campaign.launcher.program))


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


def launch_files(
    launcher: Launcher, places: Sequence[Place], command: Command, wrap: Sequence[str], env: Mapping[str, str], run: str
) -> dict[str, str]:
    """What is to be written into the run's folder, by name; both are programs, and ``SCRIPT`` starts it all.

    ``wrap`` stands before every process. ``run``: HPCVIRT_RUN.
    """
    words = ("env", *(f"{name}={value}" for name, value in {**env, **command.env}.items()))
    program = (*(words if len(words) > 1 else ()), *command.argv)
    rank = join((*wrap, "/bin/sh", "-c", _rank_text(places, run), "hpcvirt-rank"))
    called = _call(launcher, [place for place in places if place.ranks])
    text = f'#!/bin/sh\nhv_work=$PWD\nexec {called} {rank} "$hv_work" {join(program)}\n'
    return {SCRIPT: text, AGENT: _agent_text(places, run)}


def line_of(text: str) -> str:
    """The launcher's call, for people: what ``SCRIPT`` executes."""
    return text.partition("\nexec ")[2].strip()


def _call(launcher: Launcher, places: Sequence[Place]) -> str:
    """For a shell. Its own folder is on the first node only, so that the processes begin at the root."""
    ranks = sum(place.ranks for place in places)
    slots = ",".join(f"{place.host}:{place.ranks}" for place in places)
    if launcher.kind is LauncherKind.OWN:
        told = {
            "ranks": ranks,
            "nodes": len(places),
            "hosts": ",".join(place.host for place in places),
            "slots": slots,
        }
        return join([re.sub(r"\{(\w+)\}", lambda hit: str(told.get(hit[1], hit[0])), word) for word in launcher.argv])
    named = _open_mpi if launcher.kind is LauncherKind.OPEN_MPI else _mpich
    agent = f'"$hv_work"/{AGENT}'
    before, after = named(launcher, ranks, slots)
    return f"{join(before)} {agent} {join([*after, *launcher.arguments])}"


def _open_mpi(launcher: Launcher, ranks: int, slots: str) -> tuple[list[str], list[str]]:
    """Every daemon is started from here: the agent is nowhere else."""
    # Who logs in to his nodes as root has been asked already.
    root = ["env", "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"]
    network = []
    if launcher.interface:
        for layer in ("btl_tcp_if_include", "oob_tcp_if_include"):
            network += ["--mca", layer, launcher.interface]
    by_slot = [] if "--map-by" in launcher.arguments else ["--map-by", "slot"]
    return (
        [*root, launcher.program, "-np", str(ranks), "--host", slots, "--mca", "plm_rsh_agent"],
        ["--mca", "plm_rsh_no_tree_spawn", "1", *network, *by_slot, "--wdir", "/"],
    )


def _mpich(launcher: Launcher, ranks: int, slots: str) -> tuple[list[str], list[str]]:
    network = ["-iface", launcher.interface] if launcher.interface else []
    return (
        [launcher.program, "-launcher", "ssh", "-launcher-exec"],
        ["-hosts", slots, *network, "-wdir", "/", "-n", str(ranks)],
    )


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
