"""Answers of nodes, read from bytes alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.core.errors import NodeUnusable, OutputUnparsable
from hpcvirt.core.remote import job as jobs
from hpcvirt.core.remote.job import Job, JobState, Reply, Script, Seat

SCRIPT = Script(b"", "n" * 32)

META = b"before\nboot_id b\nclock 1.0\nafter\nclock 2.0\nboot_id b\nexit_status 3\nwrap_status 0\n"


def answer(
    state: str = "finished", meta: bytes = META, out: bytes = b"out", err: bytes = b"err", cleaned: int = 0
) -> bytes:
    head = f"\n@{SCRIPT.nonce} attempt {state} {len(meta)} {len(out)} {len(err)} {cleaned}\n".encode()
    return head + meta + out + err + f"\n@{SCRIPT.nonce} end\n".encode()


def read(raw: bytes) -> Reply:
    return jobs.parse_reply(SCRIPT, raw)


@pytest.mark.parametrize("state", JobState)
def test_every_state_is_read(state: JobState) -> None:
    reply = read(answer(state))
    assert (reply.state, reply.exit_status, reply.wrap_status) == (state, 3, 0)
    assert (reply.stdout, reply.stderr, reply.truncated) == (b"out", b"err", False)
    assert reply.before is not None
    assert reply.after is not None
    assert (reply.before[1].clock_s, reply.after[1].clock_s) == (1.0, 2.0)


@given(st.binary(), st.binary(), st.binary(max_size=40))
def test_any_output_comes_back_to_the_bit(out: bytes, err: bytes, noise: bytes) -> None:
    reply = read(noise + answer(out=out, err=err))
    assert (reply.stdout, reply.stderr, reply.exit_status) == (out, err, 3)


@given(st.binary(max_size=30), st.binary(max_size=30), st.data())
def test_no_beginning_of_an_answer_gives_another_number(out: bytes, err: bytes, data: st.DataObject) -> None:
    raw = answer(out=out, err=err)
    cut = raw[: data.draw(st.integers(0, len(raw)))]
    try:
        assert read(cut) == read(raw)
    except (OutputUnparsable, NodeUnusable):
        assert cut != raw


def test_of_a_job_without_output_meta_is_all_that_comes() -> None:
    mark = f"\n@{SCRIPT.nonce} "
    whole = f"{mark}attempt finished - 0 0 2".encode() + b"\n" + META + f"{mark}end\n".encode()
    reply = read(whole)
    assert reply == read(answer(out=b"", err=b"", cleaned=2))
    assert (reply.exit_status, reply.truncated) == (3, False)
    for length in range(len(whole)):
        with pytest.raises((OutputUnparsable, NodeUnusable)):
            read(whole[:length])


@given(st.integers(0, len(META)))
def test_no_beginning_of_meta_gives_another_number(length: int) -> None:
    """A full disk cuts it anywhere."""
    reply = read(answer(meta=META[:length]))
    assert reply.exit_status in {None, 3}
    assert reply.wrap_status in {None, 0}
    assert reply.after is None or reply.exit_status == 3
    if reply.after is not None:
        assert reply.after[0].boot_id == "b"


def test_processes_that_were_found_are_counted() -> None:
    assert read(answer(cleaned=3)).cleaned == 3


@pytest.mark.parametrize("number", ["9" * 5000, "-1", "1.0", "", "\u0661"])
def test_an_exit_status_is_a_number(number: str) -> None:
    assert read(answer(meta=META.replace(b"exit_status 3", f"exit_status {number}".encode()))).exit_status is None


def test_output_that_looks_like_the_frame_is_output() -> None:
    frame = answer(out=b"inner")
    assert read(answer(out=frame)).stdout == frame


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"attempt finished 0 0 0 0\n",
        answer().replace(b" end\n", b" en"),
        answer().replace(b"finished", b"fin ished"),
        answer() + b"logout\n",
        answer(out=b"x" * 10).replace(b"x" * 10, b"x" * 8),
        answer(out=b"x" * 10).replace(b"x" * 10, b"x" * 9),
        answer(err=b"x" * 9 + b"\n").replace(b"x" * 9, b"x" * 8),
        answer("exploded"),
        answer("FINISHED"),
        answer().replace(b"finished ", b"finished " + b"9" * 5000),
        answer(out=b"x" * 10).replace(b"x" * 10, b"x" * 11),
        f"\n@{'m' * 32} attempt finished 0 0 0 0\n\n@{'m' * 32} end\n".encode(),
    ],
)
def test_what_is_not_whole_is_refused(raw: bytes) -> None:
    with pytest.raises(OutputUnparsable):
        read(raw)


def test_what_a_node_cannot_do_is_told_in_its_words() -> None:
    with pytest.raises(NodeUnusable, match="is it full"):
        read(f"noise\n@{SCRIPT.nonce} unusable /x cannot be written: is it full?\n".encode())


def test_no_control_character_comes_with_the_reason() -> None:
    with pytest.raises(NodeUnusable) as caught:
        read(f"\n@{SCRIPT.nonce} unusable \x1b]52;c;aGk=\x07\n".encode())
    assert "\x1b" not in caught.value.message
    with pytest.raises(OutputUnparsable) as unparsable:
        read(b"\x1b]52;c;aGk=\x07")
    assert "\x1b" not in unparsable.value.message


def test_digests_are_read_from_a_look() -> None:
    mark = f"\n@{SCRIPT.nonce} "
    raw = (
        f"{mark}identity\nboot_id b\n{mark}artifacts\n{'a' * 64}  bench/x/one\nmissing bench/x/two\n"
        f"unhashed bench/x/three\n{'b' * 63}  bench/x/short\nsha256sum: bench/x/four: Permission denied\n"
        f"{mark}spools\nabc\ndef\n{mark}end\n"
    ).encode()
    found = jobs.parse_look(SCRIPT, raw)
    assert found.artifacts == {"bench/x/one": "a" * 64, "bench/x/three": None}
    assert found.spools == {"abc", "def"}
    assert found.identity.boot_id == "b"


@given(st.binary())
def test_any_file_comes_back_to_the_bit(content: bytes) -> None:
    mark = f"\n@{SCRIPT.nonce} ".encode()
    assert jobs.parse_fetch(SCRIPT, mark + b"content\n" + content + mark + b"end\n") == content


def test_scripts_are_plain_assignments_and_one_call() -> None:
    """Nothing of a job stands unquoted in what the node's shell reads."""
    job = Job("ab12", "bench/x", ("a b", "';rm"), {"A": "$(x)"}, ("w w",), "p;q")
    script = jobs.launch("/s c", Seat("ab", "n", "$(who)'"), job, 1.5, forget=["cd34"])
    lines = script.text.decode().splitlines()
    assert lines[0] == "hv_scratch='/s c'"
    assert lines[-2:] == ["hv_do_launch", "exit 0"]
    assert not any(line.startswith("#") for line in lines)
