"""What every contender is given, what it hands back, and the one judge of it.

All minimise the same objective over a network with logistic hidden neurons and one output,

    F = sum_i w_i (cross entropy)_i / sum_i w_i  +  l2 * (sum of the squared weights),

biases free, w the balancing class weights: lambda = N0/(N0 + N1) on class 1, 1 - lambda on class 0.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import softplus

from crcen import imbalance_ratio, key_equation, lam_from_alpha
from crcen.network import Network

Array = NDArray[Any]
Layers = list[tuple[Array, Array]]  # a weight matrix (fan_in, fan_out) and a bias for each layer
Row = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """One fit: scaled rows, labels in {0, 1}, a network, and when to stop."""

    X: Array
    y: Array
    hidden: tuple[int, ...]
    l2: float
    tol: float = 1e-4  # largest entry of the gradient
    max_iter: int = 300
    seed: int = 0
    alpha: float = 1.0  # multiplier of the weight that balances

    @cached_property
    def lam(self) -> float:
        """The weight of class 1."""
        return lam_from_alpha(self.alpha, imbalance_ratio(self.y))

    @property
    def weight(self) -> Array:
        """The weight of each row, of sum 1."""
        w = np.where(self.y == 1, self.lam, 1 - self.lam)
        return w / w.sum()

    def start(self) -> Layers:
        """Draw our own starting values, for every contender that takes some."""
        network = Network((self.X.shape[1], *self.hidden, 1), "logistic")
        return network.layers(network.initial(np.random.RandomState(self.seed)))


class Fit(NamedTuple):
    """What a contender reached: layers, iterations, and its own clock if it has one."""

    layers: Layers
    n_iter: int  # epochs of Adam; -1 where it does not tell
    seconds: float | None = None


def judge(layers: Layers, l2: float, X: Array, y: Array, lam: float) -> dict[str, float]:
    """Judge a fit on scaled rows, in double precision whatever the fit's own.

    Parameters
    ----------
    layers : list of (ndarray, ndarray)
        Weights and biases.
    l2 : float
        Strength of the penalty.
    X, y : ndarray of shape (n, p) and (n,)
        Rows and labels.
    lam : float
        Weight of class 1.

    Returns
    -------
    dict
        The objective F and its data term (`log_loss`), the max-norm of the gradient of F by
        automatic differentiation, the residual of Eq. 6, F1, and the seconds that this took.
    """
    start = time.perf_counter()
    leaves = [(_leaf(W), _leaf(b)) for W, b in layers]
    h = torch.from_numpy(np.ascontiguousarray(X, dtype=np.float64))
    for W, b in leaves[:-1]:
        h = torch.sigmoid(h @ W + b)
    o = (h @ leaves[-1][0] + leaves[-1][1]).squeeze(1)
    labels = torch.from_numpy(np.asarray(y, dtype=np.float64))
    weight = lam * labels + (1 - lam) * (1 - labels)
    loss = (weight * softplus((1 - 2 * labels) * o)).sum() / weight.sum()
    value = loss + l2 * torch.stack([W.square().sum() for W, _ in leaves]).sum()
    value.backward()
    p = torch.sigmoid(o.detach()).numpy()
    predicted = p > 0.5
    return {
        "objective": value.item(),
        "log_loss": loss.item(),
        "gradient": max(float(a.grad.abs().max()) for pair in leaves for a in pair),
        "residual": abs(key_equation(y, p, lam).residual),
        "f1": 2 * y[predicted].sum() / (y.sum() + predicted.sum()),
        "scoring_seconds": time.perf_counter() - start,
    }


def _leaf(array: Array) -> Any:  # a tensor whose gradient is set after backward()
    return torch.tensor(np.asarray(array), dtype=torch.float64, requires_grad=True)
