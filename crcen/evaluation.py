"""What a cell is computed from: tuning by cross-validation, a fit, and the scores (section 4).

All of it sees one split of one data set; scaler, sampler and classifier are fitted on its training
rows only.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from imblearn.metrics import geometric_mean_score
from imblearn.pipeline import Pipeline
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import f1_score, precision_score, recall_score
from sklearn.model_selection import ParameterGrid, StratifiedKFold

from crcen.classifiers import CRCENClassifier, CSMLPClassifier
from crcen.expense import confusion_counts
from crcen.key_equation import key_equation
from crcen.methods import Method
from crcen.protocol import FOLDS, SCORES, Index, Labels
from crcen.weights import imbalance_ratio, lam_from_alpha

Rows = NDArray[np.float64]


def fold_scores(
    method: Method, X: Rows, y: Labels, train: Index, validation: Index, seed: int
) -> pd.DataFrame:
    """Score every point of a method's grid on one fold.

    What stands before the classifier does not depend on the grid, so it is fitted once.

    Parameters
    ----------
    method : Method
        The method.
    X, y : ndarray of shape (n, p) and (n,)
        Rows and their labels.
    train, validation : ndarray of int
        The row numbers to fit on and to score on.
    seed : int
        Seed of the sampler and of the starting values.

    Returns
    -------
    DataFrame
        A row for each point in the order of ParameterGrid: f1, gmean, and whether the network
        reached its tolerance (`converged`, nan if it is no network).
    """
    pipeline = method.pipeline(seed)
    seen, labels = _rows_seen(pipeline, X[train], y[train])
    held_out = pipeline["scaler"].transform(X[validation])
    rows = []
    for point in ParameterGrid(method.grid):
        with quiet():
            classifier = pipeline.set_params(**point)["classifier"].fit(seen, labels)
        scores = split_scores(y[validation], classifier.predict(held_out))
        rows.append({s: scores[s] for s in SCORES} | {"converged": _converged(classifier)})
    return pd.DataFrame(rows)


def tune(method: Method, X: Rows, y: Labels, *, seed: int) -> pd.DataFrame:
    """Search a method's grid by 4-fold cross-validation.

    Parameters
    ----------
    method : Method
        The method.
    X, y : ndarray of shape (n, p) and (n,)
        Training rows and their labels.
    seed : int
        Seed of the folds, of the sampler and of the starting values.

    Returns
    -------
    DataFrame
        A row for each point of the grid: its parameters, and the means over the folds of what
        `fold_scores` gives.

    Raises
    ------
    ValueError, RuntimeError
        If the method cannot be fitted on a fold.
    """
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(X, y)
    tables = [fold_scores(method, X, y, train, held_out, seed) for train, held_out in folds]
    mean = sum(tables[1:], tables[0]) / FOLDS
    return pd.DataFrame(list(ParameterGrid(method.grid))).join(mean)


def best(search: pd.DataFrame, score: str) -> dict[str, Any]:
    """Choose the parameters with the highest score, the first in the grid's order if several have.

    Parameters
    ----------
    search : DataFrame
        What `tune` returned.
    score : {"f1", "gmean"}
        What to maximise.

    Returns
    -------
    dict
        Parameters of the pipeline.

    Examples
    --------
    >>> best(pd.DataFrame({"classifier__l2": [0.1, 0.01], "f1": [0.5, 0.5]}), "f1")
    {'classifier__l2': 0.1}
    """
    # Not search.loc[...], which would turn integers into floats.
    chosen = search.to_dict("records")[search[score].argmax()]
    return {str(name): value for name, value in chosen.items() if "__" in str(name)}


def weight(alpha: str, y: Labels) -> dict[str, float]:
    """Turn the alpha of a cell into a parameter of the pipeline, by the labels of its rows.

    Examples
    --------
    >>> weight("1", np.array([1, 0, 0, 0])), weight("plain", np.array([1, 0])), weight("", [])
    ({'classifier__lam': 0.75}, {'classifier__lam': 0.5}, {})
    """
    if not alpha:
        return {}
    lam = 0.5 if alpha == "plain" else lam_from_alpha(float(alpha), imbalance_ratio(y))
    return {"classifier__lam": lam}


def evaluate(
    method: Method,
    X: Rows,
    y: Labels,
    train: Index,
    test: Index,
    params: Mapping[str, Any],
    *,
    seed: int,
) -> dict[str, Any]:
    """Fit a method on the training rows and score it on the testing rows.

    Parameters
    ----------
    method : Method
        The method.
    X, y : ndarray of shape (n, p) and (n,)
        All rows and their labels in {0, 1}.
    train, test : ndarray of int
        Row numbers.
    params : mapping
        Parameters of the pipeline.
    seed : int
        Seed of the sampler and of the classifier.

    Returns
    -------
    dict
        `split_scores`; the parameters, without the name of their step; for networks `lam`, the
        weight used, and `converged`, whether the gradient reached the tolerance; for cross entropy
        `residual`, that of the key equation (Eq. 6) on the rows that the classifier was fitted on.
        nan where there is none.

    Raises
    ------
    ValueError, RuntimeError
        If the method cannot be fitted: ADASYN where no minority row has a majority neighbour,
        RUSBoost where its first stump is worse than chance.
    """
    pipeline = method.pipeline(seed).set_params(**params)
    seen, labels = _rows_seen(pipeline, X[train], y[train])
    with quiet():
        classifier = pipeline["classifier"].fit(seen, labels)
    predicted = classifier.predict(pipeline["scaler"].transform(X[test]))
    residual = np.nan
    if isinstance(classifier, CRCENClassifier):
        p = classifier.predict_proba(seen)[:, 1]
        residual = key_equation(labels, p, classifier.lam_).residual
    return {
        **split_scores(y[test], predicted),
        **{name.rpartition("__")[2]: value for name, value in params.items()},
        "lam": getattr(classifier, "lam_", np.nan),
        "converged": _converged(classifier),
        "residual": residual,
    }


def split_scores(y: Labels, predicted: Labels) -> dict[str, float]:
    """Compute the paper's scores and the counts behind them.

    Parameters
    ----------
    y, predicted : ndarray of shape (n,)
        True and predicted labels in {0, 1}.

    Returns
    -------
    dict
        f1, gmean (square root of recall times specificity), recall, precision, specificity, and
        the counts tn, fp, fn, tp. A score whose denominator is zero is 0, as in the paper's
        Table 3.
    """
    counts = confusion_counts(y, predicted)
    return {
        "f1": f1_score(y, predicted, zero_division=0.0),
        "gmean": geometric_mean_score(y, predicted),
        "recall": recall_score(y, predicted, zero_division=0.0),
        "precision": precision_score(y, predicted, zero_division=0.0),
        "specificity": recall_score(y, predicted, pos_label=0, zero_division=0.0),
        **counts._asdict(),
    }


def _rows_seen(pipeline: Pipeline, X: Rows, y: Labels) -> tuple[Rows, Labels]:
    """Fit what stands before the classifier; return the rows that the classifier will see."""
    scaled = pipeline["scaler"].fit_transform(X)
    if "sampler" not in pipeline.named_steps:
        return scaled, y
    rows, labels = pipeline["sampler"].fit_resample(scaled, y)
    return rows, labels


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the warning of networks that stop above the tolerance, which are counted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _converged(classifier: ClassifierMixin) -> float:
    if isinstance(classifier, CRCENClassifier | CSMLPClassifier):
        return float(classifier.grad_norm_ <= classifier.tol)
    return np.nan
