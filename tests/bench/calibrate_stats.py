"""Does each method keep its promises? False positives, coverage, false equivalence, family-wise error.

Every number comes from the public ``compare``, over simulated campaigns in which the truth is known. Run by
``make calibrate``; with ``--update FILE`` the table between the marks in that file is replaced.
Exits with 1 where method ``blocked`` breaks its promises.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hpcvirt.core.model import Better
from hpcvirt.core.stats import Comparison, Method, Series, Settings, Unit, compare

Array = NDArray[np.float64]
Generator = np.random.Generator

ALPHA, DELTA = 0.05, 0.02
CHUNK = 500
MARKS = "<!-- calibration: begin -->", "<!-- calibration: end -->"

LEVEL, RUN_SD, NODE_SD = 100.0, 1.0, 3.0
"""Of the simulated metric: 100, runs that scatter by 1 %, nodes that differ by 3 %."""


@dataclass(frozen=True)
class Design:
    """How the simulated campaigns are laid out."""

    name: str
    method: Method
    unit: Unit
    blocks: int
    nodes: int
    runs: int
    """In each boot."""
    promised: bool = True
    """Whether the promises of method ``blocked`` are made for it."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(kernels, blocks, nodes, runs)."""
        return 2, self.blocks, self.nodes, self.runs


PAPER = Design("paper: 1 node, 1 boot of 50 runs", Method.PAPER, Unit.BLOCK, 1, 1, 50, promised=False)
PAPER_4 = Design("paper: 4 nodes, 1 boot of 50 runs", Method.PAPER, Unit.BLOCK, 1, 4, 50, promised=False)
NODE_BLOCK = Design("node-block: 4 nodes, 10 blocks of 5 runs", Method.BLOCKED, Unit.NODE_BLOCK, 10, 4, 5)
BLOCK = Design("block: 4 nodes, 10 blocks of 5 runs", Method.BLOCKED, Unit.BLOCK, 10, 4, 5)
CLUSTER = Design("block: whole cluster, 10 blocks of 5 runs", Method.BLOCKED, Unit.BLOCK, 10, 1, 5)
FEW = Design("block: whole cluster, 5 blocks of 10 runs", Method.BLOCKED, Unit.BLOCK, 5, 1, 10)
WRONG_RUNS = Design("paper on runs, wrongly: 4 nodes, 10 blocks of 5 runs", Method.PAPER, Unit.BLOCK, 10, 4, 5, False)
WRONG_UNIT = Design("node-block, wrongly: nodes moved together", Method.BLOCKED, Unit.NODE_BLOCK, 10, 4, 5, False)


@dataclass(frozen=True)
class Trouble:
    """What is wrong with the world; standard deviations are in run sd."""

    name: str
    shape: str = "normal"
    """Of the runs' noise: normal, lognormal or bimodal."""
    boot: float = 0.0
    ar: float = 0.0
    drift: float = 0.0
    """Over the whole campaign."""
    shared: float = 0.0
    """Of a shock per boot that all nodes have in common: they move together."""
    weather: float = 0.0
    """Of a shock per moment that all nodes have in common: each in its own order of kernels."""
    spread: float = 1.0
    """Factor on the second kernel's noise."""
    missing: float = 0.0
    """Share of boots lost."""
    lost: float = 0.0
    """Share of the second kernel's runs lost."""
    noisy: float = 1.0
    """Factor on the noise of the first node."""
    node_lost: float = 0.0
    """Share of the second kernel's boots lost on the first node."""
    both_lost: bool = False
    """The baseline loses as many there, of its own."""
    better: Better = Better.LOWER
    independent: bool = False
    """Nothing is wrong: false positives must lie between 4 and 6 %."""


