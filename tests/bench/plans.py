"""Loading a campaign file and making a large plan: goals 100 ms and 2 s."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

ROUNDS = 7
KERNELS = 4
BENCHMARKS = 20

TEXT = f"""
[campaign]
name = "large"
[design]
runs = 50
[[node]]
name = "node[01-64]"
{"".join(f'[[kernel]]{chr(10)}name = "k{i}"{chr(10)}' for i in range(KERNELS))}
[[benchmark]]
plugin = "stream"
parameters = {{ array_size = [{", ".join(str(1000 * i) for i in range(1, BENCHMARKS + 1))}] }}
"""


def main() -> None:
    """Print the medians, imports left out."""
    from hpcvirt.campaigns import bundled
    from hpcvirt.core.config import parse_campaign, read_campaign
    from hpcvirt.core.plan import make_plan

    for name, path in bundled().items():
        print(f"{name}: read in {1000 * median_s(lambda path=path: read_campaign(path)):.1f} ms (goal: under 100)")
    campaign = parse_campaign(TEXT)
    print(f"64 nodes as a range: read in {1000 * median_s(lambda: parse_campaign(TEXT)):.1f} ms (goal: under 100)")
    plan = make_plan(campaign)
    took = median_s(lambda: make_plan(campaign))
    print(f"{len(plan.boots)} boots and {len(plan.runs)} runs planned in {took:.2f} s (goal: under 2)")


def median_s(work: Callable[[], object]) -> float:
    """Of some rounds, the first left out."""
    times = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])
