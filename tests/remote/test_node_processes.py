"""Whose processes are whose: killed leaders, wraps that clear the environment, launchers that are late."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hpcvirt.core.errors import NodeHeld, NodeUnusable
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.job import Job, JobState
from tests.remote.nodes import FOLDER, LocalNode, altered, cut_off, new_job, processes_of, shell_job, wait_until

PAUSED = 'echo $$ >>"$1"; while [ ! -e "$1.go" ]; do sleep 0.05; done; echo out; echo y >>"$1"'
"""Writes its pid, waits to be told to go on, and ends."""

STRAY = f"""PATH={os.environ["PATH"]}
START /bin/sh -c "PATH=$PATH; echo \\$\\$ >>$1; sleep 300; :" &
while [ ! -s "$1" ]; do sleep 0.05; done"""
"""Ends, and leaves a process that wrote its pid."""

CLEARED = ("env", "-i", f"PATH={os.environ['PATH']}")
NOBODY = 65534


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def leader(node: LocalNode, job: Job) -> int:
    (told,) = node.spool(job.attempt).glob("leader.*")
    return int(told.read_text().split()[0])


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    return tmp_path / "signs"


# -- a job whose shell is killed alone


def test_a_launch_answers_only_when_the_benchmark_is_over(node: LocalNode, signs: Path) -> None:
    job = shell_job(PAUSED, str(signs))
    script = node.launching(job)
    launcher = node.begin(script)
    wait_until(lambda: lines(signs))
    os.kill(leader(node, job), signal.SIGKILL)
    if node.has_sessions:
        # It was the launcher itself: whoever comes to collect takes its place.
        launcher.communicate()
        script = jobs.collect(str(node.scratch), job.attempt)
        launcher = node.begin(script)
    with pytest.raises(subprocess.TimeoutExpired):
        launcher.wait(1.5)
    Path(f"{signs}.go").touch()
    reply = jobs.parse_reply(script, launcher.communicate(timeout=20)[0])
    assert (reply.state, reply.stdout) == (JobState.KILLED, b"out\n")
    assert len(lines(signs)) == 2


def test_collecting_waits_for_what_its_leader_left_running(node: LocalNode, signs: Path) -> None:
    job = shell_job(PAUSED, str(signs), wrap=CLEARED)
    launcher = node.begin(node.launching(job))
    wait_until(lambda: lines(signs))
    launcher.kill()
    launcher.communicate()
    if node.stays or not node.has_sessions:
        os.kill(leader(node, job), signal.SIGKILL)
    script = jobs.collect(str(node.scratch), job.attempt)
    collector = node.begin(script)
    with pytest.raises(subprocess.TimeoutExpired):
        collector.wait(1.5)
    Path(f"{signs}.go").touch()
    reply = jobs.parse_reply(script, collector.communicate(timeout=20)[0])
    assert (reply.state, reply.stdout) == (JobState.KILLED, b"out\n")


def test_a_second_launch_waits_for_the_first(node: LocalNode, signs: Path) -> None:
    job = shell_job(PAUSED, str(signs))
    scripts = [node.launching(job) for _ in range(2)]
    launchers = [node.begin(scripts[0])]
    wait_until(lambda: lines(signs))
    launchers.append(node.begin(scripts[1]))
    with pytest.raises(subprocess.TimeoutExpired):
        launchers[1].wait(1)
    Path(f"{signs}.go").touch()
    answers = [launcher.communicate(timeout=20)[0] for launcher in launchers]
    first, second = (jobs.parse_reply(*pair) for pair in zip(scripts, answers, strict=True))
    assert first.state is JobState.FINISHED
    assert second == first


def test_launches_at_the_same_moment_tear_nothing(node: LocalNode, signs: Path) -> None:
    node.launch(new_job("true"))
    for _ in range(3):
        signs.unlink(missing_ok=True)
        job = shell_job('echo x >>"$1"; sleep 0.3; echo "$2"', str(signs), "z" * 20_000)
        scripts = [node.launching(job) for _ in range(4)]
        launchers = [node.begin(script) for script in scripts]
        answers = [launcher.communicate(timeout=30)[0] for launcher in launchers]
        replies = [jobs.parse_reply(*pair) for pair in zip(scripts, answers, strict=True)]
        assert len(lines(signs)) <= 1
        assert {reply.stdout for reply in replies if reply.state is JobState.FINISHED} <= {b"z" * 20_000 + b"\n"}
        assert {reply.state for reply in replies} <= {JobState.FINISHED, JobState.KILLED}


def test_what_never_started_is_told_apart_from_what_was_ended(node: LocalNode) -> None:
    job = new_job("true")
    assert node.end(job.attempt).state is JobState.NEVER
    # Its answer may be lost: asked again, it says the same.
    assert node.end(job.attempt).state is JobState.NEVER
    with pytest.raises(NodeUnusable, match="given up"):
        node.launch(job)


def test_between_claim_and_start_it_is_no_dead_run(node: LocalNode, signs: Path) -> None:
    job = shell_job('echo x >>"$1"', str(signs))
    script = node.launching(job)
    slow = altered(script, b"true >claim", b"true >claim; sleep 1")
    launcher = node.begin(slow)
    wait_until(lambda: (node.spool(job.attempt) / "claim").exists())
    assert node.collect(job.attempt).state is JobState.FINISHED
    launcher.communicate(timeout=20)
    assert lines(signs) == ["x"]

    job = shell_job('echo x >>"$1"', str(signs))
    script = node.launching(job)
    launcher = node.begin(altered(script, b"true >claim", b"true >claim; sleep 5"))
    wait_until(lambda: (node.spool(job.attempt) / "claim").exists())
    assert node.end(job.attempt).state is JobState.ENDED
    launcher.communicate(timeout=20)
    assert lines(signs) == ["x"]


@pytest.mark.parametrize(("name", "status"), [("TERM", 143), ("INT", 130), ("HUP", 129)])
def test_a_benchmark_that_signals_its_process_group_ends_itself(node: LocalNode, name: str, status: int) -> None:
    reply = node.launch(shell_job(f"echo out; trap - {name}; kill -{name} 0; sleep 60"))
    assert (reply.state, reply.exit_status, reply.stdout) == (JobState.FINISHED, status, b"out\n")


def test_what_the_login_left_running_is_not_ours(node: LocalNode, signs: Path) -> None:
    for _ in range(2):
        script = node.launching(new_job("true"))
        login = f"sleep 300 </dev/null >/dev/null 2>&1 & echo $! >>{signs}\nsleep 0.05\n".encode()
        reply = jobs.parse_reply(script, node.run(altered(script, b"", login)))
        assert (reply.state, reply.cleaned) == (JobState.FINISHED, 0)
        past = [path.name for path in (node.root / "spool").glob("*/*")]
        assert node.launch(new_job("true"), forget=past).cleaned == 0
    left = list(map(int, lines(signs)))
    assert all(map(is_running, left))
    for pid in left:
        os.kill(pid, signal.SIGKILL)


def test_a_refused_campaign_leaves_the_graves_of_who_holds_the_node(node: LocalNode, signs: Path) -> None:
    late = shell_job('echo x >>"$1"', str(signs))
    node.launch(new_job("true"))
    assert node.end(late.attempt).state is JobState.NEVER
    other = replace(node, seat=replace(node.seat, campaign="f" * 32))
    with pytest.raises(NodeHeld):
        other.launch(new_job("true"))
    other.leave()
    with pytest.raises(NodeUnusable, match="given up"):
        node.launch(late)
    assert lines(signs) == []


# -- a wrap that leaves the session


def test_what_a_wrap_starts_in_another_session_is_ended(node: LocalNode, signs: Path) -> None:
    stubborn = f"trap '' TERM; \"$@\"; echo $$ >>{signs}; while :; do sleep 0.1; done"
    setsid = shutil.which("setsid")
    if setsid is None:
        pytest.skip("no setsid on this machine")
    job = new_job("true", wrap=(setsid, "-w", "/bin/sh", "-c", stubborn, "wrap"))
    launcher = node.begin(node.launching(job))
    wait_until(lambda: lines(signs))
    assert node.end(job.attempt).state is JobState.ENDED
    launcher.communicate(timeout=20)
    assert not is_running(int(lines(signs)[0]))


# -- a wrap that clears the environment


SESSION = "set -- $(cat /proc/$$/stat); echo $6 $$"
"""A benchmark that tells which session it is in."""


def test_the_own_program_of_a_benchmark_leads_a_session(node: LocalNode) -> None:
    job = new_job("./own", fresh=True, scripts={"own": f"#!/bin/sh\n{SESSION}\n"})
    session, pid = node.launch(job).stdout.split()
    assert node.stays is (session == pid)
    assert (node.spool(job.attempt) / "session").exists() is node.stays


@pytest.mark.parametrize("env", [{}, {"A": "b"}])
def test_a_program_that_is_not_there_is_told_by_who_looked_for_it(node: LocalNode, env: dict[str, str]) -> None:
    job = new_job("./none", fresh=True, env=env)
    reply = node.launch(job)
    assert reply.exit_status == 127
    assert b"none" in reply.stderr
    assert b"setsid" not in reply.stderr


def test_a_benchmark_is_marked_whatever_its_wrap_clears(node: LocalNode) -> None:
    job = shell_job('echo "$HPCVIRT_RUN $HPCVIRT_SEAT $A"', wrap=CLEARED, env={"A": "1"})
    assert node.launch(job).stdout.decode() == f"{job.attempt} {node.seat.name} 1\n"


@pytest.mark.parametrize("wrap", [(), CLEARED], ids=["marked", "cleared"])
def test_what_clears_its_environment_is_ended(node: LocalNode, signs: Path, wrap: tuple[str, ...]) -> None:
    script = "env -i /bin/sh -c \"echo \\$\\$ >>$1; trap '' TERM; while :; do sleep 0.1; done\""
    job = shell_job(f"PATH={os.environ['PATH']}; {script}; :", str(signs), wrap=wrap)
    launcher = node.begin(node.launching(job))
    wait_until(lambda: lines(signs))
    assert node.end(job.attempt).state is JobState.ENDED
    launcher.communicate(timeout=20)
    assert not is_running(int(lines(signs)[0]))


def test_a_session_of_another_job_is_left_alone(node: LocalNode) -> None:
    """Its number was given to somebody else after ours was over."""
    job = shell_job("true")
    node.launch(job)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        _forget_end(node, job)
        (node.spool(job.attempt) / "leader.1").write_text(f"{other.pid} {other.pid} 1 1\n")
        assert node.end(job.attempt).state is JobState.ENDED
        assert node.collect(job.attempt).state is JobState.KILLED
        assert node.launch(new_job("true"), forget=[job.attempt]).cleaned == 0
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("left", ["", "12", "x y z", "x y z w", "1 1", "1 1 1", "999999999 999999999 5 5", "\n\n"])
def test_a_leader_that_was_not_written_whole_harms_nobody(node: LocalNode, left: str) -> None:
    job = shell_job("true")
    node.launch(job)
    _forget_end(node, job)
    (node.spool(job.attempt) / "leader.1").write_text(left)
    assert node.collect(job.attempt).state is JobState.KILLED
    assert node.end(job.attempt).state is JobState.ENDED
    assert node.launch(new_job("true"), forget=[job.attempt]).cleaned == 0


def _forget_end(node: LocalNode, job: Job) -> None:
    """As if it had not come to its end, and nobody knew who led it."""
    for told in (node.spool(job.attempt) / "done", *node.spool(job.attempt).glob("leader.*")):
        told.unlink()


def _as_another_user(tmp_path: Path, signs: Path) -> str:
    """A command that leaves its user behind, as sudo does."""
    program = tmp_path / "other.py"
    program.write_text(
        "import os, time\n"
        f"os.setgid({NOBODY}); os.setuid({NOBODY}); os.environ.clear()\n"
        f"open({str(signs)!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(300)\n"
    )
    signs.touch()
    signs.chmod(0o666)
    return f"{sys.executable} {program}"


def test_what_cannot_be_killed_is_stuck(node: LocalNode, signs: Path) -> None:
    """As what sudo started is for its user. Here ``kill`` itself fails: the tests may be root's."""
    job = shell_job(PAUSED, str(signs))
    launcher = node.begin(node.launching(job))
    wait_until(lambda: lines(signs))
    script = jobs.end(str(node.scratch), job.attempt)
    powerless = altered(script, b"", b"kill() { return 1; }\n")
    assert jobs.parse_reply(script, node.run(powerless)).state is JobState.STUCK
    Path(f"{signs}.go").touch()
    launcher.communicate(timeout=20)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_runs_as_another_user_is_found(node: LocalNode, tmp_path: Path, signs: Path) -> None:
    command = _as_another_user(tmp_path, signs)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o11)
    job = shell_job(f"{command}; :")
    launcher = node.begin(node.launching(job))
    wait_until(lambda: lines(signs))
    assert node.end(job.attempt).state is JobState.ENDED
    launcher.communicate(timeout=20)
    assert not is_running(int(lines(signs)[0]))


