"""``plugins``: the benchmarks that are installed."""

from __future__ import annotations

import click

from hpcvirt.core.benchmark import BenchmarkPlugin, installed, load
from hpcvirt.core.errors import HpcvirtError


def print_plugins() -> None:
    """Each plugin with its metrics and parameters; a broken one is a warning that names it."""
    for name in installed():
        try:
            click.echo("\n".join(_lines(load(name))))
        except HpcvirtError as error:
            click.echo(f"warning: {error.message}", err=True)


def _lines(plugin: BenchmarkPlugin) -> list[str]:
    return [
        f"{plugin.name}: {plugin.title} ({plugin.category}, scope {plugin.scope})",
        *(
            f"  metric    {one.name}: {one.unit}, {one.better} is better{', primary' if one.primary else ''}"
            for one in plugin.metrics
        ),
        *(f"  parameter {one.name} = {one.default}: {one.help}" for one in plugin.parameters),
    ]
