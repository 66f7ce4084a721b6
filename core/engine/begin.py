"""Which database a campaign goes on in: the newest unfinished one of the same plan, or a new one."""

from __future__ import annotations

import dataclasses
import json
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hpcvirt.core.config import CampaignFile, Choice, choose, parse_campaign
from hpcvirt.core.engine.artifacts import build
from hpcvirt.core.engine.changes import changes
from hpcvirt.core.engine.reboots import rebooting, refuse_unconfirmed
from hpcvirt.core.errors import HpcvirtError, PlanChanged, StoreUnusable, UsageWrong
from hpcvirt.core.model import Campaign, Plan
from hpcvirt.core.plan import canonical_json, make_plan
from hpcvirt.core.process import operator
from hpcvirt.core.store.bringups import Consent, read_consent, read_void_consent, record_consent
from hpcvirt.core.store.creation import Frozen
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.filesystem import is_on_network
from hpcvirt.core.store.locks import lock_fault
from hpcvirt.core.store.queries import read_frozen
from hpcvirt.core.store.records import FrozenRecord

DIFFERENCES_TOLD = 10


def begin(file: CampaignFile, folder: Path, database: Path | None = None, *, consent: Consent | None = None) -> Path:
    """The database to work on, made if need be: nothing is made when anything is wrong.

    ``consent``: the operator's word, just given, that nodes may be rebooted; it is filed.

    Raises RebootsUnconfirmed, PlanChanged when ``database`` was started from another plan or the operator was shown
    another one, UsageWrong when it is finished, CompilerMissing or BuildFailed when a benchmark cannot be built,
    StoreUnusable.
    """
    _refuse_without_locks(folder if database is None else database.parent)
    plan = make_plan(file.campaign)
    _refuse_unseen(file, plan, consent)
    if database is not None and database.exists():
        _check_same(database, file.campaign, plan)
        return _confirmed(file.campaign, database, consent)
    if database is None:
        unfinished = _unfinished(folder, file.campaign.name, plan.digest)
        if unfinished is not None:
            return _confirmed(file.campaign, unfinished, consent)
    refuse_unconfirmed(file.campaign, consent)
    target = database or folder / f"{file.campaign.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db"
    return _confirmed(file.campaign, _create(file, plan, _free(target), make_folder=database is None), consent)


def _confirmed(campaign: Campaign, database: Path, consent: Consent | None) -> Path:
    """Now, or in an earlier life of the campaign, by the same operator and of the same plan."""
    if not rebooting(campaign):
        return database
    if consent is not None:
        record_consent(database, consent)
    who = operator()
    if read_consent(database, who) is None:
        whole = _with_added(campaign, read_frozen(database))
        refuse_unconfirmed(whole, None, read_void_consent(database, who))
    return database


def _refuse_unseen(file: CampaignFile, plan: Plan, consent: Consent | None) -> None:
    """What the operator was asked about must be what begins."""
    if consent is not None and consent.plan not in {"", plan.digest}:
        raise PlanChanged(
            f"{file.source} is not what you were asked about: it has changed since it was read",
            hint="open it again, and look at what it does now",
        )


def frozen_campaign(database: Path, *, consent: Consent | None = None) -> CampaignFile:
    """The campaign of a database as it was started, to go on with; ``consent`` as for ``begin``.

    One that is finished is opened only to put back what nodes boot by default. Raises StoreUnusable, and UsageWrong
    when nothing is left to do.
    """
    _refuse_without_locks(database.parent)
    frozen = read_frozen(database)
    if frozen.is_finished and not frozen.unrestored:
        raise _finished(database)
    file = thawed(database, frozen)
    _confirmed(file.campaign, database, consent)
    return file


def thawed(database: Path, frozen: FrozenRecord) -> CampaignFile:
    """The campaign that was frozen in a database, with its amendments.

    Raises PlanChanged when this version of the program makes another plan of it.
    """
    picked: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in frozen.choice.items()
    }
    choice = Choice(**picked)
    campaign = choose(parse_campaign(frozen.text, frozen.source), choice)
    _refuse_changes(database, frozen, campaign, make_plan(campaign))
    return CampaignFile(frozen.source, frozen.text, _with_added(campaign, frozen), choice)