# -- what outlives its run


@pytest.mark.parametrize("start", ["", "setsid", "env -i"])
def test_what_outlives_its_run_is_ended_before_the_next(node: LocalNode, signs: Path, start: str) -> None:
    job = shell_job(STRAY.replace("START", start), str(signs))
    assert node.launch(job).state is JobState.FINISHED
    (pid,) = map(int, lines(signs))
    assert is_running(pid)
    assert node.launch(new_job("true"), forget=[job.attempt]).cleaned >= 1
    assert not is_running(pid)
    assert node.launch(new_job("true")).cleaned == 0


def test_what_is_ended_on_its_way_into_its_session_does_not_start(node: LocalNode, signs: Path) -> None:
    job = shell_job('echo x >>"$1"', str(signs))
    script = node.launching(job)
    start, slow = b"exec ${hv_own:-}", b"trap : TERM; while [ ! -e %s.go ]; do sleep 0.05; done; exec ${hv_own:-}"
    launcher = node.begin(altered(script, start, slow % os.fsencode(signs)))
    wait_until(lambda: (node.spool(job.attempt) / "out").exists())
    assert node.end(job.attempt).state is JobState.ENDED
    Path(f"{signs}.go").touch()
    launcher.communicate(timeout=20)
    assert not processes_of(job.attempt)
    assert lines(signs) == []


