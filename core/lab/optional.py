"""Kernels that this machine may not allow: asked before a campaign on the embedded lab begins, and left out if so.

Nothing runs under another name for it: what is left out is frozen as not picked, and said.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace

from hpcvirt.core.config import Choice
from hpcvirt.core.errors import UsageWrong
from hpcvirt.core.model import Campaign, Kernel
from hpcvirt.core.remote.identity import mismatches
from hpcvirt.core.remote.survey import parse_survey, survey

LIMIT_S = 10.0


def choose_here(campaign: Campaign, choice: Choice) -> tuple[Choice, Mapping[str, str]]:
    """The choice without the optional kernels that cannot be had here, and why for each of them.

    Raises UsageWrong when one of them was picked by name.
    """
    lacking = {kernel.name: why for kernel in campaign.kernels if kernel.optional and (why := _lack(kernel))}
    if not lacking:
        return choice, {}
    if choice.kernels is None:
        left = tuple(kernel.name for kernel in campaign.kernels if kernel.name not in lacking)
        return replace(choice, kernels=left), lacking
    for name in choice.kernels:
        if name in lacking:
            raise UsageWrong(
                f"kernel {name} cannot be had on this machine: {lacking[name]}",
                hint=f"leave it out: no --kernel {name}",
            )
    return choice, {}


def _lack(kernel: Kernel) -> str:
    """Why a kernel cannot be proved here, in words; empty: it can. The lab's nodes are this machine and this user."""
    script = survey("/", [kernel], ())
    try:
        done = subprocess.run(["/bin/sh"], input=script.text, capture_output=True, check=False, timeout=LIMIT_S)
        found = parse_survey(script, done.stdout)
    except subprocess.TimeoutExpired:
        return f"{kernel.wrap[0] if kernel.wrap else 'its probe'} does not answer within {LIMIT_S:g} s"
    if found.kernels[0].boot_id is None:
        return found.kernel_words[0] or "its wrap does not start"
    return "; ".join(mismatches(kernel.expect, found.kernels[0]))
