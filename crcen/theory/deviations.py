r"""Where the key equation bends: mini-batches, separable data, other losses.

Write A for the sum of 1 - p over the minority, B for the sum of p over the majority and g for the
derivative of Eq. 1 by the output bias. The quotient of the two sides of Eq. 6 is

.. math:: \rho = \frac{\lambda A}{(1-\lambda) B} = 1 - \frac{g}{(1-\lambda) B} ,

so that it is 1 where g is 0, and every deviation is a gradient that something else holds in
balance. The functions here say which value to expect instead.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_discrete_lyapunov
from scipy.optimize import nnls
from scipy.stats import binom
from torch import Tensor

from crcen.key_equation import KeyEquation, sides
from crcen.losses import Loss
from crcen.validation import (
    NOT_NEGATIVE,
    POSITIVE,
    check_binary,
    check_both,
    check_count,
    check_lam,
    check_logits,
    check_matrix,
    check_number,
    check_probabilities,
)
from crcen.weights import lam_from_alpha


def effective_lam(
    lam: float,
    imbalance_ratio: float,
    *,
    batch_odds: float | None = None,
    batch_size: int | None = None,
) -> float:
    r"""Compute the weight that training on mini-batches amounts to (Proposition 9, part 4).

    Let a row of a batch be of the minority with the odds :math:`\omega`, and uniform within its
    class. If the loss is summed over a batch, or divided by a constant, the key equation holds
    with

    .. math:: \frac{\lambda_e}{1-\lambda_e} = \frac{\lambda}{1-\lambda}\,\omega\,\mathrm{IR} .

    If it is divided by the batch's own sum of weights c, as PyTorch's weighted mean does, a
    minority row raises the divisor of its own batch, and the odds are further multiplied by

    .. math::

        \frac{E[1/c \mid \text{a minority row is in}]}
             {E[1/c \mid \text{a majority row is in}]} .

    Parameters
    ----------
    lam : float
        Weight of the minority class in the loss, in (0, 1).
    imbalance_ratio : float
        IR = N0/N1 of the training data, positive.
    batch_odds : float, optional
        Odds of the minority in a batch: by default 1/IR, that of rows drawn alike; 1 for balanced
        batches.
    batch_size : int, optional
        Rows of a batch whose loss is divided by its own sum of weights. None for a constant
        divisor.

    Returns
    -------
    float
        The effective weight, in (0, 1).

    Raises
    ------
    ValueError
        If `lam` is outside (0, 1), a ratio is not positive, `batch_size` is no integer from 1 to
        1e9, or the effective weight rounds to 0 or 1.

    Examples
    --------
    Balanced batches and balancing weights count twice:

    >>> round(effective_lam(10 / 11, 10, batch_odds=1), 4), round(100 / 101, 4)
    (0.9901, 0.9901)
    >>> round(effective_lam(10 / 11, 10, batch_size=32), 4)
    0.8947
    """
    lam, ratio = check_lam(lam), check_number("imbalance_ratio", imbalance_ratio, POSITIVE)
    odds = 1 / ratio if batch_odds is None else check_number("batch_odds", batch_odds, POSITIVE)
    alpha = lam / (1 - lam) * odds
    if batch_size is not None:
        n, share = check_count("batch_size", batch_size) - 1, max(1 / (1 + 1 / odds), 1e-290)
        # Minority rows k among the n others of the batch: other k have a chance below 1e-30, by
        # Bernstein's inequality.
        room = 12 * np.sqrt(n * share * (1 - share)) + 60
        k = np.arange(max(0, int(n * share - room)), min(n, int(n * share + room)) + 1)
        chance = binom.pmf(k, n, share)
        others = lam * k + (1 - lam) * (n - k)
        alpha *= float(chance @ (1 / (others + lam)) / (chance @ (1 / (others + 1 - lam))))
    try:
        return lam_from_alpha(alpha, ratio)
    except ValueError:
        raise ValueError(
            f"lam={lam!r} at batch_odds={odds!r} and imbalance_ratio={ratio!r} amounts to a weight "
            "that rounds to 0 or 1: go nearer to balance."
        ) from None


def sgd_spread(
    X: ArrayLike, y: ArrayLike, p: ArrayLike, lam: float, step: float, batch_size: int
) -> float:
    r"""Predict the standard deviation of the residual at an iterate of SGD with constant step.

    For logistic regression near its minimum, with rows drawn at random, a batch's gradient is
    :math:`H\delta + \xi` with H the Hessian, :math:`\delta` the distance to the minimum and
    :math:`\xi` the noise of the batch, of covariance S. The iterates settle at the covariance C
    that solves

    .. math:: C = (I - \eta H)\, C\, (I - \eta H) + \eta^2 S ,

    and the residual is the bias entry of :math:`-H\delta`, divided by
    :math:`(1-\lambda)B`.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Rows.
    y : array-like of shape (n,)
        Labels, 1 for the minority class and 0 for the majority class.
    p : array-like of shape (n,)
        Probabilities of class 1 at the minimum.
    lam : float
        Weight of the minority class, in (0, 1).
    step : float
        Step of the descent on the weighted mean loss, positive.
    batch_size : int
        Rows of a batch.

    Returns
    -------
    float
        The standard deviation of the residual on all rows.

    Raises
    ------
    ValueError
        If `lam` is outside (0, 1), `y` is not of zeros and ones, `p` holds no probability for
        each of them or 0 on the whole majority, `X` not a row of finite numbers for each,
        `batch_size` is below 1, or `step` is not positive or so large that the iterates diverge.

    Examples
    --------
    For a bias alone it is :math:`s \sqrt{\eta h / (2 - \eta h)}` over :math:`(1-\lambda) B`, the
    last divided by the sum of the weights, with h the curvature and s the deviation of a batch's
    gradient. Here all three of s, h and the divisor are 1/4:

    >>> round(sgd_spread([[], []], [0, 1], [0.5, 0.5], 0.5, step=0.1, batch_size=4), 4)
    0.1125
    >>> round(np.sqrt(0.1 / 4 / (2 - 0.1 / 4)), 4)
    np.float64(0.1125)
    """
    y, lam = check_both(y, "the residual"), check_lam(lam)
    p, rows = check_probabilities(p, y.size), check_matrix(X, y.size)
    eta, batch_size = check_number("step", step, POSITIVE), check_count("batch_size", batch_size)
    if not p[y == 0].any():
        raise ValueError("p is 0 in every row of class 0: the residual has no denominator there.")
    rows = np.column_stack([rows, np.ones(y.size)])
    weight = np.where(y == 1, lam, 1 - lam)
    weight = weight / weight.mean()
    with np.errstate(over="ignore", invalid="ignore"):
        H = (weight * p * (1 - p) * rows.T) @ rows / y.size
    if not np.isfinite(H).all():
        raise ValueError("X is too large for its squares to be finite: scale the columns.")
    S = np.atleast_2d(np.cov(weight * (p - y) * rows.T, bias=True)) / batch_size
    with np.errstate(over="ignore"):
        contraction = np.eye(len(H)) - eta * H
    finite = np.isfinite(contraction).all()
    if not finite or np.abs(np.linalg.eigvalsh(contraction)).max() >= 1:
        raise ValueError(
            f"step={step!r} makes the iterates diverge: go below "
            f"{2 / np.linalg.eigvalsh(H).max():.2g}, and drop columns without effect."
        )
    try:
        C = solve_discrete_lyapunov(contraction, S)  # over eta^2, which may be beyond a float
    except np.linalg.LinAlgError:
        raise ValueError(
            f"step={step!r} moves some direction of X by less than rounding: give a larger step, "
            "and drop columns without effect."
        ) from None
    return float(np.sqrt((eta * H @ C @ (eta * H))[-1, -1]) / np.mean(weight * (1 - y) * p))


def separable_limit(
    X: ArrayLike, y: ArrayLike, bias_scale: float = 1.0, delta: float = 1.0
) -> float:
    r"""Compute the limit of the quotient in gradient descent without penalty on separable data.

    For a linear model the direction converges to the hard-margin support vector machine in which
    the bias is the weight of a constant feature, and, by Proposition 10,

    .. math:: \rho \to \frac{\sum_{i \in S_1} a_i}{\sum_{j \in S_0} a_j}

    with a its dual variables, whatever lambda. The machine is the least distance problem
    :math:`\min \lVert\theta\rVert` subject to :math:`Z\theta \ge 1`, which non-negative least
    squares solves exactly (Lawson & Hanson 1974, chapter 23).

    Parameters
    ----------
    X : array-like of shape (n, d)
        Rows.
    y : array-like of shape (n,)
        Labels, 1 for the minority class and 0 for the majority class.
    bias_scale : float, default=1.0
        Value of the constant feature. The limit tends to 1 as it grows, since then the bias is
        free.
    delta : float, default=1.0
        Factor of the minority's margins over that of the majority's in the loss, as in the loss of
        Kini et al. (2021). The machine then has the margins 1/delta and 1, the slopes by the bias
        take the place of the errors, and a their dual variables (Proposition 17). A number that is
        added to margins changes nothing.

    Returns
    -------
    float
        The limit of the quotient; infinite or 0 if all support vectors are of one class.

    Raises
    ------
    ValueError
        If no hyperplane separates the classes, `bias_scale` or `delta` is not positive, `y` is not
        of zeros and ones with both present, or `X` not a row of finite numbers for each.

    Examples
    --------
    One minority row at 1 and five majority rows at -2; the dual variables
    are 4/9 for the one and 1/9 for the five together:

    >>> round(separable_limit([[1], [-2], [-2], [-2], [-2], [-2]], [1, 0, 0, 0, 0, 0]), 9)
    4.0
    """
    y = check_both(y, "a margin")
    constant = np.full(y.size, check_number("bias_scale", bias_scale, POSITIVE))
    factor = np.where(y == 1, check_number("delta", delta, POSITIVE), -1.0)
    Z = np.column_stack([check_matrix(X, y.size), constant]) * factor[:, None]
    Z /= np.abs(Z).max()  # the quotient does not depend on the unit
    dual, _ = nnls(np.vstack([Z.T, np.ones(y.size)]), np.r_[np.zeros(Z.shape[1]), 1.0])
    margin = (Z @ (Z.T @ dual)).min()
    if margin <= 1e-12 * (Z**2).sum(axis=1).max():  # no more than rounding
        raise ValueError(
            "no hyperplane separates the two classes, so the minimum is finite and the key "
            "equation holds there: add columns, or use crcen.key_equation."
        )
    with np.errstate(divide="ignore"):
        return float(np.divide(delta * (dual @ y), dual @ (1 - y)))


def focal(gamma: float) -> Loss:
    r"""Build the focal loss of a sigmoid output, which plays down rows that are nearly right.

    With q the probability of a row's own class,

    .. math:: \ell = -(1-q)^\gamma \log q , \qquad
              \frac{d\ell}{ds} = (1-q)^\gamma (\gamma q \log q - (1-q)) ,

    where s is the logit of q. ``gamma=0`` is cross entropy.

    Parameters
    ----------
    gamma : float
        Focusing parameter, zero or more.

    Returns
    -------
    Loss

    Raises
    ------
    ValueError
        If `gamma` is no number from 0 to a million.

    References
    ----------
    Lin et al. (2017), Focal loss for dense object detection, ICCV, Eq. 4.

    Examples
    --------
    >>> focal(2.0).value(torch.tensor([0.0]), torch.tensor([1.0]))
    tensor([0.1733])
    """
    gamma = check_number("gamma", gamma, NOT_NEGATIVE, "0 is cross entropy")
    if gamma > 1e6:
        raise ValueError(f"gamma={gamma!r} must be at most 1e6: no row is left to learn from.")

    def value(o: Tensor, y: Tensor) -> Tensor:
        wrong = (1 - 2 * y) * o  # the logit of u = 1 - q
        return -(torch.sigmoid(wrong) ** gamma) * torch.nn.functional.logsigmoid(-wrong)

    return Loss(value, gamma=gamma)


class _Matching(Loss):
    """A loss whose slope is that of `matching_loss`; compiled code knows nothing of it."""

    link: Callable[[Tensor], Tensor]

    def slope(self, o: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute s(o) - y."""
        return self.link(torch.from_numpy(o)).numpy() - y


