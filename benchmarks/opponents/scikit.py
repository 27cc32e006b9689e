"""scikit-learn's MLPClassifier, by SciPy's L-BFGS-B."""

from __future__ import annotations

from typing import Any

from problem import Fit, Problem
from sklearn.neural_network import MLPClassifier

from crcen.study.fit import quiet


def network(problem: Problem, **options: Any) -> MLPClassifier:
    """Make scikit-learn's network.

    It minimises mean loss + alpha / (2 sum of the weights) * (sum of the squared weights).
    """
    return MLPClassifier(
        problem.hidden,
        solver="lbfgs",
        activation="logistic",
        alpha=2 * len(problem.y) * problem.l2,
        random_state=problem.seed,
        tol=problem.tol,
        max_iter=problem.max_iter,
    ).set_params(**options)


def fit(problem: Problem, dtype: str = "float64", **options: Any) -> Fit:
    """Fit, in the precision of `dtype`; `options` of MLPClassifier."""
    clf, n = network(problem, **options), len(problem.y)
    weight = n * problem.weight  # of sum n, as alpha has it
    with quiet():
        clf.fit(problem.X.astype(dtype), problem.y, weight.astype(dtype))
    return Fit(list(zip(clf.coefs_, clf.intercepts_, strict=True)), clf.n_iter_)
