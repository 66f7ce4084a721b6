"""What a node's process 1 is told to do at boot."""

import os
import shutil
import time
from pathlib import Path

from .fakes import Kernel
from .layout import SBIN_PATH, NodePlan
from .syscalls import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY

BOOT_ID = "/proc/sys/kernel/random/boot_id"
TIME_SPACE = Path("/proc/self/ns/time")

Mount = dict[str, str | int]
"""Arguments of `syscalls.mount`."""


def init_plan(plan: NodePlan, shared: Path, kernel: Kernel | None, sshd: list[str]) -> dict[str, object]:
    """For node_init.py; the stand-ins for the kernel's files are written."""
    return {
        "hostname": plan.name,
        "root": str(plan.folder / "root"),
        "mounts": [*_system_mounts(plan), *_binds(plan, shared), *_kernel_binds(plan, kernel)],
        "folders": ["/run/sshd", "/run/node"],
        "sshd": sshd,
    }


def tool(name: str) -> str:
    """Where a tool of the base system is; the nodes see the machine's."""
    return os.path.realpath(shutil.which(name, path=SBIN_PATH) or f"/bin/{name}")


def uptime_zero() -> list[str]:
    """Options of unshare: the node's /proc/uptime begins at its boot, where the kernel has time namespaces."""
    if not TIME_SPACE.exists():
        return []
    return ["--time", f"--boottime=-{int(time.clock_gettime(time.CLOCK_BOOTTIME))}"]


def _system_mounts(plan: NodePlan) -> list[Mount]:
    root = plan.folder / "root"
    layers = f"lowerdir=/,upperdir={plan.upper},workdir={plan.folder / 'work'}"
    hard = MS_NOSUID | MS_NODEV
    return [
        _mount("overlay", root, "overlay", data=layers),
        _mount("proc", root / "proc", "proc", hard | MS_NOEXEC),
        _mount("sysfs", root / "sys", "sysfs", hard | MS_NOEXEC | MS_RDONLY),  # a node must not tune the machine
        _mount("/dev", root / "dev", flags=MS_BIND),
        _mount("devpts", root / "dev/pts", "devpts", data="newinstance,ptmxmode=0666,mode=620"),
        _mount("tmpfs", root / "dev/shm", "tmpfs", hard, "mode=1777"),
        _mount("tmpfs", root / "run", "tmpfs", hard, "mode=755"),
    ]


def _binds(plan: NodePlan, shared: Path) -> list[Mount]:
    root = plan.folder / "root"
    sources = {"shared": shared, BOOT_ID.lstrip("/"): plan.folder / "fake/boot_id"}
    if plan.has_own_scratch:
        sources["scratch"] = plan.folder / "scratch"
    return [_mount(str(source), root / path, flags=MS_BIND) for path, source in sources.items()]


def _kernel_binds(plan: NodePlan, kernel: Kernel | None) -> list[Mount]:
    if kernel is None:
        return []
    uname = tool("uname")
    binds = []
    for number, (path, text) in enumerate(kernel.files(uname).items()):
        stand_in = plan.folder / f"fake/kernel{number}"
        stand_in.unlink(missing_ok=True)
        stand_in.write_text(text)
        stand_in.chmod(0o755 if path == uname else 0o444)
        binds.append(_mount(str(stand_in), plan.folder / "root" / path.lstrip("/"), flags=MS_BIND))
    return binds


def _mount(source: str, target: Path, fstype: str = "", flags: int = 0, data: str = "") -> Mount:
    return {"source": source, "target": str(target), "fstype": fstype, "flags": flags, "data": data}
