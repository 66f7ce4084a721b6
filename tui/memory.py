"""What the screen remembers from one time to the next: a small file in the XDG state folder."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

MOST_DATABASES = 8


@dataclass(frozen=True, slots=True)
class Memory:
    """Nothing here is needed: a file that is not there, or is no good, is nothing remembered."""

    theme: str = ""
    databases: tuple[Path, ...] = ()
    """Opened before, the last one first."""

    def opened(self, database: Path) -> Memory:
        """The same after a database was opened."""
        rest = (path for path in self.databases if path != database)
        return replace(self, databases=(database, *rest)[:MOST_DATABASES])


def memory_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where it is written."""
    base = environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "hpcvirt-tui" / "screen.json"


def recall(path: Path) -> Memory:
    """What was remembered."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        databases = tuple(Path(text) for text in told.get("databases", ()) if isinstance(text, str))
        theme = told.get("theme", "")
        return Memory(theme if isinstance(theme, str) else "", databases[:MOST_DATABASES])
    except (OSError, ValueError, AttributeError, TypeError):
        return Memory()


def remember(path: Path, memory: Memory) -> None:
    """Write it, whole or not at all; where that cannot be, nothing is remembered."""
    text = json.dumps({"theme": memory.theme, "databases": [str(database) for database in memory.databases]}, indent=1)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, draft = tempfile.mkstemp(prefix=".screen-", dir=path.parent)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
            file.write(text + "\n")
        Path(draft).replace(path)
