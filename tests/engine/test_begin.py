"""Which database a campaign goes on in."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hpcvirt.core.config import CampaignFile
from hpcvirt.core.engine import begin as module
from hpcvirt.core.engine.begin import begin, databases
from hpcvirt.core.errors import (
    BuildFailed,
    CompilerMissing,
    HpcvirtError,
    PlanChanged,
    RebootsUnconfirmed,
    StoreUnusable,
    UsageWrong,
)
from hpcvirt.core.model import Campaign, Expect, Node, Status
from hpcvirt.core.plan import make_plan
from hpcvirt.core.process import operator, this_process
from hpcvirt.core.store.bringups import Consent, read_consent
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.queries import read_totals
from tests.core.factories import TOML, campaign, do_run, ended, new_database

TOLD = campaign(nodes=("node1",), runs=1, blocks=1)
ME = operator()


@pytest.fixture(autouse=True)
def _nothing_to_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """No compiler is needed here."""
    monkeypatch.setattr(module, "build", lambda told, folder: {})


def file_of(told: Campaign = TOLD) -> CampaignFile:
    return CampaignFile("small.toml", TOML, told)


def make(folder: Path, stamp: str, told: Campaign = TOLD, *, done: int = 0, given_up: int = 0) -> Path:
    """A database of an earlier life."""
    path = folder / f"{told.name}-{stamp}.db"
    database, _ = new_database(path, told)
    for run in range(1, done + 1):
        do_run(database, run, f"a{run}", ended())
    for run in range(done + 1, done + given_up + 1):
        do_run(database, run, f"a{run}", ended(Status.FAILED))
        database.give_up(run, "why not")
    if done + given_up:
        database.runner_ended(database.register_runner(this_process()), "done")
    database.close()
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_first_database_is_made(tmp_path: Path) -> None:
    made = begin(file_of(), tmp_path / "data" / "deep")
    assert read_totals(made) == (2, 0, 0)
    assert names(made.parent) == [made.name]
    assert made.name.startswith("small-")
    assert made.parent.stat().st_mode & 0o777 == 0o700
    assert databases(made.parent, "small") == [made]


def test_the_newest_unfinished_one_of_the_same_plan_goes_on(tmp_path: Path) -> None:
    make(tmp_path, "20260101T000000Z")
    newest = make(tmp_path, "20260102T000000Z", done=1)
    make(tmp_path, "20260103T000000Z", done=2)
    make(tmp_path, "20260104T000000Z", done=1, given_up=1)
    make(tmp_path, "20260105T000000Z", replace(TOLD, nodes=TOLD.nodes[:1], lab=True))
    before = names(tmp_path)
    assert begin(file_of(), tmp_path) == newest
    assert names(tmp_path) == before


def test_a_finished_one_is_never_opened_again(tmp_path: Path) -> None:
    finished = make(tmp_path, "20260101T000000Z", done=2)
    before = finished.read_bytes()
    made = begin(file_of(), tmp_path)
    assert made != finished
    assert finished.read_bytes() == before


def test_another_plan_gets_a_database_of_its_own(tmp_path: Path) -> None:
    other = make(tmp_path, "20260101T000000Z")
    told = replace(TOLD, design=replace(TOLD.design, seed=8))
    assert begin(file_of(told), tmp_path) != other


def test_titles_and_notes_may_be_mended(tmp_path: Path) -> None:
    first = make(tmp_path, "20260101T000000Z")
    assert begin(file_of(replace(TOLD, title="t", notes="n")), tmp_path) == first


def test_files_of_others_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "small-20990101T000000Z.db").write_text("not ours")
    (tmp_path / "small-20990102T000000Z.db").mkdir()
    (tmp_path / "small-20990103T000000Z.db").write_bytes(b"")
    first = make(tmp_path, "20260101T000000Z")
    assert begin(file_of(), tmp_path) == first


def test_a_campaign_whose_name_begins_the_same_is_another(tmp_path: Path) -> None:
    make(tmp_path, "20260101T000000Z", replace(TOLD, name="small-again"))
    made = begin(file_of(), tmp_path)
    assert not made.name.startswith("small-again")


def test_two_begun_within_a_second_get_two_names(tmp_path: Path) -> None:
    finished = begin(file_of(), tmp_path)
    database = Database(finished)
    for run in (1, 2):
        do_run(database, run, f"a{run}", ended())
    database.runner_ended(database.register_runner(this_process()), "done")
    database.close()
    second = begin(file_of(), tmp_path)
    assert second != finished
    assert begin(file_of(), tmp_path) == second


def test_a_named_database_is_made_or_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "mine.db"
    assert begin(file_of(), tmp_path, path) == path
    assert begin(file_of(), tmp_path, path) == path
    assert names(tmp_path) == ["mine.db"]


def test_a_mistyped_folder_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable):
        begin(file_of(), tmp_path, tmp_path / "mistyped" / "mine.db")
    assert names(tmp_path) == []


def test_one_whose_runner_was_killed_after_its_last_run_is_gone_on_with(tmp_path: Path) -> None:
    path = make(tmp_path, "20260101T000000Z")
    database = Database(path)
    database.register_runner(this_process())
    for run in (1, 2):
        do_run(database, run, f"a{run}", ended())
    database.close()
    assert begin(file_of(), tmp_path) == path


def test_a_named_database_of_another_plan_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path, "20260101T000000Z")
    before = path.read_bytes()
    with pytest.raises(PlanChanged):
        begin(file_of(replace(TOLD, name="other")), tmp_path, path)
    assert path.read_bytes() == before


def test_a_named_database_that_is_finished_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageWrong, match="is finished"):
        begin(file_of(), tmp_path, make(tmp_path, "20260101T000000Z", done=2))


@pytest.mark.parametrize("content", [b"", b"text\n" * 1000])
def test_a_named_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(content)
    with pytest.raises(StoreUnusable):
        begin(file_of(), tmp_path, path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("error", [CompilerMissing("no cc"), BuildFailed("no")])
def test_nothing_is_made_when_a_build_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: HpcvirtError
) -> None:
    def broken(told: Campaign, folder: Path) -> None:
        (folder / "half").write_text("")
        raise error

    monkeypatch.setattr(module, "build", broken)
    for database in (None, tmp_path / "mine.db"):
        with pytest.raises(type(error)):
            begin(file_of(), tmp_path, database)
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnusable):
        begin(file_of(), tmp_path / "file" / "deep")


def test_the_newest_stands_first(tmp_path: Path) -> None:
    stamps = ["20260102T000000Z", "20260103T000000Z", "20260101T000000Z"]
    found = {stamp: make(tmp_path, stamp) for stamp in stamps}
    os.utime(found["20260101T000000Z"])
    assert databases(tmp_path, "small") == [found[stamp] for stamp in sorted(stamps, reverse=True)]


REBOOTS = replace(
    TOLD,
    kernels=tuple(
        replace(kernel, boot="grub", entry="Debian", expect=Expect(release="6.1")) for kernel in TOLD.kernels
    ),
)


def test_nothing_is_made_for_a_campaign_that_reboots_unless_confirmed(tmp_path: Path) -> None:
    with pytest.raises(RebootsUnconfirmed, match="this campaign reboots node1 into native, other, 2 times each"):
        begin(file_of(REBOOTS), tmp_path)
    assert names(tmp_path) == []


def test_the_operators_word_holds_for_later_lives_of_a_database(tmp_path: Path) -> None:
    path = begin(file_of(REBOOTS), tmp_path, consent=Consent(ME))
    plan = make_plan(REBOOTS).digest
    assert read_consent(path, ME) == Consent(ME, plan=plan)
    assert begin(file_of(REBOOTS), tmp_path) == path
    assert begin(file_of(REBOOTS), tmp_path, consent=Consent(ME, is_forced=True)) == path
    assert read_consent(path, ME) == Consent(ME, is_forced=True, plan=plan)
    (tmp_path / "other").mkdir()
    unconfirmed = make(tmp_path / "other", "20260101T000000Z", REBOOTS)
    with pytest.raises(RebootsUnconfirmed):
        begin(file_of(REBOOTS), tmp_path / "other", unconfirmed)


def test_no_word_is_filed_where_nothing_is_rebooted(tmp_path: Path) -> None:
    path = begin(file_of(), tmp_path, consent=Consent(ME))
    assert read_consent(path, ME) is None


def test_the_word_of_another_user_is_not_lived_on(tmp_path: Path) -> None:
    path = begin(file_of(REBOOTS), tmp_path, consent=Consent(ME))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE consents SET origin = 'alice@login1'")
    with pytest.raises(RebootsUnconfirmed, match=f"is alice@login1's, and you are {ME}"):
        begin(file_of(REBOOTS), tmp_path)
    assert begin(file_of(REBOOTS), tmp_path, consent=Consent(ME)) == path
    assert begin(file_of(REBOOTS), tmp_path) == path


def test_what_was_shown_is_what_begins(tmp_path: Path) -> None:
    shown = make_plan(REBOOTS).digest
    more = replace(REBOOTS, nodes=(*REBOOTS.nodes, Node("node2", "host2")))
    with pytest.raises(PlanChanged, match="is not what you were asked about"):
        begin(file_of(more), tmp_path, consent=Consent(ME, plan=shown))
    assert names(tmp_path) == []
    begin(file_of(REBOOTS), tmp_path, consent=Consent(ME, plan=shown))


def test_added_blocks_are_asked_about_anew(tmp_path: Path) -> None:
    path = begin(file_of(REBOOTS), tmp_path, consent=Consent(ME))
    longer = make_plan(replace(REBOOTS, design=replace(REBOOTS.design, added_blocks=2)))
    database = Database(path)
    database.amend(longer, 2, ME)
    database.close()
    shown = make_plan(REBOOTS).digest
    for given in (None, Consent(ME, plan=shown)):
        with pytest.raises(RebootsUnconfirmed, match=r"6 times each; the yes of .* blocks were added since"):
            begin(file_of(REBOOTS), tmp_path, consent=given)
    assert begin(file_of(REBOOTS), tmp_path, consent=Consent(ME)) == path
    assert begin(file_of(REBOOTS), tmp_path) == path
