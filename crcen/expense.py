"""What a gained minority row costs: confusion counts and the expense of section 4.2."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from crcen.weights import check_binary


class Confusion(NamedTuple):
    """Counts of true negatives, false positives, false negatives and true positives."""

    tn: int
    fp: int
    fn: int
    tp: int


def confusion_counts(y: ArrayLike, predicted: ArrayLike) -> Confusion:
    """Count the four kinds of decisions.

    Parameters
    ----------
    y, predicted : array-like of shape (n,)
        True and predicted labels, 1 for the minority class and 0 for the majority class.

    Returns
    -------
    Confusion
        The four counts; their sum is n.

    Raises
    ------
    ValueError
        If a label is neither 0 nor 1, or the lengths differ.

    Examples
    --------
    >>> confusion_counts([0, 0, 1, 1], [0, 1, 1, 1])
    Confusion(tn=1, fp=1, fn=0, tp=2)
    """
    y, predicted = check_binary(y), check_binary(predicted)
    if predicted.shape != y.shape:
        raise ValueError(
            f"predicted has {predicted.size} labels and y {y.size}: give one for each row."
        )
    counts = np.bincount((2 * y + predicted).astype(int), minlength=4)
    return Confusion(*map(int, counts))


def expense(before: Confusion, after: Confusion) -> float:
    r"""Compute the expense of a step in alpha: false positives added for a minority row gained.

    .. math:: \frac{\mathrm{FP}_{after} - \mathrm{FP}_{before}}
              {\mathrm{FN}_{before} - \mathrm{FN}_{after}}

    Parameters
    ----------
    before, after : Confusion
        Counts at two consecutive values of alpha, on the same rows.

    Returns
    -------
    float
        The expense. A step that gains no minority row has none: ``inf`` if it adds false
        positives (they bought nothing), ``nan`` if it adds none.

    References
    ----------
    Li & Zhu (2019), arXiv 1906.04026, section 4.2, whose worked example on Abalone this is.

    Examples
    --------
    >>> before = Confusion(tn=789, fp=158, fn=32, tp=66)
    >>> after = Confusion(tn=684, fp=263, fn=13, tp=85)
    >>> round(expense(before, after), 2)
    5.53
    """
    added, gained = after.fp - before.fp, before.fn - after.fn
    if gained > 0:
        return added / gained
    return float("inf") if added > 0 else float("nan")
