"""Which errors of a node may pass, and for how long it is waited for."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence

import pytest

from hpcvirt.core import errors
from hpcvirt.core.errors import (
    HostKeyChanged,
    HpcvirtError,
    NodeHeld,
    NodeSilent,
    NodeUnreachable,
    NodeUnusable,
    PermissionRefused,
    ProgramMissing,
    SshConfigWrong,
)
from hpcvirt.core.remote.patience import FIRST_PATIENCE_S, Standing, patience_for, patiently

PATIENCE_S = 600.0

FROM = {
    Standing.NEW: {"NodeUnreachable", "ConnectionLost"},
    Standing.REACHED: {"SshConfigWrong", "PermissionRefused", "HostKeyUnknown", "AlgorithmsDiffer"},
    Standing.ANSWERED: {"OutputUnparsable", "NodeSilent"},
    Standing.PROVED: {"NodeUnusable", "NodeHeld", "NodeInUse"},
    Standing.READY: {"BootRefused", "ProgramMissing", "PreparationFailed"},
}
"""From how far a node has come on an error of it may pass."""

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, HpcvirtError) and kind not in {HpcvirtError, errors.CampaignInvalid}
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_either_passes_from_some_standing_on_or_never(kind: type[HpcvirtError]) -> None:
    first = next((standing for standing, names in FROM.items() if kind.__name__ in names), None)
    for standing in Standing:
        expected = 0.0
        if first is not None and standing >= first:
            expected = FIRST_PATIENCE_S if standing is Standing.NEW else PATIENCE_S
        assert patience_for(kind("x"), standing, PATIENCE_S) == expected


def test_a_changed_host_key_and_a_wrong_identity_are_final() -> None:
    for kind in (HostKeyChanged, errors.WrongKernel, errors.NodesAreOne, errors.BinaryDiffers):
        assert patience_for(kind("x"), Standing.READY, PATIENCE_S) == 0


def test_a_campaign_that_is_less_patient_is_so_with_strangers_too() -> None:
    assert patience_for(NodeUnreachable("x"), Standing.NEW, 5.0) == 5.0


def test_what_was_waited_for_within_is_not_waited_for_without() -> None:
    within = NodeUnusable("x")
    within.waited_s = 600.0
    without = ProgramMissing("y")
    without.__cause__ = within
    for error in (within, without):
        assert patience_for(error, Standing.READY, PATIENCE_S) == 0


class World:
    """Work that fails in turn, on a clock of its own."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, failures: Sequence[HpcvirtError], *, tries_s: float = 0
    ) -> None:
        self.failures = list(failures)
        self.tries_s = tries_s
        self.tries = 0
        self.pauses: list[float] = []
        self.now = 1000.0
        self.waits: list[tuple[str, float]] = []
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)

    async def work(self) -> str:
        self.tries += 1
        self.now += self.tries_s
        if self.failures:
            raise self.failures.pop(0)
        return "done"

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    async def on_wait(self, error: HpcvirtError, limit_s: float) -> None:
        self.waits.append((error.message, limit_s))

    async def patiently(self, patience_s: float, standing: Standing = Standing.READY) -> str:
        return await patiently(
            self.work, lambda error: patience_for(error, standing, patience_s), self.on_wait, self.sleep
        )


async def test_what_passes_is_waited_for_with_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    causes = [SshConfigWrong("a"), PermissionRefused("b"), NodeHeld("c"), NodeSilent("d")]
    world = World(monkeypatch, causes)
    assert await world.patiently(PATIENCE_S) == "done"
    assert world.waits == [(name, PATIENCE_S) for name in "abcd"]
    assert world.pauses == sorted(world.pauses)
    assert 0 < world.pauses[0] <= 0.5


async def test_what_does_not_pass_is_raised_with_how_long_it_was_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, [SshConfigWrong(f"number {i}", hint="a hint") for i in range(1000)])
    with pytest.raises(SshConfigWrong, match="number") as caught:
        await world.patiently(PATIENCE_S)
    assert PATIENCE_S - 31 < world.now - 1000 <= PATIENCE_S
    assert caught.value.waited_s == world.now - 1000
    assert caught.value.message == f"number {world.tries - 1} (waited for {caught.value.waited_s:.0f} s)"
    assert caught.value.hint == "a hint"


async def test_however_long_a_try_takes_there_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, [NodeSilent("x")], tries_s=60)
    assert await world.patiently(40) == "done"


async def test_what_is_final_is_raised_at_once_also_in_the_midst_of_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, [NodeUnreachable("a"), HostKeyChanged("b"), NodeUnreachable("c")])
    with pytest.raises(HostKeyChanged, match=r"^b$"):
        await world.patiently(PATIENCE_S)
    assert world.tries == 2


async def test_a_stranger_is_not_waited_for_but_where_it_may_be_booting(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, [NodeUnreachable("a"), PermissionRefused("b")])
    with pytest.raises(PermissionRefused):
        await world.patiently(PATIENCE_S, Standing.NEW)
    assert world.waits == [("a", FIRST_PATIENCE_S)]
