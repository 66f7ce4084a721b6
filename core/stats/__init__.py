"""Statistics: arrays in, numbers out.

The words live in ``model``; what computes is imported only when it is used, as numpy and scipy take their time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hpcvirt.core.stats.model import (
    Comparison,
    Correction,
    Flag,
    Method,
    ResultTable,
    Series,
    Settings,
    Summary,
    Unit,
    Verdict,
    Wanted,
)

if TYPE_CHECKING:
    from hpcvirt.core.stats.comparing import compare, compare_summaries

__all__ = [
    "Comparison",
    "Correction",
    "Flag",
    "Method",
    "ResultTable",
    "Series",
    "Settings",
    "Summary",
    "Unit",
    "Verdict",
    "Wanted",
    "compare",
    "compare_summaries",
]

_LATER = {"compare": "comparing", "compare_summaries": "comparing"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
