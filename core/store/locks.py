"""Whether a folder's file system has locks that work: without them SQLite hangs, or two programs write at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LIMIT_S = 5.0

_PROBE = r"""
import os, sqlite3, sys, tempfile
descriptor, path = tempfile.mkstemp(prefix=".hpcvirt-locks-", dir=sys.argv[1])
os.close(descriptor)
print(path, flush=True)
def held():
    db = sqlite3.connect(path, timeout=0, isolation_level=None)
    db.execute("CREATE TABLE IF NOT EXISTS probe (x)")
    db.execute("BEGIN EXCLUSIVE")
    return db
try:
    ready, told = os.pipe()
    wait, done = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(done)
        db = held()
        os.write(told, b"x")
        os.read(wait, 1)
        os._exit(0)
    os.close(told)
    if not os.read(ready, 1):
        print("no lock could be taken")
    else:
        try:
            held()
            print("two programs can lock one file at the same time")
        except sqlite3.OperationalError as error:
            print("" if "locked" in str(error) else str(error))
finally:
    for name in (path, path + "-journal"):
        try:
            os.unlink(name)
        except OSError:
            pass
"""


def lock_fault(folder: Path, limit_s: float = LIMIT_S) -> str:
    """Why databases cannot lie in a folder, in words; empty: they can.

    Asked by a process of its own, because a lock that hangs cannot be interrupted.
    """
    words = [sys.executable, "-I", "-S", "-c", _PROBE, str(folder)]
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        told, failed = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        # Nobody waits for it: in the kernel's hands it may never end.
        process.kill()
        return f"locks hang: no answer within {limit_s:g} s"
    if process.returncode:
        return failed.strip().splitlines()[-1] if failed.strip() else "it cannot be written"
    return told.partition("\n")[2].strip()
