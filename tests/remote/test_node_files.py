"""A folder for each run, files written into it and fetched from it; programs and libraries looked up and hashed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.job import JobState
from hpcvirt.core.remote.programs import Programs, parse_programs, programs_text
from tests.remote.nodes import FOLDER, LocalNode, new_job, shell_job

HOSTILE = 'it\'s $HOME `id` \\n %s "x"\n\ttab ü\n'


def test_a_fresh_folder_holds_what_was_written_and_the_artifacts_and_goes_with_the_run(node: LocalNode) -> None:
    (node.root / FOLDER / "artifact").write_text("bits\n")
    job = shell_job("ls; cat artifact 'it is'; pwd; echo made >made", fresh=True, files={"it is": HOSTILE})
    reply = node.launch(job)
    spool = node.spool(job.attempt)
    assert reply.stdout.decode() == f"artifact\nit is\nbits\n{HOSTILE}{spool}/work\n"
    assert (reply.state, reply.exit_status, reply.files) == (JobState.FINISHED, 0, {})
    assert not (spool / "work").exists()
    assert [path.name for path in (node.root / FOLDER).iterdir()] == ["artifact"]


def test_two_runs_do_not_meet(node: LocalNode) -> None:
    for _ in range(2):
        assert node.launch(shell_job("cat results; echo old >>results", fresh=True)).stdout == b""


@pytest.mark.parametrize("fresh", [True, False])
def test_files_come_back(node: LocalNode, fresh: bool) -> None:
    script = (
        "printf 'a\\nb' >one; : >empty; mkdir folder; printf '1 ./x\\n\\0\\377' >folder/two; echo out; echo err >&2"
    )
    names = ("one", "missing", "empty", "folder/two", "folder")
    reply = node.launch(shell_job(f"{script}; exit 3", fresh=fresh, fetch=names))
    assert reply.files == {"one": b"a\nb", "empty": b"", "folder/two": b"1 ./x\n\0\xff"}
    assert (reply.stdout, reply.stderr, reply.exit_status, reply.truncated) == (b"out\n", b"err\n", 3, False)


def test_files_come_back_though_nothing_was_printed(node: LocalNode) -> None:
    job = shell_job("echo 1 >one", fresh=True, fetch=("one",))
    assert node.launch(job).files == {"one": b"1\n"}
    collected = node.collect(job.attempt)
    assert (collected.files, collected.stdout, collected.state) == ({"one": b"1\n"}, b"", JobState.FINISHED)


def test_a_file_that_is_too_long_is_cut_and_said_so(node: LocalNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "OUTPUT_LIMIT_BYTES", 1000)
    reply = node.launch(shell_job("printf '%5000s' x >long; echo s >short", fresh=True, fetch=("short", "long")))
    assert (reply.files, reply.truncated) == ({"short": b"s\n"}, True)


def test_a_poor_node_can_do_that_too(poor_node: LocalNode) -> None:
    reply = poor_node.launch(shell_job("cat in >out", fresh=True, files={"in": "1"}, fetch=("out",)))
    assert reply.files == {"out": b"1"}


def test_a_folder_that_cannot_be_made_is_no_run(node: LocalNode) -> None:
    job = new_job("true", fresh=True)
    spool = node.spool(job.attempt)
    spool.mkdir(parents=True)
    (spool / "work").write_text("in the way")
    assert node.launch(job).exit_status == 126


# -- programs


def look(node: LocalNode, *names: str, needed: tuple[str, ...] = ()) -> Programs:
    script = jobs.run_within(str(node.scratch), (), {}, programs_text(names, needed))
    said, status = jobs.parse_run_within(script, node.run(script))
    assert status == 0
    return parse_programs(said)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_program_anywhere_and_files(node: LocalNode) -> None:
    own = node.root / "with blank"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    found = look(node, str(own), needed=("/proc/self/stat", "/no/such/file"))
    assert [(one.name, one.path, one.sha256) for one in found.found] == [("with blank", str(own), digest(own))]
    assert found.absent == ("/no/such/file",)
    assert (found.missing, found.forbidden, found.lacking) == ((), (), ())


def test_in_path_through_links(node: LocalNode) -> None:
    (one, *libraries) = look(node, "cat").found
    real = Path(one.path)
    assert (one.name, one.sha256) == ("cat", digest(real))
    assert real == real.resolve()
    for library in libraries:
        assert library.path.startswith("/")
        assert library.sha256 == digest(Path(library.path))
        assert "/" not in library.name


def test_what_is_not_there_or_not_executable(node: LocalNode) -> None:
    (node.root / "plain").write_text("#!/bin/sh\n")
    found = look(node, "no-such-program", "/no/such", f"{node.root}/plain", str(node.root), "'; exit 1; '")
    assert found.missing == ("no-such-program", "/no/such", str(node.root), "'; exit 1; '")
    assert found.forbidden == (f"{node.root}/plain",)
    assert found.found == ()


def test_a_node_that_cannot_hash(poor_node: LocalNode) -> None:
    own = poor_node.root / "program"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    (one,) = look(poor_node, str(own)).found
    # busybox has it in its own shell, whatever is in PATH.
    assert (one.name, one.path) == ("program", str(own))
    assert one.sha256 == (digest(own) if "busybox" in str(poor_node.shell.resolve()) else None)
    script = jobs.fetch(str(poor_node.scratch), one.path)
    assert jobs.parse_fetch(script, poor_node.run(script)) == b"#!/bin/sh\n"


def test_within_the_wrap(node: LocalNode) -> None:
    script = jobs.run_within(str(node.scratch), ("env", "A=b c"), {"B": "d'e"}, 'echo "$A-$B"; pwd; exit 7')
    assert jobs.parse_run_within(script, node.run(script)) == (f"b c-d'e\n{node.root}\n".encode(), 7)