PLAIN = (
    Trouble("independent, normal", independent=True),
    Trouble("independent, normal, rate (harmonic means)", better=Better.HIGHER, independent=True),
    Trouble("independent, lognormal (sigma 0.5)", shape="lognormal", independent=True),
    Trouble("independent, bimodal (1 in 5 slower by 10 sd)", shape="bimodal", independent=True),
)
TROUBLES = (
    *PLAIN,
    *(Trouble(f"boot sd {sd:g}", boot=sd) for sd in (0.1, 0.3, 0.5, 1.0)),
    *(Trouble(f"AR(1) {ar:g} within boots", ar=ar) for ar in (0.3, 0.7)),
    *(Trouble(f"drift of {drift:g} sd", drift=drift) for drift in (1, 2)),
    Trouble("second kernel scatters 3 times as much and loses 1 run in 3", spread=3.0, lost=1 / 3),
)
BLOCKED_TROUBLES = (
    *TROUBLES,
    Trouble("second kernel scatters 3 times as much, boot sd 0.5", boot=0.5, spread=3.0),
    Trouble("1 boot in 10 missing, boot sd 0.5", boot=0.5, missing=0.1),
    Trouble("boot sd 0.5, AR(1) 0.7, drift of 2 sd, 1 in 10 missing", boot=0.5, ar=0.7, drift=2, missing=0.1),
)
NOISY = (
    Trouble("equal spread"),
    Trouble("one node scatters 3 times as much", noisy=3.0),
    Trouble("one node scatters 8 times as much", noisy=8.0),
    Trouble("one node scatters twice as much and loses half its visits under one kernel", noisy=2.0, node_lost=0.5),
    Trouble("one node scatters 3 times as much and loses 8 of 10 visits under one kernel", noisy=3.0, node_lost=0.8),
    Trouble("one node scatters 8 times as much and loses 4 of 10 visits under either kernel", noisy=8.0, node_lost=0.4,
            both_lost=True),
)  # fmt: skip
NOISY_DESIGNS = (
    Design("node-block: 4 nodes, 5 blocks of 1 run", Method.BLOCKED, Unit.NODE_BLOCK, 5, 4, 1),
    Design("node-block: 4 nodes, 10 blocks of 1 run", Method.BLOCKED, Unit.NODE_BLOCK, 10, 4, 1),
)
FAMILY = 84
"""Tests of the paper: at the first step of Holm's correction each has alpha / 84."""

SHARED = Trouble("shock of 1 sd shared by the nodes, boot sd 0.5", boot=0.5, shared=1.0)
WEATHER = Trouble("shock of 1 sd at each moment on all nodes, boot sd 0.5", boot=0.5, weather=1.0)

CASES = (
    *((PAPER, trouble) for trouble in TROUBLES),
    (PAPER_4, PLAIN[0]),
    (PAPER_4, TROUBLES[5]),
    *((NODE_BLOCK, trouble) for trouble in (*BLOCKED_TROUBLES, WEATHER)),
    *((BLOCK, trouble) for trouble in (*BLOCKED_TROUBLES, SHARED)),
    *((CLUSTER, trouble) for trouble in BLOCKED_TROUBLES),
    *((FEW, trouble) for trouble in (PLAIN[0], TROUBLES[6])),
    *((WRONG_RUNS, trouble) for trouble in (TROUBLES[6], SHARED)),
    (WRONG_UNIT, SHARED),
)


@dataclass(frozen=True)
class Row:
    """What came of one design in one world."""

    design: Design
    trouble: Trouble
    campaigns: int
    different: int
    """With p below alpha, though nothing differs."""
    covered: int
    equivalent: int
    """With p of equivalence below alpha, though the kernels differ by delta."""
    broken: tuple[str, ...] = field(default=())


def simulate(rng: Generator, design: Design, trouble: Trouble, campaigns: int) -> tuple[Array, NDArray[np.bool_]]:
    """Values (campaigns, kernels, blocks, nodes, runs) without a difference, and which of them exist."""
    shape = (campaigns, *design.shape)
    noise = _noise(rng, trouble, shape)
    scale = np.array([1.0, trouble.spread])[:, None, None, None] * np.ones((design.nodes, 1))
    scale[..., 0, :] *= trouble.noisy
    boots = rng.normal(0, 1, shape[:4])[..., None] * trouble.boot
    shared = rng.normal(0, 1, shape[:3])[..., None, None] * trouble.shared
    at = _moments(rng, design, campaigns)
    drift = trouble.drift * (at[..., None] + (np.arange(design.runs) + 0.5) / design.runs) / (2 * design.blocks)
    weather = np.zeros(shape[:4])
    if trouble.weather:
        moments = rng.normal(0, trouble.weather, (campaigns, 2 * design.blocks))
        weather = np.take_along_axis(moments[:, None, None, :], at.astype(np.int64), axis=3)
    node = 1 + rng.normal(0, NODE_SD / LEVEL, (campaigns, 1, 1, design.nodes, 1)) * (design.nodes > 1)
    values = node * (LEVEL + RUN_SD * (scale * (noise + boots) + shared + drift + weather[..., None]))
    exists = np.broadcast_to((rng.random(shape[:4]) >= trouble.missing)[..., None], shape).copy()
    exists[:, 1] &= rng.random(shape[:1] + shape[2:]) >= trouble.lost
    for kernel in (0, 1) if trouble.both_lost else (1,):
        exists[:, kernel, :, 0] &= _not_lost(rng, campaigns, design.blocks, trouble.node_lost)[..., None]
    return values, exists


