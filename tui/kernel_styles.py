"""The colour and the sign of each kernel: the same in every view and in saved plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SIGNS = ("●", "○", "◆", "◇", "■", "□", "▲", "△")
"""Nothing is said by colour alone."""

COLORS = ("#3d85e0", "#d9730d", "#2f9e57", "#c45ac4", "#1796a8", "#e0514f", "#a88a10", "#808a99")
"""Each has a contrast of 3:1 or more with the dark theme, the light one and white paper."""


@dataclass(frozen=True, slots=True)
class KernelStyle:
    """How one kernel is drawn."""

    sign: str
    color: str
    """As ``#rrggbb``, for plots and files."""
    variable: str
    """The same as a variable of the theme, for text on the screen: without a colour under NO_COLOR."""


UNKNOWN = KernelStyle("·", COLORS[-1], "$foreground")
"""Of a kernel that is not in the campaign."""


def kernel_style(kernel: str, kernels: Sequence[str]) -> KernelStyle:
    """Choose by the kernel's place among all ``kernels`` of the campaign, whichever of them are shown."""
    return style_at(kernels.index(kernel)) if kernel in kernels else UNKNOWN


def style_at(place: int) -> KernelStyle:
    """Pair signs with colours so that the first 64 differ."""
    color = (place + place // len(SIGNS)) % len(COLORS)
    return KernelStyle(SIGNS[place % len(SIGNS)], COLORS[color], f"$kernel-{color + 1}")


def theme_variables(*, has_color: bool) -> dict[str, str]:
    """The variables that ``KernelStyle.variable`` names."""
    return {f"kernel-{number}": color if has_color else "ansi_default" for number, color in enumerate(COLORS, 1)}
