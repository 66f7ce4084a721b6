"""Campaign files that come with the program."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def bundled() -> dict[str, Path]:
    """Bundled campaign files by name, the local lab first."""
    files = sorted(FOLDER.glob("*.toml"), key=lambda path: (path.stem != "local-lab", path.stem))
    return {path.stem: path for path in files}
