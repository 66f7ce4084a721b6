"""The few system calls that Python 3.11 lacks.

Imported by the package and, as a plain module beside them, by the scripts that run under a bare `python -S`.
"""

import ctypes
import os

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWNET = 0x00020000, 0x04000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2); raises OSError that names the target."""
    _checked(_libc.mount(source.encode(), target.encode(), fstype.encode(), flags, data.encode()), target)


def unmount(target: str) -> None:
    """umount2(2), lazy: a file still open below the mount does not keep it."""
    _checked(_libc.umount2(target.encode(), MNT_DETACH), target)


def new_network() -> None:
    """The calling thread, and it alone, gets an empty network namespace."""
    _checked(_libc.unshare(CLONE_NEWNET), "unshare")


def own_mounts_and_hostname() -> None:
    """What the calling thread, and it alone, mounts from now on, and the host name it sets, nobody else sees."""
    _checked(_libc.unshare(CLONE_NEWNS | CLONE_NEWUTS), "unshare")
    mount("none", "/", flags=MS_REC | MS_PRIVATE)


def enter_network(path: str) -> None:
    """The calling thread, and it alone, enters the network namespace held by the file `path`."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked(_libc.setns(handle, CLONE_NEWNET), path)
    finally:
        os.close(handle)


def pivot_root(folder: str) -> None:
    """`folder`, a mount point, becomes / of the mount namespace; what was / is let go."""
    os.chdir(folder)
    # Both arguments "." stack the old root over the new one, so that no folder for it is needed in the new root.
    _checked(_libc.pivot_root(b".", b"."), folder)
    unmount(".")
    os.chdir("/")
