"""A campaign on the cluster of namespaces, run by the program as an operator on its login node would."""

from __future__ import annotations

import dataclasses
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.clusters.netns import NetnsCluster
from tests.support import ledger as ledgers
from tests.support.campaigns import ssh_campaign, write_campaign
from tests.support.ledger import Execution, LedgerFolder, assert_accounts, executions

PROGRAM = [sys.executable, "-P", "-m", "hpcvirt.tui"]
CONNECTION = {"keepalive": 0.5, "keepalives_missed": 2, "login_limit": 3.0, "patience": 40.0}
"""Seen within a second and a half, so that a test need not wait for what the defaults allow."""

PATIENT = {"keepalive": 5.0, "keepalives_missed": 3}
"""Where no connection is lost: a node of a busy machine may be silent for two seconds, and is not gone."""


class Scene:
    """Holds one campaign's folder, its ledgers and the runners of it."""

    def __init__(self, cluster: NetnsCluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.work = folder / "work"
        """Where the program runs and the database is."""
        self.work.mkdir()
        installed = ledgers.install(folder / "third-party")
        place = cluster.shared / folder.name
        (place / "ledgers").mkdir(parents=True)
        place.chmod(0o777)
        (place / "ledgers").chmod(0o777)
        self.ledger = LedgerFolder(installed.site, place / "ledgers")
        """As this process sees it: the folder is /shared on all nodes."""
        self.campaign = self.work / "small.toml"

    def write(
        self,
        *,
        connection: dict[str, Any] | None = None,
        nodes: int | None = None,
        user: str = "root",
        **settings: Any,
    ) -> None:
        """The campaign file; ``settings`` are those of ``ssh_campaign``."""
        lines = "".join(f"{name} = {value}\n" for name, value in (CONNECTION | (connection or {})).items())
        tables = "".join(
            f'[[node]]\nname = "{node.name}"\nscratch = "{_scratch(user)}/{node.name}"\nuser = "{user}"\n'
            for node in self.cluster.nodes[:nodes]
        )
        on_nodes = dataclasses.replace(self.ledger, ledgers=Path("/shared") / self.folder.name / "ledgers")
        text = ssh_campaign(on_nodes, f"[connection]\n{lines}{tables}", **settings)
        self.campaign = write_campaign(self.work, text)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """`hpcvirt-tui run` on the login node, with further words; a session of its own."""
        env = self.cluster.client_env | {"PYTHONPATH": str(self.ledger.site), "PYTHONDONTWRITEBYTECODE": "1"}
        with (self.work / "program.log").open("ab") as log:
            return self.cluster.exec_login(
                [*PROGRAM, "run", str(self.campaign), *words], env=env, cwd=self.work, stdout=log, stderr=log
            )

    def check(self) -> subprocess.CompletedProcess[str]:
        """`hpcvirt-tui check` on the login node."""
        env = self.cluster.client_env | {"PYTHONPATH": str(self.ledger.site)}
        return self.cluster.run_login([*PROGRAM, "check", str(self.campaign)], env=env, cwd=self.work, limit_s=40)

    def command(self, word: str, *more: str) -> None:
        """`hpcvirt-tui WORD DATABASE MORE…` on the login node."""
        env = self.cluster.client_env | {"PYTHONPATH": str(self.ledger.site), "PYTHONDONTWRITEBYTECODE": "1"}
        with (self.work / "program.log").open("ab") as log:
            words = [*PROGRAM, word, str(self.database), *more]
            asked = self.cluster.exec_login(words, env=env, cwd=self.work, stdout=log, stderr=log)
        assert asked.wait(30) == 0, self.log

    def finish(self, *words: str, limit_s: float = 90) -> None:
        """Run, or go on, to the end, and let the ledgers judge."""
        assert self.start(*words).wait(limit_s) == 0, self.log
        self.judge()

    def judge(self) -> None:
        """Nothing lost, nothing twice, no overlap, no process left on any node."""
        assert_accounts(self.ledger, self.database)
        for node in self.cluster.nodes:
            # Only sshd's own children that are just ending may still be there.
            until(lambda node=node: not node.strays(), 5, lambda node=node: f"left: {node.strays()}")

    @property
    def database(self) -> Path:
        """The one database of this campaign."""
        (found,) = self.work.glob("small-*.db")
        return found

    @property
    def log(self) -> str:
        """What the program said, its last lines."""
        return "\n".join((self.work / "program.log").read_text(errors="replace").splitlines()[-40:])

    @property
    def told(self) -> list[Execution]:
        """What the nodes say was executed."""
        return executions(self.ledger)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a stranger with sqlite3 reads; nothing while there is no database."""
        for database in self.work.glob("small-*.db"):
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
                return connection.execute(sql).fetchall()
        return []

    def one(self, sql: str) -> Any:
        """The first value."""
        found = self.rows(sql)
        return found[0][0] if found else None

    def statuses(self) -> dict[str | None, int]:
        """How many attempts ended how."""
        return dict(self.rows("SELECT status, count(*) FROM attempts GROUP BY 1"))

    def wait_ok(self, count: int = 1, limit_s: float = 30) -> None:
        """Until so many attempts are ok."""
        sql = "SELECT count(*) FROM attempts WHERE status = 'ok'"
        until(lambda: (self.one(sql) or 0) >= count, limit_s, lambda: self.log)

    def wait_event(self, words: str, limit_s: float = 30) -> None:
        """Until the log of events has these words."""
        sql = f"SELECT count(*) FROM events WHERE message LIKE '%{words}%'"
        until(lambda: bool(self.one(sql)), limit_s, lambda: self.log)

    def wait_under_way(self, node: str, limit_s: float = 30) -> str:
        """Until a benchmark runs on the node that has not ended; its attempt."""
        found: list[str] = []

        def look() -> bool:
            found[:] = [one.attempt for one in self.told if one.node.endswith(f"_{node}") and one.end is None]
            return bool(found)

        until(look, limit_s, lambda: self.log)
        return found[0]

    def status_of(self, attempt: str) -> str | None:
        """How one attempt ended."""
        found: str | None = self.one(f"SELECT status FROM attempts WHERE id = '{attempt}'")
        return found


def _scratch(user: str) -> str:
    return "/scratch" if user == "root" else "/tmp/scratch"


def until(is_so: Callable[[], bool], limit_s: float, told: Callable[[], str] = lambda: "") -> None:
    """Wait for it, or fail with what is told."""
    give_up_at = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < give_up_at, f"not within {limit_s} s: {told()}"
        time.sleep(0.03)


def suspend(runner: subprocess.Popen[bytes], seconds: float) -> None:
    """The login node stands still."""
    os.killpg(runner.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.killpg(runner.pid, signal.SIGCONT)
