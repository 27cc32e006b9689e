"""A method of your own in the comparison: a file that defines a classifier, and nothing else.

The file defines `estimator`, any classifier of scikit-learn's kind, be it a pipeline with a sampler
of imbalanced-learn; and, if you like, `grid`, the values of its parameters to tune over, and
`title`. The method is named after the file and gets what the others get: scaled columns, a seed,
the same splits and folds, and a search by the same score. Its rows have a folder of their own.

A worker, be it on another machine, gets the text of the file and runs it there. So what the file
defines needs no pickling; it may import what is installed, but not its neighbours. The text is a
parameter of the classifier, hence in the digest of the code that each row keeps. This module is
not: after a change of what it computes, remove the folders of its records.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from crcen.study.fit import EDGE
from crcen.study.hundred import score_sets
from crcen.study.methods import METHODS, PAST, Method
from crcen.study.protocol import PROTOCOLS, Protocol
from crcen.study.record import Record, RecordError

_PathLike = str | os.PathLike[str]
_TIE = 1e-9  # log-odds of a row on the threshold, for which a threshold classifier decides


class JoinError(ValueError):
    """A file cannot join the comparison; the text names it and says what to do."""


class JoinedClassifier(ClassifierMixin, BaseEstimator):
    """The classifier that a file defines.

    Its decisions are those at probability 1/2. A classifier that has a decision function and no
    probabilities gets :math:`p = 1/(1 + e^{-d})`: its decisions and its ranking count, and its
    probabilities mean nothing. The same holds of scikit-learn's classifiers with a threshold, whose
    log-odds are moved by that of the threshold.

    Parameters
    ----------
    name : str
        Of the method.
    source : str
        Text of the file.
    params : dict, optional
        Parameters of the estimator that are not its own; `set_params` adds to them.
    random_state : int, optional
        Seed, which every parameter of this name gets, that of a step too.

    Attributes
    ----------
    model_ : estimator
        It, fitted.
    classes_ : ndarray
        The labels.

    Examples
    --------
    >>> source = "from sklearn.svm import LinearSVC; estimator = LinearSVC()"
    >>> model = JoinedClassifier("svm", source).set_params(C=0.1)
    >>> model.fit([[0.0], [1.0], [2.0]], [0, 0, 1]).predict([[-1.0], [4.0]])
    array([0, 1])
    """

    def __init__(
        self,
        name: str,
        source: str,
        params: Mapping[str, Any] | None = None,
        random_state: int | None = None,
    ) -> None:
        self.name = name
        self.source = source
        self.params = params
        self.random_state = random_state

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the estimator."""
        self.params = {**(self.params or {}), **params}
        return self

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit the estimator to rows and labels."""
        model = clone(_run(self.name, self.source).estimator).set_params(**self.params or {})
        seeds = [name for name in model.get_params() if name.split("__")[-1] == "random_state"]
        self.model_ = model.set_params(**dict.fromkeys(seeds, self.random_state)).fit(X, y)
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Compute probabilities of the classes, above 1/2 of the one that it decides for.

        Raises
        ------
        ValueError
            If they are not two numbers a row, or the estimator decides otherwise.
        """
        o = self._log_odds(X)
        decided = self.model_.predict(X) == self.classes_[-1]
        if (otherwise := ((o > 0) != decided) & (np.abs(o) > 2 * _TIE)).any():
            raise ValueError(
                f"{self.name} decides otherwise than its probabilities at 1/2, on "
                f"{otherwise.sum()} of {len(o)} rows: let its predict follow its predict_proba, or "
                "give it a decision_function alone, above 0 where it decides for class 1."
            )
        p = expit(o)
        return np.column_stack([1 - p, p])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Decide for the more probable class."""
        return self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(int)]

    def _log_odds(self, X: ArrayLike) -> NDArray[np.float64]:
        """Compute the logits of the decisions, above 0 for the second class."""
        model, threshold = self.model_, None
        if isinstance(model, TunedThresholdClassifierCV):
            threshold = model.best_threshold_
        elif isinstance(model, FixedThresholdClassifier) and model.threshold != "auto":
            threshold = model.threshold
        if hasattr(model, "predict_proba"):
            p = np.asarray(model.predict_proba(X), dtype=float)
            if p.shape != (np.shape(X)[0], 2) or not ((p >= 0) & (p <= 1)).all():
                raise ValueError(
                    f"{self.name}: predict_proba gave an array of shape {p.shape}, from {p.min()} "
                    f"to {p.max()}, for {np.shape(X)[0]} rows: let it give two probabilities a row."
                )
            o = logit(np.clip(p[:, 1], EDGE, 1 - EDGE))
            at = None if threshold is None else float(logit(np.clip(threshold, EDGE, 1 - EDGE)))
        else:
            o, at = np.asarray(model.decision_function(X), dtype=float), threshold
        return o if at is None else o - at + _TIE


@cache
def _run(name: str, source: str) -> ModuleType:
    """Run the text of a file, once in a process."""
    module = ModuleType(f"{name}_{_digest(source)}")
    sys.modules[module.__name__] = module  # where dataclasses and pickles look for it
    exec(compile(source, f"{name}.py", "exec", dont_inherit=True), module.__dict__)
    return module


def _digest(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class _Maker:
    """Make the classifier of a method, as `Method` asks for it."""

    name: str
    source: str

    def __call__(self, seed: int) -> JoinedClassifier:
        return JoinedClassifier(self.name, self.source, random_state=seed)


def join(path: _PathLike) -> str:
    """Put the classifier that a file defines among the methods, in this process.

    The same file, or a changed one, may join again and takes its own place.

    Parameters
    ----------
    path : path
        A Python file.

    Returns
    -------
    str
        The name of the method, which is that of the file without its ending.

    Raises
    ------
    JoinError
        A ValueError, if there is no such file, it cannot be run, its name or title is that of
        another method, or what it defines is no classifier or no grid of it.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "bayes.py")
    ...     text = "from sklearn.naive_bayes import GaussianNB; estimator = GaussianNB()"
    ...     _ = file.write_text(text)
    ...     join(file)
    'bayes'
    >>> METHODS.pop("bayes").title
    'bayes'
    """
    file, source = Path(path), _text(path)
    name = file.stem
    others = {k: m.title for k, m in METHODS.items() if not isinstance(m.classifier, _Maker)} | PAST
    if name in {*others, *(f"{other} tuned" for other in others)}:
        raise JoinError(f"{file}: {name!r} is the name of another method: rename the file.")
    try:
        defined = vars(_run(name, source))
    except Exception as error:  # whatever a file does
        raise JoinError(
            f"{file} cannot be run: {type(error).__name__}: {error}. It may import what is "
            "installed; let `python` run it first."
        ) from error
    title, grid = defined.get("title", name), defined.get("grid", {})
    if not isinstance(title, str) or title in others.values():
        raise JoinError(
            f"{file}: title={title!r} must be text, and not another method's: give its own."
        )
    _check(file, defined.get("estimator"), grid)
    METHODS[name] = Method(title, _Maker(name, source), grid)
    return name


def _text(path: _PathLike) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise JoinError(
            f"{os.fspath(path)!r} cannot be read, seen from {Path.cwd()} ({error}): give the path "
            "of a Python file that defines `estimator`."
        ) from error


def _check(file: Path, estimator: Any, grid: Any) -> None:
    """Refuse what is no classifier, and a grid that is not one of its parameters."""
    known = all(hasattr(estimator, each) for each in ("fit", "predict", "get_params"))
    if isinstance(estimator, type) or not known:
        raise JoinError(
            f"{file} must define `estimator`, a classifier that is not fitted yet, as in "
            f"`estimator = LogisticRegression()`, and not {estimator!r}."
        )
    if not any(hasattr(estimator, each) for each in ("predict_proba", "decision_function")):
        raise JoinError(
            f"{file}: estimator={estimator!r} has neither predict_proba nor decision_function: "
            "give it one, or wrap it in sklearn.calibration.CalibratedClassifierCV."
        )
    if not isinstance(grid, dict) or not all(isinstance(v, list) and v for v in grid.values()):
        raise JoinError(
            f"{file}: grid={grid!r} must be a dict of lists: write `grid = {{'C': [0.1, 1]}}`, and "
            "of an array its .tolist()."
        )
    if unknown := sorted({*map(str, grid)} - {*estimator.get_params()}):
        raise JoinError(
            f"{file}: grid has {', '.join(unknown)}, of which the estimator knows nothing: choose "
            f"of {', '.join(sorted(estimator.get_params()))}."
        )
    for name, values in grid.items():
        try:
            distinct = {json.dumps(value) for value in values}
        except (TypeError, ValueError):
            distinct = set()
        if len(distinct) < len(values):
            raise JoinError(
                f"{file}: grid[{name!r}]={values!r} must be different numbers, texts, booleans, "
                "None or lists of them, which the record can keep: name an object by a parameter."
            )


def joined(protocol: Protocol, name: str) -> Protocol:
    """Ask of a protocol what concerns a joined method: its own weight, and its own grid."""
    return replace(protocol, methods=(name,), weights=("",), networks=None)


def home(path: _PathLike, runs: _PathLike = "runs") -> Path:
    """Name the folder of the record of a file: a changed file has another one.

    Parameters
    ----------
    path : path
        The file.
    runs : path
        The folder of a reader's own runs.
    """
    return Path(runs, f"{Path(path).stem}-{_digest(_text(path))}")


def score_joined(
    path: _PathLike, datasets: Iterable[str], seed: int = 0, runs: _PathLike = "runs"
) -> pd.DataFrame:
    """Let a file join, and score its method as `crcen.study.hundred.score_sets` does the others.

    Parameters
    ----------
    path, runs : path
        As in `home`.
    datasets, seed
        As in `score_sets`.

    Raises
    ------
    JoinError
        As `join` does.
    RecordError
        If nothing is recorded of it.
    """
    name, folder = join(path), home(path, runs)
    held_out = replace(PROTOCOLS["hundred held out"], methods=())
    of = {"hundred": joined(PROTOCOLS["hundred"], name), "hundred held out": held_out}
    scored = score_sets(Record(folder), datasets, seed, of)
    if scored.empty:
        raise RecordError(
            f"{folder} has no row of {os.fspath(path)} on these data sets: run "
            f"`python -m crcen.study --join {os.fspath(path)}` first."
        )
    return scored
