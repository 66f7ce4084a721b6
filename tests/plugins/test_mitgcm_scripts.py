"""MITgcm's script on the node, with a program that stands for the model: input, overrides, what was written."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcvirt.core.benchmark import Output, complete
from hpcvirt.core.model import Status, Value
from hpcvirt.plugins.mitgcm import Mitgcm
from tests.plugins.recordings import Case

DATA = """\
# Continuous equation parameters
 &PARM01
 viscAz=1.E-3,
 tRef = 24.0, 23.0,
        22.0,
# endTime here is a comment
 viscAh=5.E5,
 /

 &PARM03
 startTime=0,
#endTime=3110400000,
 endTime=2808000.,
 deltaTmom=2400.0,
 &end
"""

MODEL = """#!/bin/sh
cat data input.bin
[ ! -e T.0000000010.data ] || echo "not a fresh folder"
printf '%s' 12345678 >T.0000000010.data
printf '%s' "${LAST:-87654321}" >T.0000000020.data
printf '%s' 1 >ckpt.ckptA.data
exit "${STATUS:-0}"
"""


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    folder = tmp_path / "exp 2"
    folder.mkdir()
    (folder / "data").write_text(DATA)
    (folder / "input.bin").write_text("input\n")
    (folder / "STDOUT.0000").write_text("old")
    (folder / "mitgcmuv").write_text(MODEL)
    (folder / "mitgcmuv").chmod(0o755)
    return folder


@pytest.fixture(params=["sh", "busybox"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """An environment of this machine's tools, or of busybox's alone."""
    if request.param == "sh":
        return {"PATH": "/usr/bin:/bin"}
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("no busybox here")
    links = tmp_path / "bin"
    links.mkdir()
    known = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in set(known) & {"sh", "awk", "cat", "ln", "rm", "cksum", "wc", "printf", "env", "touch"}:
        (links / name).symlink_to(busybox)
    return {"PATH": str(links)}


def execute(experiment: Path, env: dict[str, str], **given: Value) -> tuple[Output, Path]:
    values, faults = complete(Mitgcm(), {"experiment": str(experiment), **given})
    assert faults == []
    command = Mitgcm().command(values)
    work = experiment.parent / "work"
    work.mkdir(exist_ok=True)
    for name, text in command.files.items():
        (work / name).write_text(text)
    argv = ["sh", *command.argv[1:]]
    done = subprocess.run(argv, cwd=work, env=env, capture_output=True)
    files = {name: (work / name).read_bytes() for name in command.fetch if (work / name).exists()}
    return Output(done.stdout, done.stderr, done.returncode, files=files), work


def judged(output: Output) -> tuple[Status, str, str]:
    """With a good report in the place of what the stand-in printed."""
    good = Case("mitgcm", "exp2_run1").output()
    report = Mitgcm().parse(Output(good.stdout, good.stderr, output.exit_status, files=output.files), {"steps": 26})
    return report.status, report.reason, report.digest


def test_as_the_experiment_has_it(experiment: Path, shell: dict[str, str]) -> None:
    output, work = execute(experiment, shell)
    assert output.stdout.decode() == f"{DATA}input\n"
    assert not (work / "STDOUT.0000").exists()
    written = output.files["written"].decode()
    *lines, end = written.splitlines()
    assert end == "end"
    assert sorted(line.split()[2] for line in lines) == [
        "T.0000000010.data",
        "T.0000000020.data",
        "ckpt.ckptA.data",
    ]
    status, reason, digest = judged(output)
    assert (status, reason) == (Status.OK, "")
    assert bool(digest) == (written[0] != "-")
    assert (experiment / "data").read_text() == DATA


def test_overrides_replace_and_add(experiment: Path, shell: dict[str, str]) -> None:
    output, _ = execute(experiment, shell, steps=7, overrides="parm01.TREF=20.0,19.0 PARM01.new='a b'")
    told = output.stdout.decode().replace("input\n", "")
    assert output.exit_status == 0, output.stderr
    assert told == DATA.replace(" &PARM01\n", " &PARM01\n TREF=20.0,19.0,\n new=a b,\n").replace(
        " tRef = 24.0, 23.0,\n        22.0,\n", ""
    ).replace(" &PARM03\n", " &PARM03\n nTimeSteps=7,\n").replace(" endTime=2808000.,\n", "")


def test_a_group_that_is_not_there_is_told(experiment: Path, shell: dict[str, str]) -> None:
    output, _ = execute(experiment, shell, overrides="PARM09.x=1")
    assert output.exit_status == 125
    assert b"no such group" in output.stderr


def test_a_bad_exit_comes_through(experiment: Path, shell: dict[str, str]) -> None:
    assert execute(experiment, {**shell, "STATUS": "3"})[0].exit_status == 3


def test_a_file_that_was_cut_is_a_full_disk(experiment: Path, shell: dict[str, str]) -> None:
    status, reason, _ = judged(execute(experiment, {**shell, "LAST": "876"})[0])
    assert (status, "T.0000000020.data has 3 of 8 bytes" in reason) == (Status.FAILED, True)


OLD = {
    "T.0000000010.data": "an old result",
    "T.0000000010.meta": "old",
    "T.0000000010.001.001.data": "old",
    "XC.data": "an old grid",
    "state.0000000000.t001.nc": "old",
    "dynStDiag.0000000000.txt": "old",
    "available_diagnostics.log": "old",
    "ckpt.ckptA.data": "old",
    "pickup.0000000010.data": "an old pickup",
    "pickup.0000000010.meta": " nDims = [ 2 ];",
}


def test_the_experiments_folder_stays_as_it_is(experiment: Path, shell: dict[str, str]) -> None:
    """It holds what an earlier trial there left, which the model would write through links."""
    for name, text in OLD.items():
        (experiment / name).write_text(text)
    (experiment / "mitgcmuv").write_text(
        "#!/bin/sh\n[ ! -e T.0000000010.data ] || echo not a fresh folder\ncat pickup.0000000010.meta\n"
        'for name in "$@" ' + " ".join(OLD) + "; do printf new >$name; done\n"
    )
    before = {path.name: path.read_text() for path in experiment.iterdir()}
    output, _ = execute(experiment, shell)
    assert {path.name: path.read_text() for path in experiment.iterdir()} == before
    assert (output.stdout, output.exit_status) == (OLD["pickup.0000000010.meta"].encode(), 0)
    lines = output.files["written"].decode().splitlines()
    assert {line.split()[2] for line in lines[:-1]} == OLD.keys()
    assert judged(output)[0] is Status.OK


def test_input_that_looks_like_output_is_read_and_not_listed(experiment: Path, shell: dict[str, str]) -> None:
    for name in ("pickup.0000000010.data", "SST.data", "SST.meta", "winds.nc"):
        (experiment / name).write_text(f"{name}\n")
    (experiment / "mitgcmuv").write_text("#!/bin/sh\ncat pickup.* SST.* winds.nc; printf 1 >T.0000000020.data\n")
    output, _ = execute(experiment, shell)
    assert output.stdout == b"pickup.0000000010.data\nSST.data\nSST.meta\nwinds.nc\n"
    (line, end) = output.files["written"].decode().splitlines()
    assert (line.split()[2], end) == ("T.0000000020.data", "end")


def test_a_model_that_wrote_nothing_has_failed(experiment: Path, shell: dict[str, str]) -> None:
    (experiment / "mitgcmuv").write_text("#!/bin/sh\ntrue\n")
    assert judged(execute(experiment, shell)[0])[:2] == (Status.FAILED, "the model wrote no file")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (b"", "not whole"),
        (b"1 8 T.0000000010.data\n", "not whole"),
        (b"1 8 T.0000000010.data\nen", "not whole"),
        (b"end\n", "no file"),
        (b"1 8 T.0000000010.data\n1 0 T.0000000010.meta\nend\n", "meta is empty"),
        (b"1 8 T.0000000010.data\n1 0 grid.t001.nc\nend\n", "nc is empty"),
        (b"1 8 pickup.ckptA.data\n1 7 pickup.ckptB.data\nend\n", "ckptB.data has 7 of 8"),
        (b"1 8 T.0000000010.001.001.data\n1 7 T.0000000020.001.001.data\nend\n", "has 7 of 8"),
        (b"1 8 T.0000000010.001.001.data\n1 7 T.0000000010.002.001.data\nend\n", ""),
    ],
)
def test_what_the_list_tells(written: bytes, words: str) -> None:
    status, reason, _ = judged(Output(b"", b"", 0, files={"written": written}))
    assert (status is Status.OK, words in reason) == (not words, True), reason


def test_checkpoints_are_digested_too() -> None:
    lists = (b"1 8 T.0000000010.data\n%d 8 pickup.ckptA.data\nend\n" % checksum for checksum in (1, 2))
    assert len({judged(Output(b"", b"", 0, files={"written": one}))[2] for one in lists}) == 2


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk, mounted where the runs' folder would be."""
    work = tmp_path / "work"
    work.mkdir()
    size = "size=64k,mode=755"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", work], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")
    yield work
    subprocess.run(["umount", "-l", work], check=True)