CHILDREN = """
( IFS= read -r hv_line </proc/self/stat; hv_pid=${hv_line%% *}; hv_is_child && echo listed )
( hv_pid=0; hv_is_child && echo unlisted )
( ( hv_pid=0; hv_is_child || echo of another ); : )
"""


def test_a_child_knows_its_launcher_also_without_a_list_of_children(node: LocalNode) -> None:
    text = jobs.library() + CHILDREN.encode()
    done = subprocess.run([node.shell], input=text, capture_output=True, env=node.environment, check=True, timeout=30)
    assert done.stdout.decode().split("\n") == ["listed", "unlisted", "of another", ""]
    assert done.stderr == b""


@pytest.mark.parametrize("start", ["", "env -i"])
def test_nothing_outlives_the_campaign(node: LocalNode, signs: Path, start: str) -> None:
    job = shell_job(STRAY.replace("START", start), str(signs))
    node.launch(job)
    node.leave(job.attempt)
    assert not is_running(int(lines(signs)[0]))
    assert not node.root.exists()
    assert list(node.locks.iterdir()) == []


# -- spools of attempts to come


def test_spools_are_made_ahead_and_found_empty_again(node: LocalNode) -> None:
    first, second, never = (new_job("true") for _ in range(3))
    ahead = [second.attempt, never.attempt]
    script = jobs.launch(str(node.scratch), node.seat, first, 60, ahead=ahead)
    assert jobs.parse_reply(script, node.run(script)).state is JobState.FINISHED
    assert [list(node.spool(attempt).iterdir()) for attempt in ahead] == [[], []]
    assert node.look().spools == {first.attempt}
    assert node.launch(second).state is JobState.FINISHED
    node.leave(first.attempt, second.attempt)
    assert not node.root.exists()


