"""Weight or threshold: a plain network and CRCEN on the same splits, a view of the record.

Four networks stand on each split: the plain MLP and CRCEN, each with the parameters of its search
that are best for F1, and with those that are best for the log loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import make_scorer
from sklearn.model_selection import PredefinedSplit, TunedThresholdClassifierCV

from crcen.study.datasets import TABLE_2
from crcen.study.protocol import PROTOCOLS, WISHES, Cell, Fit
from crcen.study.record import Record
from crcen.study.scores import SCORES, Logits, Predictions, decisions
from crcen.study.tables import by_fold, fits_of, log_ratio, of_seed, places, together
from crcen.theory.expense import Confusion

#: The networks: protocol, method and what it was tuned by.
NETWORKS = {
    f"{method}, {label}": (protocol, method, score)
    for protocol, method in (("plain", "MLP"), ("weighted", "CRCEN"))
    for score, label in (("f1", "F1"), ("log_loss", "log loss"))
}
PLAIN = "MLP, log loss"  # the one that `choose_lam` is asked of
TUNED_FOR = ("f1", "gmean")


class Wish(NamedTuple):
    """CRCEN trained as one wishes: the weight, and what it decided on the test rows."""

    lam: float
    counts: Confusion


class Compared(NamedTuple):
    """The networks of one split.

    Attributes
    ----------
    dataset, split
        Which.
    test : dict
        Predictions of the test rows, by network.
    folds : dict
        Those of each fold of the training rows, from the plain networks trained without it.
    seen : Predictions
        Those of the network `PLAIN` of the very rows that it was trained on.
    wishes : dict
        By what is wished and how much.
    """

    dataset: str
    split: int
    test: dict[str, Predictions]
    folds: dict[str, list[Predictions]]
    seen: Predictions
    wishes: dict[tuple[str, float], Wish]

    @property
    def held_out(self) -> Predictions:
        """Predictions of the training rows, each by `PLAIN` trained without its fold."""
        return together(self.folds[PLAIN])

    @property
    def log_ratio(self) -> float:
        """Logit of the balanced lambda of the training rows, log IR."""
        return log_ratio(self.seen)


def compared(record: Record, seed: int = 0) -> list[Compared]:
    """Gather the networks of all splits that are whole in a record."""
    names = [
        Cell(protocol, score, dataset, method, split)
        for dataset in TABLE_2
        for protocol, method, score in NETWORKS.values()
        for split in range(PROTOCOLS[protocol].n_splits)
    ]
    names += [
        Cell("wished", "log_loss", dataset, "CRCEN", split, f"{wish} {value:g}")
        for dataset in TABLE_2
        for split in range(PROTOCOLS["wished"].n_splits)
        for wish, value in WISHES
    ]
    place = places(record, seed)
    named = fits_of(names, of_seed(record.searches, seed))
    by_split: dict[tuple[str, int], dict[Cell, Fit]] = {}  # in the order of the names
    for cell, fit in named.items():
        if fit is not None and fit in place:
            by_split.setdefault((cell.dataset, cell.split), {})[cell] = fit
    whole = len(NETWORKS) + len(WISHES)
    return [_compared(record, fits, place) for fits in by_split.values() if len(fits) == whole]


def _compared(
    record: Record, fits: Mapping[Cell, Fit], place: Mapping[Fit | None, int]
) -> Compared:
    of = {(cell.protocol, cell.method, cell.score): fit for cell, fit in fits.items()}
    networks = {name: of[kind] for name, kind in NETWORKS.items()}
    wishes = {}
    for cell, fit in fits.items():
        if cell.weight:
            wish, value = cell.weight.split()
            lam, found = record.fits.loc[place[fit], "lam"], record.predictions(place[fit])
            wishes[wish, float(value)] = Wish(float(lam), found.counts)
    plain = {name: fit for name, fit in networks.items() if fit.method == "MLP"}
    some = networks[PLAIN]
    return Compared(
        some.dataset,
        some.split,
        {name: record.predictions(place[fit]) for name, fit in networks.items()},
        {name: by_fold(record, fit, place=place) for name, fit in plain.items()},
        record.predictions(place[some._replace(rows="train")]),
        {wish: wishes[wish] for wish in WISHES},
    )


def tuned_thresholds(folds: Sequence[Predictions]) -> dict[str, float]:
    """Tune the threshold as TunedThresholdClassifierCV does, from logits that are there already.

    Parameters
    ----------
    folds : sequence of Predictions
        Of each fold, from the model trained without it.

    Returns
    -------
    dict
        Thresholds on the probability that are best for F1 and for the G-mean.
    """
    fold = np.repeat(np.arange(len(folds)), [len(each.labels) for each in folds])
    X = np.concatenate([each.logits for each in folds])[:, None]
    y = np.concatenate([each.labels for each in folds])
    tuned = TunedThresholdClassifierCV(_Given(), cv=PredefinedSplit(fold))
    return {
        score: float(tuned.set_params(scoring=_scorer(score)).fit(X, y).best_threshold_)
        for score in TUNED_FOR
    }


def _scorer(score: str) -> Any:
    """Make a scorer of a score; a search for a threshold asks it hundreds of times."""
    return make_scorer(lambda y, predicted: SCORES[score].of(decisions(y, predicted)))


class _Given(ClassifierMixin, BaseEstimator):
    """A model trained already: its one feature is its logit."""

    def fit(self, X: Logits, y: NDArray[np.int64]) -> Self:
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: Logits) -> Logits:
        return np.column_stack([expit(-X[:, 0]), expit(X[:, 0])])

    def predict(self, X: Logits) -> NDArray[np.int64]:
        return (X[:, 0] > 0).astype(int)
