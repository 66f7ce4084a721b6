"""``reparse``: what stored output says now."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from hpcvirt.core.benchmark import load
from hpcvirt.core.config import read_campaign
from hpcvirt.core.engine.reparse import Reparsed, reparse
from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.model import Value
from hpcvirt.core.store.queries import read_campaign_record, read_runner, read_totals
from hpcvirt.core.text import clean_line
from hpcvirt.tui.parse import typed_parameters
from hpcvirt.tui.status import AT_WORK
from hpcvirt.tui.steer import who


def print_reparse(database: Path, benchmark: str | None, campaign: Path | None, parameters: Sequence[str]) -> None:
    """Reparse, and say what changed and what is left to do. Raises what ``reparse`` raises, and CampaignInvalid."""
    if campaign is not None and parameters:
        raise UsageWrong("--campaign and --param exclude each other", hint="give the corrections in one of them")
    uses = None if campaign is None else read_campaign(campaign).campaign.benchmarks
    given = _given(database, benchmark, parameters)
    for done in reparse(database, who(), benchmark=benchmark, corrections=given, uses=uses):
        click.echo("\n".join(lines(done)))
    click.echo("\n".join(_left(database)))


def _given(database: Path, benchmark: str | None, words: Sequence[str]) -> dict[str, Value]:
    """Of the plugin that is meant; with several benchmarks ``reparse`` says that one must be named."""
    if not words:
        return {}
    _, records = read_campaign_record(database)
    plugins = [record.plugin for record in records if benchmark in {None, record.label, record.plugin}]
    return typed_parameters(load(plugins[0]), words) if plugins else {}


def lines(done: Reparsed) -> list[str]:
    """A benchmark's, with a line for each way in which a status changed."""
    filed = done.filed
    title = clean_line(done.benchmark, 200)
    told = [
        f"{title}: {filed.attempts} attempts parsed with {done.package or 'its plugin'}, {filed.changed} changed "
        f"(amendment {filed.amendment})"
    ]
    for (before, after), count in sorted(filed.transitions.items()):
        what = f"{before}, with other values or another reason" if before == after else f"{before} -> {after}"
        told.append(f"  {count} {what}")
    if filed.surplus:
        told.append(
            f"  {filed.surplus} more would be ok, and stay as they are: their runs have a result, or are under way"
        )
    if filed.reopened:
        told.append(f"  {filed.reopened} runs have no result any more, and will be repeated")
    return told


def _left(database: Path) -> list[str]:
    planned, ok, given_up = read_totals(database)
    told = [f"{ok} of {planned} runs ok" + (f", {given_up} given up" if given_up else "")]
    if read_runner(database).state in AT_WORK:
        told.append("the runner at work uses these parameters for the runs to come; after an update of a plugin,")
        told.append("stop and run it again, and reparse once more")
    elif ok + given_up < planned:
        told.append(f"go on with: hpcvirt-tui run {shlex.quote(str(database))}")
    return told
