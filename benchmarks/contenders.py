"""The contenders: six ways to search one grid of networks, and one judge of what they reach.

All minimise the same objective over a network with logistic hidden neurons and one output,

    F = mean cross entropy + l2 * (sum of the squared weights), biases free,

each in its library's own terms. `judge` computes F and its gradient for all of them.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from crcen import CRCENClassifier

Array = NDArray[Any]
Layers = list[tuple[Array, Array]]  # a weight matrix (fan_in, fan_out) and a bias for each layer
Row = dict[str, Any]
Grid = dict[str, list[Any]]
Fit = tuple[Layers, int]  # the layers, and the iterations or epochs they took

SCORES = ("objective", "gradient", "f1", "n_iter", "scoring_seconds")
PARTS = ("train", "test")

OURS = "crcen"
REFERENCE = "sklearn-lbfgs"
TOL = 1e-4  # of ours; the others stop by their own defaults
MAX_ITER = 300  # of scikit-learn's lbfgs and torch's LBFGS
BATCH = 200  # scikit-learn's default batch for adam


def judge(layers: Layers, n_iter: int, l2: float, X: Array, y: Array) -> dict[str, float]:
    """Judge a fit on scaled rows, in double precision whatever the fit's own.

    The objective F, the max-norm of its gradient by automatic differentiation, the F1 score,
    `n_iter` as it was given, and the seconds that this took.
    """
    start = time.perf_counter()
    leaves = [(_leaf(W), _leaf(b)) for W, b in layers]
    h = torch.from_numpy(X)
    for W, b in leaves[:-1]:
        h = torch.sigmoid(h @ W + b)
    o = (h @ leaves[-1][0] + leaves[-1][1]).squeeze(1)
    loss = binary_cross_entropy_with_logits(o, torch.from_numpy(y).double())
    value = loss + l2 * torch.stack([W.square().sum() for W, _ in leaves]).sum()
    value.backward()
    predicted = o.detach().numpy() > 0
    return {
        "objective": value.item(),
        "gradient": max(float(a.grad.abs().max()) for pair in leaves for a in pair),
        "f1": 2 * y[predicted].sum() / (y.sum() + predicted.sum()),
        "n_iter": n_iter,
        "scoring_seconds": time.perf_counter() - start,
    }


def _leaf(array: Array) -> Any:  # a tensor whose gradient is set after backward()
    return torch.tensor(array, dtype=torch.float64, requires_grad=True)


def scikit(
    solver: str, n: int, hidden: tuple[int, ...], l2: float, seed: int, **options: Any
) -> MLPClassifier:
    """Make scikit-learn's network for `n` training rows.

    It minimises mean loss + alpha / (2 n) * (sum of the squared weights), where n counts the rows
    of what it sees at a time: all of them with lbfgs, a batch with adam.
    """
    rows = n if solver == "lbfgs" else min(BATCH, n)
    return MLPClassifier(
        hidden,
        solver=solver,
        activation="logistic",
        alpha=2 * rows * l2,
        random_state=seed,
        **options,
    )


def network(p: int, hidden: tuple[int, ...], seed: int) -> nn.Sequential:
    """Make PyTorch's network with PyTorch's starting values."""
    torch.manual_seed(seed)
    modules: list[nn.Module] = []
    for fan_in, fan_out in pairwise((p, *hidden, 1)):
        modules += [nn.Linear(fan_in, fan_out), nn.Sigmoid()]
    return nn.Sequential(*modules[:-1], nn.Flatten(0))  # the output is a logit a row


def penalty(module: nn.Module, l2: float) -> Tensor:
    """Compute the L2 penalty of a PyTorch network."""
    return l2 * torch.stack([w.square().sum() for w in module.parameters() if w.ndim == 2]).sum()


def module_layers(module: nn.Sequential) -> Layers:
    """Read the weights and biases of a PyTorch network."""
    linear = [m for m in module if isinstance(m, nn.Linear)]
    return [(m.weight.detach().numpy().T, m.bias.detach().numpy()) for m in linear]


def fit_ours(
    X: Array, y: Array, hidden: tuple[int, ...], l2: float, seed: int, max_iter: int
) -> Fit:
    """Fit with this project's classifier."""
    clf = CRCENClassifier(
        hidden, lam=0.5, l2=l2, tol=TOL, max_iter=max_iter, random_state=seed
    ).fit(X, y)
    return list(zip(clf.coefs_, clf.intercepts_, strict=True)), clf.n_iter_


def fit_scikit(
    X: Array, y: Array, hidden: tuple[int, ...], l2: float, seed: int, solver: str, dtype: Any
) -> Fit:
    """Fit with scikit-learn, in the precision of `dtype`."""
    options = {"max_iter": MAX_ITER} if solver == "lbfgs" else {}
    clf = scikit(solver, len(y), hidden, l2, seed, **options).fit(X.astype(dtype), y)
    return list(zip(clf.coefs_, clf.intercepts_, strict=True)), clf.n_iter_


