"""Reboots on their way, as they are kept and shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcvirt.core.store import bringups
from hpcvirt.core.store.bringups import Consent, Step
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.queries import read_frozen, read_snapshot
from hpcvirt.core.store.records import NodeCard
from hpcvirt.tui.status import lines
from tests.core.factories import new_database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "small.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    made, _ = new_database(path)
    yield made
    made.close()


def card(path: Path) -> NodeCard:
    return read_snapshot(path).nodes[0]


def test_a_try_is_as_far_as_it_has_come(database: Database) -> None:
    tried = bringups.order(database, 1, "old", "n=1")
    assert (tried.number, tried.step, tried.is_open) == (1, Step.ORDERED, True)
    for step in (Step.ACCEPTED, Step.GONE, Step.BACK, Step.PROVED):
        bringups.reach(database, tried.id, step, "new")
        found = bringups.last(database, 1)
        assert found is not None
        assert found.step is step
        assert (found.old_boot_id, found.nonce) == ("old", "n=1")
    assert found.new_boot_id == "new"
    assert not found.is_open
    assert bringups.open_of(database, "node1") is None


def test_a_second_try_follows_a_failed_one(database: Database) -> None:
    first = bringups.order(database, 1, "old", "")
    assert bringups.is_under_way(database, "node1")
    assert not bringups.is_under_way(database, "node2")
    bringups.reach(database, first.id, Step.FAILED, "expected this, found that")
    assert not bringups.is_under_way(database, "node1")
    second = bringups.order(database, 1, "old", "")
    assert second.number == 2
    assert bringups.open_of(database, "node1") == bringups.last(database, 1)
    assert database.connection.execute("SELECT failure FROM bringups").fetchall() == [
        ("expected this, found that",),
        (None,),
    ]


def test_what_was_there_first_is_what_is_put_back(database: Database) -> None:
    bringups.remember_default(database, "node1", "grub", {"saved_entry": "stock"})
    bringups.remember_default(database, "node1", "grub", {"saved_entry": "our own"})
    assert bringups.defaults_to_restore(database, "node1") == {"grub": {"saved_entry": "stock"}}
    bringups.default_restored(database, "node1", "grub")
    assert bringups.defaults_to_restore(database, "node1") == {}
    bringups.remember_default(database, "node1", "grub", {"saved_entry": "newer"})
    assert bringups.defaults_to_restore(database, "node1") == {"grub": {"saved_entry": "newer"}}


def test_the_operators_word_is_kept(database: Database, path: Path) -> None:
    plan = read_frozen(path).digest
    assert bringups.read_consent(path, "me@login") is None
    assert bringups.read_void_consent(path, "me@login") == ""
    bringups.record_consent(path, Consent("me@login"))
    bringups.record_consent(path, Consent("me@login", is_forced=True))
    taken = bringups.take_consent(database, "me@login")
    assert bringups.read_consent(path, "me@login") == Consent("me@login", is_forced=False, plan=plan)
    assert taken == Consent("me@login", is_forced=True, plan=plan)


@pytest.mark.parametrize("other", ["you@login", "me@elsewhere"])
def test_a_word_is_its_givers_alone(database: Database, path: Path, other: str) -> None:
    bringups.record_consent(path, Consent("me@login", is_forced=True))
    assert bringups.read_consent(path, other) is None
    assert bringups.take_consent(database, other) is None
    assert f"is me@login's, and you are {other}" in bringups.read_void_consent(path, other)
    assert bringups.take_consent(database, "me@login") is not None


def test_a_card_says_what_is_wanted_and_what_was_proved(database: Database, path: Path) -> None:
    rows = database.connection.execute("SELECT id, kernel FROM boots WHERE node = 'node1' ORDER BY id LIMIT 2")
    (first, was), (second, wanted) = rows.fetchall()
    database.boot_started(first)
    assert (card(path).kernel, card(path).proved_kernel) == (was, None)
    assert f"{was} (not proved; proved last: nothing)" in "\n".join(lines(read_snapshot(path)))
    database.boot_proved(first, {"boot_id": "b", "release": "6.1"}, {}, rebooted=True)
    database.boot_started(second)
    tried = bringups.order(database, second, "b", "")
    database.node_state("node1", "booting", f"{wanted}: gone down")
    shown = card(path)
    assert (shown.kernel, shown.is_proved, shown.proved_kernel) == (wanted, False, was)
    page = "\n".join(lines(read_snapshot(path)))
    assert f"node1: booting ({wanted}: gone down), {wanted} (not proved; proved last: {was})" in page
    bringups.reach(database, tried.id, Step.PROVED)
    database.boot_proved(second, {"boot_id": "c", "release": "6.1"}, {}, rebooted=True)
    assert (card(path).is_proved, card(path).proved_kernel) == (True, wanted)
    # It rebooted in mid-boot and is brought up anew: what was proved holds no longer.
    bringups.order(database, second, "c", "")
    assert not card(path).is_proved