def _not_lost(rng: Generator, campaigns: int, blocks: int, share: float) -> NDArray[np.bool_]:
    """(campaigns, blocks), as many blocks of each campaign lost."""
    rank = rng.random((campaigns, blocks)).argsort(axis=1).argsort(axis=1)
    return rank >= round(share * blocks)


def _noise(rng: Generator, trouble: Trouble, shape: tuple[int, ...]) -> Array:
    if trouble.shape == "lognormal":
        return LEVEL / RUN_SD * (rng.lognormal(0, 0.5, shape) - np.exp(0.125))
    if trouble.shape == "bimodal":
        return rng.normal(0, 1, shape) + 10 * (rng.random(shape) < 0.2)
    noise = rng.normal(0, 1, shape)
    for i in range(1, shape[-1] if trouble.ar else 1):
        noise[..., i] = trouble.ar * noise[..., i - 1] + np.sqrt(1 - trouble.ar**2) * noise[..., i]
    return noise


def _moments(rng: Generator, design: Design, campaigns: int) -> Array:
    """When each boot happens, (campaigns, kernels, blocks, nodes), counted in visits from 0."""
    own = design.nodes if design.unit is Unit.NODE_BLOCK and design.promised else 1
    first = rng.integers(0, 2, (campaigns, design.blocks, own))
    if design.blocks == 1:
        first[:] = 0
    first = np.broadcast_to(first, (campaigns, design.blocks, design.nodes))
    turn = np.stack([first, 1 - first], axis=1)
    return (2 * np.arange(design.blocks)[:, None] + turn).astype(np.float64)


def _series(values: Array, exists: NDArray[np.bool_], design: Design, trouble: Trouble) -> Iterator[Series]:
    """In run order: blocks, then runs, the nodes side by side."""
    block, _, node = (axis.reshape(-1) for axis in np.indices((design.blocks, design.runs, design.nodes)))
    for number, (of_campaign, kept) in enumerate(zip(values, exists, strict=True)):
        for kernel, (x, there) in enumerate(zip(of_campaign, kept, strict=True)):
            rows = there.transpose(0, 2, 1).reshape(-1)
            yield Series(
                "AB"[kernel], str(number), "metric", "", trouble.better, x.transpose(0, 2, 1).reshape(-1)[rows],
                node[rows], block[rows], block[rows],
            )  # fmt: skip


def _compared(values: Array, exists: NDArray[np.bool_], design: Design, trouble: Trouble) -> tuple[Comparison, ...]:
    settings = Settings(alpha=ALPHA, delta=DELTA, method=design.method, unit=design.unit)
    return compare(list(_series(values, exists, design, trouble)), settings)


def truth(design: Design, trouble: Trouble) -> float:
    """The ratio that the method estimates where the kernels' arithmetic means are the same.

    The geometric mean of boot means lies below their mean by half their relative variance, so that a kernel that
    scatters more is a little lower by that alone: to second order, which is exact enough by far at 1 %.
    """
    if design.method is Method.PAPER:
        return 1.0
    kept = np.arange(1, design.runs + 1)
    chance = special.binom(design.runs, kept) * (1 - trouble.lost) ** kept * trouble.lost ** (design.runs - kept)
    variance = trouble.boot**2 + np.array([1 / design.runs, np.sum(chance / kept) / np.sum(chance)])
    variance *= np.square([1.0, trouble.spread]) * (RUN_SD / LEVEL) ** 2
    return float(np.exp((variance[0] - variance[1]) / 2))