@pytest.mark.cluster
@pytest.mark.parametrize("fills", ["head -c 100000 /dev/zero >other 2>/dev/null", "true"])
def test_a_disk_that_is_full_at_the_end_is_told(experiment: Path, full_disk: Path, fills: str) -> None:
    """With no room for the list itself; and, to compare, with room."""
    (experiment / "mitgcmuv").write_text(f"#!/bin/sh\nprintf 1 >T.0000000010.data\n{fills}\ntrue\n")
    output, _ = execute(experiment, {"PATH": "/usr/bin:/bin"})
    assert output.exit_status == (0 if fills == "true" else 125), output
    assert judged(output)[0] is (Status.OK if fills == "true" else Status.FAILED)


def test_another_result_has_another_digest(experiment: Path) -> None:
    shell = {"PATH": "/usr/bin:/bin"}
    first = judged(execute(experiment, shell)[0])
    shutil.rmtree(experiment.parent / "work")
    other = judged(execute(experiment, {**shell, "LAST": "87654320"})[0])
    assert (first[0], other[0]) == (Status.OK, Status.OK)
    assert first[2] != other[2]


def test_steps_are_read_back() -> None:
    output = Case("mitgcm", "exp2_run1").output()
    assert Mitgcm().parse(output, {"steps": 26}).status is Status.OK
    report = Mitgcm().parse(output, {"steps": 500})
    assert (report.status, "26 steps, not the 500" in report.reason) == (Status.FAILED, True)


