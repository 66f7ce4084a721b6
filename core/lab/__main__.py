"""``python -m hpcvirt.core.lab``: serves a lab until its stdin ends or it gets SIGINT, SIGTERM or SIGHUP.

Two processes watch each other, so that SIGKILL of either lets the other end all commands and remove the keys:
the *guardian*, which this program is, and the *server* that it forks before anything large is imported.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from hpcvirt.core.errors import LabFailed
from hpcvirt.core.lab.descendants import become_subreaper, kill_descendants
from hpcvirt.core.lab.folder import open_lock, own_folder, remove_keys, remove_nodes, take_lock

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOCK_LIMIT_S = 10.0
_STDIN = 0


def main() -> int:
    """Exit status: 0 when told to end, 1 when the lab failed."""
    given = _arguments()
    if sys.stdin is None:
        print("stdin is closed: the lab would never learn that it shall end", file=sys.stderr)
        return 1
    os.umask(0o077)  # also for what the commands make
    names = [f"node{number}" for number in range(1, given.nodes + 1)]
    try:
        folder = own_folder(given.folder)
        _hold(folder)
        remove_keys(folder)
        become_subreaper()
    except (LabFailed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return _guard(folder, names, keep=given.keep)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m hpcvirt.core.lab", description="Serve a cluster on loopback.")
    parser.add_argument("--folder", type=Path, required=True, help="a folder of yours, mode 0700, or a new one")
    parser.add_argument("--nodes", type=int, default=4, choices=range(1, 65), metavar="1..64")
    parser.add_argument("--keep", action="store_true", help="keep the nodes' folders at the end")
    return parser.parse_args()


def _hold(folder: Path) -> None:
    """Wait for the folder, because a lab whose runner was killed may still be ending."""
    lock = open_lock(folder)
    end = time.monotonic() + _LOCK_LIMIT_S
    while not take_lock(lock):
        if time.monotonic() > end:
            raise LabFailed(f"another lab serves {folder}: stop it, or give another folder")
        if select.select([_STDIN], [], [], 0.02)[0] and _ended(_STDIN):
            raise LabFailed(f"told to end while another lab served {folder}")


def _guard(folder: Path, names: Sequence[str], *, keep: bool) -> int:
    guardian_alive, guardian_end = os.pipe()
    server_alive, server_end = os.pipe()
    guardian = os.getpid()
    if os.fork() == 0:
        os.close(guardian_end)
        os.close(server_alive)
        _be_server(folder, names, guardian, guardian_alive, keep=keep)
    os.close(guardian_alive)
    os.close(server_end)
    told = _wait_for_end(server_alive)
    _end(folder, names, keep=keep)
    return 0 if told else 1


def _wait_for_end(server_alive: int) -> bool:
    """Wait; false when the server ended by itself."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in _ENDING:
        signal.signal(number, lambda *_: None)
    poll = select.poll()
    for source in _STDIN, server_alive, woken:
        poll.register(source, select.POLLIN)
    while True:
        ready = {source for source, _ in poll.poll()}
        if woken in ready or (_STDIN in ready and _ended(_STDIN)):
            return True
        if server_alive in ready:
            return False


def _ended(source: int) -> bool:
    try:
        return not os.read(source, 4096)
    except OSError:  # a reset socket or a terminal that hung up
        return True


def _end(folder: Path, names: Sequence[str], *, keep: bool) -> None:
    left = kill_descendants()
    if left:
        print("could not end: process", ", ".join(map(str, left)), file=sys.stderr)
    remove_keys(folder)
    if not keep:
        remove_nodes(folder, names)


def _be_server(folder: Path, names: Sequence[str], guardian: int, guardian_alive: int, *, keep: bool) -> NoReturn:
    status = 1
    try:
        os.setsid()  # a signal to the guardian's whole group leaves one of the two
        for number in _ENDING:
            signal.signal(number, signal.SIG_DFL)
        become_subreaper()
        asyncio.new_event_loop().run_until_complete(_serve(folder, names, guardian, guardian_alive))
        _end(folder, names, keep=keep)
        status = 0
    except BaseException as error:  # noqa: BLE001 - whatever it is, this fork must not go on as a second guardian
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(status)  # no tear-down of the event loop: there is nobody left to answer


async def _serve(folder: Path, names: Sequence[str], guardian: int, guardian_alive: int) -> None:
    """Open the nodes, say so on stdout, and return when the guardian is gone."""
    from hpcvirt.core.lab.server import open_nodes  # asyncssh is for the server alone

    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(guardian_alive, gone.set)
    await open_nodes(folder, names, guardian)
    print("ready", flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # a reader of our stdout waits for the guardian only
    await gone.wait()


if __name__ == "__main__":
    sys.exit(main())
