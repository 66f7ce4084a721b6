"""What is remembered, and what the operator's settings change."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpcvirt.core.store.records import Snapshot
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.tui import keys, themes
from hpcvirt.tui.app import HpcvirtApp
from hpcvirt.tui.calling import news, sequence
from hpcvirt.tui.memory import MOST_DATABASES, Memory, memory_path, recall, remember
from hpcvirt.tui.settings import Notify, Settings, read_settings, settings_path
from tests.tui.screen_samples import DATABASE, finished, make_card, make_snapshot, watched
from tests.tui.seeing import Eye


def settings(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return read_settings(path)


def test_where_the_files_are() -> None:
    assert settings_path({"XDG_CONFIG_HOME": "/c"}) == Path("/c/hpcvirt-tui/settings.toml")
    assert settings_path({}) == Path("~/.config/hpcvirt-tui/settings.toml").expanduser()
    assert memory_path({"XDG_STATE_HOME": "/s"}) == Path("/s/hpcvirt-tui/screen.json")
    assert memory_path({}) == Path("~/.local/state/hpcvirt-tui/screen.json").expanduser()


def test_what_is_remembered_is_recalled(tmp_path: Path) -> None:
    path = tmp_path / "new" / "screen.json"
    memory = Memory("nord", (Path("/a.db"),))
    remember(path, memory)
    assert recall(path) == memory
    assert [one.name for one in path.parent.iterdir()] == ["screen.json"]


NO_GOOD = ["", "{", "[]", "3", '{"theme": 4, "databases": 5}', '{"databases": [1, null]}', "\xff"]


@pytest.mark.parametrize("text", NO_GOOD)
def test_a_memory_that_is_no_good_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "screen.json"
    path.write_bytes(text.encode("latin-1"))
    assert recall(path) == Memory()


def test_only_so_much_is_remembered() -> None:
    memory = Memory()
    for number in range(20):
        memory = memory.opened(Path(f"/{number}.db"))
    assert len(memory.databases) == MOST_DATABASES
    assert memory.databases[0] == Path("/19.db")


def test_where_nothing_can_be_written_nothing_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    remember(tmp_path / "file" / "screen.json", Memory("nord"))
    assert recall(tmp_path / "file" / "screen.json") == Memory()


def test_no_file_is_no_problem(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "none.toml") == Settings()


def test_settings_are_read(tmp_path: Path) -> None:
    told = settings(tmp_path, 'notify = "bell"\n[keys]\nstop = "ctrl+x, f5"\n"pane.setup" = "!"\n')
    assert told == Settings(Notify.BELL, {"stop": "ctrl+x,f5", "pane.setup": "!"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("notify = = 1", "line 1"),
        ('notifi = "bell"', "did you mean 'notify'?"),
        ('notify = "loud"', "one of off, bell, terminal, not 'loud'"),
        ("notify = []", "one of off"),
        ("keys = 3", "a table of actions and keys"),
        ('[keys]\nstp = "a"', "did you mean 'stop'?"),
        ("[keys]\nstop = 3", "a key, or several by comma"),
        ('[keys]\nstop = ""', "a key, or several by comma"),
        ('[keys]\nstop = "q"', "q is the key of leave"),
        ('[keys]\nstop = "s"', "s is the key of start"),
    ],
)
def test_what_is_wrong_is_said_and_left_out(tmp_path: Path, text: str, words: str) -> None:
    told = settings(tmp_path, text)
    assert words in " ".join(told.problems)
    assert (told.notify, dict(told.keys)) == (Notify.OFF, {})


def test_keys_of_different_panes_may_be_the_same(tmp_path: Path) -> None:
    assert not settings(tmp_path, '[keys]\nskip = "o"\n').problems, "`o` sorts in Results only"
    assert not settings(tmp_path, '[keys]\nstop = "q"\nleave = "f10"\n').problems


@pytest.mark.parametrize("problem", ["settings.toml: keys.x: no such action [/]"])
async def test_problems_are_told_when_the_screen_opens(problem: str) -> None:
    async with opened(Settings(problems=(problem,))) as eye:
        await eye.until("Settings", "no such action [/]")


def opened(told: Settings, memory: Memory | None = None):
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def open_it():
        backend = watched(make_snapshot())
        app = HpcvirtApp(None, DATABASE, backend=backend, settings=told, memory=memory)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            yield Eye(app, pilot, backend)

    return open_it()


async def test_another_key_does_it_and_the_old_one_does_not() -> None:
    async with opened(Settings(keys={"pause": "f5"})) as eye:
        await eye.until("148/400 runs", "f5 Pause")
        await eye.press("p")
        await eye.press("f5")
        await eye.wait(lambda: eye.backend.wishes)
        assert eye.backend.wishes == [(DATABASE, "pause")]
        titles = {command.title: command.help for command in eye.app.get_system_commands(eye.app.screen)}
        assert "(key f5)" in titles["Campaign: Pause"]
        await eye.press("question_mark")
        assert "f5" in keys.help_text("live", eye.app.settings.keys).plain


async def test_a_key_that_was_shared_stays_with_the_others() -> None:
    async with opened(Settings(keys={"check": "f6"})) as eye:
        await eye.until("148/400 runs")
        await eye.press("4")
        await eye.until("relative")
        await eye.press("c")
        await eye.until("What is drawn")


# -- called out


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (make_snapshot(ok=149), ""),
        (make_snapshot(RunnerState.PAUSED), ""),
        (finished(), "local-lab: finished"),
        (make_snapshot(RunnerState.STOPPED), "local-lab: stopped before the end"),
        (make_snapshot(RunnerState.FAILED), "local-lab: ended: a node, a kernel or the database could not be used"),
        (make_snapshot(RunnerState.CRASHED), "local-lab: its runner is gone without a word"),
        (make_snapshot(given_up=2), "local-lab: 2 runs given up"),
        (make_snapshot(nodes=[make_card("node1", state="set aside")]), "local-lab: node1 set aside"),
    ],
)
def test_what_an_operator_is_called_for(now: Snapshot, words: str) -> None:
    assert news(make_snapshot(), now) == words
    assert news(now, now) == ""
    assert news(None, now) == "", "what was so when the screen opened is no news"
    assert news(make_snapshot(path=Path("/another.db")), now) == ""


def test_how_an_operator_is_called() -> None:
    assert sequence("mine: finished; [/]", Notify.TERMINAL) == "\x1b]9;mine: finished, [/]\a\a"
    assert sequence("mine: finished", Notify.BELL) == "\a"
    assert sequence("mine: finished", Notify.OFF) == ""
    assert sequence("", Notify.BELL) == ""


async def test_the_theme_is_remembered() -> None:
    async with opened(Settings(), Memory("nord")) as eye:
        assert eye.app.theme == "nord"
        eye.app.theme = themes.LIGHT
        await eye.wait(lambda: any(memory.theme == themes.LIGHT for memory in eye.backend.remembered))
    async with opened(Settings(), Memory("gone")) as eye:
        assert eye.app.theme == themes.DARK
