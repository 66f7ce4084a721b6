"""A benchmark that keeps a ledger of its own on the node, outside the program's spool.

Each execution appends a line when it starts and one when it ends. From outside it can so be judged whether
the program lost a run, ran one twice, or let two overlap on a node. The plugin is a third party's package:
a module and its metadata in a folder on PYTHONPATH.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

PLUGIN = '''
from hpcvirt.core.benchmark import BenchmarkPlugin, Category, Command, Metric, Parameter, Reading, Report
from hpcvirt.core.model import Better, Status

SCRIPT = """
node=${{HPCVIRT_LAB_NODE:-${{HPCVIRT_TEST_NODE:-${{PWD%/hpcvirt-*}}}}}}
file=$1/$(echo "$node" | tr / _)
echo "$HPCVIRT_RUN start $(date +%s.%N)" >>"$file"
case $3 in
    fork) (trap "" TERM HUP; exec setsid sh -c "trap '' TERM HUP; sleep 300; :") & ;;
    stubborn) trap "" TERM ;;
    hostile) printf '[/] \\\\033]52;c;aGk=\\\\007 \\\\377 =cmd()' ;;
    flood) head -c 20000000 /dev/zero ;;
    zeros) head -c 1000000000 /dev/zero ;;
    noise) yes "$(printf '[/] \\\\033]52;c;aGk=\\\\007 \\\\377 =cmd()')" | tr -d '\\\\n' | head -c 1000000000; echo ;;
    errors) yes "$(printf '\\\\033]52;c;aGk=\\\\007 \\\\377 ~')" | tr '~\\\\n' '\\\\000 ' | head -c 1000000000 >&2 ;;
    first-node-vanishes)
        marked=$(grep -lsF "$HPCVIRT_RUN" /proc/[0-9]*/environ | tr -dc '0-9\\n')
        # What started it, or leads its session, files its end.
        [ "$node" != node1 ] || kill -9 $PPID $(cut -d' ' -f6 /proc/$$/stat) $marked ;;
    mended) [ -e "$1/mended" ] || {{ sleep "$2"; exit 9; }} ;;
    first-hangs) [ -e "$1/hung" ] || {{ : >"$1/hung"; sleep 300; }} ;;
esac
sleep "$2"
echo "$HPCVIRT_RUN end $(date +%s.%N)" >>"$file"
[ "$3" != fail ] || exit 9
echo "value 1.5"
"""


class Ledger(BenchmarkPlugin):
    name = "ledger"
    title = "appends to a ledger"
    category = Category.MICRO
    parameters = (
        Parameter("ledger", "", "folder"),
        Parameter("seconds", 0.1, "how long it takes"),
        Parameter("mode", "ok", "how it behaves"),
    )
    metrics = (Metric("value", "u", Better.HIGHER, primary=True),)

    def estimate_s(self, parameters):
        return float(parameters["seconds"])

    def command(self, parameters):
        words = (parameters["ledger"], str(parameters["seconds"]), parameters["mode"])
        return Command(("/bin/sh", "-c", SCRIPT.format(), "ledger", *words))

    def parse(self, output, parameters=None):
        if output.exit_status != 0 or not output.stdout.endswith(b"value 1.5\\n"):
            return Report(Status.FAILED, f"exit status {output.exit_status}")
        return Report(Status.OK, readings={"value": Reading(1.5, "u", 1.5, "u")})
'''


@dataclass(frozen=True)
class LedgerFolder:
    """Where the plugin and its ledgers are."""

    site: Path
    """For PYTHONPATH."""
    ledgers: Path
    """One file per node."""


@dataclass(frozen=True)
class Execution:
    """What the node says of one attempt."""

    node: str
    attempt: str
    start: float
    end: float | None


def install(folder: Path) -> LedgerFolder:
    """Put plugin and metadata into a folder."""
    site, ledgers = folder / "site", folder / "ledgers"
    metadata = site / "hpcvirt_ledger-1.0.dist-info"
    metadata.mkdir(parents=True)
    ledgers.mkdir()
    (site / "hpcvirt_ledger.py").write_text(PLUGIN)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: hpcvirt-ledger\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[hpcvirt.benchmarks]\nledger = hpcvirt_ledger:Ledger\n")
    return LedgerFolder(site, ledgers)


def executions(ledger: LedgerFolder) -> list[Execution]:
    """Everything in the ledgers, in the order of the start lines of each node."""
    return [one for path in sorted(ledger.ledgers.iterdir()) for one in _of_node(path) if path.stat().st_size]


def _of_node(path: Path) -> Iterator[Execution]:
    lines = [line.split() for line in path.read_text().splitlines()]
    ends = {attempt: float(at) for attempt, word, at in lines if word == "end"}
    for attempt, word, at in lines:
        if word == "start":
            yield Execution(path.name, attempt, float(at), ends.get(attempt))


def assert_accounts(ledger: LedgerFolder, database: Path) -> None:
    """Nothing lost, nothing twice, no overlap: what the nodes say against what the database says."""
    told = executions(ledger)
    with sqlite3.connect(database) as connection:
        attempts = dict(connection.execute("SELECT id, status FROM attempts").fetchall())
        planned = connection.execute("SELECT count(*) FROM runs").fetchone()[0]
        per_run = connection.execute(
            "SELECT run, count(*) FROM attempts WHERE status = 'ok' GROUP BY run HAVING count(*) <> 1"
        ).fetchall()
    assert None not in attempts.values(), "an attempt without an end"
    names = [one.attempt for one in told]
    assert len(names) == len(set(names)), "an attempt ran twice"
    assert set(names) <= set(attempts), "a run that the database knows nothing of"
    ok = {attempt for attempt, status in attempts.items() if status == "ok"}
    ran = {one.attempt for one in told}
    ran_to_its_end = {one.attempt for one in told if one.end is not None}
    assert per_run == [], "a run with two ok attempts"
    assert len(ok) == planned
    assert ok <= ran_to_its_end, "an ok attempt that never ran, or never ended"
    for attempt, status in attempts.items():
        # What has another end than ok did not happen unseen: it was begun and cut off, or spoilt, or never begun.
        if status in {"void", "failed", "timeout"}:
            assert attempt in ran, f"a {status} attempt that never ran"
    _assert_no_overlap(told)


def _assert_no_overlap(told: list[Execution]) -> None:
    for one, following in pairwise(told):
        if one.node == following.node:
            assert following.start >= (one.end or one.start), f"overlap on {one.node}: {one} {following}"
