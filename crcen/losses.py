"""The losses: class-weighted cross entropy (Eq. 1) and Castro & Braga's squared error.

Each takes output logits ``o`` and labels ``y`` in {0, 1} and returns one value a row, before
the class weights. A `Loss` joins it with its slope by the logit, from which the gradient follows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from crcen import kernels
from crcen.validation import check_choice, check_lam


def cross_entropy(o: Tensor, y: Tensor) -> Tensor:
    """Cross entropy of a sigmoid output, a value a row: -y log p - (1-y) log(1-p), p = sigmoid(o).

    Written on the logit as -log sigmoid(o) for y = 1 and -log sigmoid(-o) for y = 0, which keeps
    its precision where p rounds to 0 or 1.

    Parameters
    ----------
    o, y : Tensor of shape (n,)
        Output logits (Eq. 2) and labels in {0, 1}.

    Returns
    -------
    Tensor of shape (n,)

    Examples
    --------
    >>> cross_entropy(torch.tensor([0.0, -800.0]), torch.tensor([1.0, 1.0]))
    tensor([6.9315e-01, 8.0000e+02])
    """
    return -functional.logsigmoid((2 * y - 1) * o)


def squared_error(o: Tensor, y: Tensor) -> Tensor:
    """Squared error of a tanh output against the labels -1/+1, a value a row: (2y-1 - tanh o)^2.

    Parameters
    ----------
    o, y : Tensor of shape (n,)
        Output logits and labels in {0, 1}, recoded to -1 and +1 here.

    Returns
    -------
    Tensor of shape (n,)

    References
    ----------
    Castro & Braga (2013), IEEE TNNLS 24(6), 888-899, as told by Li & Zhu (2019), section 2.

    Examples
    --------
    >>> squared_error(torch.tensor([0.0]), torch.tensor([1.0]))
    tensor([1.])
    """
    return (2 * y - 1 - torch.tanh(o)) ** 2


class Loss(NamedTuple):
    """A loss of the logit: written for PyTorch, and how `crcen.kernels` names it.

    Attributes
    ----------
    value : callable
        The loss l(o, y) of logits and labels, a value a row, in PyTorch's operations.
    is_squared : bool
        Whether it is the squared error; else it is a focal loss.
    gamma : float
        Exponent of the focal loss; 0 is cross entropy.
    """

    value: Callable[[Tensor, Tensor], Tensor]
    is_squared: bool = False
    gamma: float = 0.0

    def slope(self, o: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute dl/do of logits and labels, a value a row.

        For cross entropy p - y: -(1 - p) on class 1 and p on class 0, the factors of Eq. 5.

        Examples
        --------
        >>> CROSS_ENTROPY.slope(np.zeros(2), np.array([0.0, 1.0]))
        array([ 0.5, -0.5])
        """
        slopes = np.empty(len(o))
        kernels.losses(o, 1 - 2 * y, np.ones(len(o)), self.is_squared, self.gamma, slopes)
        return slopes


#: Cross entropy.
CROSS_ENTROPY = Loss(cross_entropy)

#: Squared error of the tanh output.
SQUARED_ERROR = Loss(squared_error, is_squared=True)


class CRCENLoss(torch.nn.BCEWithLogitsLoss):
    r"""Class-wise reweighted cross entropy on logits, for your own PyTorch model (Eq. 1).

    .. math:: L = -\lambda \sum_{i \in S_1} \log p_i - (1-\lambda) \sum_{j \in S_0} \log(1-p_j)

    The default divides by the sum of the class weights, :math:`\lambda N_1 + (1-\lambda) N_0`, so
    that neither the number of rows nor lambda changes the scale of the gradient. In mini-batches
    that divisor varies with the batch: Eq. 6 is exact for full-batch training only.

    It is a `torch.nn.BCEWithLogitsLoss`, by which skorch and others know that outputs are logits
    and probabilities their sigmoid. The tensors `weight` and `pos_weight` of that loss are None
    here; lambda says what they would.

    Parameters
    ----------
    lam : float
        Weight of class 1, in (0, 1); ``lam_from_alpha(1, imbalance_ratio(y))`` balances.
    reduction : {"mean", "sum", "none"}, default="mean"
        Weighted mean, the sum of Eq. 1, or one weighted value a row.

    Raises
    ------
    ValueError
        If `lam` is outside (0, 1), or `reduction` is not one of the three. In a call, if the logits
        are no tensor of real numbers, the targets none of zeros and ones, the shapes differ, or
        there is no row to take the mean of. Logits that are not a number give a loss that is none.

    Examples
    --------
    >>> loss = CRCENLoss(lam=0.9)
    >>> logits = torch.zeros(4, requires_grad=True)
    >>> loss(logits, torch.tensor([0.0, 0.0, 0.0, 1.0])).backward()
    >>> logits.grad
    tensor([ 0.0417,  0.0417,  0.0417, -0.3750])
    """

    def __init__(self, lam: float, reduction: Literal["mean", "sum", "none"] = "mean") -> None:
        super().__init__(reduction=check_choice("reduction", reduction, ("mean", "sum", "none")))
        self.lam = check_lam(lam)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of logits against targets in {0, 1}, both of the same shape."""
        for name, given in (("logits", logits), ("target", target)):
            if not isinstance(given, Tensor):
                raise ValueError(f"{name} must be a tensor, got a {type(given).__name__}.")
        if not logits.is_floating_point():
            raise ValueError(
                f"logits have the type {logits.dtype}: give real numbers, e.g. logits.float()."
            )
        if logits.shape != target.shape:
            raise ValueError(
                f"logits have shape {tuple(logits.shape)} and target {tuple(target.shape)}: give "
                "one logit for each label, e.g. model(X).squeeze(1)."
            )
        if not ((target == 0) | (target == 1)).all():
            raise ValueError(
                "target must hold 0 (majority) and 1 (minority), got "
                f"{target.unique()[:5].tolist()}: code the minority class as 1."
            )
        if self.reduction == "mean" and not target.numel():
            raise ValueError("logits and target are empty: a mean needs a row or more.")
        y = target.to(logits.dtype)
        c = self.lam * y + (1 - self.lam) * (1 - y)
        loss = c * cross_entropy(logits, y)
        if self.reduction == "none":
            return loss
        return loss.sum() if self.reduction == "sum" else loss.sum() / c.sum()