def test_a_spool_that_was_made_before_a_reboot_starts_nothing_there(node: LocalNode) -> None:
    job = new_job("true")
    empty = node.root / "spool" / "host.00000000-0000-0000-0000-000000000000" / job.attempt
    empty.mkdir(parents=True)
    assert node.launch(job).state is JobState.FINISHED
    assert list(empty.iterdir()) == []
    assert (node.spool(job.attempt) / "done").exists()


def test_a_launcher_that_still_sends_is_no_stray(node: LocalNode, signs: Path) -> None:
    """Its connection is cut and does not say so: the pipe is full and nobody reads."""
    job = shell_job('head -c 1000000 /dev/zero; echo x >>"$1"', str(signs))
    sender = node.begin(node.launching(job))
    wait_until(lambda: (node.spool(job.attempt) / "done").exists())
    reply = node.launch(new_job("true"), forget=[job.attempt])
    assert (reply.state, reply.cleaned) == (JobState.FINISHED, 0)
    sender.kill()
    sender.communicate()


# -- launchers that are late


def test_what_never_started_does_not_start_after_it_is_forgotten(node: LocalNode, signs: Path) -> None:
    job = shell_job('echo x >>"$1"', str(signs))
    assert node.collect(job.attempt).state is JobState.NEVER
    other = new_job("true")
    node.launch(other, forget=[job.attempt])
    assert [path.name for path in node.spool(job.attempt).iterdir()] == ["claim"]
    assert job.attempt not in node.look().spools
    for _ in range(2):
        with pytest.raises(NodeUnusable, match="given up"):
            node.launch(job)
        node.forget(job.attempt)
    assert lines(signs) == []
    node.leave(other.attempt)
    assert not node.root.exists()


