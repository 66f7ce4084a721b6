"""The mean of one series with its confidence interval, for plots of absolute values.

The unit is the boot, as everywhere: an interval from runs would be too narrow by what runs of a boot share. With
several nodes, differences between nodes are no part of the spread: it is taken about each node's mean.
"""

from __future__ import annotations

import numpy as np

from hpcvirt.core.stats.model import Estimate, Series, Unit
from hpcvirt.core.stats.student import critical


def estimate(series: Series, alpha: float) -> Estimate | None:
    """None without values, or with one that is not finite."""
    x = series.values
    if not x.size or not np.all(np.isfinite(x)):
        return None
    boots = np.unique(np.stack([series.node, series.boot]), axis=1)
    if series.has_boots and boots.shape[1] > np.unique(series.node).size:
        masks = [(series.node == node) & (series.boot == boot) for node, boot in boots.T]
        values, nodes, unit = np.array([x[mask].mean() for mask in masks]), boots[0], Unit.BOOT
    else:
        values, nodes, unit = x, series.node, Unit.RUN
    mean = float(values.mean())
    df = values.size - np.unique(nodes).size
    if df < 1:
        return Estimate(mean, None, None, int(values.size), unit)
    rest = values - np.array([values[nodes == node].mean() for node in nodes])
    half = float(critical(alpha / 2, df)) * float(np.sqrt(np.sum(rest**2) / df / values.size))
    return Estimate(mean, mean - half, mean + half, int(values.size), unit)
