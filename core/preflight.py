"""What is looked at before a campaign: findings, and what boot methods and benchmarks need of a node.

A boot method or a plugin says its needs as data; the check asks for all of them at once on every node.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a finding counts."""

    PASS = "ok"  # noqa: S105 - no password
    WARNING = "warning"
    """It would run, and the numbers may suffer, or it may not last."""
    FAILURE = "fault"
    """It would not run."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    where: str
    """The node; empty: this machine, or all of them."""
    message: str
    remedy: str = ""
    """The command, or the setting, that mends it. Empty: nothing to mend."""
    about: str = ""
    """``kernel NAME`` or ``benchmark PLUGIN``: what of the campaign it is about. Empty: the node as such."""


@dataclass(frozen=True, slots=True)
class Need:
    """Something that must be so on a node. It is asked by a command that changes nothing."""

    command: str
    """For /bin/sh on the node, in the bare login environment with ``hv_scratch`` in it: exit status 0 says that
    it is so."""
    otherwise: str
    """What is wrong if it is not, in words: ``there is no grub-reboot``."""
    remedy: str
    level: Level = Level.FAILURE
    about: str = ""
    """As a finding's. Set by the check: a plugin need not."""
