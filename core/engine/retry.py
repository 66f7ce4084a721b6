"""Which end of an attempt lets its run be tried again."""

from __future__ import annotations

from collections.abc import Sequence

from hpcvirt.core.model import Status

USES_UP_A_RETRY = {Status.FAILED, Status.UNVERIFIED, Status.UNPARSABLE, Status.TIMEOUT, Status.VOID}
"""A lost attempt is not the benchmark's doing (too many in a row set the node aside), an aborted one nobody's."""

PROVED_AGAIN = {Status.LOST, Status.VOID}
"""After these the node may be in another kernel, or another life: kernel and artifacts are looked at again first."""

UNPARSABLE_RETRIES = 1
"""A layout that the plugin does not know is not known the next time either; once, for an output that was cut."""


def is_used_up(statuses: Sequence[Status], retries: int) -> bool:
    """Whether a run that is not ok gets no more attempts, after these."""
    spoilt = sum(status in USES_UP_A_RETRY for status in statuses)
    return spoilt > retries or statuses.count(Status.UNPARSABLE) > min(retries, UNPARSABLE_RETRIES)
