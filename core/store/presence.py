"""Where the file of an open database is: its name can be removed, or given to another file, while it is in use."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from hpcvirt.core.lease import file_id, file_id_of

_RESCUED = re.compile(r"-rescued-\d{8}T\d{6}Z(\.\d+)?$")


class DatabaseFile:
    """Keeps hold of the file itself, by a descriptor that takes no part in its locks."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self.path = path.absolute()
        self._descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)

    def close(self) -> None:
        """Let go."""
        os.close(self._descriptor)

    def whereabouts(self) -> Path | None:
        """Where it is now: at its path, or where it was moved to. None: it was deleted."""
        try:
            found = os.fstat(self._descriptor)
        except OSError:
            # A network file system whose server has it no more.
            return None
        if _is_at(self.path, found):
            return self.path
        there = Path(f"/proc/self/fd/{self._descriptor}").readlink()
        # NFS gives a deleted file that is still open such a name, until it is closed.
        is_left = found.st_nlink > 0 and not there.name.startswith(".nfs")
        return there if is_left and _is_at(there, found) else None


def _is_at(path: Path, wanted: os.stat_result) -> bool:
    try:
        return file_id_of(path.stat()) == file_id_of(wanted)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        # That a folder cannot be looked at for a while does not say that the file is gone.
        return True


def beside(path: Path) -> dict[Path, str]:
    """What SQLite keeps beside a database, as far as it is there: each with its device and inode."""
    found = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    return {one: file_id(one) for one in found if one.exists()}


def opened() -> set[str]:
    """Device and inode of every file that this process has open."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.add(file_id_of(descriptor.stat()))
    return found


def rescue_paths(path: Path) -> Iterator[Path]:
    """Where the content of a deleted database may be saved, the best place first."""
    stem = f"{_RESCUED.sub('', path.stem)}-rescued-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for folder in _folders(path):
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            names = [f"{stem}.db", *(f"{stem}.{number}.db" for number in range(2, 100))]
            yield next(folder / name for name in names if not (folder / name).exists())


def rescued(path: Path) -> Path | None:
    """Where the content of a deleted database was saved last; None: nowhere that we know of."""
    name = f"{_RESCUED.sub('', path.stem)}-rescued-*.db"
    for folder in _folders(path):
        with suppress(OSError):
            if found := sorted(folder.glob(name)):
                return found[-1]
    return None


def _folders(path: Path) -> list[Path]:
    """Beside it; where its folder is gone, in the next one above that is there; at home; where everybody may write."""
    above = next((folder for folder in path.absolute().parents if folder.is_dir()), path.parent)
    places = [above, Path(os.environ.get("HOME") or "/nonexistent"), Path(tempfile.gettempdir())]
    return [place for place in dict.fromkeys(places) if place != Path("/")]
