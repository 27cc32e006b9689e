"""What can be said of scores over splits: intervals, paired tests, ranks.

Splits of one data set share rows, so their scores depend on each other; each function says how it
takes that into account.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from crcen.study.splits import TEST_SIZE

ROUNDING = 1e-12  # sums of the same numbers in another order differ by less, relative to their size


def sd(values: ArrayLike) -> float:
    """Estimate a standard deviation: of one value nan, of equal ones 0 and not a last digit.

    Examples
    --------
    >>> sd([1.0, 2.0, 3.0]), sd([0.1, 0.1, 0.1])
    (1.0, 0.0)
    """
    sample = np.asarray(values, dtype=float)
    if sample.size < 2:
        return math.nan
    return 0.0 if np.ptp(sample) == 0 else float(sample.std(ddof=1))


def half_width(values: pd.Series) -> float:
    r"""Compute half of the 95% interval in which one further value falls.

    .. math:: t_{R-1}(0.975) \, s \sqrt{1 + 1/R}

    for R independent normal values with the standard deviation s; nan of fewer than two.

    Examples
    --------
    >>> round(half_width(pd.Series([1.0, 2.0, 3.0])), 2)
    4.97
    """
    values = values.dropna()
    k = len(values)
    return float(stats.t.ppf(0.975, k - 1) * sd(values) * np.sqrt(1 + 1 / k)) if k > 1 else math.nan


def one_more(values: pd.Series) -> pd.Series:
    """Compute the mean, and the 95% prediction interval for one further value."""
    mean, half = values.mean(), half_width(values)
    return pd.Series({"mean": mean, "low": mean - half, "high": mean + half})


def excess(scores: pd.Series) -> float:
    """Compare the deviation of the means of runs with what splits alone would give.

    Parameters
    ----------
    scores : Series
        Of each split, with the levels dataset, method and run in the index.

    Returns
    -------
    float
        The quotient, its median over data sets and methods: 1 if runs differ by their splits only.
    """
    by_run = scores.groupby(["dataset", "method", "run"])
    within = by_run.var().groupby(["dataset", "method"]).mean()
    n_splits = by_run.size().groupby(["dataset", "method"]).first()
    between = n_splits * by_run.mean().groupby(["dataset", "method"]).var()
    return float(np.sqrt(between[within > 0] / within[within > 0]).median())


def excess_of_splits(n_runs: int, n_splits: int) -> float:
    """Tell the median of `excess` that is to be expected if splits are all: that of an F law."""
    return float(np.sqrt(stats.f.median(n_runs - 1, n_runs * (n_splits - 1))))


def within(low: float, high: float, margin: float) -> bool | None:
    r"""Decide whether a quantity is 0 but for a margin, from an interval of it.

    With the interval of 90% this is the pair of one-sided tests at 5% (Schuirmann 1987):
    equivalence is shown if all of the interval lies within the margin, difference if none of it
    does, and neither if it reaches over the margin.

    Parameters
    ----------
    low, high : float
        Ends of the interval.
    margin : float
        The largest value that counts as none.

    Returns
    -------
    bool or None
        True if ``-margin < low`` and ``high < margin``; False if all of the interval is beyond
        the margin on one side; None if it cannot be told, as with an end that is nan.

    Examples
    --------
    >>> within(-0.01, 0.03, margin=0.05), within(0.06, 0.10, margin=0.05)
    (True, False)
    >>> print(within(0.01, 0.06, margin=0.05))
    None
    """
    if -margin < low and high < margin:
        return True
    return False if low >= margin or high <= -margin else None


def each_within(values: ArrayLike, halves: ArrayLike, margin: float) -> list[bool | None]:
    """Decide for each of several quantities whether it is 0 but for a margin, as `within` does.

    Parameters
    ----------
    values, halves : array-like of shape (n,)
        The quantities, and half of the width of the interval of each.
    margin : float
        The largest value that counts as none.

    Examples
    --------
    >>> each_within([0.01, 0.08], [0.02, 0.01], margin=0.05)
    [True, False]
    """
    value, half = np.asarray(values, dtype=float), np.asarray(halves, dtype=float)
    return [within(*ends, margin) for ends in zip(value - half, value + half, strict=True)]


def above(low: float, high: float, limit: float) -> bool | None:
    """Decide whether a quantity is above a limit, from an interval of it; None if it cannot be.

    Examples
    --------
    >>> above(0.1, 0.2, limit=0.0), above(-0.2, -0.1, limit=0.0), above(-0.1, 0.2, limit=0.0)
    (True, False, None)
    """
    if low > limit:
        return True
    return False if high <= limit else None


def below(low: float, high: float, limit: float) -> bool | None:
    """Decide whether a quantity is below a limit, from an interval of it; None if it cannot be.

    Examples
    --------
    >>> below(0.1, 0.2, limit=0.3), below(0.1, 0.2, limit=0.0), below(-0.1, 0.2, limit=0.0)
    (True, False, None)
    """
    return above(-high, -low, -limit)


class Paired(NamedTuple):
    """A mean difference, half the width of its interval, and the p-value."""

    mean: float
    half: float
    p: float

    @property
    def ends(self) -> tuple[float, float]:
        """The ends of the interval."""
        return self.mean - self.half, self.mean + self.half


def corrected_t(d: pd.Series, test_size: float = TEST_SIZE, level: float = 0.95) -> Paired:
    r"""Compare two methods by their differences over splits whose training rows overlap.

    The corrected resampled t-test gives the mean of K differences with the standard deviation s the
    variance

    .. math:: s^2 \left(\frac1K + \frac{n_\text{test}}{n_\text{train}}\right).

    Parameters
    ----------
    d : Series
        The differences, one a split.
    test_size : float, default=0.25
        Share of the rows that are held out.
    level : float, default=0.95
        Level of the interval.

    References
    ----------
    Nadeau & Bengio (2003), Inference for the generalization error.

    Examples
    --------
    >>> found = corrected_t(pd.Series([0.1, 0.2, 0.3, 0.2]))
    >>> round(found.mean, 3), round(found.p, 3)
    (0.2, 0.049)
    """
    d = d.dropna()
    k = len(d)
    se = sd(d) * math.sqrt(1 / k + test_size / (1 - test_size)) if k > 1 else math.nan
    p = 2 * stats.t.sf(abs(d.mean()) / se, k - 1) if se > 0 else 1.0
    return Paired(float(d.mean()), float(stats.t.isf((1 - level) / 2, k - 1) * se), float(p))


def of_sets(d: pd.Series, level: float = 0.95) -> Paired:
    """Compare two methods by their differences on several data sets, which are the sample.

    Parameters
    ----------
    d : Series
        The differences, one a set.
    level : float, default=0.95
        Level of the interval.

    Returns
    -------
    Paired
        Mean, half of the interval and p-value of Student's t-test.

    Examples
    --------
    >>> found = of_sets(pd.Series([0.1, 0.2, 0.3]), level=0.9)
    >>> round(found.mean, 3), round(found.half, 3)
    (0.2, 0.169)
    """
    return corrected_t(d, test_size=0.0, level=level)  # sets share no rows


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values for their number (Holm 1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(values)
    adjusted = np.maximum.accumulate((len(values) - np.arange(len(values))) * values[order])
    return np.minimum(adjusted, 1)[np.argsort(order)]


def critical_difference(n_methods: int, n_sets: int, level: float = 0.05) -> float:
    r"""Compute Nemenyi's difference, above which two mean ranks are told apart.

    .. math:: \frac{q}{\sqrt2} \sqrt{\frac{k(k+1)}{6n}}

    with the quantile q of the studentised range of k methods, on n data sets.

    References
    ----------
    Demšar (2006), Statistical comparisons of classifiers over multiple data sets.

    Examples
    --------
    >>> round(critical_difference(4, 14), 2)  # section 3.2.2 of Demšar
    1.25
    """
    q = stats.studentized_range.ppf(1 - level, n_methods, np.inf)
    return float(q / np.sqrt(2) * np.sqrt(n_methods * (n_methods + 1) / (6 * n_sets)))


def sign_flip(d: ArrayLike) -> float:
    """Test whether independent differences tend to be positive: the exact p-value, one-sided.

    If a difference is as likely as its opposite, each way to give them signs is as likely. The
    p-value is the share of the ways whose sum is at least that of `d`; of K differences it is at
    least 2**-K, and no fewer than five can fall below 0.05.

    Parameters
    ----------
    d : array-like of shape (K,)
        The differences, such as one a data set, at most 20; those that are nan are left out.

    Examples
    --------
    >>> sign_flip([0.2, 0.1, 0.4, 0.3, 0.2])
    0.03125
    >>> sign_flip([-0.1, 0.2])
    0.5
    """
    values = np.asarray(d, dtype=float)
    values = values[~np.isnan(values)]
    if not values.size:
        return 1.0
    signs = np.array(list(itertools.product((1, -1), repeat=values.size)))
    return float((signs @ values >= values.sum() - ROUNDING * np.abs(values).sum()).mean())


def block_correlation(x: ArrayLike, y: ArrayLike) -> tuple[float, float]:
    """Correlate the ranks of two tables, and test it with a line of the table as the unit.

    Cells of a line, such as the penalties of one data set, depend on each other. So the test gives
    whole lines of `x` to other lines of `y`; the p-value is the share of all ways to do so whose
    correlation is at most the one that was found.

    Parameters
    ----------
    x, y : array-like of shape (K, m)
        A line for each of K independent units, at most 8; cells with a nan in either are left out.

    Returns
    -------
    correlation, p : float
        Spearman's, and the p-value of its being negative; nan and 1 if it does not exist.

    Examples
    --------
    >>> x = np.arange(8).reshape(4, 2)
    >>> rho, p = block_correlation(x, -x)
    >>> round(rho, 3), round(p, 3)  # the best of 24 ways
    (-1.0, 0.042)
    """
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)

    def rank(lines: ArrayLike) -> float:
        a, b = first[np.asarray(lines)].ravel(), second.ravel()
        both = ~(np.isnan(a) | np.isnan(b))
        a, b = a[both], b[both]
        if a.size < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
            return math.nan
        return float(np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1])

    found = rank(range(len(first)))
    if math.isnan(found):
        return math.nan, 1.0
    shuffled = np.array([rank(lines) for lines in itertools.permutations(range(len(first)))])
    return found, float((shuffled[~np.isnan(shuffled)] <= found + ROUNDING).mean())
