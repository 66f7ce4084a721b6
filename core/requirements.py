"""What a node must have for a benchmark: said by its plugin as data, asked by ``check``, proved again once per boot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from shlex import quote

from hpcvirt.core.preflight import Level, Need

ORDERS = {"debian": "apt install", "rhel": "dnf install"}


@dataclass(frozen=True, slots=True)
class Requirements:
    """Nothing of it is installed by us."""

    programs: tuple[str, ...] = ()
    """Looked up in PATH, or absolute paths: there, and executable. Hashed once per boot with the shared libraries
    that they load."""
    files: tuple[str, ...] = ()
    """Absolute paths of files or folders that must be readable."""
    disk_bytes: int = 0
    """Free in the scratch folder."""
    memory_bytes: int = 0
    """To be had on the node."""
    not_in_cache_bytes: int = 0
    """What should not fit the last-level cache: a warning if it does."""
    packages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Where the programs come from: names of packages by ``debian`` and ``rhel``."""
    arguments: tuple[str, ...] = ()
    """Further words of the command line. Those that name a program in PATH, or by their absolute path a file, are
    hashed like programs; the others are words."""

    @property
    def hint(self) -> str:
        """How to get the programs, in words; empty if no package has them."""
        known = [(ORDERS[family], names) for family, names in self.packages.items() if family in ORDERS and names]
        return " or ".join(f"`{order} {' '.join(names)}`" for order, names in known)


def asked(plugin: str, required: Requirements) -> tuple[Need, ...]:
    """The questions that a shell on the node answers before a campaign."""
    return tuple(_asked(plugin, required))


def _asked(plugin: str, required: Requirements) -> Iterator[Need]:
    for program in required.programs:
        install = required.hint or "install it, or name its absolute path among the benchmark's parameters"
        yield Need(_has_program(program), f"there is no {program}, or it is not executable", install)
    for path in required.files:
        yield Need(f"[ -r {quote(path)} ]", f"{path} is not there, or not readable", "put it there")
    if required.memory_bytes:
        yield _memory(plugin, required.memory_bytes // 1024)
    if required.disk_bytes:
        yield _disk(plugin, required.disk_bytes // 1024)
    if required.not_in_cache_bytes:
        yield _cache(plugin, required.not_in_cache_bytes // 1024)


def _has_program(name: str) -> str:
    if "/" in name:
        return f"[ -f {quote(name)} ] && [ -x {quote(name)} ]"
    return f"PATH=$PATH:/usr/sbin:/sbin; command -v {quote(name)} >/dev/null"


def _memory(plugin: str, kib: int) -> Need:
    return Need(
        'while read -r key kib unit; do [ "$key" != MemAvailable: ] || '
        f'[ "$kib" -gt {kib} ] || exit 1; done </proc/meminfo',
        f"{plugin} wants {kib >> 10} MiB, and there is less memory to have",
        "take a smaller problem, or find out what holds the memory: ps aux --sort=-rss | head",
    )


def _disk(plugin: str, kib: int) -> Need:
    """In scratch, which the survey names; where ``df`` cannot tell it is not asked."""
    return Need(
        'set -- $(df -Pk "${hv_scratch:-.}" 2>/dev/null | tail -n 1); '
        f'case ${{4:-}} in "" | *[!0-9]*) ;; *) [ "$4" -gt {kib} ] ;; esac',
        f"{plugin} wants {kib >> 10} MiB of disk, and scratch has less",
        "make room, or set another scratch for the node",
    )


def _cache(plugin: str, kib: int) -> Need:
    return Need(
        "for file in /sys/devices/system/cpu/cpu0/cache/index*/size; do "
        'read -r size <"$file" || continue; '
        f'case $size in *K) [ {kib} -gt "${{size%K}}" ] || exit 1 ;; esac; done 2>/dev/null',
        f"{plugin}: its {kib >> 10} MiB fit the last-level cache: this measures cache, not memory",
        "take four times the cache's size",
        Level.WARNING,
    )
