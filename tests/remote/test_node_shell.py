"""The scripts that run on nodes, run for real by the shells that nodes have."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from shlex import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hpcvirt.core.errors import HpcvirtError, NodeUnusable, OutputUnparsable
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.identity import elapsed_s
from hpcvirt.core.remote.job import JobState
from hpcvirt.core.text import clean_line
from tests.remote.nodes import FOLDER, LocalNode, cut_off, new_job, processes_of, shell_job, wait_until

BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()

SIGNS = 'echo x >>"$1"; sleep "$2"; echo out; echo y >>"$1"'
"""A job that leaves a line when it starts and one when it ends."""


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}/environ").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()]


# -- launch


def test_a_job_leaves_everything(node: LocalNode) -> None:
    reply = node.launch(shell_job("echo out; echo err >&2; pwd; exit 7"))
    assert reply.state is JobState.FINISHED
    assert (reply.exit_status, reply.wrap_status, reply.truncated) == (7, 0, False)
    assert reply.stdout == f"out\n{node.root}/{FOLDER}\n".encode()
    assert reply.stderr == b"err\n"
    assert reply.before is not None
    assert reply.after is not None
    assert reply.before[0] == reply.after[0]
    told = reply.before[0]
    assert (told.boot_id, told.release) == (BOOT_ID, os.uname().release)
    assert told.machine == os.uname().machine
    assert (told.version, told.hostname) == (os.uname().version, os.uname().nodename)
    assert told.cmdline == clean_line(Path("/proc/cmdline").read_bytes(), 4096)
    meminfo = Path("/proc/meminfo").read_text().split()
    assert told.memory_kib == int(meminfo[1])
    assert told.probe is None


def test_the_spool_is_readable_by_its_owner_only(node: LocalNode) -> None:
    job = shell_job("touch made; ls -l made")
    reply = node.launch(job)
    assert reply.stdout.startswith(b"-rw-------")
    spool = node.spool(job.attempt)
    for path in (node.root, node.root / "spool", spool.parent, spool):
        assert path.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o77 for path in spool.iterdir()} == {0}


def test_a_job_is_timed_on_the_node(node: LocalNode) -> None:
    reply = node.launch(shell_job("sleep 0.4"))
    assert reply.before is not None
    assert reply.after is not None
    found = elapsed_s(reply.before[1], reply.after[1])
    assert found is not None
    assert 0.35 <= found < 5


def test_a_signal_is_an_exit_status(node: LocalNode) -> None:
    assert node.launch(shell_job("kill -9 $$")).exit_status == 137


def test_a_program_that_is_not_there(node: LocalNode) -> None:
    reply = node.launch(new_job("./nothing"))
    assert (reply.state, reply.exit_status) == (JobState.FINISHED, 127)


def test_a_folder_that_is_not_there(node: LocalNode) -> None:
    reply = node.launch(replace(shell_job("echo ran"), folder="bench/none"))
    assert reply.exit_status == 126
    assert reply.stdout == b""


def test_the_wrap_is_around_identity_and_benchmark(node: LocalNode) -> None:
    job = shell_job('echo "$WITHIN"', wrap=("env", "WITHIN=1"), probe='echo "$WITHIN"')
    reply = node.launch(job)
    assert reply.stdout == b"1\n"
    assert reply.before is not None
    assert reply.after is not None
    assert (reply.before[0].probe, reply.after[0].probe) == ("1", "1")
    looked = node.look(wrap=job.wrap, probe=job.probe).identity
    assert replace(looked, cpu_model=None) == reply.before[0]


def test_a_wrap_that_does_not_start(node: LocalNode) -> None:
    reply = node.launch(shell_job("echo ran", wrap=("./no-such-wrap",)))
    assert (reply.state, reply.before, reply.after, reply.exit_status) == (JobState.FINISHED, None, None, None)
    assert reply.wrap_status == 127
    assert b"no-such-wrap" in reply.stderr
    assert reply.stdout == b""


def test_a_wrap_that_talks_is_not_the_benchmark(node: LocalNode) -> None:
    wrap = ("/bin/sh", "-c", 'echo hello; echo hello >&2; "$@"; echo bye; exit 3', "wrap")
    reply = node.launch(shell_job("echo out", wrap=wrap))
    assert (reply.stdout, reply.stderr) == (b"out\n", b"")
    assert (reply.exit_status, reply.wrap_status) == (0, 3)


def test_the_benchmark_gets_no_input_and_no_terminal(node: LocalNode) -> None:
    assert node.launch(shell_job("cat; echo end")).stdout == b"end\n"


def test_every_process_is_marked(node: LocalNode) -> None:
    job = shell_job('echo "$HPCVIRT_RUN"')
    assert node.launch(job).stdout == f"{job.attempt}\n".encode()


def test_two_launches_of_one_attempt_run_it_once(node: LocalNode, tmp_path: Path) -> None:
    signs = tmp_path / "signs"
    job = shell_job(SIGNS, str(signs), "0.6")
    launchers = [node.begin(node.launching(job))]
    wait_until(lambda: lines(signs))
    launchers += [node.begin(node.launching(job)) for _ in range(2)]
    for launcher in launchers:
        launcher.communicate(timeout=20)
    assert node.collect(job.attempt).state is JobState.FINISHED
    assert lines(signs) == ["x", "y"]


# -- collect


def test_collecting_what_has_finished(node: LocalNode) -> None:
    job = shell_job("echo out; exit 3")
    launched = node.launch(job)
    assert node.collect(job.attempt) == launched
    assert node.collect(job.attempt) == launched


def test_collecting_what_never_started_keeps_it_from_starting(node: LocalNode, tmp_path: Path) -> None:
    signs = tmp_path / "signs"
    job = shell_job(SIGNS, str(signs), "0")
    assert node.collect(job.attempt).state is JobState.NEVER
    with pytest.raises(NodeUnusable, match="given up"):
        node.launch(job)
    assert lines(signs) == []


def test_collecting_what_still_runs_waits_for_it(node: LocalNode, tmp_path: Path) -> None:
    signs = tmp_path / "signs"
    job = shell_job(SIGNS, str(signs), "1.2")
    launcher = node.begin(node.launching(job))
    wait_until(lambda: lines(signs))
    cut_off(launcher)
    reply = node.collect(job.attempt)
    launcher.wait(20)
    assert (reply.state, reply.stdout, reply.exit_status) == (JobState.FINISHED, b"out\n", 0)
    assert reply.before is not None
    assert reply.after is not None
    assert lines(signs) == ["x", "y"]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGPIPE])
def test_a_launcher_lets_go_of_nothing_when_its_connection_goes(
    node: LocalNode, tmp_path: Path, number: signal.Signals
) -> None:
    signs = tmp_path / "signs"
    job = shell_job(SIGNS, str(signs), "0.5")
    script = node.launching(job)
    launcher = node.begin(script)
    wait_until(lambda: lines(signs))
    launcher.send_signal(number)
    raw, _ = launcher.communicate(timeout=20)
    assert jobs.parse_reply(script, raw).state is JobState.FINISHED
    assert lines(signs) == ["x", "y"]


def test_collecting_what_was_killed(node: LocalNode, tmp_path: Path) -> None:
    signs = tmp_path / "signs"
    job = shell_job("echo partly; " + SIGNS, str(signs), "30")
    launcher = node.begin(node.launching(job))
    wait_until(lambda: lines(signs))
    launcher.kill()
    launcher.communicate()
    for pid in processes_of(f"HPCVIRT_RUN={job.attempt}"):
        os.kill(pid, signal.SIGKILL)
    reply = node.collect(job.attempt)
    assert (reply.state, reply.exit_status, reply.after) == (JobState.KILLED, None, None)
    assert reply.before is not None
    assert reply.stdout == b"partly\n"


def test_collecting_what_a_reboot_ended(node: LocalNode) -> None:
    job = shell_job("true")
    spool = node.root / "spool" / "host.00000000-0000-0000-0000-000000000000" / job.attempt
    (spool / "claim").mkdir(parents=True)
    (spool / "out").write_bytes(b"partly")
    (spool / "meta").write_bytes(b"before\nboot_id old\nrelease 1\n")
    reply = node.collect(job.attempt)
    assert (reply.state, reply.exit_status, reply.stdout) == (JobState.REBOOTED, None, b"partly")
    assert reply.before is not None
    assert reply.before[0].boot_id == "old"


def test_collecting_what_finished_before_a_reboot(node: LocalNode) -> None:
    job = shell_job("echo out")
    launched = node.launch(job)
    spools = node.root / "spool"
    node.spool(job.attempt).parent.rename(spools / "host.00000000-0000-0000-0000-000000000000")
    assert node.collect(job.attempt) == launched


# -- end


@pytest.mark.parametrize(
    "script",
    [
        "sleep 300",
        "(sleep 300; :) & (sleep 300; :) & wait",
        "(trap '' TERM HUP; while :; do sleep 0.05; done) & trap '' TERM; wait; sleep 300",
    ],
    ids=["obedient", "forked", "forked and ignores TERM"],
)
def test_ending_leaves_no_process(node: LocalNode, tmp_path: Path, script: str) -> None:
    signs = tmp_path / "signs"
    job = shell_job(f'echo partly; echo x >>"$1"; {script}', str(signs))
    launcher = node.begin(node.launching(job))
    wait_until(lambda: lines(signs))
    reply = node.end(job.attempt)
    assert (reply.state, reply.stdout, reply.exit_status) == (JobState.ENDED, b"partly\n", None)
    assert alive(processes_of(f"HPCVIRT_RUN={job.attempt}")) == []
    launcher.communicate(timeout=20)


def test_ending_reaches_what_left_its_session(node: LocalNode, tmp_path: Path) -> None:
    signs = tmp_path / "signs"
    job = shell_job('setsid /bin/sh -c "echo x >>$1; sleep 300; :" & echo y >>"$1"; sleep 300', str(signs))
    launcher = node.begin(node.launching(job))
    wait_until(lambda: len(lines(signs)) == 2)
    assert node.end(job.attempt).state is JobState.ENDED
    assert alive(processes_of(f"HPCVIRT_RUN={job.attempt}")) == []
    launcher.communicate(timeout=20)


def test_ending_what_has_finished_gives_its_result(node: LocalNode) -> None:
    job = shell_job("echo out; exit 4")
    launched = node.launch(job)
    assert node.end(job.attempt) == launched


def test_ending_what_never_started_keeps_it_from_starting(node: LocalNode, tmp_path: Path) -> None:
    signs = tmp_path / "signs"
    job = shell_job(SIGNS, str(signs), "0")
    assert node.end(job.attempt).state is JobState.NEVER
    with pytest.raises(NodeUnusable, match="given up"):
        node.launch(job)
    assert lines(signs) == []


def test_ending_touches_no_other_attempt(node: LocalNode, tmp_path: Path) -> None:
    signs = tmp_path / "signs"
    other = shell_job(SIGNS, str(signs), "1")
    script = node.launching(other)
    launcher = node.begin(script)
    wait_until(lambda: lines(signs))
    node.end(new_job("true").attempt)
    raw, _ = launcher.communicate(timeout=20)
    assert jobs.parse_reply(script, raw).state is JobState.FINISHED


# -- look, folder, place, fetch, forget


def test_looking_tells_files_and_spools(node: LocalNode) -> None:
    content = bytes(range(256)) * 5
    (node.root / FOLDER / "a").write_bytes(content)
    job = shell_job("true")
    node.launch(job)
    found = node.look(f"{FOLDER}/a", f"{FOLDER}/missing")
    assert found.artifacts == {f"{FOLDER}/a": hashlib.sha256(content).hexdigest()}
    assert found.spools == {job.attempt}
    assert found.identity.boot_id == BOOT_ID


def test_looking_at_a_node_without_anything(node: LocalNode) -> None:
    node.forget(folder=FOLDER)
    assert not node.root.exists()
    found = node.look("bench/x/y")
    assert (found.artifacts, found.spools) == ({}, frozenset())


def test_a_file_is_placed_and_comes_back_to_the_bit(node: LocalNode) -> None:
    content = bytes(range(256)) + b"\n\n@ end\n\n"
    file = f"{FOLDER}/binary"
    draft = node.root / f"{file}.draft"
    draft.write_bytes(content)
    draft.chmod(0o600)
    script = jobs.place(str(node.scratch), file)
    jobs.parse_done(script, node.run(script))
    assert not draft.exists()
    assert (node.root / file).stat().st_mode & 0o777 == 0o700
    script = jobs.fetch(str(node.scratch), file)
    assert jobs.parse_fetch(script, node.run(script)) == content


def test_a_draft_that_is_not_there_cannot_be_placed(node: LocalNode) -> None:
    script = jobs.place(str(node.scratch), f"{FOLDER}/none")
    with pytest.raises(NodeUnusable, match="cannot be placed"):
        jobs.parse_done(script, node.run(script))


def test_forgetting_removes_what_is_named_and_nothing_else(node: LocalNode) -> None:
    first, second = shell_job("true"), shell_job("true")
    node.launch(first)
    node.launch(second)
    node.forget(first.attempt)
    assert node.look().spools == {second.attempt}
    node.launch(shell_job("true"), forget=[second.attempt])
    assert not node.spool(second.attempt).exists()
    assert (node.root / FOLDER).is_dir()


def test_nothing_is_left_when_all_is_forgotten(node: LocalNode) -> None:
    job = shell_job("true")
    node.launch(job)
    node.forget(job.attempt, folder=FOLDER)
    assert list(node.scratch.iterdir()) == []


# -- the program's folder


def test_a_folder_that_is_a_link_is_refused(node: LocalNode, tmp_path: Path) -> None:
    node.forget(folder=FOLDER)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    node.root.symlink_to(elsewhere)
    _assert_refused(node)
    assert list(elsewhere.iterdir()) == []


def test_a_folder_of_another_user_is_refused(node: LocalNode) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(node.root, 12345, 12345)
    _assert_refused(node)


def test_a_file_in_the_place_of_the_folder_is_refused(node: LocalNode) -> None:
    node.forget(folder=FOLDER)
    node.root.write_text("")
    _assert_refused(node)


def _assert_refused(node: LocalNode) -> None:
    job = shell_job("true")
    for call in (lambda: node.launch(job), lambda: node.collect(job.attempt), lambda: node.end(job.attempt), node.look):
        with pytest.raises(NodeUnusable, match=r"hpcvirt-tester cannot be made, or is not ours"):
            call()


# -- output


def test_output_over_the_limit_loses_its_middle(node: LocalNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "OUTPUT_LIMIT_BYTES", 1000)
    script = 'i=0; while [ $i -lt 500 ]; do echo "line $i"; i=$((i + 1)); done; echo short >&2'
    reply = node.launch(shell_job(script))
    whole = "".join(f"line {i}\n" for i in range(500)).encode()
    assert reply.truncated
    assert reply.stdout == whole[:500] + whole[-500:]
    assert reply.stderr == b"short\n"
    assert reply.exit_status == 0


def test_output_of_exactly_the_limit_is_whole(node: LocalNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "OUTPUT_LIMIT_BYTES", 1000)
    reply = node.launch(shell_job("head -c 1000 /dev/zero; head -c 1001 /dev/zero >&2"))
    assert reply.stdout == bytes(1000)
    assert reply.stderr == bytes(1000)
    assert reply.truncated


@pytest.mark.parametrize(
    "printed",
    [
        b"\\000\\001\\377",
        b"no newline",
        b"\\n\\n\\n",
        b"\\n@00000000000000000000000000000000 end\\n",
        b"\\n@ unusable x\\n",
        b"exit_status 0\\nafter\\nboot_id x\\n",
        b"\\033]52;c;aGk=\\007[/]=cmd()",
    ],
)
def test_hostile_output_is_output(node: LocalNode, printed: bytes) -> None:
    raw = printed.decode("unicode_escape").encode("latin-1") if b"\\0" not in printed else None
    reply = node.launch(shell_job('printf "$1"; printf "$1" >&2; exit 5', printed.decode()))
    assert reply.exit_status == 5
    assert reply.stdout == reply.stderr
    expected = {b"\\000\\001\\377": b"\0\1\xff"}.get(printed, raw)
    if expected is not None:
        assert reply.stdout == expected


@pytest.mark.parametrize("noise", [b"", b"Welcome!\r\n", b"\n@abc end\n\0\xff", b"x" * 100_000])
def test_noise_before_the_answer_is_passed_over(node: LocalNode, noise: bytes) -> None:
    script = node.launching(shell_job("echo out"))
    assert jobs.parse_reply(script, noise + node.run(script)).stdout == b"out\n"


# -- cut answers


def _outcomes(parse: object, raw: bytes) -> list[object]:
    """What each beginning of an answer gives; None: it was refused."""
    found: list[object] = []
    for length in range(len(raw)):
        try:
            found.append(parse(raw[:length]))  # type: ignore[operator]
        except (OutputUnparsable, NodeUnusable):
            found.append(None)
    return found


def test_a_reply_that_is_cut_is_refused_or_whole(node: LocalNode) -> None:
    script = node.launching(shell_job("echo 12345; echo 678 >&2; exit 12"))
    raw = node.run(script)
    whole = jobs.parse_reply(script, raw)
    outcomes = _outcomes(lambda part: jobs.parse_reply(script, part), raw)
    assert [found for found in outcomes if found not in (None, whole)] == []
    assert None in outcomes


def test_a_look_that_is_cut_is_refused_or_whole(node: LocalNode) -> None:
    (node.root / FOLDER / "a").write_bytes(b"a")
    node.launch(shell_job("true"))
    script = jobs.look(str(node.scratch), (), {}, None, [f"{FOLDER}/a"])
    raw = node.run(script)
    whole = jobs.parse_look(script, raw)
    assert [
        found for found in _outcomes(lambda part: jobs.parse_look(script, part), raw) if found not in (None, whole)
    ] == []


def test_a_file_that_is_cut_is_refused_or_whole(node: LocalNode) -> None:
    (node.root / FOLDER / "a").write_bytes(b"content\n")
    script = jobs.fetch(str(node.scratch), f"{FOLDER}/a")
    raw = node.run(script)
    assert set(_outcomes(lambda part: jobs.parse_fetch(script, part), raw)) <= {None, b"content\n"}


# -- quoting

ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30).filter(
    lambda text: "/bin/sh" not in text  # which the test's node puts its own shell for
)
ONE_LINE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=30).filter(
    lambda text: "/bin/sh" not in text
)
NASTY = "'\"`$(touch /hv-was-here)\\\n;&|<>*?[~#!%{}\t\x01\x7f\u20ac"


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.differing_executors],
)
@given(st.lists(ANY_TEXT, max_size=3), ANY_TEXT, ANY_TEXT, ONE_LINE)
@example([NASTY, "", "-n"], NASTY, NASTY, "'\"`$(x)\\;&|<>*?[~#!%{}")
@example(["\r\n", "$'\\x41'", "\\"], "a\n", "\n", "\\")
def test_any_text_comes_through(node: LocalNode, argv: list[str], value: str, wrapped: str, probe: str) -> None:
    script = 'printf "%s\\0" "$@" "$HV_ENV" "$HV_WRAP"'
    job = shell_job(
        script,
        *argv,
        env={"HV_ENV": value},
        wrap=("env", f"HV_WRAP={wrapped}"),
        probe=f"printf %s {quote(probe)}",
    )
    reply = node.launch(job, forget=[])
    assert reply.stdout == b"".join(word.encode() + b"\0" for word in (*argv, value, wrapped))
    assert reply.before is not None
    assert reply.before[0].probe == (clean_line(probe) or None)
    looked = node.look(probe=job.probe).identity
    assert replace(looked, cpu_model=None) == reply.before[0]


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANY_TEXT.filter(lambda text: text != ""))
@example(NASTY)
def test_a_program_of_any_name_is_not_obeyed_as_shell(node: LocalNode, name: str) -> None:
    reply = node.launch(new_job(f"./{name.replace('/', '_')}-none", "&", "touch", "was-here"))
    assert reply.exit_status in {126, 127}
    assert not list((node.root / FOLDER).iterdir())


# -- a node that lacks much


def _skip_busybox(node: LocalNode) -> None:
    if node.shell.readlink().name == "busybox":
        pytest.skip("Debian's busybox finds its own tools without a PATH")


def test_a_poor_node_runs_jobs(poor_node: LocalNode) -> None:
    job = shell_job("echo out; exit 3")
    reply = poor_node.launch(job)
    assert (reply.state, reply.stdout, reply.exit_status) == (JobState.FINISHED, b"out\n", 3)
    assert poor_node.collect(job.attempt) == reply
    assert poor_node.look().spools == {job.attempt}
    poor_node.forget(job.attempt, folder=FOLDER)
    assert not poor_node.root.exists()


def test_a_poor_node_with_sessions_runs_jobs_under_a_wrap_that_say_nothing(poor_node: LocalNode) -> None:
    job = new_job("true", wrap=("env", "A=b"))
    reply = replace(poor_node, has_sessions=True).launch(job)
    assert (reply.state, reply.exit_status, reply.wrap_status) == (JobState.FINISHED, 0, 0)
    assert reply.before is not None
    assert reply.after is not None


def test_a_poor_nodes_job_outlives_its_connection(poor_node: LocalNode, tmp_path: Path) -> None:
    _skip_busybox(poor_node)
    signs = tmp_path / "signs"
    job = shell_job(SIGNS, str(signs), "1")
    launcher = poor_node.begin(poor_node.launching(job))
    wait_until(lambda: lines(signs))
    launcher.kill()
    launcher.communicate()
    assert poor_node.collect(job.attempt).stdout == b"out\n"


def test_a_poor_nodes_job_is_ended(poor_node: LocalNode, tmp_path: Path) -> None:
    _skip_busybox(poor_node)
    signs = tmp_path / "signs"
    job = shell_job('(sleep 300; :) & echo x >>"$1"; sleep 300; :', str(signs))
    launcher = poor_node.begin(poor_node.launching(job))
    wait_until(lambda: lines(signs))
    assert poor_node.end(job.attempt).state is JobState.ENDED
    assert alive(processes_of(f"HPCVIRT_RUN={job.attempt}")) == []
    launcher.communicate(timeout=20)


def test_what_a_node_cannot_hash_is_told_as_not_hashed(poor_node: LocalNode) -> None:
    _skip_busybox(poor_node)
    (poor_node.root / FOLDER / "a").write_bytes(b"a")
    assert poor_node.look(f"{FOLDER}/a", f"{FOLDER}/none").artifacts == {f"{FOLDER}/a": None}


def test_a_node_without_date_has_the_clock_of_its_shell(poor_node: LocalNode) -> None:
    (poor_node.shell.parent / "date").unlink()
    reply = poor_node.launch(shell_job("sleep 0.2"))
    assert reply.before is not None
    assert reply.after is not None
    assert (reply.before[1].clock_s is None) is (_shell_of(poor_node) == "dash")
    found = elapsed_s(reply.before[1], reply.after[1])
    assert found is not None
    assert 0.15 <= found < 5


def test_a_busy_node_is_timed_as_finely_as_an_idle_one(poor_node: LocalNode) -> None:
    """Its ``date`` takes half a second to end, so that clock and uptime are read that far apart."""
    date = poor_node.shell.parent / "date"
    if _shell_of(poor_node) == "dash":
        program = date.resolve()
        date.unlink()
        date.write_text(f'#!/bin/sh\n{program} "$@"\nsleep 0.5\n')
        date.chmod(0o755)
    # A clock that somebody has exported is none.
    env = {**poor_node.environment, "EPOCHREALTIME": "1.5"}
    reply = replace(poor_node, environment=env).launch(shell_job("sleep 0.2"))
    assert reply.before is not None
    assert reply.after is not None
    (_, before), (_, after) = reply.before, reply.after
    assert before.clock_s is not None
    assert after.clock_s is not None
    assert before.clock_s > 1e9
    assert (before.slack_s >= 0.45) is (_shell_of(poor_node) == "dash")
    assert elapsed_s(before, after) == pytest.approx(after.clock_s - before.clock_s, abs=1e-9)


def _shell_of(node: LocalNode) -> str:
    return node.shell.resolve().name


def test_no_reply_at_all(node: LocalNode) -> None:
    script = jobs.collect(str(node.scratch), new_job("true").attempt)
    for raw in (b"", b"bash: /bin/sh: Permission denied\n", b"\0\xff" * 1000):
        with pytest.raises(OutputUnparsable):
            jobs.parse_reply(script, raw)


def test_the_answer_to_another_question_is_no_answer(node: LocalNode) -> None:
    job = shell_job("true")
    raw = node.run(node.launching(job))
    with pytest.raises(HpcvirtError):
        jobs.parse_reply(node.launching(job), raw)


def test_nonces_differ() -> None:
    assert len({jobs.collect("/x", "a").nonce for _ in range(100)}) == 100


def test_waiting_is_bounded_by_what_is_waited_for(node: LocalNode) -> None:
    started = time.monotonic()
    node.collect(new_job("true").attempt)
    node.end(new_job("true").attempt)
    assert time.monotonic() - started < 5
