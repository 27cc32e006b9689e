r"""The weight lambda, its multiplier alpha, and what they do to the prior.

With :math:`N_1` minority rows (y = 1), :math:`N_0` majority rows (y = 0) and
:math:`\mathrm{IR} = N_0/N_1`, the paper weights a minority row by :math:`\lambda` and a
majority row by :math:`1-\lambda` (Eq. 1), and in section 4.2 writes

.. math:: \lambda = \frac{\alpha N_0}{\alpha N_0 + N_1},

so that alpha = 1 weights by inverse class frequency and alpha = 1/IR is plain cross entropy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from crcen.validation import (
    POSITIVE,
    PROBABILITY,
    TINY,
    Values,
    check_binary,
    check_lam,
    check_number,
    check_numbers,
    check_weights,
)


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
        If `y` holds other values than 0 and 1, or one class only; a weight is negative; or the
        weights of the classes are so far apart that their ratio is beyond the range of a float.

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
    ratio = float(n0) / float(n1)
    if not 0 < ratio < np.inf:
        raise ValueError(
            f"sample_weight makes the imbalance ratio {ratio:g}: give weights of comparable size."
        )
    return ratio


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
        If `alpha` or `imbalance_ratio` is not positive and finite, or their product so large or so
        small that lambda rounds to 1 or to 0.

    Examples
    --------
    >>> lam_from_alpha(1, 4)
    0.8
    """
    odds = check_number("alpha", alpha, POSITIVE) * check_number(
        "imbalance_ratio", imbalance_ratio, POSITIVE
    )
    lam = odds / (odds + 1)
    if not TINY <= lam < 1:  # or not a number, if the odds are infinite
        raise ValueError(
            f"alpha={alpha!r} at imbalance_ratio={imbalance_ratio!r} is beyond what a weight can "
            f"express, lambda rounds to {0 if odds < 1 else 1}: their product, which is "
            "lambda/(1 - lambda), must lie between 1e-307 and 1e15."
        )
    return lam


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
        If `lam` is outside (0, 1), `imbalance_ratio` is not positive and finite, or alpha is beyond
        the range of a float.

    Examples
    --------
    >>> alpha_from_lam(0.5, 4)
    0.25
    """
    lam = check_lam(lam)
    ratio = check_number("imbalance_ratio", imbalance_ratio, POSITIVE)
    alpha = lam / ((1 - lam) * ratio) if (1 - lam) * ratio else np.inf
    if not TINY <= alpha <= 1 / TINY:
        raise ValueError(
            f"imbalance_ratio={imbalance_ratio!r} makes alpha={alpha:.3g} of lam={lam!r}, beyond "
            "the range of a float: go nearer to 1."
        )
    return alpha


def prior_shift(p: ArrayLike, lam: float) -> Values:
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
    lam = check_lam(lam)
    p = check_numbers("p", p, PROBABILITY, remedy="pass predict_proba(X)[:, 1]")
    return lam * p / (lam * p + (1 - lam) * (1 - p))
