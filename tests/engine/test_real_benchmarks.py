"""Real benchmarks on the embedded lab: bonnie++, and programs of an operator's own, good and bad."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import tomllib
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hpcvirt.core.engine.runner import lab_folder
from tests.support.campaigns import program

HEAD = """
[campaign]
name = "small"
[design]
runs = {runs}
blocks = {blocks}
retries = 0
[analysis]
baseline = "native"
[lab]
nodes = {nodes}
[[kernel]]
name = "native"
{native}
[[kernel]]
name = "other"
{other}
"""

COMMAND = """
[[benchmark]]
plugin = "command"
timeout = 60
{more}
parameters = {{ argv = {argv}, fetch = {fetch}, metrics = {metrics}, expect = {expect} }}
"""


def command(argv: str, *, fetch: str = "", metrics: str = "", expect: str = "", more: str = "") -> str:
    words = {name: json.dumps(text) for name, text in (("argv", argv), ("fetch", fetch), ("expect", expect))}
    return COMMAND.format(**words, metrics=json.dumps(metrics), more=more)


class Ran:
    """A campaign, run as an operator runs it."""

    def __init__(
        self,
        folder: Path,
        *benchmarks: str,
        runs: int = 1,
        blocks: int = 1,
        nodes: int = 1,
        native: str = "",
        other: str = "",
        **env: str,
    ) -> None:
        text = HEAD.format(runs=runs, blocks=blocks, nodes=nodes, native=native, other=other) + "".join(benchmarks)
        tomllib.loads(text)
        (folder / "small.toml").write_text(text)
        self.done = program(["run", "small.toml", "--db", "small-1.db"], {**os.environ, **env}, folder)
        self._folder = folder

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        (found,) = self._folder.glob("small-*.db")
        with sqlite3.connect(f"file:{found}?mode=ro", uri=True) as connection:
            return connection.execute(sql).fetchall()

    @property
    def statuses(self) -> list[tuple[str, str]]:
        return self.rows("SELECT DISTINCT status, reason FROM attempts ORDER BY 1, 2")

    @property
    def warnings(self) -> str:
        return "\n".join(str(text) for (text,) in self.rows("SELECT message FROM events WHERE level <> 'info'"))


def script(folder: Path, text: str, name: str = "own") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


# --- the operator's own


def test_a_command_from_campaign_file_to_verdicts(tmp_path: Path) -> None:
    own = script(
        tmp_path,
        """[ -e table.csv ] && echo "not a fresh folder" >&2 && exit 1
           echo "rate: 12.5 MB/s"; echo done >&2
           printf 'time,size\\n1,10\\n2.5,20\\n' >table.csv
           echo '{"results": [{"latency": 7}, {"latency": 8.5}]}' >out.json""",
    )
    metrics = """
        rate    MB/s higher regex stdout    'rate: ([0-9.]+)'
        latency us   lower  json  out.json  results.1.latency
        size    MiB  higher csv   table.csv size
    """
    ran = Ran(tmp_path, command(f"{own} 'a b'", fetch="table.csv out.json", metrics=metrics, expect="^done$"), runs=2)
    assert ran.done.returncode == 0, ran.done.stderr
    assert ran.statuses == [("ok", "")]
    times = "('real', 'user', 'sys')"
    assert ran.rows(f"SELECT DISTINCT metric, value, unit, better FROM results WHERE metric NOT IN {times}") == [
        ("rate", 12.5, "MB/s", "higher"),
        ("latency", 8.5, "us", "lower"),
        ("size", 20.0, "MiB", "higher"),
    ]
    assert ran.rows("SELECT count(*) FROM results WHERE metric IN ('user', 'sys')") == [(8,)]
    (elapsed,) = ran.rows("SELECT min(value) > 0, count(*) FROM results WHERE metric = 'real'")
    assert elapsed == (1, 4)
    assert ran.rows("SELECT name, is_primary FROM metrics ORDER BY position LIMIT 4") == [
        ("rate", 1),
        ("latency", 1),
        ("size", 1),
        ("real", 0),
    ]
    ((content,),) = ran.rows("SELECT DISTINCT content FROM fetched WHERE name = 'table.csv'")
    assert zlib.decompress(content) == b"time,size\n1,10\n2.5,20\n"
    told = dict(ran.rows("SELECT DISTINCT name, length(sha256) FROM artifact_checks"))
    assert {name: length for name, length in told.items() if ".so" not in name} == {"own": 64, "sh": 64}


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("exit 3", "failed", "exit status 3"),
        ("kill -9 $$", "failed", "exit status 137 (SIGKILL)"),
        ("echo nothing", "unparsable", "no number for rate"),
        (
            "echo rate: 1; exec >&-; ulimit -v 1000; awk 'BEGIN { x = sprintf(\"%100000000d\", 1) }'",
            "failed",
            "exit status",
        ),
    ],
)
def test_what_goes_wrong_has_its_status(tmp_path: Path, text: str, status: str, reason: str) -> None:
    ran = Ran(tmp_path, command(str(script(tmp_path, text)), metrics="rate x higher regex stdout 'rate: (.*)'"))
    assert ran.done.returncode == 1, ran.done.stderr
    assert [(found, reason in told) for found, told in ran.statuses] == [(status, True)], ran.statuses


@pytest.fixture
def little_memory() -> Iterator[Path]:
    """A control group whose processes may have 32 MiB."""
    base = Path("/sys/fs/cgroup")
    limit = "memory/{}/memory.limit_in_bytes" if (base / "memory").is_dir() else "{}/memory.max"
    name = f"hpcvirt-test-{os.getpid()}"
    folder = (base / limit.format(name)).parent
    try:
        folder.mkdir()
        (base / limit.format(name)).write_text(str(32 << 20))
    except OSError as error:
        if folder.is_dir():
            folder.rmdir()
        pytest.skip(f"no control group of memory can be made: {error}")
    yield folder
    folder.rmdir()


def test_a_program_that_the_kernel_ended_for_lack_of_memory(tmp_path: Path, little_memory: Path) -> None:
    own = script(tmp_path, f"echo $$ >{little_memory}/cgroup.procs || exit 99; exec tail /dev/zero")
    ran = Ran(tmp_path, command(str(own)))
    assert ran.statuses == [("failed", "exit status 137 (SIGKILL): killed; out of memory?")]


def test_a_program_of_another_architecture_is_told_before_any_run(tmp_path: Path) -> None:
    own = tmp_path / "foreign"
    program_file = bytearray(Path("/bin/true").resolve().read_bytes())
    program_file[18:20] = (0x1234).to_bytes(2, "little")
    own.write_bytes(program_file)
    own.chmod(0o755)
    ran = Ran(tmp_path, command(str(own)))
    assert ran.done.returncode == 4
    assert ran.rows("SELECT count(*) FROM attempts") == [(0,)]
    assert "is made for another architecture" in ran.warnings


@pytest.mark.parametrize(("mode", "words"), [(None, "is not there"), (0o644, "is not executable")])
def test_a_program_that_cannot_be_started_is_told_before_any_run(tmp_path: Path, mode: int | None, words: str) -> None:
    own = script(tmp_path, "true")
    if mode is None:
        own.unlink()
    else:
        own.chmod(mode)
    ran = Ran(tmp_path, command(str(own)))
    assert ran.done.returncode == 4
    assert ran.rows("SELECT count(*) FROM attempts") == [(0,)]
    assert words in ran.warnings
    assert ran.rows("SELECT state FROM nodes") == [("set aside",)]


@pytest.mark.parametrize(
    ("text", "is_complete"), [("echo rate: 12; sleep 300", True), ("sleep 300; echo rate: 12", False)]
)
def test_a_program_that_hangs_after_its_report_is_told_from_one_that_hangs_before(
    tmp_path: Path, text: str, is_complete: bool
) -> None:
    benchmark = command(str(script(tmp_path, text)), metrics="rate MB/s higher regex stdout 'rate: ([0-9]+)'")
    ran = Ran(tmp_path, benchmark.replace("timeout = 60", "timeout = 1"))
    assert ran.done.returncode == 1, ran.done.stderr
    complete = "; its report was already complete"
    assert ran.statuses == [("timeout", f"longer than 1 s{complete if is_complete else ''}")]
    assert ran.rows("SELECT count(*) FROM measurements") == [(0,)]


CHANGED = 'wrap = ["env", "PATH={folder}/other:/usr/bin:/bin"]'


def test_another_binary_under_another_kernel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "first").mkdir()
    script(tmp_path / "first", "echo 1", "own-benchmark")
    script(tmp_path / "other", "echo 2", "own-benchmark")
    other = CHANGED.format(folder=tmp_path)
    path = f"{tmp_path}/first:{os.environ['PATH']}"
    ran = Ran(tmp_path, command("own-benchmark"), other=other, PATH=path)
    assert ran.done.returncode == 4, ran.done.stderr
    assert "own-benchmark has another SHA-256" in ran.warnings
    assert "may-differ" in ran.warnings
    assert len(ran.rows("SELECT status FROM attempts")) == 1


def test_another_binary_by_explicit_choice_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "first").mkdir()
    script(tmp_path / "first", "echo 1", "own-benchmark")
    script(tmp_path / "other", "echo 2", "own-benchmark")
    other = CHANGED.format(folder=tmp_path)
    path = f"{tmp_path}/first:{os.environ['PATH']}"
    ran = Ran(tmp_path, command("own-benchmark", more='binaries = "may-differ"'), other=other, PATH=path)
    assert ran.done.returncode == 0, ran.done.stderr
    assert "own-benchmark has another SHA-256" in ran.warnings
    assert ran.statuses == [("ok", "")]
    assert ran.rows("SELECT count(DISTINCT sha256) FROM artifact_checks WHERE name = 'own-benchmark'") == [(2,)]


def test_a_benchmark_behind_another_program_is_the_same_everywhere_too(tmp_path: Path) -> None:
    own = script(tmp_path, "true")
    prepare = json.dumps(f"/bin/sh -c '[ ! -e {tmp_path}/ran ] || echo : >>{own}; : >{tmp_path}/ran'")
    told = command(f"env A=b {own}").replace("parameters = {", f"parameters = {{ prepare = {prepare},")
    # What prepares the second kernel changes the program, which is seen when the next block begins.
    ran = Ran(tmp_path, told, runs=2, blocks=2)
    assert ran.done.returncode == 4, ran.done.stderr
    assert f"{own} has another SHA-256" in ran.warnings


def test_of_two_nodes_with_another_binary_each_one_is_set_aside_before_it_runs(tmp_path: Path) -> None:
    """Also in the first block, where both are made ready at once and the preparation takes its time."""
    for folder, text in (("first", "echo 1"), ("other", "echo 2")):
        (tmp_path / folder).mkdir()
        script(tmp_path / folder, text, "own-benchmark")
    choose = f"case $PWD in *node2*) PATH={tmp_path}/other:$PATH ;; *) PATH={tmp_path}/first:$PATH ;; esac"
    wrap = f'wrap = ["{script(tmp_path, f"""{choose}; exec "$@" """, "wrap")}"]'
    told = command("own-benchmark").replace("parameters = {", 'parameters = { prepare = "sleep 2",')
    ran = Ran(tmp_path, told, nodes=2, native=wrap, other=wrap)
    assert ran.done.returncode == 4, ran.done.stderr
    assert "own-benchmark has another SHA-256" in ran.warnings
    assert ran.rows("SELECT count(DISTINCT sha256) FROM artifact_checks WHERE name = 'own-benchmark'") == [(1,)]
    ((nodes, runs),) = ran.rows(
        "SELECT count(DISTINCT boots.node), count(*) FROM attempts JOIN runs ON runs.id = attempts.run "
        "JOIN boots ON boots.id = runs.boot"
    )
    assert (nodes, runs) == (1, 2)


TOOLS = "cat chmod cp cut date env head id ls mkdir mv rm rmdir sleep tail touch tr true uname wc sh od readlink"


def poor_path(folder: Path) -> Path:
    """A PATH with neither sha256sum nor ldd."""
    folder.mkdir()
    for name in TOOLS.split():
        (folder / name).symlink_to(shutil.which(name) or "/no/such")
    return folder


def test_what_a_node_cannot_hash_is_fetched_and_compared(tmp_path: Path) -> None:
    own = script(tmp_path, "true")
    ran = Ran(tmp_path, command(str(own)), other=f'env = {{ PATH = "{poor_path(tmp_path / "poor")}" }}')
    assert ran.done.returncode == 0, (ran.done.stderr, ran.warnings)
    hashed = "SELECT method, count(DISTINCT sha256) FROM artifact_checks WHERE name = 'own' GROUP BY 1 ORDER BY 1"
    assert ran.rows(hashed) == [("fetched", 1), ("node", 1)]
    assert ran.rows("SELECT count(DISTINCT sha256) FROM artifact_checks WHERE name = 'own'") == [(1,)]


def test_another_binary_is_found_where_it_has_to_be_fetched(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    poor = poor_path(tmp_path / "poor")
    script(tmp_path / "first", "echo 1", "own-benchmark")
    script(poor, "echo 2", "own-benchmark")
    path = f"{tmp_path}/first:{os.environ['PATH']}"
    ran = Ran(tmp_path, command("own-benchmark"), other=f'env = {{ PATH = "{poor}" }}', PATH=path)
    assert ran.done.returncode == 4, ran.done.stderr
    assert "own-benchmark has another SHA-256" in ran.warnings


def test_a_node_without_ldd_is_warned_of(tmp_path: Path) -> None:
    poor = poor_path(tmp_path / "poor")
    ran = Ran(tmp_path, command("true", more='binaries = "may-differ"'), other=f'env = {{ PATH = "{poor}" }}')
    assert ran.done.returncode == 0, ran.done.stderr
    assert "there is no ldd, so the libraries that true loads are not compared" in ran.warnings


# --- once per boot

PREPARES = """
from hpcvirt.core.benchmark import BenchmarkPlugin, Category, Command, Metric, Parameter, Reading, Report
from hpcvirt.core.model import Better, Status


