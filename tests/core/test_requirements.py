"""What a plugin requires becomes questions that any shell answers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hpcvirt.core.preflight import Level, Need
from hpcvirt.core.requirements import Requirements, asked

PACKAGES = {"debian": ("bonnie++",), "rhel": ("bonnie++", "x"), "other": ("y",)}


def the_need(**required: object) -> Need:
    (need,) = asked("bench", Requirements(**required))  # type: ignore[arg-type]
    return need


@pytest.fixture(params=["sh", "bash", "busybox"])
def shell(request: pytest.FixtureRequest) -> list[str]:
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"no {request.param} here")
    return [program, "sh"] if request.param == "busybox" else [program]


def is_so(shell: list[str], need: Need, scratch: str = "/") -> bool:
    env = {"PATH": "/usr/bin:/bin", "hv_scratch": scratch}
    return subprocess.run([*shell, "-c", need.command], env=env, stdin=subprocess.DEVNULL).returncode == 0


def test_programs(shell: list[str], tmp_path: Path) -> None:
    own = tmp_path / "it's own"
    own.write_text("")
    assert is_so(shell, the_need(programs=("env",)))
    assert not is_so(shell, the_need(programs=("no-such-program",)))
    assert not is_so(shell, the_need(programs=(str(own),)))
    own.chmod(0o755)
    assert is_so(shell, the_need(programs=(str(own),)))
    assert not is_so(shell, the_need(programs=(str(tmp_path),)))


def test_files(shell: list[str], tmp_path: Path) -> None:
    assert is_so(shell, the_need(files=(str(tmp_path),)))
    assert not is_so(shell, the_need(files=(f"{tmp_path}/none; true",)))


def test_memory_and_disk(shell: list[str]) -> None:
    for name in ("memory_bytes", "disk_bytes"):
        assert is_so(shell, the_need(**{name: 1 << 20}))
        assert not is_so(shell, the_need(**{name: 1 << 60}))
    # A folder that is not there yet has no size that could be too small.
    assert is_so(shell, the_need(disk_bytes=1 << 60), "/no/such/folder")


def test_cache(shell: list[str]) -> None:
    if not list(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")):
        pytest.skip("this machine does not tell the size of its caches")
    small, large = the_need(not_in_cache_bytes=1 << 10), the_need(not_in_cache_bytes=1 << 50)
    assert small.level is Level.WARNING
    assert (is_so(shell, small), is_so(shell, large)) == (False, True)


def test_the_remedy_names_the_packages() -> None:
    need = the_need(programs=("bonnie++",), packages=PACKAGES)
    assert need.remedy == "`apt install bonnie++` or `dnf install bonnie++ x`"
    assert "absolute path" in the_need(programs=("own",)).remedy
    assert asked("bench", Requirements()) == ()