def _with_added(campaign: Campaign, frozen: FrozenRecord) -> Campaign:
    added = sum(amendment.blocks for amendment in frozen.amendments)
    return dataclasses.replace(campaign, design=dataclasses.replace(campaign.design, added_blocks=added))


def databases(folder: Path, name: str) -> list[Path]:
    """Databases of a campaign in a folder, the newest first: the time of their making is in their name."""
    rescued = r"(?:-rescued-(\d{8}T\d{6}Z(?:\.\d+)?))?"
    form = re.compile(re.escape(name) + rf"-(\d{{8}}T\d{{6}}Z)(?:\.(\d+))?{rescued}\.db")
    found = ((form.fullmatch(path.name), path) for path in folder.glob(f"{name}-*.db") if path.is_file())
    dated = [(match[1], int(match[2] or 1), match[3] or "", path) for match, path in found if match]
    return [path for *_, path in sorted(dated, reverse=True)]


def _create(file: CampaignFile, plan: Plan, target: Path, *, make_folder: bool) -> Path:
    with tempfile.TemporaryDirectory(prefix="hpcvirt-build-") as folder:
        artifacts = build(file.campaign, Path(folder))
        if make_folder:
            _make_folder(target.parent)
        _refuse_without_locks(target.parent)
        frozen = Frozen(
            file.campaign, plan, file.source, file.text, artifacts, dataclasses.asdict(file.choice or Choice())
        )
        Database.create(target, frozen).close()
    return target


def _refuse_without_locks(folder: Path) -> None:
    """On a network file system without locks SQLite would hang for ever, or let two programs write at once."""
    fault = lock_fault(folder) if folder.is_dir() and is_on_network(folder) else ""
    if fault:
        raise StoreUnusable(
            f"{folder}: no place for a database: {fault}", hint="name a database on a local disk with --db"
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreUnusable(f"{folder}: {error.strerror}", hint="name a database elsewhere with --db") from error


def _free(target: Path) -> Path:
    """Two campaigns begun within one second get two names."""
    names = [target, *(target.with_name(f"{target.stem}.{number}{target.suffix}") for number in range(2, 100))]
    return next((name for name in names if not name.exists()), target)


def _check_same(database: Path, campaign: Campaign, plan: Plan) -> None:
    frozen = read_frozen(database)
    _refuse_changes(database, frozen, campaign, plan)
    if frozen.is_finished and not frozen.unrestored:
        raise _finished(database)


def _refuse_changes(database: Path, frozen: FrozenRecord, campaign: Campaign, plan: Plan) -> None:
    if frozen.digest == plan.digest:
        return
    now = json.loads(canonical_json(dataclasses.asdict(campaign)))
    told = changes(frozen.campaign, now)
    shown = [
        *told[:DIFFERENCES_TOLD],
        *([f"and {len(told) - DIFFERENCES_TOLD} more"] if told[DIFFERENCES_TOLD:] else []),
    ]
    raise PlanChanged(
        "\n  ".join([f"{database} was started from another plan than this campaign gives now:", *shown]),
        hint=(
            f"go on as it was started:  hpcvirt-tui run {database}\n"
            f"     more blocks of it:        hpcvirt-tui extend {database} --blocks N\n"
            "     begin anew as it is now:  hpcvirt-tui run CAMPAIGN --db ANOTHER.db"
        ),
    )


def unfinished_of_other_plans(folder: Path, name: str, digest: str) -> list[Path]:
    """Databases of a campaign that were begun from another plan and not ended, the newest first."""
    return [path for path, frozen in _readable(folder, name) if frozen.digest != digest and not frozen.is_finished]


def _finished(database: Path) -> UsageWrong:
    return UsageWrong(
        f"{database} is finished; it is not opened again",
        hint=f"see it with `hpcvirt-tui {database}`, add blocks with `extend`, or name a new database with --db",
    )


def _unfinished(folder: Path, name: str, digest: str) -> Path | None:
    """The newest database in the folder that holds this plan and is not finished."""
    found = _readable(folder, name)
    return next((path for path, frozen in found if frozen.digest == digest and not frozen.is_finished), None)


def _readable(folder: Path, name: str) -> Iterator[tuple[Path, FrozenRecord]]:
    for path in databases(folder, name):
        try:
            yield path, read_frozen(path)
        except HpcvirtError:
            # Another program's file, or another version's: not ours to go on with.
            continue