def measure(rng: Generator, design: Design, trouble: Trouble, campaigns: int) -> Row:
    """Simulate, compare, count."""
    different = covered = equivalent = 0
    ratio = truth(design, trouble)
    for start in range(0, campaigns, CHUNK):
        size = min(CHUNK, campaigns - start)
        values, exists = simulate(rng, design, trouble, size)
        for one in _compared(values, exists, design, trouble):
            assert one.p is not None
            assert one.ci_low is not None
            assert one.ci_high is not None
            different += one.p < ALPHA
            covered += one.ci_low <= ratio <= one.ci_high
        # the edge of the band is where equivalence is easiest to claim falsely
        values[:, 1] *= (1 + DELTA) / ratio
        for one in _compared(values, exists, design, trouble):
            equivalent += one.p_equivalence is not None and one.p_equivalence < ALPHA
    return Row(design, trouble, campaigns, different, covered, equivalent)


def family_wise(rng: Generator, design: Design, trouble: Trouble, campaigns: int, metrics: int) -> tuple[int, int]:
    """Campaigns with any false difference, and with any false equivalence, after Holm over ``metrics``.

    Half of each metric's noise is common to all metrics of a run, as it is in benchmarks.
    """
    any_different = any_equivalent = 0
    settings = Settings(alpha=ALPHA, delta=DELTA, method=design.method, unit=design.unit)
    for _ in range(campaigns):
        values, exists = simulate(rng, design, trouble, metrics + 1)
        values = (values[1:] + values[:1]) / 2
        exists = np.broadcast_to(exists[:1], exists[1:].shape)
        done = compare(list(_series(values, exists, design, trouble)), settings)
        any_different += any(one.p_adjusted is not None and one.p_adjusted < ALPHA for one in done)
        values[:, 1] *= 1 + DELTA
        done = compare(list(_series(values, exists, design, trouble)), settings)
        any_equivalent += any(
            one.p_equivalence_adjusted is not None and one.p_equivalence_adjusted < ALPHA for one in done
        )
    return any_different, any_equivalent


@dataclass(frozen=True)
class NoisyRow:
    """False differences of three tests at two levels, each (at alpha, at alpha / FAMILY)."""

    design: Design
    trouble: Trouble
    campaigns: int
    by_rule: tuple[int, int]
    """As the design has it: one variance per node."""
    pooled: tuple[int, int]
    """One variance for all nodes: what fewer than five planned blocks would have."""
    block_means: tuple[int, int]


def measure_noisy(rng: Generator, design: Design, trouble: Trouble, campaigns: int) -> NoisyRow:
    """Simulate nodes that scatter unequally, and count false differences."""
    counts = np.zeros((3, 2), dtype=np.int64)
    for start in range(0, campaigns, CHUNK):
        values, exists = simulate(rng, design, trouble, min(CHUNK, campaigns - start))
        series = list(_series(values, exists, design, trouble))
        by_rule, pooled = (
            compare(series, Settings(unit=design.unit, planned_blocks=blocks)) for blocks in (design.blocks, 4)
        )
        found = [one.p for one in by_rule], [one.p for one in pooled], [one.p_block_means for one in by_rule]
        p = np.array(found, dtype=np.float64)
        counts += np.stack([(p < level).sum(axis=1) for level in (ALPHA, ALPHA / FAMILY)], axis=1)
    return NoisyRow(design, trouble, campaigns, *((int(a), int(b)) for a, b in counts))


def noisy_faults(row: NoisyRow) -> list[str]:
    """Which promises are broken where every visit was made: the rule's at alpha, that of block means at both levels.

    Satterthwaite's approximation is promised to 6 % where the nodes scatter alike and to 7 % where one is noisy.
    """
    if row.trouble.node_lost:
        return []
    found = []
    if limits(row.by_rule[0], row.campaigns)[1] > (0.06 if row.trouble.noisy == 1 else 0.07):
        found.append(f"false positives {100 * row.by_rule[0] / row.campaigns:.2f} %")
    for count, level in zip(row.block_means, (ALPHA, ALPHA / FAMILY), strict=True):
        if limits(count, row.campaigns, 0.999)[0] > level:
            found.append(f"block means: false positives {100 * count / row.campaigns:.3f} % at {100 * level:.3f} %")
    return found


