"""What flags mean for somebody who has to decide, in plain words."""

from __future__ import annotations

FLAGS = {
    "too-few": "Without two values there is no spread, and without spread no test. Look at why values are missing, or "
    "add blocks (`extend`).",
    "few-units": "A test was made, and p is right if values are normally distributed; so few cannot show whether they "
    "are. A difference that matters deserves more blocks (`extend`).",
    "not-finite": "A benchmark printed a number that is none. Look at the attempt's output: its reading may be wrong.",
    "not-positive": "The blocked test compares ratios, which such values do not have. Method paper needs none: m.",
    "constant": "Without any spread no test is possible, and more values do not help. A count can be declared exact; a "
    "rounded value needs a longer run or a finer clock.",
    "exact-varies": "A metric declared exact should give the same value in every run. Check the declaration.",
    "unequal-spread": "One node is noisier than the others. Find out why; with a strict level prefer the t-test of "
    "block means, which holds whatever the nodes' spreads are.",
    "few-on-node": "The spread of that node is hardly known. Look at why its visits were lost, or add blocks.",
    "zero-mean": "Nothing can be said in percent of nothing. Compare the means themselves.",
    "no-common-node": "No node ran both kernels, so a difference may just as well be one of the nodes.",
    "one-block": "Each kernel was booted once: whatever that boot drew looks like the kernel. Use more blocks.",
    "missing-cells": "Where one of the two has no value the visit counts for nothing. See its attempts.",
    "losses": "These attempts count for nothing. If they failed because the kernel is slow, the rest looks too good.",
    "asymmetric-loss": "One of the two loses more than the other. What survived may be the easy part: look at why.",
    "outliers": "Values far from the others. They count all the same; look when they were measured, and on which node.",
    "resolution": "The clock is too coarse for this: no number of runs cures it. Use a finer one, or longer runs.",
    "clipped": "Equal values at one end are often a limit that cut others off: a timeout, a full counter. Means "
    "are then wrong. Record such runs as timeouts.",
    "boot-effect": "Boots differ by more than their runs: runs are not independent, and p is too small. Compare boots: "
    "method blocked.",
    "autocorrelated": "A run resembles the one before, so there are fewer independent values than runs. Where "
    "boots are compared that alone does no harm; what a kernel leaves behind for the next one does.",
    "drift": "Values rise or fall over the campaign: something warms up, fills up or ages. A drawn order of "
    "kernels bears that; a fixed order, or one kernel's effect on the next, does not. Find the cause.",
    "not-normal": "The test assumes a bell curve. With many boots it bears much; with few, be careful near alpha.",
    "node-effect": "The nodes are not alike. Their levels are taken out before the kernels are compared.",
    "kernel-by-node": "The kernel costs more on some nodes than on others: one number for all hides that. See nodes.",
}
"""By code, what it means and what can be done."""


def explained(code: str) -> str:
    """A sentence or two; empty for a flag this version does not know."""
    return FLAGS.get(code, "")
