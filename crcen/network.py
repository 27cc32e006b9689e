"""A multilayer perceptron of any depth, its parameters in one flat vector.

Hidden layers apply an activation, the output layer is one neuron without any (Eq. 2):

.. math:: o_x = b + W^T h_x.

An empty tuple of hidden layers is logistic regression. The flat vector is what the solver moves:
the weight matrix and the bias vector of each layer, from the input to the output, so that its
last entry is the output bias b.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crcen.losses import Loss

Vector = NDArray[np.float64]
Array = NDArray[np.floating[Any]]
Flat = TypeVar("Flat", Array, Tensor)


class Activation(NamedTuple):
    """An activation h = f(a) and its derivatives, all written in terms of h.

    Attributes
    ----------
    function : callable
        Replaces a by h = f(a), in place.
    slope : callable
        Replaces h by f'(a), in place.
    curvature : callable
        Returns f''(a), given h.
    """

    function: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    curvature: Callable[[Tensor], Tensor]


ACTIVATIONS = {
    "logistic": Activation(
        torch.sigmoid_, lambda h: h.addcmul_(h, h, value=-1), lambda h: h * (1 - h) * (1 - 2 * h)
    ),
    "tanh": Activation(
        torch.tanh_, lambda h: h.square_().neg_().add_(1), lambda h: -2 * h * (1 - h * h)
    ),
    "relu": Activation(torch.relu_, lambda h: h.gt_(0), torch.zeros_like),
    "identity": Activation(lambda a: a, lambda h: h.fill_(1), torch.zeros_like),
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

    def layers(self, theta: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Cut the flat vector into a weight matrix (fan_in, fan_out) and a bias for each layer."""
        return [(matrix[:-1], matrix[-1]) for matrix in self.matrices(theta)]

    def logits(self, theta: Tensor, X: Tensor) -> Tensor:
        """Compute the logits o, shape (n,), of the rows of X, shape (n, sizes[0]) (Eq. 2)."""
        *hidden, (W, b) = self.layers(theta)
        h = X.T
        for weight, bias in hidden:
            h = ACTIVATIONS[self.activation].function(torch.addmm(bias[:, None], weight.T, h))
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


# Rows that pass through the network together: their values in every layer fit the cache, and the
# memory beside the data does not grow with the number of rows.
TILE = 16384

# Rows from which single precision is worth it.
MANY = 1000

# Rows whose Jacobian is in memory at a time, for the Hessian.
PIECE = 4096


class _Tile(NamedTuple):
    """Rows that pass through the network together, and the room for what they leave there."""

    x: list[Array]  # inputs of each layer, a row a neuron and one of ones: (sizes[l] + 1, rows)
    delta: list[Array]  # w dl/da of each layer but the first: (sizes[l + 1], rows)
    neurons: list[Tensor]  # the hidden neurons in x, for what is done neuron by neuron
    y: Tensor
    weight: Tensor


