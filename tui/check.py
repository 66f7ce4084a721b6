"""What `check` prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from hpcvirt.core.config import Choice
from hpcvirt.core.engine.check import Checked, NodeCheck, check_campaign
from hpcvirt.core.preflight import Finding, Level
from hpcvirt.core.text import clean_line
from hpcvirt.tui.launch import chosen, results_folder

LONGEST = 1000


def print_check(path: Path) -> int:
    """Check a campaign's nodes and this machine; the exit code. Raises CampaignInvalid."""
    file, left_out = chosen(path, Choice())
    checked = check_campaign(file.campaign, results_folder(path))
    click.echo("\n".join([*(f"note     {words}" for words in left_out), *lines(checked)]))
    return 0 if checked.is_usable else 4


def lines(checked: Checked) -> Iterator[str]:
    """What passed, a line for each node; then every warning and fault with what mends it; then the sum."""
    yield from (_passed(node) for node in checked.nodes if node.is_reached)
    yield from (f"{Level.PASS:9}{finding.message}" for finding in checked.here if finding.level is Level.PASS)
    for finding in sorted(checked.findings, key=lambda one: one.level is Level.FAILURE):
        if finding.level is not Level.PASS:
            yield _told(finding)
            if finding.remedy:
                yield f"           -> {clean_line(finding.remedy, LONGEST)}"
    yield _sum(checked)


def _passed(node: NodeCheck) -> str:
    passed = [finding.message for finding in node.findings if finding.level is Level.PASS]
    return f"{Level.PASS:9}{clean_line(node.node + ': ' + '; '.join(passed), LONGEST)}"


def _told(finding: Finding) -> str:
    # Errors of a connection name their node themselves.
    where = "" if finding.message.startswith(finding.where) else f"{finding.where}: "
    return f"{finding.level:9}{clean_line(where + finding.message, LONGEST)}"


def _sum(checked: Checked) -> str:
    reached = sum(node.is_reached for node in checked.nodes)
    return f"{reached} of {len(checked.nodes)} nodes reached; nothing was changed on them"
