"""Findings before a campaign: what a survey means, and what stands on paper."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hpcvirt.core.config import parse_campaign
from hpcvirt.core.engine.check import Checked, NodeCheck, check_campaign, needs_of
from hpcvirt.core.engine.judging import Surveyed, findings
from hpcvirt.core.model import Expect, Kernel, Node
from hpcvirt.core.preflight import Finding, Level, Need
from hpcvirt.core.remote.identity import Identity
from hpcvirt.core.remote.survey import Answered, Survey
from hpcvirt.tui.check import lines
from tests.core.factories import TOML, campaign

NODE = Node("node1", "host1", scratch="/scratch")
HERE = Identity(boot_id="b", release="6.1", cpus=4, memory_kib=8 << 20)
GOOD = Survey(
    identity=HERE,
    clock_s=1000.2,
    place="/scratch",
    is_writable=True,
    filesystem="ext4",
    device="/dev/sda1",
    options=("rw", "relatime"),
    free_kib=50 << 20,
    load=0.01,
)
KERNEL = Kernel("stock", expect=Expect(release="6.*"))


def judged(*kernels: Kernel, wanted: tuple[Need, ...] = (), **changed: object) -> list[Finding]:
    seen = Surveyed(NODE, replace(GOOD, **changed), 1000.0, 1000.5)  # type: ignore[arg-type]
    return findings(campaign(), kernels, wanted, seen)


def test_a_node_without_a_fault_passes_everything() -> None:
    found = judged(KERNEL, kernels=(HERE,), kernel_words=("",))
    assert {finding.level for finding in found} == {Level.PASS}
    told = "; ".join(finding.message for finding in found)
    for words in (
        "shell quiet",
        "kernel 6.1",
        "4 CPUs",
        "stock proved",
        "on ext4, 50.0 GiB free",
        "clock",
        "nobody else",
    ):
        assert words in told


@pytest.mark.parametrize(
    ("changed", "level", "words", "remedy"),
    [
        ({"noise": "Welcome"}, Level.WARNING, "login shell writes 'Welcome'", "~/.bashrc"),
        ({"identity": Identity()}, Level.FAILURE, "boot_id cannot be read", "ssh host1"),
        ({"is_writable": False, "place": "/"}, Level.FAILURE, "/ may not be written", "ssh host1 ls -ld /;"),
        ({"is_writable": False}, Level.FAILURE, "may not be written", "ls -ld /scratch"),
        ({"is_writable": False, "options": ("ro",)}, Level.FAILURE, "read-only", "ssh host1"),
        ({"options": ("rw", "noexec")}, Level.FAILURE, "noexec", "remount,exec"),
        ({"free_kib": 1000}, Level.FAILURE, "0.0 GiB left", "df -h"),
        ({"free_kib": 500 << 10}, Level.WARNING, "0.5 GiB left", "df -h"),
        ({"filesystem": "nfs4"}, Level.WARNING, "on nfs4", "scratch"),
        ({"filesystem": "tmpfs"}, Level.WARNING, "in memory", "scratch"),
        ({"clock_s": 1010.0}, Level.WARNING, "9.5 s ahead of", "chronyc"),
        ({"clock_s": 990.0}, Level.WARNING, "10.0 s behind", "chronyc"),
        ({"logins": ("eve pts/0",)}, Level.WARNING, "logged in there: eve pts/0", "ssh host1 w"),
        ({"load": 3.5}, Level.WARNING, "load 3.5", "top"),
        ({"jobs": ("slurmstepd",)}, Level.WARNING, "slurmstepd", "State=DRAIN"),
    ],
)
def test_what_is_not_as_it_should_be(changed: dict[str, object], level: Level, words: str, remedy: str) -> None:
    found = [finding for finding in judged(**changed) if finding.level is not Level.PASS]
    assert [(one.level, one.where) for one in found] == [(level, "node1")]
    assert words in found[0].message
    assert remedy in found[0].remedy


def test_a_kernel_that_nothing_boots_must_be_there_now() -> None:
    (wrong,) = [
        one for one in judged(KERNEL, kernels=(replace(HERE, release="5.0"),), kernel_words=("",)) if one.remedy
    ]
    assert (wrong.level, wrong.message) == (
        Level.FAILURE,
        "is not in kernel stock: release: expected 6.*, found 5.0",
    )
    storage = replace(KERNEL, expect=Expect(storage="xfs *"))
    (wrong,) = [one for one in judged(storage, kernels=(HERE,), kernel_words=("",)) if one.remedy]
    assert "storage: expected xfs *, found ext4 /dev/sda1" in wrong.message


def test_a_wrap_that_does_not_start_is_told_in_its_own_words() -> None:
    wrapped = replace(KERNEL, wrap=("unshare", "--user"))
    found = judged(wrapped, kernels=(Identity(),), kernel_words=("unshare: Operation not permitted",))
    (wrong,) = [one for one in found if one.remedy]
    assert "the wrap of kernel stock does not start: unshare: Operation not permitted" in wrong.message
    assert wrong.remedy == "ssh host1 unshare --user true"


def test_what_boot_methods_and_benchmarks_need() -> None:
    wanted = (
        Need("a", "there is no a", "apt a"),
        Need("b", "b is old", "apt b", Level.WARNING),
        Need("c", "no c", "c"),
    )
    answers = (Answered(127, "sh: a: not found"), Answered(1, ""), Answered(0, ""))
    found = [one for one in judged(wanted=wanted, needs=answers) if one.level is not Level.PASS]
    assert found == [
        Finding(Level.FAILURE, "node1", "there is no a (sh: a: not found)", "apt a"),
        Finding(Level.WARNING, "node1", "b is old", "apt b"),
    ]


def test_needs_come_from_every_benchmark_and_boot_method_once() -> None:
    twice = parse_campaign(TOML + "parameters = { ntimes = [2, 3] }\n")
    memory, cache = needs_of(twice)
    assert "MemAvailable" in memory.command
    assert (cache.level, "cache" in cache.otherwise) == (Level.WARNING, True)


def test_a_lab_is_checked_whole(tmp_path: Path) -> None:
    checked = check_campaign(parse_campaign(TOML), tmp_path / "results" / "deep")
    assert checked.is_usable, checked.findings
    assert [node.is_reached for node in checked.nodes] == [True, True]
    told = list(lines(checked))
    assert [line.split()[:2] for line in told[:2]] == [["ok", "node1:"], ["ok", "node2:"]]
    assert told[-1] == "2 of 2 nodes reached; nothing was changed on them"
    assert "with working locks" in told[2]
    assert list(tmp_path.iterdir()) == []


def test_a_kernel_that_is_not_there_fails_the_check(tmp_path: Path) -> None:
    text = TOML.replace('name = "other"', 'name = "other"\nexpect = { release = "2.4.*" }')
    checked = check_campaign(parse_campaign(text), tmp_path)
    assert not checked.is_usable
    assert sum("is not in kernel other" in line for line in lines(checked)) == 2


def test_faults_stand_last_with_what_mends_them_and_node_text_is_clean() -> None:
    told = (
        Finding(Level.FAILURE, "node1", "no \x1b[31mroom", "make room"),
        Finding(Level.WARNING, "node1", "busy", "wait"),
        Finding(Level.PASS, "node1", "kernel 6.1"),
    )
    shown = list(lines(Checked((NodeCheck("node1", told, HERE), NodeCheck("node2")), ())))
    assert shown[0] == "ok       node1: kernel 6.1"
    assert shown[1:3] == ["warning  node1: busy", "           -> wait"]
    assert shown[3].startswith("fault    node1: no ")
    assert "\x1b" not in "".join(shown)
    assert shown[-1] == "1 of 2 nodes reached; nothing was changed on them"
