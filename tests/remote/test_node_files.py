"""A folder for each run, files written into it and fetched from it; programs and libraries looked up and hashed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from hpcvirt.core.errors import NodeUnusable, OutputUnparsable
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.job import JobState
from hpcvirt.core.remote.programs import Programs, parse_programs, programs_text
from tests.remote.nodes import FOLDER, LocalNode, altered, new_job, shell_job

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


def look(node: LocalNode, *names: str, needed: tuple[str, ...] = (), arguments: tuple[str, ...] = ()) -> Programs:
    script = jobs.run_within(str(node.scratch), (), {}, programs_text(names, needed, arguments))
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
    assert [(one.name, one.path, one.sha256) for one in found.found[:1]] == [("with blank", str(own), digest(own))]
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


def own_program(folder: Path, name: str, text: str = "#!/bin/sh\n", mode: int = 0o755) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


def hashed(found: Programs) -> dict[str, str | None]:
    """Libraries left aside."""
    return {one.name: one.sha256 for one in found.found if ".so" not in one.name}


def test_the_words_of_a_command_line_that_are_programs_or_files(node: LocalNode) -> None:
    own, deck = own_program(node.root, "own"), own_program(node.root, "deck", "input", 0o644)
    words = ("-v", "env", "A=b", str(own), f"--deck={deck}", "--size", "1", "./own", "/no/such", str(node.root), "none")
    found = look(node, "cat", arguments=words)
    digests = hashed(found)
    assert digests.keys() == {"cat", "env", str(own), f"--deck={deck}", "sh"}
    assert (digests[str(own)], digests[f"--deck={deck}"]) == (digest(own), digest(deck))
    assert (found.missing, found.forbidden, found.foreign) == ((), (), ())


def test_a_program_behind_another_may_be_made_for_another_machine(node: LocalNode) -> None:
    own = node.root / "foreign"
    content = bytearray(Path("/bin/true").resolve().read_bytes())
    content[18:20] = (0x1234).to_bytes(2, "little")
    own.write_bytes(content)
    own.chmod(0o755)
    assert look(node, "env", arguments=(str(own),)).foreign == (str(own),)


def test_a_very_large_file_is_no_program(node: LocalNode) -> None:
    large = node.root / "large"
    large.touch()
    os.truncate(large, 2**26 + 1)
    assert str(large) not in hashed(look(node, "cat", arguments=(str(large),)))
    os.truncate(large, 2**20)
    assert str(large) in hashed(look(node, "cat", arguments=(str(large),)))


@pytest.mark.parametrize("line", ["#!{own}", "#! {own} -x", "#!/usr/bin/env own", "#!/usr/bin/env -S A=b own -x"])
def test_a_script_is_as_good_as_its_interpreter(node: LocalNode, line: str) -> None:
    folder = node.root / "in path"
    folder.mkdir()
    own = own_program(folder, "own")
    script = own_program(node.root, "script", line.format(own=f"{node.root}/link") + "\n")
    (node.root / "link").symlink_to(own)
    path = {"PATH": f"{folder}:{node.environment['PATH']}"}
    within = jobs.run_within(str(node.scratch), (), path, programs_text((str(script),), ()))
    digests = hashed(parse_programs(jobs.parse_run_within(within, node.run(within))[0]))
    name = "own" if "env" in line else "link"
    assert digests.keys() == {"script", "sh", name}
    assert digests[name] == digest(own)


def test_a_script_that_is_its_own_interpreter(node: LocalNode) -> None:
    own = own_program(node.root, "own", f"#!{node.root}/own")
    assert hashed(look(node, str(own))) == {"own": digest(own)}


def test_a_node_without_ldd_says_so(poor_node: LocalNode) -> None:
    own = own_program(poor_node.root, "own")
    found = look(poor_node, "cat", str(own))
    assert len(found.unlisted) > 0
    assert "own" not in found.unlisted


@pytest.mark.parametrize("name", ["no/such", "folder", "sealed"])
def test_what_cannot_be_read_is_no_empty_file(node: LocalNode, name: str) -> None:
    (node.root / "folder").mkdir()
    sealed = own_program(node.root, "sealed", mode=0o711)
    script = jobs.fetch(str(node.scratch), name)
    if name == "sealed" and os.access(sealed, os.R_OK):
        # Nothing is unreadable for root, so `cat` has to fail.
        script = altered(script, b'cat "$hv_file"', b"false")
        with pytest.raises(OutputUnparsable):
            jobs.parse_fetch(script, node.run(script))
        return
    with pytest.raises(NodeUnusable, match="not there, or not readable"):
        jobs.parse_fetch(script, node.run(script))


def test_a_node_that_cannot_hash(poor_node: LocalNode) -> None:
    own = own_program(poor_node.root, "program")
    one, *_ = look(poor_node, str(own)).found
    # busybox has it in its own shell, whatever is in PATH.
    assert (one.name, one.path) == ("program", str(own))
    assert one.sha256 == (digest(own) if "busybox" in str(poor_node.shell.resolve()) else None)
    script = jobs.fetch(str(poor_node.scratch), one.path)
    assert jobs.parse_fetch(script, poor_node.run(script)) == b"#!/bin/sh\n"


def test_within_the_wrap(node: LocalNode) -> None:
    script = jobs.run_within(str(node.scratch), ("env", "A=b c"), {"B": "d'e"}, 'echo "$A-$B"; pwd; exit 7')
    assert jobs.parse_run_within(script, node.run(script)) == (f"b c-d'e\n{node.root}\n".encode(), 7)
