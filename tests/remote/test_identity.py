"""What a node says it is, and what is made of it."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcvirt.core.model import Expect, Probe
from hpcvirt.core.remote.identity import (
    Identity,
    Moment,
    changes,
    cpu_s,
    elapsed_s,
    mismatches,
    parse_identity,
    storage_mismatch,
)

WHOLE = b"""boot_id 0b5e2e6a-0000-4000-8000-000000000001
release 6.1.0-50-amd64
version #1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1
hostname node1
cmdline BOOT_IMAGE=/boot/vmlinuz root=UUID=1 ro
cpus 0-3,8
memory MemTotal:       16384 kB
probe pid:[4026531836]
clock 1700000000.250000000
uptime 1234.56 2345.67
"""

FOUND = Identity(
    boot_id="0b5e2e6a-0000-4000-8000-000000000001",
    release="6.1.0-50-amd64",
    version="#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1",
    hostname="node1",
    cmdline="BOOT_IMAGE=/boot/vmlinuz root=UUID=1 ro",
    role="none",
    cpus=5,
    memory_kib=16384,
    probe="pid:[4026531836]",
)


def test_a_whole_reading() -> None:
    assert parse_identity(WHOLE) == (FOUND, Moment(1700000000.25, 1234.56))


def test_what_is_absent_is_absent() -> None:
    assert parse_identity(b"") == (Identity(), Moment())
    lines = WHOLE.splitlines(keepends=True)
    for index, line in enumerate(lines):
        identity, moment = parse_identity(b"".join(lines[:index] + lines[index + 1 :]))
        name = {"memory": "memory_kib", "clock": "clock_s", "uptime": "uptime_s"}.get(*[line.split()[0].decode()] * 2)
        told = moment if name in {"clock_s", "uptime_s"} else identity
        assert getattr(told, name) is None
        others = [field.name for field in fields(Identity) if field.name != name]
        assert [getattr(identity, other) for other in others] == [getattr(FOUND, other) for other in others]


@given(st.binary())
def test_any_bytes_are_read(raw: bytes) -> None:
    parse_identity(raw)
    parse_identity(b"cpus " + raw + b"\nmemory " + raw + b"\nclock " + raw + b"\nuptime " + raw)


@pytest.mark.parametrize("separator", ["\r", "\v", "\f", "\x1c", "\x85", "\u2028"])
def test_only_a_newline_ends_a_line(separator: str) -> None:
    identity, _ = parse_identity(f"hostname a{separator}boot_id forged\nprobe b{separator}role x\n".encode())
    assert identity.boot_id is None
    assert identity.hostname is not None
    assert identity.hostname.endswith("boot_id forged")


def test_cpu_time_is_a_number() -> None:
    assert parse_identity(b"times\n0m0.0s 0m0.0s\n1m2.5s 0m0.25s\n")[1] == Moment(None, None, 62.5, 0.25)
    assert parse_identity(b"0m0s 0m0s\n" + b"9" * 400 + b"m0.0s 0m0.0s\n")[1] == Moment()


def test_a_probe_that_says_nothing_is_none() -> None:
    assert parse_identity(b"probe \n")[0].probe is None


def test_the_first_of_two_lines_counts() -> None:
    assert parse_identity(b"boot_id a\nboot_id b\n")[0].boot_id == "a"


def test_control_characters_do_not_come_through() -> None:
    assert parse_identity(b"hostname a\x1b]52;c;x\x07b\n")[0].hostname == "a\ufffd]52;c;x\ufffdb"


@pytest.mark.parametrize(
    ("lines", "role"),
    [
        ([], "none"),
        (["hypervisor xen", "xen_capabilities control_d"], "xen-dom0"),
        (["hypervisor xen"], "xen-guest"),
        (["hypervisor xen", "xen_capabilities "], "xen-guest"),
        (["hypervisor kvm"], "kvm"),
        (["xen_capabilities control_d"], "none"),
    ],
    ids=["plain or rt", "dom0", "guest", "guest with an empty file", "another hypervisor", "no hypervisor"],
)
def test_roles(lines: list[str], role: str) -> None:
    assert parse_identity("\n".join(lines).encode())[0].role == role


def test_the_same_release_in_four_roles_is_told_apart() -> None:
    """uname cannot tell a plain kernel, dom0 and a guest apart; the role can."""
    wanted = Expect(release="6.1.0-50-amd64", role="xen-guest")
    roles = ("none", "xen-dom0", "xen-guest", "kvm")
    fits = [role for role in roles if not mismatches(wanted, replace(FOUND, role=role))]
    assert fits == ["xen-guest"]


@pytest.mark.parametrize(
    ("cpus", "count"),
    [
        ("0", 1),
        ("0-0", 1),
        ("0-3", 4),
        ("0-3,8", 5),
        ("0,2,4-7", 6),
        ("0-127", 128),
        ("x", None),
        ("0-x", None),
        ("", None),
        ("3-0", None),
        ("0-3,7-6", None),
        ("0-3,", None),
        ("-3", None),
        ("0--3", None),
        ("1_0", None),
        ("\u0660-\u0663", None),
        ("0-" + "9" * 4000, None),
    ],
)
def test_ranges_of_cpus(cpus: str, count: int | None) -> None:
    assert parse_identity(f"cpus {cpus}\n".encode())[0].cpus == count


@given(st.sets(st.integers(0, 300), min_size=1))
def test_any_set_of_cpus(online: set[int]) -> None:
    ranges: list[list[int]] = []
    for cpu in sorted(online):
        if ranges and ranges[-1][-1] == cpu - 1:
            ranges[-1].append(cpu)
        else:
            ranges.append([cpu])
    told = ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else f"{part[0]}" for part in ranges)
    assert parse_identity(f"cpus {told}\n".encode())[0].cpus == len(online)


def test_cpus_of_an_old_kernel_are_counted() -> None:
    assert parse_identity(b"cpu cpu0\ncpu cpu1\n")[0].cpus == 2
    assert parse_identity(b"cpus 0-3\ncpu cpu0\n")[0].cpus == 4


@pytest.mark.parametrize(
    ("line", "clock"),
    [("clock 12.5", 12.5), ("clock 12", 12.0), ("clock 12.%N", None), ("clock ", None), ("clock x", None)]
    + [(f"clock {word}", None) for word in ("nan", "inf", "-inf", "infinity", "-1", "1e400", "1_0", "9" * 400)],
)
def test_clocks(line: str, clock: float | None) -> None:
    assert parse_identity(line.encode())[1].clock_s == clock


@pytest.mark.parametrize(
    ("then", "slack_s"), [("1234.56 9.9", 0.0), ("1234.81 9.9", 0.25), ("1234.00", 0.0), ("x", 0.0)]
)
def test_how_far_apart_clock_and_uptime_were_read_is_measured(then: str, slack_s: float) -> None:
    moment = parse_identity(f"uptime 1234.56 9.9\nclock 1.5\nuptime_then {then}\n".encode())[1]
    assert moment == Moment(1.5, 1234.56, slack_s=pytest.approx(slack_s))


# -- mismatches


@pytest.mark.parametrize(
    ("expect", "name"),
    [
        (Expect(release="5.*"), "release"),
        (Expect(release="6.1.0-50-rt-*"), "release"),
        (Expect(version="*PREEMPT_RT*"), "version"),
        (Expect(role="xen-dom0"), "role"),
        (Expect(cmdline="*nosmt*"), "cmdline"),
        (Expect(cpus=4), "cpus"),
        (Expect(memory_mib=(17, 20)), "memory_mib"),
        (Expect(memory_mib=(1, 15)), "memory_mib"),
        (Expect(probe=Probe("x", "net:*")), "probe"),
    ],
)
def test_what_is_not_as_expected_is_told(expect: Expect, name: str) -> None:
    (told,) = mismatches(expect, FOUND)
    assert told.startswith(f"{name}: expected ")


@pytest.mark.parametrize(
    "expect",
    [
        Expect(),
        Expect(release="6.1.*", version="#1 SMP PREEMPT_DYNAMIC*", role="none", cmdline="*root=UUID=1*", cpus=5),
        Expect(memory_mib=(16, 16)),
        Expect(probe=Probe("x", "pid:[[]4026531836]")),
    ],
)
def test_what_is_as_expected(expect: Expect) -> None:
    assert mismatches(expect, FOUND) == ()


def test_patterns_know_case() -> None:
    assert mismatches(Expect(release="6.1.0-50-AMD64"), FOUND)


def test_a_pattern_is_for_the_whole_line() -> None:
    assert mismatches(Expect(release="6.1"), FOUND)
    assert mismatches(Expect(release="1.0-50-amd64"), FOUND)


@pytest.mark.parametrize("name", ["release", "version", "cmdline"])
def test_what_could_not_be_read_matches_no_pattern(name: str) -> None:
    assert mismatches(Expect(**{name: "*"}), replace(FOUND, **{name: None}))  # type: ignore[arg-type]


def test_what_could_not_be_counted_is_within_no_bounds() -> None:
    wanted = Expect(cpus=5, memory_mib=(0, 1 << 20), probe=Probe("x", "*"))
    assert len(mismatches(wanted, replace(FOUND, cpus=None, memory_kib=None, probe=None))) == 3


def test_an_unread_boot_id_is_never_right() -> None:
    assert mismatches(Expect(), replace(FOUND, boot_id=None)) == ("boot_id could not be read",)


def test_all_mismatches_are_told() -> None:
    assert len(mismatches(Expect(release="a", version="b", role="c", cmdline="d", cpus=1), FOUND)) == 5


# -- changes


def test_nothing_has_changed() -> None:
    assert changes(FOUND, replace(FOUND)) == ()


LASTING = [
    *("boot_id", "release", "version", "machine", "hostname", "cmdline"),
    *("role", "guest_type", "hypervisor_uuid", "cpus", "governor", "clocksource"),
]


@pytest.mark.parametrize("field", LASTING)
def test_a_change_of_what_stays_is_told(field: str) -> None:
    (told,) = changes(FOUND, replace(FOUND, **{field: "another"}))  # type: ignore[arg-type]
    assert told.startswith(f"{field} changed from ")


@pytest.mark.parametrize("field", [field.name for field in fields(Identity) if field.name not in LASTING])
def test_what_may_vary_within_a_kernel_is_no_change(field: str) -> None:
    assert changes(FOUND, replace(FOUND, **{field: "another"})) == ()  # type: ignore[arg-type]


def test_a_balloon_and_a_varying_probe_are_judged_by_expect_alone() -> None:
    after = replace(FOUND, memory_kib=8192, probe="pid:[4026531999]")
    wanted = Expect(memory_mib=(8, 16), probe=Probe("x", "pid:*"))
    assert changes(FOUND, after) == mismatches(wanted, FOUND) == mismatches(wanted, after) == ()
    assert len(mismatches(wanted, replace(after, memory_kib=4096, probe="net:[1]"))) == 2


# -- elapsed time


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Moment(1000.0, 50.0), Moment(1002.345678, 52.35), 2.345678),
        (Moment(1000.0, 50.0), Moment(4600.0, 52.35), 2.35),
        (Moment(1000.0, 50.0), Moment(10.0, 52.35), 2.35),
        (Moment(1000.0, 50.0), Moment(1000.01, 50.0), 0.01),
        (Moment(1000.0, None), Moment(1002.5, None), 2.5),
        (Moment(1000.0, None), Moment(1002.5, 3.0), 2.5),
        (Moment(1000.0, None), Moment(999.0, None), None),
        (Moment(None, 50.0), Moment(1000.0, 52.5), 2.5),
        (Moment(), Moment(), None),
        (Moment(1000.0, 50.0), Moment(), None),
        (Moment(0.0, 0.0), Moment(3600.5, 3600.0), 3600.5),
        (Moment(1000.0, 50.0), Moment(1002.5, 49.0), None),
        (Moment(1000.0, 50.0), Moment(999.0, 49.0), None),
        (Moment(1000.0, 50.0, slack_s=0.2), Moment(1002.345678, 52.2), 2.345678),
        (Moment(1000.0, 50.0), Moment(1002.345678, 52.2, slack_s=0.2), 2.345678),
        (Moment(1000.0, 50.0, slack_s=0.2), Moment(1003.0, 52.2, slack_s=0.2), 2.2),
    ],
    ids=[
        "by the clock",
        "the clock jumped ahead",
        "the clock jumped back",
        "shorter than uptime's grain",
        "no uptime",
        "uptime only after",
        "no uptime and the clock jumped back",
        "no clock",
        "nothing",
        "nothing after",
        "an hour with a clock that is slewed",
        "uptime went back",
        "both went back",
        "read far apart before",
        "read far apart after",
        "read far apart and a jump beyond that",
    ],
)
def test_elapsed(before: Moment, after: Moment, expected: float | None) -> None:
    assert elapsed_s(before, after) == pytest.approx(expected)


def test_no_time_is_negative() -> None:
    assert cpu_s(Moment(user_s=2.0, system_s=1.0), Moment(user_s=1.0, system_s=3.0)) == (None, 2.0)


@given(st.floats(0, 1e5), st.floats(-1e6, 1e6))
def test_a_jump_of_the_clock_is_at_most_its_tolerance(real_s: float, jump_s: float) -> None:
    before = Moment(1e9, 1000.0)
    after = Moment(1e9 + real_s + jump_s, round(1000.0 + real_s, 2))
    found = elapsed_s(before, after)
    assert found is not None
    assert abs(found - real_s) <= 0.05 + 0.0011 * real_s


@pytest.mark.parametrize(
    ("pattern", "fits"), [(None, True), ("ext4 /dev/sda*", True), ("ext4 *", True), ("xfs *", False), ("ext4", False)]
)
def test_storage_is_what_the_scratch_folder_is_on(pattern: str | None, fits: bool) -> None:
    found = {"scratch.filesystem": "ext4", "scratch.device": "/dev/sda2"}
    assert (storage_mismatch(Expect(storage=pattern), found) == ()) is fits


def test_storage_that_a_node_cannot_tell_is_not_the_expected_one() -> None:
    assert storage_mismatch(Expect(storage="ext4 *"), {}) == ("storage: expected ext4 *, found ? ?",)
