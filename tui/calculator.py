"""A process of our own that works things out, so that the screen answers every key meanwhile.

The interpreter runs one thread at a time: in a thread of the screen's own process the statistics of 50,000 runs would
keep keys waiting for half a second. What is asked is the name of a function, its arguments and its result; both ends
are this program, so they are pickled. The process ends with the screen, whatever ends that, and when nobody has asked
it anything for a while: numpy and scipy take 100 MB.
"""

from __future__ import annotations

import os
import pickle
import select
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from threading import Lock
from typing import IO, Any, Self, cast

from hpcvirt.core.errors import CalculationBroken, HpcvirtError

IDLE_LIMIT_S = 120.0
"""After which the process ends; the next question starts another."""

LESS_URGENT = 5
"""Than the screen and what else runs on the login node; see nice(1)."""


@dataclass(frozen=True, slots=True)
class _Other:
    """The process at the other end."""

    process: subprocess.Popen[bytes]
    questions: IO[bytes]
    answers: IO[bytes]

    @classmethod
    def start(cls, idle_limit_s: float) -> Self:
        words = [sys.executable, "-P", "-m", __spec__.name, str(idle_limit_s)]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return cls(process, cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout))

    def end(self) -> None:
        self.process.kill()
        for pipe in (self.questions, self.answers):
            with suppress(OSError):
                pipe.close()
        self.process.wait()


class Calculator:
    """Answers one question after another; may be asked from any thread."""

    def __init__(self, idle_limit_s: float = IDLE_LIMIT_S) -> None:
        self._idle_limit_s = idle_limit_s
        self._lock = Lock()
        self._other: _Other | None = None
        self._is_closed = False

    def ask(self, where: str, *arguments: object) -> Any:
        """``where``: "module:function". Its result.

        Raises what the function raises, and CalculationBroken when the process dies under it.
        """
        question = pickle.dumps((where, arguments))
        with self._lock:
            # It may just have gone because nobody asked anything.
            is_answered, answer = self._asked(question) or self._asked(question) or (False, _broken(where))
        if is_answered:
            return answer
        raise answer

    def _asked(self, question: bytes) -> tuple[bool, Any] | None:
        """None: the process is no more."""
        if self._is_closed:
            return None
        if self._other is None:
            self._other = _Other.start(self._idle_limit_s)
        try:
            self._other.questions.write(question)
            self._other.questions.flush()
            found: tuple[bool, Any] = pickle.load(self._other.answers)  # noqa: S301 - from a process that we started
        except (OSError, EOFError, pickle.UnpicklingError):
            self._other.end()
            self._other = None
            return None
        return found

    def close(self) -> None:
        """For good, in the middle of whatever it does: who waits for that is told so."""
        self._is_closed = True
        other = self._other
        if other is not None:
            other.process.kill()


def _broken(where: str) -> CalculationBroken:
    return CalculationBroken(
        f"the process that works out {where.partition(':')[2]} ended before it had",
        hint="was it killed for want of memory? see `dmesg`; `hpcvirt-tui analyze` does the same without the screen",
    )


def _answer(where: str, arguments: tuple[object, ...]) -> bytes:
    module, _, name = where.partition(":")
    try:
        function: Callable[..., object] = getattr(import_module(module), name)
        return pickle.dumps((True, function(*arguments)))
    except HpcvirtError as error:
        return pickle.dumps((False, error))
    except Exception as error:  # noqa: BLE001 - a fault of ours is said where the result would be
        broken = CalculationBroken(f"{type(error).__name__}: {error}", hint="report this as a bug")
        return pickle.dumps((False, broken))


def main(idle_limit_s: float) -> None:
    """Answer until the screen is no more, or has asked nothing for so long."""
    os.nice(LESS_URGENT)
    # What a library prints must not get among the answers.
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while select.select([questions], [], [], idle_limit_s)[0]:
        try:
            where, arguments = pickle.load(questions)  # noqa: S301 - from the process that started us
        except EOFError:
            return
        answers.write(_answer(where, arguments))
        answers.flush()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, BrokenPipeError):
        main(float(sys.argv[1]))
