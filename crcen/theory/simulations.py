"""Sim1 and Sim2: the two simulations of section 3.4."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crcen.validation import check_choice, check_count, check_rng

Sample = tuple[NDArray[np.float64], NDArray[np.int64]]


def sim1(
    n1: int,
    n0: int,
    rng: np.random.Generator,
    plus: Literal["sum", "mixture"] = "sum",
) -> Sample:
    """Draw Sim1: two normal variables, each plus a uniform one, on the line.

    Minority: N(-1.5, 1) + U(0, 0.5). Majority: N(1.5, 1) + U(-0.5, 0). The paper does not say
    whether the plus adds random variables or densities. It fits logistic regression.

    Parameters
    ----------
    n1 : int
        Minority rows.
    n0 : int
        Majority rows.
    rng : numpy.random.Generator
        Source of randomness.
    plus : {"sum", "mixture"}, default="sum"
        How to read the plus: a row is the sum of a draw from each, or from either with equal
        chances.

    Returns
    -------
    X : ndarray of shape (n1 + n0, 1)
        The minority rows, then the majority rows.
    y : ndarray of shape (n1 + n0,)
        1 for the minority class, 0 for the majority class.

    Raises
    ------
    ValueError
        If `plus` is neither of the two readings, a number of rows is no integer of zero or more, or
        `rng` is no generator.

    Examples
    --------
    >>> X, y = sim1(2, 20, np.random.default_rng(0))
    >>> X.shape, y.sum()
    ((22, 1), np.int64(2))
    """
    reading = check_choice("plus", plus, ("sum", "mixture"))
    n1, n0, rng = check_count("n1", n1, 0), check_count("n0", n0, 0), check_rng(rng)

    def draw(n: int, mean: float, low: float) -> NDArray[np.float64]:
        normal, uniform = rng.normal(mean, 1, n), rng.uniform(low, low + 0.5, n)
        return (
            normal + uniform if reading == "sum" else np.where(rng.random(n) < 0.5, normal, uniform)
        )

    x1, x0 = draw(n1, -1.5, 0.0), draw(n0, 1.5, -0.5)
    return np.concatenate([x1, x0])[:, None], _labels(n1, n0)


def sim2(
    n1: int,
    n0: int,
    rng: np.random.Generator,
    sigma1: Literal["covariance", "deviation"] = "covariance",
) -> Sample:
    """Draw Sim2: two normal distributions in three dimensions.

    Minority: mean (0, 0, 0), sigma_1 = 1.2 I. Majority: mean (1, 1, 1), sigma_0 = I. The paper does
    not say whether sigma_1 is the covariance (a standard deviation of sqrt(1.2) = 1.095 on each
    axis) or the standard deviation (1.2). It fits a (3, 10, 1) network with sigmoid activation.

    Parameters
    ----------
    n1 : int
        Minority rows.
    n0 : int
        Majority rows.
    rng : numpy.random.Generator
        Source of randomness.
    sigma1 : {"covariance", "deviation"}, default="covariance"
        How to read sigma_1 = 1.2 I.

    Returns
    -------
    X : ndarray of shape (n1 + n0, 3)
        The minority rows, then the majority rows.
    y : ndarray of shape (n1 + n0,)
        1 for the minority class, 0 for the majority class.

    Raises
    ------
    ValueError
        If `sigma1` is neither of the two readings, a number of rows is no integer of zero or more,
        or `rng` is no generator.

    Examples
    --------
    >>> X, y = sim2(2, 20, np.random.default_rng(0))
    >>> X.shape, y.sum()
    ((22, 3), np.int64(2))
    """
    reading = check_choice("sigma1", sigma1, ("covariance", "deviation"))
    n1, n0, rng = check_count("n1", n1, 0), check_count("n0", n0, 0), check_rng(rng)
    deviation = np.sqrt(1.2) if reading == "covariance" else 1.2
    x1 = rng.normal(0, deviation, (n1, 3))
    x0 = rng.normal(1, 1, (n0, 3))
    return np.concatenate([x1, x0]), _labels(n1, n0)


def _labels(n1: int, n0: int) -> NDArray[np.int64]:
    return np.repeat(np.array([1, 0]), [n1, n0])