def matching_loss(link: Callable[[Tensor], Tensor]) -> Loss:
    r"""Build the loss that has Eq. 6 with a link, the only one up to a factor (Proposition 11).

    For an output :math:`p = s(o)`, s increasing from 0 to 1, it is

    .. math:: \ell(o, y) = \int_0^o (s(u) - y)\, du , \qquad \ell'(o, y) = s(o) - y ,

    which is cross entropy, less log 2, if s is the logistic function. The integral is taken by
    Gauss's rule with 64 points. The solver of `CRCENClassifier` does not train with it.

    Parameters
    ----------
    link : callable
        The function s, in PyTorch's operations, element by element.

    Returns
    -------
    Loss
        Its value is convex in the logit, and may be negative, since it is 0 at logit 0.

    Raises
    ------
    ValueError
        If `link` is no function of a tensor that increases within 0 and 1 from logit -8 to 8.

    References
    ----------
    Auer, Herbster & Warmuth (1996), Exponentially many local minima for single neurons, NIPS.

    Examples
    --------
    >>> probit = matching_loss(torch.special.ndtr)
    >>> probit.slope(np.zeros(2), np.array([0.0, 1.0]))
    array([ 0.5, -0.5])
    """
    if not _is_link(link):
        raise ValueError(
            f"link={link!r} must be a function of a tensor that increases within 0 and 1, element "
            "by element: pass torch.sigmoid."
        )
    at, weight = (torch.from_numpy(part / 2) for part in np.polynomial.legendre.leggauss(64))

    def value(o: Tensor, y: Tensor) -> Tensor:
        mean = link(o[..., None] * (at + 0.5).to(o.dtype)) @ weight.to(o.dtype)  # of s, 0 to o
        return o * (mean - y)

    loss = _Matching(value)
    loss.link = link
    return loss


