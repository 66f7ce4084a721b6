"""In what else than their names the kernels that are compared differ: CPUs, memory, version, storage.

As the campaign declares it (``expect``), and as earlier databases have it from the nodes themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hpcvirt.core.model import Campaign, Expect, Kernel, each_pair_once
from hpcvirt.core.store.setups import Setup

MEMORY_SLACK = 0.02
"""Two kernels on one machine never report quite the same memory."""


KINDS = ("CPUs", "memory", "version", "storage")


@dataclass(frozen=True, slots=True)
class Confound:
    """One thing that differs between two kernels beside what is meant to."""

    kernel: str
    versus: str
    what: str
    """One of ``KINDS``."""
    value: str
    other: str
    """Of ``versus``."""
    is_seen: bool
    """On the nodes; else it is what the campaign declares."""


def confounds(campaign: Campaign, setups: Iterable[Setup] = ()) -> list[Confound]:
    """For every planned pair. What was seen on nodes counts more than what is declared."""
    seen = _all_seen(setups)
    declared = {kernel.name: dict(_declared(kernel)) for kernel in campaign.kernels}
    found = []
    for kernel, versus in pairs(campaign):
        for what in KINDS:
            for values, is_seen in ((seen, True), (declared, False)):
                one, other = values.get(kernel, {}).get(what), values.get(versus, {}).get(what)
                if one is not None and other is not None:
                    if _differ(what, one, other):
                        found.append(Confound(kernel, versus, what, one, other, is_seen))
                    break
    return found


def _all_seen(setups: Iterable[Setup]) -> dict[str, dict[str, str]]:
    """By kernel and kind: every value that was seen."""
    found: dict[str, dict[str, set[str]]] = {}
    for setup in setups:
        for what, value in _seen(setup.values):
            found.setdefault(setup.kernel, {}).setdefault(what, set()).add(value)
    return {
        kernel: {what: ", ".join(sorted(values)) for what, values in kinds.items()} for kernel, kinds in found.items()
    }


def pairs(campaign: Campaign) -> list[tuple[str, str]]:
    """Every kernel against the baseline, then the contrasts; each pair once, whichever way round."""
    baseline = campaign.analysis.baseline
    against = [(kernel.name, baseline) for kernel in campaign.kernels if kernel.name != baseline]
    return each_pair_once((*against, *campaign.analysis.contrasts))


def _declared(kernel: Kernel) -> Iterator[tuple[str, str]]:
    told: Expect = kernel.expect
    if told.cpus is not None:
        yield "CPUs", str(told.cpus)
    if told.memory_mib is not None:
        yield "memory", f"{told.memory_mib[0]}-{told.memory_mib[1]} MiB"
    version = " ".join(part for part in (told.release, told.version) if part not in {None, "*"})
    if version:
        yield "version", version
    if told.storage is not None:
        yield "storage", told.storage


def _seen(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if "identity.cpus" in values:
        yield "CPUs", values["identity.cpus"]
    memory = values.get("identity.memory_kib", "")
    if memory.isdecimal():
        yield "memory", f"{int(memory) // 1024} MiB"
    version = " ".join(values[key] for key in ("identity.release", "identity.version") if key in values)
    if version:
        yield "version", version
    storage = " ".join(values[key] for key in ("scratch.filesystem", "scratch.device") if key in values)
    if storage:
        yield "storage", storage


def _differ(what: str, one: str, other: str) -> bool:
    if what == "memory" and "-" not in one + other:
        return abs(_largest(one) - _largest(other)) > MEMORY_SLACK * max(_largest(one), _largest(other))
    return one != other


def _largest(memory: str) -> int:
    numbers: Sequence[int] = [int(word) for word in memory.replace(",", " ").split() if word.isdecimal()]
    return max(numbers, default=0)
