"""``status``: where campaigns are, in plain lines."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from hpcvirt.core.clocks import database_flags
from hpcvirt.core.disturbance import disturbance_flags
from hpcvirt.core.errors import HpcvirtError
from hpcvirt.core.interim import looks_note
from hpcvirt.core.rebooted import rebooted_flags, rebooted_within
from hpcvirt.core.store.queries import read_snapshot
from hpcvirt.core.store.records import Amendment, NodeCard, Snapshot
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.core.store.runners import read_copied_from
from hpcvirt.core.store.runs import read_given_up
from hpcvirt.core.text import clean_line
from hpcvirt.tui.launch import data_folder
from hpcvirt.tui.state import RESTARTABLE
from hpcvirt.tui.words import duration

EVENTS_SHOWN = 5
GIVEN_UP_SHOWN = 20
AT_WORK = (RunnerState.RUNNING, RunnerState.PAUSED, RunnerState.ELSEWHERE)


def print_all() -> None:
    """A line for each results database here and in the data folder."""
    found = sorted({*Path.cwd().glob("*.db"), *data_folder().glob("*.db")}, key=lambda path: path.stat().st_mtime)
    for path in reversed(found):
        try:
            click.echo(f"{headline(read_snapshot(path))}  {path}")
        except HpcvirtError as error:
            click.echo(f"{error.message}")
    if not found:
        click.echo(f"no results database here or in {data_folder()}; start one with: hpcvirt-tui run local-lab")


def print_one(path: Path) -> None:
    """All that can be said in a page."""
    click.echo("\n".join([*lines(read_snapshot(path)), *_copied(path), *_given_up(path), *_remarks(path)]))


def _copied(path: Path) -> list[str]:
    original = read_copied_from(path)
    return ["", f"it is a copy of {original}, in which the campaign goes on"] if original else []


def _remarks(path: Path) -> list[str]:
    told = {
        "looks": looks_note(path),
        "rebooted within a boot": rebooted_flags(rebooted_within(path)),
        "clocks": database_flags(path),
        "disturbed": disturbance_flags(path),
    }
    return [line for heading, found in told.items() if found for line in ("", f"{heading}:", *found)]


def _given_up(path: Path) -> list[str]:
    runs = read_given_up(path)
    told = [
        f"run {run.id}: {run.benchmark} run {run.number} under {run.kernel} on {run.node}: {run.why}"
        for run in runs[:GIVEN_UP_SHOWN]
    ]
    more = [f"and {len(runs) - GIVEN_UP_SHOWN} more"] if len(runs) > GIVEN_UP_SHOWN else []
    return ["", f"given up; try anew with: hpcvirt-tui requeue {path} RUN...", *told, *more] if runs else []


def headline(snapshot: Snapshot) -> str:
    """``local-lab: running, 120 of 400 runs ok, 1 given up, done in 1 min 10 s``."""
    parts = [f"{snapshot.campaign.name}: {snapshot.runner.state}", f"{snapshot.ok} of {snapshot.planned} runs ok"]
    if snapshot.given_up:
        parts.append(f"{snapshot.given_up} given up")
    if snapshot.runner.state is RunnerState.RUNNING:
        left = "when is not known yet" if snapshot.eta_s is None else f"in about {duration(snapshot.eta_s)}"
        parts.append(f"done {left}")
    return ", ".join(parts)


def lines(snapshot: Snapshot) -> list[str]:
    """The page: headline, how to go on, nodes, cells, attempts, events."""
    return [
        headline(snapshot),
        *_how_to_go_on(snapshot),
        *(unrestored(snapshot.path, snapshot.unrestored) if snapshot.runner.state not in AT_WORK else []),
        *(amended(one) for one in snapshot.amendments),
        "",
        *(_node_line(snapshot, index) for index in range(len(snapshot.nodes))),
        "",
        *(
            f"{cell.benchmark} under {cell.kernel}: {cell.ok}/{cell.planned} ok{_spoilt(cell.spoilt)}"
            for cell in snapshot.cells
        ),
        "",
        "attempts: "
        + (", ".join(f"{count} {status}" for status, count in sorted(snapshot.statuses.items())) or "none"),
        "",
        *(
            f"{event.at} {event.level:7} {event.node or '-'}: {clean_line(event.message)}"
            for event in snapshot.events[-EVENTS_SHOWN:]
        ),
    ]


def unrestored(path: Path, nodes: Sequence[str]) -> list[str]:
    """What is to be done about nodes whose default boot entry is not as it was, once no runner works on them."""
    if not nodes:
        return []
    command = f"hpcvirt-tui run {shlex.quote(str(path))}"
    return [f"not known to boot by default what it did before: {', '.join(nodes)}; put it back with: {command}"]


def amended(one: Amendment) -> str:
    """``amended 2026-01-01T00:00:00.000Z by me@login: 2 blocks (160 runs) added``."""
    if one.reparsed is not None:
        told = f"{one.reparsed.changed} of {one.reparsed.attempts} attempts changed ({one.reparsed.package})"
        return f"reparsed {one.at} by {clean_line(one.origin)}: {clean_line(one.reparsed.benchmark)}: {told}"
    return f"amended {one.at} by {clean_line(one.origin)}: {one.blocks} blocks ({one.runs} runs) added"


def _how_to_go_on(snapshot: Snapshot) -> list[str]:
    runner = snapshot.runner
    if runner.state is RunnerState.ELSEWHERE and runner.process is not None:
        return [f"its runner is, or was, on host {runner.process.host}: ask there"]
    if runner.state in RESTARTABLE:
        return [f"go on with: hpcvirt-tui run {shlex.quote(str(snapshot.path))}"]
    return []


def _node_line(snapshot: Snapshot, index: int) -> str:
    card = snapshot.nodes[index]
    state = f"{card.state} ({clean_line(card.detail)})" if card.detail and card.state != "running" else card.state
    return f"{card.name}: {state}, {_kernel(card)}, boot {card.boot} of {card.boots}, {card.ok}/{card.planned} runs ok"


def _kernel(card: NodeCard) -> str:
    """What is wanted, and what was proved last."""
    if card.kernel is None:
        return "-"
    if card.is_proved:
        return f"{card.kernel} (proved)"
    return f"{card.kernel} (not proved; proved last: {card.proved_kernel or 'nothing'})"


def _spoilt(count: int) -> str:
    return f", {count} attempts spoilt" if count else ""
