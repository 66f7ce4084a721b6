"""What differs between two kernels or nodes."""

from __future__ import annotations

import pytest

from hpcvirt.core.diff_env import Difference, differences
from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.store.setups import Setup
from hpcvirt.tui.diff_env import lines

SETUPS = [
    Setup("rhel", "n1", {"package.glibc": "2.3", "host": "n1", "sysctl.a": "1"}),
    Setup("rhel", "n2", {"package.glibc": "2.3", "host": "n2", "sysctl.a": "1"}),
    Setup("chaos", "n1", {"package.glibc": "2.4", "host": "n1", "module.x": "loaded", "sysctl.a": "1"}),
    Setup("chaos", "n2", {"package.glibc": "2.4", "host": "n2", "module.x": "loaded", "sysctl.a": "1"}),
    Setup("xen", "n2", {"package.glibc": "2.3", "host": "n2"}),
    Setup("late", "n3", {}),
]


def test_kernels_are_compared_over_their_common_nodes() -> None:
    assert differences(SETUPS, "rhel", "chaos") == [
        Difference("module.x", (), ("loaded",)),
        Difference("package.glibc", ("2.3",), ("2.4",)),
    ]
    assert differences(SETUPS, "rhel", "xen") == [Difference("sysctl.a", ("1",), ())]


def test_nodes_are_compared_over_their_common_kernels() -> None:
    assert differences(SETUPS, "n1", "n2") == [Difference("host", ("n1",), ("n2",))]


@pytest.mark.parametrize("pair", [("rhel", "n1"), ("rhel", "nothing"), ("rhel", "late")])
def test_what_cannot_be_compared_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(UsageWrong):
        differences(SETUPS, *pair)


def test_of_long_values_the_words_apart_are_shown() -> None:
    common = " ".join(f"flag{i}" for i in range(20))
    told = lines(Difference("cpu.flags", (f"{common} vmx",), (f"{common} svm",)), "a", "long")
    assert told == ["cpu.flags (what is not in both)", "  a     vmx", "  long  svm"]
    assert lines(Difference("x", (), ("\x1b[1m",)), "a", "b") == ["x", "  a  (absent)", "  b  �[1m"]
