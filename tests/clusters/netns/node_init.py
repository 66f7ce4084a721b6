"""Process 1 of a node: makes the node's root from a plan, starts its sshd, buries orphans.

Run as `python -S -E node_init.py plan.json` in the node's new namespaces, standard input a pipe from the cluster: when
it ends, because the cluster let go or was killed, the node dies with it. The plan says all; nothing is decided here.
"""

import json
import os
import select
import signal
import sys

import syscalls  # type: ignore[import-not-found,unused-ignore]  # beside this file, not in a package


def main(plan_file: str) -> None:
    """Live until standard input ends."""
    with open(plan_file, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs 10 ms at each boot
        plan = json.load(file)
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    _write("/proc/sys/kernel/hostname", plan["hostname"])
    for entry in plan["mounts"]:
        syscalls.mount(**entry)
    syscalls.pivot_root(plan["root"])
    for folder in plan["folders"]:
        os.mkdir(folder, 0o755)  # noqa: PTH102
    os.environ.clear()
    _start(plan["sshd"])
    _reap_until_eof()


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)


def _start(argv: list[str]) -> None:
    """Standard input must not be passed on: a daemon that held the pipe's end would be nobody's business."""
    null_input = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    os.posix_spawn(argv[0], argv, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, file_actions=[null_input])


def _reap_until_eof() -> None:
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    ready = select.poll()
    ready.register(wake_read, select.POLLIN)
    ready.register(0, select.POLLIN | select.POLLHUP)
    _bury()  # children that died before the handler was there
    while True:
        for handle, _event in ready.poll():
            if handle == 0:
                return
            os.read(wake_read, 4096)
        _bury()


def _bury() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    main(sys.argv[1])
