"""Which database a campaign goes on in: the newest unfinished one of the same plan, or a new one."""

from __future__ import annotations

import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hpcvirt.core.config import CampaignFile
from hpcvirt.core.engine.artifacts import build
from hpcvirt.core.errors import HpcvirtError, PlanChanged, StoreUnusable, UsageWrong
from hpcvirt.core.model import Plan
from hpcvirt.core.plan import make_plan
from hpcvirt.core.store.creation import Frozen
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.queries import read_frozen, read_totals


def begin(file: CampaignFile, folder: Path, database: Path | None = None) -> Path:
    """The database to work on, made if need be: nothing is made when anything is wrong.

    Raises PlanChanged when ``database`` was started from another plan, UsageWrong when it is finished,
    CompilerMissing or BuildFailed when a benchmark cannot be built, StoreUnusable.
    """
    plan = make_plan(file.campaign)
    if database is not None and database.exists():
        _check_same(database, plan)
        return database
    if database is None:
        unfinished = _unfinished(folder, file.campaign.name, plan.digest)
        if unfinished is not None:
            return unfinished
    target = database or folder / f"{file.campaign.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db"
    return _create(file, plan, _free(target))


def _create(file: CampaignFile, plan: Plan, target: Path) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreUnusable(f"{target.parent}: {error.strerror}", hint="name a database elsewhere with --db") from error
    with tempfile.TemporaryDirectory(prefix="hpcvirt-build-") as folder:
        artifacts = build(file.campaign, Path(folder))
        Database.create(target, Frozen(file.campaign, plan, file.source, file.text, artifacts)).close(finished=True)
    return target


def _free(target: Path) -> Path:
    """Two campaigns begun within one second get two names."""
    for number in range(2, 1000):
        if not target.exists():
            break
        target = target.with_stem(f"{target.stem.partition('.')[0]}.{number}")
    return target


def _check_same(database: Path, plan: Plan) -> None:
    _, digest = read_frozen(database)
    if digest != plan.digest:
        raise PlanChanged(
            f"{database} was started from another plan than this campaign gives now",
            hint="run the campaign as it was, or name a new database with --db",
        )
    if _is_finished(database):
        raise UsageWrong(
            f"{database} is finished; it is not opened again",
            hint=f"see it with `hpcvirt-tui {database}`, or name a new database with --db",
        )


def _is_finished(database: Path) -> bool:
    planned, ok, given_up = read_totals(database)
    return ok + given_up >= planned


def _unfinished(folder: Path, name: str, digest: str) -> Path | None:
    """The newest database in the folder that holds this plan and is not finished."""
    for path in databases(folder, name):
        try:
            if read_frozen(path)[1] == digest and not _is_finished(path):
                return path
        except HpcvirtError:
            # Another program's file, or another version's: not ours to go on with.
            continue
    return None


def databases(folder: Path, name: str) -> list[Path]:
    """Databases of a campaign in a folder, the newest first: the time of their making is in their name."""
    form = re.compile(re.escape(name) + r"-(\d{8}T\d{6}Z)(?:\.(\d+))?\.db")
    found = ((form.fullmatch(path.name), path) for path in folder.glob(f"{name}-*.db") if path.is_file())
    dated = [(match[1], int(match[2] or 1), path) for match, path in found if match]
    return [path for *_, path in sorted(dated, reverse=True)]
