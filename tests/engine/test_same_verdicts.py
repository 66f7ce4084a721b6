"""The database, and what was exported from it, give the same numbers to the bit; contrasts and A/A are said."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.campaigns import environment, lab_campaign, program, write_campaign
from tests.support.ledger import LedgerFolder

THIRD = """
[[kernel]]
name = "third"
wrap = ["env", "LESS=more"]
"""


def test_fresh_and_reloaded(tmp_path: Path, ledger: LedgerFolder) -> None:
    text = lab_campaign(ledger, nodes=2, runs=4, blocks=4, seconds=0.0, extra=THIRD)
    text = text.replace("[analysis]\n", '[analysis]\ncontrasts = [["third", "native-again"]]\n')
    text = text.replace('name = "native"\nexpect = { release = "*" }', 'name = "native"').replace(
        'plugin = "ledger"', 'plugin = "stream"'
    )
    lines = [line for line in text.splitlines() if not line.startswith(("parameters", "timeout"))]
    campaign = write_campaign(tmp_path, "\n".join([*lines, "parameters = { array_size = 20000, ntimes = [2, 3] }"]))
    env = environment(ledger)
    done = program(["run", str(campaign), "--db", "a.db"], env, tmp_path)
    assert done.returncode == 0, done.stderr
    assert program(["export", "a.db", "-o", "a.csv"], env, tmp_path).returncode == 0
    words = ["--unit", "node-block", "--baseline", "native", "--format", "json"]
    fresh = json.loads(program(["analyze", "a.db", "--format", "json"], env, tmp_path).stdout)
    reloaded = json.loads(program(["analyze", "a.csv", *words], env, tmp_path).stdout)
    assert {(one["kernel"], one["baseline"]) for one in fresh} == {
        ("native-again", "native"),
        ("third", "native"),
        ("third", "native-again"),
    }
    refused = program(["analyze", "a.db", "--unit", "block"], env, tmp_path)
    assert refused.returncode == 2
    assert "design" in refused.stderr
    names = ("ratio", "ci_low", "ci_high", "t", "df", "p", "mean", "mean_baseline")
    against_native = [one for one in fresh if one["baseline"] == "native"]
    assert len(against_native) == len(reloaded) == 2 * 4 * 2
    by_key = {(one["benchmark"], one["metric"], one["kernel"]): one for one in reloaded}
    for one in against_native:
        other = by_key[one["benchmark"], one["metric"], one["kernel"]]
        assert [one[name] for name in names] == [other[name] for name in names]
    table = program(["analyze", "a.db"], env, tmp_path).stdout
    assert "one kernel under two names" in table or "A/A" in table, table
