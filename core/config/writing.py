"""A campaign file written anew: what was picked of one, as TOML that reads back to the same campaign."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpcvirt.core.config.choice import Choice, choose
from hpcvirt.core.config.reading import parse_campaign
from hpcvirt.core.model import Benchmark, Campaign, Claim

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def campaign_text(text: str, choice: Choice, *, remark: str = "") -> str:
    """The campaign in ``text`` as chosen, as TOML. Comments are not kept; ``remark`` is put at the top.

    Raises CampaignInvalid.
    """
    whole = parse_campaign(text)
    chosen = choose(whole, choice)
    table = tomllib.loads(text)
    kernels = {kernel.name for kernel in chosen.kernels}
    told: dict[str, Any] = dict(table)
    told["design"] = _design(table.get("design", {}), chosen)
    told["analysis"] = _analysis(table.get("analysis", {}), chosen)
    told["kernel"] = [kernel for kernel in table["kernel"] if kernel["name"] in kernels]
    told["node"] = [_node(node, kernels) for node in table.get("node", [])]
    told["benchmark"] = [_benchmark(use) for use in chosen.benchmarks]
    told["claim"] = list(_claims(table.get("claim", []), whole.claims, chosen))
    return "\n".join([*(f"# {line}" for line in remark.splitlines()), *_lines(told)]) + "\n"


def _design(table: Mapping[str, Any], chosen: Campaign) -> dict[str, Any]:
    design = chosen.design
    told = {**table, "runs": design.runs, "blocks": design.blocks, "seed": design.seed}
    # Of each benchmark it is written below.
    told.pop("timeout", None)
    if design.phases:
        told["phases"] = [list(phase) for phase in design.phases]
    else:
        told.pop("phases", None)
    return told


def _analysis(table: Mapping[str, Any], chosen: Campaign) -> dict[str, Any]:
    analysis = chosen.analysis
    told = {**table, "baseline": analysis.baseline, "alpha": analysis.alpha, "delta": analysis.delta}
    return told | {"contrasts": [list(pair) for pair in analysis.contrasts]}


def _node(table: Mapping[str, Any], kernels: set[str]) -> dict[str, Any]:
    address = {kernel: host for kernel, host in table.get("address", {}).items() if kernel in kernels}
    return {**table, "address": address} if "address" in table else dict(table)


def _benchmark(use: Benchmark) -> dict[str, Any]:
    return {
        "plugin": use.plugin,
        "scope": str(use.scope),
        "timeout": use.timeout_s,
        **({"binaries": "may-differ"} if use.may_differ else {}),
        **({"metrics": list(use.metrics)} if use.metrics else {}),
        "parameters": dict(use.parameters),
    }


Tables = Sequence[Mapping[str, Any]]


def _claims(tables: Tables, before: Sequence[Claim], chosen: Campaign) -> Iterator[Mapping[str, Any]]:
    """A table that is wholly left as it stands; of one that lost some of its claims, each of the others."""
    many, left = Counter(claim.number for claim in before), Counter(claim.number for claim in chosen.claims)
    for number, table in enumerate(tables, 1):
        if left[number] == many[number]:
            yield table
            continue
        for claim in chosen.claims:
            if claim.number == number:
                use = next(use for use in chosen.benchmarks if use.label == claim.benchmark)
                pair = {"kernel": claim.kernel, "versus": claim.versus}
                narrowed = {"metric": claim.metric, **pair, "parameters": dict(use.parameters)}
                yield {name: value for name, value in {**table, **narrowed}.items() if name != "among"}


def _lines(table: Mapping[str, Any]) -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from ("", f"[{_key(name)}]", *_pairs(value))
        elif isinstance(value, list):
            for member in value:
                yield from ("", f"[[{_key(name)}]]", *_pairs(member))


def _pairs(table: Mapping[str, Any]) -> Iterator[str]:
    return (f"{_key(name)} = {_value(value)}" for name, value in table.items())


def _key(name: str) -> str:
    return name if BARE_KEY.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(_pairs(value))
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return _text(value) if isinstance(value, str) else repr(value)


def _text(text: str) -> str:
    """JSON's strings are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
