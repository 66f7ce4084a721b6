"""Where databases are, and how a runner is started that outlives whoever starts it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hpcvirt.campaigns import bundled
from hpcvirt.core.errors import HpcvirtError, UsageWrong

if TYPE_CHECKING:
    # pydantic takes its time, and the screen's first paint does not need it.
    from hpcvirt.core.config import CampaignFile, Choice

START_LIMIT_S = 30.0


def data_folder() -> Path:
    """XDG data folder of this program: where databases of bundled campaigns go."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "hpcvirt-tui"


def campaign_path(name: str) -> Path:
    """A campaign file: a path, or the name of a bundled one.

    Raises UsageWrong when there is none.
    """
    path = Path(name)
    if path.exists():
        return path
    known = bundled()
    if name.removesuffix(".toml") in known:
        return known[name.removesuffix(".toml")]
    raise UsageWrong(
        f"{name}: no such campaign file", hint=f"name a TOML file, or a bundled campaign: {', '.join(known)}"
    )


def results_folder(campaign: Path) -> Path:
    """Where a campaign's databases go: the current folder; for bundled campaigns the data folder."""
    return data_folder() if campaign.resolve() in {path.resolve() for path in bundled().values()} else Path.cwd()


def databases(campaign: Path) -> list[Path]:
    """Databases of a campaign file where its runs go, the newest first. Raises CampaignInvalid."""
    from hpcvirt.core.config import read_campaign
    from hpcvirt.core.engine.begin import databases as in_folder

    return in_folder(results_folder(campaign), read_campaign(campaign).campaign.name)


def chosen(campaign: Path, choice: Choice) -> CampaignFile:
    """A campaign file reduced to what was picked. Raises CampaignInvalid."""
    from hpcvirt.core.config import CampaignFile, choose, read_campaign

    file = read_campaign(campaign)
    return CampaignFile(file.source, file.text, choose(file.campaign, choice), file.folder)


def prepare(campaign: Path, choice: Choice, database: Path | None = None) -> tuple[CampaignFile, Path]:
    """The campaign as chosen, and the database it goes on in. Raises what ``begin`` raises."""
    from hpcvirt.core.engine.begin import begin

    file = chosen(campaign, choice)
    return file, begin(file, results_folder(campaign), database)


def start(campaign: Path, choice: Choice, database: Path | None = None) -> Path:
    """Start a runner of its own session; the database, once the runner works on it.

    Raises what ``prepare`` raises, and HpcvirtError with the runner's last words when it does not start.
    """
    from hpcvirt.core.store.queries import read_runner

    _, path = prepare(campaign, choice, database)
    log = log_path(path)
    # Its lines are about the operator's own nodes: nobody else reads them.
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "hpcvirt.tui",
                "run",
                str(campaign.resolve()),
                "--db",
                str(path.resolve()),
                *words(choice),
            ],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            cwd=path.resolve().parent,
        )
    finally:
        os.close(descriptor)
    give_up_at = time.monotonic() + START_LIMIT_S
    while time.monotonic() < give_up_at:
        runner = read_runner(path)
        if runner.process is not None and runner.process.pid == process.pid:
            return path
        if process.poll() is not None:
            raise HpcvirtError(f"the runner ended at once: {_last_words(log)}", hint=f"its log: {log}")
        time.sleep(0.05)
    raise HpcvirtError(f"the runner did not begin within {START_LIMIT_S:.0f} s", hint=f"its log: {log}")


def log_path(database: Path) -> Path:
    """A detached runner's log stands beside its database."""
    return database.with_name(database.name + ".log")


def words(choice: Choice) -> list[str]:
    """A choice as options of ``run``."""
    options: list[str] = []
    for kernel in choice.kernels or ():
        options += ["--kernel", kernel]
    for benchmark in choice.benchmarks or ():
        options += ["--benchmark", benchmark]
    numbers = {"--runs": choice.runs, "--blocks": choice.blocks, "--seed": choice.seed}
    for option, number in numbers.items():
        options += [option, str(number)] if number is not None else []
    return options


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " ".join(lines[-3:]) or "it said nothing"
