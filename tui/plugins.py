"""``plugins``: the benchmarks that are installed, as text, as the paper's Table 1 in Markdown, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from enum import StrEnum
from typing import Any

import click

from hpcvirt.core.benchmark import BenchmarkPlugin, Category, Parameter, complete, installed, load
from hpcvirt.core.errors import HpcvirtError
from hpcvirt.core.requirements import Requirements
from hpcvirt.core.text import clean_line


class Format(StrEnum):
    """How they are shown."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


CATEGORIES = {Category.MICRO: "Micro", Category.MACRO: "Macro", Category.APPLICATION: "Applications"}
"""In the paper's order."""


def print_plugins(layout: Format) -> None:
    """Each plugin with its metrics and parameters; a broken one is a warning that names it."""
    plugins = list(_usable())
    if layout is Format.JSON:
        click.echo(json.dumps([_content(plugin) for plugin in plugins], indent=2))
    elif layout is Format.MARKDOWN:
        click.echo("\n".join(_markdown(plugins)))
    else:
        for plugin in plugins:
            click.echo("\n".join(_lines(plugin)))


def _usable() -> Iterator[BenchmarkPlugin]:
    for name in installed():
        try:
            yield load(name)
        except HpcvirtError as error:
            click.echo(f"warning: {clean_line(error.message)}", err=True)


def _requirements(plugin: BenchmarkPlugin) -> Requirements:
    """With its defaults; what cannot be told without parameters is left out."""
    values, faults = complete(plugin, {})
    return Requirements() if faults else plugin.requires(values)


def _lines(plugin: BenchmarkPlugin) -> list[str]:
    required = _requirements(plugin)
    programs = [f"  needs     {', '.join(required.programs)}: {required.hint or 'made by you'}"]
    return [
        f"{plugin.name}: {plugin.title} ({plugin.category}, scope {plugin.scope})",
        *(
            f"  metric    {one.name}: {one.unit}, {one.better} is better{', primary' if one.primary else ''}"
            f"{', exact' if one.exact else ''}"
            for one in plugin.metrics
        ),
        *(f"  parameter {one.name} = {_shown(one)}: {one.help}" for one in plugin.parameters),
        *(programs if required.programs else []),
    ]


def _shown(parameter: Parameter) -> str:
    return json.dumps(parameter.default) if isinstance(parameter.default, str | bool) else str(parameter.default)


def _markdown(plugins: Iterable[BenchmarkPlugin]) -> Iterator[str]:
    """One row each, grouped as the paper's Table 1 groups them."""
    yield "| Category | Benchmark | What it measures | Better | Scope |"
    yield "|---|---|---|---|---|"
    order = list(CATEGORIES)
    for plugin in sorted(plugins, key=lambda one: (order.index(one.category), one.name)):
        primary = [metric for metric in plugin.metrics if metric.primary] or list(plugin.metrics)[:1]
        metrics = ", ".join(f"{metric.name} ({metric.unit})" for metric in primary)
        better = ", ".join(dict.fromkeys(str(metric.better) for metric in primary))
        title = f"{plugin.title} (`{plugin.name}`)"
        yield _row(CATEGORIES[plugin.category], title, metrics, better, str(plugin.scope))


def _row(*cells: str) -> str:
    return f"| {' | '.join(clean_line(cell).replace('|', '&#124;') for cell in cells)} |"


def _content(plugin: BenchmarkPlugin) -> dict[str, Any]:
    required = _requirements(plugin)
    return {
        "name": plugin.name,
        "title": plugin.title,
        "category": plugin.category,
        "scope": plugin.scope,
        "metrics": [asdict(metric) for metric in plugin.metrics],
        "parameters": [asdict(parameter) for parameter in plugin.parameters],
        "programs": list(required.programs),
        "packages": {family: list(names) for family, names in required.packages.items()},
    }
