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
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crcen.losses import Loss


class Activation(NamedTuple):
    """An activation h = f(a), and its derivative f'(a) written in terms of h, both in place."""

    function: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]


ACTIVATIONS = {
    "logistic": Activation(torch.sigmoid_, lambda h: h.addcmul_(h, h, value=-1)),
    "tanh": Activation(torch.tanh_, lambda h: h.square_().neg_().add_(1)),
    "relu": Activation(torch.relu_, lambda h: h.gt_(0)),
    "identity": Activation(lambda a: a, lambda h: h.fill_(1)),
}


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

    def layers(self, theta: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Cut the flat vector into a weight matrix (fan_in, fan_out) and a bias for each layer."""
        layers, start = [], 0
        for fan_in, fan_out in pairwise(self.sizes):
            end = start + fan_in * fan_out
            weight = theta[start:end].view(fan_in, fan_out)
            layers.append((weight, theta[end : end + fan_out]))
            start = end + fan_out
        return layers

    def logits(self, theta: Tensor, X: Tensor) -> Tensor:
        """Compute the logits o, shape (n,), of the rows of X, shape (n, sizes[0]) (Eq. 2)."""
        *hidden, (W, b) = self.layers(theta)
        h = X.T
        for weight, bias in hidden:
            h = ACTIVATIONS[self.activation].function(torch.addmm(bias[:, None], weight.T, h))
        return torch.addmm(b[:, None], W.T, h).squeeze(0)

    def initial(self, random_state: np.random.RandomState) -> NDArray[np.float64]:
        """Draw starting values: Glorot's uniform weights, zero biases."""
        parts = []
        for fan_in, fan_out in pairwise(self.sizes):
            bound = np.sqrt(6 / (fan_in + fan_out))
            parts += [random_state.uniform(-bound, bound, fan_in * fan_out), np.zeros(fan_out)]
        return np.concatenate(parts)


def as_tensor(array: NDArray[np.float64]) -> Tensor:
    """Share an array with PyTorch, or copy it where that takes no view (reversed, read-only)."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def objective(
    network: Network,
    loss: Loss,
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    l2: float,
) -> Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]:
    r"""Build what the solver minimises: the weighted mean loss plus the L2 penalty of the weights.

    .. math:: F(\theta) = \frac{\sum_i w_i\, \ell(o_i, y_i)}{\sum_i w_i}
              + \beta \sum_{\text{layers}} \lVert W \rVert_2^2

    With w = lambda on class 1 and 1 - lambda on class 0 this is the regularised Eq. 1, divided by
    the sum of the weights: its scale depends neither on lambda nor on the number of rows. Biases
    are free, which is what Eq. 6 needs.

    **Under the hood**, the gradient is Eq. 5 carried through the layers: from
    :math:`w_i\,\partial\ell/\partial o_i` at the output, each layer passes
    :math:`(W \delta) \odot f'(a)` to the one below. Written by hand, with a neuron's values side by
    side in memory and every layer's values in the same place at each call, it takes a third of the
    time of PyTorch's automatic differentiation.

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

    Returns
    -------
    callable
        Takes a parameter vector, returns the value of F and its gradient.

    Examples
    --------
    >>> from crcen.losses import CROSS_ENTROPY
    >>> X, y = np.array([[0.0], [1.0]]), np.array([0.0, 1.0])
    >>> F = objective(Network((1, 1), "logistic"), CROSS_ENTROPY, X, y, np.ones(2), l2=0.0)
    >>> value, gradient = F(np.zeros(2))
    >>> round(value, 4), gradient
    (0.6931, array([-0.25,  0.  ]))
    """
    y_, w_ = as_tensor(y), as_tensor(weight / weight.sum())
    function, slope = ACTIVATIONS[network.activation]
    # Outputs of every layer from X itself to o, and w dl/da of every layer but the first: a row a
    # neuron, (sizes[l], n). To allocate them at each call would take longer than to fill them.
    h = [as_tensor(np.asfortranarray(X).T)]
    h += [torch.empty(size, len(y), dtype=torch.float64) for size in network.sizes[1:]]
    delta = [torch.empty_like(a) for a in h[1:]]

    def value_and_gradient(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        t = as_tensor(theta)
        gradient = torch.empty_like(t)
        layers = list(zip(network.layers(t), network.layers(gradient), strict=True))
        for k, ((W, b), _) in enumerate(layers):
            torch.addmm(b[:, None], W.T, h[k], out=h[k + 1])
            if k + 1 < len(layers):
                function(h[k + 1])
        o = h[-1][0]
        value = w_ @ loss.value(o, y_)
        torch.mul(w_, loss.slope(o, y_), out=delta[-1][0])
        for k, ((W, _), (W_gradient, b_gradient)) in reversed(list(enumerate(layers))):
            torch.mm(h[k], delta[k].T, out=W_gradient)
            torch.sum(delta[k], dim=1, out=b_gradient)
            W_gradient.add_(W, alpha=2 * l2)
            value += l2 * W.square().sum()
            if k:
                torch.mm(W, delta[k], out=delta[k - 1]).mul_(slope(h[k]))
        return value.item(), gradient.numpy()

    return value_and_gradient
