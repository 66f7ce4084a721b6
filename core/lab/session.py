"""One command on a lab node: a real process whose three pipes are joined to an SSH channel.

Nothing here waits: the pipes are read and written when the event loop says that they are ready, and each
side is paused while the other has enough, so that output of any size passes in little memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import asyncssh

_CHUNK = 65536
_ENOUGH = 4 * _CHUNK
_SSH_SIGNALS = frozenset(
    {"ABRT", "ALRM", "FPE", "HUP", "ILL", "INT", "KILL", "PIPE", "QUIT", "SEGV", "TERM", "USR1", "USR2"}
)
"""The signals that RFC 4254 names; others are told as OpenSSH tells them."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where and with which environment a node's commands run."""

    home: Path
    environment: Mapping[str, str]


class Children:
    """Starts commands, and alone reaps every child of this process, so that nobody's exit status is stolen.

    The lab is a subreaper: orphans of its commands become its children and are reaped here too.
    """

    def __init__(self) -> None:
        self._waited_for: dict[int, tuple[subprocess.Popen[bytes], Callable[[int], None]]] = {}

    def spawn(
        self, words: Sequence[bytes], where: Surroundings, on_exit: Callable[[int], None]
    ) -> subprocess.Popen[bytes]:
        """Start ``words`` in a session of its own, as sshd does; ``on_exit`` gets the wait status."""
        child = subprocess.Popen(
            words,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=where.home,
            env=where.environment,
            start_new_session=True,
        )
        self._waited_for[child.pid] = child, on_exit
        return child

    def reap(self) -> None:
        """Call at SIGCHLD, and only from the event loop: between ``spawn`` and its return none may be reaped."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in self._waited_for:
                child, on_exit = self._waited_for.pop(pid)
                child.returncode = os.waitstatus_to_exitcode(status)
                on_exit(status)


class _Outflow:
    """An output pipe of a command on its way to the client."""

    def __init__(self, pipe: IO[bytes], send: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self._pipe = pipe
        self._send = send
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        os.set_blocking(pipe.fileno(), False)

    @property
    def ended(self) -> bool:
        return self._pipe.closed

    def resume(self) -> None:
        if not self._pipe.closed:
            self._loop.add_reader(self._pipe, self._move)

    def pause(self) -> None:
        if not self._pipe.closed:
            self._loop.remove_reader(self._pipe)

    def close(self) -> None:
        self.pause()
        self._pipe.close()

    def _move(self) -> None:
        try:
            data = os.read(self._pipe.fileno(), _CHUNK)
        except BlockingIOError:
            return
        if data:
            self._send(data)
        else:
            self.close()
            self._on_end()


class _Inflow:
    """What the client sends, on its way to a command's stdin. ``hold`` tells whether the client shall wait."""

    def __init__(self, pipe: IO[bytes], hold: Callable[[bool], None]) -> None:
        self._pipe = pipe
        self._hold = hold
        self._loop = asyncio.get_running_loop()
        self._waiting = bytearray()
        self._holding = False
        self._eof = False
        os.set_blocking(pipe.fileno(), False)

    def feed(self, data: bytes) -> None:
        if not self._pipe.closed:  # a command that reads no more is no reason to stop the client
            self._waiting += data
            self._move()

    def end(self) -> None:
        self._eof = True
        if not self._pipe.closed:
            self._move()

    def close(self) -> None:
        if not self._pipe.closed:
            self._loop.remove_writer(self._pipe)
            self._pipe.close()
            self._waiting.clear()
            self._hold_if(False)

    def _move(self) -> None:
        try:
            while self._waiting:
                del self._waiting[: os.write(self._pipe.fileno(), self._waiting[:_CHUNK])]
        except BlockingIOError:
            self._loop.add_writer(self._pipe, self._move)
            self._hold_if(len(self._waiting) > _ENOUGH)
            return
        except BrokenPipeError:
            self._eof = True
        self._loop.remove_writer(self._pipe)
        if self._eof:
            self.close()
        self._hold_if(False)

    def _hold_if(self, enough: bool) -> None:
        if enough != self._holding:
            self._holding = enough
            self._hold(enough)