class Prepares(BenchmarkPlugin):
    name = "prepares"
    title = "needs something done once per boot"
    category = Category.MICRO
    parameters = (Parameter("log", "", "a file"), Parameter("status", 0, "of what prepares"))
    metrics = (Metric("real", "s", Better.LOWER, primary=True),)

    def estimate_s(self, parameters):
        return 0.1

    def prepare(self, parameters):
        told = 'echo "prepared $WHAT" >>"$0"; echo words of mine >&2; exit "$1"'
        argv = ("/bin/sh", "-c", told, parameters["log"], str(parameters["status"]))
        return (Command(argv, env={"WHAT": "it's"}), Command(("true",)))

    def command(self, parameters):
        return Command(("/bin/sh", "-c", 'echo ran >>"$0"', parameters["log"]))

    def parse(self, output, parameters=None):
        return Report(Status.OK, readings={"real": Reading(*(output.elapsed_s, "s") * 2)})
"""


@pytest.fixture
def prepares(tmp_path: Path) -> str:
    """A folder with a third party's plugin."""
    metadata = tmp_path / "site" / "hpcvirt_prepares-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata.parent / "hpcvirt_prepares.py").write_text(PREPARES)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: hpcvirt-prepares\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[hpcvirt.benchmarks]\nprepares = hpcvirt_prepares:Prepares\n")
    return str(metadata.parent)


