r"""The laws of lambda: what one distribution of log-likelihood ratios says of every weight.

Write :math:`r(x) = \log f_1(x)/f_0(x)` for the log-likelihood ratio of a row, and recall that
:math:`\alpha = \lambda N_1 / ((1-\lambda) N_0)` is the odds of the minority class in the weighted
sample. The minimiser of Eq. 1 over all functions is

.. math:: \operatorname{logit} p(x) = r(x) + \log\alpha ,

so that the distribution of r in each class fixes what the model does at every weight.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import trapezoid
from scipy.special import expit, ndtr
from sklearn.linear_model import LogisticRegression

from crcen.validation import (
    FINITE,
    NOT_NAN,
    POSITIVE,
    Values,
    check_both,
    check_logits,
    check_number,
    check_numbers,
    check_weights,
)
from crcen.weights import imbalance_ratio as ratio_of

# Beyond it a majority row of p above 1/2 is rarer than 1e-190, and the grid of the integral too
# coarse for a step so steep.
FARTHEST = 60.0


class OperatingPoint(NamedTuple):
    """What a model does at one alpha, or at each of several.

    Attributes
    ----------
    p1bar, p0bar : ndarray
        Mean of p over the minority class and over the majority class.
    var1, var0 : ndarray
        Variance of p within the minority class and within the majority class.
    recall, specificity : ndarray
        Shares of the minority with p > 1/2, and of the majority without.
    """

    p1bar: Values
    p0bar: Values
    var1: Values
    var0: Values
    recall: Values
    specificity: Values


def gaussian_point(distance: float, alpha: ArrayLike) -> OperatingPoint:
    r"""Compute the operating point for two normal classes with one covariance (Proposition 2).

    Then :math:`r \sim N(\pm d^2/2, d^2)` with d the Mahalanobis distance of the means, and

    .. math:: \text{recall} = \Phi\left(\frac d2 + \frac{\log\alpha}d\right), \qquad
              \text{specificity} = \Phi\left(\frac d2 - \frac{\log\alpha}d\right).

    Means and variances of p are integrals of one dimension without a closed form. The trapezoidal
    rule gives them to machine precision, since the integrand is smooth and decays like the normal
    density.

    Parameters
    ----------
    distance : float
        The Mahalanobis distance d, positive and at most 60.
    alpha : float or array-like
        Odds of the minority class in the weighted sample, positive; see
        `crcen.weights.alpha_from_lam`.

    Returns
    -------
    OperatingPoint
        Arrays of the shape of `alpha`.

    Raises
    ------
    ValueError
        If `distance` or a value of `alpha` is not positive and finite, or `distance` above 60.

    Examples
    --------
    >>> point = gaussian_point(2.0, alpha=[0.1, 1.0])
    >>> point.recall.round(3), point.specificity.round(3)
    (array([0.44 , 0.841]), array([0.984, 0.841]))
    >>> (point.p0bar / (1 - point.p1bar)).round(9)
    array([0.1, 1. ])
    """
    d = check_number("distance", distance, POSITIVE)
    if d > FARTHEST:
        raise ValueError(
            f"distance={distance!r} must be at most {FARTHEST:g}: classes that are farther apart "
            "do not overlap in floating point, take recall and specificity as 1."
        )
    log_alpha = np.log(check_numbers("alpha", alpha, POSITIVE))
    z = np.linspace(-d - 10, d + 10, 4001 + 200 * int(d))
    normal = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)

    def moments(mean: float) -> tuple[Values, Values]:
        p = expit(mean + d * z + log_alpha[..., None])
        first = np.asarray(trapezoid(p * normal, z))
        first = np.minimum(first, 1)  # the normal density sums to 1 but for rounding
        return first, np.asarray(trapezoid((p - first[..., None]) ** 2 * normal, z))

    (p1bar, var1), (p0bar, var0) = moments(d**2 / 2), moments(-(d**2) / 2)
    with np.errstate(over="ignore"):  # classes that hardly differ: recall is 1 or 0
        recall, specificity = ndtr(d / 2 + log_alpha / d), ndtr(d / 2 - log_alpha / d)
    return OperatingPoint(p1bar, p0bar, var1, var0, recall, specificity)


def sample_point(r1: ArrayLike, r0: ArrayLike, alpha: ArrayLike) -> OperatingPoint:
    """Compute the operating point from log-likelihood ratios of rows of each class (Proposition 2).

    A fitted model gives them: its logits less the log of the alpha it was trained with. One plain
    fit then predicts every other weight.

    Parameters
    ----------
    r1 : array-like of shape (n1,)
        Log-likelihood ratios of rows of the minority class.
    r0 : array-like of shape (n0,)
        Log-likelihood ratios of rows of the majority class.
    alpha : float or array-like
        Odds of the minority class in the weighted sample, positive.

    Returns
    -------
    OperatingPoint
        Arrays of the shape of `alpha`.

    Raises
    ------
    ValueError
        If `r1` or `r0` is empty, not a vector, or holds a nan, or a value of `alpha` is not
        positive and finite.

    Examples
    --------
    >>> point = sample_point([2.0, -1.0], [-2.0, 0.0, -1.0], alpha=[0.5, 4.0])
    >>> point.recall, point.specificity.round(2)
    (array([0.5, 1. ]), array([1.  , 0.33]))
    """
    log_alpha = np.log(check_numbers("alpha", alpha, POSITIVE))
    o1, o0 = (log_alpha[..., None] + _ratios(name, r) for name, r in (("r1", r1), ("r0", r0)))
    p1, p0 = expit(o1), expit(o0)
    return OperatingPoint(
        p1.mean(axis=-1),
        p0.mean(axis=-1),
        p1.var(axis=-1),
        p0.var(axis=-1),
        (o1 > 0).mean(axis=-1),
        (o0 <= 0).mean(axis=-1),
    )


def fresh_ratio_spread(
    point: OperatingPoint, train: tuple[int, int], fresh: tuple[int, int]
) -> Values:
    r"""Predict the relative standard deviation of the left-hand side of Eq. 7 on fresh rows.

    Training makes the ratio exact on its own rows, so the ratio R on fresh rows varies by sampling
    alone, of both samples (Proposition 3):

    .. math:: \left(\frac{\mathrm{SD}(R)}{R}\right)^2 \approx
              \frac{V_1}{(1-\bar p_1)^2} \left(\frac1{n_1} + \frac1{N_1}\right) +
              \frac{V_0}{\bar p_0^2} \left(\frac1{n_0} + \frac1{N_0}\right) .

    Parameters
    ----------
    point : OperatingPoint
        Means and variances of p.
    train : tuple of int
        Minority and majority rows that a model is trained on, N1 and N0.
    fresh : tuple of int
        Minority and majority rows that it is evaluated on, n1 and n0.

    Returns
    -------
    ndarray
        SD(R)/R, of the shape of the point's fields.

    Raises
    ------
    ValueError
        If `point` is no operating point, a count is not positive, or 1 - p1bar or p0bar is zero:
        then the ratio does not exist.

    Examples
    --------
    >>> point = gaussian_point(2.0, alpha=1.0)
    >>> fresh_ratio_spread(point, train=(1000, 10000), fresh=(1000, 1000)).round(3)
    np.float64(0.062)
    """
    if not isinstance(point, OperatingPoint):
        raise ValueError(f"point={point!r} must be an OperatingPoint, as gaussian_point gives it.")
    fields = point._asdict().items()
    point = OperatingPoint(*(check_numbers(f"point.{name}", v, FINITE) for name, v in fields))
    if (point.p1bar >= 1).any() or (point.p0bar <= 0).any():
        raise ValueError(
            f"point has p1bar={point.p1bar} and p0bar={point.p0bar}: the left-hand side of Eq. 7 "
            "needs p1bar below 1 and p0bar above 0."
        )
    (N1, N0), (n1, n0) = _pair("train", train), _pair("fresh", fresh)
    missed = point.var1 / (1 - point.p1bar) ** 2 * (1 / n1 + 1 / N1)
    false = point.var0 / point.p0bar**2 * (1 / n0 + 1 / N0)
    return np.sqrt(missed + false)


def expense_band(
    before: ArrayLike, after: ArrayLike, imbalance_ratio: float
) -> tuple[Values, Values]:
    r"""Bound the expense of a step in alpha, at threshold 1/2 (Proposition 4).

    At the boundary :math:`r = -\log\alpha`, so :math:`f_0 = \alpha f_1` there. A gained minority
    row costs :math:`\alpha\,\mathrm{IR} = \lambda/(1-\lambda)` majority rows, whatever the classes,
    and a step is made of such rows.

    Parameters
    ----------
    before : float or array-like
        The alpha before the step, positive.
    after : float or array-like
        The alpha after it, positive.
    imbalance_ratio : float
        IR = N0/N1 of the rows on which the expense is counted, positive.

    Returns
    -------
    low, high : ndarray
        The marginal expenses at the ends of the step; between them lies the expense of the step.

    Raises
    ------
    ValueError
        If an argument is not positive and finite, `after` is below `before`, or their shapes do not
        fit each other.

    Examples
    --------
    >>> expense_band([0.5, 1], [1, 1.5], imbalance_ratio=10)
    (array([ 5., 10.]), array([10., 15.]))
    """
    low, high = check_numbers("before", before, POSITIVE), check_numbers("after", after, POSITIVE)
    ratio = check_numbers("imbalance_ratio", imbalance_ratio, POSITIVE)
    try:
        np.broadcast_shapes(low.shape, high.shape, ratio.shape)
    except ValueError:
        raise ValueError(
            f"before, after and imbalance_ratio have the shapes {low.shape}, {high.shape} and "
            f"{ratio.shape}, which do not fit each other: give one of each for each step."
        ) from None
    if (high < low).any():
        raise ValueError(
            f"after={after!r} is below before={before!r}: give the smaller alpha first."
        )
    return low * ratio, high * ratio


def platt_line(
    logits: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
) -> tuple[float, float]:
    r"""Fit Platt's line, which says how far logits can be believed.

    .. math:: \operatorname{logit} P(y = 1 \mid o) = a + b\,o

    by maximum likelihood. Calibrated logits have a = 0 and b = 1; for others, a + b o is calibrated
    as far as a line can be. The rows must not be those that the model was trained on. With the
    weights of its training for their classes, a is the c(0) of Proposition 5.

    Parameters
    ----------
    logits : array-like of shape (n,)
        Logits o of rows that the model has not seen.
    y : array-like of shape (n,)
        Labels, 1 for the minority class and 0 for the majority class.
    sample_weight : array-like of shape (n,), optional
        Row weights, such as those of another prior. Ones by default.

    Returns
    -------
    a, b : float
        Intercept and slope.

    Raises
    ------
    ValueError
        If `y` is not of zeros and ones with both present, the shapes differ, or a weight is
        negative.

    References
    ----------
    Platt (1999), Probabilistic outputs for support vector machines.

    Examples
    --------
    >>> a, b = platt_line([0, 0, 0, 2, 2, 2], [1, 0, 0, 1, 1, 0])  # odds of 1/2, then of 2
    >>> round(np.exp(a), 3), round(np.exp(a + 2 * b), 3)
    (np.float64(0.5), np.float64(2.0))
    """
    labels = check_both(y, "a line")
    o = check_logits("logits", logits, labels.size)
    weight = check_weights(sample_weight, labels.size)
    ratio_of(labels, weight)  # needs rows of positive weight in both classes, as a line does
    fit = LogisticRegression(C=np.inf).fit(o[:, None], labels, sample_weight=weight)
    return float(fit.intercept_[0]), float(fit.coef_[0, 0])


def _ratios(name: str, r: ArrayLike) -> Values:
    remedy = "pass clf.decision_function(X) - np.log(alpha) for the rows of one class"
    values = check_numbers(name, r, NOT_NAN, ndim=1, remedy=remedy)
    if not values.size:
        raise ValueError(f"{name} is empty: {remedy}.")
    return values


def _pair(name: str, counts: tuple[int, int]) -> Values:
    values = check_numbers(name, counts, POSITIVE, ndim=1)
    if values.size != 2:
        raise ValueError(f"{name}={counts!r} must be two counts: minority and majority rows.")
    return values
