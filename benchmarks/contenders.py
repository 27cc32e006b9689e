"""The contenders by name, and how each searches a grid of networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from itertools import chain
from typing import Any, Self

import numpy as np
import torch
from joblib import Parallel, delayed
from opponents import jax_optax, liblbfgs, nnet, pytorch, scikit
from problem import Array, Fit, Problem, Row, judge
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from crcen import CRCENClassifier
from crcen.path import fit_path
from crcen.study.fit import quiet

Grid = dict[str, list[Any]]

OURS = "crcen"
REFERENCE = "sklearn-lbfgs"

# Of every fit: what it reached on its training rows, but f1 and the log loss on held-out rows.
TRAIN = ("objective", "gradient", "residual", "n_iter", "scoring_seconds")
TEST = ("log_loss", "f1", "scoring_seconds")


def ours(problem: Problem) -> CRCENClassifier:
    """Make this project's classifier for a problem.

    Its tolerance is in units of the mean of the two sides of Eq. 6, which is at most 1/4 of the
    gradient's: a constant leaves that much.
    """
    share = problem.weight @ problem.y
    even = round(4 * share * (1 - share), 12)  # 1 where the weight balances
    return CRCENClassifier(
        problem.hidden,
        lam=problem.lam,
        l2=problem.l2 / even,
        tol=4 * problem.tol,
        max_iter=problem.max_iter,
        random_state=problem.seed,
    )


def fit_ours(problem: Problem) -> Fit:
    """Fit with this project's classifier."""
    with quiet():
        return _fit(ours(problem).fit(problem.X, problem.y))


def fit_along_paths(problems: list[Problem], n_jobs: int) -> list[Fit]:
    """Fit along the paths of penalties of the same rows and network, in two thirds of the steps."""
    paths: dict[Any, list[int]] = {}
    for number, problem in enumerate(problems):
        paths.setdefault((id(problem.X), problem.hidden), []).append(number)
    done = Parallel(n_jobs, batch_size=1)(
        delayed(_one_path)([problems[number] for number in path]) for path in paths.values()
    )
    found = dict(zip(chain(*paths.values()), chain(*done), strict=True))
    return [found[number] for number in range(len(problems))]


