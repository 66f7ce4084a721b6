"""From what a job left on its node to how its attempt is filed. Pure: no connection, no database."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpcvirt.core.benchmark import BenchmarkPlugin, Metric, Output, Reading, Report
from hpcvirt.core.launcher import Place, misplaced
from hpcvirt.core.model import Expect, Status, Value
from hpcvirt.core.remote.identity import Identity, Moment, changes, cpu_s, elapsed_s, mismatches
from hpcvirt.core.remote.job import JobState, Reply
from hpcvirt.core.store.database import Ended
from hpcvirt.core.text import clean_line

LAUNCHER_BYTES = 500
"""Of what a launcher says that could not start anything."""

NO_EXIT = -1
"""Exit status filed where the benchmark has none."""

LOST = {
    JobState.NEVER: "it was never started on the node",
    JobState.KILLED: "its processes are gone and left no end",
    JobState.FULL: "the node's scratch folder is full",
    JobState.REBOOTED: "the node rebooted under it",
}


@dataclass(frozen=True, slots=True)
class Member:
    """What one node was before and after a run that occupied all of them."""

    node: str
    expect: Expect
    before: Identity
    after: Identity | None
    """None: it did not answer any more."""
    was_cut: bool = False
    """The connection to it was lost in between."""


@dataclass(frozen=True, slots=True)
class Launched:
    """Where the processes of an MPI program should have been, and where they said they were."""

    places: Sequence[Place]
    found: Counter[str]
    """By boot_id."""


def judge(
    reply: Reply,
    expect: Expect,
    plugin: BenchmarkPlugin,
    parameters: Mapping[str, Value],
    *,
    elapsed: float | None,
    unfinished: Status = Status.LOST,
    why: str = "",
    proved: str | None = None,
    limit_s: float | None = None,
    members: Sequence[Member] = (),
    launched: Launched | None = None,
) -> Ended:
    """File-ready end of an attempt.

    ``unfinished`` and ``why`` are for jobs that we ended: ``TIMEOUT`` or ``ABORTED``. ``proved``: the boot_id with
    which the kernel was proved, if that is known. ``limit_s``: the run's, which it may have passed while nobody saw.
    ``members``: all nodes of a run that occupied them; the kernel is proved on each of them.
    """
    report = _verdict(reply, expect, plugin, parameters, unfinished, why)
    if reply.state is JobState.FINISHED and report.status is not Status.VOID:
        report = _in_its_life_and_time(reply, proved, limit_s) or report
    if reply.state is JobState.FINISHED:
        report = _placed(report, launched, reply) if launched else report
    report = _noting_complete(report, reply, plugin, parameters)
    report, blamed = _of_members(report, reply.state, members)
    before, after = reply.before, reply.after
    return Ended(
        status=report.status,
        reason=reason_of(report),
        duration_s=elapsed_s(before[1], after[1]) if before and after else None,
        elapsed_s=elapsed,
        **_clocks(before and before[1], after and after[1]),
        exit_status=reply.exit_status,
        boot_id=before[0].boot_id if before else None,
        identity_before=_content(before),
        identity_after=_content(after),
        stdout=reply.stdout,
        stderr=reply.stderr,
        truncated=reply.truncated,
        files=reply.files,
        digest=report.digest if report.status is Status.OK else "",
        readings=report.readings,
        blamed=blamed,
        nodes_after={member.node: _fields(member.after) for member in members if member.after is not None},
    )


def reason_of(report: Report) -> str:
    """Why an attempt is not ok, or what is to be known about an ok one, as it is filed."""
    return clean_line(report.reason or "; ".join(report.remarks), 1000)


def _clocks(before: Moment | None, after: Moment | None) -> dict[str, float | None]:
    used = cpu_s(before, after) if before and after else (None, None)
    before, after = before or Moment(), after or Moment()
    return {
        "user_s": used[0],
        "system_s": used[1],
        "clock_before_s": before.clock_s,
        "clock_after_s": after.clock_s,
        "uptime_before_s": before.uptime_s,
        "uptime_after_s": after.uptime_s,
    }


def _content(reading: tuple[Identity, Moment] | None) -> dict[str, object] | None:
    return None if reading is None else _fields(reading[0])


def _fields(identity: Identity) -> dict[str, object]:
    # asdict would copy every text of it
    return {field.name: getattr(identity, field.name) for field in dataclasses.fields(identity)}


def _verdict(
    reply: Reply,
    expect: Expect,
    plugin: BenchmarkPlugin,
    parameters: Mapping[str, Value],
    unfinished: Status,
    why: str,
) -> Report:
    if reply.state is not JobState.FINISHED:
        if reply.state in {JobState.NEVER, JobState.REBOOTED} and unfinished is Status.TIMEOUT:
            # The login node stood still, or the node died: it was not the benchmark that took too long.
            return Report(Status.LOST, LOST[reply.state])
        if reply.state is JobState.STUCK:
            why = f"{why}; some of its processes cannot be ended"
        return Report(unfinished, why or LOST.get(reply.state, ""))
    doubt = _doubt(reply, expect)
    return Report(Status.VOID, doubt) if doubt else _parsed(reply, plugin, parameters)


def _in_its_life_and_time(reply: Reply, proved: str | None, limit_s: float | None) -> Report | None:
    """None: nothing speaks against it."""
    if reply.before is None or reply.after is None:
        return None
    (identity, before), (_, after) = reply.before, reply.after
    if proved is not None and identity.boot_id != proved:
        # Its kernel may be the right one; whether the benchmark's files are still there, nobody has looked.
        return Report(Status.LOST, "the node has rebooted since its kernel was proved")
    if limit_s is None or before.uptime_s is None or after.uptime_s is None:
        return None
    took_s = after.uptime_s - before.uptime_s
    return Report(Status.TIMEOUT, f"longer than {limit_s:g} s: {took_s:g} s") if took_s > limit_s else None


def _noting_complete(report: Report, reply: Reply, plugin: BenchmarkPlugin, parameters: Mapping[str, Value]) -> Report:
    """Of a run that took too long: whether it had printed its whole report, and hung then or was just too slow."""
    if report.status is not Status.TIMEOUT or reply.state in {JobState.NEVER, JobState.REBOOTED}:
        return report
    # Without times: what is measured from outside is no report. What we ended has no exit status that means anything.
    exit_status = reply.exit_status if reply.state is JobState.FINISHED else 0
    printed = dataclasses.replace(reply, before=None, after=None, exit_status=exit_status)
    found = _parsed(printed, plugin, parameters)
    if found.status is not Status.OK or not found.readings:
        return report
    return dataclasses.replace(report, reason=f"{report.reason}; its report was already complete")


def _of_members(report: Report, state: JobState, members: Sequence[Member]) -> tuple[Report, tuple[str, ...]]:
    """A run that occupied all nodes counts only where all of them are proved; and which of them lost it, if any did."""
    if report.status is Status.ABORTED:
        return report, ()
    # Where the others wait for one of them for ever that is not a run that took too long.
    gone = {member.node: words for member in members if (words := _gone(member))}
    if gone:
        return Report(Status.LOST, "; ".join(gone.values())), tuple(gone)
    doubts = [doubt for member in members for doubt in _doubts_of(member)]
    if doubts and state is JobState.FINISHED:
        return Report(Status.VOID, "; ".join(doubts)), ()
    cut = tuple(member.node for member in members if member.was_cut)
    if cut and state in {JobState.FINISHED, JobState.ENDED} and report.status is not Status.OK:
        # The network between the nodes is more likely to blame than what talked over it.
        return Report(Status.LOST, f"the connection to {', '.join(cut)} was lost under it: {report.reason}"), cut
    return report, ()


def _gone(member: Member) -> str:
    """What became of a node that is not what it was; empty: it is."""
    if member.after is None:
        return f"{member.node} did not answer any more"
    return "" if member.after.boot_id == member.before.boot_id else f"{member.node} rebooted under it"


def _doubts_of(member: Member) -> list[str]:
    if member.after is None:
        return []
    wrong = mismatches(member.expect, member.before) or mismatches(member.expect, member.after)
    return [f"{member.node}: {words}" for words in wrong or changes(member.before, member.after)]


def _placed(report: Report, launched: Launched, reply: Reply) -> Report:
    """Numbers of processes that were elsewhere than asked are numbers of another experiment."""
    has_numbers = report.status in {Status.UNVERIFIED, Status.UNPARSABLE} and launched.found
    if report.status is Status.OK or has_numbers:
        wrong = misplaced(launched.places, launched.found)
        return Report(Status.FAILED, wrong) if wrong else report
    if report.status is not Status.VOID and not launched.found:
        words = clean_line(reply.stderr[-LAUNCHER_BYTES:].strip() or b"it says nothing", LAUNCHER_BYTES)
        return Report(Status.FAILED, f"the launcher started no process, exit status {reply.exit_status}: {words}")
    return report


def _doubt(reply: Reply, expect: Expect) -> str:
    """Why it is not proved that the run happened under its kernel; empty if it is."""
    if reply.before is None:
        return f"the wrap did not start (exit status {reply.wrap_status}): {clean_line(reply.stderr[-300:])}"
    if reply.after is None:
        return "identity could not be read after the run: is the scratch folder full?"
    wrong = mismatches(expect, reply.before[0]) or mismatches(expect, reply.after[0])
    return "; ".join(wrong or changes(reply.before[0], reply.after[0]))


def _parsed(reply: Reply, plugin: BenchmarkPlugin, parameters: Mapping[str, Value]) -> Report:
    exit_status = NO_EXIT if reply.exit_status is None else reply.exit_status
    elapsed, (user, system) = None, (None, None)
    if reply.before is not None and reply.after is not None:
        moments = reply.before[1], reply.after[1]
        elapsed, (user, system) = elapsed_s(*moments), cpu_s(*moments)
    output = Output(
        reply.stdout, reply.stderr, exit_status, reply.truncated, reply.files, elapsed, user_s=user, system_s=system
    )
    return parse(output, plugin, parameters)


def parse(output: Output, plugin: BenchmarkPlugin, parameters: Mapping[str, Value]) -> Report:
    """The plugin's report, unless it says what a plugin may not say."""
    try:
        report = plugin.parse(output, parameters)
        fault = _fault(plugin.metrics_of(parameters), report)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a third party's parser may raise anything; its output is kept
        return Report(Status.UNPARSABLE, f"plugin {plugin.name} raised {type(error).__name__}: {error}")
    return Report(Status.UNPARSABLE, f"plugin {plugin.name}: {fault}") if fault else report


def _fault(known: Sequence[Metric], report: Report) -> str:
    """What is wrong with a report whatever the benchmark did; empty if nothing is."""
    if not isinstance(report, Report) or report.status not in PLUGINS_STATUSES:
        return f"reported {report!r:.200}"
    if report.status is not Status.OK:
        return ""
    metrics = {metric.name: metric for metric in known}
    there = report.readings.keys() | set(report.not_measured)
    missing = [name for name, metric in metrics.items() if metric.primary and name not in there]
    if missing:
        return f"ok, but without {', '.join(missing)}"
    wrong = [name for name, reading in report.readings.items() if not _is_of(metrics.get(name), reading)]
    return (
        f"took this for a result: {', '.join(f'{name} = {report.readings[name]}' for name in wrong)}" if wrong else ""
    )


def _is_of(metric: Metric | None, reading: Reading) -> bool:
    """A finite number in the metric's own unit."""
    is_finite = math.isfinite(reading.value) and math.isfinite(reading.normalised)
    return metric is not None and is_finite and reading.normalised_unit == metric.unit


PLUGINS_STATUSES = {Status.OK, Status.FAILED, Status.UNVERIFIED, Status.UNPARSABLE}
"""What a plugin can know; the rest is the engine's to say."""
