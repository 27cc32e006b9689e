r"""The key equation: what a trained network's probabilities must satisfy.

On the training data, at a stationary point, for the output bias (Eq. 6):

.. math:: \frac{\sum_{i \in S_1} (1-p_i)}{\sum_{j \in S_0} p_j} = \frac{1-\lambda}{\lambda}

and, on fresh data from the same class-conditional distributions (Eq. 7),

.. math:: \frac{1-\bar p_1}{\bar p_0} \approx \frac{N_0(1-\lambda)}{N_1\lambda}.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from crcen.validation import (
    check_binary,
    check_both,
    check_lam,
    check_probabilities,
    check_weights,
)
from crcen.weights import alpha_from_lam


class KeyEquation(NamedTuple):
    """Both sides of Eq. 6 or Eq. 7, and how far they are apart.

    Attributes
    ----------
    lhs, rhs : float
        The left-hand and the right-hand side.
    residual : float
        ``lhs / rhs - 1``, which is 0 where the equation holds.
    """

    lhs: float
    rhs: float
    residual: float


def sides(missed: float, false: float, rhs: float) -> KeyEquation:
    """Divide the two sums of the left-hand side, and compare with the right-hand side.

    A network that is certain of every majority row has no finite ratio: that is inf, or nan with a
    RuntimeWarning if it is certain of every minority row, too.
    """
    if missed == 0 == false:
        warnings.warn(
            "both sums of the key equation are zero, so that its quotient is not a number: every "
            "row is predicted with certainty, as by a network trained on separable rows.",
            RuntimeWarning,
            stacklevel=3,
        )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        lhs = float(np.float64(missed) / np.float64(false))
        return KeyEquation(lhs, rhs, float(np.float64(lhs) / rhs - 1))


def key_equation(
    y: ArrayLike, p: ArrayLike, lam: float, sample_weight: ArrayLike | None = None
) -> KeyEquation:
    """Evaluate Eq. 6 on the data that a model was trained on.

    The residual is a convergence check that costs nothing: 0 at a stationary point of Eq. 1
    whose output bias is not penalised, whatever the network.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels, 1 for the minority class and 0 for the majority class.
    p : array-like of shape (n,)
        Predicted probabilities of class 1.
    lam : float
        Weight of the minority class in the loss, in (0, 1).
    sample_weight : array-like of shape (n,), optional
        Row weights the model was trained with; they weight both sums. Ones by default.

    Returns
    -------
    KeyEquation
        ``lhs`` = sum over class 1 of 1 - p, over sum over class 0 of p; ``rhs`` = (1 - lam)/lam;
        ``residual`` = lhs/rhs - 1.

    Raises
    ------
    ValueError
        If `lam` is outside (0, 1), `y` is empty or not of zeros and ones, `p` does not hold a
        probability for each of them, or a weight is negative.

    Warns
    -----
    RuntimeWarning
        If both sums are zero, so that `lhs` and `residual` are nan.

    References
    ----------
    Li & Zhu (2019), arXiv 1906.04026, Eq. 6.

    Examples
    --------
    >>> key_equation([1, 0, 0], [0.6, 0.3, 0.1], lam=0.5)
    KeyEquation(lhs=1.0, rhs=1.0, residual=0.0)
    """
    y, lam = check_binary(y), check_lam(lam)
    p, s = check_probabilities(p, y.size), check_weights(sample_weight, y.size)
    return sides(float(s @ (y * (1 - p))), float(s @ ((1 - y) * p)), (1 - lam) / lam)


def mean_probabilities(y: ArrayLike, p: ArrayLike) -> tuple[float, float]:
    """Average the predicted probability of class 1 over each class (p1bar and p0bar of Eq. 7).

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels, 1 for the minority class and 0 for the majority class.
    p : array-like of shape (n,)
        Predicted probabilities of class 1.

    Returns
    -------
    p1bar, p0bar : float
        The mean of `p` over the minority rows and over the majority rows.

    Raises
    ------
    ValueError
        If `y` is not of zeros and ones or holds one class only, or `p` does not hold a probability
        for each of them.

    Examples
    --------
    >>> mean_probabilities([1, 0, 0], [0.5, 0.25, 0.75])
    (0.5, 0.5)
    """
    y = check_both(y, "a mean")
    p = check_probabilities(p, y.size)
    return float(p[y == 1].mean()), float(p[y == 0].mean())


def fresh_key_equation(
    y: ArrayLike, p: ArrayLike, lam: float, imbalance_ratio: float
) -> KeyEquation:
    """Evaluate Eq. 7 on fresh data from the same two class-conditional distributions.

    The class counts of the fresh data do not matter; those of the training data do.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels of the fresh data, 1 for the minority class and 0 for the majority class.
    p : array-like of shape (n,)
        Predicted probabilities of class 1.
    lam : float
        Weight of the minority class in the loss, in (0, 1).
    imbalance_ratio : float
        N0/N1 of the training data.

    Returns
    -------
    KeyEquation
        ``lhs`` = (1 - p1bar)/p0bar; ``rhs`` = N0 (1 - lam)/(N1 lam); ``residual`` = lhs/rhs - 1.

    Raises
    ------
    ValueError
        If `lam` is outside (0, 1), `imbalance_ratio` is not positive, `y` is not of zeros and ones
        with both present, or `p` does not hold a probability for each of them.

    Warns
    -----
    RuntimeWarning
        If p is 1 on every minority row and 0 on every other, so that `lhs` is nan.

    References
    ----------
    Li & Zhu (2019), arXiv 1906.04026, Eq. 7.

    Examples
    --------
    >>> fresh_key_equation([1, 0], [0.5, 0.25], lam=0.5, imbalance_ratio=2)
    KeyEquation(lhs=2.0, rhs=2.0, residual=0.0)
    """
    p1bar, p0bar = mean_probabilities(y, p)
    return sides(1 - p1bar, p0bar, 1 / alpha_from_lam(lam, imbalance_ratio))