def _is_link(link: Callable[[Tensor], Tensor]) -> bool:
    try:
        p = link(torch.linspace(-8, 8, 17, dtype=torch.float64)).numpy()
    except Exception:  # whatever something else does when it is called
        return False
    if p.shape != (17,) or p.dtype != np.float64 or (np.diff(p) < 0).any():
        return False
    return bool(0 <= p[0] < p[-1] <= 1)


def balance(y: ArrayLike, o: ArrayLike, lam: float, loss: Loss) -> KeyEquation:
    r"""Evaluate what takes the place of Eq. 6 for a loss of the logit other than cross entropy.

    With p the sigmoid of the logit it is Eq. 6 for no other loss (Proposition 11). At a stationary
    point whose output bias is free,

    .. math:: \frac{-\sum_{i \in S_1} \ell'(o_i, 1)}{\sum_{j \in S_0} \ell'(o_j, 0)}
              = \frac{1-\lambda}{\lambda} .

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels, 1 for the minority class and 0 for the majority class.
    o : array-like of shape (n,)
        Output logits, ``clf.decision_function(X)``.
    lam : float
        Weight of the minority class in the loss, in (0, 1).
    loss : Loss
        One of `crcen.losses`, `focal` or `matching_loss`.

    Returns
    -------
    KeyEquation
        Both sides and the residual; those of `crcen.key_equation` for cross entropy.

    Raises
    ------
    ValueError
        If `lam` is outside (0, 1), `y` is not of zeros and ones, `o` holds no finite number for
        each of them, or `loss` is no loss.

    Warns
    -----
    RuntimeWarning
        If both sums are zero, so that `lhs` and `residual` are nan.

    Examples
    --------
    >>> from crcen.losses import SQUARED_ERROR
    >>> balance([1, 0], [-0.5, 0.5], lam=0.5, loss=SQUARED_ERROR)
    KeyEquation(lhs=1.0, rhs=1.0, residual=0.0)
    """
    y, lam = check_binary(y), check_lam(lam)
    logits = check_logits("o", o, y.size)
    if not isinstance(loss, Loss):
        raise ValueError(f"loss={loss!r} must be a Loss of crcen.losses, or focal(gamma).")
    slope = loss.slope(logits, y.astype(float))
    return sides(float(-slope @ y), float(slope @ (1 - y)), (1 - lam) / lam)
