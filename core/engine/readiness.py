"""Once per boot: is what a benchmark needs on the node, is it the same as elsewhere, and what must be done first?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from shlex import quote

from hpcvirt.core.benchmark import BenchmarkPlugin, Command
from hpcvirt.core.engine.artifacts import Channel, FrozenFiles
from hpcvirt.core.errors import BinaryDiffers, NodeSilent, NodeUnusable, PreparationFailed, ProgramMissing
from hpcvirt.core.model import Benchmark, Kernel, Node
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.programs import Program, Programs, parse_programs, programs_text
from hpcvirt.core.requirements import Requirements
from hpcvirt.core.text import clean_line

Check = tuple[str, str, str]
"""Name, SHA-256, and how it was hashed: ``node`` or ``fetched``."""


@dataclass(frozen=True, slots=True)
class Checks:
    """What was hashed."""

    found: tuple[Check, ...] = ()
    warning: str = ""
    """What could not be looked at; empty if all was."""


SAID_BYTES = 500


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is to be ready."""

    channel: Channel
    node: Node
    kernel: Kernel

    async def within(self, inner: str) -> tuple[bytes, int]:
        """Run a shell text of ours under the kernel's wrap: what it said, and its exit status."""
        script = jobs.run_within(self.node.scratch, self.kernel.wrap, self.kernel.env, inner)
        return jobs.parse_run_within(script, await self.channel.run(script))


async def check_programs(place: Place, label: str, needs: Requirements, frozen: FrozenFiles) -> Checks:
    """The digests of programs and of the libraries that they and the artifacts load.

    Raises ProgramMissing, and what the channel raises.
    """
    if not (needs.programs or needs.files or frozen.files):
        return Checks()
    said, _ = await place.within(programs_text([*needs.programs, *frozen.paths], needs.files, needs.arguments))
    found = parse_programs(said)
    _refuse(place.node, label, needs, found)
    checks = tuple([await _check(place, label, program) for program in found.found])
    return Checks(checks, _blind_spot(label, found))


def _blind_spot(label: str, found: Programs) -> str:
    if not found.unlisted:
        return ""
    return f"{label}: there is no ldd, so the libraries that {_list(found.unlisted)} loads are not compared"


def _refuse(node: Node, label: str, needs: Requirements, found: Programs) -> None:
    if found.missing:
        install = needs.hint or "install it, or name its absolute path among the benchmark's parameters"
        raise ProgramMissing(f"{node.name}: {_list(found.missing)} of {label} is not there", hint=install)
    if found.forbidden:
        raise ProgramMissing(
            f"{node.name}: {_list(found.forbidden)} of {label} is not executable for this user",
            hint="chmod +x it, or look whether its file system is mounted noexec",
        )
    if found.foreign:
        raise ProgramMissing(
            f"{node.name}: {_list(found.foreign)} of {label} is made for another architecture",
            hint=f"build it for {node.name}: see `file` and `uname -m` there",
        )
    if found.absent:
        raise ProgramMissing(
            f"{node.name}: {_list(found.absent)} of {label} is not there or not readable", hint="put it there"
        )
    if found.lacking:
        raise ProgramMissing(
            f"{node.name}: {label} needs libraries that are not there: {_list(found.lacking)}",
            hint=needs.hint or "install them, or set LD_LIBRARY_PATH in the kernel's env",
        )


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


async def _check(place: Place, label: str, program: Program) -> Check:
    if program.sha256 is not None:
        return program.name, program.sha256, "node"
    script = jobs.fetch(place.node.scratch, program.path)
    try:
        content = jobs.parse_fetch(script, await place.channel.run(script))
    except NodeUnusable as error:
        told = f"{place.node.name}: {program.name} of {label} cannot be hashed: {error.message}"
        raise ProgramMissing(told, hint=f"let this user read {clean_line(program.path)}: chmod +r") from error
    return program.name, hashlib.sha256(content).hexdigest(), "fetched"


def differences(checks: Sequence[Check], elsewhere: Mapping[str, str]) -> list[str]:
    """What is not as another boot had it, a line each."""
    here = {name: sha256 for name, sha256, _ in checks}
    if not elsewhere:
        return []
    if not (any(map(_is_library, here)) and any(map(_is_library, elsewhere))):
        # One of the two has no ldd, which was warned of.
        here, elsewhere = _without_libraries(here), _without_libraries(elsewhere)
    told = [f"{name} has another SHA-256" for name in here if elsewhere.get(name, here[name]) != here[name]]
    told += [f"{name} was not loaded there" for name in here if name not in elsewhere]
    return told + [f"{name} is not loaded here" for name in elsewhere if name not in here]


