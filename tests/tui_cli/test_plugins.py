"""``plugins``, and a third party's package: written as docs/plugins.md says, installed, listed, run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.campaigns import program

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"
CAMPAIGN = """
[campaign]
name = "small"
[design]
runs = 2
blocks = 1
[analysis]
baseline = "native"
[lab]
nodes = 1
[[kernel]]
name = "native"
[[benchmark]]
plugin = "fact"
"""


def block(after: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text().partition(after)[2], re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the package of docs/plugins.md."""
    package, site = tmp_path_factory.mktemp("package"), tmp_path_factory.mktemp("site")
    (package / "fact.py").write_text(block("## Write your own", "python"))
    (package / "pyproject.toml").write_text(block("## Write your own", "toml"))
    words = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "--no-deps",
        "--target",
        str(site),
    ]
    subprocess.run([*words, str(package)], check=True, capture_output=True)
    return site


def told(*words: str, folder: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    return program(words, {**os.environ, **({"PYTHONPATH": str(path)} if path else {})}, folder)


def test_it_has_no_more_than_thirty_lines() -> None:
    lines = [line for line in block("## Write your own", "python").splitlines() if line.strip()]
    assert len(lines) <= 30


def test_a_third_partys_benchmark_is_listed_parsed_and_run(site: Path, tmp_path: Path) -> None:
    listed = told("plugins", folder=tmp_path, path=site)
    assert listed.returncode == 0, listed.stderr
    assert "fact: Factoring by coreutils (micro, scope node)" in listed.stdout
    assert "needs     factor: `apt install coreutils`" in listed.stdout
    (tmp_path / "out").write_text("12: 2 2")
    parsed = told("parse", "fact", "out", "--json", folder=tmp_path, path=site)
    assert json.loads(parsed.stdout)["status"] == "failed"
    (tmp_path / "small.toml").write_text(CAMPAIGN)
    ran = told("run", "small.toml", "--db", "small.db", folder=tmp_path, path=site)
    assert ran.returncode == 0, ran.stderr
    exported = told("export", "small.db", folder=tmp_path, path=site)
    assert len(re.findall(r",fact,.*,ok,.*,real,[0-9.e-]+,s,lower", exported.stdout)) == 2


BROKEN = "raise RuntimeError('[/] \\x1b]0;x\\x07 boom')"


def test_a_broken_plugin_is_a_warning_that_names_it(tmp_path: Path) -> None:
    metadata = tmp_path / "site" / "hpcvirt_broken-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata.parent / "hpcvirt_broken.py").write_text(BROKEN)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: hpcvirt-broken\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[hpcvirt.benchmarks]\nbroken = hpcvirt_broken:Broken\n")
    listed = told("plugins", folder=tmp_path, path=tmp_path / "site")
    assert listed.returncode == 0
    assert "stream: STREAM" in listed.stdout
    assert "warning: benchmark plugin 'broken' (hpcvirt_broken:Broken) cannot be used: RuntimeError" in listed.stderr
    assert "\x1b" not in listed.stderr
    used = told("parse", "broken", "x", folder=tmp_path, path=tmp_path / "site")
    assert (used.returncode, "Traceback" in used.stderr) == (4, False)


LISTING = """
import sys
from hpcvirt.core.benchmark import installed
assert {"bonnie", "command", "hpcc", "mitgcm", "npb", "stream"} <= set(installed()), installed()
assert not [name for name in sys.modules if name.startswith("hpcvirt.plugins")]
"""


def test_names_are_known_without_an_import() -> None:
    subprocess.run([sys.executable, "-c", LISTING], check=True)


def test_the_papers_table(tmp_path: Path) -> None:
    lines = told("plugins", "--format", "markdown", folder=tmp_path).stdout.splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert rows[0] == ["Category", "Benchmark", "What it measures", "Better", "Scope"]
    assert {len(row) for row in rows} == {5}
    categories = [row[0] for row in rows[2:]]
    assert categories == sorted(categories, key=["Micro", "Macro", "Applications"].index)
    stream = next(row for row in rows if "`stream`" in row[1])
    assert stream[2] == "copy (MB/s), scale (MB/s), add (MB/s), triad (MB/s)"


def test_json(tmp_path: Path) -> None:
    found = {one["name"]: one for one in json.loads(told("plugins", "--format", "json", folder=tmp_path).stdout)}
    assert found["bonnie"]["packages"] == {"debian": ["bonnie++"], "rhel": ["bonnie++"]}
    assert found["npb"]["metrics"][0] == {
        "name": "mops_total",
        "unit": "Mop/s",
        "better": "higher",
        "primary": True,
        "help": "operations per second, of all processes together",
        "exact": False,
    }
    assert {one["name"]: one["default"] for one in found["stream"]["parameters"]}["array_size"] == 2_000_000
