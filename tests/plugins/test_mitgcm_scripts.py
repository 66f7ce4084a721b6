"""MITgcm's script on the node, with a program that stands for the model: input, overrides, what was written."""

from __future__ import annotations

import shutil
import subprocess
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
    for name in set(known) & {"sh", "awk", "cat", "ln", "rm", "cksum", "wc", "printf", "env"}:
        (links / name).symlink_to(busybox)
    return {"PATH": str(links)}


def execute(experiment: Path, env: dict[str, str], **given: Value) -> tuple[Output, Path]:
    values, faults = complete(Mitgcm(), {"experiment": str(experiment), **given})
    assert faults == []
    command = Mitgcm().command(values)
    work = experiment.parent / "work"
    work.mkdir()
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
    assert sorted(line.split()[2] for line in written.splitlines()) == [
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


def test_a_state_that_is_no_number_is_no_result() -> None:
    output = Case("mitgcm", "exp2_run1").output()
    at = output.stdout.index(b"%MON")
    spoilt = output.stdout[:at] + b"%MON dynstat_theta_max            =                    NaN\n" + output.stdout[at:]
    report = Mitgcm().parse(Output(spoilt, output.stderr, 0))
    assert (report.status, "dynstat_theta_max" in report.reason) == (Status.FAILED, True)


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
