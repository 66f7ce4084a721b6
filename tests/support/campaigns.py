"""Small campaigns for tests, and the program run on them as an operator would run it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.ledger import LedgerFolder

KERNELS = """
[[kernel]]
name = "native"
expect = { release = "*" }
[[kernel]]
name = "native-again"
"""

PROGRAM = [sys.executable, "-P", "-m", "hpcvirt.tui"]


def lab_campaign(ledger: LedgerFolder, *, nodes: int = 4, extra: str = "", **settings: object) -> str:
    """A campaign on the embedded lab whose benchmark writes a ledger."""
    return _campaign(ledger, f"[lab]\nnodes = {nodes}\n", extra, settings)


def ssh_campaign(ledger: LedgerFolder, nodes: str, *, extra: str = "", **settings: object) -> str:
    """The same on ``[[node]]`` tables."""
    return _campaign(ledger, nodes, extra, settings)


def _campaign(ledger: LedgerFolder, nodes: str, extra: str, settings: Mapping[str, object]) -> str:
    values = {"runs": 4, "blocks": 2, "seconds": 0.05, "timeout": 30, "retries": 2, "mode": "ok"} | settings
    values.setdefault("kernels", KERNELS)
    values.setdefault("baseline", "native")
    return f"""
[campaign]
name = "small"
[design]
runs = {values["runs"]}
blocks = {values["blocks"]}
retries = {values["retries"]}
seed = 7
[analysis]
baseline = "{values["baseline"]}"
{nodes}
{values["kernels"]}
{extra}
[[benchmark]]
plugin = "ledger"
timeout = {values["timeout"]}
parameters = {{ ledger = "{ledger.ledgers}", seconds = {float(str(values["seconds"]))}, mode = "{values["mode"]}" }}
"""


def write_campaign(folder: Path, text: str) -> Path:
    """The campaign as a file."""
    path = folder / "small.toml"
    path.write_text(text)
    return path


def environment(ledger: LedgerFolder, **more: str) -> dict[str, str]:
    """An environment in which the program finds the ledger plugin."""
    return {**os.environ, "PYTHONPATH": str(ledger.site), "PYTHONDONTWRITEBYTECODE": "1", **more}


def program(
    words: Sequence[str], env: Mapping[str, str], cwd: Path, limit_s: float = 90
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    return subprocess.run([*PROGRAM, *words], env=env, cwd=cwd, capture_output=True, text=True, timeout=limit_s)


def begin_program(words: Sequence[str], env: Mapping[str, str], cwd: Path) -> subprocess.Popen[bytes]:
    """Start the program; the caller ends it."""
    log = (cwd / "program.log").open("ab")
    return subprocess.Popen([*PROGRAM, *words], env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def kill(process: subprocess.Popen[bytes]) -> None:
    """As the kernel's out-of-memory killer does it."""
    process.send_signal(signal.SIGKILL)
    process.wait()
