"""A multilayer perceptron of any depth, its parameters in one flat vector.

Hidden layers apply an activation, the output layer is one neuron without any (Eq. 2):

.. math:: o_x = b + W^T h_x.

An empty tuple of hidden layers is logistic regression. The flat vector is what the solver moves:
the weight matrix and the bias vector of each layer, from the input to the output, so that its
last entry is the output bias b.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crcen import kernels
from crcen.losses import Loss

Vector = NDArray[np.float64]
Array = NDArray[np.floating[Any]]
Flat = TypeVar("Flat", Array, Tensor)


ACTIVATIONS = {
    "logistic": (torch.sigmoid, kernels.LOGISTIC),
    "tanh": (torch.tanh, kernels.TANH),
    "relu": (torch.relu, kernels.RELU),
    "identity": (torch.clone, kernels.IDENTITY),
}


# Parameters of the largest network whose Hessian is worth its cost: ten to twenty gradients.
TINY = 128


@dataclass(frozen=True)
class Network:
    """The shape of a network: what turns a parameter vector and rows into logits.

    Parameters
    ----------
    sizes : tuple of int
        Layer sizes from input to output, e.g. (3, 10, 1) for the net of Sim2.
    activation : {"logistic", "tanh", "relu", "identity"}
        Activation of the hidden layers.

    Examples
    --------
    >>> net = Network((3, 10, 1), "logistic")
    >>> net.n_parameters
    51
    >>> theta = torch.zeros(51, dtype=torch.float64)
    >>> net.logits(theta, torch.ones(4, 3, dtype=torch.float64)).shape
    torch.Size([4])
    """

    sizes: tuple[int, ...]
    activation: str

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(self.sizes))

    @property
    def is_tiny(self) -> bool:
        """Whether a Hessian costs no more than some gradients: one hidden layer, few parameters."""
        return len(self.sizes) <= 3 and self.n_parameters <= TINY

    def matrices(self, theta: Flat) -> list[Flat]:
        """View each layer in the flat vector as one matrix: the weights, and below them the bias.

        Shape (fan_in + 1, fan_out), for inputs with a row of ones below them.
        """
        matrices, start = [], 0
        for fan_in, fan_out in pairwise(self.sizes):
            end = start + (fan_in + 1) * fan_out
            matrices.append(theta[start:end].reshape(fan_in + 1, fan_out))
            start = end
        return matrices

    def layers(self, theta: Flat) -> list[tuple[Flat, Flat]]:
        """Cut the flat vector into a weight matrix (fan_in, fan_out) and a bias for each layer."""
        return [(matrix[:-1], matrix[-1]) for matrix in self.matrices(theta)]

    def logits(self, theta: Tensor, X: Tensor) -> Tensor:
        """Compute the logits o, shape (n,), of the rows of X, shape (n, sizes[0]) (Eq. 2)."""
        *hidden, (W, b) = self.layers(theta)
        activate, _ = ACTIVATIONS[self.activation]
        h = X.T
        for weight, bias in hidden:
            h = activate(torch.addmm(bias[:, None], weight.T, h))
        return torch.addmm(b[:, None], W.T, h).squeeze(0)

    def initial(self, random_state: np.random.RandomState) -> Vector:
        """Draw starting values: Glorot's uniform weights, zero biases."""
        parts = []
        for fan_in, fan_out in pairwise(self.sizes):
            bound = np.sqrt(6 / (fan_in + fan_out))
            parts += [random_state.uniform(-bound, bound, fan_in * fan_out), np.zeros(fan_out)]
        return np.concatenate(parts)


