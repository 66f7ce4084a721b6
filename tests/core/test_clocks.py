"""Clocks that lie are flagged, and those that do not are not."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from hpcvirt.core.clocks import clock_flags
from hpcvirt.core.store.clocks import Timing


def timings(
    *,
    rate: float = 1.0,
    share: float = 0.9,
    jump_s: float | None = None,
    kernel: str = "xen",
    real_s: float = 60.0,
    node: str = "n1",
) -> Iterator[Timing]:
    """Twenty runs under each of two kernels; what is odd is so under ``kernel`` only."""
    draw = random.Random(5)
    for name in ("native", "xen"):
        is_odd = name == kernel
        for _ in range(20):
            real = real_s * draw.uniform(0.99, 1.01)
            shown = real * (rate if is_odd else 1.0)
            # A network with a round trip of 0.2 s and some jitter.
            elapsed = real + draw.uniform(0.2, 0.35)
            cpu_s = shown * (share if is_odd else 0.9)
            yield Timing(node, name, "b", shown, elapsed, cpu_s, jump_s if is_odd else None)


def flags(**odd: float) -> list[str]:
    return list(clock_flags(list(timings(**odd)), "native"))  # type: ignore[arg-type]


@pytest.mark.parametrize("real_s", [0.05, 1.0, 60.0, 7200.0])
def test_sound_clocks_are_not_flagged(real_s: float) -> None:
    assert flags(real_s=real_s) == []


@pytest.mark.parametrize("rate", [0.97, 1.03])
def test_a_clock_that_runs_at_another_pace_is_flagged(rate: float) -> None:
    (flag,) = flags(rate=rate)
    assert flag.startswith(
        "clocks: the node's and the login node's disagree beyond the round trip in 20 runs (n1 under xen: 20 of 20)"
    )


@pytest.mark.parametrize(("jump_s", "told"), [(-3600.0, "-3600.0 s"), (0.25, "+250 ms")])
def test_a_clock_that_jumps_is_flagged(jump_s: float, told: str) -> None:
    (flag,) = flags(jump_s=jump_s)
    assert flag == (
        f"clocks: the node's jumped in 20 runs (n1 under xen: 20 of 20), at most by {told}; "
        "those are timed by its uptime, in steps of 10 ms"
    )


@pytest.mark.parametrize(("jump_s", "told"), [(0.031, "31 ms"), (-0.04, "40 ms"), (0.09, "90 ms")])
def test_runs_timed_by_uptime_are_told_without_a_jump(jump_s: float, told: str) -> None:
    (flag,) = flags(jump_s=jump_s)
    assert flag == (
        f"clocks: clock and uptime disagree by up to {told} in 20 runs (n1 under xen: 20 of 20); "
        "timed by uptime, 10 ms resolution"
    )


def test_no_run_is_told_of_that_is_timed_by_its_clock() -> None:
    assert flags(jump_s=None) == []


def test_one_jump_among_small_disagreements_is_one_line_for_all_of_them() -> None:
    (flag,) = clock_flags([*timings(jump_s=0.04), *timings(jump_s=0.25, node="n2")], "native")
    assert flag.startswith("clocks: the node's jumped in 40 runs (n1 under xen: 20 of 20; n2 under xen: 20 of 20)")


@pytest.mark.parametrize("odd", [{"jump_s": 30.0}, {"rate": 0.97}, {"rate": 1.03}, {"share": 0.5}])
def test_one_cause_is_one_line_on_however_many_nodes(odd: dict[str, float]) -> None:
    everywhere = [one for number in range(12) for one in timings(node=f"n{number}", **odd)]  # type: ignore[arg-type]
    (flag,) = clock_flags(everywhere, "native")
    assert "+0.0 s" not in flag
    assert len(flag) < 250
    if "share" not in odd:
        assert "in 240 runs (n0 under xen: 20 of 20; " in flag
        assert "and 9 more" in flag


def test_two_causes_are_two_lines() -> None:
    both = [*timings(jump_s=30.0), *timings(rate=0.97, node="n2")]
    assert [flag.split(" in ")[0] for flag in clock_flags(both, "native")] == [
        "clocks: the node's and the login node's disagree beyond the round trip",
        "clocks: the node's jumped",
    ]


@pytest.mark.parametrize(("share", "flagged"), [(0.9, False), (0.87, False), (0.8, True), (1.1, True)])
def test_cpu_time_that_does_not_add_up_is_flagged(share: float, flagged: bool) -> None:
    found = flags(share=share)
    assert bool(found) is flagged
    assert all("(user + system)/real" in flag and "0.90 under native" in flag for flag in found)


def test_cpu_time_of_short_runs_is_too_coarse_to_tell() -> None:
    assert flags(share=0.8, real_s=0.05) == []


def test_collected_attempts_and_absent_times_are_passed_over() -> None:
    bare = [Timing("n1", kernel, "b", 5.0, None, None, None) for kernel in ("native", "xen") for _ in range(5)]
    assert clock_flags(bare, "native") == ()