def test_of_an_mpi_build_the_first_processs_output_counts() -> None:
    output = Case("mitgcm", "exp2_run1").output()
    moved = Output(b"STOP NORMAL END\n" * 4, b"", 0, files={"STDOUT.0000": output.stdout})
    assert Mitgcm().parse(moved).status is Status.OK


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"%MON dynstat_theta_max            =                    NaN", "dynstat_theta_max"),
        (b" cg2d: Sum(rhs),rhsMax =                     NaN  0.00000000000000E+00", "cg2d"),
        (b" cg2d: Sum(rhs),rhsMax =  -1.11022302462516E-16                    NaN", "cg2d"),
        (b"(PID.TID 0000.0001)                    cg2d_init_res =                    NaN", "cg2d_init_res"),
        (b"(PID.TID 0000.0001)                    cg3d_last_res =               -Infinity", "cg3d_last_res"),
        (b"(PID.TID 0000.0001) > cg2dTargetResidual=1.E-13, # never NaN so far", ""),
    ],
)
def test_a_state_that_is_no_number_is_no_result(line: bytes, name: str) -> None:
    output = Case("mitgcm", "exp2_run1").output()
    at = output.stdout.index(b"%MON")
    at = output.stdout.rindex(b"\n", 0, at) + 1
    report = Mitgcm().parse(Output(output.stdout[:at] + line + b"\n" + output.stdout[at:], output.stderr, 0))
    assert (report.status is Status.OK, name in report.reason) == (not name, True), report.reason


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "experiment"),
        ({"experiment": "relative"}, "absolute"),
        ({"experiment": "/x", "program": "y"}, "program"),
        ({"experiment": "/x", "overrides": "viscAh=1"}, "GROUP.NAME"),
        ({"experiment": "/x", "overrides": "'unbalanced"}, "overrides"),
        ({"experiment": "/x", "overrides": "P.x=1/"}, "GROUP.NAME"),
    ],
)
def test_parameters_that_cannot_be(given: dict[str, Value], words: str) -> None:
    _, faults = complete(Mitgcm(), given)
    assert any(words in fault for fault in faults), faults
