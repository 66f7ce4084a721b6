"""From what a node says to what is filed: only a proved run with believable numbers is ok."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, replace

import pytest

from hpcvirt.core.benchmark import BenchmarkPlugin, Category, Command, Metric, Output, Reading, Report
from hpcvirt.core.engine.judge import LOST, Member, judge
from hpcvirt.core.model import Better, Expect, Status, Value
from hpcvirt.core.remote.identity import Identity, Moment
from hpcvirt.core.remote.job import JobState, Reply
from hpcvirt.core.store.database import Ended

IDENTITY = Identity(
    boot_id="b-1", release="6.1", version="#1", hostname="node1", cmdline="ro", role="none", cpus=2, memory_kib=1024
)
BEFORE = (IDENTITY, Moment(100.0, 10.0))
AFTER = (IDENTITY, Moment(102.5, 12.5))

GOOD = Reply(JobState.FINISHED, BEFORE, AFTER, 0, 0, b"42", b"", truncated=False)

Parse = Callable[[Output], Report]


class Told(BenchmarkPlugin):
    """Says what a test wants."""

    name = "told"
    title = "told"
    category = Category.MICRO
    metrics = (Metric("speed", "MB/s", Better.HIGHER, primary=True), Metric("time", "s", Better.LOWER))

    def __init__(self, parse: Parse) -> None:
        self._parse = parse

    def estimate_s(self, parameters: Mapping[str, Value]) -> float:
        return 1.0

    def command(self, parameters: Mapping[str, Value]) -> Command:
        return Command(("true",))

    def parse(self, output: Output, parameters: Mapping[str, Value] | None = None) -> Report:
        return self._parse(output)


def reading(value: float) -> Reading:
    return Reading(value, "MB/s", value, "MB/s")


def ok(output: Output) -> Report:
    return Report(Status.OK, readings={"speed": reading(float(output.stdout))})


def judged(
    reply: Reply,
    parse: Parse = ok,
    expect: Expect = Expect(),  # noqa: B008 - frozen
    unfinished: Status = Status.LOST,
    why: str = "",
) -> Ended:
    return judge(reply, expect, Told(parse), {}, elapsed=3.0, unfinished=unfinished, why=why)


def test_a_proved_and_parsed_run_is_ok() -> None:
    found = judged(GOOD)
    assert (found.status, found.reason) == (Status.OK, "")
    assert {name: one.normalised for name, one in found.readings.items()} == {"speed": 42.0}
    assert (found.duration_s, found.elapsed_s, found.exit_status, found.boot_id) == (2.5, 3.0, 0, "b-1")
    assert found.identity_before == found.identity_after
    assert found.identity_before is not None
    assert found.identity_before["release"] == "6.1"
    assert (found.stdout, found.stderr, found.truncated) == (b"42", b"", False)


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.FINISHED])
@pytest.mark.parametrize("unfinished", [Status.LOST, Status.TIMEOUT, Status.ABORTED])
def test_what_did_not_finish_has_no_numbers(state: JobState, unfinished: Status) -> None:
    asked: list[Output] = []

    def count(output: Output) -> Report:
        asked.append(output)
        return ok(output)

    found = judged(replace(GOOD, state=state), count, unfinished=unfinished, why="told so")
    # Of what took too long it is told whether its report was complete.
    assert bool(asked) is (found.status is Status.TIMEOUT)
    if state in {JobState.NEVER, JobState.REBOOTED} and unfinished is Status.TIMEOUT:
        # Whatever time has passed was none of the benchmark's.
        assert (found.status, found.reason) == (Status.LOST, LOST[state])
    else:
        assert found.status is unfinished
        assert found.reason.startswith("told so")
    assert found.readings == {}
    assert found.stdout == b"42"


@pytest.mark.parametrize("state", [JobState.NEVER, JobState.KILLED, JobState.REBOOTED])
def test_what_was_lost_is_told_in_words(state: JobState) -> None:
    found = judged(Reply(state, None, None, None, None, b"", b"", truncated=False))
    assert found.status is Status.LOST
    assert found.reason
    assert (found.boot_id, found.duration_s, found.identity_before, found.exit_status) == (None, None, None, None)


def test_what_cannot_be_killed_is_told() -> None:
    found = judged(replace(GOOD, state=JobState.STUCK), unfinished=Status.TIMEOUT, why="longer than 5 s")
    told = "longer than 5 s; some of its processes cannot be ended; its report was already complete"
    assert (found.status, found.reason) == (Status.TIMEOUT, told)


HALF = b"4"


def only_whole(output: Output) -> Report:
    """As of a benchmark whose report has an end."""
    whole = output.stdout == b"42" and output.exit_status == 0
    return ok(output) if whole else Report(Status.UNPARSABLE, "it has no end")


@pytest.mark.parametrize(("stdout", "is_complete"), [(b"42", True), (HALF, False), (b"", False)])
def test_a_benchmark_that_hung_after_its_report_says_so(stdout: bytes, is_complete: bool) -> None:
    hung = replace(GOOD, state=JobState.ENDED, after=None, exit_status=None, stdout=stdout)
    found = judged(hung, only_whole, unfinished=Status.TIMEOUT, why="longer than 5 s")
    assert found.status is Status.TIMEOUT
    assert found.reason == "longer than 5 s" + ("; its report was already complete" if is_complete else "")
    assert found.readings == {}


@pytest.mark.parametrize(
    ("stdout", "exit_status", "is_complete"), [(b"42", 0, True), (HALF, 0, False), (b"42", 1, False)]
)
def test_a_benchmark_that_ended_just_past_its_limit_says_whether_its_report_is_complete(
    stdout: bytes, exit_status: int, is_complete: bool
) -> None:
    late = replace(GOOD, stdout=stdout, exit_status=exit_status)
    found = judge(late, Expect(), Told(only_whole), {}, elapsed=None, limit_s=2.4)
    assert found.status is Status.TIMEOUT
    assert found.reason == "longer than 2.4 s: 2.5 s" + ("; its report was already complete" if is_complete else "")


def test_time_alone_is_no_report() -> None:
    """A benchmark that is measured from outside has a number however it ends."""

    def timed(output: Output) -> Report:
        if output.elapsed_s is None:
            return Report(Status.OK, not_measured=("speed",))
        return Report(Status.OK, readings={"speed": reading(output.elapsed_s)})

    found = judge(GOOD, Expect(), Told(timed), {}, elapsed=None, limit_s=2.0)
    assert (found.status, found.reason) == (Status.TIMEOUT, "longer than 2 s: 2.5 s")


def test_what_finished_while_we_ended_it_counts() -> None:
    assert judged(GOOD, unfinished=Status.TIMEOUT, why="longer than 5 s").status is Status.OK


def test_a_run_in_another_life_than_was_proved_is_lost() -> None:
    assert judge(GOOD, Expect(), Told(ok), {}, elapsed=3.0, proved="b-1").status is Status.OK
    found = judge(GOOD, Expect(), Told(ok), {}, elapsed=3.0, proved="b-0")
    assert (found.status, found.reason) == (Status.LOST, "the node has rebooted since its kernel was proved")
    assert found.readings == {}


def test_what_took_too_long_while_nobody_saw_is_a_timeout() -> None:
    assert GOOD.before is not None
    assert GOOD.after is not None
    (one, before), (other, after) = GOOD.before, GOOD.after
    slow = replace(GOOD, before=(one, replace(before, uptime_s=10.0)), after=(other, replace(after, uptime_s=13.0)))
    assert judge(slow, Expect(), Told(ok), {}, elapsed=None, limit_s=3.0).status is Status.OK
    found = judge(slow, Expect(), Told(ok), {}, elapsed=None, limit_s=2.5)
    told = "longer than 2.5 s: 3 s; its report was already complete"
    assert (found.status, found.reason, found.readings) == (Status.TIMEOUT, told, {})


# -- proof


def void(reply: Reply, expect: Expect = Expect()) -> str:  # noqa: B008 - frozen
    found = judged(reply, expect=expect)
    assert found.status is Status.VOID
    assert found.readings == {}
    return found.reason


def test_a_wrap_that_did_not_start_is_void() -> None:
    reason = void(replace(GOOD, before=None, after=None, exit_status=None, wrap_status=127, stderr=b"no chroot\x1b[1m"))
    assert "127" in reason
    assert "no chroot" in reason
    assert "\x1b" not in reason


def test_no_identity_after_is_void() -> None:
    assert "after the run" in void(replace(GOOD, after=None))


def test_an_unread_boot_id_is_void() -> None:
    nameless = replace(IDENTITY, boot_id=None)
    assert "boot_id" in void(replace(GOOD, before=(nameless, BEFORE[1]), after=(nameless, AFTER[1])))


MAY_CHANGE = {"memory_kib", "probe", "cpu_model", "governor", "clocksource"}


@pytest.mark.parametrize("field", sorted({field.name for field in fields(Identity)} - MAY_CHANGE))
def test_whatever_changed_under_a_run_voids_it(field: str) -> None:
    other = 4096 if field in {"cpus", "memory_kib"} else "another"
    changed = replace(IDENTITY, **{field: other})  # type: ignore[arg-type]
    assert field in void(replace(GOOD, after=(changed, AFTER[1])))


@pytest.mark.parametrize("expect", [Expect(release="5.*"), Expect(role="xen-dom0"), Expect(cpus=3)])
def test_another_kernel_than_planned_is_void(expect: Expect) -> None:
    assert "expected" in void(GOOD, expect)


def test_the_right_kernel_only_after_the_run_is_void() -> None:
    before = (replace(IDENTITY, release="5.4"), BEFORE[1])
    assert "release" in void(replace(GOOD, before=before), Expect(release="6.*"))


def test_another_kernel_than_planned_is_void_even_if_the_benchmark_failed() -> None:
    assert void(replace(GOOD, exit_status=1), Expect(release="5.*"))


def test_the_reason_is_one_short_line() -> None:
    long = replace(IDENTITY, cmdline="x\n" * 5000)
    reason = void(replace(GOOD, after=(long, AFTER[1])))
    assert len(reason) <= 1000
    assert "\n" not in reason


# -- the plugin


@pytest.mark.parametrize("status", [Status.FAILED, Status.UNVERIFIED, Status.UNPARSABLE])
def test_the_plugins_verdict_is_filed(status: Status) -> None:
    found = judged(GOOD, lambda output: Report(status, "because", {"speed": reading(1.0)}))
    assert (found.status, found.reason) == (status, "because")


@pytest.mark.parametrize("error", [ValueError("bad\x1b[0m number"), KeyError("x"), RecursionError(), MemoryError()])
def test_a_plugin_that_raises(error: Exception) -> None:
    def broken(output: Output) -> Report:
        raise error

    found = judged(GOOD, broken)
    assert found.status is Status.UNPARSABLE
    assert f"told raised {type(error).__name__}" in found.reason
    assert "\x1b" not in found.reason
    assert found.stdout == b"42"


@pytest.mark.parametrize(
    ("readings", "named"),
    [
        ({"speed": reading(math.nan)}, "speed"),
        ({"speed": reading(math.inf)}, "speed"),
        ({"speed": reading(-math.inf), "time": reading(1.0)}, "speed"),
        ({"speed": reading(1.0), "sped": reading(1.0)}, "sped"),
        ({"speed": reading(1.0), "other": reading(1.0)}, "other"),
        ({}, "without speed"),
    ],
)
def test_ok_about_what_is_no_number_of_its_metrics_is_not_believed(readings: dict[str, Reading], named: str) -> None:
    found = judged(GOOD, lambda output: Report(Status.OK, readings=readings))
    assert found.status is Status.UNPARSABLE
    assert named in found.reason
    assert found.readings == {}


def test_the_plugin_is_told_everything() -> None:
    seen: list[Output] = []

    def listening(output: Output) -> Report:
        seen.append(output)
        return Report(Status.FAILED, "no")

    judged(replace(GOOD, exit_status=139, stdout=b"o", stderr=b"e", truncated=True, files={"f": b"1"}), listening)
    assert seen == [Output(b"o", b"e", 139, truncated=True, files={"f": b"1"}, elapsed_s=2.5)]


def test_what_was_not_measured_may_be_missing() -> None:
    found = judged(GOOD, lambda output: Report(Status.OK, not_measured=("speed",)))
    assert (found.status, found.readings) == (Status.OK, {})


def test_what_is_to_be_known_about_a_result_is_filed_with_it() -> None:
    found = judged(replace(GOOD, files={"f": b"1"}), lambda output: replace(ok(output), notes=("cached", "b")))
    assert (found.status, found.reason, found.files) == (Status.OK, "cached; b", {"f": b"1"})


# -- a run that occupied all nodes

OTHER_LIFE = replace(IDENTITY, boot_id="b-2")
OTHER_KERNEL = replace(IDENTITY, release="5.0")
NODES = {
    "well": Member("node1", Expect(), IDENTITY, IDENTITY),
    "cut": Member("node2", Expect(), IDENTITY, IDENTITY, was_cut=True),
    "silent": Member("node3", Expect(), IDENTITY, None),
    "rebooted": Member("node4", Expect(), IDENTITY, OTHER_LIFE),
    "wrong": Member("node5", Expect(release="6.*"), OTHER_KERNEL, OTHER_KERNEL),
}
FAILED = replace(GOOD, exit_status=1)


@pytest.mark.parametrize(
    ("reply", "unfinished", "nodes", "status", "reason", "blamed"),
    [
        (GOOD, Status.LOST, "well cut", Status.OK, "", ()),
        (FAILED, Status.LOST, "well", Status.FAILED, "as told", ()),
        (FAILED, Status.LOST, "well cut", Status.LOST, "the connection to node2 was lost under", ("node2",)),
        (GOOD, Status.LOST, "well wrong", Status.VOID, "node5: release", ()),
        (GOOD, Status.LOST, "well silent", Status.LOST, "node3 did not answer any more", ("node3",)),
        (GOOD, Status.LOST, "wrong cut rebooted", Status.LOST, "node4 rebooted under it", ("node4",)),
        (FAILED, Status.LOST, "silent rebooted", Status.LOST, "node3 did not answer any more; n", ("node3", "node4")),
        # Those that wait for one which is gone wait until their time is over.
        (JobState.ENDED, Status.TIMEOUT, "well rebooted", Status.LOST, "node4 rebooted under it", ("node4",)),
        (JobState.ENDED, Status.TIMEOUT, "well cut", Status.LOST, "the connection to node2 was lost", ("node2",)),
        (JobState.ENDED, Status.TIMEOUT, "well wrong", Status.TIMEOUT, "as told", ()),
        (JobState.ENDED, Status.ABORTED, "silent cut", Status.ABORTED, "as told", ()),
        # These are of the node that led it, unless another one is gone.
        (JobState.FULL, Status.LOST, "well cut", Status.LOST, LOST[JobState.FULL], ()),
        (JobState.KILLED, Status.LOST, "well rebooted", Status.LOST, "node4 rebooted under it", ("node4",)),
    ],
)  # fmt: skip
def test_which_of_all_nodes_lost_a_run(
    reply: Reply | JobState, unfinished: Status, nodes: str, status: Status, reason: str, blamed: tuple[str, ...]
) -> None:
    def parse(output: Output) -> Report:
        return ok(output) if output.exit_status == 0 else Report(Status.FAILED, "as told")

    members = [NODES[word] for word in nodes.split()]
    why = "" if unfinished is Status.LOST else "as told"
    told = replace(GOOD, state=reply) if isinstance(reply, JobState) else reply
    found = judge(told, Expect(), Told(parse), {}, elapsed=3.0, unfinished=unfinished, why=why, members=members)
    assert (found.status, found.reason[: len(reason)], found.blamed) == (status, reason, blamed)
