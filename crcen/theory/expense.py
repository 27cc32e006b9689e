"""What a gained minority row costs: confusion counts and the expense of section 4.2."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t

from crcen.validation import (
    BETWEEN,
    FINITE,
    NOT_NEGATIVE,
    TINY,
    Values,
    check_binary,
    check_number,
    check_numbers,
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
    counts: ArrayLike, level: float = 0.95, test_size: float = 0.25
) -> tuple[Values, Values]:
    r"""Bound the expense of each step, from counts of splits whose rows overlap.

    The expense is the quotient of two means over splits, of the false positives that a step adds
    and of the minority rows that it gains; `ratio_interval` bounds it.

    Parameters
    ----------
    counts : array-like of shape (n_splits, k, 4)
        tn, fp, fn, tp of each split at k values of alpha.
    level : float, default=0.95
        Confidence.
    test_size : float, default=0.25
        Share of the rows that each split holds out.

    Returns
    -------
    low, high : ndarray of shape (k - 1,)
        Its ends. An end that the splits cannot give is infinite.

    Raises
    ------
    ValueError
        If `counts` is not of this shape with a split or more, or holds a number below zero; or
        `level` or `test_size` is not strictly between 0 and 1.

    Examples
    --------
    >>> counts = [[[90, 10, 9, 3], [60, 40, 4, 8]], [[90, 10, 9, 3], [64, 36, 4, 8]]] * 5
    >>> low, high = expense_interval(counts)
    >>> low.round(1), high.round(1)
    (array([5.]), array([6.2]))
    """
    counts = _counts("counts", counts, 3)
    added, gained = np.diff(counts[..., 1]).T, -np.diff(counts[..., 2]).T
    each = [ratio_interval(a, g, level, test_size) for a, g in zip(added, gained, strict=True)]
    low, high = np.array(each, dtype=float).reshape(-1, 2).T
    return low, high


def ratio_interval(
    above: ArrayLike, below: ArrayLike, level: float = 0.95, test_size: float = 0.25
) -> tuple[float, float]:
    r"""Bound the quotient of two means over K splits whose rows overlap (Fieller's interval).

    It holds each e for which the mean of d = above - e below is not told from zero,

    .. math:: \bar d^2 \le t^2_{K-1}\, s_d^2
              \left(\frac1K + \frac{n_\text{test}}{n_\text{train}}\right).

    The factor is Nadeau and Bengio's: it takes the correlation of two splits for the share of the
    rows that each holds out. For models that do not change from split to split that is exact; what
    changes from split to split, such as starting values, correlates less, and the interval is too
    wide.

    Parameters
    ----------
    above, below : array-like of shape (n_splits,)
        What is divided by what, of each split.
    level : float, default=0.95
        Confidence.
    test_size : float, default=0.25
        Share of the rows that each split holds out.

    Returns
    -------
    low, high : float
        The ends. If `below` is not told from zero, one of them is infinite, or both. A mean of
        `below` under zero counts as a step that buys nothing: infinite if `above` is over zero.

    Raises
    ------
    ValueError
        If `above` and `below` are not vectors of one length, or hold a number that is not finite;
        or `level` or `test_size` is not strictly between 0 and 1.

    References
    ----------
    Fieller (1954), Some problems in interval estimation; Nadeau & Bengio (2003), Inference for the
    generalization error.

    Examples
    --------
    >>> low, high = ratio_interval([10, 12, 11, 9], [5, 6, 5, 5])
    >>> round(low, 2), round(high, 2)
    (1.61, 2.39)
    >>> ratio_interval([10, 12, 11, 9], [1, -1, 0, 0])[1]
    inf
    """
    a, b = (check_numbers(n, v, FINITE, 1) for n, v in (("above", above), ("below", below)))
    level, share = (
        check_number("level", level, BETWEEN),
        check_number("test_size", test_size, BETWEEN),
    )
    if a.shape != b.shape or not a.size:
        raise ValueError(
            f"above has {a.size} splits and below {b.size}: give one of each for each."
        )
    if (k := a.size) < 2:
        return -np.inf, np.inf
    unit_a, unit_b = (max(abs(v).max(), TINY) for v in (a, b))
    a, b = a / unit_a, b / unit_b
    v = np.cov(a, b) * (1 / k + share / (1 - share)) * t.isf((1 - level) / 2, k - 1) ** 2
    if not np.isfinite(v).all():  # a level that rounds to 1
        return -np.inf, np.inf
    ends = _fieller(float(a.mean()), float(b.mean()), v)
    with np.errstate(over="ignore", under="ignore"):
        unit = unit_a / unit_b
        low, high = (float(e * unit) if e and math.isfinite(e) else e for e in ends)
    return low, high


def _fieller(a: float, b: float, v: Values) -> tuple[float, float]:
    """Solve (a - e b)^2 <= v_aa - 2 e v_ab + e^2 v_bb for e."""
    square, half, constant = b * b - v[1, 1], a * b - v[0, 1], a * a - v[0, 0]
    root = half * half - square * constant
    if square > 0:  # below is told from zero
        width = math.sqrt(max(root, 0.0))
        low, high = (half - width) / square, (half + width) / square
        if b > 0:
            return low, high
        return (math.inf if high < 0 else -math.inf), math.inf
    beyond = a - v[0, 1] / v[1, 1] * b if v[1, 1] > 0 else a  # above, where below is zero
    if root < 0 or beyond == 0 or (square == half == 0 and (constant <= 0 or a < 0)):
        return -math.inf, math.inf
    if square == half == 0:
        return math.inf, math.inf
    if (end := half + math.copysign(math.sqrt(root), half)) == 0:
        return -math.inf, math.inf
    ends = [constant / end] + ([end / square] if square else [])
    return (max(ends), math.inf) if beyond > 0 else (-math.inf, min(ends))


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
