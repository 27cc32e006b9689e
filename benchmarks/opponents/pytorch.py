"""PyTorch: its L-BFGS with automatic differentiation, and Adam by skorch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from problem import Fit, Layers, Problem
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits


def network(problem: Problem, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    """Make PyTorch's network, with our starting values."""
    modules: list[nn.Module] = []
    for fan_in, fan_out in pairwise((problem.X.shape[1], *problem.hidden, 1)):
        modules += [nn.Linear(fan_in, fan_out, dtype=dtype), nn.Sigmoid()]
    module = nn.Sequential(*modules[:-1], nn.Flatten(0))  # the output is a logit a row
    linear = [m for m in module if isinstance(m, nn.Linear)]
    with torch.no_grad():
        for m, (W, b) in zip(linear, problem.start(), strict=True):
            m.weight.copy_(torch.from_numpy(W.T))
            m.bias.copy_(torch.from_numpy(b))
    return module


def penalty(module: nn.Module, l2: float) -> Tensor:
    """Compute the L2 penalty of a PyTorch network."""
    return l2 * torch.stack([w.square().sum() for w in module.parameters() if w.ndim == 2]).sum()


def layers(module: nn.Sequential) -> Layers:
    """Read the weights and biases of a PyTorch network."""
    linear = [m for m in module if isinstance(m, nn.Linear)]
    return [(m.weight.detach().numpy().T, m.bias.detach().numpy()) for m in linear]


def objective(problem: Problem, module: nn.Module, dtype: torch.dtype) -> Any:
    """Lay out the rows; return what computes the objective of the network."""
    X, y, w = (torch.tensor(a, dtype=dtype) for a in (problem.X, problem.y, problem.weight))

    def value() -> Tensor:
        loss = binary_cross_entropy_with_logits(module(X), y, w, reduction="sum")
        return loss + penalty(module, problem.l2)

    return value


def fit(problem: Problem, dtype: torch.dtype = torch.float32, history: int = 50) -> Fit:
    """Fit with torch.optim.LBFGS, which takes the tolerance as it is: the gradient's max-norm."""
    module = network(problem, dtype)
    value = objective(problem, module, dtype)
    optimizer = torch.optim.LBFGS(
        module.parameters(),
        max_iter=problem.max_iter,
        max_eval=2 * problem.max_iter,
        tolerance_grad=problem.tol,
        tolerance_change=0.0,
        history_size=history,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = value()
        loss.backward()
        return loss

    optimizer.step(closure)
    return Fit(layers(module), next(iter(optimizer.state.values()))["n_iter"])


def skorch_net(problem: Problem, epochs: int) -> Any:
    """Make skorch's classifier: Adam, its default rate 0.01 and batch of 128, no validation.

    A batch's loss is weighted by lambda / mean weight of all rows, so that the mean over an epoch
    is the objective.
    """
    from skorch import NeuralNetBinaryClassifier  # only here: the other contenders do without it

    y, lam = problem.y, problem.lam
    mean = np.where(y == 1, lam, 1 - lam).mean()

    class Weighted(NeuralNetBinaryClassifier):
        def get_loss(self, y_pred: Any, y_true: Any, *args: Any, **kwargs: Any) -> Tensor:
            w = (lam * y_true + (1 - lam) * (1 - y_true)) / mean
            loss = binary_cross_entropy_with_logits(y_pred, y_true, w)
            return loss + penalty(self.module_, problem.l2)

    return Weighted(
        network(problem),
        optimizer=torch.optim.Adam,
        lr=0.01,
        batch_size=128,
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )


def fit_skorch(problem: Problem, epochs: int) -> Fit:
    """Fit with skorch, in PyTorch's single precision."""
    torch.manual_seed(problem.seed)
    net = skorch_net(problem, epochs)
    net.fit(problem.X.astype(np.float32), problem.y.astype(np.float32))
    return Fit(layers(net.module_), epochs)
