"""What this machine lacks for a cluster of namespaces."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .layout import SBIN_PATH, sshd_path

TOOLS = {
    "ip": "iproute2",
    "tc": "iproute2",
    "iptables": "iptables",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
    "ps": "procps",
    "timeout": "coreutils",
}
"""Command -> Debian's package of it."""

_PROBE = ["unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child=KILL", "true"]


@functools.cache
def missing(wire: bool = False) -> str | None:
    """In words, for a skip; None when a cluster can be made. `wire`: one with userspace cables."""
    if sys.platform != "linux":
        return "network namespaces need Linux"
    if os.geteuid() != 0:
        return "network namespaces need root"
    return _missing_tool() or _missing_in_kernel() or _missing_tun(wire)


def _missing_tool() -> str | None:
    path = f"{os.environ.get('PATH', '')}:{SBIN_PATH}"
    lacking = [f"{name} ({package})" for name, package in TOOLS.items() if shutil.which(name, path=path) is None]
    if sshd_path() is None:
        lacking.append("sshd (openssh-server)")
    return f"not installed: {', '.join(lacking)}" if lacking else None


def _missing_in_kernel() -> str | None:
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "the kernel has no overlayfs"
    probe = subprocess.run(_PROBE, capture_output=True, text=True, timeout=10, check=False)
    return f"namespaces are not allowed here: {probe.stderr.strip()}" if probe.returncode else None


def _missing_tun(wire: bool) -> str | None:
    return "userspace cables need /dev/net/tun" if wire and not Path("/dev/net/tun").exists() else None
