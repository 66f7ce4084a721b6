"""What run.sh noted about one run: the node's memory, whether caches were dropped, and how long the program took."""

from __future__ import annotations

from dataclasses import dataclass

from hpcvirt.core.benchmark import Output
from hpcvirt.plugins.reading import number, whole_lines

CONDITIONS = "conditions"
KIB_PER_MIB = 1024


@dataclass(frozen=True, slots=True)
class Conditions:
    """None: not told."""

    memory_mib: float | None = None
    are_caches_dropped: bool | None = None
    elapsed_s: float | None = None


def conditions(output: Output) -> Conditions:
    """As noted in the file of that name, which is missing where somebody else ran the program."""
    lines = whole_lines(output.files.get(CONDITIONS, b""))
    told = {key: value.strip() for key, _, value in (line.partition(" ") for line in lines)}
    memory, started, ended = (number(told.get(key, "")) for key in ("memory_kib", "started", "ended"))
    return Conditions(
        None if memory is None else memory / KIB_PER_MIB,
        {"dropped": True, "kept": False}.get(told.get("caches", "")),
        round(ended - started, 2) if started is not None and ended is not None and ended >= started else None,
    )


def notes(found: Conditions, size_mib: float | None) -> tuple[str, ...]:
    """What is to be known about a result that counts."""
    if size_mib is None or found.memory_mib is None or size_mib >= found.memory_mib:
        return ()
    words = {True: "dropped", False: "not dropped: that takes root", None: "perhaps not dropped"}
    told = words[found.are_caches_dropped]
    sizes = f"the file has {size_mib:g} MiB, the node {found.memory_mib:.0f}"
    return (f"cached: {sizes}; before the run caches were {told}",)
