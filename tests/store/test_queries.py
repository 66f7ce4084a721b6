"""The reading side: what a screen is told of a campaign, and which files are none of ours."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hpcvirt.core.errors import StoreUnusable
from hpcvirt.core.model import Better, Status
from hpcvirt.core.process import this_process
from hpcvirt.core.store import bringups, schema
from hpcvirt.core.store.bringups import Step
from hpcvirt.core.store.database import Database
from hpcvirt.core.store.queries import (
    fingerprint,
    read_campaign_record,
    read_frozen,
    read_measurements,
    read_pulse,
    read_runner,
    read_snapshot,
    read_telemetry,
    read_totals,
    read_values,
    write_wish,
)
from hpcvirt.core.store.runner_state import RunnerState
from hpcvirt.core.store.samples import Sample
from tests.core.factories import DEAD, STREAM, TOML, campaign, do_run, ended, new_database, process

LONGER = replace(STREAM, parameters={"array_size": 2000, "ntimes": 2, "threads": 1})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "small.db"


def run_all(database: Database, runs: int, first: int = 1) -> None:
    for run in range(first, first + runs):
        do_run(database, run, f"a{run}", ended(value=float(run)))


def change(path: Path, sql: str, values: tuple[object, ...] = ()) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute(sql, values)
    finally:
        connection.close()


# -- files that are not ours


def foreign(path: Path) -> None:
    change(path, "CREATE TABLE campaign (id)")


def foreign_of_our_version(path: Path) -> None:
    foreign(path)
    change(path, f"PRAGMA user_version = {schema.USER_VERSION}")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("campaign = 1\n" * 500)


def folder(path: Path) -> None:
    path.mkdir()


def missing(path: Path) -> None:
    assert not path.exists()


def another_version(path: Path) -> None:
    new_database(path)[0].close()
    change(path, f"PRAGMA user_version = {schema.USER_VERSION + 1}")


@pytest.mark.parametrize("make", [foreign, foreign_of_our_version, empty, text, folder, missing, another_version])
@pytest.mark.parametrize(
    "read",
    [
        read_snapshot,
        read_runner,
        read_totals,
        read_frozen,
        read_campaign_record,
        read_measurements,
        read_values,
        lambda path: write_wish(path, "stop", "me"),
    ],
)
def test_what_is_not_ours_is_refused_and_left_alone(
    path: Path, make: Callable[[Path], None], read: Callable[[Path], object]
) -> None:
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreUnusable) as caught:
        read(path)
    assert str(path) in caught.value.message
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_name_with_every_sign_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a ?#%41&mode=rwc é.db"
    new_database(path)[0].close()
    assert read_totals(path) == (16, 0, 0)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_reading_writes_nothing(path: Path) -> None:
    new_database(path)[0].close()
    before = path.read_bytes()
    read_snapshot(path)
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == ["small.db"]


# -- the snapshot


def test_a_new_campaign(path: Path) -> None:
    new_database(path)[0].close()
    found = read_snapshot(path)
    assert (found.planned, found.ok, found.given_up, found.is_finished) == (16, 0, 0, False)
    assert found.runner.state is RunnerState.NOT_STARTED
    assert found.campaign.kernels == ("native", "other")
    assert found.campaign.nodes == ("node1", "node2")
    assert (found.campaign.runs, found.campaign.blocks, found.campaign.seed) == (4, 2, 7)
    assert not found.campaign.is_rebooted
    assert [(card.name, card.state, card.kernel, card.boot, card.boots) for card in found.nodes] == [
        ("node1", "waiting", None, 0, 4),
        ("node2", "waiting", None, 0, 4),
    ]
    assert [(cell.kernel, cell.planned, cell.ok) for cell in found.cells] == [("native", 8, 0), ("other", 8, 0)]
    assert read_frozen(path).text == TOML


def test_totals_count_runs_and_not_attempts(path: Path) -> None:
    database, _ = new_database(path)
    do_run(database, 1, "a1", ended(Status.FAILED))
    do_run(database, 1, "a2", ended())
    for attempt in ("b1", "b2"):
        do_run(database, 2, attempt, ended(Status.VOID))
    database.give_up(2, "why not")
    do_run(database, 3, "c1", None)
    do_run(database, 4, "d1", ended(Status.ABORTED))
    database.close()
    found = read_snapshot(path)
    assert (found.planned, found.ok, found.given_up) == read_totals(path) == (16, 1, 1)
    assert found.statuses == {"failed": 1, "ok": 1, "void": 2, "aborted": 1}
    assert sum(cell.ok for cell in found.cells) == 1
    assert sum(cell.given_up for cell in found.cells) == 1
    assert sum(cell.spoilt for cell in found.cells) == 3


def test_a_node_card_follows_its_node(path: Path) -> None:
    database, plan = new_database(path)
    boot = plan.boots[0]
    database.node_state(boot.node, "proving", boot.kernel)
    database.boot_started(boot.id)
    card = next(card for card in read_snapshot(path).nodes if card.name == boot.node)
    assert (card.state, card.kernel, card.is_proved, card.release) == ("proving", boot.kernel, False, "")
    database.boot_proved(boot.id, {"boot_id": "b", "release": "6.1"}, {}, rebooted=False)
    mine = [run.id for run in plan.runs if run.boot == boot]
    for run, value in zip(mine, (10.0, 20.0), strict=True):
        do_run(database, run, f"a{run}", ended(value=value))
    card = next(card for card in read_snapshot(path).nodes if card.name == boot.node)
    assert (card.is_proved, card.release, card.boot, card.boots, card.block) == (True, "6.1", 1, 4, 1)
    assert (card.run, card.runs, card.ok, card.planned) == (2, 4, 2, 8)
    assert (card.last_value, card.mean_value, card.unit) == (20.0, 15.0, "MB/s")
    database.close()


def test_the_newest_event_stands_last(path: Path) -> None:
    database, _ = new_database(path)
    for number in range(250):
        database.event("info", str(number))
    database.close()
    assert [event.message for event in read_snapshot(path).events] == [str(number) for number in range(50, 250)]


def test_a_fingerprint_changes_with_every_write(path: Path) -> None:
    database, _ = new_database(path)
    seen = [fingerprint(path)]
    for number in range(3):
        database.event("info", str(number))
        seen.append(fingerprint(path))
    database.close()
    seen.append(fingerprint(path))
    assert len(set(seen)) == 5
    assert fingerprint(path) == seen[-1]
    assert fingerprint(path.with_name("none.db")) == (None, None)


# -- results


def test_results_are_rows_in_the_order_of_time(path: Path) -> None:
    database, plan = new_database(path)
    for run in (3, 1, 2):
        do_run(database, run, f"a{run}", ended(value=float(run)))
    do_run(database, 4, "bad", ended(Status.FAILED))
    database.close()
    found = read_measurements(path)
    assert [(row.run, row.metric) for row in found] == [
        (plan.runs[run].number, metric) for run in (2, 0, 1) for metric in ("copy", "scale", "add", "triad")
    ]
    assert [row.value for row in found[::4]] == [3.0, 1.0, 2.0]
    first = found[4]
    assert (first.campaign, first.block, first.benchmark) == ("small", 1, "stream")
    assert (first.kernel, first.node) == (plan.runs[0].boot.kernel, plan.runs[0].boot.node)
    assert (first.status, first.unit, first.better, first.attempt) == ("ok", "MB/s", Better.HIGHER, 1)
    assert first.parameters == '{"array_size":1000,"ntimes":2,"threads":1}'


def test_values_are_filed_under_their_own_kernel_node_and_block(path: Path) -> None:
    database, plan = new_database(path)
    run_all(database, 16)
    database.close()
    values = read_values(path)
    for kernel in ("native", "other"):
        column = values.of(1, "copy", kernel)
        found = sorted(zip(column.value, column.node, column.block, column.boot, strict=True))
        assert found == [
            (float(run.id), int(run.boot.node == "node2"), run.boot.block - 1, run.boot.id)
            for run in plan.runs
            if run.boot.kernel == kernel
        ]
    assert values.attempts == {(1, "native"): {"ok": 8}, (1, "other"): {"ok": 8}}
    assert len(values.of(1, "copy", "nothing")) == 0


# -- the runner


def state(path: Path) -> RunnerState:
    found = read_runner(path).state
    assert found is read_snapshot(path).runner.state
    return found


def test_the_runners_states(path: Path) -> None:
    database, _ = new_database(path)
    assert state(path) is RunnerState.NOT_STARTED
    runner = database.register_runner(process())
    assert state(path) is RunnerState.RUNNING
    write_wish(path, "pause", "me")
    assert state(path) is RunnerState.PAUSED
    write_wish(path, "resume", "me")
    assert state(path) is RunnerState.RUNNING
    database.runner_ended(runner, "stopped")
    assert state(path) is RunnerState.STOPPED
    database.runner_ended(runner, "failed")
    assert state(path) is RunnerState.FAILED
    runner = database.register_runner(process())
    assert state(path) is RunnerState.RUNNING
    run_all(database, 16)
    database.runner_ended(runner, "done")
    assert state(path) is RunnerState.FINISHED
    database.close()
    assert state(path) is RunnerState.FINISHED


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"pid": DEAD}, RunnerState.CRASHED),
        ({"pid_start": 1}, RunnerState.CRASHED),
        ({"boot_id": "before the reboot"}, RunnerState.CRASHED),
        ({"host": "another"}, RunnerState.ELSEWHERE),
        ({}, RunnerState.RUNNING),
    ],
)
def test_a_runner_that_did_not_say_goodbye(path: Path, changed: dict[str, str | int], expected: RunnerState) -> None:
    database, _ = new_database(path)
    database.register_runner(process(**changed))
    database.close()
    assert state(path) is expected
    assert read_runner(path).process == process(**changed)


def test_given_up_runs_are_left_by_a_finished_runner(path: Path) -> None:
    database, _ = new_database(path)
    runner = database.register_runner(process(pid=DEAD))
    run_all(database, 15)
    database.give_up(16, "why not")
    database.runner_ended(runner, "done")
    database.close()
    assert state(path) is RunnerState.FINISHED
    assert read_snapshot(path).is_finished


def test_a_wish_is_one_row(path: Path) -> None:
    database, _ = new_database(path)
    write_wish(path, "stop", "me@'); DROP TABLE wishes; --")
    assert [wish.kind for wish in database.open_wishes()] == ["stop"]
    database.close()


def test_an_unknown_wish_is_refused(path: Path) -> None:
    new_database(path)[0].close()
    with pytest.raises(StoreUnusable):
        write_wish(path, "explode", "me")


def test_who_may_not_write_cannot_steer(path: Path) -> None:
    new_database(path)[0].close()
    if os.geteuid() == 0:
        pytest.skip("root may write everything")
    path.chmod(0o400)
    with pytest.raises(StoreUnusable):
        write_wish(path, "stop", "me")


# -- when it is done


def timed(path: Path, run: int, started: datetime, seconds: float) -> None:
    """Give an attempt a begin and an end."""
    ends = (started + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    values = (started.isoformat().replace("+00:00", "Z"), ends, f"a{run}")
    change(path, "UPDATE attempts SET started_at = ?, ended_at = ? WHERE id = ?", values)


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_unknown_until_every_benchmark_ran_once(path: Path) -> None:
    database, plan = new_database(path, campaign(benchmarks=(STREAM, LONGER), nodes=("node1",)))
    assert read_snapshot(path).eta_s is None
    first = plan.runs[0]
    run_all(database, 1)
    assert read_snapshot(path).eta_s is None
    other = next(run for run in plan.runs if run.benchmark != first.benchmark)
    do_run(database, other.id, f"a{other.id}", ended())
    timed(path, first.id, NOON, 2.0)
    timed(path, other.id, NOON, 10.0)
    assert read_snapshot(path).eta_s == pytest.approx(7 * 2.0 + 7 * 10.0, abs=0.01)
    database.close()


def test_a_benchmark_that_is_done_with_need_not_be_known(path: Path) -> None:
    database, plan = new_database(path, campaign(benchmarks=(STREAM, LONGER), nodes=("node1",)))
    for run in plan.runs:
        if run.benchmark == STREAM:
            database.give_up(run.id, "why not")
        elif run.number < 4:
            do_run(database, run.id, f"a{run.id}", ended())
            timed(path, run.id, NOON, 3.0)
    assert read_snapshot(path).eta_s == pytest.approx(2 * 3.0, abs=0.01)
    database.close()


def test_a_gap_of_an_hour_between_two_lives_costs_nothing(path: Path) -> None:
    database, _ = new_database(path, campaign(nodes=("node1",)))
    run_all(database, 3)
    for number, start in enumerate((NOON, NOON + timedelta(seconds=2), NOON + timedelta(hours=1)), 1):
        timed(path, number, start, 2.0)
    assert read_snapshot(path).eta_s == pytest.approx(5 * 2.0, abs=0.01)
    database.begin_attempt("a4", 4)
    change(path, "UPDATE attempts SET started_at = ? WHERE id = 'a4'", (NOON.isoformat().replace("+00:00", "Z"),))
    database.end_attempt("a4", ended(elapsed_s=None))
    assert read_snapshot(path).eta_s == pytest.approx(4 * 2.0, abs=0.01)
    database.close()


@pytest.mark.parametrize("status", [Status.LOST, Status.ABORTED, Status.VOID])
def test_what_says_nothing_about_the_cost_is_left_out(path: Path, status: Status) -> None:
    database, _ = new_database(path, campaign(nodes=("node1",)))
    run_all(database, 1)
    timed(path, 1, NOON, 2.0)
    do_run(database, 2, "a2", ended(status))
    timed(path, 2, NOON, 500.0)
    assert read_snapshot(path).eta_s == pytest.approx(7 * 2.0, abs=0.01)
    database.close()


@pytest.mark.parametrize(("at_once", "expected"), [(None, 2 * 7.0), (1, 2 * 15.0), (2, 2 * 7.0), (9, 2 * 7.0)])
def test_nodes_work_side_by_side_as_far_as_they_may(path: Path, at_once: int | None, expected: float) -> None:
    database, plan = new_database(path, campaign(at_once=at_once))
    of = {name: [run.id for run in plan.runs if run.boot.node == name] for name in ("node1", "node2")}
    do_run(database, of["node1"][0], "a1", ended())
    timed(path, 1, NOON, 2.0)
    done = of["node2"][:1] if at_once != 1 else []
    for run in done:
        do_run(database, run, f"a{run}", ended())
        timed(path, run, NOON, 2.0)
    assert read_snapshot(path).eta_s == pytest.approx(expected, abs=0.01)
    database.close()


def test_reboots_take_their_time_once_that_is_known(path: Path) -> None:
    """From the order to the first run, with all that was tried again; what never rebooted costs nothing."""
    told = campaign(nodes=("node1",), kernels=("native", "other"), blocks=2, runs=2)
    booted = tuple(replace(kernel, boot="grub") for kernel in told.kernels)
    database, plan = new_database(path, replace(told, kernels=booted))
    first, second, *_ = plan.boots
    assert first.kernel != second.kernel
    for boot, began, up_s, run_s in ((first, NOON, 50, 60), (second, NOON + timedelta(hours=1), 5, 40)):
        assert read_snapshot(path).eta_s is None
        tried = bringups.order(database, boot.id, "old", "")
        bringups.reach(database, tried.id, Step.FAILED, "wrong")
        bringups.reach(database, bringups.order(database, boot.id, "old", "").id, Step.PROVED)
        database.boot_proved(boot.id, {"boot_id": f"b{boot.id}"}, {}, rebooted=True)
        run = next(run.id for run in plan.runs if run.boot == boot)
        do_run(database, run, f"a{run}", ended())
        timed(path, run, began + timedelta(seconds=run_s), 2.0)
        change(path, "UPDATE boots SET proved_at = ? WHERE id = ?", (stamp(began, up_s), boot.id))
        change(path, "UPDATE bringups SET ordered_at = ? WHERE boot = ? AND number = 1", (stamp(began, 0), boot.id))
    assert read_snapshot(path).eta_s == pytest.approx(2 * 2.0 + 60 + 40, abs=0.01)
    database.close()


def test_a_first_run_that_was_skipped_is_no_reason_to_take_a_late_proof_for_the_end(path: Path) -> None:
    """It ran for hours before it was proved again, after an attempt that left it in doubt."""
    told = campaign(nodes=("node1",), kernels=("native", "other"), blocks=2, runs=4)
    booted = tuple(replace(kernel, boot="grub") for kernel in told.kernels)
    database, plan = new_database(path, replace(told, kernels=booted))
    for boot in plan.boots[:2]:
        skipped, other = (run.id for run in plan.runs if run.boot == boot)
        bringups.reach(database, bringups.order(database, boot.id, "old", "").id, Step.PROVED)
        database.boot_proved(boot.id, {"boot_id": f"b{boot.id}"}, {}, rebooted=True)
        database.give_up(skipped, "why not")
        do_run(database, other, f"a{other}", ended())
        timed(path, other, NOON + timedelta(seconds=30), 2.0)
        change(path, "UPDATE boots SET proved_at = ? WHERE id = ?", (stamp(NOON, 7200), boot.id))
        change(path, "UPDATE bringups SET ordered_at = ? WHERE boot = ?", (stamp(NOON, 0), boot.id))
    assert read_snapshot(path).eta_s == pytest.approx(4 * 2.0 + 2 * 30, abs=0.01)
    database.close()


def stamp(moment: datetime, seconds: float) -> str:
    return (moment + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def test_nothing_left_is_no_time(path: Path) -> None:
    database, _ = new_database(path)
    run_all(database, 16)
    assert read_snapshot(path).eta_s == 0.0
    database.close()


def test_the_pulse_differs_after_every_write_but_those_of_telemetry(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    database, _ = new_database(path)
    pulses = [read_pulse(path)]
    writes = [
        lambda: database.event("info", "x"),
        lambda: database.node_state("node1", "proving", "native"),
        lambda: database.begin_attempt("a", 1),
        lambda: database.end_attempt("a", ended(Status.FAILED)),
        lambda: database.boot_started(1),
        lambda: database.boot_ended(1),
        lambda: write_wish(path, "pause", "me"),
        lambda: database.obey(1),
        lambda: database.register_runner(this_process()),
        lambda: database.runner_ended(1, "done"),
    ]
    for number, write in enumerate(writes):
        write()
        pulses.append(read_pulse(path))
        assert pulses[-1] != pulses[-2], number
    database.file_samples([("node1", [Sample(1_750_000_000_000, load=1.0)])])
    assert read_pulse(path) == pulses[-1]
    assert [sample.load for sample in read_telemetry(path)["node1"]] == [1.0]
    database.close()
