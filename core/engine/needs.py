"""What a benchmark needs, as questions to a node."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from hpcvirt.core.benchmark import Needs
from hpcvirt.core.preflight import Level, Need

_DISK = 'df -Pk "$HPCVIRT_SCRATCH" | { read -r a; read -r a b c free d; [ "$free" -ge %d ]; }'
_MEMORY = 'while read -r key kib unit; do [ "$key" != MemTotal: ] || [ "$kib" -ge %d ] || exit 1; done </proc/meminfo'
_CACHE = (
    "for file in /sys/devices/system/cpu/cpu0/cache/index*/size; do "
    '[ -r "$file" ] && read -r size <"$file" && [ "${size%%K}" -ge %d ] && exit 1; done; exit 0'
)


def asked(label: str, needs: Needs) -> Iterator[Need]:
    """A question for each program, file and amount."""
    remedy = needs.hint or "build or install it on every node, or name where it is in the campaign file"
    for program in needs.programs:
        command = f"[ -x {quote(program)} ]" if program.startswith("/") else f"command -v {quote(program)} >/dev/null"
        yield Need(command, f"{label}: there is no {program}", remedy)
    for file in needs.files:
        yield Need(f"[ -r {quote(file)} ]", f"{label}: {file} cannot be read", f"ls -ld {quote(file)}")
    if needs.disk_bytes:
        kib = -(-needs.disk_bytes // 1024)
        yield Need(_DISK % kib, f"{label}: less than {_mib(kib)} free in scratch", "make room there, or set `scratch`")
    if needs.memory_bytes:
        kib = -(-needs.memory_bytes // 1024)
        yield Need(_MEMORY % kib, f"{label}: less than {_mib(kib)} of memory", "take a smaller problem")
    if needs.not_in_cache_bytes:
        kib = -(-needs.not_in_cache_bytes // 1024)
        words = f"{label}: its {_mib(kib)} fit the cache, which is measured then"
        yield Need(_CACHE % kib, words, "take a larger problem, if memory is meant", Level.WARNING)


def _mib(kib: int) -> str:
    return f"{max(1, kib >> 10)} MiB"
