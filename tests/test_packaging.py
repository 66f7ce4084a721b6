"""What is installed is what is in the repository: wheel, plain and editable install."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("campaigns", "core", "plugins", "tui")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files as they are in the working tree: building must not leave anything in the checkout."""
    folder = tmp_path_factory.mktemp("source")
    for name in tracked():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    return folder


def tracked() -> list[str]:
    """Files git knows, or would know after an add."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in listed if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(source)], check=True
    )
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_every_tracked_file_of_the_four_folders(wheel: Path) -> None:
    expected = {f"hpcvirt/{name}" for name in tracked() if name.split("/")[0] in FOLDERS}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == expected


INSTALLS = {
    "wheel": lambda source, wheel: [str(wheel)],
    "plain": lambda source, wheel: [str(source)],
    "editable": lambda source, wheel: ["-e", str(source)],
    "strict-editable": lambda source, wheel: ["--config-settings", "editable_mode=strict", "-e", str(source)],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", INSTALLS)
def test_installed_it_works_from_any_folder(kind: str, source: Path, wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    # Dependencies come from the environment of this test: what is tried is our own package.
    site = next((tmp_path / "venv" / "lib").glob("python3*/site-packages"))
    (site / "dependencies.pth").write_text(f"import site; site.addsitedir({str(_dependencies())!r})\n")
    words = INSTALLS[kind](source, wheel)
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "--ignore-installed", *words], check=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(word) for word in words], cwd=elsewhere, capture_output=True, text=True)

    where = run(python, "-c", "import hpcvirt.core, hpcvirt.tui.screens; print(hpcvirt.core.__file__)")
    assert str(ROOT) not in where.stdout, where
    assert where.returncode == 0, where.stderr
    assert "No module named 'core'" in run(python, "-c", "import core").stderr
    program = tmp_path / "venv" / "bin" / "hpcvirt-tui"
    plugins = run(program, "plugins")
    assert plugins.returncode == 0, plugins.stderr
    assert "triad" in plugins.stdout
    bundled = run(python, "-c", "from hpcvirt.campaigns import bundled; print(*bundled())")
    assert bundled.stdout.split()[0] == "local-lab"


def _dependencies() -> Path:
    import click

    return Path(click.__file__).parents[1]
