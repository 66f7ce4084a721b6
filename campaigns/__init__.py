"""Campaign files that come with the program."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
TEMPLATE = FOLDER / "template.toml"
SCHEMA = FOLDER / "campaign.schema.json"
"""JSON Schema of campaign files, for editors."""


def bundled() -> dict[str, Path]:
    """Bundled campaign files by name, the local lab first."""
    found = (path for path in FOLDER.glob("*.toml") if path != TEMPLATE)
    files = sorted(found, key=lambda path: (path.stem != "local-lab", path.stem))
    return {path.stem: path for path in files}
