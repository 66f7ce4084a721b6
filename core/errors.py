"""Errors an operator can act on: one base, one leaf per meaning.

Each carries a message (what and where) and a hint (what to do about it). The command line prints both
and exits with ``exit_code``; a traceback is shown only with ``--debug``.
"""

from __future__ import annotations

from collections.abc import Sequence


class HpcvirtError(Exception):
    """Base of every error this program raises on purpose."""

    exit_code = 4
    """What the command line exits with: 2 wrong usage or campaign file, 4 something could not be used."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.waited_s = 0.0
        """For how long it was waited that this passes; 0: not at all."""


class CampaignInvalid(HpcvirtError):
    """A campaign file has faults; all of them are listed, each with its key path."""

    exit_code = 2

    def __init__(self, faults: Sequence[str], *, hint: str = "") -> None:
        super().__init__("\n".join(faults), hint=hint)
        self.faults = tuple(faults)


class UsageWrong(HpcvirtError):
    """The command's words do not fit together."""

    exit_code = 2


class PlanChanged(HpcvirtError):
    """The database was started from another plan than the one given now."""

    exit_code = 2


class BenchmarkUnknown(HpcvirtError):
    """No installed plugin has this name."""

    exit_code = 2


class BenchmarkBroken(HpcvirtError):
    """A plugin is installed but cannot be imported or used."""


class BootMethodUnknown(HpcvirtError):
    """No installed boot method has this name."""

    exit_code = 2


class BootMethodBroken(HpcvirtError):
    """A boot method is installed but cannot be imported or used."""


class RebootsUnconfirmed(HpcvirtError):
    """A campaign would reboot nodes, and the operator has not said that it may."""

    exit_code = 2


class BootRefused(HpcvirtError):
    """A node cannot be told what to boot: no right to, no such entry, no boot loader that we know."""


class BootFailed(HpcvirtError):
    """A node was told to boot and did not come up in another life."""


class NodeInUse(HpcvirtError):
    """Other people work on a node that is to be rebooted."""


class CompilerMissing(HpcvirtError):
    """A benchmark must be built and there is no C compiler on this machine."""


class BuildFailed(HpcvirtError):
    """The compiler refused a benchmark's source."""


class BinaryDiffers(HpcvirtError):
    """A benchmark's program or library on a node is not the one that was built, or that other nodes or kernels have."""


class ProgramMissing(HpcvirtError):
    """A program that a benchmark needs is not on a node, or may not be executed there."""


class PreparationFailed(HpcvirtError):
    """What a benchmark wants done once per boot did not succeed on a node."""


class NodeUnreachable(HpcvirtError):
    """No SSH connection to a node could be made."""


class HostKeyUnknown(HpcvirtError):
    """The node showed a host key, and no known hosts file has one for it."""


class HostKeyChanged(HpcvirtError):
    """The node showed another host key than the known one, or a revoked one."""


class AlgorithmsDiffer(HpcvirtError):
    """The node's sshd and this program have no algorithm in common."""


class SshConfigWrong(HpcvirtError):
    """An SSH configuration file, known hosts file or key cannot be used."""


class PermissionRefused(HpcvirtError):
    """The node refused every key that was offered."""


class ConnectionLost(HpcvirtError):
    """An SSH connection ended in the middle of something. Never an exit status."""


class NodeUnusable(HpcvirtError):
    """A node answers but cannot run benchmarks (no scratch folder, no shell, another user's files)."""


class NodeSilent(NodeUnusable):
    """A node is connected, and what it was asked to do did not end in time."""


class NodeHeld(HpcvirtError):
    """Another campaign works on a node."""


class NodesAreOne(HpcvirtError):
    """Two nodes of a campaign turn out to be the same machine."""


class WrongKernel(HpcvirtError):
    """What runs on a node is not what the kernel's ``expect`` says."""


class OutputUnparsable(HpcvirtError):
    """What came back from a node is not what the launcher sends."""


class StoreLocked(HpcvirtError):
    """Another runner works on this database."""


class StoreUnusable(HpcvirtError):
    """The database cannot be opened, read or written."""


class CalculationBroken(HpcvirtError):
    """What works out results for the screen ended without one."""


class LabFailed(HpcvirtError):
    """The embedded cluster did not start."""


class ScreenUnsuited(HpcvirtError):
    """The terminal cannot show the screen."""