def test_a_late_launcher_leaves_a_later_run_alone(node: LocalNode, signs: Path) -> None:
    late, later = new_job("true"), shell_job(PAUSED, str(signs))
    node.collect(late.attempt)
    script = node.launching(later)
    launcher = node.begin(script)
    wait_until(lambda: lines(signs))
    (lock,) = node.locks.iterdir()
    told = (lock / "job").read_text()
    with pytest.raises(NodeUnusable, match="given up"):
        node.launch(late)
    assert (lock / "job").read_text() == told
    Path(f"{signs}.go").touch()
    assert jobs.parse_reply(script, launcher.communicate(timeout=20)[0]).state is JobState.FINISHED


def test_a_launcher_that_is_overtaken_while_it_looks_for_strays_ends_nothing(node: LocalNode, signs: Path) -> None:
    """Between its look at the processes and its kill another one claimed its attempt, and a later one started."""
    late, later = new_job("true"), shell_job(PAUSED, str(signs))
    script = node.launching(later)
    launcher = node.begin(script)
    wait_until(lambda: lines(signs))
    overtaken = node.launching(late)
    claim = b'hv_hold() { mkdir -p "$hv_spool/claim"; }\nhv_lock_job() { :; }\nhv_do_launch\nexit 0\n'
    text = overtaken.text.removesuffix(b"hv_do_launch\nexit 0\n") + claim
    reply = jobs.parse_reply(overtaken, node.run(replace(overtaken, text=text, order=b"")))
    assert (reply.state, reply.cleaned) == (JobState.KILLED, 0)
    Path(f"{signs}.go").touch()
    assert jobs.parse_reply(script, launcher.communicate(timeout=20)[0]).state is JobState.FINISHED