class Objective:
    r"""What the solver minimises: the weighted mean loss plus the L2 penalty of the weights.

    .. math:: F(\theta) = \frac{\sum_i w_i\, \ell(o_i, y_i)}{\sum_i w_i}
              + \beta \sum_{\text{layers}} \lVert W \rVert_2^2

    With w = lambda on class 1 and 1 - lambda on class 0 this is the regularised Eq. 1, divided by
    the sum of the weights: its scale depends neither on lambda nor on the number of rows. Biases
    are free, which is what Eq. 6 needs.

    **Under the hood**, the gradient is Eq. 5 carried through the layers: from
    :math:`w_i\,\partial\ell/\partial o_i` at the output, each layer passes
    :math:`(W \delta) \odot f'(a)` to the one below. Every layer's values have a row of ones below
    them, so that its weights and its bias are one matrix. Written by hand, with a neuron's values
    side by side in memory and in the same place at each call, this takes a third of the time of
    PyTorch's automatic differentiation. NumPy multiplies the matrices, because its products of
    these shapes are faster than PyTorch's, and PyTorch does what is done value by value.

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
        self._rows = X, y, weight / weight.sum()
        self._laid_out: dict[torch.dtype, list[_Tile]] = {}
        self._penalty = np.concatenate(  # beta on the weights, 0 on the biases
            [np.r_[np.full(m * n, l2), np.zeros(n)] for m, n in pairwise(network.sizes)]
        )

    @property
    def many_rows(self) -> bool:
        """Whether arithmetic, which single precision halves, takes longer than the calls to it."""
        return len(self._rows[1]) >= MANY

    def __call__(self, theta: Vector) -> tuple[float, Vector]:
        """Compute F and its gradient in double precision."""
        return self._evaluate(theta, torch.float64)

    def single(self, theta: Vector) -> tuple[float, Vector]:
        """Compute both in single precision, in about half the time, to about seven digits."""
        return self._evaluate(theta, torch.float32)

    def _tiles(self, dtype: torch.dtype) -> list[_Tile]:
        """Lay out the rows, and the room for what passes through the layers, once."""
        if dtype not in self._laid_out:
            self._laid_out[dtype] = self._lay_out(dtype)
        return self._laid_out[dtype]

    def _lay_out(self, dtype: torch.dtype) -> list[_Tile]:
        X, y, weight = self._rows
        *hidden, _ = self.network.sizes[1:]
        room = min(TILE, len(y))
        values = [torch.ones(size + 1, room, dtype=dtype) for size in hidden]
        deltas = [torch.empty(size, room, dtype=dtype) for size in self.network.sizes[1:]]
        tiles = []
        for start in range(0, len(y), TILE):
            rows = slice(start, start + TILE)
            n = len(y[rows])
            x = torch.ones(X.shape[1] + 1, n, dtype=dtype)
            x[:-1] = as_tensor(X[rows]).T
            h, d = ([a[:, :n] for a in buffer] for buffer in (values, deltas))
            label, w = (as_tensor(a[rows]).to(dtype) for a in (y, weight))
            inputs, outputs = [a.numpy() for a in [x, *h]], [a.numpy() for a in d]
            tiles.append(_Tile(inputs, outputs, [a[:-1] for a in h], label, w))
        return tiles

    def _evaluate(self, theta: Vector, dtype: torch.dtype) -> tuple[float, Vector]:
        function, slope, _ = ACTIVATIONS[self.network.activation]
        pull = self._penalty * theta
        value = float(pull @ theta)
        tiles = self._tiles(dtype)
        theta = theta.astype(tiles[0].x[0].dtype)
        gradient = np.zeros_like(theta)
        layers = self.network.matrices(theta)
        gradients = self.network.matrices(gradient)
        last = len(layers) - 1
        for x, delta, neurons, y, w in tiles:
            for k in range(last):
                np.matmul(layers[k].T, x[k], out=x[k + 1][:-1])
                function(neurons[k])
            o = torch.from_numpy(layers[last].T @ x[last])[0]
            value += (w @ self.loss.value(o, y)).item()
            delta[last][:] = w * self.loss.slope(o, y)
            for k in range(last, 0, -1):
                gradients[k] += x[k] @ delta[k].T
                # With one output the product is an outer one, of which np.matmul makes hard work.
                product = np.multiply if k == last else np.matmul
                product(layers[k][:-1], delta[k], out=delta[k - 1])
                delta[k - 1] *= slope(neurons[k - 1]).numpy()
            gradients[0] += x[0] @ delta[0].T
        return value, gradient + 2 * pull

    def hessian(self, theta: Vector) -> Vector:
        r"""Compute the second derivatives of F, for a network of at most one hidden layer.

        With :math:`J = \partial o/\partial\theta`,

        .. math:: \nabla^2 F = \sum_i w_i \ell''_i\, J_i J_i^T
                  + \sum_i w_i \ell'_i\, \nabla^2 o_i + 2\beta\, \mathrm{diag}(1_W),

        where the second derivatives of o join a hidden neuron's weights :math:`v_k` with
        themselves, :math:`W_k f''(a_k)\, x x^T`, and with its output weight,
        :math:`f'(a_k)\, x`; all others are zero. With many rows in single precision, which is
        enough for a model of the curvature.

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
        function, slope, curvature = ACTIVATIONS[self.network.activation]
        dtype = torch.float32 if self.many_rows else torch.float64
        *hidden, W = self.network.matrices(as_tensor(theta).to(dtype))
        if len(hidden) > 1:
            raise ValueError(
                f"sizes={self.network.sizes} has several hidden layers: use the gradient alone."
            )
        H = torch.zeros(theta.size, theta.size, dtype=dtype)
        for tile in self._tiles(dtype):
            rows = torch.from_numpy(tile.x[0]), tile.y, tile.weight
            pieces = (a.split(PIECE, dim=-1) for a in rows)
            for x, y, w in zip(*pieces, strict=True):
                J = h = x
                for V in hidden:
                    f = function(V.T @ x)
                    f1, f2 = slope(f.clone()), curvature(f)
                    h = torch.cat([f, x[-1:]])
                    J = torch.cat([(x[:, None] * (W[:-1] * f1)).flatten(0, 1), h])
                o = (W.T @ h)[0]
                H.addmm_(J * (w * self.loss.curvature(o, y)), J.T)
                for V in hidden:
                    delta, m, n = w * self.loss.slope(o, y), V.numel(), V.shape[1]
                    vv = H[:m, :m].view(*V.shape, *V.shape).diagonal(dim1=1, dim2=3)
                    for k in range(n):
                        vv[:, :, k] += (x * (W[k] * f2[k] * delta)) @ x.T
                    cross = x @ (f1 * delta).T
                    H[:m, m:-1].view(*V.shape, n).diagonal(dim1=1, dim2=2).add_(cross)
                    H[m:-1, :m].view(n, *V.shape).diagonal(dim1=0, dim2=2).add_(cross)
        return H.double().numpy() + np.diag(2 * self._penalty)
