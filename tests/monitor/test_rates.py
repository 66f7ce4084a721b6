"""Rates and shares: over the end of a counter, over a reboot, and never out of nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.core.monitor.counters import Counters, Memory
from hpcvirt.core.monitor.rates import make_sample
from hpcvirt.core.store.samples import Sample

BEFORE = Counters(
    uptime_s=100.0,
    cpu=(1000, 0, 500, 8000, 100, 10, 20, 5),
    load=1.5,
    memory=Memory(4_194_304, 1_048_576, 2_097_152, 1_000, 2048),
    interfaces={"eth0": (10_000, 20_000), "ib0": (0, 0)},
    disks={"sda": (1000, 2000, 300), "sdb": (0, 0, 0)},
    loop_ticks=3,
    sshd_ticks=7,
)
NOW = replace(
    BEFORE,
    uptime_s=102.0,
    cpu=(1200, 40, 560, 8080, 108, 12, 24, 11),
    interfaces={"eth0": (30_000, 21_000), "ib0": (2_000_000, 4_000_000)},
    disks={"sda": (3000, 2100, 1300), "sdb": (10, 20, 1500)},
    loop_ticks=4,
    sshd_ticks=7,
)


def sample(now: Counters = NOW, before: Counters | None = BEFORE) -> Sample:
    return make_sample(1_000, now, before, 100)


def test_a_sample_in_full() -> None:
    told = sample()
    assert (told.span_s, told.cpus) == (2.0, 2)
    assert told.user == pytest.approx(240 / 400)
    assert told.system == pytest.approx(66 / 400)
    assert told.iowait == pytest.approx(8 / 400)
    assert told.steal == pytest.approx(6 / 400)
    assert told.received_kb_s == pytest.approx(2020 / 2)
    assert told.sent_kb_s == pytest.approx(4001 / 2)
    assert told.read_kb_s == pytest.approx(2010 * 0.512 / 2)
    assert told.written_kb_s == pytest.approx(120 * 0.512 / 2)
    assert told.disk_busy == pytest.approx(0.75)
    assert (told.memory_mib, told.memory_used_mib, told.swap_used_mib) == (4096, 2048, 2)
    assert (told.load, told.monitor_s, told.sshd_s) == (1.5, 0.01, 0.0)


def test_the_first_reading_of_a_boot_has_no_rates() -> None:
    told = sample(before=None)
    assert (told.span_s, told.user, told.received_kb_s, told.read_kb_s, told.monitor_s) == (None,) * 5
    assert (told.load, told.memory_used_mib) == (1.5, 2048)


def test_a_node_that_has_booted_in_between_has_none_either() -> None:
    told = sample(now=replace(NOW, uptime_s=12.0))
    assert (told.span_s, told.user, told.sent_kb_s) == (None, None, None)


def test_a_counter_of_32_bits_goes_on_over_its_end() -> None:
    near = replace(BEFORE, interfaces={"eth0": (2**32 - 1000, 0)})
    told = sample(now=replace(NOW, interfaces={"eth0": (1000, 4000)}), before=near)
    assert told.received_kb_s == pytest.approx(1.0)
    assert told.sent_kb_s == pytest.approx(2.0)


@pytest.mark.parametrize("was", [5_000_000, 2**33])
def test_a_counter_that_was_set_back_says_nothing(was: int) -> None:
    told = sample(before=replace(BEFORE, interfaces={"eth0": (was, 0)}), now=replace(NOW, interfaces={"eth0": (7, 8)}))
    assert told.received_kb_s is None
    assert told.sent_kb_s == pytest.approx(0.004)


def test_a_device_that_came_in_between_is_counted_from_then_on() -> None:
    told = sample(before=replace(BEFORE, interfaces={"eth0": (10_000, 20_000)}))
    assert told.received_kb_s == pytest.approx(10.0)


def test_idle_time_that_falls_back_a_little_counts_as_nothing() -> None:
    told = sample(now=replace(NOW, cpu=(1200, 40, 560, 8080, 60, 12, 24, 11)))
    assert told.iowait == 0
    assert told.user == pytest.approx(240 / 392)


def test_a_kernel_without_steal_says_nothing_of_it() -> None:
    old = [replace(one, cpu=one.cpu[:4]) for one in (NOW, BEFORE)]
    told = sample(*old)
    assert (told.iowait, told.steal) == (None, None)
    assert told.user == pytest.approx(240 / 380)


def test_another_loop_has_another_count() -> None:
    assert sample(now=replace(NOW, loop_ticks=1)).monitor_s is None


def test_memory_of_a_kernel_that_does_not_say_what_is_available() -> None:
    old = replace(NOW, memory=Memory(4_194_304, 1_048_576, None, 1_048_576, 0))
    assert sample(now=old).memory_used_mib == 2048


@given(st.lists(st.integers(0, 2**64), min_size=8, max_size=8), st.lists(st.integers(0, 2**64), min_size=8, max_size=8))
def test_shares_add_up_to_no_more_than_the_whole(before: list[int], now: list[int]) -> None:
    told = sample(now=replace(NOW, cpu=tuple(now)), before=replace(BEFORE, cpu=tuple(before)))
    shares = [share or 0.0 for share in (told.user, told.system, told.iowait, told.steal)]
    assert all(share >= 0 for share in shares)
    assert sum(shares) <= 1 + 1e-9
