"""Someone with R can recompute every number: here R does, on new data in each run, to 1e-9 relative."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping

import numpy as np
import pytest

from hpcvirt.core.stats import Comparison, Correction, Method, Series, Settings, Unit, compare
from hpcvirt.core.stats.diagnose import normality
from hpcvirt.core.stats.multiplicity import adjust
from hpcvirt.core.stats.power import power

pytestmark = pytest.mark.r

Generator = np.random.Generator
CASES = 25
TOLERANCE = 1e-9


def run_r(script: str, data: Mapping[str, Iterable[float]]) -> list[list[float]]:
    """The vectors that ``script`` passes to its function ``say``, given ``data`` as variables."""
    # R reads hexadecimal floats exactly, decimal ones not always
    given = "\n".join(
        f"{name} <- as.numeric(c({', '.join(repr(float(x).hex()) for x in values)}))" for name, values in data.items()
    )
    say = 'say <- function(...) cat(ifelse(is.na(c(...)), "nan", sprintf("%.17g", c(...))), "\\n")'
    done = subprocess.run(
        ["Rscript", "--vanilla", "-"], input=f"{say}\n{given}\n{script}\n", capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return [[float(word) for word in line.split()] for line in done.stdout.splitlines()]


def _agree(ours: list[float | None], theirs: list[float]) -> None:
    assert [x is None for x in ours] == [np.isnan(y) for y in theirs]
    numbers = [x for x in ours if x is not None]
    assert numbers == pytest.approx([y for y in theirs if not np.isnan(y)], rel=TOLERANCE, abs=0)


def _one(series: list[Series], settings: Settings) -> Comparison:
    (one,) = compare(series, settings)
    return one


def test_t_test(rng: Generator) -> None:
    """Welch and Student, confidence interval and means, over scales from 1e-50 to 1e50."""
    script = []
    data = {}
    ours = []
    for i in range(CASES):
        scale = 10.0 ** rng.integers(-50, 50)  # further out R's own fourth powers underflow
        n, m = rng.integers(2, 60, 2)
        a = scale * rng.normal(10 ** rng.uniform(0, 2), 1, n)
        b = scale * (rng.normal(0, 10 ** rng.uniform(-1, 1), m) + a[0] / scale)
        data |= {f"a{i}": a, f"b{i}": b}
        script.append(
            f"w <- t.test(b{i}, a{i}); s <- t.test(b{i}, a{i}, var.equal = TRUE); m <- mean(a{i})\n"
            "say(w$statistic, w$parameter, w$p.value, 1 + w$conf.int / m, w$estimate)\n"
            "say(s$statistic, s$parameter, s$p.value)"
        )
        one = _one([Series.of("A", "x", "t", a), Series.of("B", "x", "t", b)], Settings(method=Method.PAPER))
        ours.append([one.t, one.df, one.p, one.ci_low, one.ci_high, one.mean, one.mean_baseline])
        ours.append([one.t_student, one.df_student, one.p_student])
    for mine, theirs in zip(ours, run_r("\n".join(script), data), strict=True):
        _agree(mine, theirs)


def test_equivalence_is_two_one_sided_t_tests(rng: Generator) -> None:
    script, data, ours = [], {}, []
    for i in range(CASES):
        n, m = rng.integers(3, 60, 2)
        a, b = rng.normal(100, rng.uniform(0.1, 5), n), rng.normal(100, rng.uniform(0.1, 5), m)
        data |= {f"a{i}": a, f"b{i}": b}
        script.append(
            f"e <- 0.02 * mean(a{i})\n"
            f"l <- t.test(b{i}, a{i}, mu = -e, alternative = 'greater')$p.value\n"
            f"h <- t.test(b{i}, a{i}, mu = e, alternative = 'less')$p.value\n"
            "say(max(l, h))"
        )
        one = _one([Series.of("A", "x", "t", a), Series.of("B", "x", "t", b)], Settings(method=Method.PAPER))
        ours.append([one.p_equivalence])
    for mine, theirs in zip(ours, run_r("\n".join(script), data), strict=True):
        _agree(mine, theirs)


def test_student_with_nodes_is_lm(rng: Generator) -> None:
    """Unequal numbers on the nodes, down to a kernel that was lost on one."""
    script, data, ours = [], {}, []
    for i in range(CASES):
        counts = rng.integers(2, 9, (2, 4))
        counts[1, 3] *= rng.integers(0, 2)
        node = [np.repeat(np.arange(4), row) for row in counts]
        level = rng.normal(100, 20, 4)
        a, b = (level[at] + rng.normal(shift, 1, at.size) for at, shift in zip(node, (0, 0.5), strict=True))
        data |= {f"y{i}": [*a, *b], f"k{i}": [0.0] * a.size + [1.0] * b.size, f"n{i}": [*node[0], *node[1]]}
        script.append(
            f"f <- lm(y{i} ~ k{i} + factor(n{i})); r <- coef(summary(f))[2, ]; say(r[1], r[3], r[4], f$df.residual)"
        )
        series = [Series.of(k, "x", "t", x, node=at) for k, x, at in zip("AB", (a, b), node, strict=True)]
        one = _one(series, Settings(method=Method.PAPER))
        assert one.mean is not None
        assert one.mean_baseline is not None
        ours.append([one.mean - one.mean_baseline, one.t_student, one.p_student, one.df_student])
    for mine, theirs in zip(ours, run_r("\n".join(script), data), strict=True):
        assert mine[0] == pytest.approx(theirs[0], rel=1e-7)  # two means of about 100 were subtracted here
        _agree(mine[1:], theirs[1:])


def _blocked_data(
    rng: Generator, blocks: int, losses: float
) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Runs of two kernels on four nodes, some boots lost, most of them on the last node."""
    kernel, node, block = (axis.reshape(-1) for axis in np.indices((2, 4, blocks)))
    kept = (rng.random(kernel.size) > losses * (1 + (node == 3))) | (block == 0)
    rows = np.repeat(np.flatnonzero(kept), rng.integers(1, 6, kept.sum()))
    level = rng.normal(100, 20, 4)[node] + rng.normal(0, 2, kernel.size) + kernel
    value = level[rows] + rng.normal(0, 1, rows.size)
    return {"kernel": kernel[rows], "node": node[rows], "block": block[rows], "value": value}


