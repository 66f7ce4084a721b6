"""``plan`` as it is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpcvirt.core.config import parse_campaign
from hpcvirt.core.plan import make_plan
from hpcvirt.core.store.creation import Frozen
from hpcvirt.core.store.database import Database
from hpcvirt.tui.commands import app
from tests.core.factories import TOML, do_run, ended

ON_NODES = TOML.replace("[lab]\nnodes = 2\n", '[[node]]\nname = "n[1-2]"\n')


def plan(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, *words: str) -> str:
    monkeypatch.chdir(folder)
    (folder / "small.toml").write_text(text)
    before = {path.name for path in folder.iterdir()}
    done = CliRunner().invoke(app, ["plan", "small.toml", *words])
    assert done.exit_code == 0, done.output
    assert {path.name for path in folder.iterdir()} == before
    return done.output


def test_what_it_does_costs_and_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = plan(tmp_path, monkeypatch, ON_NODES)
    assert "small: 8 boots (nothing is rebooted), 16 runs\n" in told
    assert "estimated by the plugins, nothing measured yet" in told
    assert "  a run of stream: 0.43 s (estimated)\n" in told
    assert "with 80 % power after Holm, if boots vary by 1 % and runs by 1 % (assumed: --boot-sd, --run-sd)" in told
    assert "one more block: finds " in told
    assert len([line for line in told.splitlines() if line.startswith("block ")]) == 2 * 2


def test_stated_variation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = plan(tmp_path, monkeypatch, ON_NODES, "--boot-sd", "0.03", "--run-sd", "0")
    assert "boots vary by 3 % and runs by 0 % (as stated)" in told


def test_what_was_measured_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = parse_campaign(ON_NODES)
    frozen = Frozen(campaign, make_plan(campaign), "small.toml", ON_NODES, {})
    database = Database.create(tmp_path / "small-1.db", frozen)
    for run in frozen.plan.runs:
        do_run(database, run.id, f"a{run.id}", ended(value=100.0 + run.boot.id + 0.1 * (run.number % 2)))
    database.close()
    told = plan(tmp_path, monkeypatch, ON_NODES)
    assert "as measured in small-1.db" in told
    assert " s (measured)\n" in told
    assert "(measured before)" in told


def test_warnings_stand_there_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = ON_NODES.replace('name = "native"\n', 'name = "native"\nexpect = { cpus = 4 }\n').replace(
        'name = "other"\n', 'name = "other"\nexpect = { cpus = 2 }\n'
    )
    text += 'scope = "cluster"\n[[benchmark]]\nplugin = "stream"\nparameters = { ntimes = 5 }\n'
    told = plan(tmp_path, monkeypatch, text)
    assert "differs: other against native: CPUs 2, not 4 (declared)" in told
    assert "warning: these nodes move together" in told
    assert "block 1 all nodes: " in told
    phased = text.replace(
        "blocks = 2",
        'blocks = 2\nphases = [["stream array_size=2000000 ntimes=10 threads=1"], '
        '["stream array_size=2000000 ntimes=5 threads=1"]]',
    )
    told = plan(tmp_path, monkeypatch, phased)
    assert "move together" not in told
    assert "phase 1 block 1 all nodes: " in told
    assert "phase 2 block 2 n2: " in told


@pytest.mark.parametrize("design", ['order = "sequential"', "blocks = 1"])
def test_one_boot_a_kernel_is_said_to_tell_nothing_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, design: str
) -> None:
    told = plan(tmp_path, monkeypatch, ON_NODES.replace("blocks = 2", design))
    assert "warning: one boot per kernel: what the boot did and what the kernel does cannot be told apart" in told
    assert "compared per run, " in told
    assert "too few blocks" not in told
    assert "one more block" not in told


TOGETHER = ON_NODES + 'scope = "cluster"\n[[benchmark]]\nplugin = "stream"\nparameters = { ntimes = 5 }\n'


def test_what_nodes_have_in_common_is_two_ends_or_stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = plan(tmp_path, monkeypatch, TOGETHER)
    (low, high) = re.search(r": finds a difference of (\S+) % to (\S+) % with 80 %", both).groups()  # type: ignore[union-attr]
    assert "have nothing in common, the second if all of their variation is common: not measured yet (--shared)" in both
    for shared, end in (("0", low), ("1", high)):
        stated = plan(tmp_path, monkeypatch, TOGETHER, "--shared", shared)
        assert f": finds a difference of {end} % with 80 % power after Holm" in stated
        assert f"  {100 * int(shared)} % of the variance between boots is common to nodes that move together" in stated
    assert "--shared" not in plan(tmp_path, monkeypatch, ON_NODES)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('correction = "none"', "with 80 % power on raw p, if"),
        ('method = "paper"', "with 80 % power on raw p, if"),
        ('correction = "bh"', "with 80 % power after Benjamini-Hochberg, nothing else being different, if"),
    ],
)
def test_the_correction_is_the_campaigns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str, words: str
) -> None:
    assert words in plan(tmp_path, monkeypatch, ON_NODES.replace("[analysis]", f"[analysis]\n{lines}"))
