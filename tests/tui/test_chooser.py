"""The chooser: what it lists, what it says of each file, and what Enter does."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hpcvirt.campaigns import bundled
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.tui import shelf as shelves
from hpcvirt.tui.draft import whole
from hpcvirt.tui.memory import Memory
from hpcvirt.tui.shelf import Entry, shelf
from tests.core.factories import TOML, new_database
from tests.tui.screen_samples import CAMPAIGN, DATABASE, HOSTILE, SampleBackend, finished, make_snapshot
from tests.tui.seeing import SIZES, at_campaign, looking

LAB = Entry(CAMPAIGN, False, True, "local-lab", "STREAM on the embedded lab")
MINE = Entry(Path("/here/mine.toml"), False, False, "mine", "My own")
OLD = Entry(Path("/data/old.db"), True, False, "old", "An old one", 0.0, RunnerState.FINISHED, "login1", 80, 79, 1)
NEW = Entry(DATABASE, True, False, "local-lab", "", 1.0, RunnerState.RUNNING, "login1", 400, 148, 0)
BROKEN = Entry(Path("/here/torn.db"), True, problem="file is not a database")


def at_chooser(*entries: Entry, size: tuple[int, int] = (80, 24), **changes: object):
    told = {"snapshots": {DATABASE: make_snapshot(), OLD.path: finished(path=OLD.path)}} | changes
    backend = SampleBackend(shelves=[tuple(entries)], **told)  # type: ignore[arg-type]
    return looking(backend, size=size)


@pytest.mark.parametrize("size", SIZES)
async def test_every_file_is_a_line_that_says_what_it_is(size: tuple[int, int]) -> None:
    async with at_chooser(LAB, MINE, NEW, OLD, BROKEN, size=size) as eye:
        text = await eye.until("Campaigns", "Databases", "2 campaigns, 3 databases", "enter opens")
        assert "bundled" in eye.line("STREAM on")
        assert "this folder" in eye.line("My own")
        assert "▶ running" in eye.line("148/400 runs")
        assert "on login1" in eye.line("148/400 runs")
        assert "✓ finished" in eye.line("79/80 runs")
        assert "✗ 1 given up" in eye.line("79/80 runs")
        assert "✗ broken" in eye.line("torn.db")
        assert "file is not a database" in eye.line("torn.db")
        assert text.index("mine") < text.index("148/400") < text.index("79/80")


async def test_a_newcomer_starts_the_local_lab_with_enter_and_s() -> None:
    async with at_chooser(LAB, MINE, snapshots={}) as eye:
        await eye.until("My own")
        await eye.press("enter")
        await eye.until("What will happen", "400 runs")
        await eye.press("s")
        await eye.until("Start local-lab?")
        await eye.press("y")
        await eye.until("▶ running")
        assert eye.backend.started


async def test_one_key_starts_the_local_lab() -> None:
    async with at_chooser(LAB, MINE, snapshots={}) as eye:
        await eye.until("My own", "s Start")
        await eye.press("s")
        await eye.until("▶ running")
        [(draft, pick)] = eye.backend.started
        assert pick == whole(draft)


async def test_on_nodes_of_others_it_asks_first() -> None:
    class Nodes(SampleBackend):
        def load_draft(self, path: Path):
            return replace(super().load_draft(path), path=path, is_lab=False)

    async with looking(Nodes(shelves=[(LAB, MINE)])) as eye:
        await eye.until("My own")
        await eye.press("down", "s")
        await eye.until("Start local-lab?")
        assert not eye.backend.started
        await eye.press("n")
        await eye.press("0")
        await eye.until("s Start")
        await eye.press("s")
        await eye.until("Start local-lab?")
        await eye.press("y")
        await eye.wait(lambda: eye.backend.started)


async def test_it_asks_where_an_earlier_one_is_not_finished() -> None:
    async with at_chooser(LAB, snapshots={DATABASE: make_snapshot(RunnerState.STOPPED)}) as eye:
        await eye.until("STREAM on")
        await eye.press("s")
        await eye.until("Start local-lab?")
        assert not eye.backend.started


async def test_it_attaches_to_one_that_is_under_way() -> None:
    async with at_chooser(LAB) as eye:
        await eye.until("STREAM on")
        await eye.press("s")
        await eye.until("148/400 runs", "▶ running")
        assert not eye.backend.started


async def test_a_database_cannot_be_started() -> None:
    async with at_chooser(LAB, OLD) as eye:
        await eye.until("79/80", "s Start")
        await eye.press("end")
        await eye.until("shows its results", gone=("s Start",))


async def test_enter_attaches_to_a_database_and_0_comes_back() -> None:
    async with at_chooser(LAB, NEW, OLD) as eye:
        await eye.until("79/80")
        await eye.press("end", "enter")
        await eye.until("✓ finished", "= equivalent")
        assert eye.app.state.database == OLD.path
        await eye.press("0")
        await eye.until("79/80", "goes back to it")
        await eye.press("up", "enter")
        await eye.until("148/400 runs", "▶ running")
        assert eye.app.state.database == DATABASE
        await eye.press("3")
        await eye.until("INTERIM")
        assert [memory.databases[0] for memory in eye.backend.remembered] == [OLD.path, DATABASE]


async def test_panes_show_nothing_of_the_campaign_before() -> None:
    async with at_chooser(LAB, NEW, OLD) as eye:
        await eye.until("79/80")
        await eye.press("end", "enter")
        await eye.until("= equivalent")
        eye.backend.table = ZeroDivisionError("of the other database")
        await eye.press("0")
        await eye.until("79/80")
        await eye.press("up", "enter")
        await eye.until("148/400 runs")
        await eye.press("3")
        await eye.until("of the other database", gone=("= equivalent",))


async def test_news_of_a_campaign_that_was_left_changes_nothing() -> None:
    may_go_on = threading.Event()

    class Slow(SampleBackend):
        def load_draft(self, path: Path):
            if path == MINE.path:
                assert may_go_on.wait(30)
            return replace(super().load_draft(path), path=path, title=f"of {path.name}")

    async with looking(Slow(shelves=[(LAB, MINE)])) as eye:
        await eye.until("My own")
        await eye.press("down", "enter")
        await eye.until("Reading …")
        await eye.press("0")
        await eye.until("My own")
        await eye.press("up", "enter")
        await eye.until("of local-lab.toml")
        may_go_on.set()
        await eye.app.workers.wait_for_complete()
        await eye.pilot.pause()
        assert "of local-lab.toml" in eye.text


async def test_reading_does_not_keep_the_screen_waiting() -> None:
    class Slow(SampleBackend):
        def shelf(self, known: Sequence[Entry], recent: Sequence[Path]) -> Iterator[tuple[Entry, ...]]:
            yield (LAB, Entry(OLD.path, True))
            while not self.wishes:
                time.sleep(0.02)
            yield (LAB, OLD)

    backend = Slow()
    async with looking(backend) as eye:
        await eye.until("◌ reading", "old.db")
        await eye.press("down")
        await eye.until("/data/old.db")
        backend.wishes.append((DATABASE, "go on"))
        await eye.until("79/80", gone=("◌ reading",))
        assert "/data/old.db" in eye.text, "the cursor has stayed"


async def test_a_listing_that_fails_is_said() -> None:
    class Failing(SampleBackend):
        def shelf(self, known: Sequence[Entry], recent: Sequence[Path]) -> Iterator[tuple[Entry, ...]]:
            raise PermissionError(13, "no, [/]")
            yield ()

    async with looking(Failing()) as eye:
        await eye.until("Files cannot be looked for", "no, [/]")


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_names(text: str) -> None:
    async with at_chooser(replace(MINE, name=text, title=text), replace(BROKEN, problem=text)) as eye:
        await eye.until("✗ broken", "this folder")
        assert not {"\x1b", "\x9b", "\u202e"} & set(eye.text)


async def test_the_palette_opens_the_chooser() -> None:
    async with at_campaign() as eye:
        await eye.until("400 runs")
        titles = {command.title for command in eye.app.get_system_commands(eye.app.screen)}
        assert "Pane: Open" in titles


# -- what is read of the files


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return folder


def listed(**told: object) -> list[Entry]:
    *_, last = shelf(**told)  # type: ignore[arg-type]
    return list(last)


def test_the_local_lab_is_first_and_files_are_newest_first(here: Path, tmp_path: Path) -> None:
    for place, name in enumerate(("older", "newer")):
        path = here / f"{name}.toml"
        path.write_text(TOML)
        os.utime(path, (1000 + place, 1000 + place))
        database, _ = new_database(here / f"{name}.db")
        database.close()
        os.utime(here / f"{name}.db", (1000 + place, 1000 + place))
    database, _ = new_database(tmp_path / "elsewhere.db")
    database.close()
    entries = listed(recent=[tmp_path / "elsewhere.db", here / "older.db", tmp_path / "gone.db"])
    names = [entry.path.name for entry in entries]
    others = [f"{name}.toml" for name in bundled() if name != "local-lab"]
    assert names == ["local-lab.toml", "newer.toml", "older.toml", *others, "elsewhere.db", "newer.db", "older.db"]
    assert all(entry.is_read and not entry.problem for entry in entries)
    assert {entry.state for entry in entries if entry.is_database} == {RunnerState.NOT_STARTED}
    assert entries[1].name == entries[-1].name == "small"


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("syntax.toml", b"a = = b", "syntax.toml"),
        ("faults.toml", b"[campaign]\nname = 'a b'\n[design]\nruns = 0\n", "campaign.name"),
        ("bytes.toml", b"[campaign]\nname = '\xff'", "not UTF-8"),
        ("text.db", b"hello", "not a database"),
        ("empty.db", b"", "not a results database"),
        ("torn.db", b"SQLite format 3\0" + bytes(500), "torn.db"),
    ],
)
def test_a_broken_file_is_a_line_that_says_so(here: Path, name: str, raw: bytes, words: str) -> None:
    (here / name).write_bytes(raw)
    [entry] = [entry for entry in listed() if entry.path.name == name]
    assert words in f"{entry.path.name} {entry.problem}"
    assert entry.problem
    assert "\n" not in entry.problem


def test_toml_of_something_else_is_not_listed(here: Path) -> None:
    (here / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert "pyproject.toml" not in [entry.path.name for entry in listed()]


def test_what_has_not_changed_is_not_read_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "mine.toml").write_text(TOML)
    known = listed()
    read: list[str] = []
    monkeypatch.setattr(shelves, "_read", lambda entry: read.append(entry.path.name) or entry)
    list(shelf(known))
    assert read == []
    running = [replace(entry, state=RunnerState.RUNNING) for entry in known]
    list(shelf(running))
    assert "mine.toml" in read


def test_a_database_that_was_opened_elsewhere_is_listed(here: Path, tmp_path: Path) -> None:
    memory = Memory().opened(tmp_path / "one.db").opened(tmp_path / "two.db").opened(tmp_path / "one.db")
    assert memory.databases == (tmp_path / "one.db", tmp_path / "two.db")