class CommandSession(asyncssh.SSHServerSession[bytes]):
    """Serves one exec or shell request as sshd does without a terminal.

    The client is told of the end when the process has exited *and* both outputs are closed. When the client
    goes away first, the pipes are closed and the process is left to itself.
    """

    _channel: asyncssh.SSHServerChannel[bytes]
    _child: subprocess.Popen[bytes]
    _stdin: _Inflow

    def __init__(self, where: Surroundings, children: Children) -> None:
        self._where = where
        self._children = children
        self._outflows: tuple[_Outflow, ...] = ()
        self._status: int | None = None

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """The channel is open; nothing has been asked for."""
        self._channel = chan

    def shell_requested(self) -> bool:
        """A shell that reads its script from the client."""
        return self._start([b"/bin/sh"])

    def exec_requested(self, command: str) -> bool:
        """A command line for the shell."""
        return self._start([b"/bin/sh", b"-c", command.encode()])

    def _start(self, words: Sequence[bytes]) -> bool:
        """False refuses the request: that a process could not be made is no exit status of it."""
        try:
            self._child = child = self._children.spawn(words, self._where, self._exited)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the command
            print(f"cannot start a command: {error}", file=sys.stderr, flush=True)
            return False
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None  # noqa: S101,PT018
        self._stdin = _Inflow(child.stdin, self._hold_client)
        self._outflows = (
            _Outflow(child.stdout, lambda data: self._send(data, None), self._finish),
            _Outflow(child.stderr, lambda data: self._send(data, asyncssh.EXTENDED_DATA_STDERR), self._finish),
        )
        return True

    def session_started(self) -> None:
        """The request was granted."""
        self.resume_writing()

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        for flow in self._outflows:
            flow.pause()

    def resume_writing(self) -> None:
        """The client takes data."""
        for flow in self._outflows:
            flow.resume()

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002 - the interface's
        """Some of the command's stdin."""
        self._stdin.feed(data)

    def eof_received(self) -> bool:
        """The command's stdin ends; true keeps the other direction open."""
        self._stdin.end()
        return True

    def signal_received(self, signal: str) -> None:
        """A signal for the command's process group, which is its to the last moment as only we reap it."""
        number = _signal_number(signal)
        if self._status is None and number is not None:
            with contextlib.suppress(PermissionError):  # a set-user-id program
                os.killpg(self._child.pid, number)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the interface's
        """The channel is gone, with its command's end or before it."""
        self._close()

    def _close(self) -> None:
        if self._outflows:
            self._stdin.close()
        for flow in self._outflows:
            flow.close()

    def _hold_client(self, hold: bool) -> None:
        (self._channel.pause_reading if hold else self._channel.resume_reading)()

    def _send(self, data: bytes, datatype: int | None) -> None:
        try:
            self._channel.write(data, datatype)
        except BrokenPipeError:  # the client closed the channel; the command learns it by SIGPIPE
            self._close()

    def _exited(self, status: int) -> None:
        self._status = status
        self._finish()

    def _finish(self) -> None:
        """Tell the status once all is said. ``exit`` sends what the channel still holds before it closes it."""
        if self._status is None or not all(flow.ended for flow in self._outflows):
            return
        self._stdin.close()
        if os.WIFSIGNALED(self._status):
            self._channel.exit_with_signal(_ssh_name(os.WTERMSIG(self._status)), os.WCOREDUMP(self._status))
        else:
            self._channel.exit(os.WEXITSTATUS(self._status))


def _signal_number(name: str) -> int | None:
    return getattr(signal, f"SIG{name}", None) if name in _SSH_SIGNALS else None


def _ssh_name(number: int) -> str:
    try:
        name = signal.Signals(number).name.removeprefix("SIG")
    except ValueError:  # a real-time signal
        name = ""
    return name if name in _SSH_SIGNALS else "SIG@openssh.com"
