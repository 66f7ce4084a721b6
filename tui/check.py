"""What `check` prints."""

from __future__ import annotations

import click

from hpcvirt.core.config import CampaignFile
from hpcvirt.core.engine.check import Checked, NodeCheck, check_campaign
from hpcvirt.core.text import clean_line


def print_check(file: CampaignFile) -> int:
    """Check a campaign's nodes; the exit code."""
    checked = check_campaign(file.campaign)
    for node in checked.nodes:
        _print_node(node)
    for double in checked.doubles:
        click.echo(f"fault    {double} are one machine: their boot_id is the same")
        click.echo("           -> leave one of these [[node]] tables out")
    for warned in checked.warnings:
        click.echo(f"warning  {warned.message}")
        click.echo(f"           -> {warned.remedy}")
    click.echo(_summary(checked))
    return 0 if checked.is_usable else 4


def _print_node(node: NodeCheck) -> None:
    if node.fault is None:
        kernel = node.identity.release if node.identity else None
        new = ", taken for its own just now and written down" if node.was_new else ""
        click.echo(f"ok       {node.node}: {node.where}, kernel {kernel or 'unknown'}, host key {node.host_key}{new}")
    else:
        click.echo(f"fault    {clean_line(node.fault.message, 1000)}")
        click.echo(f"           -> {node.fault.hint}")
    for difference in node.differences:
        click.echo(f"note     {node.node}: {clean_line(difference, 1000)}")


def _summary(checked: Checked) -> str:
    reached = sum(node.fault is None for node in checked.nodes)
    return f"{reached} of {len(checked.nodes)} nodes reached; nothing was changed on them"
