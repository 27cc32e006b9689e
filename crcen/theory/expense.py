"""What a gained minority row costs: confusion counts and the expense of section 4.2."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from crcen.validation import (
    NOT_NEGATIVE,
    Values,
    check_binary,
    check_count,
    check_numbers,
    check_rng,
)

SAME = 1e-6  # means of counts add up to the same number of rows but for rounding


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
    y : array-like of shape (n,)
        True labels, 1 for the minority class and 0 for the majority class.
    predicted : array-like of shape (n,)
        Predicted labels.

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
    y, predicted = check_binary(y), check_binary(predicted, "predicted")
    if predicted.shape != y.shape:
        raise ValueError(
            f"predicted has {predicted.size} labels and y {y.size}: give one for each row."
        )
    counts = np.bincount((2 * y + predicted).astype(int), minlength=4)
    return Confusion(*map(int, counts))


def expense(before: Confusion, after: Confusion) -> float:
    r"""Compute the expense of a step in alpha: false positives added for a minority row gained.

    .. math:: \frac{\mathrm{FP}_\text{after} - \mathrm{FP}_\text{before}}
              {\mathrm{FN}_\text{before} - \mathrm{FN}_\text{after}}

    Parameters
    ----------
    before : Confusion
        Counts at one value of alpha.
    after : Confusion
        Counts at the next value, on the same rows.

    Returns
    -------
    float
        The expense. A step that gains no minority row has none: ``inf`` if it adds false
        positives (they bought nothing), ``nan`` if it adds none.

    Raises
    ------
    ValueError
        If the counts are not four numbers of zero or more, or not on the same rows.

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
    both = [_counts(name, c, 1) for name, c in (("before", before), ("after", after))]
    return float(_of_steps("before and after", np.stack(both))[0])


def expenses(counts: ArrayLike) -> Values:
    """Compute the expense of each step between consecutive values of alpha.

    Parameters
    ----------
    counts : array-like of shape (k, 4)
        tn, fp, fn, tp at k values of alpha, on the same rows.

    Returns
    -------
    ndarray of shape (k - 1,)
        What `expense` gives for each step.

    Raises
    ------
    ValueError
        If `counts` is not of this shape, holds a number below zero, or not all of its lines add up
        to the same number of rows of each class.

    Examples
    --------
    >>> expenses([[789, 158, 32, 66], [684, 263, 13, 85]]).round(2)
    array([5.53])
    """
    return _of_steps("counts", _counts("counts", counts, 2))


def expense_interval(
    counts: ArrayLike, n_bootstrap: int, rng: np.random.Generator
) -> tuple[Values, Values]:
    """Bootstrap the expense of each step over splits, from counts added up before dividing.

    Parameters
    ----------
    counts : array-like of shape (n_splits, k, 4)
        tn, fp, fn, tp of each split at k values of alpha.
    n_bootstrap : int
        Number of times that the splits are drawn anew with replacement.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    low, high : ndarray of shape (k - 1,)
        The 95% interval. A resample that gains nothing and accuses some counts as infinite, one
        without a change as zero.

    Raises
    ------
    ValueError
        If `counts` is not of this shape with a split or more, or holds a number below zero;
        `n_bootstrap` is below 1; or `rng` is no generator.

    Examples
    --------
    >>> counts = [[[9, 1, 3, 2], [7, 3, 2, 3]], [[9, 1, 4, 1], [3, 7, 3, 2]]]
    >>> expense_interval(counts, 100, np.random.default_rng(0))
    (array([2.]), array([6.]))
    """
    counts, n = _counts("counts", counts, 3), check_count("n_bootstrap", n_bootstrap, most=10**7)
    drawn = check_rng(rng).integers(len(counts), size=(n, len(counts)))
    resampled = np.array([_steps(*counts[rows].sum(axis=0).T[1:3]) for rows in drawn])
    resampled[np.isnan(resampled)] = 0
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0, method="nearest")
    return low, high


def _of_steps(name: str, counts: Values) -> Values:
    """Compute the expense of each step, on counts of the same rows."""
    tn, fp, fn, tp = counts.T
    if any(np.ptp(rows) > SAME * max(1.0, rows.max()) for rows in (tn + fp, fn + tp)):
        raise ValueError(
            f"{name} must be on the same rows, got {tn + fp} of the majority and {fn + tp} of the "
            "minority."
        )
    return _steps(fp, fn)


def _steps(fp: Values, fn: Values) -> Values:
    added, gained = np.diff(fp), -np.diff(fn)
    without = np.where(added > 0, np.inf, np.nan)
    with np.errstate(over="ignore"):
        return np.divide(added, gained, out=without, where=gained > 0)


def _counts(name: str, counts: ArrayLike, ndim: int) -> Values:
    found = check_numbers(name, counts, NOT_NEGATIVE, ndim, "give tn, fp, fn and tp")
    if found.shape[-1] != len(Confusion._fields) or 0 in found.shape:
        raise ValueError(
            f"{name} has shape {found.shape}: give tn, fp, fn and tp in the last axis."
        )
    return found