def fit_torch(X: Array, y: Array, hidden: tuple[int, ...], l2: float, seed: int) -> Fit:
    """Fit with torch.optim.LBFGS and autograd, in PyTorch's single precision."""
    module = network(X.shape[1], hidden, seed)
    rows, labels = torch.tensor(X, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    optimizer = torch.optim.LBFGS(
        module.parameters(), max_iter=MAX_ITER, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = binary_cross_entropy_with_logits(module(rows), labels) + penalty(module, l2)
        loss.backward()
        return loss

    optimizer.step(closure)
    return module_layers(module), next(iter(optimizer.state.values()))["n_iter"]


def skorch_net(module: nn.Module, l2: float, epochs: int) -> Any:
    """Make skorch's classifier: Adam, its default rate 0.01 and batch of 128, no validation."""
    from skorch import NeuralNetBinaryClassifier  # only here: the other contenders do without it

    class Penalised(NeuralNetBinaryClassifier):
        def get_loss(self, *args: Any, **kwargs: Any) -> Tensor:
            return super().get_loss(*args, **kwargs) + penalty(self.module_, l2)

    return Penalised(
        module,
        optimizer=torch.optim.Adam,
        lr=0.01,
        batch_size=128,
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )


def fit_skorch(
    X: Array, y: Array, hidden: tuple[int, ...], l2: float, seed: int, epochs: int
) -> Fit:
    """Fit with skorch, in PyTorch's single precision."""
    net = skorch_net(network(X.shape[1], hidden, seed), l2, epochs)
    net.fit(X.astype(np.float32), y.astype(np.float32))
    return module_layers(net.module_), epochs


def contenders(epochs: int = 200, max_iter: int = MAX_ITER) -> dict[str, Callable[..., Fit]]:
    """Name the contenders and how each fits; `epochs` of skorch, `max_iter` of ours."""
    return {
        OURS: partial(fit_ours, max_iter=max_iter),
        REFERENCE: partial(fit_scikit, solver="lbfgs", dtype=np.float64),
        "sklearn-lbfgs-float32": partial(fit_scikit, solver="lbfgs", dtype=np.float32),
        "sklearn-adam": partial(fit_scikit, solver="adam", dtype=np.float64),
        "torch-lbfgs": fit_torch,
        "skorch-adam": partial(fit_skorch, epochs=epochs),
    }


class Contender(ClassifierMixin, BaseEstimator):
    """A contender as `GridSearchCV` wants it: every one with the same two parameters to tune."""

    def __init__(
        self, fitter: Callable[..., Fit], hidden: tuple[int, ...] = (2,), l2: float = 1e-3
    ) -> None:
        self.fitter = fitter
        self.hidden = hidden
        self.l2 = l2

    def fit(self, X: Array, y: Array) -> Self:
        """Fit, and keep the layers alone."""
        self.classes_ = np.unique(y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the table has the gradients
            self.layers_, self.n_iter_ = self.fitter(X, y, self.hidden, self.l2, seed=0)
        return self


def score(pipeline: Pipeline, X: Array, y: Array) -> dict[str, float]:
    """Score a fitted pipeline, as `GridSearchCV` asks on training and held-out rows."""
    clf = pipeline[-1]
    return judge(clf.layers_, clf.n_iter_, clf.l2, pipeline[0].transform(X), y)


def grid_search(
    contender: Contender, X: Array, y: Array, grid: Grid, folds: Any, n_jobs: int
) -> list[Row]:
    """Search the grid with scikit-learn's `GridSearchCV`; a row a fit."""
    search = GridSearchCV(
        Pipeline([("scaler", StandardScaler()), ("classifier", contender)]),
        {f"classifier__{name}": values for name, values in grid.items()},
        scoring=score,
        cv=folds,
        refit=False,
        return_train_score=True,  # hands the scorer the training rows
        n_jobs=n_jobs,
    )
    results = search.fit(X, y).cv_results_
    return [
        {name: params[f"classifier__{name}"] for name in grid}
        | {"fold": fold}
        | _row(*({k: results[f"split{fold}_{part}_{k}"][number] for k in SCORES} for part in PARTS))
        for number, params in enumerate(results["params"])
        for fold in range(search.n_splits_)
    ]


def _row(train: Row, test: Row) -> Row:
    """Keep F1 of the held-out rows, everything else of the training rows."""
    seconds = train["scoring_seconds"] + test["scoring_seconds"]
    return train | {"f1": test["f1"], "scoring_seconds": seconds}