def preparing(folder: Path, status: int) -> str:
    log = json.dumps(str(folder / "log"))
    return f'[[benchmark]]\nplugin = "prepares"\nparameters = {{ log = {log}, status = {status} }}\n'


def test_what_is_wanted_once_per_boot_is_done_before_the_first_run(tmp_path: Path, prepares: str) -> None:
    ran = Ran(tmp_path, preparing(tmp_path, 0), runs=4, blocks=2, PYTHONPATH=prepares)
    assert ran.done.returncode == 0, ran.done.stderr
    assert ran.statuses == [("ok", "")]
    log = (tmp_path / "log").read_text().splitlines()
    # The lab does not reboot: in the one life of its node it is prepared whenever the kernel has changed.
    visited = [kernel for (kernel,) in ran.rows("SELECT kernel FROM boots ORDER BY started_at")]
    changes = 1 + sum(before != after for before, after in pairwise(visited))
    assert (log.count("prepared it's"), log.count("ran"), len(visited)) == (changes, 8, 4)
    assert log[0] == "prepared it's"


def test_a_preparation_that_fails_sets_the_node_aside(tmp_path: Path, prepares: str) -> None:
    ran = Ran(tmp_path, preparing(tmp_path, 3), PYTHONPATH=prepares)
    assert ran.done.returncode == 4, ran.done.stderr
    assert ran.rows("SELECT count(*) FROM attempts") == [(0,)]
    assert ran.rows("SELECT state FROM nodes") == [("set aside",)]
    assert "node1: preparing prepares" in ran.warnings
    assert "ended with exit status 3: words of mine" in ran.warnings
    assert "ran" not in (tmp_path / "log").read_text().splitlines()


