"""What the real backend makes of a campaign file."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpcvirt.core.preflight import Level
from hpcvirt.tui.backend import LocalBackend
from hpcvirt.tui.draft import whole
from tests.core.factories import TOML

APART = TOML.replace('name = "native"\n\n', 'name = "native"\nexpect = { cpus = 4 }\n\n').replace(
    'name = "other"\n', 'name = "other"\nexpect = { cpus = 2 }\n'
)
WIDE = '[[benchmark]]\nplugin = "stream"\nscope = "cluster"\nparameters = { ntimes = 5 }\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_draft_says_what_a_pick_costs_shows_and_confounds(folder: Path) -> None:
    (folder / "small.toml").write_text(APART + WIDE)
    draft = LocalBackend().load_draft(Path("small.toml"))
    told = draft.forecast(whole(draft))
    assert told is not None
    assert told.detectable is not None
    assert (told.boot_sd, told.run_sd, told.is_measured) == (0.01, 0.01, False)
    differing, together = told.warnings
    assert differing == "other and native differ in CPUs too: 2, 4"
    assert together.startswith("nodes move together")


def test_what_cannot_be_had_here_is_not_offered(folder: Path) -> None:
    (folder / "small.toml").write_text(TOML.replace('"other"', '"other"\noptional = true\nwrap = ["/no/such"]'))
    draft = LocalBackend().load_draft(Path("small.toml"))
    assert [kernel.name for kernel in draft.kernels] == ["native"]
    assert "kernel other is left out" in draft.left_out[0]


def test_a_check_looks_at_what_is_picked(folder: Path) -> None:
    text = TOML.replace('name = "other"', 'name = "other"\nexpect = { release = "2.4.*" }')
    (folder / "small.toml").write_text(text)
    backend = LocalBackend()
    draft = backend.load_draft(Path("small.toml"))
    found = backend.check(draft, whole(draft))
    assert sum("is not in kernel other" in one.message for one in found if one.level is Level.FAILURE) == 2
    pick = type(whole(draft))(("native",), whole(draft).benchmarks, 1, 1)
    assert not any(one.level is Level.FAILURE for one in backend.check(draft, pick))
