"""From what a node says to numbers: a node may say anything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.core.monitor.counters import Counters, Greeting, parse_counters, parse_greeting
from hpcvirt.core.monitor.rates import make_sample
from hpcvirt.core.store.samples import pack, unpack

KEYS = ("uptime", "cpu", "load", "memory", "net", "disk", "temperature", "clock", "logins", "loop", "sshd", "[red]", "")
WORDS = st.one_of(
    st.integers(-5, 1 << 70).map(str),
    st.sampled_from(("eth0", "MemTotal:", "MemFree:", "[/]", "1e999", "nan", "\x1b]52;c;x\x07", "0x10", "1.5")),
    st.text(max_size=8),
)
LINES = st.lists(st.tuples(st.sampled_from(KEYS), st.lists(WORDS, max_size=12)), max_size=12)
ANSWERS = st.one_of(
    st.binary(max_size=400),
    LINES.map(lambda lines: "\n".join(" ".join((key, *words)) for key, words in lines).encode("utf-8", "replace")),
)


@given(ANSWERS, ANSWERS)
def test_whatever_two_answers_say_a_sample_is_made_and_stored(first: bytes, second: bytes) -> None:
    before, now = parse_counters(first), parse_counters(second)
    sample = make_sample(1_700_000_000_000, now, before, 100)
    for share in (sample.user, sample.system, sample.iowait, sample.steal, sample.disk_busy):
        assert share is None or 0 <= share <= 1
    for amount in (sample.received_kb_s, sample.read_kb_s, sample.monitor_s, sample.memory_used_mib, sample.logins):
        assert amount is None or amount >= 0
    (again,) = unpack(pack([sample]))
    assert again.at_ms == sample.at_ms
    assert unpack(pack([again])) == [again]


@given(st.binary(max_size=200))
def test_whatever_a_greeting_says(line: bytes) -> None:
    found = parse_greeting(line)
    assert found.ticks_per_s >= 10
    assert len(found.boot_id) <= 64


def test_greetings() -> None:
    assert parse_greeting(b"3f51-02 100") == Greeting("3f51-02", 100)
    assert parse_greeting(b" 1024") == Greeting("", 1024)
    assert parse_greeting(b"") == Greeting("", 100)


def test_lines_that_are_not_whole_say_nothing() -> None:
    told = parse_counters(b"cpu 1 2 x 4\nnet eth0 5\nnet eth1 5 6\ndisk sda 1 2\nmemory MemTotal: 5\nload\nuptime -3 1")
    assert told == Counters(interfaces={"eth1": (5, 6)})
