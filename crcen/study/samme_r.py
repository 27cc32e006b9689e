"""Fit the paper's boosted ensembles with packages of its time, and write what they predict.

AdaBoost boosted by SAMME.R by default until scikit-learn 1.6, which has no more of it. So this
file is a program of its own, for a second environment (``requirements-2019.txt``), where `crcen`
cannot be imported: it knows NumPy, scikit-learn and imbalanced-learn, reads arrays and writes
arrays. `crcen.study.past` starts it.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from imblearn.ensemble import EasyEnsembleClassifier, RUSBoostClassifier
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.ensemble import AdaBoostClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info

Rows = NDArray[np.float64]
Numbers = NDArray[np.int64]

EDGE = 1e-12  # that of crcen.study.fit: what is recorded of all methods is computed alike
PACKAGES = ("numpy", "scipy", "scikit-learn", "imbalanced-learn")

#: The ensembles by the names of `crcen.study.methods.PAST`; each keeps its defaults.
CLASSIFIERS: dict[str, Callable[..., ClassifierMixin]] = {
    "RUSB 2019": RUSBoostClassifier,
    "EE 2019": EasyEnsembleClassifier,
}


def log_odds(name: str, X: Rows, y: Numbers, train: Numbers, test: Numbers, seed: int) -> Rows:
    """Fit scaler and ensemble on training rows; return the log-odds of the others, in their order.

    Examples
    --------
    >>> X, y = np.arange(40.0)[:, None], np.repeat([0, 1], [30, 10])
    >>> train, test = np.arange(0, 40, 2), np.array([1, 39])
    >>> log_odds("RUSB 2019", X, y, train, test, seed=0) > 0
    array([False,  True])
    """
    scaler = StandardScaler().fit(X[train])
    classifier = CLASSIFIERS[name](random_state=seed).fit(scaler.transform(X[train]), y[train])
    p = classifier.predict_proba(scaler.transform(X[test]))[:, 1].clip(EDGE, 1 - EDGE)
    return np.log(p) - np.log1p(-p)


def answer(name: str, given: str, found: str) -> None:
    """Fit one ensemble on each split of a file, and write another file.

    Parameters
    ----------
    name : str
        Of `CLASSIFIERS`.
    given : str
        An ``.npz`` with the rows ``X``, the labels ``y`` and, for each split, the numbers of the
        rows ``train`` and ``test`` and the ``seed``.
    found : str
        An ``.npz`` with, for each split, the ``logits`` of the rows ``test``, nan if the fit
        ``failed``, and why; and the ``seconds`` that it took.
    """
    with np.load(given, allow_pickle=False) as file:
        X, y, train, test, seeds = (file[key] for key in ("X", "y", "train", "test", "seed"))
    logits, failed, seconds = np.full(test.shape, np.nan), [], []
    for k, seed in enumerate(seeds.tolist()):
        start = time.perf_counter()
        try:
            logits[k] = log_odds(name, X, y, train[k], test[k], seed)
            failed.append("")
        except (ValueError, RuntimeError) as error:
            failed.append(f"{type(error).__name__}: {error}")
        seconds.append(time.perf_counter() - start)
    np.savez(found, logits=logits, failed=np.array(failed, dtype=str), seconds=np.array(seconds))


def about() -> dict[str, Any]:
    """Tell what the fits rest on, as the record's environments do."""
    blas = {each["architecture"] for each in threadpool_info() if each["user_api"] == "blas"}
    versions = {package: version(package) for package in PACKAGES}
    return {
        "versions": {"python": platform.python_version()} | versions,
        "kernels": {"blas": sorted(blas)},
    }


def main(arguments: Sequence[str]) -> str:
    """Run the program; return what is wrong, or the empty string."""
    if AdaBoostClassifier().get_params().get("algorithm") != "SAMME.R":
        return (
            f"scikit-learn {version('scikit-learn')} does not boost by SAMME.R: run `make "
            "ensembles`, which has an environment that does (requirements-2019.txt)."
        )
    answer(*arguments)
    print(json.dumps(about()))
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or 0)
