r"""The price of a weight: what weighting costs beside a moved threshold, to first order.

Let logistic regression be trained on n rows, with the weights :math:`\lambda, 1-\lambda` or
plainly, and decide at threshold 1/2 or at :math:`1-\lambda`. If :math:`\hat\theta` has the limit
:math:`\theta` with :math:`n\,\mathrm{Cov}(\hat\theta) \to \Sigma` and :math:`n\,E(\hat\theta -
\theta) \to b`, a smooth cost C of the decisions has the mean

.. math:: E\,C(\hat\theta) \approx C(\theta) + \frac1n
          \left(\nabla C \cdot b + \tfrac12 \operatorname{tr}(J \Sigma)\right) , \qquad
          J = \nabla^2 C(\theta) .

If the model is right, both limits are the best rule, the gradient vanishes, and only
:math:`\Sigma` differs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import trapezoid
from scipy.special import expit
from scipy.stats import chi2

from crcen.validation import (
    FINITE,
    NOT_NEGATIVE,
    POSITIVE,
    Values,
    check_both,
    check_count,
    check_lam,
    check_matrix,
    check_number,
    check_numbers,
)

LARGEST = 1e6  # parameter that differences are taken around
NEAREST = 1e-6  # of two Gaussian classes: below, what is divided by the distance overflows
FARTHEST = 20.0  # of two Gaussian classes: the information of a row at the boundary is 1e-22 of it


class Price(NamedTuple):
    """First-order excess cost of the two ways, times the number of minority rows.

    Attributes
    ----------
    plain, weighted : float
        The excess over the best rule is this divided by the minority rows trained on.
    """

    plain: float
    weighted: float

    @property
    def factor(self) -> float:
        """By what the weight multiplies the excess: 1 or more if the model is right."""
        return self.weighted / self.plain


class Limit(NamedTuple):
    """What a fit does around its limit, for fixed class counts.

    Attributes
    ----------
    covariance : ndarray of shape (d + 1, d + 1)
        n times the covariance of the parameters, intercept first.
    bias : ndarray of shape (d + 1,)
        n times their mean distance from the limit.
    """

    covariance: Values
    bias: Values


def gaussian_price(
    distance: float, n_features: int, imbalance_ratio: float, alpha: float = 1.0
) -> Price:
    r"""Compute the price of a weight for two normal classes with one covariance (Proposition 15).

    The cost is :math:`(\alpha (1 - t) + u)/(1 + \alpha)` for a recall t and a false-alarm rate u:
    the balanced error for alpha = 1. Along the discriminant the matrices are integrals of one
    dimension; the other directions add a number each.

    Parameters
    ----------
    distance : float
        Mahalanobis distance of the classes, from 1e-6 to 20.
    n_features : int
        Columns, without the intercept.
    imbalance_ratio : float
        IR = N0/N1 of the training rows, positive.
    alpha : float, default=1
        Odds of the minority class in the weighted sample.

    Returns
    -------
    Price
        The factor is 1 if lambda is 1/2, that is if alpha is 1/IR, and above 1 otherwise.

    Raises
    ------
    ValueError
        If `imbalance_ratio` or `alpha` is not positive, `distance` outside its range,
        `n_features` no positive integer, or next to no rows are at the boundary or in a class.

    Examples
    --------
    >>> price = gaussian_price(2.0, n_features=5, imbalance_ratio=10)
    >>> round(price.factor, 3)
    1.29
    >>> round(gaussian_price(2.0, 5, imbalance_ratio=10, alpha=0.1).factor, 6)
    1.0
    """
    d = check_number("distance", distance, POSITIVE)
    if not NEAREST <= d <= FARTHEST:
        raise ValueError(f"distance={distance!r} must be from {NEAREST:g} to {FARTHEST:g}.")
    columns = check_count("n_features", n_features)
    ratio = check_number("imbalance_ratio", imbalance_ratio, POSITIVE)
    odds = check_number("alpha", alpha, POSITIVE)
    share = 1 / (1 + ratio)
    x = np.linspace(-d / 2 - 12, d / 2 + 12, 8001)
    f1, f0 = (np.exp(-((x - s * d / 2) ** 2) / 2) / math.sqrt(2 * math.pi) for s in (1, -1))
    p = expit(d * x - math.log(ratio))
    information = (share * f1 + (1 - share) * f0) * p * (1 - p)
    discount = 1 / (odds * ratio * p + (1 - p))  # of the plain score of a row, by the weight
    at = np.array([1.0, -math.log(odds) / d])  # the boundary
    if abs(at[1]) > d / 2 + 8 or not 1e-9 < share < 1 - 1e-9:
        raise ValueError(
            f"alpha={alpha!r} and imbalance_ratio={imbalance_ratio!r} leave next to no rows at the "
            "boundary or in a class: give moderate ones."
        )

    def quadratic(weight: Values) -> float:
        """Variance of the logit at the boundary, over all directions but for the intercept."""
        bread, meat = (
            np.array([[trapezoid(v * x ** (i + j), x) for j in (0, 1)] for i in (0, 1)])
            for v in (weight * information, weight**2 * information)
        )
        along = np.linalg.solve(bread, at)
        return float(along @ meat @ along + (columns - 1) * meat[0, 0] / bread[0, 0] ** 2)

    density = 2 * float(np.interp(at[1], x, f0)) / (1 + odds) / d
    plain, weighted = (
        density / 4 * share * (quadratic(g) - 1 / (share * (1 - share)))
        for g in (np.ones_like(x), discount)
    )
    return Price(plain, weighted)


def sandwich(
    X: ArrayLike, y: ArrayLike, theta: ArrayLike, lam: float, penalty: float = 0.0
) -> Limit:
    r"""Estimate covariance and bias of a weighted logistic regression, right or wrong.

    With :math:`z = (1, x)`, the score :math:`\psi = w_y (y - p) z`, its mean slope -A and its
    covariance B within the classes, whose counts are fixed,

    .. math:: \Sigma = A^{-1} B A^{-1}, \qquad
              b = A^{-1} \left(E[\psi' A^{-1} \psi]
              - \tfrac12 E[w_y p (1-p) (1-2p)\, z\, z^\top \Sigma z]\right) ,

    where the first mean is again of deviations within the classes.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Rows, without a constant column.
    y : array-like of shape (n,)
        Labels, 1 for the minority class and 0 for the majority class.
    theta : array-like of shape (d + 1,)
        Intercept and coefficients of the fit at `lam`, or of its limit.
    lam : float
        Weight of the minority class; the majority has 1 - lam.
    penalty : float, default=0
        Coefficient of half the squared coefficients, beside the sum over rows of the weighted loss.

    Returns
    -------
    Limit
        Of the parameters, times n.

    Raises
    ------
    ValueError
        If the shapes differ, a number is not finite, one class is missing, `lam` is not in (0, 1),
        `penalty` is negative, or the rows do not determine the parameters.

    References
    ----------
    Huber (1967), The behavior of maximum likelihood estimates under nonstandard conditions; Cox &
    Snell (1968), A general definition of residuals.

    Examples
    --------
    >>> X, y = [[-1.0], [0.0], [1.0], [0.0]], [0, 1, 1, 0]
    >>> limit = sandwich(X, y, theta=[0.0, 1.0], lam=0.5)
    >>> limit.covariance.shape, limit.bias.shape
    ((2, 2), (2,))
    """
    Z, labels, w, p, slope = _fit(X, y, theta, lam, penalty)
    n = labels.size
    inverse = np.linalg.inv(slope / n)
    score = Z * (w * (labels - p))[:, None]
    curve = w * p * (1 - p)
    meat, cross = np.zeros_like(slope), np.zeros(len(slope))
    for k in (0, 1):
        rows = labels == k
        centred = score[rows] - score[rows].mean(axis=0)
        meat += centred.T @ centred / n
        cross -= Z[rows].T @ (curve[rows] * (Z[rows] @ inverse * centred).sum(axis=1)) / n
    covariance = inverse @ meat @ inverse
    spread = (Z @ covariance * Z).sum(axis=1)
    bias = inverse @ (cross - Z.T @ (curve * (1 - 2 * p) * spread) / (2 * n))
    return Limit(covariance, bias)


def expected_cost(
    cost: Callable[[Values], float], theta: ArrayLike, limit: Limit
) -> tuple[float, float]:
    r"""Expand the mean cost of a fit in 1/n: the cost at the limit, and the coefficient of 1/n.

    .. math:: C(\theta), \qquad \nabla C \cdot b + \tfrac12 \operatorname{tr}(J \Sigma)

    with central differences for the gradient and J.

    Parameters
    ----------
    cost : callable
        Cost of the decisions, from intercept and coefficients; smooth at `theta`.
    theta : array-like of shape (d + 1,)
        The limit.
    limit : Limit
        Covariance and bias, as `sandwich` gives them.

    Returns
    -------
    at_limit, coefficient : float
        The mean cost of n rows is the first plus the second over n, to first order.

    Raises
    ------
    ValueError
        If `theta` is no vector of moderate numbers, or `limit` has not as many parameters.

    Examples
    --------
    >>> limit = Limit(covariance=np.eye(2), bias=np.array([1.0, 0.0]))
    >>> at, coefficient = expected_cost(lambda t: float(t[0] + t @ t), [0.0, 0.0], limit)
    >>> round(at, 6), round(coefficient, 6)
    (0.0, 3.0)
    """
    at = check_numbers("theta", theta, FINITE, 1)
    if limit.covariance.shape != (at.size, at.size) or not 0 < np.abs(at).max(initial=1) < LARGEST:
        raise ValueError(
            f"theta must be {limit.bias.size} parameters below {LARGEST:g}, as the limit has them."
        )
    # The error of a central difference is of the order step squared, that of rounding is 1e-16
    # over step squared: both are about 1e-8 here.
    step = 1e-4 * max(1.0, float(np.abs(at).max()))
    value = float(cost(at))
    # Along the axes of the covariance, so that each direction needs two values.
    scales, axes = np.linalg.eigh(limit.covariance)
    second = [cost(at + step * axis) - 2 * value + cost(at - step * axis) for axis in axes.T]
    length = float(np.linalg.norm(limit.bias))
    towards = limit.bias / length if length else limit.bias
    slope = (cost(at + step * towards) - cost(at - step * towards)) / (2 * step)
    return value, float(slope * length + scales @ np.array(second) / step**2 / 2)


class Hausman(NamedTuple):
    """The distance of two fits that agree if the model is right, its degrees of freedom, and p."""

    statistic: float
    df: int
    p: float


def misspecification(
    X: ArrayLike,
    y: ArrayLike,
    plain: ArrayLike,
    weighted: ArrayLike,
    lam: float,
    penalties: tuple[float, float] = (0.0, 0.0),
) -> Hausman:
    r"""Test whether a logistic regression is right: then weighting shifts its intercept alone.

    The difference of the two, without the shift :math:`\log\frac\lambda{1-\lambda}` of the
    intercept, is a mean of row influences, whose covariance makes it a chi-squared.

    Parameters
    ----------
    X, y : array-like of shape (n, d) and (n,)
        The training rows.
    plain, weighted : array-like of shape (d + 1,)
        Intercept and coefficients of the two fits.
    lam : float
        Weight of the second.
    penalties : tuple of float
        Of the two fits, as for `sandwich`; they should be light.

    Returns
    -------
    Hausman
        A small p says that the model is wrong.

    Raises
    ------
    ValueError
        As for `sandwich`.

    References
    ----------
    Hausman (1978), Specification tests in econometrics; White (1982), Maximum likelihood estimation
    of misspecified models.

    Examples
    --------
    >>> X, y = [[-1.0], [0.0], [1.0], [0.0]], [0, 1, 1, 0]
    >>> shift = np.log(0.8 / 0.2)
    >>> misspecification(X, y, [0.0, 1.0], [shift, 1.0], lam=0.8).p
    1.0
    """
    influences = []
    for name, theta, weight, penalty in (
        ("plain", plain, 0.5, penalties[0]),
        ("weighted", weighted, lam, penalties[1]),
    ):
        Z, labels, w, p, slope = _fit(X, y, theta, weight, penalty, name)
        influences.append(Z * (w * (labels - p))[:, None] @ np.linalg.inv(slope))
    d = check_numbers("weighted", weighted, FINITE) - check_numbers("plain", plain, FINITE)
    d[0] -= math.log(lam / (1 - lam))
    each = influences[1] - influences[0]
    with np.errstate(over="ignore", invalid="ignore"):
        square = each.T @ each
    if not np.isfinite(square).all():
        raise ValueError("X is too large for its squares to be finite: scale the columns.")
    scales, axes = np.linalg.eigh(square)
    kept = scales > 1e-10 * max(scales.max(), 1e-300)
    statistic, df = float(((axes[:, kept].T @ d) ** 2 / scales[kept]).sum()), int(kept.sum())
    return Hausman(statistic, df, float(chi2.sf(statistic, df)) if df else 1.0)


def price_of_fit(
    X: ArrayLike,
    y: ArrayLike,
    plain: ArrayLike,
    penalties: tuple[float, float] = (0.0, 0.0),
) -> Price:
    r"""Estimate the price of the balancing weight from a plain fit, as if its model were right.

    Then its probabilities give both covariances, and with :math:`\eta` its logit for balanced
    classes and the row weights q, which give each class one half, the excess is

    .. math:: \frac1n \cdot \frac14 \sum_i q_i\, K(\eta_i)\, z_i^\top \Sigma z_i

    where K, a normal density of width 1, stands for the boundary.

    Parameters
    ----------
    X, y : array-like of shape (n, d) and (n,)
        The training rows.
    plain : array-like of shape (d + 1,)
        Intercept and coefficients of the fit at lambda = 1/2.
    penalties : tuple of float
        Of this fit and of the weighted one, as for `sandwich`.

    Returns
    -------
    Price
        Of the balanced error, times the minority rows. The factor is at least 1 without a penalty.

    Raises
    ------
    ValueError
        As for `sandwich`.

    Examples
    --------
    >>> X, y = [[-2.0], [-1.0], [1.0], [0.0], [0.5]], [0, 0, 1, 0, 1]
    >>> price_of_fit(X, y, plain=[-0.4, 1.0]).factor >= 1
    True
    """
    labels = check_both(y, "a price")
    share, n = float(labels.mean()), labels.size
    Z, _, _, p, _ = _fit(X, y, plain, 0.5, penalties[0], "plain")
    eta = Z @ check_numbers("plain", plain, FINITE, 1) + math.log((1 - share) / share)
    q = np.where(labels == 1, 1 / share, 1 / (1 - share)) / (2 * n)
    near = q * np.exp(-(eta**2) / 2) / math.sqrt(2 * math.pi)
    lam = 1 - share
    found = []
    for score, penalty in (
        (np.full(n, 0.5), penalties[0]),
        (lam * (1 - lam) / (lam * p + (1 - lam) * (1 - p)), penalties[1]),
    ):
        meat = (Z * (score**2 * p * (1 - p))[:, None]).T @ Z
        slope = (Z * (score * p * (1 - p))[:, None]).T @ Z
        slope[np.arange(1, len(slope)), np.arange(1, len(slope))] += penalty
        inverse = np.linalg.inv(slope)
        covariance = n * inverse @ meat @ inverse
        covariance[0, 0] -= 1 / (share * (1 - share))  # the counts of the classes are fixed
        found.append(share / 4 * float(near @ (Z @ covariance * Z).sum(axis=1)))
    return Price(*found)


def _fit(
    X: ArrayLike,
    y: ArrayLike,
    theta: ArrayLike,
    lam: float,
    penalty: float,
    name: str = "theta",
) -> tuple[Values, Values, Values, Values, Values]:
    """Return rows with a constant, labels, weights, probabilities and the objective's curvature."""
    labels = check_both(y, "a fit")
    rows = check_matrix(X, labels.size)
    lam, strength = check_lam(lam), check_number("penalty", penalty, NOT_NEGATIVE)
    at = check_numbers(name, theta, FINITE, 1)
    if at.size != rows.shape[1] + 1:
        raise ValueError(
            f"{name} has {at.size} parameters for {rows.shape[1]} columns: give the intercept and "
            "a coefficient for each."
        )
    Z = np.column_stack([np.ones(labels.size), rows])
    w, p = np.where(labels == 1, lam, 1 - lam), expit(Z @ at)
    slope = (Z * (w * p * (1 - p))[:, None]).T @ Z
    slope[np.arange(1, at.size), np.arange(1, at.size)] += strength
    if not np.isfinite(slope).all() or np.linalg.cond(slope) > 1e14:
        raise ValueError(
            "X does not determine the parameters: leave out columns that repeat others, or give "
            "a penalty."
        )
    return Z, labels, w, p, slope
