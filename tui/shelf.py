"""What can be opened: bundled campaigns, campaign files of this folder, and databases with what goes on in them."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpcvirt.campaigns import bundled
from hpcvirt.core.errors import CampaignInvalid, HpcvirtError
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.tui import launch

FIRST = "local-lab"
"""What a newcomer starts with."""
LIVING = frozenset({RunnerState.RUNNING, RunnerState.PAUSED})
"""Databases that are read again although nothing was written: their runner may be gone."""
TOLD_EVERY_S = 0.15


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that can be opened."""

    path: Path
    is_database: bool
    is_bundled: bool = False
    name: str = ""
    """Of the campaign; empty as long as it was not read."""
    title: str = ""
    changed_s: float = 0.0
    """Unix time of its last change."""
    state: RunnerState | None = None
    host: str = ""
    """Where its runner is, or was."""
    planned: int = 0
    ok: int = 0
    given_up: int = 0
    problem: str = ""
    """Why it cannot be used, in words."""
    stamp: object = None
    """Differs after every write to the file."""

    @property
    def is_read(self) -> bool:
        """Whether what is in it is known."""
        return bool(self.name or self.problem)


def shelf(known: Sequence[Entry] = (), recent: Iterable[Path] = ()) -> Iterator[tuple[Entry, ...]]:
    """All that there is, several times: first as far as it was ``known`` before, then ever more of it read.

    The local lab first, then campaign files of this folder, other bundled ones, and databases; files newest first.
    ``recent``: databases that were opened before, wherever they are.
    """
    before = {(entry.path, entry.stamp): entry for entry in known if entry.state not in LIVING}
    entries = [before.get((entry.path, entry.stamp), entry) for entry in _listed(recent)]
    shown: dict[Path, Entry] = {entry.path: entry for entry in entries}
    yield tuple(shown.values())
    told_at = time.monotonic()
    # Databases first: they need no pydantic, and what runs is what somebody is after.
    for entry in sorted(entries, key=lambda entry: not entry.is_database):
        if entry.is_read:
            continue
        found = _read(entry)
        if found is None:
            del shown[entry.path]
        else:
            shown[entry.path] = found
        if time.monotonic() - told_at > TOLD_EVERY_S:
            yield tuple(shown.values())
            told_at = time.monotonic()
    yield tuple(shown.values())


def _listed(recent: Iterable[Path]) -> list[Entry]:
    known = bundled()
    found = (*recent, *launch.data_folder().glob("*.db"), *Path.cwd().glob("*.db"))
    databases = {path.resolve(): path for path in found}
    return [
        *(Entry(path, False, True) for name, path in known.items() if name == FIRST),
        *(Entry(path, False, changed_s=changed, stamp=changed) for changed, path in _dated(Path.cwd().glob("*.toml"))),
        *(Entry(path, False, True) for name, path in known.items() if name != FIRST),
        *(Entry(path, True, changed_s=changed, stamp=_stamp(path)) for changed, path in _dated(databases.values())),
    ]


def _stamp(path: Path) -> object:
    from hpcvirt.core.store import queries

    return queries.fingerprint(path)


def _dated(paths: Iterable[Path]) -> list[tuple[float, Path]]:
    """Those that are files, with the time of their last change, the newest first."""
    found = []
    for path in paths:
        try:
            if path.is_file():
                log = path.with_name(path.name + "-wal")
                found.append((max(one.stat().st_mtime for one in (path, log) if one.exists()), path))
        except OSError:  # gone meanwhile, or in a folder that may not be looked into
            continue
    return sorted(found, reverse=True)


def _read(entry: Entry) -> Entry | None:
    """The same with what is in it, or with why that cannot be known. None: a TOML file of something else."""
    try:
        return _database(entry) if entry.is_database else _campaign(entry)
    except HpcvirtError as error:
        return _broken(entry, error.message)
    except Exception as error:  # noqa: BLE001 - a damaged file may raise anything, and is a line that says so
        return _broken(entry, f"{type(error).__name__}: {error}")


def _broken(entry: Entry, problem: str) -> Entry:
    return replace(entry, problem=problem.removeprefix(f"{entry.path}: "))


def _campaign(entry: Entry) -> Entry | None:
    from hpcvirt.core.config import read_campaign

    try:
        campaign = read_campaign(entry.path).campaign
    except CampaignInvalid as error:
        if _is_of_something_else(entry.path):
            return None
        more = f" (and {len(error.faults) - 1} more)" if len(error.faults) > 1 else ""
        return _broken(entry, f"{error.faults[0]}{more}")
    return replace(entry, name=campaign.name, title=campaign.title)


def _is_of_something_else(path: Path) -> bool:
    """A pyproject.toml is no broken campaign."""
    try:
        return "campaign" not in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False


def _database(entry: Entry) -> Entry:
    from hpcvirt.core.store import queries

    campaign, _ = queries.read_campaign_record(entry.path)
    runner = queries.read_runner(entry.path)
    planned, ok, given_up = queries.read_totals(entry.path)
    return replace(
        entry,
        name=campaign.name,
        title=campaign.title,
        state=runner.state,
        host=runner.process.host if runner.process else "",
        planned=planned,
        ok=ok,
        given_up=given_up,
    )
