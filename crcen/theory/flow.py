r"""Gradient flow on separable data, followed to where a loss without a penalty goes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.special import expit, log_expit, logsumexp, softmax
from sklearn.datasets import load_digits

from crcen.validation import Values

Rows = tuple[Values, NDArray[np.int64], float]


class Flow(NamedTuple):
    """What a flow has come to at some times.

    Attributes
    ----------
    rho : ndarray
        Quotient of the slopes of the two classes by the bias; infinite where it is beyond a float.
    margins : ndarray
        Smallest margin of the majority over that of the minority.
    log_errors : ndarray
        Logarithm of the sum G of the weighted errors of all rows.
    """

    rho: Values
    margins: Values
    log_errors: Values


def examples(seed: int) -> dict[str, Rows]:
    """Make data sets that a hyperplane separates, each with the constant feature of its bias.

    The smallest one, at three constants; random rows in three dimensions; the digits, 0 or not.

    Examples
    --------
    >>> [X.shape for X, _, _ in examples(0).values()][2:]
    [(6, 1), (220, 2), (220, 5), (220, 20), (1797, 61)]
    """
    toy = np.array([[1.0], [-2], [-2], [-2], [-2], [-2]]), np.array([1, 0, 0, 0, 0, 0])
    digits = load_digits()
    varying = digits.data[:, digits.data.std(axis=0) > 0] / 16
    return (
        {f"toy, c = {c:g}": (*toy, c) for c in (1.0, 3.0, 10.0)}
        | {f"random, d = {d}": (*_apart(d, seed + d), 1.0) for d in (2, 5, 20)}
        | {"digits, 0 or not": (varying, (digits.target == 0).astype(int), 1.0)}
    )


def _apart(d: int, seed: int) -> tuple[Values, NDArray[np.int64]]:
    """Draw twenty minority rows and two hundred of the majority, on either side of a hyperplane."""
    X = np.random.default_rng(seed).normal(size=(4000, d))
    side = X.sum(axis=1) / np.sqrt(d) - 1.2
    rows = np.r_[np.flatnonzero(side > 0.1)[:20], np.flatnonzero(side < -0.1)[:200]]
    return X[rows], np.repeat([1, 0], [20, 200])


def gradient_flow(
    X: Values,
    y: NDArray[np.int64],
    lam: float,
    clock: ArrayLike,
    bias_scale: float = 1.0,
    delta: float = 1.0,
    iota: float = 0.0,
) -> Flow:
    r"""Follow the gradient flow of an adjusted loss in a clock that its errors drive.

    A minority row z of weight lambda has the loss
    :math:`\ell(\Delta\,\theta^T z + \iota)`, a majority row of weight 1 - lambda
    :math:`\ell(\theta^T z)`, with :math:`\ell(m) = \log(1 + e^{-m})`.

    Parameters
    ----------
    X, y : ndarray of shape (n, d) and (n,)
        Rows and labels.
    lam : float
        Weight of the minority class, in (0, 1).
    clock : array-like
        Increasing times s, of which :math:`ds = G\,dt` with G the sum of the weighted slopes.
    bias_scale : float, default=1.0
        Value of the constant feature.
    delta, iota : float
        Factor and summand of the minority's margins.

    Returns
    -------
    Flow
        Arrays of the length of `clock`.

    Examples
    --------
    >>> X, y, c = examples(0)["toy, c = 1"]
    >>> flow = gradient_flow(X, y, 0.9, [1.0, 1000.0], c)
    >>> flow.rho.round(3)[-1], flow.margins.round(3)[-1]
    (np.float64(4.0), np.float64(1.0))
    """
    factor = np.where(y == 1, delta, 1.0)
    Z = np.column_stack([X, np.full(len(y), bias_scale)]) * (factor * (2 * y - 1))[:, None]
    log_weight = np.log(np.where(y == 1, lam, 1 - lam))
    shift = np.where(y == 1, iota, 0.0)
    times = np.asarray(clock, dtype=float)

    def log_error(theta: Values) -> Values:
        return log_weight + log_expit(-Z @ theta - shift)

    def mean(_: float, theta: Values) -> Values:  # the point z-bar of the hull
        return softmax(log_error(theta)) @ Z

    def jacobian(_: float, theta: Values) -> Values:
        q, right = softmax(log_error(theta)), expit(Z @ theta + shift)
        return -(Z.T * (q * right)) @ Z + np.outer(q @ Z, (q * right) @ Z)

    start, span = np.zeros(Z.shape[1]), (0.0, times[-1])
    path = solve_ivp(mean, span, start, "LSODA", times, jac=jacobian, rtol=1e-6, atol=1e-8)
    u = np.array([log_error(theta) for theta in path.y.T])
    side = {k: logsumexp((u + np.log(factor))[:, y == k], axis=1) for k in (0, 1)}
    margin = {k: ((Z / factor[:, None])[y == k] @ path.y).min(axis=0) for k in (0, 1)}
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return Flow(np.exp(side[1] - side[0]), margin[0] / margin[1], logsumexp(u, axis=1))
