"""[[claim]] tables -> claims, each about one metric of one benchmark between two kernels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any

from hpcvirt.core.benchmark import Metric, kept_metrics
from hpcvirt.core.config.faults import doubles, nearest
from hpcvirt.core.config.tables import ClaimTable
from hpcvirt.core.model import Benchmark, Better, Claim, Expected, Kernel, Published

_OF_BOTH = frozenset({Expected.DIFFERENT, Expected.EQUIVALENT, Expected.NOT_SIGNIFICANT})
"""What can be said of two kernels in either order."""


def read_claims(
    tables: Sequence[ClaimTable], kernels: Sequence[Kernel], uses: Sequence[Benchmark]
) -> tuple[tuple[Claim, ...], list[str]]:
    """Every claim, and the faults of the tables."""
    claims: list[Claim] = []
    faults: list[str] = []
    names = [kernel.name for kernel in kernels]
    for number, table in enumerate(tables, 1):
        about, wrong = _uses(table, uses)
        wrong += _kernel_faults(table, names)
        wrong += dict.fromkeys(fault for use in about for fault in _metric_faults(table, use))
        lists = {"metric": table.metric, "versus": table.versus, "among": table.among}
        wrong += [fault for key, value in lists.items() for fault in doubles(key, _each(value))]
        faults += [f"claim[{number}].{fault}" for fault in wrong]
        if not wrong:
            claims += _claims(number, table, about)
    return tuple(claims), faults


def _claims(number: int, table: ClaimTable, uses: Sequence[Benchmark]) -> Iterator[Claim]:
    told = table.published
    for use, metric, (kernel, versus) in product(uses, _each(table.metric), _pairs(table)):
        yield Claim(
            number=number,
            title=table.claim,
            benchmark=use.label,
            metric=metric,
            kernel=kernel,
            versus=versus,
            expect=Expected(table.expect),
            between=None if table.between is None else (table.between[0], table.between[1]),
            source=table.source,
            published=None if told is None else Published(told.mean, told.sd, told.n),
            reference=table.reference,
        )


def _each(value: Any) -> list[Any]:
    """A value alone is a list of it; None is an empty one."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _uses(table: ClaimTable, uses: Sequence[Benchmark]) -> tuple[list[Benchmark], list[str]]:
    mine = [use for use in uses if use.plugin == table.benchmark]
    if not mine:
        known = {use.plugin for use in uses}
        return [], [f"benchmark: {table.benchmark!r} is not among the benchmarks{nearest(table.benchmark, known)}"]
    unknown = [name for name in table.parameters if name not in mine[0].parameters]
    if unknown:
        return [], [
            f"parameters.{name}: {table.benchmark} has no such parameter{nearest(name, list(mine[0].parameters))}"
            for name in unknown
        ]
    fitting = [use for use in mine if _fits(use.parameters, table.parameters)]
    return fitting, [] if fitting else [f"parameters: no {table.benchmark} of this campaign has these values"]


def _fits(has: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(has[name] in _each(value) for name, value in wanted.items())


def _pairs(table: ClaimTable) -> list[tuple[str, str]]:
    """Each kernel with what it is compared with. Of kernels among themselves the later one stands first."""
    if table.among is not None:
        return [(later, earlier) for earlier, later in combinations(table.among, 2)]
    return [(table.kernel or "", versus) for versus in _each(table.versus)]


def _kernel_faults(table: ClaimTable, names: Sequence[str]) -> Iterator[str]:
    keys = {"kernel": table.kernel, "versus": table.versus, "among": table.among, "reference": table.reference}
    for key, value in keys.items():
        unknown = [name for name in _each(value) if name not in names]
        yield from (f"{key}: {name!r} is not among the kernels{nearest(name, names)}" for name in unknown)
    if table.among is None:
        yield from (f"{key}: field required" for key in ("kernel", "versus") if keys[key] is None)
    else:
        yield from _among_faults(table)
    if table.kernel is not None and table.kernel in _each(table.versus):
        yield f"versus: {table.kernel!r} is compared with itself"
    yield from _reference_faults(table)


def _among_faults(table: ClaimTable) -> Iterator[str]:
    """What is said of each two must hold in either order."""
    if table.kernel is not None or table.versus is not None:
        yield "among: it stands in place of kernel and versus"
    if Expected(table.expect) not in _OF_BOTH:
        yield f"among: {table.expect} says which of two; name kernel and versus"
    if table.between is not None or table.published is not None:
        yield "among: between and published are of one kernel; name kernel and versus"


def _reference_faults(table: ClaimTable) -> Iterator[str]:
    if (Expected(table.expect) is Expected.SMALLER) != (table.reference is not None):
        yield f"reference: it goes with {Expected.SMALLER}, and that with it"
    elif table.reference is not None and table.reference in [table.kernel, *_each(table.versus)]:
        yield f"reference: {table.reference!r} is kernel or versus already"


def _metric_faults(table: ClaimTable, use: Benchmark) -> Iterator[str]:
    metrics = {metric.name: metric for metric in kept_metrics(use)}
    if table.between is not None and table.between[0] > table.between[1]:
        yield f"between: {table.between}: the lowest stands first"
    for name in _each(table.metric):
        if name not in metrics:
            yield f"metric: {table.benchmark} keeps no {name!r}{nearest(name, list(metrics))}"
        elif table.between is not None and _is_contrary(table, metrics[name]):
            way = "higher" if metrics[name].better is Better.HIGHER else "lower"
            yield f"between: {table.between} is not {table.expect}: of {name}, {way} is better"


def _is_contrary(table: ClaimTable, metric: Metric) -> bool:
    """The whole band lies on the side that the words exclude."""
    if table.between is None or table.expect not in {"faster", "slower"}:
        return False
    rises = (table.expect == "faster") == (metric.better is Better.HIGHER)
    return table.between[1] < 0 if rises else table.between[0] > 0
