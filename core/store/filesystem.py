"""On what kind of file system a database lies."""

from __future__ import annotations

import os
from pathlib import Path

NETWORK = {
    "nfs",
    "nfs4",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "cifs",
    "smb3",
    "afs",
    "9p",
    "fuse.sshfs",
    "fuse.glusterfs",
    "panfs",
}
MOUNTS = Path("/proc/self/mounts")


def is_on_network(path: Path, mounts: Path = MOUNTS) -> bool:
    """Whether other machines may have the same file open. Unknown kinds count as local."""
    return _kind(os.path.realpath(path), mounts) in NETWORK


def _kind(place: str, mounts: Path) -> str:
    """Kind of the deepest mount above a place; of those at one point the last counts."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    best, kind = "", ""
    for line in lines:
        _, point, found, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if len(point) >= len(best) and (place == point or place.startswith(point.rstrip("/") + "/")):
            best, kind = point, found
    return kind
