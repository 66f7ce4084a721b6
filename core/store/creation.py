"""A new campaign database: the schema, and the frozen campaign and plan in it."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sqlite_utils

from hpcvirt.core.benchmark import Artifact, kept_metrics, load, package
from hpcvirt.core.model import Benchmark, Boot, Campaign, Claim, Plan, Run
from hpcvirt.core.plan import canonical_json, phases, replication_unit, unit_of
from hpcvirt.core.store import schema
from hpcvirt.core.store.instants import now as now

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frozen:
    """All that is fixed when a campaign starts."""

    campaign: Campaign
    plan: Plan
    source: str
    """Where the campaign file was read."""
    text: str
    artifacts: Mapping[str, Sequence[Artifact]]
    """By benchmark label."""
    choice: Mapping[str, Any] = field(default_factory=dict)
    """What of the file the operator picked: fields of ``config.Choice``."""


def fill(path: Path, frozen: Frozen) -> None:
    """Write schema, campaign, plan and artifacts into the empty file at ``path``. Raises sqlite3.Error or OSError."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        db = sqlite_utils.Database(connection)
        connection.executescript(
            f"PRAGMA application_id = {schema.APPLICATION_ID}; PRAGMA user_version = {schema.USER_VERSION};"
        )
        with db.atomic():
            for statement in schema.statements():
                connection.execute(statement)
            db.table("campaign").insert(_campaign_row(frozen))
            for table, rows in _rows(frozen):
                db.table(table).insert_all(rows)


def _campaign_row(frozen: Frozen) -> Row:
    campaign, design, analysis = frozen.campaign, frozen.campaign.design, frozen.campaign.analysis
    return {
        "id": 1,
        "uuid": uuid.uuid4().hex,
        "name": campaign.name,
        "title": campaign.title,
        "notes": campaign.notes,
        "source": frozen.source,
        "file": frozen.text,
        "choice": canonical_json(frozen.choice),
        "frozen": canonical_json(dataclasses.asdict(campaign)),
        "plan_sha256": frozen.plan.digest,
        "design": design.order.value,
        "runs": design.runs,
        "blocks": design.blocks,
        "seed": design.seed,
        "replication_unit": replication_unit(campaign),
        "baseline": analysis.baseline,
        "alpha": analysis.alpha,
        "delta": analysis.delta,
        "method": analysis.method,
        "correction": analysis.correction,
        "program_version": version("hpcvirt-tui"),
        "created_at": now(),
    }


def _rows(frozen: Frozen) -> Iterator[tuple[str, Iterable[Row]]]:
    campaign, plan = frozen.campaign, frozen.plan
    ids = {use.label: number for number, use in enumerate(campaign.benchmarks, 1)}
    yield "nodes", [{"name": n.name, "position": i, "host": n.host} for i, n in enumerate(campaign.nodes, 1)]
    yield "kernels", [_kernel_row(campaign, i) for i in range(len(campaign.kernels))]
    yield "benchmarks", _benchmark_rows(campaign, ids)
    yield "metrics", [row for use in campaign.benchmarks for row in _metric_rows(use, ids[use.label])]
    artifacts = ((ids[label], artifact) for label, every in frozen.artifacts.items() for artifact in every)
    yield "artifacts", [_artifact_row(benchmark, artifact) for benchmark, artifact in artifacts]
    yield from planned_rows(plan.boots, plan.runs, ids)
    yield "claims", [_claim_row(claim, ids[claim.benchmark]) for claim in campaign.claims]


def planned_rows(boots: Sequence[Boot], runs: Sequence[Run], ids: Mapping[str, int]) -> Iterator[tuple[str, list[Row]]]:
    """Rows of boots and runs by table; ``ids``: benchmarks by label."""
    yield "boots", [dataclasses.asdict(boot) for boot in boots]
    yield (
        "runs",
        [
            {
                "id": run.id,
                "boot": run.boot.id,
                "benchmark": ids[run.benchmark.label],
                "number": run.number,
                "is_warmup": int(run.is_warmup),
            }
            for run in runs
        ],
    )


def _claim_row(claim: Claim, benchmark: int) -> Row:
    lowest, highest = claim.between or (None, None)
    told = claim.published
    return {
        "number": claim.number,
        "title": claim.title,
        "benchmark": benchmark,
        "metric": claim.metric,
        "kernel": claim.kernel,
        "versus": claim.versus,
        "expect": claim.expect.value,
        "lowest_pct": lowest,
        "highest_pct": highest,
        "source": claim.source,
        "published_mean": told.mean if told else None,
        "published_sd": told.sd if told else None,
        "published_n": told.n if told else None,
        "reference": claim.reference,
    }


def _kernel_row(campaign: Campaign, index: int) -> Row:
    kernel = campaign.kernels[index]
    expect = canonical_json(dataclasses.asdict(kernel.expect))
    return {
        "name": kernel.name,
        "position": index + 1,
        "boot": kernel.boot,
        "wrap": json.dumps(kernel.wrap),
        "expect": expect,
    }


def _benchmark_rows(campaign: Campaign, ids: Mapping[str, int]) -> list[Row]:
    return [
        _benchmark_row(use, ids[use.label]) | {"phase": phase, "replication_unit": unit_of(uses)}
        for phase, uses in enumerate(phases(campaign), 1)
        for use in uses
    ]


def _benchmark_row(use: Benchmark, number: int) -> Row:
    return {
        "id": number,
        "label": use.label,
        "plugin": use.plugin,
        "package": package(use.plugin),
        "parameters": canonical_json(dict(use.parameters)),
        "scope": use.scope.value,
        "timeout_s": use.timeout_s,
        "estimate_s": load(use.plugin).estimate_s(use.parameters),
    }


def _metric_rows(use: Benchmark, number: int) -> list[Row]:
    return [
        {
            "benchmark": number,
            "name": metric.name,
            "unit": metric.unit,
            "better": metric.better.value,
            "is_primary": int(metric.primary),
            "is_exact": int(metric.exact),
            "position": position,
        }
        for position, metric in enumerate(kept_metrics(use), 1)
    ]


def _artifact_row(benchmark: int, artifact: Artifact) -> Row:
    content = artifact.path.read_bytes()
    return {
        "benchmark": benchmark,
        "name": artifact.name,
        "sha256": artifact.sha256,
        "bytes": len(content),
        "content": zlib.compress(content),
    }