BY_BLOCK = """
m <- aggregate(d ~ block, c, mean); f <- lm(d ~ 1, m)
e <- coef(summary(f))[1, 1:2]; df <- f$df.residual"""
POOLED = """
c$node <- factor(c$node); f <- lm(d ~ node, c, contrasts = list(node = 'contr.sum'))
e <- coef(summary(f))[1, 1:2]; df <- f$df.residual"""
PER_NODE = """
n <- tapply(c$d, c$node, length); v <- tapply(c$d, c$node, var)
pooled <- sum(((n - 1) * v)[n > 1]) / sum(n - 1)
a <- ifelse(n > 1, v, pooled) / n / length(n)^2; nu <- ifelse(n > 1, n - 1, sum(n - 1))
e <- c(mean(tapply(c$d, c$node, mean)), sqrt(sum(a))); df <- sum(a)^2 / sum(a^2 / nu)"""


@pytest.mark.parametrize("better", ["lower", "higher"])
@pytest.mark.parametrize(
    ("unit", "blocks", "losses", "model"),
    [
        (Unit.BLOCK, 6, 0.1, BY_BLOCK),
        (Unit.NODE_BLOCK, 4, 0.1, POOLED),
        (Unit.NODE_BLOCK, 5, 0.1, PER_NODE),
        (Unit.NODE_BLOCK, 6, 0.4, PER_NODE),
    ],
    ids=["block", "few-planned", "per-node", "nodes-with-one-value"],
)
def test_blocked_is_the_model(rng: Generator, unit: Unit, blocks: int, losses: float, model: str, better: str) -> None:
    """R makes boot means, differences of logarithms and the model itself, from the runs."""
    kind = "mean(x)" if better == "lower" else "1 / mean(1 / x)"
    script, data, ours = [], {}, []
    for i in range(10):
        runs = _blocked_data(rng, blocks, losses)
        data |= {f"{name}{i}": column for name, column in runs.items()}
        script.append(f"""
r <- data.frame(kernel = kernel{i}, node = node{i}, block = block{i}, value = value{i})
m <- aggregate(value ~ kernel + node + block, r, function(x) {kind})
c <- merge(m[m$kernel == 0, ], m[m$kernel == 1, ], by = c("node", "block"))
c$d <- log(c$value.y) - log(c$value.x)
{model}
t <- e[1] / e[2]; ci <- exp(e[1] + c(-1, 1) * qt(0.975, df) * e[2]); edge <- log(1.02)
p <- max(pt((e[1] + edge) / e[2], df, lower.tail = FALSE), pt((e[1] - edge) / e[2], df))
say(exp(e[1]), t, 2 * pt(-abs(t), df), df, ci, p)""")
        series = [
            Series.of(
                "AB"[k], "x", "t", runs["value"][mine], better=better,
                node=runs["node"][mine], block=runs["block"][mine],
            )
            for k in (0, 1)
            for mine in [runs["kernel"] == k]
        ]  # fmt: skip
        one = _one(series, Settings(unit=unit, planned_blocks=blocks))
        assert one.method is Method.BLOCKED
        ours.append([one.ratio, one.t, one.p, one.df, one.ci_low, one.ci_high, one.p_equivalence])
    for mine, theirs in zip(ours, run_r("\n".join(script), data), strict=True):
        _agree(mine, theirs)