def as_tensor(array: Vector) -> Tensor:
    """Share an array with PyTorch, or copy it where that takes no view (reversed, read-only)."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


# Rows that pass through the network together, at most: what they leave in each layer fits into a
# second-level cache. Tiles are as long as vector instructions like them.
TILE = 256
LANES = 16

# Rows from which single precision is worth its one more evaluation.
MANY = 1000


class _Tiles(NamedTuple):
    """The rows as the kernels take them, cut into tiles and filled up with rows of weight zero."""

    x: Array  # a row a column of X and one of ones: (n_tiles, p + 1, rows)
    sign: Array  # 1 - 2y
    weight: Array


class Objective:
    r"""What the solver minimises: the weighted mean loss plus the L2 penalty of the weights.

    .. math:: F(\theta) = \frac{\sum_i w_i\, \ell(o_i, y_i)}{\sum_i w_i}
              + \beta \sum_{\text{layers}} \lVert W \rVert_2^2

    With w = lambda on class 1 and 1 - lambda on class 0 this is the regularised Eq. 1, divided by
    the sum of the weights: its scale depends neither on lambda nor on the number of rows. Biases
    are free, which is what Eq. 6 needs.

    **Under the hood**, rows pass through the network in small tiles, in compiled code
    (`crcen.kernels`), which is faster than PyTorch's operations called one by one on all rows.

    Parameters
    ----------
    network : Network
        The network.
    loss : Loss
        One of `crcen.losses`.
    X, y : ndarray of shape (n, p) and (n,)
        Rows and their labels in {0, 1}.
    weight : ndarray of shape (n,)
        Class weight times sample weight of each row, non-negative, of positive sum.
    l2 : float
        Strength beta of the penalty, non-negative.

    Attributes
    ----------
    error : float
        The mean of the two sides of Eq. 6 at the last evaluation,
        :math:`\tfrac12 \sum_i w_i |\partial\ell_i/\partial o_i| / \sum_i w_i`. In its unit the
        gradient of the output bias is the residual of Eq. 6.

    Examples
    --------
    >>> from crcen.losses import CROSS_ENTROPY
    >>> X, y = np.array([[0.0], [1.0]]), np.array([0.0, 1.0])
    >>> F = Objective(Network((1, 1), "logistic"), CROSS_ENTROPY, X, y, np.ones(2), l2=0.0)
    >>> value, gradient = F(np.zeros(2))
    >>> round(value, 4), gradient
    (0.6931, array([-0.25,  0.  ]))
    """

    def __init__(
        self, network: Network, loss: Loss, X: Vector, y: Vector, weight: Vector, l2: float
    ) -> None:
        self.network, self.loss = network, loss
        self.error = np.nan
        self._rows = X, y, weight / weight.sum()
        self._laid_out: dict[type, _Tiles] = {}
        self._sizes = np.array(network.sizes)
        self._options = ACTIVATIONS[network.activation][1], loss.is_squared, float(loss.gamma)
        self._penalty = np.concatenate(  # beta on the weights, 0 on the biases
            [np.r_[np.full(m * n, float(l2)), np.zeros(n)] for m, n in pairwise(network.sizes)]
        )

    @property
    def many_rows(self) -> bool:
        """Whether single precision saves more than the switch to double costs."""
        return len(self._rows[1]) >= MANY

    def __call__(self, theta: Vector) -> tuple[float, Vector]:
        """Compute F and its gradient in double precision."""
        return self._evaluate(theta, np.float64)

    def single(self, theta: Vector) -> tuple[float, Vector]:
        """Compute both in single precision, in about half the time, to about seven digits."""
        return self._evaluate(theta, np.float32)

    def penalty(self, theta: Vector) -> float:
        """Compute the penalty alone."""
        return float(self._penalty * theta @ theta)

    def _evaluate(self, theta: Vector, dtype: type) -> tuple[float, Vector]:
        pull = self._penalty * theta
        gradient = 2 * pull
        loss, both_sides = kernels.evaluate(
            theta.astype(dtype), gradient, self._sizes, *self._tiles(dtype), *self._options
        )
        self.error = both_sides / 2
        return float(pull @ theta) + loss, gradient

    def hessian(self, theta: Vector) -> Vector:
        r"""Compute the second derivatives of F, for a network of at most one hidden layer.

        With :math:`J = \partial o/\partial\theta`,

        .. math:: \nabla^2 F = \sum_i w_i \ell''_i\, J_i J_i^T
                  + \sum_i w_i \ell'_i\, \nabla^2 o_i + 2\beta\, \mathrm{diag}(1_W),

        with many rows in single precision, which is enough for a model of the curvature.

        Parameters
        ----------
        theta : ndarray of shape (n_parameters,)
            Where.

        Returns
        -------
        ndarray of shape (n_parameters, n_parameters)
            The Hessian.

        Raises
        ------
        ValueError
            If the network has more than one hidden layer.
        """
        if len(self._sizes) > 3:
            raise ValueError(
                f"sizes={self.network.sizes} has several hidden layers: use the gradient alone."
            )
        dtype = np.float32 if self.many_rows else np.float64
        H = np.diag(2 * self._penalty)
        kernels.hessian(theta.astype(dtype), H, self._sizes, *self._tiles(dtype), *self._options)
        return H

    def _tiles(self, dtype: type) -> _Tiles:
        """Lay out the rows, once."""
        if dtype not in self._laid_out:
            X, y, weight = self._rows
            n, p = X.shape
            n_tiles = -(-n // TILE)
            length = -(-n // (n_tiles * LANES)) * LANES
            x = np.empty((n_tiles, p + 1, length), dtype)
            kernels.lay_out(X, x)
            sign, w = np.ones((n_tiles, length), dtype), np.zeros((n_tiles, length), dtype)
            sign.ravel()[:n], w.ravel()[:n] = 1 - 2 * y, weight
            self._laid_out[dtype] = _Tiles(x, sign, w)
        return self._laid_out[dtype]
