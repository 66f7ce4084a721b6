"""The lab's folder: private to its user, held by one lab at a time, and emptied of keys at the end."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from hpcvirt.core.errors import LabFailed

CLIENT_KEY = "client_key"
KNOWN_HOSTS = "known_hosts"
LAB_JSON = "lab.json"
SCRATCH = "scratch"
_LOCK = "lock"
_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


def own_folder(folder: Path) -> Path:
    """Make ``folder`` (0700, and so every missing folder above it), or make sure that nobody else can use it.

    Returns it absolute. Raises ``LabFailed`` when it is a link or another user's, when others can enter it, or
    could put another in its place.
    """
    folder = folder.absolute()
    try:
        for one in [*reversed(folder.parents), folder]:
            if not os.path.lexists(one):
                one.mkdir(mode=0o700, exist_ok=True)
        _insist_private(folder)
    except OSError as error:
        raise LabFailed(f"lab folder {folder}: {error.strerror}", hint="give a folder of your own") from error
    return folder


def _insist_private(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise LabFailed(f"lab folder {folder} is a link or no folder", hint="give the folder itself, or a new name")
    if found.st_uid != os.geteuid():
        raise LabFailed(f"lab folder {folder} belongs to another user", hint="give a folder of your own")
    if found.st_mode & 0o077:
        raise LabFailed(
            f"lab folder {folder} is open to other users (mode {stat.S_IMODE(found.st_mode):04o})",
            hint=f"chmod 700 {folder}, or give a new name",
        )
    above = folder.parent.resolve()
    for one in above, *above.parents:
        _insist_fixed(one)


def _insist_fixed(above: Path) -> None:
    mode = above.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise LabFailed(f"every user can rename what is in {above}", hint=f"chmod o-w {above}, or choose another place")


def open_lock(folder: Path) -> int:
    """The lock file's descriptor. It stays for ever: removed, two labs could each lock one of that name."""
    return os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def take_lock(lock: int) -> bool:
    """Lock for this process and those it forks, until the last of them ends; false when another lab has it.

    True without a lock on a file system that knows none.
    """
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise
    return True


def write_private(file: Path, text: str) -> None:
    """Put ``text`` into ``file`` (0600) in one step: a reader sees the whole of it or nothing."""
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as out:
        out.write(text)
    fresh.replace(file)


def remove_keys(folder: Path) -> None:
    """Remove everything that lets somebody in; also what a lab that was killed left behind."""
    for name in LAB_JSON, CLIENT_KEY, KNOWN_HOSTS:
        for suffix in "", ".new":
            (folder / (name + suffix)).unlink(missing_ok=True)


def remove_nodes(folder: Path, names: Iterable[str]) -> None:
    """Remove the nodes' folders, also where a command took away its own permission to do so."""
    for home in (folder / name for name in names):
        shutil.rmtree(home, ignore_errors=True)
        if home.exists():
            with contextlib.suppress(OSError):  # what a command made as another user stays
                _open_up(home)
            shutil.rmtree(home, ignore_errors=True)


def _open_up(home: Path) -> None:
    home.chmod(0o700)
    for path, folders, _ in os.walk(home):  # top down: each folder is opened before it is entered
        for inner in (Path(path, name) for name in folders):
            if not inner.is_symlink():
                inner.chmod(0o700)
