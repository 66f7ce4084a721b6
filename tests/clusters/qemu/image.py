"""The disk image of a node, built once for one set of package versions."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

BUILD = Path(__file__).with_name("build.sh")
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "sfdisk": "fdisk",
    "mkfs.ext4": "e2fsprogs",
    "partx": "util-linux",
    "ssh-keygen": "openssh-client",
}
"""Command -> Debian's package of it."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LIST_LIMIT_S = 120
BUILD_LIMIT_S = 600


def missing() -> str | None:
    """In words what this machine lacks; None when nodes can be built and started."""
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        return "the image is for x86_64 Linux"
    if os.geteuid() != 0:
        return "loop devices need root"
    lacking = [f"{tool} ({package})" for tool, package in TOOLS.items() if shutil.which(tool, path=PATH) is None]
    return f"not installed: {', '.join(lacking)}" if lacking else None


def cache_folder() -> Path:
    """Where images are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "hpcvirt-tui" / "qemu"


def ready_image(folder: Path | None = None) -> Path:
    """The image, built unless there is one from the very package lists that Debian has now, by the very script.

    Older ones are removed: one image is all that is kept.
    """
    folder = folder or cache_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    archive = _run([str(BUILD), "--archive"], LIST_LIMIT_S)
    # Where the lists are not known nothing is known to be fresh.
    known = archive or secrets.token_hex(16)
    key = hashlib.sha256(BUILD.read_bytes() + known.encode()).hexdigest()[:20]
    image = folder / f"{key}.raw"
    if not image.exists():
        draft = folder / f"draft.{os.getpid()}"
        try:
            print(_run([str(BUILD), str(draft)], BUILD_LIMIT_S)[-1500:])
            draft.rename(image)
        finally:
            draft.unlink(missing_ok=True)
    for other in folder.glob("*.raw"):
        if other != image:
            other.unlink()
    return image


def _run(argv: list[str], limit_s: float) -> str:
    done = subprocess.run(
        ["nice", *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=limit_s, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout
