"""Network namespaces kept by files, what runs in them, and how it is ended."""

import contextlib
import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from . import syscalls

P = ParamSpec("P")
T = TypeVar("T")

Identity = tuple[int, int]
"""Device and inode of a namespace file: the same two numbers mean the same namespace."""

COMMAND_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a node."""

    pid: int
    """As the node counts."""
    host_pid: int
    """As the machine counts."""
    parent_host_pid: int
    state: str
    """One letter: R, S, D, T, Z."""
    name: str
    argv: tuple[str, ...]
    """Empty for a zombie."""

    def environment(self) -> dict[str, str]:
        """As it was when the program was started; empty when the process is gone."""
        try:
            raw = Path(f"/proc/{self.host_pid}/environ").read_bytes().decode(errors="replace")
        except OSError:
            return {}
        return dict(item.split("=", 1) for item in raw.split("\0") if "=" in item)


def in_thread(function: Callable[[], T]) -> T:
    """Namespaces belong to threads: what is entered here is left when this thread ends."""
    result: list[T] = []
    failure: list[BaseException] = []

    def body() -> None:
        try:
            result.append(function())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=body, name="in a namespace")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def in_network(network: Path, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` in a thread of its own that has entered `network`.

    Sockets made and programs started there stay in that network; no other thread is touched.
    """

    def body() -> T:
        syscalls.enter_network(str(network))
        return function(*args, **kwargs)

    return in_thread(body)


def make_network(path: Path) -> None:
    """A new network namespace, held by a bind mount over the file `path`."""

    def body() -> None:
        syscalls.new_network()
        syscalls.mount("/proc/thread-self/ns/net", str(path), flags=syscalls.MS_BIND)

    path.touch()
    in_thread(body)


def command(argv: list[str], text: str | None = None) -> str:
    """Run a tool to its end and return its output; a failure says what the tool said."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=COMMAND_LIMIT_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()}\n{text or ''}")
    return done.stdout


def command_in(network: Path, argv: list[str], text: str | None = None) -> str:
    """The same inside a network namespace."""
    return in_network(network, command, argv, text)


def ip(network: Path, *lines: str) -> None:
    """`ip` commands in one process inside `network`."""
    command_in(network, ["ip", "-batch", "-"], "\n".join(lines) + "\n")


def identity(path: Path | str) -> Identity:
    """Which namespace a namespace file stands for."""
    found = os.stat(path)  # noqa: PTH116 - Path.stat is slow where this is called for every process
    return found.st_dev, found.st_ino


def members(kind: str, spaces: Iterable[Identity]) -> list[int]:
    """Pids, as this machine counts, of the processes in any of the `kind` ("net", "pid") namespaces."""
    wanted = set(spaces) - {identity(f"/proc/self/ns/{kind}")}
    return [
        int(name)
        for name in os.listdir("/proc")  # noqa: PTH208 - as above
        if name.isdecimal() and _space(name, kind) in wanted
    ]


def _space(pid: str | int, kind: str) -> Identity | None:
    try:
        return identity(f"/proc/{pid}/ns/{kind}")
    except OSError:  # ended meanwhile, or a zombie: it has left its namespaces
        return None


def end(pids: Iterable[int], kind: str, spaces: Iterable[Identity], limit_s: float = 10.0) -> None:
    """SIGKILL, and wait until they are gone; a pid no longer in one of the namespaces was reused and is let alone."""
    wanted = set(spaces)
    with contextlib.ExitStack() as opened:
        for pid in pids:
            try:
                handle = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            opened.callback(os.close, handle)
            if _space(pid, kind) in wanted:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                if not select.select([handle], [], [], limit_s)[0]:
                    raise TimeoutError(f"process {pid} did not end within {limit_s} s of SIGKILL")


def end_all(networks: Iterable[Identity]) -> None:
    """End every process in the networks, those too that are started meanwhile."""
    spaces = set(networks)
    while left := members("net", spaces):
        end(left, "net", spaces)


def describe(host_pid: int) -> Process | None:
    """What /proc tells of a process; None when it is gone."""
    folder = Path(f"/proc/{host_pid}")
    try:
        status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line)
        raw = (folder / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return None
    argv = tuple(raw.rstrip("\0").split("\0")) if raw else ()
    pid = int(status["NSpid"].split()[-1])
    return Process(pid, host_pid, int(status["PPid"]), status["State"][0], status["Name"], argv)
