"""What the real backend makes of a campaign file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpcvirt.core.config import Choice, parse_campaign
from hpcvirt.core.errors import PlanChanged
from hpcvirt.core.model import ALL_NODES
from hpcvirt.core.plan import make_plan
from hpcvirt.core.preflight import Level
from hpcvirt.tui import launch
from hpcvirt.tui.backend import LocalBackend
from hpcvirt.tui.commands import app
from hpcvirt.tui.draft import outlook, whole
from tests.core.factories import TOML

APART = TOML.replace('name = "native"\n\n', 'name = "native"\nexpect = { cpus = 4 }\n\n').replace(
    'name = "other"\n', 'name = "other"\nexpect = { cpus = 2 }\n'
)
WIDE = '[[benchmark]]\nplugin = "stream"\nscope = "cluster"\nparameters = { ntimes = 5 }\n'
PHASES = '[["stream array_size=2000000 ntimes=10 threads=1"], ["stream array_size=2000000 ntimes=5 threads=1"]]'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_draft_says_what_a_pick_costs_shows_and_confounds(folder: Path) -> None:
    (folder / "small.toml").write_text(APART + WIDE)
    draft = LocalBackend().load_draft(Path("small.toml"))
    told = draft.forecast(whole(draft))
    assert told is not None
    assert told.detectable is not None
    assert (told.boot_sd, told.run_sd, told.is_measured) == (0.01, 0.01, False)
    differing, together = told.warnings
    assert differing == "other and native differ in CPUs too: 2, 4"
    assert together.startswith("nodes move together")


def test_setup_counts_as_plan_does(folder: Path) -> None:
    """With phases, a benchmark over all nodes, and warm-ups: what the operator consents to is what is done."""
    text = TOML.replace("blocks = 2", f"blocks = 2\nwarmup = 1\nphases = {PHASES}").replace(
        'name = "other"\n', 'name = "other"\nboot = "grub"\nentry = "other"\nexpect = { release = "6.1.0" }\n'
    )
    text = text.replace("[lab]\nnodes = 2\n", '[[node]]\nname = "n[1-2]"\n')
    (folder / "small.toml").write_text(text + WIDE)
    draft = LocalBackend().load_draft(Path("small.toml"))
    told = {line.what: line.how for line in outlook(draft, whole(draft))}
    planned = make_plan(parse_campaign(text + WIDE))
    visits = [boot for boot in planned.boots if boot.node != ALL_NODES]
    reboots = sum(boot.kernel == "other" for boot in visits)
    assert (len(visits), reboots) == (16, 8)
    assert told["16 boots"] == "2 kernels × 2 blocks × 2 phases on each node"
    assert told["8 reboots"] == "n1, n2 into other, 4 times each; not where others work"
    assert sum(not run.is_warmup for run in planned.runs) == 24
    assert told["24 runs"] == "4 per kernel, benchmark, on each node or over all; 2 in each boot"
    assert "12 warm-up runs" in told
    printed = CliRunner().invoke(app, ["plan", "small.toml"]).output
    assert "small: 16 boots (8 of them reboots), 24 runs and 12 warm-up runs\n" in printed


def test_one_block_is_warned_of_as_plan_does(folder: Path) -> None:
    (folder / "small.toml").write_text(TOML)
    draft = LocalBackend().load_draft(Path("small.toml"))
    told = draft.forecast(replace(whole(draft), blocks=1))
    assert told is not None
    assert told.warnings == ("one boot per kernel: what the boot did and what the kernel does cannot be told apart",)


def test_what_cannot_be_had_here_is_not_offered(folder: Path) -> None:
    (folder / "small.toml").write_text(TOML.replace('"other"', '"other"\noptional = true\nwrap = ["/no/such"]'))
    draft = LocalBackend().load_draft(Path("small.toml"))
    assert [kernel.name for kernel in draft.kernels] == ["native"]
    assert "kernel other is left out" in draft.left_out[0]


def test_a_check_looks_at_what_is_picked(folder: Path) -> None:
    text = TOML.replace('name = "other"', 'name = "other"\nexpect = { release = "2.4.*" }')
    (folder / "small.toml").write_text(text)
    backend = LocalBackend()
    draft = backend.load_draft(Path("small.toml"))
    found = backend.check(draft, whole(draft))
    assert sum("is not in kernel other" in one.message for one in found if one.level is Level.FAILURE) == 2
    pick = type(whole(draft))(("native",), whole(draft).benchmarks, 1, 1)
    assert not any(one.level is Level.FAILURE for one in backend.check(draft, pick))


def test_a_yes_is_to_what_was_shown(folder: Path) -> None:
    """Between the dialog and the start the file gets another node: that is not what the operator agreed to."""
    text = TOML.replace('name = "other"\n', 'name = "other"\noptional = true\nwrap = ["/no/such"]\n')
    (folder / "small.toml").write_text(text)
    draft = LocalBackend().load_draft(Path("small.toml"))
    shown = replace(whole(draft), runs=6, blocks=3)
    file, _ = launch.chosen(draft.path, Choice(runs=6, blocks=3))
    assert draft.digest(shown) == make_plan(file.campaign).digest
    (folder / "small.toml").write_text(text.replace("nodes = 2", "nodes = 3"))
    with pytest.raises(PlanChanged, match=r"small.toml is not what you were asked about"):
        LocalBackend().start(draft, shown)
    assert list(folder.glob("*.db*")) == []
