"""Samples of telemetry: what one is, and how a minute or two of them are packed into a row.

A row holds many samples, as compressed columns of whole numbers: a row for each would take three times the room.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

LARGEST = float(1 << 53)
"""What a node may say at most: beyond, a float is no whole number any more."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one node did. None: the node does not say, or it was not asked this time."""

    at_ms: int
    """Unix time, by the login node's clock."""
    span_s: float | None = None
    """By the node's uptime, since the reading before: what rates and shares are of. None: there was none."""
    cpus: int | None = None
    user: float | None = None
    """Of the time of all CPUs, as the next four."""
    system: float | None = None
    """Interrupts included."""
    iowait: float | None = None
    steal: float | None = None
    """Wanted, and given to another guest by the hypervisor."""
    load: float | None = None
    """Average number of processes that run or wait for the disk, over the last minute."""
    memory_mib: int | None = None
    memory_used_mib: int | None = None
    """What could not be had without swapping."""
    swap_used_mib: int | None = None
    received_kb_s: float | None = None
    """Over all real interfaces; 1 kB is 1000 bytes."""
    sent_kb_s: float | None = None
    read_kb_s: float | None = None
    """Over all whole disks."""
    written_kb_s: float | None = None
    disk_busy: float | None = None
    """Share of the time in which the busiest disk had something to do."""
    temperature_c: float | None = None
    """Of the hottest CPU."""
    clock_mhz: int | None = None
    """Of the first CPU."""
    logins: int | None = None
    """Users logged in at a terminal. The program's own logins have none."""
    monitor_s: float | None = None
    """CPU time of the loop that reads all this."""
    sshd_s: float | None = None
    """CPU time of the sshd that carries it."""

    @property
    def busy(self) -> float | None:
        """Share of all CPUs' time that was used, steal left out."""
        return None if self.user is None or self.system is None else self.user + self.system


_SCALES = {
    "span_s": 1000,
    "monitor_s": 1000,
    "sshd_s": 1000,
    **dict.fromkeys(("user", "system", "iowait", "steal", "disk_busy"), 1000),
    "load": 100,
    "temperature_c": 10,
}
"""Whole numbers take little room: columns are stored times this. Those not named here are whole."""

_COLUMNS = tuple(field.name for field in fields(Sample) if field.name != "at_ms")


def pack(samples: Sequence[Sample]) -> bytes:
    """Columns of numbers: JSON, zlib. Times as differences; what no sample has is left out."""
    times = [sample.at_ms for sample in samples]
    columns: dict[str, list[int | None]] = {"at_ms": [times[0], *(b - a for a, b in pairwise(times))]}
    for name in _COLUMNS:
        column = [_whole(getattr(sample, name), _SCALES.get(name, 1)) for sample in samples]
        if any(value is not None for value in column):
            columns[name] = column
    return zlib.compress(json.dumps(columns, separators=(",", ":")).encode(), 9)


def _whole(value: float | None, scale: int) -> int | None:
    return None if value is None else round(min(LARGEST, max(-LARGEST, value * scale)))


def unpack(content: bytes) -> list[Sample]:
    """What ``pack`` has packed, rounded."""
    columns: dict[str, list[int | None]] = json.loads(zlib.decompress(content))
    times = accumulate(step or 0 for step in columns["at_ms"])
    absent = [None] * len(columns["at_ms"])
    told = [[scaled(value, name) for value in columns[name]] if name in columns else absent for name in _COLUMNS]
    return [Sample(*values) for values in zip(times, *told, strict=True)]


def scaled(value: int | None, name: str) -> float | None:
    """A number of a packed column, in the unit of its field."""
    scale = _SCALES.get(name)
    return value if value is None or scale is None else value / scale


def moment(at_ms: int) -> str:
    """A time in ms as all times stand in the database."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def at_ms(moment: str) -> int:
    """The other way round."""
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def latest(connection: sqlite3.Connection, node: str, many: int) -> tuple[Sample, ...]:
    """A node's last samples, the newest last."""
    rows = connection.execute("SELECT content FROM samples WHERE node = ? ORDER BY started_at DESC", (node,))
    found: list[Sample] = []
    for (content,) in rows:
        found = unpack(content) + found
        if len(found) >= many:
            break
    return tuple(found[-many:])


def between(connection: sqlite3.Connection, node: str, since: str, until: str) -> list[Sample]:
    """A node's samples of a time, ends included."""
    rows = connection.execute(
        "SELECT content FROM samples WHERE node = ? AND started_at <= ? AND ended_at >= ? ORDER BY started_at",
        (node, until, since),
    )
    first, last = at_ms(since), at_ms(until)
    return [sample for (content,) in rows for sample in unpack(content) if first <= sample.at_ms <= last]
