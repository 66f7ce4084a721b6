"""Campaign files: all faults of a kind at once, each with its key path; what is accepted means what it says."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcvirt.core.config import LARGEST_FILE_BYTES, Choice, choose, parse_campaign, read_campaign
from hpcvirt.core.config.tables import DesignTable
from hpcvirt.core.errors import CampaignInvalid
from hpcvirt.core.model import Node, Order, Probe, Scope, Telemetry
from hpcvirt.core.text import clean_line
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


def on_nodes(*lines: str, rest: str = "") -> str:
    return changed("[lab]\nnodes = 2\n", "\n".join(["[[node]]", *lines, "", rest]))


def test_a_range_of_nodes_is_as_many_nodes() -> None:
    told = parse_campaign(
        on_nodes(
            'name = "node[08-10]"',
            'host = "n[8-10].cluster"',
            'address = { other = "guest[8-10]" }',
            'scratch = "/s"',
            rest='[[node]]\nname = "login"\n',
        )
    )
    assert [(node.name, node.host, dict(node.addresses)) for node in told.nodes] == [
        ("node08", "n8.cluster", {"other": "guest8"}),
        ("node09", "n9.cluster", {"other": "guest9"}),
        ("node10", "n10.cluster", {"other": "guest10"}),
        ("login", "login", {}),
    ]
    assert {node.scratch for node in told.nodes[:3]} == {"/s"}


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (('name = "node[1-4"',), "node[1].name: 'node[1-4': brackets"),
        (('name = "node[4-1]"',), "node[1].name: 'node[4-1]': 4-1 runs backwards"),
        (('name = "node[1-9999999]"',), "node[1].name: 'node[1-9999999]' stands for more than"),
        (('name = "node[1-4]"', 'host = "n[1-3]"'), "node[1].host: 3 for 4 nodes"),
        (('name = "node[1-4]"', 'host = "n1"'), "node[1].host: 1 for 4 nodes"),
        (('name = "a"', 'address = { othr = "g" }'), "node[1].address.othr: 'othr' is not among the kernels; did you"),
        (('name = "a[1-2]"', 'address = { other = "g" }'), "node[1].address.other: 1 for 2 nodes"),
        (('name = "a b"',), "node[1].name: 'a b' is no name"),
        (('name = "a[1-2]"', "", "[[node]]", 'name = "a2"'), "node: 'a2' stands there twice"),
    ],
)
def test_a_fault_of_a_range(lines: tuple[str, ...], fault: str) -> None:
    found = faults_of(on_nodes(*lines))
    assert any(one.startswith(fault) for one in found), found


def test_the_first_kernel_is_the_baseline_if_none_is_named() -> None:
    assert parse_campaign(changed('[analysis]\nbaseline = "native"\n', "")).analysis.baseline == "native"


def test_everything_of_design_analysis_and_telemetry_arrives() -> None:
    text = changed("blocks = 2", 'blocks = 2\nwarmup = 1\nsettle = 5\ntimeout = 40\nphases = [["stream"]]')
    text = text.replace('baseline = "native"', 'baseline = "native"\nmethod = "paper"\ncorrection = "bh"')
    text = text.replace("[analysis]", '[telemetry]\nduring_runs = "off"\ninterval = 5\n[analysis]')
    told = parse_campaign(text)
    label = told.benchmarks[0].label
    assert (told.design.warmup, told.design.settle_s, told.design.phases) == (1, 5.0, ((label,),))
    assert (told.analysis.method, told.analysis.correction) == ("paper", "bh")
    assert told.telemetry == Telemetry(during_runs=False, interval_s=5.0)
    assert told.benchmarks[0].timeout_s == 40
    own = parse_campaign(text.replace('plugin = "stream"', 'plugin = "stream"\ntimeout = 30'))
    assert own.benchmarks[0].timeout_s == 30


def test_scope_and_metrics_of_a_benchmark_arrive() -> None:
    text = changed('plugin = "stream"', 'plugin = "stream"\nscope = "cluster"\nmetrics = ["copy", "triad"]')
    (use,) = parse_campaign(text).benchmarks
    assert (use.scope, use.metrics) == (Scope.CLUSTER, ("copy", "triad"))


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
        (TOML + 'metrics = ["traid"]\n', "benchmark[1].metrics: stream has no metric 'traid'; did you mean 'triad'?"),
        (TOML + 'metrics = ["add", "add"]\n', "benchmark[1].metrics: 'add' stands there twice"),
        (TOML + 'scope = "custer"\n', "benchmark[1].scope: "),
        (changed("nodes = 2", "nodes = 1") + 'scope = "cluster"\n', "benchmark: stream runs over all nodes, and there"),
        (changed("blocks = 2", "warmup = -1"), "design.warmup: "),
        (changed("blocks = 2", "settle = -1"), "design.settle: "),
        (changed("blocks = 2", "settle = nan"), "design.settle: "),
        (changed("blocks = 2", "timeout = 0"), "design.timeout: "),
        (changed("blocks = 2", "runs = 1000000\nblocks = 1000000"), "line 7, column "),
        (changed("runs = 4\nblocks = 2", "runs = 1000000\nblocks = 1000000\nwarmup = 1000"), "design.runs: "),
        (changed("blocks = 2", 'phases = [["strem"]]'), "design.phases[1]: no 'strem' in this campaign; did you mean"),
        (changed("blocks = 2", 'phases = [["stream"], ["stream"]]'), "design.phases: stream array_size=2000000"),
        (changed("blocks = 2", "phases = [[]]"), "design.phases[1]: "),
        (changed('"native"', '"native"\nmethod = "welch"'), "analysis.method: "),
        (changed('"native"', '"native"\ncorrection = "bonferroni"'), "analysis.correction: "),
        (changed("[lab]", '[telemetry]\nduring_runs = "of"\n[lab]'), "telemetry.during_runs: "),
        (changed("[lab]", "[telemetry]\ninterval = 0\n[lab]"), "telemetry.interval: "),
        (changed("[lab]", "[telemetry]\nintervall = 1\n[lab]"), "telemetry.intervall: unknown key; did you mean"),
        (on_nodes('name = "a"').replace('name = "other"', 'name = "other"\noptional = true'), "kernel[2].optional: "),
        (TOML[: TOML.index("[[kernel]]")] + '[[benchmark]]\nplugin = "stream"\n', "kernel: field required"),
        (TOML[: TOML.index("[[benchmark]]")], "benchmark: field required"),
        ("", "campaign: field required"),
    ],
)
def test_a_fault_is_told_with_its_key_path(text: str, fault: str) -> None:
    assert any(found.startswith(fault) for found in faults_of(text)), faults_of(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[campaign]\nname = 'a'\nruns = = 4\n", "line 3, column 8: invalid value"),
        ("[campaign]\nname = 'a'\nname = 'b'\n", "line 3, column "),
        ("[campaign]\n\nname = 'a", "line 3, at the end of the file: "),
        ("[campaign\n", "line 1, column 10: "),
    ],
)
def test_toml_syntax_is_told_with_its_line(text: str, fault: str) -> None:
    (found,) = faults_of(text)
    assert found.startswith(fault), found


@pytest.mark.parametrize("string", ['"""\n(\\d+)\n"""', '"(\\d+)"', '"\\xZZ"', '"\\u12"', '"\\ud800"'])
def test_a_backslash_in_double_quotes_has_a_remedy(string: str) -> None:
    with pytest.raises(CampaignInvalid) as caught:
        parse_campaign(f"[benchmark.parameters]\nmetrics = {string}\n")
    assert "'''" in caught.value.hint
    with pytest.raises(CampaignInvalid) as caught:
        parse_campaign("[campaign\n")
    assert "'''" not in caught.value.hint


def test_faults_of_form_hide_no_others() -> None:
    text = TOML.replace('plugin = "stream"', 'plugin = "streem"').replace("[design]", "[design]\nretries = -1")
    with pytest.raises(CampaignInvalid) as caught:
        parse_campaign(text, "c.toml")
    first, second = str(caught.value).split("\n")[:2]
    assert first.startswith("c.toml: design.retries: ")
    assert second.startswith("c.toml: benchmark[1].plugin: ")
    assert "streem" in second


def test_faults_of_form_hide_none_of_meaning() -> None:
    text = TOML.replace("[design]", "[design]\nretries = -1").replace('name = "other"', 'name = "native"')
    found = faults_of(text + "timeout = -1\n")
    assert [fault.partition(": ")[0] for fault in found[:2]] == ["design.retries", "benchmark[1].timeout"]
    assert any(fault.startswith("kernel") and "twice" in fault for fault in found[2:])


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.toml")
    for path in (tmp_path / "fifo.toml", Path("/dev/zero")):
        with pytest.raises(CampaignInvalid, match="not a file"):
            read_campaign(path)


def test_keys_that_are_nested_without_end() -> None:
    with pytest.raises(CampaignInvalid):
        parse_campaign(".".join("a" * 5000) + " = 1\n")


def test_five_faults_are_five_lines() -> None:
    text = TOML.replace("runs = 4", "runs = 0").replace("blocks = 2", "blocs = 2").replace("nodes = 2", 'nodes = "2"')
    text = text.replace('name = "other"', 'name = "o ther"').replace('"stream"', '"stream"\ntimeout = -1')
    assert len(faults_of(text)) == 5


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
    if key not in DesignTable.model_fields:
        found = faults_of(TOML.replace("[design]", f'[design]\n"{quoted}" = 1'))
        assert any(fault.startswith(clean_line(f"design.{key}: unknown key")) for fault in found)


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
