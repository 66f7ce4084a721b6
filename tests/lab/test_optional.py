"""A kernel that this machine may not allow: proved before the campaign begins, or left out of it, and said."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpcvirt.campaigns import bundled
from hpcvirt.core.config import Choice, parse_campaign, read_campaign
from hpcvirt.core.engine.begin import frozen_campaign
from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.lab.optional import choose_here
from hpcvirt.tui import launch
from hpcvirt.tui.commands import app
from tests.core.factories import TOML

NOT_HERE = TOML.replace('name = "other"', 'name = "other"\noptional = true\nwrap = ["/no/such/unshare"]')
UNPROVED = TOML.replace(
    'name = "other"',
    'name = "other"\noptional = true\nwrap = ["env"]\nexpect = { probe = { command = "echo 7", matches = "1" } }',
)
HERE = UNPROVED.replace('matches = "1"', 'matches = "7"')


def may_unshare() -> bool:
    """Asked the way an operator would."""
    words = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc", "true"]
    return (
        shutil.which("unshare") is not None and subprocess.run(words, capture_output=True, check=False).returncode == 0
    )


@pytest.mark.parametrize(("text", "why"), [(NOT_HERE, "/no/such/unshare"), (UNPROVED, "probe: expected 1, found 7")])
def test_what_cannot_be_had_is_left_out_and_said(text: str, why: str) -> None:
    choice, lacking = choose_here(parse_campaign(text), Choice(runs=3, blocks=1))
    assert choice == Choice(kernels=("native",), runs=3, blocks=1)
    assert list(lacking) == ["other"]
    assert why in lacking["other"]


def test_what_can_be_had_is_not_touched() -> None:
    assert choose_here(parse_campaign(HERE), Choice()) == (Choice(), {})
    assert choose_here(parse_campaign(TOML), Choice()) == (Choice(), {})


def test_what_is_not_optional_is_never_left_out() -> None:
    text = NOT_HERE.replace("optional = true\n", "")
    assert choose_here(parse_campaign(text), Choice()) == (Choice(), {})


def test_picked_by_name_it_is_refused() -> None:
    with pytest.raises(UsageWrong, match="kernel other cannot be had on this machine"):
        choose_here(parse_campaign(NOT_HERE), Choice(kernels=("native", "other")))
    assert choose_here(parse_campaign(NOT_HERE), Choice(kernels=("native",))) == (Choice(kernels=("native",)), {})


def test_what_was_left_out_is_frozen_as_not_picked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hpcvirt.core.engine.begin.build", lambda told, folder: {})
    (tmp_path / "small.toml").write_text(NOT_HERE)
    file, database = launch.prepare(Path("small.toml"), Choice())
    assert [kernel.name for kernel in file.campaign.kernels] == ["native"]
    with closing(sqlite3.connect(database)) as connection:
        (choice,) = connection.execute("SELECT choice FROM campaign").fetchone()
    assert json.loads(choice)["kernels"] == ["native"]
    assert frozen_campaign(database).campaign == file.campaign
    assert launch.prepare(Path("small.toml"), Choice())[1] == database


@pytest.mark.parametrize("command", ["plan", "check"])
def test_it_is_said(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(NOT_HERE)
    done = CliRunner().invoke(app, [command, "small.toml"])
    assert done.exit_code == 0, done.output
    assert "kernel other is left out: this machine does not allow it: " in done.output


def test_the_sandbox_of_the_local_lab_is_there_where_unshare_may() -> None:
    campaign = read_campaign(bundled()["local-lab"]).campaign
    _, lacking = choose_here(campaign, Choice())
    assert (list(lacking) == []) is may_unshare(), lacking
