r"""The key equation on rows that were left out: how far Eq. 7 will be off on fresh rows.

At a stationary point Eq. 6 is exact on the training rows, which the model has seen. On fresh rows
the quotient of Eq. 7 is larger than 1, since each training row has drawn the fit to its own label.
What a row would have been given without that pull follows, to first order, from the one fit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import linalg
from scipy.special import expit
from torch.func import grad, vmap

from crcen.classifiers import CRCENClassifier
from crcen.theory.laws import fresh_ratio_spread, sample_point
from crcen.validation import (
    FINITE,
    NOT_NEGATIVE,
    Values,
    check_binary,
    check_both,
    check_lam,
    check_logits,
    check_matrix,
    check_numbers,
)
from crcen.weights import alpha_from_lam

SURE = 1e-12  # p (1 - p) of a row that is as good as certain; less would divide zero by zero
NOTHING = 1e-30  # of a column's curvature: a penalty that rounding hides
FULL = 1 - 1e-9  # a row that alone determines its fit is taken to leave this much of it


def leverage(Z: ArrayLike, curvature: ArrayLike, penalty: ArrayLike) -> Values:
    r"""Compute how much of each row's own label is in its fit (Proposition 14).

    With :math:`z_i` the derivative of a row's logit by the parameters, :math:`c_i` the curvature of
    its loss and :math:`\Lambda` the diagonal of the penalty's second derivatives, it is

    .. math:: u_i = c_i\, z_i^T \Big(\sum_j c_j z_j z_j^T + \Lambda\Big)^{-1} z_i ,

    with a pseudo-inverse where nothing determines a direction.

    Parameters
    ----------
    Z : array-like of shape (n, k)
        Derivatives of the logits; for a linear model the rows with a column of ones.
    curvature : array-like of shape (n,)
        Weight of each row times p(1 - p).
    penalty : array-like of shape (k,)
        Second derivatives of the penalty, 0 for what is not penalised.

    Returns
    -------
    ndarray of shape (n,)
        Leverages from 0 to 1; their sum is the effective number of parameters.

    Raises
    ------
    ValueError
        If a number is not finite, a curvature or penalty negative, or their lengths do not fit Z.

    Examples
    --------
    Without a penalty the leverages add up to the number of parameters:

    >>> Z = np.column_stack([np.arange(5.0), np.ones(5)])
    >>> round(float(leverage(Z, np.ones(5), np.zeros(2)).sum()), 9)
    2.0
    """
    rows = check_numbers("Z", Z, FINITE, ndim=2)
    c = check_numbers("curvature", curvature, NOT_NEGATIVE, ndim=1)
    free = check_numbers("penalty", penalty, NOT_NEGATIVE, ndim=1)
    if rows.shape != (c.size, free.size):
        raise ValueError(
            f"Z has the shape {rows.shape}, which does not fit curvature of {c.size} rows and "
            f"penalty of {free.size} columns."
        )
    with np.errstate(over="ignore"):
        J = np.sqrt(c)[:, None] * rows
    if not np.isfinite(J).all():
        raise ValueError("Z, or X behind it, is too large: scale the columns.")
    # The unit of a column changes no leverage, but its squares might be out of range.
    unit = np.maximum(np.abs(J).max(axis=0, initial=0.0), np.sqrt(free))
    unit[unit == 0] = 1.0
    J, free = J / unit, free / unit / unit
    free[free < NOTHING] = 0.0
    if c.size < free.size:
        return _by_rows(J[:, free > 0] / np.sqrt(free[free > 0]), J[:, free == 0])
    H = J.T @ J + np.diag(free)
    try:
        root = linalg.solve_triangular(linalg.cholesky(H, lower=True), J.T, lower=True)
        return np.asarray((root**2).sum(axis=0))
    except linalg.LinAlgError:
        return np.asarray(((J @ linalg.pinvh(H)) * J).sum(axis=1))


def _by_rows(held: Values, loose: Values) -> Values:
    """Compute leverages from a matrix of rows by rows, where parameters outnumber them.

    With V = I + held held', the fit leaves of a row V^-1 less its projection on what is loose.
    """
    factor = linalg.cho_factor(np.eye(len(held)) + held @ held.T)
    left = linalg.cho_solve(factor, np.eye(len(held)))
    bent = left @ loose
    taken = bent @ linalg.pinvh(loose.T @ bent) if loose.shape[1] else bent
    return np.asarray(1 - np.diag(left) + (taken * bent).sum(axis=1))


def left_out_logits(clf: CRCENClassifier, X: ArrayLike, y: ArrayLike) -> Values:
    r"""Estimate the logit that each training row would have had, had it been left out.

    One Newton step from the fit without the row (Proposition 14; for networks with the
    Gauss-Newton curvature):

    .. math:: o_{(-i)} = o_i - \frac{u_i}{p_i(1-p_i)} \cdot \frac{y_i - p_i}{1 - u_i} ,

    with :math:`u_i` the `leverage` of the row.

    Parameters
    ----------
    clf : CRCENClassifier
        Fitted to X and y, to a stationary point.
    X : array-like of shape (n, d)
        The training rows.
    y : array-like of shape (n,)
        Their labels, 1 for the minority class and 0 for the majority class.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    ValueError
        If `y` is not of zeros and ones, or `X` not a row of finite numbers for each, as many as the
        model was fitted to and none too large for its product with a curvature.

    References
    ----------
    Pregibon (1981), Logistic regression diagnostics.

    Examples
    --------
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1]
    >>> clf = CRCENClassifier((), lam=0.5, l2=0.1).fit(X, y)
    >>> moved = left_out_logits(clf, X, y) - clf.decision_function(X)
    >>> (np.sign(moved) == np.where(np.array(y) == 1, -1, 1)).all()
    np.True_
    """
    labels = check_binary(y)
    rows = check_matrix(X, labels.size)
    weight = np.where(labels == 1, clf.lam_, 1 - clf.lam_)
    Z, is_weight = _derivatives(clf, rows)
    o = np.asarray(clf.decision_function(rows))
    slope = np.maximum(expit(o) * expit(-o), SURE)
    penalty = 2 * clf.l2_ * weight.sum() * is_weight
    u = np.minimum(leverage(Z, weight * slope, penalty), FULL)
    error = np.where(labels == 1, expit(-o), -expit(o))  # y - p
    return np.asarray(o - u / slope * error / (1 - u))


def _derivatives(clf: CRCENClassifier, rows: Values) -> tuple[Values, NDArray[np.bool_]]:
    """Differentiate each row's logit by each parameter, and tell weights from biases."""
    network, theta = clf._shape(), torch.from_numpy(clf._theta())
    each = grad(lambda t, x: network.logits(t, x[None])[0])
    Z = vmap(each, in_dims=(None, 0))(theta, torch.from_numpy(rows)).numpy()
    is_weight = torch.zeros(len(theta), dtype=torch.bool)
    for W, _ in network.layers(is_weight):
        W.fill_(True)
    return Z, is_weight.numpy()


