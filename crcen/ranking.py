"""How well scores rank: the area under the ROC curve, with its interval."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata

from crcen.validation import BETWEEN, check_both, check_logits, check_number


class Area(NamedTuple):
    """The area under a ROC curve.

    Attributes
    ----------
    value : float
        The share of pairs, one of either class, in which the minority row has the larger score; a
        tie counts one half.
    low, high : float
        The ends of its interval.
    """

    value: float
    low: float
    high: float


def area(
    scores: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> Area:
    r"""Compute the area under the ROC curve, with the interval of DeLong et al.

    A row's part in the area is the share of the other class on its right side. The area is the mean
    of either class's parts, and its variance that of two means; the parts of rows of one group are
    added up first.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Any numbers that rank.
    y : array-like of shape (n,)
        Labels, 1 for the minority class and 0 for the majority class.
    groups : array-like of shape (n,), optional
        Which rows belong together.
    level : float, default=0.95
        In (0, 1).

    Returns
    -------
    Area
        The area and the ends of its interval, which may lie outside of [0, 1].

    Raises
    ------
    ValueError
        If the labels are not zeros and ones, the scores not one finite number for each of them,
        the groups not one label for each, or `level` is outside (0, 1).

    References
    ----------
    DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44, 837-845; Obuchowski (1997), Biometrics
    53, 567-578, for groups.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([1, 0], [100, 900])
    >>> [round(float(a), 2) for a in area(rng.normal(y), y)]
    [0.8, 0.75, 0.84]
    """
    labels = check_both(y, "a ranking")
    o = check_logits("scores", scores, labels.size)
    z = float(norm.isf((1 - check_number("level", level, BETWEEN)) / 2))  # finite near 1, too
    one = labels == 1
    n1, n0 = int(one.sum()), int((~one).sum())
    ranks = rankdata(o)
    part = np.empty(labels.size)
    part[one] = (ranks[one] - rankdata(o[one])) / n0
    part[~one] = 1 - (ranks[~one] - rankdata(o[~one])) / n1
    value = float(part[one].mean())
    off = (part - value) / np.where(one, n1, n0)
    sums = off if groups is None else np.bincount(_codes(groups, labels.size), off)
    error = float(np.sqrt((sums**2).sum() * sums.size / max(sums.size - 1, 1)))
    return Area(value, value - z * error, value + z * error)


def _codes(groups: ArrayLike, n: int) -> NDArray[np.int64]:
    """Give each of n rows the number of its group."""
    try:
        codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    except Exception:  # whatever a thing does that is no array of what can be sorted
        codes = np.empty(0, dtype=np.int64)
    if codes.shape != (n,):
        raise ValueError(
            f"groups must hold one label for each of {n} rows: leave it out, or give all."
        )
    return codes
