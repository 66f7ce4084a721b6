"""Compiling the STREAM kernels, once per set of parameters."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from hpcvirt.core.errors import BuildFailed, CompilerMissing
from hpcvirt.core.text import clean

SOURCE = Path(__file__).with_name("stream.c")
COMPILE_LIMIT_S = 120.0
SMALL_MODEL_BYTES = 2_000_000_000
"""What x86_64's default code model holds is 2 GiB, program and libraries' tables included."""

_CANDIDATES = ("cc", "gcc", "clang")
_GET_ONE = (
    "get one with `apt install gcc libc6-dev` (Debian, Ubuntu), `dnf install gcc` (RHEL, Rocky, Fedora) "
    "or, on a cluster, `module load gcc`"
)


def compiler() -> tuple[str, ...]:
    """The C compiler to call, with the flags that CC gives it.

    Raises CompilerMissing; a CC that is set but cannot be found is never replaced by another compiler.
    """
    wanted = _words_of_cc()
    for words in [wanted] if wanted else [(name,) for name in _CANDIDATES]:
        path = shutil.which(words[0])
        if path:
            return (path, *words[1:])
    if wanted:
        raise CompilerMissing(f"CC names {wanted[0]!r}, which is not in PATH", hint=f"mend or unset CC, or {_GET_ONE}")
    raise CompilerMissing(f"no C compiler here: none of {', '.join(_CANDIDATES)} is in PATH", hint=_GET_ONE)


def _words_of_cc() -> tuple[str, ...]:
    value = os.environ.get("CC", "")
    try:
        return tuple(shlex.split(value))
    except ValueError as error:  # an unbalanced quote
        raise CompilerMissing(f"CC cannot be read: {value!r}: {error}", hint="mend or unset CC") from error


def flags(array_size: int, ntimes: int, threads: int) -> tuple[str, ...]:
    """What the compiler is told for this problem."""
    words = ["-O3", "-std=gnu99", f"-DSTREAM_ARRAY_SIZE={array_size}", f"-DNTIMES={ntimes}"]
    if threads > 1:
        words.append("-fopenmp")
    if 3 * 8 * array_size > SMALL_MODEL_BYTES and platform.machine() in {"x86_64", "AMD64"}:
        words.append("-mcmodel=medium")
    return tuple(words)


def binary(array_size: int, ntimes: int, threads: int, folder: Path) -> Path:
    """The program for this problem in ``folder``, compiled unless it is already there.

    One with OpenMP serves any number of threads above one, which is given when it runs.

    Raises CompilerMissing or BuildFailed.
    """
    path = folder / f"stream-{array_size}-{ntimes}{'-omp' if threads > 1 else ''}"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        compile_to(path, SOURCE, flags(array_size, ntimes, threads))
    return path


def compile_to(path: Path, source: Path, words: Sequence[str]) -> None:
    """Compile ``source`` to ``path``, which appears whole or not at all.

    Raises CompilerMissing or BuildFailed.
    """
    chosen = compiler()
    with TemporaryDirectory(prefix=".build-", dir=path.parent) as scratch:
        made = Path(scratch) / path.name
        _run([*chosen, *words, "-o", str(made), str(source)])
        made.chmod(0o755)
        _flush(made)
        made.replace(path)


def _run(argv: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMPILE_LIMIT_S,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"{argv[0]} did not finish within {COMPILE_LIMIT_S:g} s") from error
    except OSError as error:
        raise BuildFailed(f"{argv[0]} cannot be started: {error.strerror}") from error
    if done.returncode:
        raise BuildFailed(f"{shlex.join(argv)} failed:\n{_tail(done.stdout)}", hint=_advice(done.stdout))


def _tail(raw: bytes, lines: int = 12) -> str:
    return "\n".join(clean(raw).rstrip().splitlines()[-lines:]) or "(it said nothing)"


def _advice(raw: bytes) -> str:
    """What to do about the usual reasons for which a compiler that is there does not compile."""
    if b"gomp" in raw or b"fopenmp" in raw or b"omp.h" in raw:
        return "this compiler lacks OpenMP (libgomp or libomp); install it or set threads = 1"
    if b"No such file or directory" in raw or b"cannot find" in raw:
        return f"the C library's headers or start files are missing; {_GET_ONE}"
    if b"too large" in raw or b"relocation truncated" in raw:
        return "array_size is more than this compiler can place in static memory"
    return ""


def _flush(path: Path) -> None:
    """Put the file on the disk before its name: a power cut must not leave the name with nothing in it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
