"""What a survey of a node means for a campaign: findings, each with what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hpcvirt.core.model import Campaign, Kernel, Node
from hpcvirt.core.preflight import Finding, Level, Need
from hpcvirt.core.remote.identity import mismatches, storage_mismatch
from hpcvirt.core.remote.survey import Survey
from hpcvirt.core.store.filesystem import NETWORK

LEAST_FREE_KIB = 100 << 10
LITTLE_FREE_KIB = 1 << 20
LARGEST_SKEW_S = 1.0
BUSY = 0.5
"""A load from which something seems to run."""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One node's survey, and when it was asked for."""

    node: Node
    survey: Survey
    sent_s: float
    """Unix time here when the script was sent ..."""
    answered_s: float
    """... and when the answer was there."""


def findings(campaign: Campaign, kernels: Sequence[Kernel], needs: Sequence[Need], seen: Surveyed) -> list[Finding]:
    """Of one node. ``kernels`` and ``needs``: those that the survey asked for, in its order."""
    told = [*_shell(seen), *_identity(seen), *_kernels(kernels, seen), *_scratch(seen), *_clock(seen)]
    # Nodes of the embedded lab are this machine, on which its operator works.
    told += [] if campaign.lab else [*_others(seen), *_jobs(seen)]
    return told + list(_needs(needs, seen))


def _shell(seen: Surveyed) -> Iterator[Finding]:
    if seen.survey.noise:
        yield _warning(
            seen,
            f"its login shell writes {seen.survey.noise!r} where nobody reads it",
            "let only interactive shells say it, in ~/.bashrc there: case $- in *i*) ... ;; esac",
        )
    else:
        yield _pass(seen, "login shell quiet")


def _identity(seen: Surveyed) -> Iterator[Finding]:
    found = seen.survey.identity
    if found.boot_id is None:
        yield _failure(
            seen,
            "its boot_id cannot be read, so no kernel can be proved there",
            f"ssh {seen.node.host} cat /proc/sys/kernel/random/boot_id",
        )
        return
    memory = f", {found.memory_kib >> 10} MiB" if found.memory_kib else ""
    yield _pass(seen, f"kernel {found.release or 'unknown'}, role {found.role}, {found.cpus or '?'} CPUs{memory}")


def _kernels(kernels: Sequence[Kernel], seen: Surveyed) -> Iterator[Finding]:
    """Those that nothing boots must be there now."""
    survey = seen.survey
    storage = {"scratch.filesystem": survey.filesystem, "scratch.device": survey.device}
    for kernel, found, words in zip(kernels, survey.kernels, survey.kernel_words, strict=True):
        about = f"kernel {kernel.name}"
        if found.boot_id is None and survey.identity.boot_id is not None:
            yield _failure(
                seen,
                f"the wrap of kernel {kernel.name} does not start: {words or 'it says nothing'}",
                f"ssh {seen.node.host} {' '.join(kernel.wrap)} true",
                about,
            )
            continue
        wrong = (*mismatches(kernel.expect, found), *storage_mismatch(kernel.expect, storage))
        if wrong:
            yield _failure(
                seen,
                f"is not in kernel {kernel.name}: {'; '.join(wrong)}",
                f"boot it into that kernel, or mend `expect` of kernel {kernel.name}",
                about,
            )
        else:
            yield _pass(seen, f"{kernel.name} proved", about)


def _scratch(seen: Surveyed) -> Iterator[Finding]:
    survey, folder = seen.survey, seen.node.scratch
    faults = list(_unusable_scratch(seen))
    yield from faults
    if survey.filesystem in NETWORK:
        yield _warning(
            seen,
            f"{folder} is on {survey.filesystem} ({survey.device}), which other machines use too",
            "set `scratch` to a folder on a disk of its own",
        )
    elif survey.filesystem in {"tmpfs", "ramfs"}:
        yield _warning(
            seen,
            f"{folder} is in memory ({survey.filesystem}), which benchmarks measure and a reboot empties",
            "set `scratch` to a folder on a disk",
        )
    elif not faults:
        free = "" if survey.free_kib is None else f", {_gib(survey.free_kib)} free"
        yield _pass(seen, f"scratch {folder} on {survey.filesystem or 'an unknown filesystem'}{free}")