def test_an_operators_own_preparation(tmp_path: Path) -> None:
    own = script(tmp_path, f"cat {tmp_path}/made")
    prepare = json.dumps(f"/bin/sh -c 'echo rate: 5 >{tmp_path}/made'")
    told = command(str(own), metrics="rate x higher regex stdout 'rate: (.*)'")
    ran = Ran(tmp_path, told.replace("parameters = {", f"parameters = {{ prepare = {prepare},"))
    assert ran.statuses == [("ok", "")], ran.warnings


def test_stream_in_cache_is_warned_of(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    ran = Ran(
        tmp_path, '[[benchmark]]\nplugin = "stream"\nparameters = { array_size = 1000, ntimes = 20, cpus = "0" }\n'
    )
    if not ran.rows(
        "SELECT 1 FROM environments WHERE content LIKE '%cpu.last_level_cache%' OR content LIKE '%cpu.cache%'"
    ):
        pytest.skip("this machine does not tell the size of its caches")
    assert "this measures cache, not memory" in ran.warnings
    libraries = {str(name) for (name,) in ran.rows("SELECT DISTINCT name FROM artifact_checks")}
    assert {"stream", "libc.so.6"} <= libraries
    assert "taskset" in libraries


# --- bonnie++

needs_bonnie = pytest.mark.skipif(
    shutil.which("bonnie++", path=f"{os.environ['PATH']}:/usr/sbin") is None, reason="needs bonnie++"
)
BONNIE = '[[benchmark]]\nplugin = "bonnie"\ntimeout = 100\nparameters = {{ size_mib = {size} }}\n'


@pytest.mark.bonnie
@pytest.mark.slow
@needs_bonnie
def test_bonnie(tmp_path: Path) -> None:
    ran = Ran(tmp_path, BONNIE.format(size=2))
    assert ran.done.returncode == 0, (ran.done.stderr, ran.statuses)
    assert {status for status, _ in ran.statuses} == {"ok"}
    assert all(reason.startswith("cached: the file has 2 MiB") for _, reason in ran.statuses)
    measured = {str(name) for (name,) in ran.rows("SELECT DISTINCT metric FROM results")}
    assert {"seq_out_char", "seq_in_char", "real"} <= measured
    assert ran.rows(
        "SELECT count(*) FROM results WHERE value <= 0 AND metric NOT LIKE '%cpu' AND metric <> 'real'"
    ) == [(0,)]
    ((conditions,), *_) = ran.rows("SELECT content FROM fetched WHERE name = 'conditions'")
    assert b"memory_kib" in zlib.decompress(conditions)
    environment = json.loads(ran.rows("SELECT content FROM environments")[0][0])
    assert environment["scratch.filesystem"]
    assert environment["scratch.device"]
    checks = {str(name) for (name,) in ran.rows("SELECT DISTINCT name FROM artifact_checks")}
    assert {"bonnie++", "libc.so.6"} <= checks


@pytest.fixture
def full_lab(tmp_path: Path) -> Iterator[None]:
    """The lab's folder is a small disk of its own, so that the database has room."""
    folder = lab_folder(tmp_path / "small-1.db")
    folder.mkdir(mode=0o700)
    size = "size=8m,mode=700"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")
    yield
    subprocess.run(["umount", "-l", folder], check=False)


@pytest.mark.bonnie
@pytest.mark.slow
@pytest.mark.cluster
@needs_bonnie
def test_bonnie_on_a_full_disk(tmp_path: Path, full_lab: None) -> None:
    ran = Ran(tmp_path, BONNIE.format(size=32))
    assert ran.done.returncode == 1, (ran.done.stderr, ran.statuses)
    assert {status for status, _ in ran.statuses} <= {"failed", "lost"}
    told = ("No space left", "disk full", "is full")
    assert all(any(words in reason for words in told) for _, reason in ran.statuses), ran.statuses
    assert ran.rows("SELECT count(*) FROM results") == [(0,)]


# --- MITgcm, with a program that stands for the model

STAND_IN = """
cat data >&2
printf "${OTHER:-1}" >T.0000000010.data
echo '// MITgcm UV'
echo '  Seconds in section "ALL   [THE_MODEL_MAIN]":'
echo '  User time:  0.5'; echo '  System time:  2.5E-002'; echo '  Wall clock time: 0.6'
echo 'PROGRAM MAIN: Execution ended Normally'
"""
MITGCM = '[[benchmark]]\nplugin = "mitgcm"\nparameters = {{ experiment = "{folder}", steps = 5 }}\n'


def test_a_model_that_computes_other_numbers_under_another_kernel_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "experiment"
    folder.mkdir()
    (folder / "data").write_text(" &PARM03\n endTime=1.,\n &\n")
    script(folder, STAND_IN, "mitgcmuv")
    ran = Ran(tmp_path, MITGCM.format(folder=folder), other='env = { OTHER = "2" }')
    assert ran.done.returncode == 0, (ran.done.stderr, ran.statuses)
    assert {status for status, _ in ran.statuses} == {"ok"}
    assert len({reason for _, reason in ran.statuses}) == 2
    assert "not the same to the bit" in ran.warnings
    assert ran.rows("SELECT DISTINCT value FROM results WHERE metric = 'system_time'") == [(0.025,)]
    ((stderr,), *_) = ran.rows("SELECT stderr FROM attempts")
    assert b"nTimeSteps=5" in zlib.decompress(stderr)
    assert b"endTime" not in zlib.decompress(stderr)
