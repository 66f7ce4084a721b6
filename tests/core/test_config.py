"""Campaign files: all faults of a kind at once, each with its key path; what is accepted means what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcvirt.campaigns import bundled
from hpcvirt.core.config import LARGEST_FILE_BYTES, Choice, choose, parse_campaign, read_campaign
from hpcvirt.core.errors import CampaignInvalid
from hpcvirt.core.model import Node, Order, Probe
from tests.core.factories import TOML


def faults_of(text: str) -> tuple[str, ...]:
    with pytest.raises(CampaignInvalid) as caught:
        parse_campaign(text, "f.toml")
    assert all(fault.startswith("f.toml: ") for fault in caught.value.faults)
    return tuple(fault.removeprefix("f.toml: ") for fault in caught.value.faults)


def changed(old: str, new: str) -> str:
    assert old in TOML
    return TOML.replace(old, new, 1)


def test_a_campaign_without_a_fault() -> None:
    told = parse_campaign(TOML)
    assert [kernel.name for kernel in told.kernels] == ["native", "other"]
    assert told.nodes == (Node("node1", "127.0.0.1", own_machine=False), Node("node2", "127.0.0.1", own_machine=False))
    assert (told.design.runs, told.design.blocks, told.design.order) == (4, 2, Order.RANDOMIZED_BLOCKS)
    assert (told.analysis.baseline, told.analysis.alpha, told.analysis.delta) == ("native", 0.05, 0.02)
    assert told.benchmarks[0].parameters == {
        "array_size": 2_000_000,
        "ntimes": 10,
        "threads": 1,
        "cpus": "",
        "program": "",
    }
    assert told.benchmarks[0].timeout_s > 0
    assert told.lab


@pytest.mark.parametrize("name", bundled())
def test_bundled_campaigns_are_without_fault(name: str) -> None:
    assert read_campaign(bundled()[name]).campaign.name == name


def test_everything_of_a_kernel_arrives() -> None:
    text = changed(
        'name = "other"\n',
        """name = "other"
