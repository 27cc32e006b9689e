r"""The key equations of more than two classes.

With softmax probabilities :math:`p_i^k` and the weight :math:`\lambda_k` on the rows of class k,
call

.. math:: F_{jk} = \lambda_j \sum_{i \in S_j} p_i^k

the flow from class j to class k. At a stationary point with free output biases, each class gives
as much as it gets: K equations that sum to zero, for K(K-1) flows.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from crcen.validation import FINITE, NOT_NEGATIVE, POSITIVE, PROBABILITY, Values, check_numbers


class ClassBalance(NamedTuple):
    """The key equations of a softmax with class weights.

    Attributes
    ----------
    flow : ndarray of shape (K, K)
        Weighted probability that rows of class j (row) give to class k (column).
    out, into : ndarray of shape (K,)
        What each class gives to the others, and what it gets from them.
    residual : ndarray of shape (K,)
        ``out / into - 1``, 0 where the equation holds.
    """

    flow: Values
    out: Values
    into: Values
    residual: Values


def class_balance(y: ArrayLike, P: ArrayLike, class_weight: ArrayLike) -> ClassBalance:
    r"""Evaluate the key equations of K classes on the data that a softmax model was trained on.

    For each class k, by Proposition 12,

    .. math:: \lambda_k \sum_{i \in S_k} (1 - p_i^k)
              = \sum_{j \ne k} \lambda_j \sum_{i \in S_j} p_i^k .

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels 0 to K - 1, the columns of `P`.
    P : array-like of shape (n, K)
        Probabilities of the classes; rows sum to 1.
    class_weight : array-like of shape (K,)
        Weight of each class in the loss, positive.

    Returns
    -------
    ClassBalance
        The flows, both sides of each equation and the residuals. For K = 2 and the weights
        (1 - lambda, lambda), the last residual is that of `crcen.key_equation`.

    Raises
    ------
    ValueError
        If the shapes do not fit, a label is not a column, a row does not sum to 1, or a weight is
        not positive.

    Warns
    -----
    RuntimeWarning
        If a class neither gives nor gets anything: its residual is nan.

    Examples
    --------
    >>> P = [[0.8, 0.2, 0.0], [0.0, 0.8, 0.2], [0.2, 0.0, 0.8]]
    >>> class_balance([0, 1, 2], P, class_weight=[1, 1, 1]).residual
    array([0., 0., 0.])
    """
    weight = check_numbers("class_weight", class_weight, POSITIVE, ndim=1)
    P = check_numbers("P", P, PROBABILITY, ndim=2, remedy="pass predict_proba(X)")
    labels = check_numbers("y", y, FINITE, ndim=1, remedy="code labels as columns of P")
    K = weight.size
    if P.shape != (labels.size, K) or not P.size or not np.isin(labels, np.arange(K)).all():
        raise ValueError(
            f"P must have a row for each of the {labels.size} labels and a column for each of the "
            f"{K} weights, got shape {P.shape} with the labels {np.unique(labels)[:5].tolist()}: "
            "code labels as columns, np.unique(y, return_inverse=True)[1]."
        )
    if not np.allclose(P.sum(axis=1), 1):
        raise ValueError("P must hold probabilities, each row summing to 1: pass predict_proba(X).")
    flow = weight[:, None] * np.array([P[labels == k].sum(axis=0) for k in range(K)])
    others = flow * (1 - np.eye(K))
    out, into = others.sum(axis=1), others.sum(axis=0)
    if (silent := (out == 0) & (into == 0)).any():
        warnings.warn(
            f"classes {np.flatnonzero(silent).tolist()} give nothing to the others and get nothing "
            "from them, so that their residual is not a number.",
            RuntimeWarning,
            stacklevel=2,
        )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return ClassBalance(flow, out, into, out / into - 1)


def circulation(flow: ArrayLike) -> float:
    r"""Compute the share of the flow that comes back by another way (Proposition 12.3).

    .. math:: \frac{\sum_{j<k} |F_{jk} - F_{kj}|}{\sum_{j<k} (F_{jk} + F_{kj})}

    It is 0 for the minimiser over all functions, in the population. In a sample chance makes it
    larger, so compare it with that of labels drawn from the fitted model.

    Parameters
    ----------
    flow : array-like of shape (K, K)
        Probability that each class gives to each other, `ClassBalance.flow`.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        If `flow` is no square table of finite numbers from 0, or has nothing off its diagonal.

    Examples
    --------
    >>> circulation([[0, 2, 1], [1, 0, 2], [2, 1, 0]])  # a third goes round
    0.3333333333333333
    """
    F = check_numbers("flow", flow, NOT_NEGATIVE, ndim=2)
    if F.shape[0] != F.shape[1]:
        raise ValueError(f"flow has the shape {F.shape}, but goes from each class to each.")
    F = F - np.diag(np.diag(F))
    largest = F.max(initial=0.0)
    if largest == 0:
        raise ValueError("flow is 0 between all classes: there is none to compare.")
    F = F / largest
    return float(np.abs(F - F.T).sum() / (2 * F.sum()))