def test_what_was_ended_does_not_start_again(node: LocalNode, signs: Path) -> None:
    job = shell_job('echo x >>"$1"', str(signs))
    node.end(job.attempt)
    node.launch(new_job("true"), forget=[job.attempt])
    with pytest.raises(NodeUnusable, match="given up"):
        node.launch(job)
    assert lines(signs) == []


# -- a node that changes its name


def test_a_changed_hostname_is_no_reboot(node: LocalNode, signs: Path) -> None:
    job = shell_job(PAUSED, str(signs))
    launcher = node.begin(node.launching(job))
    wait_until(lambda: lines(signs))
    spool = node.spool(job.attempt)
    renamed = spool.parent.with_name(f"another-name.{spool.parent.name.rpartition('.')[2]}")
    cut_off(launcher)
    spool.parent.rename(renamed)
    script = jobs.collect(str(node.scratch), job.attempt)
    collector = node.begin(script)
    with pytest.raises(subprocess.TimeoutExpired):
        collector.wait(1)
    Path(f"{signs}.go").touch()
    reply = jobs.parse_reply(script, collector.communicate(timeout=20)[0])
    assert (reply.state, reply.stdout) == (JobState.FINISHED, b"out\n")
    launcher.wait(20)


def test_a_leader_of_an_earlier_boot_leads_nobody(node: LocalNode) -> None:
    job = new_job("true")
    spool = node.root / "spool" / "host.00000000-0000-0000-0000-000000000000" / job.attempt
    (spool / "claim").mkdir(parents=True)
    with subprocess.Popen(["sh", "-c", "sleep 60 & exec sleep 60"], start_new_session=True) as other:
        since = Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[19]
        (spool / "leader.1").write_text(f"{other.pid} {other.pid} {since} 1\n")
        assert node.collect(job.attempt).state is JobState.REBOOTED
        assert node.end(job.attempt).state is JobState.REBOOTED
        assert node.launch(new_job("true"), forget=[job.attempt]).cleaned == 0
        assert other.poll() is None
        os.killpg(other.pid, signal.SIGKILL)


# -- names that shells keep for themselves


OWN_NAMES = {
    **dict.fromkeys(("UID", "EUID", "PPID", "OPTIND", "RANDOM", "LINENO", "SECONDS", "BASHOPTS", "FUNCNAME", "_"), "7"),
    **dict.fromkeys(("OLDPWD", "HOME", "hv_root", "hv_status", "hv_value", "hv_stat", "PS4", "OPTARG"), "/nowhere"),
    "IFS": "0x/",
    "hv_probe": "false",
    "A": "a b\n'c'",
}


def test_any_name_comes_through_the_environment(node: LocalNode) -> None:
    env = shutil.which("env")
    assert env is not None
    reply = node.launch(new_job(env, "-0", env=OWN_NAMES, wrap=("env", "-u", "NOTHING")))
    found = dict(pair.split("=", 1) for pair in reply.stdout.decode().split("\0") if pair)
    assert {name: found.get(name) for name in OWN_NAMES} == OWN_NAMES
    assert reply.exit_status == 0
    assert reply.after is not None
    assert node.launch(new_job("false", env=OWN_NAMES)).exit_status == 1


def test_the_wrap_has_the_environment(node: LocalNode) -> None:
    wrap = ("/bin/sh", "-c", 'HV_SEEN="$A$hv_root" exec "$@"', "wrap")
    job = shell_job('echo "$HV_SEEN"', wrap=wrap, env={"A": "1", "hv_root": "2"})
    assert node.launch(job).stdout == b"12\n"
    assert node.look(wrap=wrap, probe='echo "$HV_SEEN"').identity.probe is None