class FreshRatio(NamedTuple):
    r"""The quotient of Eq. 7 that is to be expected on fresh rows, over what the equation says.

    Attributes
    ----------
    ratio : float
        :math:`\alpha (1-\bar p_1)/\bar p_0`; Eq. 7 says 1.
    spread : float
        Relative standard deviation of the measured over this one (Proposition 3).
    """

    ratio: float
    spread: float


def fresh_ratio(
    y: ArrayLike, left_out: ArrayLike, lam: float, fresh: tuple[int, int]
) -> FreshRatio:
    r"""Predict the quotient of Eq. 7 on fresh rows from the training rows (Proposition 14).

    .. math:: \alpha\,\frac{1-\bar p_1}{\bar p_0} \approx \frac
              {\lambda \sum_{i \in S_1} (1 - p_{(-i)})}{(1-\lambda) \sum_{j \in S_0} p_{(-j)}}

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels of the training rows.
    left_out : array-like of shape (n,)
        Their logits, each from a model that has not seen the row: `left_out_logits`, or those of
        cross-validation.
    lam : float
        Weight of the minority class, in (0, 1).
    fresh : tuple of int
        Minority and majority rows that the quotient will be measured on.

    Returns
    -------
    FreshRatio

    Raises
    ------
    ValueError
        If `lam` is outside (0, 1), `y` is not of zeros and ones with both present, `left_out` holds
        no finite number for each of them, a count is not positive, or one of the two means rounds
        to zero, so that there is no quotient.

    Examples
    --------
    >>> found = fresh_ratio([1, 0, 0], [0.0, -1.0, 0.0], lam=0.5, fresh=(100, 200))
    >>> round(found.ratio, 3)
    0.65
    """
    labels, lam = check_both(y, "a quotient"), check_lam(lam)
    o = check_logits("left_out", left_out, labels.size)
    o1, o0 = o[labels == 1], o[labels == 0]
    alpha = alpha_from_lam(lam, o0.size / o1.size)
    point = sample_point(o1 - np.log(alpha), o0 - np.log(alpha), alpha)
    if point.p1bar == 1 or point.p0bar == 0:
        raise ValueError(
            "left_out gives each row of a class the probability 1 of being in it: there is no "
            "quotient of what is missed."
        )
    ratio = alpha * expit(-o1).mean() / point.p0bar
    return FreshRatio(float(ratio), float(fresh_ratio_spread(point, (o1.size, o0.size), fresh)))
