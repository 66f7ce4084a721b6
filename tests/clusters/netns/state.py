"""The folder that holds all of one cluster, named after its owner so that a killed owner's leftovers are found.

Everything that outlives a process (network namespaces, mounts, files) is below this one folder, itself a tmpfs:
the cluster is gone when what is in its networks has ended, what is mounted below is unmounted, the folder removed.
"""

import contextlib
import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import spaces, syscalls

BASE_NAME = "hpcvirt-netns"
NET_FILE = "net"
_NAME = re.compile(r"(\d+)\.(\d+)\.(\d+)")
"""pid, start time of the process in clock ticks, number of the cluster in that process."""


def base_folder(parent: Path | None = None) -> Path:
    """The folder of all clusters; refused when another user could have made it."""
    base = (parent or Path(tempfile.gettempdir())) / BASE_NAME
    base.mkdir(mode=0o700, exist_ok=True)
    found = base.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{base} is not a folder of this user")
    if re.search(r"[:,\\\s]", str(base)):
        raise ValueError(f"{base}: a path with these characters cannot be an overlay's layer; set TMPDIR")
    return base


def claim(base: Path, storage: str) -> Path:
    """A new state folder of this process, a tmpfs of at most `storage`, after the leftovers of the dead are gone."""
    with _locked(base):
        sweep(base)
        folder = _free_name(base)
        folder.mkdir(mode=0o700)
        # 0755, or the user "bench" could not reach the shared folder through the cluster's own
        syscalls.mount("hpcvirt-netns", str(folder), "tmpfs", data=f"size={storage},mode=755")
        syscalls.mount("none", str(folder), flags=syscalls.MS_PRIVATE)
        return folder


def sweep(base: Path) -> list[str]:
    """Remove the clusters whose owner is dead; their names."""
    swept = []
    for folder in sorted(base.iterdir()):
        named = _NAME.fullmatch(folder.name)
        if named and start_time(int(named[1])) != int(named[2]):
            remove(folder)
            swept.append(folder.name)
    return swept


def remove(folder: Path) -> None:
    """End all that runs in the cluster's networks, unmount and delete its folder; repeatable."""
    spaces.end_all(networks_of(folder))
    for mounted in reversed(mounts_below(folder)):
        syscalls.unmount(mounted)
    with contextlib.suppress(FileNotFoundError):
        folder.rmdir()


def networks_of(folder: Path) -> list[spaces.Identity]:
    """The network namespaces that the cluster's files hold."""
    held = set(mounts_below(folder))
    return [spaces.identity(path) for path in held if Path(path).name == NET_FILE]


def mounts_below(folder: Path) -> list[str]:
    """Mount points at and below a folder, in the order they were mounted."""
    table = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4] for line in table]
    return [point for point in points if point == str(folder) or point.startswith(f"{folder}/")]


def start_time(pid: int) -> int | None:
    """When a process was started, in clock ticks since boot; None when there is none, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _free_name(base: Path) -> Path:
    owner = f"{os.getpid()}.{start_time(os.getpid())}"
    number = 1
    while (base / f"{owner}.{number}").exists():
        number += 1
    return base / f"{owner}.{number}"


@contextlib.contextmanager
def _locked(base: Path) -> Iterator[None]:
    """Two test runs that start at once must not sweep the same leftovers."""
    handle = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