# -- probes


@pytest.mark.parametrize(
    ("probe", "told"),
    [
        ("echo one; echo two", "one"),
        ("printf one", "one"),
        ("echo one; exit 1", None),
        ("false", None),
        ("no-such-program", None),
        ("kill -9 $$", None),
        ("true", None),
        ("echo; echo two", None),
        ("echo one >&2", None),
        ("echo boot_id forged; echo boot_id forged", "boot_id forged"),
        ("echo '@status 0'; exit 1", None),
        ("printf 'one\\rboot_id forged\\n'", "one\ufffdboot_id forged"),
        ("cat", None),
        ("echo one; sleep 60 &", "one"),
        ("echo one; head -c 100000 /dev/zero | tr '\\0' 'x'", "one"),
    ],
)
def test_what_a_probe_says(node: LocalNode, probe: str, told: str | None) -> None:
    reply = node.launch(replace(new_job("true"), probe=probe))
    for reading in (reply.before, reply.after):
        assert reading is not None
        assert reading[0].probe == told
        assert reading[0].boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        assert reading[1].uptime_s is not None
    assert node.look(probe=probe).identity.probe == told


# -- a wrap that fails while the node is looked at


@pytest.mark.parametrize(
    ("wrap", "status", "words"),
    [
        (("./no-such-wrap",), 127, "no-such-wrap"),
        (("/etc/passwd",), 126, "/etc/passwd"),
        (("/bin/sh", "-c", "echo it is broken >&2; exit 3"), 3, "it is broken"),
        (("/bin/sh", "-c", "echo it is broken; exit 3"), 3, "it is broken"),
        (("/bin/sh", "-c", 'echo warning >&2; "$@"; exit 4', "wrap"), 4, "warning"),
    ],
    ids=["missing", "no program", "fails on stderr", "fails on stdout", "fails at the end"],
)
def test_a_wrap_that_fails_says_so_in_a_look(node: LocalNode, wrap: tuple[str, ...], status: int, words: str) -> None:
    found = node.look(f"{FOLDER}/none", wrap=wrap)
    assert found.wrap_status == status
    assert words in found.wrap_words
    assert (found.identity.boot_id is None) == ("$@" not in str(wrap))
    assert [path.name for path in node.root.iterdir()] == ["bench"]


def test_a_look_without_a_wrap_has_nothing_to_say(node: LocalNode) -> None:
    found = node.look(probe="exit 3")
    assert (found.wrap_status, found.wrap_words) == (0, "")


def test_words_of_a_wrap_are_cut_and_cleaned(node: LocalNode) -> None:
    wrap = ("/bin/sh", "-c", "head -c 5000 /dev/zero | tr '\\0' x >&2; printf '\\033]0;x\\007end' >&2; exit 9")
    found = node.look(wrap=wrap)
    assert len(found.wrap_words) <= jobs.WRAP_WORDS_BYTES
    assert found.wrap_words.endswith("end")
    assert "\x1b" not in found.wrap_words


# -- our folder


def test_our_folder_is_shut_to_others(node: LocalNode) -> None:
    node.root.chmod(0o777)
    node.look()
    assert node.root.stat().st_mode & 0o777 == 0o700
    node.root.chmod(0o755)
    script = jobs.make_folder(str(node.scratch), FOLDER)
    jobs.parse_done(script, node.run(script))
    assert node.root.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_shut_is_refused(node: LocalNode) -> None:
    script = jobs.look(str(node.scratch))
    powerless = altered(script, b"", b"chmod() { return 1; }\n")
    with pytest.raises(NodeUnusable, match="cannot be shut"):
        jobs.parse_look(script, node.run(powerless))
