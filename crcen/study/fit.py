"""One fit and one search, on given rows: what the record is computed from (section 4).

Scaler, sampler and classifier are fitted on training rows only, in the order in which the rows were
drawn: in another, sums round otherwise and a network may end in another minimum.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from imblearn.pipeline import Pipeline
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from crcen.classifiers import CRCENClassifier, CSMLPClassifier
from crcen.key_equation import key_equation
from crcen.path import fit_path
from crcen.study.methods import Method
from crcen.study.scores import SCORES, Logits, Predictions
from crcen.study.splits import FOLDS, Index, Labels, folds
from crcen.weighted_mlp import WeightedMLP
from crcen.weights import imbalance_ratio, lam_from_alpha

Rows = NDArray[np.float64]
Params = Mapping[str, Any]

# A search may be coarser, along a path: the winner stays within the spread of the folds.
SEARCH = {"tol": 1e-3, "max_iter": 200}

EDGE = 1e-12  # probabilities nearer to 0 or 1 have the log-odds of this one

#: What a search keeps of each point, at threshold 1/2; then the names of those at 1 - lambda.
SEARCHED = ("f1", "gmean", "average_precision", "log_loss")
MOVED = {"f1": "f1_moved", "gmean": "gmean_moved"}


class Outcome(NamedTuple):
    """What a fit gives.

    Attributes
    ----------
    predictions : Predictions
        Of the rows that it was applied to.
    lam : float
        Weight of the minority class that it was trained with; nan if it knows of none.
    grad_norm : float
        Relative gradient at the end; nan if it is no network.
    residual : float
        Residual of the key equation (Eq. 6) on the rows that the classifier was fitted on; nan if
        it does not minimise the cross entropy.
    """

    predictions: Predictions
    lam: float
    grad_norm: float
    residual: float


def fit(
    method: Method,
    params: Params,
    X: Rows,
    y: Labels,
    train: Index,
    test: Index,
    *,
    seed: int,
) -> Outcome:
    """Fit a method on the training rows and apply it to the others.

    Parameters
    ----------
    method : Method
        The method.
    params : mapping
        Parameters of its classifier.
    X, y : ndarray of shape (n, p) and (n,)
        All rows and their labels in {0, 1}.
    train, test : ndarray of int
        Numbers of the rows to fit on and of those to apply the fit to.
    seed : int
        Seed of the sampler and of the classifier.

    Raises
    ------
    ValueError, RuntimeError
        If the method cannot be fitted: ADASYN where no minority row has a majority neighbour,
        RUSBoost where its first stump is worse than chance.
    """
    pipeline = method.pipeline(seed)
    rows, labels = _balanced(pipeline, X[train], y[train])
    with quiet():
        classifier = pipeline["classifier"].set_params(**params).fit(rows, labels)
    residual = np.nan
    if isinstance(classifier, CRCENClassifier):
        p = classifier.predict_proba(rows)[:, 1]
        residual = key_equation(labels, p, classifier.lam_).residual
    return Outcome(
        _predictions(pipeline, X[test], y[test]),
        _weight(classifier, labels),
        getattr(classifier, "grad_norm_", np.nan),
        residual,
    )


def search(
    method: Method, points: Sequence[Params], X: Rows, y: Labels, *, seed: int
) -> pd.DataFrame:
    """Score points of a method's grid by 4-fold cross-validation.

    Parameters
    ----------
    method : Method
        The method.
    points : sequence of mapping
        Parameters of its classifier. The networks follow the path of penalties (`crcen.path`).
    X, y : ndarray of shape (n, p) and (n,)
        Training rows and their labels.
    seed : int
        Seed of the folds, of the sampler and of the starting values.

    Returns
    -------
    DataFrame
        A row for each point, the means over the folds of the scores `SEARCHED` at threshold 1/2,
        the log loss with the weight taken out of the probabilities; of f1 and gmean at 1 - lambda
        (`MOVED`); and of whether the network reached its tolerance, `converged`, nan if it is none.

    Raises
    ------
    ValueError, RuntimeError
        If the method cannot be fitted on a fold.
    """
    tables = [_on_fold(method, points, X, y, *rows, seed) for rows in folds(y, seed)]
    return sum(tables[1:], tables[0]) / FOLDS


def _on_fold(
    method: Method,
    points: Sequence[Params],
    X: Rows,
    y: Labels,
    train: Index,
    test: Index,
    seed: int,
) -> pd.DataFrame:
    # What stands before the classifier does not depend on the point, so it is fitted once.
    pipeline = method.pipeline(seed)
    rows, labels = _balanced(pipeline, X[train], y[train])
    classifier = pipeline["classifier"]
    if isinstance(classifier, WeightedMLP):
        classifier.set_params(**SEARCH)
    threshold = -np.log(imbalance_ratio(y[train]))  # logit of 1 - lambda
    scored: dict[int, dict[str, float]] = {}
    with quiet():
        for number, fitted in fit_path(classifier, points, rows, labels):
            pipeline.steps[-1] = ("classifier", fitted)
            found = _predictions(pipeline, X[test], y[test])
            lam = _weight(fitted, labels)
            plain = found if np.isnan(lam) else found.moved(float(logit(lam)))
            scores = {s: SCORES[s].of(plain if s == "log_loss" else found) for s in SEARCHED}
            scores |= {name: SCORES[s].of(found.moved(threshold)) for s, name in MOVED.items()}
            scored[number] = scores | {"converged": _converged(fitted)}
    return pd.DataFrame([scored[number] for number in range(len(points))])


def _balanced(pipeline: Pipeline, X: Rows, y: Labels) -> tuple[Rows, Labels]:
    """Fit what stands before the classifier; return the rows that the classifier will see."""
    scaled = pipeline["scaler"].fit_transform(X)
    if "sampler" not in pipeline.named_steps:
        return scaled, y
    rows, labels = pipeline["sampler"].fit_resample(scaled, y)
    return rows, labels


def _predictions(pipeline: Pipeline, X: Rows, y: Labels) -> Predictions:
    """Apply a pipeline to rows; a sampler leaves rows that are predicted as they are."""
    o = log_odds(pipeline["classifier"], pipeline["scaler"].transform(X))
    return Predictions(o[y == 1], o[y == 0])


def log_odds(classifier: ClassifierMixin, X: Rows) -> Logits:
    """Compute the log-odds of a classifier's probabilities; above 0 it decides for class 1."""
    if isinstance(classifier, CSMLPClassifier):
        return 2 * classifier.decision_function(X)
    if isinstance(classifier, CRCENClassifier | LogisticRegression):
        return classifier.decision_function(X)
    return logit(np.clip(classifier.predict_proba(X)[:, 1], EDGE, 1 - EDGE))


def _weight(classifier: ClassifierMixin, y: Labels) -> float:
    """Tell the weight of the minority class; nan if the classifier knows of none."""
    if isinstance(classifier, WeightedMLP):
        return float(classifier.lam_)
    if isinstance(classifier, LogisticRegression):
        weighted = classifier.class_weight == "balanced"
        return lam_from_alpha(1, imbalance_ratio(y)) if weighted else 0.5
    return np.nan


def _converged(classifier: ClassifierMixin) -> float:
    if isinstance(classifier, WeightedMLP):
        return float(classifier.grad_norm_ <= classifier.tol)
    return np.nan


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the warning of networks that stop above the tolerance, which are counted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
