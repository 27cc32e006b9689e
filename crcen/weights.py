r"""The weight lambda, its multiplier alpha, and what they do to the prior.

With :math:`N_1` minority rows (y = 1), :math:`N_0` majority rows (y = 0) and
:math:`\mathrm{IR} = N_0/N_1`, the paper weights a minority row by :math:`\lambda` and a
majority row by :math:`1-\lambda` (Eq. 1), and in section 4.2 writes

.. math:: \lambda = \frac{\alpha N_0}{\alpha N_0 + N_1},

so that alpha = 1 weights by inverse class frequency and alpha = 1/IR is plain cross entropy.
"""

from __future__ import annotations

import numbers

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_lam(lam: float) -> float:
    """Return lambda as a float if it lies strictly between 0 and 1.

    Parameters
    ----------
    lam : float
        Weight of the minority class in Eq. 1.

    Returns
    -------
    float
        The same number.

    Raises
    ------
    ValueError
        If `lam` is not a number in the open interval (0, 1).

    Examples
    --------
    >>> check_lam(0.5)
    0.5
    """
    if not isinstance(lam, numbers.Real) or not 0 < lam < 1:
        raise ValueError(
            f"lam={lam!r} is not a weight: give a number strictly between 0 and 1 "
            "(0.5 is plain cross entropy), or lam_from_alpha(1, imbalance_ratio(y)) to balance."
        )
    return float(lam)


def imbalance_ratio(y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Compute IR = N0/N1, the paper's imbalance ratio.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels, 1 for the minority class and 0 for the majority class.
    sample_weight : array-like of shape (n,), optional
        Row weights; a row of weight k counts as k rows. Each row counts once by default.

    Returns
    -------
    float
        The ratio of the two (weighted) counts.

    Raises
    ------
    ValueError
        If `y` holds other values than 0 and 1, or one class only, or a weight is negative.

    Examples
    --------
    >>> imbalance_ratio([0, 0, 0, 1])
    3.0
    """
    y = check_binary(y)
    s = check_weights(sample_weight, y.size)
    n1, n0 = s[y == 1].sum(), s[y == 0].sum()
    if n1 == 0 or n0 == 0:
        raise ValueError(
            f"y has {n0:g} rows of class 0 and {n1:g} of class 1: "
            "an imbalance ratio needs both classes."
        )
    return float(n0 / n1)


def lam_from_alpha(alpha: float, imbalance_ratio: float) -> float:
    """Compute lambda = alpha N0 / (alpha N0 + N1) (section 4.2).

    Parameters
    ----------
    alpha : float
        Multiplier of the inverse-frequency weight, positive; 1 balances the classes.
    imbalance_ratio : float
        IR = N0/N1, positive.

    Returns
    -------
    float
        The weight lambda of the minority class, in (0, 1).

    Raises
    ------
    ValueError
        If `alpha` or `imbalance_ratio` is not positive and finite, or so large that lambda rounds
        to 1.

    Examples
    --------
    >>> lam_from_alpha(1, 4)
    0.8
    """
    check_positive("alpha", alpha)
    check_positive("imbalance_ratio", imbalance_ratio)
    weighted = alpha * imbalance_ratio
    return check_lam(weighted / (weighted + 1))


def alpha_from_lam(lam: float, imbalance_ratio: float) -> float:
    """Compute alpha = lambda N1 / ((1 - lambda) N0), the inverse of `lam_from_alpha`.

    It is also the prior odds of the minority class in the weighted sample: 1 when the two
    classes carry the same weight.

    Parameters
    ----------
    lam : float
        Weight of the minority class, in (0, 1).
    imbalance_ratio : float
        IR = N0/N1, positive.

    Returns
    -------
    float
        The multiplier alpha.

    Raises
    ------
    ValueError
        If `lam` is outside (0, 1), or `imbalance_ratio` is not positive and finite.

    Examples
    --------
    >>> alpha_from_lam(0.5, 4)
    0.25
    """
    lam = check_lam(lam)
    check_positive("imbalance_ratio", imbalance_ratio)
    return lam / ((1 - lam) * imbalance_ratio)


def prior_shift(p: ArrayLike, lam: float) -> NDArray[np.float64]:
    r"""Turn plain probabilities into those that weight lambda would give.

    The minimiser of Eq. 1 over all functions obeys
    :math:`\operatorname{logit} p_\lambda = \operatorname{logit} p_{1/2} +
    \log\frac{\lambda}{1-\lambda}`, that is

    .. math:: p_\lambda = \frac{\lambda p}{\lambda p + (1-\lambda)(1-p)}.

    ``prior_shift(p_lam, 1 - lam)`` is the inverse: it takes the probabilities of a model trained
    with weight lambda back to the prior of the training data.

    Parameters
    ----------
    p : array-like
        Probabilities of class 1 under plain cross entropy (lambda = 1/2).
    lam : float
        Weight of the minority class, in (0, 1).

    Returns
    -------
    ndarray, the shape of `p`
        Shifted probabilities.

    Raises
    ------
    ValueError
        If `lam` is outside (0, 1), or a value of `p` outside [0, 1].

    References
    ----------
    Elkan (2001), The foundations of cost-sensitive learning, theorem 2.

    Examples
    --------
    >>> prior_shift([0.1, 0.5], 0.9)
    array([0.5, 0.9])
    """
    p, lam = np.asarray(p, dtype=float), check_lam(lam)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(
            f"p must hold probabilities, got values from {p.min()} to {p.max()}: pass "
            "predict_proba(X)[:, 1]."
        )
    return lam * p / (lam * p + (1 - lam) * (1 - p))


def check_binary(y: ArrayLike) -> NDArray[np.float64]:
    """Return labels as a float vector of zeros and ones, or say what else is in them."""
    y = np.asarray(y)
    if y.ndim != 1 or not np.isin(y, (0, 1)).all():
        raise ValueError(
            f"y must be a vector of 0 (majority) and 1 (minority), got shape {y.shape} with the "
            f"values {np.unique(y)[:5].tolist()}: code the minority class as 1."
        )
    return y.astype(float)


def check_weights(sample_weight: ArrayLike | None, n: int) -> NDArray[np.float64]:
    """Return row weights as a float vector, ones by default, or say what is wrong with them."""
    if sample_weight is None:
        return np.ones(n)
    s = np.asarray(sample_weight, dtype=float)
    if s.shape != (n,):
        raise ValueError(f"sample_weight has shape {s.shape}: give a weight for each of {n} rows.")
    if not (good := np.isfinite(s) & (s >= 0)).all():
        raise ValueError(
            f"sample_weight has the value {s[~good][0]:g} in row {good.argmin()}: "
            "give finite weights of zero or more."
        )
    return s


def check_positive(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """Return numbers as a float array, or say that they are not all positive and finite."""
    values = np.asarray(value, dtype=float)
    if not ((values > 0) & np.isfinite(values)).all():
        raise ValueError(f"{name}={value!r} must be positive and finite.")
    return values


def check_count(name: str, value: int) -> int:
    """Return a number of things as an integer, or say that it is none or below 1."""
    if not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{name}={value!r} must be an integer of 1 or more.")
    return int(value)
