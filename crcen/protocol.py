"""The paper's protocol (section 4): split, tune on the first split, score on every split."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd
from imblearn.metrics import geometric_mean_score
from numpy.typing import NDArray
from sklearn.metrics import f1_score, make_scorer, precision_score, recall_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, StratifiedShuffleSplit

from crcen.expense import confusion_counts
from crcen.methods import Method

SCORERS = {
    "f1": make_scorer(f1_score, zero_division=0.0),
    "gmean": make_scorer(geometric_mean_score),
}

Index = NDArray[np.intp]


def splits(y: NDArray[np.int64], n_splits: int, seed: int) -> Iterator[tuple[Index, Index]]:
    """Split the rows 0.75/0.25 into training and testing rows, stratified, `n_splits` times.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Labels.
    n_splits : int
        Number of splits; the paper has 4.
    seed : int
        Seed of the shuffle.

    Yields
    ------
    train, test : ndarray of int
        Row numbers.
    """
    shuffle = StratifiedShuffleSplit(n_splits, test_size=0.25, random_state=seed)
    yield from shuffle.split(np.zeros((len(y), 1)), y)


def tune(
    method: Method,
    X: NDArray[np.float64],
    y: NDArray[np.int64],
    *,
    score: Literal["f1", "gmean"],
    seed: int,
    n_jobs: int | None = None,
) -> dict[str, Any]:
    """Choose the parameters of a method by a grid search with 4-fold cross-validation.

    Parameters
    ----------
    method : Method
        The method; one with an empty grid keeps its defaults.
    X, y : ndarray of shape (n, p) and (n,)
        Training rows and their labels.
    score : {"f1", "gmean"}
        What to maximise; the paper does not say.
    seed : int
        Seed of the folds and of the starting values.
    n_jobs : int, optional
        Processes, as in joblib; one by default.

    Returns
    -------
    dict
        The best parameters of the pipeline.
    """
    if not method.grid:
        return {}
    search = GridSearchCV(
        method.pipeline(seed),
        method.grid,
        scoring=SCORERS[score],
        cv=StratifiedKFold(4, shuffle=True, random_state=seed),
        refit=False,
        n_jobs=n_jobs,
    )
    return dict(search.fit(X, y).best_params_)


def split_scores(y: NDArray[np.int64], predicted: NDArray[np.int64]) -> dict[str, float]:
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


def run(
    method: Method,
    X: NDArray[np.float64],
    y: NDArray[np.int64],
    *,
    n_splits: int = 4,
    score: Literal["f1", "gmean"] = "f1",
    seed: int = 0,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Run the paper's protocol for one method on one data set.

    The parameters are tuned on the training rows of the first split and then fixed.

    Parameters
    ----------
    method : Method
        The method.
    X, y : ndarray of shape (n, p) and (n,)
        All rows and their labels in {0, 1}.
    n_splits : int, default=4
        Number of splits.
    score : {"f1", "gmean"}, default="f1"
        What the grid search maximises.
    seed : int, default=0
        Seed of the splits, the folds and the starting values.
    n_jobs : int, optional
        Processes of the grid search; one by default.

    Returns
    -------
    DataFrame
        One row a split: `split_scores` on the testing rows, the chosen parameters, and `failed`,
        empty or the reason why there are no scores. A method that cannot be fitted (RUSBoost gives
        up where its first stump is worse than chance) loses that split only.
    """
    rows: list[dict[str, Any]] = []
    params: dict[str, Any] = {}
    for number, (train, test) in enumerate(splits(y, n_splits, seed)):
        if number == 0:
            params = tune(method, X[train], y[train], score=score, seed=seed, n_jobs=n_jobs)
        model = method.pipeline(seed).set_params(**params)
        try:
            predicted = model.fit(X[train], y[train]).predict(X[test])
        except ValueError as error:
            rows.append({"split": number, "failed": str(error)})
        else:
            scores = split_scores(y[test], predicted)
            rows.append({"split": number, "failed": "", **scores, **params})
    return pd.DataFrame(rows)
