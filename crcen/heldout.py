"""Held-out logits of plain networks and of CRCEN, recorded a file for each data set and split.

Four networks are trained on each split: the plain MLP and CRCEN, each with the parameters that the
benchmark's search by F1 chose, and with those of a search over the same grid that minimises the log
loss. The logits do for every threshold and every score, so nothing else needs to be trained again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from imblearn.metrics import geometric_mean_score
from imblearn.pipeline import Pipeline
from joblib import Parallel, delayed, parallel_config
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import log_loss, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
)
from sklearn.utils import Bunch
from threadpoolctl import threadpool_limits

from crcen.benchmark import Progress
from crcen.choice import choose_lam
from crcen.datasets import load_available, load_dataset
from crcen.evaluation import Rows, best, quiet
from crcen.expense import confusion_counts
from crcen.methods import METHODS, NETWORK_GRID, TOL
from crcen.mishaps import deaf, end_with
from crcen.protocol import FOLDS, TEST_SIZE, Index, Labels, Search, splits
from crcen.results import Store, StoreError, made_with
from crcen.weights import prior_shift

N_SPLITS = 8
WISHES = [("recall", value) for value in (0.7, 0.8, 0.9)]
WISHES += [("expense", value) for value in (2.0, 5.0, 10.0)]
NETWORKS = {  # network: method
    "MLP, F1": "MLP",
    "MLP, log loss": "MLP",
    "CRCEN, F1": "CRCEN",
    "CRCEN, log loss": "CRCEN",
}
PLAIN = "MLP, log loss"  # the one that `choose_lam` is asked of
THRESHOLDS = {"f1": "f1", "gmean": make_scorer(geometric_mean_score)}

Logits = NDArray[np.float64]
Params = Mapping[str, Any]


class Run(NamedTuple):
    """One split of a data set.

    Examples
    --------
    >>> Run("abalone", 3).key
    'abalone/03'
    """

    dataset: str
    split: int

    @property
    def key(self) -> str:
        """Its name in the store."""
        return f"{self.dataset}/{self.split:02d}"


def runs(datasets: Iterable[str]) -> list[Run]:
    """List the runs of some data sets.

    Examples
    --------
    >>> len(runs(["abalone", "us_crime"]))
    16
    """
    return [Run(dataset, split) for dataset in datasets for split in range(N_SPLITS)]


def settings(seed: int = 0) -> dict[str, Any]:
    """Gather what every run depends on, for the manifest of the store.

    Examples
    --------
    >>> settings(seed=7)["seed"]
    7
    """
    return {
        "seed": seed,
        "tol": TOL,
        "test_size": TEST_SIZE,
        "folds": FOLDS,
        "grid": NETWORK_GRID,
        "wishes": WISHES,
    }


def fill(
    store: Store,
    wanted: Iterable[Run],
    tuned: Store,
    *,
    load: Callable[[str], Bunch] = load_dataset,
    n_jobs: int = 1,
    report: Callable[[str], object] = print,
) -> None:
    """Compute the runs that a store lacks.

    Parameters
    ----------
    store : Store
        A store with these `settings`.
    wanted : iterable of Run
        The runs; see `runs`. Those of a set that is not available are left out.
    tuned : Store
        The benchmark's store, for its searches.
    load : callable
        Takes the name of a data set, returns its data, target and sha256.
    n_jobs : int, default=1
        Processes, as in joblib.
    report : callable
        Takes a line of text for each job done.

    Raises
    ------
    StoreError
        If `tuned` lacks a search.
    """
    seed = store.manifest["settings"]["seed"]
    jobs: list[tuple[Run, Bunch, tuple[Index, Index], dict[str, Params]]] = []
    missing = sorted(run for run in wanted if run.key not in store)
    for name, data in load_available((run.dataset for run in missing), load, report).items():
        rows = list(splits(data.target, N_SPLITS, seed))
        params = parameters(store, tuned, name, data, rows[0][0], n_jobs)
        jobs += [(run, data, rows[run.split], params) for run in missing if run.dataset == name]
    jobs.sort(key=lambda job: -job[1].data.size)
    progress = Progress(len(jobs), sum(job[1].data.size for job in jobs), report)
    parallel = Parallel(n_jobs, batch_size=1, return_as="generator_unordered")
    with deaf():
        results = parallel(delayed(_compute)(*job, seed, os.getpid()) for job in jobs)
    for run, cost, found in results:
        store.write(run.key, found)
        progress(run.key, 1, cost, found)


def parameters(
    store: Store, tuned: Store, dataset: str, data: Bunch, train: Index, n_jobs: int = 1
) -> dict[str, Params]:
    """Look up what the searches chose for each network, and search by log loss where none has yet.

    Parameters
    ----------
    store, tuned : Store
        The store of the logits, and the benchmark's.
    dataset : str
        Name of the data set.
    data : Bunch
        Its rows.
    train : ndarray of int
        Training rows of its first split.
    n_jobs : int, default=1
        Processes.

    Returns
    -------
    dict
        Parameters of the pipeline, by network.
    """
    return {
        network: _by_f1(tuned, dataset, method)
        if network.endswith("F1")
        else _by_log_loss(store, dataset, method, data, train, n_jobs)
        for network, method in NETWORKS.items()
    }


def measure(
    X: Rows,
    y: Labels,
    train: Index,
    test: Index,
    params: Mapping[str, Params],
    *,
    seed: int,
) -> dict[str, Any]:
    """Train the networks of one split.

    Parameters
    ----------
    X, y : ndarray of shape (n, p) and (n,)
        All rows and their labels in {0, 1}.
    train, test : ndarray of int
        Row numbers.
    params : mapping
        Parameters of the pipeline, by network.
    seed : int
        Seed of the folds and of the starting values.

    Returns
    -------
    dict
        `test`, the logits of each network on the test rows; `held_out`, those of the plain network
        that was tuned by log loss on the training rows, each row held out once; both with the
        minority rows first. `rows`, how many rows of each class those are. `thresholds`, those
        that TunedThresholdClassifierCV chooses for the plain networks. `wishes`, for each of
        `WISHES`: the lambda that `choose_lam` gives, the one that it would give from logits of
        rows the network was trained on, and the counts of CRCEN trained at the former.
    """
    train, test = (np.concatenate([rows[y[rows] == k] for k in (1, 0)]) for rows in (train, test))
    X_train, labels = X[train], y[train]
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    out: dict[str, Any] = {"test": {}, "thresholds": {}}
    for network, method in NETWORKS.items():
        model = METHODS[method].pipeline(seed).set_params(**params[network])
        if method == "MLP":
            held_out = cross_val_predict(
                model, X_train, labels, cv=folds, method="decision_function"
            )
            out["thresholds"][network] = thresholds(held_out, labels, folds)
        model.fit(X_train, labels)
        out["test"][network] = _text(model.decision_function(X[test]))
        if network == PLAIN:
            out["held_out"], seen = _text(held_out), model.decision_function(X_train)
    out["rows"] = {
        name: [int((y[rows] == k).sum()) for k in (1, 0)]
        for name, rows in (("train", train), ("test", test))
    }
    logits = values(out["held_out"])
    out["wishes"] = []
    for wish, value in WISHES:
        lam = choose_lam(logits, labels, **{wish: value}).lam
        in_sample = choose_lam(seen, labels, **{wish: value}).lam
        model.set_params(classifier__lam=lam).fit(X_train, labels)  # CRCEN, log loss
        counts = confusion_counts(y[test], model.predict(X[test]))
        out["wishes"].append(
            {"wish": wish, "value": value, "lam": lam, "in_sample": in_sample} | counts._asdict()
        )
    return out


def log_likelihood(model: Pipeline, X: Rows, y: Labels) -> float:
    """Score a model by its mean log-likelihood, with the weight taken out of its probabilities."""
    p = prior_shift(model.predict_proba(X)[:, 1], 1 - model[-1].lam_)
    return -float(log_loss(y, p))


def thresholds(logits: Logits, y: Labels, folds: StratifiedKFold) -> dict[str, float]:
    """Tune the threshold as TunedThresholdClassifierCV does, from logits that are there already.

    Parameters
    ----------
    logits : ndarray of shape (n,)
        Logits of each row from the model trained without its fold.
    y : ndarray of shape (n,)
        Labels.
    folds : StratifiedKFold
        The folds.

    Returns
    -------
    dict
        Thresholds on the probability that are best for F1 and for the G-mean.
    """
    tuned = TunedThresholdClassifierCV(_Given(), cv=folds)
    return {
        score: float(tuned.set_params(scoring=scorer).fit(logits[:, None], y).best_threshold_)
        for score, scorer in THRESHOLDS.items()
    }


class _Given(ClassifierMixin, BaseEstimator):
    """A model trained already: its one feature is its logit."""

    def fit(self, X: Logits, y: Labels) -> Self:
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: Logits) -> Logits:
        return np.column_stack([expit(-X[:, 0]), expit(X[:, 0])])

    def predict(self, X: Logits) -> Labels:
        return (X[:, 0] > 0).astype(int)


def values(text: str) -> Logits:
    """Read logits that are recorded in thousandths.

    Examples
    --------
    >>> values("-1250 500")
    array([-1.25,  0.5 ])
    """
    return np.array(text.split(), dtype=float) / 1000


def _text(logits: Logits) -> str:
    return " ".join(f"{1000 * o:.0f}" for o in logits)


def _by_f1(tuned: Store, dataset: str, method: str) -> Params:
    key = Search(dataset, method, 0).key
    if key not in tuned:
        raise StoreError(
            f"{tuned.folder} has no search {key}: make it with "
            f"`python -m crcen --datasets {dataset} --methods {method}`."
        )
    return best(pd.DataFrame(tuned.read(key)["search"]), "f1")


def _by_log_loss(
    store: Store, dataset: str, method: str, data: Bunch, train: Index, n_jobs: int
) -> Params:
    """Read the search by log loss on the first split's training rows, or make it."""
    key, seed = f"search/{dataset}-{method}", store.manifest["settings"]["seed"]
    if key not in store:
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        search = GridSearchCV(
            METHODS[method].pipeline(seed),
            NETWORK_GRID,
            scoring=log_likelihood,
            cv=folds,
            refit=False,
            n_jobs=n_jobs,
        )
        with threadpool_limits(1), quiet():
            search.fit(data.data[train], data.target[train])
        losses = [-score for score in search.cv_results_["mean_test_score"].tolist()]
        found = {"params": search.best_params_, "log_loss": losses, "sha256": data.sha256}
        store.write(key, found)
    return store.read(key)["params"]


def _compute(
    run: Run,
    data: Bunch,
    rows: tuple[Index, Index],
    params: Mapping[str, Params],
    seed: int,
    parent: int,
) -> tuple[Run, int, dict[str, Any]]:
    end_with(parent)
    start = time.perf_counter()
    with threadpool_limits(1), quiet(), parallel_config("sequential"):
        found = measure(data.data, data.target, *rows, params, seed=seed + run.split)
    found |= run._asdict() | {"seed": seed + run.split, "sha256": data.sha256}
    found |= {"versions": made_with(), "failed": ""}
    found["seconds"] = round(time.perf_counter() - start, 3)
    return run, data.data.size, found