def limits(count: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson limits of a share."""
    tail = (1 - level) / 2
    low = special.betaincinv(count, of - count + 1, tail) if count else 0.0
    high = special.betaincinv(count + 1, of - count, 1 - tail) if count < of else 1.0
    return float(low), float(high)


def faults(row: Row) -> list[str]:
    """Which promises of method ``blocked`` are broken."""
    if not row.design.promised:
        return []
    share = row.different / row.campaigns
    found = []
    if limits(row.different, row.campaigns)[1] > 0.06:
        found.append(f"false positives {100 * share:.2f} %")
    if row.trouble.independent and not 0.04 <= share <= 0.06:
        found.append(f"false positives {100 * share:.2f} % though independent")
    if row.covered / row.campaigns < 0.94:
        found.append(f"coverage {100 * row.covered / row.campaigns:.2f} %")
    if limits(row.equivalent, row.campaigns)[1] > 0.06:
        found.append(f"false equivalence {100 * row.equivalent / row.campaigns:.2f} %")
    return found


def _cells(count: int, of: int, family: int = 1) -> str:
    """A share in percent with its limits; of a family: how often any of so many independent tests is false."""
    share, low, high = (100 * (1 - (1 - x) ** family) for x in (count / of, *limits(count, of)))
    return f"{share:.1f} ({low:.1f}-{high:.1f})"


def _table(rows: list[Row]) -> Iterator[str]:
    yield "| design | what is wrong | false positives, % | coverage, % | false equivalence at delta, % |"
    yield "|---|---|---|---|---|"
    for row in rows:
        numbers = " | ".join(_cells(count, row.campaigns) for count in (row.different, row.covered, row.equivalent))
        yield f"| {row.design.name} | {row.trouble.name} | {numbers} |"


def _noisy_table(rows: list[NoisyRow]) -> Iterator[str]:
    yield ""
    tests = [f"{name}, % | any of {FAMILY} by {name}, %" for name in ("one variance per node", "pooled", "block means")]
    yield f"| design | what is wrong | {' | '.join(tests)} |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        numbers = [
            f"{_cells(at_alpha, row.campaigns)} | {_cells(in_family, row.campaigns, FAMILY)}"
            for at_alpha, in_family in (row.by_rule, row.pooled, row.block_means)
        ]
        yield f"| {row.design.name} | {row.trouble.name} | {' | '.join(numbers)} |"


def _family_table(rng: Generator, campaigns: int, say: Callable[[str], None]) -> tuple[list[str], list[str]]:
    lines = [
        "", "| design | what is wrong | family | any false difference after Holm, % | any false equivalence, % |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    broken = []
    for design, trouble in ((PAPER, PLAIN[0]), (CLUSTER, PLAIN[0]), (CLUSTER, TROUBLES[6])):
        different, equivalent = family_wise(rng, design, trouble, campaigns, 20)
        cells = f"{_cells(different, campaigns)} | {_cells(equivalent, campaigns)}"
        lines.append(f"| {design.name} | {trouble.name} | 20 | {cells} |")
        say(lines[-1])
        if max(limits(different, campaigns)[1], limits(equivalent, campaigns)[1]) > 0.06:
            broken.append(lines[-1])
    return lines, broken


def main() -> int:
    """Run all cases; print, and on wish write, the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=None, help="drawn and printed unless given")
    parser.add_argument("--update", type=Path, help="file whose table between the marks is replaced")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else int(np.random.SeedSequence().generate_state(1)[0])
    rng = np.random.default_rng(seed)
    command = f"python tests/bench/calibrate_stats.py --campaigns {options.campaigns} --seed {seed}"
    print(command, flush=True)
    began = time.monotonic()
    rows, broken = [], []
    for design, trouble in CASES:
        rows.append(measure(rng, design, trouble, options.campaigns))
        print(list(_table(rows[-1:]))[-1], flush=True)
        broken += [f"{design.name}, {trouble.name}: {fault}" for fault in faults(rows[-1])]
    noisy = []
    for design, trouble in product(NOISY_DESIGNS, NOISY):
        noisy.append(measure_noisy(rng, design, trouble, 2 * options.campaigns))
        print(list(_noisy_table(noisy[-1:]))[-1], flush=True)
        broken += [f"{design.name}, {trouble.name}: {fault}" for fault in noisy_faults(noisy[-1])]
    lines, broken_families = _family_table(rng, options.campaigns, lambda line: print(line, flush=True))
    text = "\n".join([f"`{command}` (95 % limits in brackets)", "", *_table(rows), *_noisy_table(noisy), *lines])
    if options.update:
        before, rest = options.update.read_text().split(MARKS[0])
        options.update.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{rest.split(MARKS[1])[1]}")
    print(f"{time.monotonic() - began:.0f} s")
    for fault in [*broken, *broken_families]:
        print("BROKEN", fault, file=sys.stderr)
    return 1 if broken or broken_families else 0


if __name__ == "__main__":
    sys.exit(main())