def _is_library(name: str) -> bool:
    return ".so" in name


def _without_libraries(digests: Mapping[str, str]) -> dict[str, str]:
    return {name: sha256 for name, sha256 in digests.items() if not _is_library(name)}


def refuse_differences(node: Node, kernel: Kernel, use: Benchmark, differing: Sequence[str]) -> str:
    """What to warn of; empty if nothing differs. Raises BinaryDiffers unless the campaign allows it."""
    if not differing:
        return ""
    told = (
        f"{use.label} is not the same on {node.name} under {kernel.name} as in its first boot: {'; '.join(differing)}"
    )
    if not use.may_differ:
        raise BinaryDiffers(
            told, hint='install the same everywhere, or set `binaries = "may-differ"` for this [[benchmark]]'
        )
    return told


def cache_warning(label: str, needs: Requirements, environment: Mapping[str, str]) -> str:
    """Does what should be measured in memory fit the last-level cache? Empty if not, or not known."""
    size = _bytes(environment.get("cpu.last_level_cache", "") or environment.get("cpu.cache", ""))
    if not needs.not_in_cache_bytes or not size or needs.not_in_cache_bytes > size:
        return ""
    mib = 2**20
    fits = f"{needs.not_in_cache_bytes / mib:.0f} MiB fit the last-level cache of {size / mib:.0f} MiB"
    return f"{label}: its {fits}: this measures cache, not memory; take four times as much"


def _bytes(word: str) -> int:
    """Of ``36608K`` or ``36608 KB``; 0 if it is neither."""
    number, unit = word.rstrip("Bb").strip()[:-1].strip(), word.rstrip("Bb").strip()[-1:]
    factors = {"K": 2**10, "M": 2**20, "G": 2**30}
    return int(number) * factors[unit] if number.isascii() and number.isdigit() and unit in factors else 0


class Rebooted(Exception):
    """The node is not in the life any more in which it was looked at."""


async def prepare(
    place: Place, seat: jobs.Seat, life: str | None, plugin: BenchmarkPlugin, use: Benchmark, frozen: FrozenFiles
) -> None:
    """Execute what the plugin wants done; each may take as long as a run, and is begun anew if its answer is lost.

    What was left running by an earlier time is ended first. ``life``: the node's boot_id for which it is done.

    Raises PreparationFailed, Rebooted, and what the channel raises.
    """
    node, kernel, commands = place.node, place.kernel, list(plugin.prepare(use.parameters))
    name = hashlib.sha256(use.label.encode()).hexdigest()[:16]
    marks = [f"{name}.{number}" for number in range(len(commands))]
    for number, command in enumerate(commands):
        text = _prepare_text(command, frozen.folder)
        script = jobs.prepare(node.scratch, seat, marks[number:], life, use.timeout_s, kernel.wrap, kernel.env, text)
        hint = f"try `{command.argv[0]}` by hand on {node.name}"
        try:
            answer = jobs.parse_prepare(script, await place.channel.run(script, use.timeout_s))
        except NodeSilent as error:
            told = f"{node.name}: preparing {use.label} took longer than {use.timeout_s:g} s, and is ended"
            raise PreparationFailed(told, hint=f"{hint}, or give the benchmark a longer `timeout`") from error
        if answer is None:
            raise Rebooted
        said, status = answer
        if status:
            words = clean_line(said.strip()[-SAID_BYTES:], SAID_BYTES)
            told = f"{node.name}: preparing {use.label} ended with exit status {status}: {words}"
            raise PreparationFailed(told, hint=hint)


def _prepare_text(command: Command, folder: str) -> str:
    return f"cd {quote(folder)} || exit 126\n{jobs.within(command.env, *command.argv)}\n"


async def end_preparations(channel: Channel, node: Node, seat: jobs.Seat) -> None:
    """End what preparations of this campaign left running there."""
    script = jobs.end_preparations(node.scratch, seat)
    jobs.parse_done(script, await channel.run(script))


async def remove_benchmarks(channel: Channel, node: Node, folders: Iterable[str]) -> None:
    """Remove the benchmarks' folders from the node."""
    for folder in sorted(folders) or [""]:
        script = jobs.forget(node.scratch, (), folder)
        jobs.parse_done(script, await channel.run(script))