def _unusable_scratch(seen: Surveyed) -> Iterator[Finding]:
    survey, folder, host = seen.survey, seen.survey.place, seen.node.host
    if not survey.is_writable:
        why = "is mounted read-only" if "ro" in survey.options else "may not be written by this user"
        yield _failure(seen, f"{folder} {why}", f"ssh {host} ls -ld {folder}; then mend it, or set `scratch`")
    if "noexec" in survey.options:
        yield _failure(
            seen,
            f"{folder} is mounted noexec: no benchmark can be started from it",
            f"ssh {host} mount -o remount,exec {folder} (as root), or set `scratch` to another folder",
        )
    if survey.free_kib is not None and survey.free_kib < LITTLE_FREE_KIB:
        make = _failure if survey.free_kib < LEAST_FREE_KIB else _warning
        yield make(seen, f"{folder} has {_gib(survey.free_kib)} left", f"ssh {host} df -h {folder}; then make room")


def _clock(seen: Surveyed) -> Iterator[Finding]:
    if seen.survey.clock_s is None:
        return
    # It was read somewhere between.
    early, late = seen.survey.clock_s - seen.answered_s, seen.survey.clock_s - seen.sent_s
    skew = max(early, 0.0) + min(late, 0.0)
    if abs(skew) > LARGEST_SKEW_S:
        way = "ahead of" if skew > 0 else "behind"
        yield _warning(
            seen, f"its clock is {abs(skew):.1f} s {way} this machine's", f"ssh {seen.node.host} chronyc -a makestep"
        )
    else:
        yield _pass(seen, "clock right")


def _others(seen: Surveyed) -> Iterator[Finding]:
    survey = seen.survey
    if survey.logins:
        yield _warning(seen, f"logged in there: {', '.join(survey.logins)}", f"ssh {seen.node.host} w; then ask them")
    if survey.load is not None and survey.load >= BUSY:
        yield _warning(seen, f"something runs there: load {survey.load:g}", f"ssh {seen.node.host} top -bn1 | head -15")
    if not survey.logins and survey.load is not None and survey.load < BUSY:
        yield _pass(seen, "nobody else")


def _jobs(seen: Surveyed) -> Iterator[Finding]:
    if seen.survey.jobs:
        yield _warning(
            seen,
            f"a scheduler runs jobs there: {', '.join(sorted(set(seen.survey.jobs)))}",
            f"keep others off: scontrol update NodeName={seen.node.name} State=DRAIN Reason=benchmark",
        )


def _needs(needs: Sequence[Need], seen: Surveyed) -> Iterator[Finding]:
    for need, answered in zip(needs, seen.survey.needs, strict=True):
        if answered.status != 0:
            said = f" ({answered.words})" if answered.words else ""
            yield Finding(need.level, seen.node.name, f"{need.otherwise}{said}", need.remedy, need.about)
    if needs and not any(answered.status for answered in seen.survey.needs):
        yield _pass(seen, "all that its benchmarks and boot methods need")


def _gib(kib: int) -> str:
    return f"{kib / (1 << 20):.1f} GiB"


def _pass(seen: Surveyed, message: str, about: str = "") -> Finding:
    return Finding(Level.PASS, seen.node.name, message, about=about)


def _warning(seen: Surveyed, message: str, remedy: str) -> Finding:
    return Finding(Level.WARNING, seen.node.name, message, remedy)


def _failure(seen: Surveyed, message: str, remedy: str, about: str = "") -> Finding:
    return Finding(Level.FAILURE, seen.node.name, message, remedy, about)
