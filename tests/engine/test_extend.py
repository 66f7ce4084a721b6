"""More blocks for a campaign that has started, and what is told of a file that has changed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpcvirt.core.config import Choice, choose, parse_campaign
from hpcvirt.core.engine.begin import begin, frozen_campaign, unfinished_of_other_plans
from hpcvirt.core.engine.changes import changes
from hpcvirt.core.engine.extend import extend
from hpcvirt.core.engine.lock import runner_lock
from hpcvirt.core.errors import PlanChanged, RebootsUnconfirmed, StoreLocked, UsageWrong
from hpcvirt.core.model import Campaign
from hpcvirt.core.plan import canonical_json, make_plan
from hpcvirt.core.process import operator, this_process
from hpcvirt.core.store.bringups import Consent
from hpcvirt.core.store.creation import Frozen
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.queries import read_frozen, read_snapshot, read_totals
from hpcvirt.tui.commands import app
from tests.core.factories import TOML, do_run, ended


def make(path: Path, text: str = TOML, choice: Choice | None = None) -> Campaign:
    """A database whose text and plan belong together."""
    told = choose(parse_campaign(text), choice or Choice())
    frozen = Frozen(told, make_plan(told), "small.toml", text, {}, dataclasses.asdict(choice or Choice()))
    Database.create(path, frozen).close()
    return told


def finish(path: Path) -> None:
    database = Database(path)
    for run in make_plan(frozen_campaign(path).campaign).runs:
        if run.id not in database.histories():
            do_run(database, run.id, f"a{run.id}", ended())
    database.runner_ended(database.register_runner(this_process()), "done")
    database.close()


def test_an_extended_campaign_goes_on_with_what_was_added(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    make(path)
    finish(path)
    with pytest.raises(UsageWrong, match="is finished"):
        frozen_campaign(path)
    done = extend(path, 3, "me@login")
    assert (done.blocks, done.boots, done.runs) == (3, 3 * 2 * 2, 3 * 2 * 2 * 2)
    assert read_totals(path)[0] == 16 + 24
    assert not read_frozen(path).is_finished
    going_on = frozen_campaign(path).campaign
    plan = make_plan(going_on)
    assert (len(plan.runs), going_on.design.added_blocks) == (40, 3)
    assert read_frozen(path).amendments[-1].plan_sha256 == plan.digest
    finish(path)
    assert read_totals(path) == (40, 40, 0)
    assert {cell.planned for cell in read_snapshot(path).cells} == {2 * 10}


def test_amendments_add_up_and_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    make(path)
    extend(path, 1, "me@login")
    told = CliRunner().invoke(app, ["extend", str(path), "--blocks", "2"])
    assert told.exit_code == 0, told.output
    assert "2 blocks added: 8 boots, 16 runs" in told.output
    assert frozen_campaign(path).campaign.design.added_blocks == 3
    assert [(one.blocks, one.runs) for one in read_snapshot(path).amendments] == [(1, 8), (2, 16)]
    shown = CliRunner().invoke(app, ["status", str(path)]).output
    assert "by me@login: 1 blocks (8 runs) added" in shown


def test_the_file_goes_on_in_the_extended_database(tmp_path: Path) -> None:
    path = tmp_path / "small-20260101T000000Z.db"
    make(path)
    extend(path, 1, "me")
    file = frozen_campaign(path)
    told = dataclasses.replace(file, campaign=parse_campaign(TOML))
    assert begin(told, tmp_path) == path


def test_where_nodes_are_rebooted_the_operator_is_asked_anew(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    lines = 'boot = "grub"\nentry = "other"\nexpect = { release = "6.1.0" }\n'
    text = TOML.replace('name = "other"\n', f'name = "other"\n{lines}').replace(
        "[lab]\nnodes = 2", '[[node]]\nname = "n1"'
    )
    make(path, text)
    frozen_campaign(path, consent=Consent(operator()))
    frozen_campaign(path)
    told = CliRunner().invoke(app, ["extend", str(path), "--blocks", "2"])
    assert f"run {path} --yes" in told.output
    refused = CliRunner().invoke(app, ["run", str(path)])
    assert isinstance(refused.exception, RebootsUnconfirmed)
    assert "reboots n1 into other, 4 times each; the yes of" in refused.exception.message
    assert frozen_campaign(path, consent=Consent(operator())).campaign.design.added_blocks == 2
    frozen_campaign(path)


def test_what_was_picked_is_extended(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    make(path, choice=Choice(runs=3, blocks=3, kernels=("native",)))
    assert extend(path, 1, "me").runs == 1 * 2 * 1


def test_a_sequential_campaign_has_no_blocks_to_add(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    make(path, TOML.replace("blocks = 2", 'order = "sequential"'))
    before = path.read_bytes()
    with pytest.raises(UsageWrong, match="sequential"):
        extend(path, 1, "me")
    assert path.read_bytes() == before


def test_not_while_a_runner_works_on_it(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    make(path)
    with runner_lock(path), pytest.raises(StoreLocked):
        extend(path, 1, "me")
    assert read_totals(path)[0] == 16


@pytest.mark.parametrize("blocks", ["0", "-1", "x", "100000"])
def test_counts_that_cannot_be(tmp_path: Path, blocks: str) -> None:
    path = tmp_path / "small.db"
    make(path)
    done = CliRunner().invoke(app, ["extend", str(path), "--blocks", blocks])
    assert done.exit_code != 0
    assert read_totals(path)[0] == 16


# -- a file that has changed

LARGER = TOML.replace("runs = 4", "runs = 6").replace('name = "other"', 'name = "new"\nwrap = ["nice"]')


def differences(was: str, now: str) -> list[str]:
    old, new = (json.loads(canonical_json(dataclasses.asdict(parse_campaign(text)))) for text in (was, now))
    return changes(old, new)


def test_changes_are_called_as_in_the_file() -> None:
    assert differences(TOML, LARGER) == ["design.runs: was 4, is 6", "kernel other: is gone", "kernel new: is new"]
    wrapped = TOML.replace('name = "other"', 'name = "other"\nwrap = ["nice"]\nexpect = { cpus = 2 }')
    assert differences(TOML, wrapped) == [
        "kernel other.expect.cpus: was not there, is 2",
        "kernel other.wrap: was [], is ['nice']",
    ]
    assert differences(TOML, TOML) == []
    swapped = TOML.replace('"native"\n\n[[', '"x"\n\n[[').replace('"other"', '"native"').replace('"x"\n', '"other"\n')
    assert "kernels: stand in another order" in differences(TOML, swapped)
    matrix = TOML + "parameters = { ntimes = [10, 20] }\n"
    assert differences(TOML, matrix) == ["benchmark stream array_size=2000000 ntimes=20 threads=1: is new"]


def test_another_plan_is_refused_with_what_differs_and_the_choices(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    make(path)
    file = dataclasses.replace(frozen_campaign(path), campaign=parse_campaign(LARGER))
    with pytest.raises(PlanChanged) as caught:
        begin(file, tmp_path, path)
    assert "\n  design.runs: was 4, is 6\n" in caught.value.message
    for words in (f"run {path}", f"extend {path} --blocks", "--db ANOTHER.db"):
        assert words in caught.value.hint


def test_unfinished_databases_of_another_plan_are_found(tmp_path: Path) -> None:
    other = tmp_path / "small-20260101T000000Z.db"
    make(other, LARGER)
    same = tmp_path / "small-20260102T000000Z.db"
    make(same)
    digest = read_frozen(same).digest
    assert unfinished_of_other_plans(tmp_path, "small", digest) == [other]
    finish(other)
    assert unfinished_of_other_plans(tmp_path, "small", digest) == []