def _one_path(problems: list[Problem]) -> list[Fit]:
    first = problems[0]
    classifier = ours(replace(first, max_iter=2 * first.max_iter // 3))
    points = [{"l2": ours(problem).l2} for problem in problems]
    with quiet():
        found = {n: _fit(clf) for n, clf in fit_path(classifier, points, first.X, first.y)}
    return [found[number] for number in range(len(problems))]


def _fit(clf: CRCENClassifier) -> Fit:
    return Fit(list(zip(clf.coefs_, clf.intercepts_, strict=True)), clf.n_iter_)


@dataclass(frozen=True)
class Contender:
    """How a contender fits one network, and many by means of its own."""

    fit: Callable[[Problem], Fit]
    #: Fits a list of problems with a number of processes; None where `GridSearchCV` does it best.
    fit_all: Callable[[list[Problem], int], list[Fit]] | None = None
    #: What the machine lacks for it, as a word; an empty text if nothing.
    missing: Callable[[], str] = str
    #: Whether the same work is done once before it is timed, as compilation would be.
    warm: bool = False
    #: Whether it has threads in the place of processes.
    threads: bool = False
    #: The parts of the benchmark that it takes part in.
    parts: tuple[str, ...] = ("grids", "single")
    #: Takes minutes a grid: searches the first set with the most processes only.
    slow: bool = False


def _lacks(module: str) -> str:
    return "" if find_spec(module) else module


def contenders(epochs: int = 50) -> dict[str, Contender]:
    """Name the contenders; `epochs` of skorch."""
    everywhere = ("grids", "single", "table1")
    found = {
        OURS: Contender(fit_ours, parts=everywhere),
        "crcen-path": Contender(fit_ours, fit_along_paths, parts=("grids",)),
        REFERENCE: Contender(scikit.fit, parts=everywhere),
        "sklearn-lbfgs-float32": Contender(partial(scikit.fit, dtype="float32")),
        "sklearn-lbfgs-on": Contender(partial(scikit.fit, tol=1e-12), parts=("single",)),
    }
    for single, name in ((False, "c"), (True, "c-mixed")):
        found[name] = Contender(
            partial(liblbfgs.fit, single=single),
            partial(liblbfgs.fit_all, single=single),
            liblbfgs.missing,
            warm=True,  # it was compiled before
            parts=everywhere,
        )
    for dtype, name in (("float32", "jax"), ("float64", "jax-float64")):
        for warm in (False, True):
            found[name + ("" if warm else "-cold")] = Contender(
                partial(jax_optax.fit if warm else jax_optax.fit_cold, dtype=dtype),
                partial(jax_optax.fit_all, dtype=dtype),
                partial(_lacks, "optax"),
                warm=warm,
                threads=True,
                slow=not warm,
                parts=("grids", "single") if dtype == "float32" else ("single",),
            )
    found["jax-vmap"] = Contender(
        jax_optax.fit,
        jax_optax.fit_together,
        partial(_lacks, "optax"),
        threads=True,
        slow=True,
        parts=("grids",),
    )
    for free, name in ((True, "nnet"), (False, "nnet-all-decay")):
        found[name] = Contender(
            partial(nnet.fit, free=free),
            partial(nnet.fit_all, free=free),
            nnet.missing,
            slow=True,
            parts=("grids", "single") if free else ("single",),
        )
    return found | {
        "torch-lbfgs": Contender(pytorch.fit),
        "torch-lbfgs-float64": Contender(
            partial(pytorch.fit, dtype=torch.float64), parts=("single",)
        ),
        "skorch-adam": Contender(
            partial(pytorch.fit_skorch, epochs=epochs),
            missing=partial(_lacks, "skorch"),
            slow=True,
            parts=("grids",),
        ),
    }


def able(names: list[str], part: str) -> dict[str, Contender]:
    """Give the chosen contenders of a part; print those that this machine lacks something for."""
    known = contenders()
    chosen = {name: known[name] for name in names if part in known[name].parts}
    lacking = {name: contender.missing() for name, contender in chosen.items()}
    for name, lack in lacking.items():
        if lack:
            print(f"  {name}: skipped, no {lack}", flush=True)
    return {name: contender for name, contender in chosen.items() if not lacking[name]}


class Estimator(ClassifierMixin, BaseEstimator):
    """A contender as `GridSearchCV` wants it: every one with the same two parameters to tune."""

    def __init__(
        self,
        fitter: Callable[[Problem], Fit],
        max_iter: int = 300,
        tol: float = 1e-4,
        hidden: tuple[int, ...] = (2,),
        l2: float = 1e-3,
    ) -> None:
        self.fitter = fitter
        self.max_iter = max_iter
        self.tol = tol
        self.hidden = hidden
        self.l2 = l2

    def fit(self, X: Array, y: Array) -> Self:
        """Fit, and keep the layers alone."""
        self.classes_ = np.unique(y)
        problem = Problem(X, y, self.hidden, self.l2, self.tol, self.max_iter)
        self.fit_, self.lam_ = self.fitter(problem), problem.lam
        return self


def score(pipeline: Pipeline, X: Array, y: Array) -> dict[str, float]:
    """Score a fitted pipeline, as `GridSearchCV` asks on training and held-out rows."""
    clf = pipeline[-1]
    judged = judge(clf.fit_.layers, clf.l2, pipeline[0].transform(X), y, clf.lam_)
    return judged | {"n_iter": clf.fit_.n_iter}


def grid_search(
    estimator: Estimator, X: Array, y: Array, grid: Grid, folds: Any, n_jobs: int
) -> list[Row]:
    """Search the grid with scikit-learn's `GridSearchCV`; a row a fit."""
    search = GridSearchCV(
        Pipeline([("scaler", StandardScaler()), ("classifier", estimator)]),
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
        | _row(
            {k: results[f"split{fold}_train_{k}"][number] for k in TRAIN},
            {k: results[f"split{fold}_test_{k}"][number] for k in TEST},
        )
        for number, params in enumerate(results["params"])
        for fold in range(search.n_splits_)
    ]


def own_search(
    fit_all: Callable[[list[Problem], int], list[Fit]],
    settings: Estimator,
    X: Array,
    y: Array,
    grid: Grid,
    folds: Any,
    n_jobs: int,
) -> tuple[list[Row], list[float]]:
    """Do the same fits by the contender's own means, and judge them alike.

    Returns the rows, and the seconds of each fit by the contender's own clock, if it has one.
    """
    problems, held_out, keys = [], [], []
    for fold, (train, test) in enumerate(folds.split(X, y)):
        scaler = StandardScaler().fit(X[train])
        rows, labels = np.ascontiguousarray(scaler.transform(X[train])), y[train]
        for hidden in grid["hidden"]:
            for l2 in grid["l2"]:
                problems.append(Problem(rows, labels, hidden, l2, settings.tol, settings.max_iter))
                held_out.append((scaler.transform(X[test]), y[test]))
                keys.append({"hidden": hidden, "l2": l2, "fold": fold})
    found = fit_all(problems, n_jobs)
    table = []
    for key, problem, fit, (X_test, y_test) in zip(keys, problems, found, held_out, strict=True):
        train_score = judge(fit.layers, problem.l2, problem.X, problem.y, problem.lam)
        test_score = judge(fit.layers, problem.l2, X_test, y_test, problem.lam)
        table.append(key | _row(train_score | {"n_iter": fit.n_iter}, test_score))
    return table, [fit.seconds for fit in found if fit.seconds is not None]


def _row(train: Row, test: Row) -> Row:
    """Keep F1 and the log loss of the held-out rows, everything else of the training rows."""
    seconds = train["scoring_seconds"] + test["scoring_seconds"]
    kept = {"f1": test["f1"], "held_out": test["log_loss"], "scoring_seconds": seconds}
    return {k: train[k] for k in TRAIN} | kept
