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
from hpcvirt.core.process import operator

if TYPE_CHECKING:
    # pydantic takes its time, and the screen's first paint does not need it.
    from hpcvirt.core.config import CampaignFile, Choice
    from hpcvirt.core.store.bringups import Consent

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


def experienced(campaign: Path) -> list[Path]:
    """Every database where a campaign's runs go, the newest first: what was measured before."""
    found = (path for path in results_folder(campaign).glob("*.db") if path.is_file())
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def consent(*, forced: bool = False, plan: str = "") -> Consent:
    """The operator's word that nodes may be rebooted.

    ``forced``: also where other people work. ``plan``: digest of the plan that the operator was shown, if one was.
    """
    from hpcvirt.core.store.bringups import Consent

    return Consent(operator(), forced, plan)


def prepare(
    what: Path, choice: Choice, database: Path | None = None, given: Consent | None = None
) -> tuple[CampaignFile, Path]:
    """The campaign as chosen, and the database it goes on in; ``what`` is a campaign file, or a database to go on with.

    ``given``: the word that nodes may be rebooted; what was given once for a database holds.

    Raises CampaignInvalid, what ``begin`` raises, and UsageWrong when something is picked that was frozen.
    """
    from hpcvirt.core.config import Choice
    from hpcvirt.core.engine.begin import begin, frozen_campaign

    if is_database(what):
        if choice != Choice() or database is not None:
            raise UsageWrong(f"{what}: what it runs is frozen", hint=f"go on with it: hpcvirt-tui run {what}")
        return frozen_campaign(what, consent=given), what
    file, _ = chosen(what, choice)
    path = begin(file, results_folder(what), database, consent=given)
    # With what was added since to the database that goes on.
    return frozen_campaign(path), path


def chosen(what: Path, choice: Choice) -> tuple[CampaignFile, list[str]]:
    """The campaign of a file as picked, less what this machine does not allow; and a word on each thing left out.

    Raises CampaignInvalid, and UsageWrong when something that cannot be had here was picked.
    """
    from hpcvirt.core.config import CampaignFile, choose, read_campaign
    from hpcvirt.core.lab.optional import choose_here

    file = read_campaign(what)
    here, lacking = choose_here(file.campaign, choice)
    told = [f"kernel {name} is left out: this machine does not allow it: {why}" for name, why in lacking.items()]
    return CampaignFile(file.source, file.text, choose(file.campaign, here), here), told


def left_behind(what: Path, file: CampaignFile, database: Path) -> list[str]:
    """A word on unfinished databases of the campaign that were begun from another plan: its file has changed."""
    from hpcvirt.core.engine.begin import unfinished_of_other_plans
    from hpcvirt.core.store.queries import read_frozen

    if is_database(what):
        return []
    found = unfinished_of_other_plans(database.parent, file.campaign.name, read_frozen(database).digest)
    return [
        f"note: {path} is unfinished too, and of another plan; in what: run {what} --db {path}" for path in found[:3]
    ]


def is_database(path: Path) -> bool:
    """Whether a file is an SQLite database; what is in it is another question."""
    try:
        with path.open("rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False


def start(what: Path, choice: Choice, database: Path | None = None, given: Consent | None = None) -> Path:
    """Start a runner of its own session; the database, once the runner works on it.

    Raises what ``prepare`` raises, and HpcvirtError with the runner's last words when it does not start.
    """
    _, path = prepare(what, choice, database, given)
    log = log_path(path)
    process = _spawn(path, log)
    give_up_at = time.monotonic() + START_LIMIT_S
    while time.monotonic() < give_up_at:
        if _is_runner(path, process.pid):
            return path
        if process.poll() is not None:
            raise HpcvirtError(f"the runner ended at once: {_last_words(log)}", hint=f"its log: {log}")
        time.sleep(0.05)
    raise HpcvirtError(f"the runner did not begin within {START_LIMIT_S:.0f} s", hint=f"its log: {log}")


def _spawn(database: Path, log: Path) -> subprocess.Popen[bytes]:
    # -P: nothing is imported from the folder that the results go to.
    words = [sys.executable, "-P", "-m", "hpcvirt.tui", "run", str(database.resolve())]
    # Its lines are about the operator's own nodes: nobody else reads them.
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            cwd=database.resolve().parent,
        )
    finally:
        os.close(descriptor)


def _is_runner(database: Path, pid: int) -> bool:
    from hpcvirt.core.store.queries import read_runner

    process = read_runner(database).process
    return process is not None and process.pid == pid


def log_path(database: Path) -> Path:
    """A detached runner's log stands beside its database."""
    return database.with_name(database.name + ".log")


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " ".join(lines[-3:]) or "it said nothing"