wrap = ["chroot", "/x y"]
env = { A_1 = "b c" }
expect = { release = "5.*", version = "#1*", role = "xen-dom0", cmdline = "*x*", cpus = 2, memory_mib = [1, 2], """
        'probe = { command = "cat x", matches = "y" } }\n',
    )
    kernel = parse_campaign(text).kernels[1]
    assert (kernel.wrap, kernel.env) == (("chroot", "/x y"), {"A_1": "b c"})
    told = kernel.expect
    assert (told.release, told.version, told.role, told.cmdline) == ("5.*", "#1*", "xen-dom0", "*x*")
    assert (told.cpus, told.memory_mib, told.probe) == (2, (1, 2), Probe("cat x", "y"))


def test_everything_of_a_node_arrives() -> None:
    nodes = '[[node]]\nname = "a"\n[[node]]\nname = "b"\nhost = "h"\nport = 7\nuser = "u"\nscratch = "/s"\n'
    told = parse_campaign(changed("[lab]\nnodes = 2\n", nodes + 'identity_file = "k"\n'))
    assert told.nodes == (Node("a", "a"), Node("b", "h", 7, "u", "k", "/s"))
    assert not told.lab


def test_all_faults_of_form_at_once_with_their_key_paths() -> None:
    text = (
        TOML.replace("runs = 4", 'runs = "4"\nretriez = 3')
        .replace("nodes = 2", "nodes = 0")
        .replace('name = "other"', 'name = "o/ther"\nexpect = { relaese = "5", cpus = 0, probe = { command = "" } }')
        .replace('plugin = "stream"', 'plugin = "stream"\ntimeout = 0')
        + "\n[campain]\n"
    )
    found = "\n".join(faults_of(text))
    for path in (
        "design.runs: ",
        "design.retriez: unknown key; did you mean 'retries'?",
        "lab.nodes: ",
        "kernel[2].name: ",
        "kernel[2].expect.relaese: unknown key; did you mean 'release'?",
        "kernel[2].expect.cpus: ",
        "kernel[2].expect.probe.command: ",
        "kernel[2].expect.probe.matches: ",
        "benchmark[1].timeout: ",
        "campain: unknown key; did you mean 'campaign'?",
    ):
        assert f"\n{path}" in f"\n{found}", path


def test_all_faults_of_meaning_at_once() -> None:
    text = (
        TOML.replace('name = "other"', 'name = "native"')
        .replace('baseline = "native"', 'baseline = "nativ"')
        .replace("blocks = 2", "blocks = 5")
        .replace('plugin = "stream"', 'plugin = "stream"\nparameters = { array_sise = 1, ntimes = 1, threads = "2" }')
    )
    text += '[[benchmark]]\nplugin = "streem"\n[[node]]\nname = "x"\n'
    found = faults_of(text)
    assert "kernel: 'native' stands there twice" in found
    assert "analysis.baseline: 'nativ' is not among the kernels; did you mean 'native'?" in found
    assert "design.blocks: 5 blocks need at least as many runs, not 4" in found
    assert "lab: a campaign has either [lab] or [[node]] tables" in found
    told = [fault for fault in found if fault.startswith("benchmark[1].parameters.")]
    assert [fault.split(": ")[0].rpartition(".")[2] for fault in told] == ["array_sise", "ntimes", "threads"]
    assert any(fault.startswith("benchmark[2].plugin: ") and "'streem'" in fault for fault in found)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (changed("runs = 4", "runs = 0"), "design.runs: "),
        (changed("runs = 4", "runs = -1"), "design.runs: "),
        (changed("runs = 4", "runs = 1000001"), "design.runs: "),
        (changed("runs = 4", "runs = 4.0"), "design.runs: "),
        (changed("runs = 4", "runs = true"), "design.runs: "),
        (changed("blocks = 2", "blocks = 0"), "design.blocks: "),
        (changed("blocks = 2", "seed = -1"), "design.seed: "),
        (changed("blocks = 2", "at_once = 0"), "design.at_once: "),
        (changed("blocks = 2", "retries = -1"), "design.retries: "),
        (changed("blocks = 2", 'order = "random"'), "design.order: "),
        (changed("blocks = 2", 'blocks = 2\norder = "sequential"'), "design.blocks: a sequential campaign"),
        (changed('"native"', '"native"\nalpha = 0.0'), "analysis.alpha: "),
        (changed('"native"', '"native"\nalpha = nan'), "analysis.alpha: "),
        (changed('"native"', '"native"\ndelta = 1.0'), "analysis.delta: "),
        (changed("nodes = 2", "nodes = 65"), "lab.nodes: "),
        (changed("[lab]\nnodes = 2\n", ""), "node: no node is named"),
        (changed("[lab]\nnodes = 2\n", '[[node]]\nname = "a"\n[[node]]\nname = "a"\n'), "node: 'a' stands there twice"),
        (changed("[lab]\nnodes = 2\n", '[[node]]\nname = "a"\nport = 65536\n'), "node[1].port: "),
        (changed("[lab]\nnodes = 2\n", '[[node]]\nname = "a"\nscratch = "/a b"\n'), "node[1].scratch: "),
        (changed("[lab]\nnodes = 2\n", '[[node]]\nname = "a"\nscratch = "a"\n'), "node[1].scratch: "),
        (changed("[lab]\nnodes = 2\n", '[[node]]\nname = "-a"\n'), "node[1].name: "),
        (changed('name = "small"', 'name = "a\\nb"'), "campaign.name: "),
        (changed('name = "small"', 'name = "../b"'), "campaign.name: "),
        (changed('name = "small"', 'name = ""'), "campaign.name: "),
        (changed('name = "small"', f'name = "{"a" * 65}"'), "campaign.name: "),
        (changed('name = "other"', 'name = "other"\nboot = "grubb"'), "kernel[2].boot: "),
        (changed('name = "other"', 'name = "other"\nwrap = "sudo"'), "kernel[2].wrap: "),
        (changed('name = "other"', 'name = "other"\nenv = { "a;b" = "c" }'), "kernel[2].env.a;b"),
        (changed('name = "other"', 'name = "other"\nexpect = { memory_mib = [1] }'), "kernel[2].expect.memory_mib: "),
        (changed('plugin = "stream"', 'plugin = ""'), "benchmark[1].plugin: "),
        (changed('plugin = "stream"', 'plugin = "stream"\ntimeout = -1'), "benchmark[1].timeout: "),
        (changed('plugin = "stream"', 'plugin = "stream"\ntimeout = nan'), "benchmark[1].timeout: "),
        (TOML + '[[benchmark]]\nplugin = "stream"\n', "benchmark: 'stream array_size=2000000"),
        (TOML[: TOML.index("[[kernel]]")] + '[[benchmark]]\nplugin = "stream"\n', "kernel: field required"),
        (TOML[: TOML.index("[[benchmark]]")], "benchmark: field required"),
        ("", "campaign: field required"),
    ],
)
def test_a_fault_is_told_with_its_key_path(text: str, fault: str) -> None:
    assert any(found.startswith(fault) for found in faults_of(text)), faults_of(text)


def test_toml_syntax_is_told_with_its_line() -> None:
    (fault,) = faults_of("[campaign]\nname = 'a'\nruns = = 4\n")
    assert "line 3" in fault


def test_defaults_of_the_design_fit_each_other() -> None:
    text = TOML.replace("blocks = 2\n", "")
    assert parse_campaign(text).design.blocks == 4
    assert parse_campaign(text.replace("runs = 4\n", "")).design.blocks == 10
    assert parse_campaign(text.replace("runs = 4", 'runs = 4\norder = "sequential"')).design.blocks == 1


def test_parameters_given_as_lists_make_every_combination() -> None:
    text = TOML + "parameters = { array_size = [1000, 2000], ntimes = [2, 3, 4] }\ntimeout = 5\n"
    told = parse_campaign(text).benchmarks
    found = [(use.parameters["array_size"], use.parameters["ntimes"]) for use in told]
    assert found == [(1000, 2), (1000, 3), (1000, 4), (2000, 2), (2000, 3), (2000, 4)]
    assert {use.timeout_s for use in told} == {5.0}
    assert {use.parameters["threads"] for use in told} == {1}


def test_a_double_in_a_list_of_parameters_is_a_fault() -> None:
    (fault,) = faults_of(TOML + "parameters = { array_size = [1000, 1000] }\n")
    assert "stands there twice" in fault


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CampaignInvalid, match="No such file"):
        read_campaign(tmp_path / "none.toml")
    with pytest.raises(CampaignInvalid, match="Is a directory"):
        read_campaign(tmp_path)


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(TOML.encode() + b"# caf\xe9\n")
    with pytest.raises(CampaignInvalid, match=rf"not UTF-8 \(byte {len(TOML) + 5}\)"):
        read_campaign(path)


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(TOML.encode().ljust(LARGEST_FILE_BYTES, b"\n"))
    assert read_campaign(path).campaign.name == "small"
    path.write_bytes(TOML.encode().ljust(LARGEST_FILE_BYTES + 1, b"\n"))
    with pytest.raises(CampaignInvalid, match="larger than 1 MiB"):
        read_campaign(path)


def test_a_file_comes_with_its_text(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(TOML)
    file = read_campaign(path)
    assert (file.text, file.source) == (TOML, str(path))


@given(st.text(max_size=60))
@settings(max_examples=50)
def test_any_text_is_a_campaign_or_a_fault(text: str) -> None:
    with pytest.raises(CampaignInvalid):
        parse_campaign(text)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20))
@settings(max_examples=40)
def test_any_key_is_known_or_named(key: str) -> None:
    quoted = key.replace("\\", "\\\\").replace('"', '\\"')
    if key not in {"order", "runs", "blocks", "seed", "at_once", "retries"}:
        found = faults_of(TOML.replace("[design]", f'[design]\n"{quoted}" = 1'))
        assert any(fault.startswith(f"design.{key}: unknown key") for fault in found)


def test_choosing_nothing_changes_nothing() -> None:
    told = parse_campaign(TOML)
    assert choose(told, Choice()) == told


def test_what_is_chosen_stays_in_the_order_of_the_file() -> None:
    told = parse_campaign(TOML + "parameters = { ntimes = [2, 3] }\n")
    both = choose(told, Choice(kernels=("other", "native"), benchmarks=("stream",), runs=7, blocks=3, seed=9))
    assert both.kernels == told.kernels
    assert both.benchmarks == told.benchmarks
    assert (both.design.runs, both.design.blocks, both.design.seed) == (7, 3, 9)
    label = told.benchmarks[1].label
    assert choose(told, Choice(benchmarks=(label,))).benchmarks == told.benchmarks[1:]
    assert choose(told, Choice(kernels=("native",))).kernels == told.kernels[:1]


def test_fewer_runs_than_blocks_take_the_blocks_with_them() -> None:
    told = choose(parse_campaign(TOML), Choice(runs=1))
    assert (told.design.runs, told.design.blocks) == (1, 1)


@pytest.mark.parametrize(
    ("choice", "fault"),
    [
        (Choice(kernels=("nativ",)), "kernel: no 'nativ' in this campaign; did you mean 'native'?"),
        (Choice(benchmarks=("bonnie",)), "benchmark: no 'bonnie' in this campaign"),
        (Choice(kernels=()), "kernel: none picked"),
        (Choice(benchmarks=()), "benchmark: none picked"),
        (Choice(kernels=("other",)), "analysis.baseline: 'native' is not among the kernels"),
        (Choice(runs=0), "design: runs and blocks are at least 1"),
        (Choice(runs=-3), "design: runs and blocks are at least 1"),
        (Choice(blocks=5), "design.blocks: 5 blocks need at least as many runs"),
        (Choice(runs=2, blocks=3), "design.blocks: 3 blocks need at least as many runs"),
    ],
)
def test_a_choice_that_cannot_be(choice: Choice, fault: str) -> None:
    with pytest.raises(CampaignInvalid) as caught:
        choose(parse_campaign(TOML), choice)
    assert any(found.startswith(fault) for found in caught.value.faults), caught.value.faults


def test_a_sequential_campaign_cannot_be_given_blocks() -> None:
    told = parse_campaign(TOML.replace("blocks = 2", 'order = "sequential"'))
    with pytest.raises(CampaignInvalid, match="sequential"):
        choose(told, Choice(blocks=2))


def test_a_choice_leaves_the_campaign_alone() -> None:
    told = parse_campaign(TOML)
    before = replace(told)
    choose(told, Choice(kernels=("native",), runs=1))
    assert told == before
