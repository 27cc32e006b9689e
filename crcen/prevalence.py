r"""Another prevalence: how frequent the minority has become, from unlabelled rows alone.

If the classes keep their densities and only their shares change, the scores of new rows are a
mixture of two known densities. Saerens, Latinne and Decaestecker maximise its likelihood by EM.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import norm

from crcen.validation import BETWEEN, PROBABILITY, TINY, check_number, check_numbers


class Prevalence(NamedTuple):
    """An estimated share of the minority.

    Attributes
    ----------
    value : float
        The share, from 0 to 1.
    error : float
        Its standard error, from the curvature of the likelihood; inf if the rows tell nothing.
    """

    value: float
    error: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Bound the share, by the normal law.

        Raises
        ------
        ValueError
            If `level` is outside (0, 1).
        """
        half = norm.isf((1 - check_number("level", level, BETWEEN)) / 2) * self.error
        return max(self.value - float(half), 0.0), min(self.value + float(half), 1.0)


def prevalence(p: ArrayLike, prior: float) -> Prevalence:
    r"""Estimate the share of the minority among new rows from calibrated probabilities.

    The maximum over q of the likelihood of which EM climbs to the top,

    .. math:: \sum_i \log\left(q \frac{p_i}{\pi} + (1 - q) \frac{1 - p_i}{1 - \pi}\right),

    with :math:`\pi` the share for which the probabilities are calibrated. It is concave in q.

    Parameters
    ----------
    p : array-like of shape (n,)
        Probabilities of class 1 for the new rows. Those of a weighted model are shifted back
        first, by `crcen.prior_shift` or by an audit's `shift_back`.
    prior : float
        Share of the minority at which they are calibrated, that of the training rows, in (0, 1).

    Returns
    -------
    Prevalence
        The share, with its standard error.

    Raises
    ------
    ValueError
        If `p` is empty or does not hold probabilities, or `prior` is outside (0, 1).

    References
    ----------
    Saerens, Latinne and Decaestecker (2002), Adjusting the outputs of a classifier to new a priori
    probabilities.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(2 * (rng.random(5000) < 0.3), 1)  # of which 30% are the minority
    >>> p = 1 / (1 + np.exp(2 - 2 * x) * 9)  # calibrated where 10% are
    >>> found = prevalence(p, 0.1)
    >>> round(found.value, 2), round(found.error, 3)
    (0.31, 0.009)
    """
    prior = check_number("prior", prior, BETWEEN)
    p = check_numbers("p", p, PROBABILITY, ndim=1, remedy="pass predict_proba(X)[:, 1]")
    if not p.size:
        raise ValueError("p is empty: give the probability of one row or more.")
    # Both densities over that of the old mixture, times prior (1 - prior), which cancels.
    rest = (1 - p) * prior
    difference = p * (1 - prior) - rest

    def slope(q: float) -> float:
        with np.errstate(divide="ignore"):  # a row that is certain excludes an end
            return float(np.mean(difference / (rest + q * difference)))

    low, high = TINY, 1 - float(np.finfo(np.float64).epsneg)
    if slope(low) <= 0:
        value = 0.0
    elif slope(high) >= 0:
        value = 1.0
    else:
        value = float(brentq(slope, low, high))
    with np.errstate(divide="ignore"):
        curvature = np.sum((difference / (rest + value * difference)) ** 2)
        return Prevalence(value, float(1 / np.sqrt(curvature)))
