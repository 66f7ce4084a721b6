"""Campaign files that cannot be: exit 2, each fault in a line of its own, and nothing made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.factories import TOML
from tests.tui_cli.test_cli import call, names

RANGE = TOML.replace("[lab]\nnodes = 2\n", '[[node]]\nname = "node[4-1]"\n')
FIVE = (
    TOML.replace("runs = 4", "runs = 0")
    .replace("blocks = 2", "blocs = 2")
    .replace("nodes = 2", 'nodes = "2"')
    .replace('name = "other"', 'name = "o ther"')
    .replace('plugin = "stream"', 'plugin = "stream"\ntimeout = -1')
)

BAD = {
    "duplicate names": (TOML.replace('"other"', '"native"'), ["kernel: 'native' stands there twice"]),
    "baseline": (TOML.replace('baseline = "native"', 'baseline = "nativ"'), ["did you mean 'native'?"]),
    "zero": (TOML.replace("runs = 4", "runs = 0"), ["design.runs: "]),
    "negative": (TOML.replace("blocks = 2", "blocks = -2"), ["design.blocks: "]),
    "absurd": (TOML.replace("runs = 4", "runs = 99999999999999999999"), ["design.runs: "]),
    "beyond all numbers": (TOML.replace("runs = 4", f"runs = {'9' * 5000}"), ["ValueError"]),
    "more runs than are planned": (
        TOML.replace("runs = 4", "runs = 1000000").replace("nodes = 2", "nodes = 64"),
        ["design.runs: 128000000 runs in all"],
    ),
    "more blocks than runs": (TOML.replace("blocks = 2", "blocks = 5"), ["5 blocks need at least as many runs"]),
    "cluster scope with one node": (
        TOML.replace("nodes = 2", "nodes = 1") + 'scope = "cluster"\n',
        ["stream runs over all nodes, and there is one"],
    ),
    "bad range": (RANGE, ["node[1].name: 'node[4-1]': 4-1 runs backwards"]),
    "unknown plugin": (TOML.replace('"stream"', '"streem"'), ["benchmark[1].plugin: ", "'streem'"]),
    "syntax": ("[campaign]\nname = \n", ["bad.toml: line 2, column 8: "]),
    "empty": ("", ["campaign: field required", "kernel: field required", "benchmark: field required"]),
    "nested": ("a = " + "[" * 100_000, ["bad.toml: "]),
    "escape codes": (TOML + '"\\u001b[31mx" = 1\n', ["unknown key"]),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_campaign_file(tmp_path: Path, kind: str) -> None:
    text, told = BAD[kind]
    (tmp_path / "bad.toml").write_text(text)
    done = call(tmp_path, "run", "bad.toml")
    assert done.returncode == 2, done.stderr
    for words in told:
        assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert names(tmp_path) == {"bad.toml"}


@pytest.mark.parametrize("content", [TOML.encode() + b"# \xff\n", b"# " + b"x" * 10_000_000, b"\0" * 4096])
def test_a_file_that_is_no_text_of_ours(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.toml").write_bytes(content)
    done = call(tmp_path, "plan", "bad.toml")
    assert done.returncode == 2
    assert done.stderr.startswith("hpcvirt-tui: bad.toml: ")
    assert names(tmp_path) == {"bad.toml"}


@pytest.mark.parametrize("command", ["run", "plan", "check"])
def test_five_faults_are_five_lines(tmp_path: Path, command: str) -> None:
    (tmp_path / "bad.toml").write_text(FIVE)
    done = call(tmp_path, command, "bad.toml")
    assert done.returncode == 2
    lines = [line.removeprefix("hpcvirt-tui: ") for line in done.stderr.splitlines()]
    assert [line.split(":")[0] for line in lines if "bad.toml" in line] == ["bad.toml"] * 5
    assert done.stdout == ""
    assert names(tmp_path) == {"bad.toml"}


@pytest.mark.parametrize("name", ["", "../x", "a b", '"\\nx', "-x", "x" * 65])
def test_a_name_that_no_campaign_can_have(tmp_path: Path, name: str) -> None:
    done = call(tmp_path, "new", "--", name)
    assert done.returncode == 2
    assert "is no name for a campaign" in done.stderr
    assert names(tmp_path) == set()


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("dear")
    done = call(tmp_path, "new", "mine.toml")
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert (tmp_path / "mine.toml").read_text() == "dear"