def test_welch_on_boot_means(rng: Generator) -> None:
    """Boots are known, blocks are not: R's t.test on aggregated boots."""
    boot = {k: np.repeat(np.arange(n), 4) for k, n in (("A", 6), ("B", 9))}
    value = {k: 100 + rng.normal(0, 2, n)[boot[k]] + rng.normal(0, 1, 4 * n) for k, n in (("A", 6), ("B", 9))}
    one = _one([Series.of(k, "x", "t", value[k], boot=boot[k]) for k in "AB"], Settings())
    assert (one.method, one.replication_unit, one.n, one.n_baseline) == (Method.PAPER, Unit.BOOT, 9, 6)
    script = "w <- t.test(tapply(b, bb, mean), tapply(a, ba, mean)); say(w$statistic, w$parameter, w$p.value)"
    data = {"a": value["A"], "b": value["B"], "ba": boot["A"], "bb": boot["B"]}
    _agree([one.t, one.df, one.p], run_r(script, data)[0])


@pytest.mark.parametrize(
    ("correction", "name"), [(Correction.HOLM, "holm"), (Correction.BH, "BH"), (Correction.NONE, "none")]
)
def test_p_adjust(rng: Generator, correction: Correction, name: str) -> None:
    """With ties, with tests that could not be made, and with p from 1e-300 to 1."""
    p = 10 ** rng.uniform(-300, 0, 40)
    p[10:20] = rng.uniform(0, 1, 10)
    p[20:25] = p[0]
    p[30:33] = np.nan
    (theirs,) = run_r(f'say(p.adjust(p, "{name}", n = length(p)))', {"p": p})
    assert adjust(p, correction) == pytest.approx(theirs, rel=TOLERANCE, abs=0, nan_ok=True)


def test_power_t_test(rng: Generator) -> None:
    """R's noncentral t is itself good to about 1e-12, absolute."""
    cases = [(int(rng.integers(2, 100)), rng.uniform(0.01, 2), 10 ** rng.uniform(-5, -1)) for _ in range(CASES)]
    script = "\n".join(
        f'say(power.t.test(n = {n}, delta = {d!r}, sig.level = {level!r}, type = "paired", strict = TRUE)$power)'
        for n, d, level in cases
    )
    theirs = run_r("options(warn = -1)\n" + script, {})
    for (n, d, level), (expected,) in zip(cases, theirs, strict=True):
        assert power(d * n**0.5, n - 1, level) == pytest.approx(expected, rel=TOLERANCE, abs=1e-11)


def test_shapiro_test(rng: Generator) -> None:
    samples = [rng.exponential(size=n) + rng.normal(size=n) for n in (3, 4, 5, 6, 11, 12, 50, 500)]
    segment = np.repeat(np.arange(len(samples)), [x.size for x in samples])
    w, p = normality(np.concatenate(samples), segment, len(samples))
    data = {f"x{i}": x for i, x in enumerate(samples)}
    theirs = run_r("\n".join(f"s <- shapiro.test({name}); say(s$statistic, s$p.value)" for name in data), data)
    assert w == pytest.approx([x for x, _ in theirs], rel=TOLERANCE)
    assert p == pytest.approx([x for _, x in theirs], rel=1e-7)
